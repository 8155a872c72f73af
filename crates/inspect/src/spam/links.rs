//! Where links lead, as domains that lists are asked about.

use super::reading::Reading;
use super::tokens::hosts;
use mailward_core::Domain;
use mailward_core::limits::SPAM_LINK_DOMAINS_MAX;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

/// That a list has a domain that a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkListed {
    /// What is listed.
    pub domain: Domain,
    /// By whom and with which codes, for people.
    pub why: String,
    /// Points, whole ones; below 0 if that speaks in favour.
    pub weight: i32,
}

/// Lists in the DNS of domains that links lead to.
pub trait LinkLists: Send + Sync {
    /// What lists have of these domains, at most `limits::SPAM_LINK_DOMAINS_MAX`, within `limits::SPAM_LINKS_TIME`: for a client,
    /// whose turns the questions take. What isn't known by then is not listed.
    fn listed<'a>(
        &'a self,
        client: Option<IpAddr>,
        domains: &'a [Domain],
    ) -> Pin<Box<dyn Future<Output = Vec<LinkListed>> + Send + 'a>>;
}

/// The part of a name that somebody registered: `example.co.uk` of `www.example.co.uk`; the name itself where the list of public
/// suffixes knows nothing.
pub(super) fn registered(name: &str) -> &str {
    psl::domain_str(name).unwrap_or(name)
}

/// The registered domains that links of a message lead to, each once, in order. Beyond `limits::SPAM_LINK_DOMAINS_MAX` the
/// first and the last ones: what matters is rarely in the middle, and whoever writes hundreds knows where filters stop.
#[must_use]
pub fn link_domains(reading: &Reading) -> Vec<Domain> {
    let mut found: Vec<Domain> = Vec::new();
    for host in reading.texts.iter().flat_map(|text| hosts(&text.written)) {
        let host = host.trim_end_matches('.').to_lowercase();
        if host.parse::<IpAddr>().is_ok() || !host.contains('.') {
            continue;
        }
        let Ok(domain) = Domain::parse_utf8(&host) else { continue };
        let Ok(domain) = Domain::parse(registered(domain.as_str())) else { continue };
        if !found.contains(&domain) {
            found.push(domain);
        }
    }
    if found.len() > SPAM_LINK_DOMAINS_MAX {
        let half = SPAM_LINK_DOMAINS_MAX / 2;
        let last = found.split_off(found.len().saturating_sub(SPAM_LINK_DOMAINS_MAX.saturating_sub(half)));
        found.truncate(half);
        found.extend(last);
    }
    found
}
