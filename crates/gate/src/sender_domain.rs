//! Whether a sender's domain can be answered: who can't be is nobody whom mail could come from.

use crate::reputation::means::{Asker, Missing, latest};
use futures_util::future::join_all;
use mailward_core::limits::SENDER_HOSTS_MAX;
use mailward_core::{Domain, is_public};
use mailward_dns::{Mx, NoTurn};
use serde::Serialize;
use std::fmt;
use tokio::time::Instant;

/// What the DNS says of where mail for a domain would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SenderDomain {
    /// There is a host for it.
    Exists,
    /// It says that it takes no mail (RFC 7505): nobody who writes from it can be answered.
    NullMx,
    /// There is no such domain.
    NoDomain,
    /// It has no mail host, or none that leads to an address on the Internet: names without addresses, loopback, private
    /// networks.
    Nowhere,
    /// Nobody knows now, or its host causes more questions than one may.
    #[default]
    Unknown,
    /// It wasn't asked about: strangers cause more questions than they may together. That is nobody's fault whose mail it is.
    NotAsked,
}

impl SenderDomain {
    /// Whether it is sure that nobody there can be answered.
    #[must_use]
    pub const fn is_unreachable(self) -> bool {
        matches!(self, SenderDomain::NullMx | SenderDomain::NoDomain | SenderDomain::Nowhere)
    }
}

impl fmt::Display for SenderDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SenderDomain::Exists => "it has a mail host",
            SenderDomain::NullMx => "it says that it takes no mail",
            SenderDomain::NoDomain => "there is no such domain",
            SenderDomain::Nowhere => "it has no mail host that could be reached",
            SenderDomain::Unknown => "unknown",
            SenderDomain::NotAsked => "not asked, as too many questions are under way",
        })
    }
}

/// Finds out, and until when it holds. `anywhere`: hosts in private networks and on loopback count too, for trials. At most
/// `limits::SENDER_HOSTS_MAX` mail hosts are looked at, all at once.
pub(crate) async fn find(asker: &Asker<'_>, domain: &Domain, anywhere: bool) -> (SenderDomain, Instant) {
    let (hosts, mut until) = match asker.name(asker.lookup.mx(domain)).await {
        Ok(found) => match found.records.as_slice() {
            [only] if only.is_null() => return (SenderDomain::NullMx, found.valid_until.into()),
            records => (best(records), Instant::from(found.valid_until)),
        },
        // It is its own mail host (RFC 5321 §5.1).
        Err(Missing::None { name: false, until }) => (vec![domain.clone()], until),
        Err(Missing::None { name: true, until }) => return (SenderDomain::NoDomain, until),
        Err(Missing::NoTurn(NoTurn::All)) => return (SenderDomain::NotAsked, latest()),
        Err(_) => return (SenderDomain::Unknown, latest()),
    };
    let answers = join_all(hosts.iter().map(|host| asker.name(asker.lookup.addresses(host)))).await;
    let (mut unknown, mut not_asked) = (false, false);
    for answer in answers {
        match answer {
            Ok(found) if found.records.iter().any(|address| anywhere || is_public(*address)) => {
                return (SenderDomain::Exists, until.min(found.valid_until.into()));
            }
            Ok(found) => until = until.min(found.valid_until.into()),
            Err(Missing::None { until: holds, .. }) => until = until.min(holds),
            Err(Missing::NoTurn(NoTurn::All)) => not_asked = true,
            Err(_) => unknown = true,
        }
    }
    let found = match (unknown, not_asked) {
        (true, _) => SenderDomain::Unknown,
        (false, true) => SenderDomain::NotAsked,
        (false, false) => SenderDomain::Nowhere,
    };
    (found, until)
}

/// The best hosts, each once.
fn best(records: &[Mx]) -> Vec<Domain> {
    let mut records: Vec<&Mx> = records.iter().collect();
    records.sort_by_key(|record| record.preference);
    let mut hosts: Vec<Domain> = Vec::new();
    for host in records.iter().filter_map(|record| record.host_name().ok()) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
        if hosts.len() >= SENDER_HOSTS_MAX {
            break;
        }
    }
    hosts
}
