//! Lists in the DNS: how they are, what they say.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use mailward_core::Domain;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;

/// What is to be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// How each list is.
    List,
    /// What they say of an address now.
    Host { ip: IpAddr },
    /// What they say of a domain now.
    Domain { domain: Domain },
}

impl Desk {
    /// Tells it.
    pub(super) async fn lists(&self, ask: Ask) -> Result<Value, Failure> {
        let Some(reputation) = &self.reputation else {
            return Err(Failure::Bug("nobody asks lists here".to_owned()));
        };
        match ask {
            Ask::List => shown(reputation.lists()),
            Ask::Host { ip } => shown(reputation.try_host(ip).await),
            Ask::Domain { domain } => shown(reputation.try_domain(&domain).await),
        }
    }
}
