//! Domains that are another server's, which mail is taken and passed on for.

use super::model::{Leads, Malformed};
use mailward_core::Domain;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How it is known whom the inside server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayCheck {
    /// It is asked.
    Callout,
    /// By a list that is kept here.
    List,
    /// It isn't: everything is taken, and what the inside server refuses bounces to whoever is named as its sender.
    None,
}

impl GatewayCheck {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Callout => "callout",
            Self::List => "list",
            Self::None => "none",
        }
    }
}

impl fmt::Display for GatewayCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A domain of an inside server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Whose mail is taken.
    pub domain: Domain,
    /// The inside server: hosts, or a socket.
    pub leads: Leads,
    /// How its recipients are known.
    pub check: GatewayCheck,
}

impl Gateway {
    /// What must hold of it, wherever it comes from.
    ///
    /// # Errors
    /// [`Malformed`] says what doesn't.
    pub fn check(&self) -> Result<(), Malformed> {
        match &self.leads {
            Leads::Host(_) | Leads::Lmtp(_) | Leads::Socket(_) => self.leads.check(),
            other => Err(Malformed(format!("a gateway leads to a host inside, and not to {other}"))),
        }
    }
}
