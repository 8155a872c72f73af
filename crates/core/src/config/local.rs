//! Mail from inside: programs of this host, and hosts of our networks.

use crate::address::Address;
use crate::domain::Domain;
use crate::network::Network;
use serde::{Serialize, Serializer};
use std::path::PathBuf;

/// Mail of programs of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sendmail {
    /// Directory of the socket for programs and of their spool; `None`: off.
    #[serde(serialize_with = "path_or_off")]
    pub directory: Option<PathBuf>,
    /// What local users may send as, beside their own name at this host.
    #[serde(serialize_with = "as_texts")]
    pub users: Vec<Grant>,
}

impl Default for Sendmail {
    fn default() -> Self {
        Self { directory: Some(PathBuf::from("sendmail")), users: Vec::new() }
    }
}

/// Hosts of our networks that may send out through us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Relay {
    /// Their networks.
    #[serde(serialize_with = "as_texts")]
    pub from: Vec<Network>,
    /// Whether they may send as anybody, not only as addresses of ours.
    pub any_sender: bool,
}

/// What a local user may send as: `www-data=shop@example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The user's name, or number.
    pub user: String,
    /// As whom.
    pub who: Granted,
}

/// As whom somebody may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// This address, with any `+tag`.
    Address(Address),
    /// Every address of this domain.
    Domain(Domain),
    /// Every address of every domain of ours.
    Ours,
}

impl Grant {
    /// Reads `user=address`, `user=*@domain` or `user=*`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("{text:?}: write \"user=address\", \"user=*@domain\" or \"user=*\"");
        let (user, who) = text.split_once('=').ok_or_else(form)?;
        let named = !user.is_empty()
            && user.len() <= 64
            && user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'$'));
        if !named {
            return Err(form());
        }
        let who = if who == "*" {
            Granted::Ours
        } else if let Some(domain) = who.strip_prefix("*@") {
            Granted::Domain(Domain::parse_utf8(domain).map_err(|e| format!("{text:?}: {e}"))?)
        } else {
            Granted::Address(Address::parse(who, true).map_err(|e| format!("{text:?}: {e}"))?)
        };
        Ok(Self { user: user.to_owned(), who })
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.who {
            Granted::Address(address) => write!(f, "{}={address}", self.user),
            Granted::Domain(domain) => write!(f, "{}=*@{domain}", self.user),
            Granted::Ours => write!(f, "{}=*", self.user),
        }
    }
}

fn path_or_off<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.as_ref().map_or("off".into(), |p| p.to_string_lossy()))
}

fn as_texts<S: Serializer, T: ToString>(all: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_and_written() {
        for text in ["www-data=shop@example.org", "33=*@example.org", "backup=*"] {
            assert_eq!(Grant::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "www-data", "=a@example.org", "a b=a@example.org", "a=b", "a=*@", "a=*@a@b", "a=@example.org"] {
            assert!(Grant::parse(bad).is_err(), "{bad}");
        }
    }
}
