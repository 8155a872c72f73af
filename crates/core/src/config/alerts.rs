//! Where alerts go.

use crate::address::Address;
use crate::domain::Domain;
use crate::limits::ALERT_URL_MAX;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;

/// Where alerts go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Alerts {
    /// By mail.
    pub mail: AlertMail,
    /// By HTTPS.
    #[serde(serialize_with = "webhook_or_off")]
    pub webhook: Option<Webhook>,
    /// Whether its host may be one of a network of our own.
    pub webhook_private: bool,
    /// File of the secret that proves who calls it; `None`: nothing does.
    #[serde(serialize_with = "path_or_none")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Socket of syslog; `None`: off.
    #[serde(serialize_with = "path_or_off")]
    pub syslog: Option<PathBuf>,
    /// Program and its words; none: off.
    pub command: Vec<String>,
    /// System user that runs it; empty: the server's.
    pub command_user: String,
}

impl Alerts {
    /// Whether an alert reaches somebody also when this server is ill.
    #[must_use]
    pub fn go_beside_this_server(&self) -> bool {
        self.webhook.is_some() || self.syslog.is_some() || !self.command.is_empty()
    }
}

/// Whom alerts reach by mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AlertMail {
    /// Nobody.
    Off,
    /// The postmaster.
    #[default]
    Postmaster,
    /// These.
    To(Vec<Address>),
}

impl Serialize for AlertMail {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            AlertMail::Off => to.serialize_str("off"),
            AlertMail::Postmaster => to.serialize_str("postmaster"),
            AlertMail::To(all) => to.collect_seq(all.iter().map(ToString::to_string)),
        }
    }
}

/// A place that takes alerts by HTTPS. Its path may be a secret: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    host: Domain,
    port: u16,
    path: String,
}

impl Webhook {
    /// Reads `https://host[:port]/path`. Errors don't repeat it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > ALERT_URL_MAX {
            return Err(format!("has more than {ALERT_URL_MAX} bytes"));
        }
        let rest =
            text.strip_prefix("https://").ok_or("must begin with https://: alerts don't travel in clear text")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (place, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if place.contains('@') {
            return Err("can't have a user and password in it".to_owned());
        }
        let (host, port) = match place.rsplit_once(':') {
            None => (place, 443),
            Some((host, port)) => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                let port = port.parse().ok().filter(|port| digits && *port > 0);
                (host, port.ok_or("has a port that is none: write https://host:8443/path")?)
            }
        };
        let named = host.bytes().any(|b| b.is_ascii_alphabetic()) && !host.contains(['[', ']']);
        let host = Domain::parse_utf8(host).ok().filter(|_| named);
        let host = host.ok_or("must name its host: an address has no certificate that anybody trusts")?;
        // What a request line can hold (RFC 9112 §3.2.1, RFC 3986 §3.3 and §3.4).
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&b);
        if !path.bytes().all(plain) {
            return Err("has a character in its path that must be written as %XX, or a # in it".to_owned());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host, port, path })
    }
    /// Whom to ask.
    #[must_use]
    pub const fn host(&self) -> &Domain {
        &self.host
    }
    /// At which port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
    /// For what. A secret, maybe.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
    /// As it stands in the file that only its owner reads.
    pub(super) fn written(&self) -> String {
        let port = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
        format!("https://{}{port}{}", self.host, self.path)
    }
}

/// Without the path.
impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}/…", self.host, self.port)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self})")
    }
}

fn webhook_or_off<S: Serializer>(webhook: &Option<Webhook>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&webhook.as_ref().map_or_else(|| "off".to_owned(), Webhook::written))
}

fn path_or_off<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.as_ref().map_or("off".into(), |p| p.to_string_lossy()))
}

fn path_or_none<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.as_ref().map_or("none".into(), |p| p.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_webhook_is_read_and_its_path_is_not_printed() {
        for (text, port, path) in [
            ("https://hooks.example/services/T0/B0/s3cret", 443, "/services/T0/B0/s3cret"),
            ("https://hooks.example:8443/a?token=s3cret", 8443, "/a?token=s3cret"),
            ("https://hooks.example", 443, "/"),
            ("https://hooks.example?token=s3cret", 443, "/?token=s3cret"),
        ] {
            let webhook = Webhook::parse(text).unwrap();
            assert_eq!((webhook.host().as_str(), webhook.port(), webhook.path()), ("hooks.example", port, path));
            assert!(!format!("{webhook} {webhook:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_no_webhook_is_refused_without_being_repeated() {
        let long = format!("https://a.example/{}", "s3cret".repeat(ALERT_URL_MAX));
        for bad in [
            "",
            "http://a.example/s3cret",
            "https://",
            "https:///s3cret",
            "https://192.0.2.1/s3cret",
            "https://[2001:db8::1]/s3cret",
            "https://u:s3cret@a.example/",
            "https://a.example:0/s3cret",
            "https://a.example:+443/s3cret",
            "https://a.example:99999/s3cret",
            "https://a.example/s3cret x",
            "https://a.example/s3cret\r\nHost: b",
            "https://a.example/é",
            "https://a.example/a#s3cret",
            &long,
        ] {
            let error = Webhook::parse(bad).unwrap_err();
            assert!(!error.contains("s3cret"), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_alike(text in "(https://)?[a-z0-9.:/?#@%\\[\\] é-]{0,40}") {
            if let Ok(webhook) = Webhook::parse(&text) {
                prop_assert_eq!(Webhook::parse(&webhook.written()).unwrap(), webhook);
            }
        }
    }
}
