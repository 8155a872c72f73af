//! What every list says of one address or domain, for an administrator: nothing is remembered, nothing left out.

use super::Reputation;
use super::means::Asker;
use crate::lists::{List, ListState, Listed, Said, Silence, Subject};
use crate::reverse::{self, Reverse, is_generated};
use crate::sender_domain::{self, SenderDomain};
use futures_util::future::join_all;
use mailward_core::Domain;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// What was asked about.
    pub about: String,
    /// Its name, if it is an address.
    pub reverse: Option<Reverse>,
    /// Whether the name looks as if it were made out of the address.
    pub generated: bool,
    /// Whether mail could be answered, if it is a domain.
    pub domain: Option<SenderDomain>,
    /// What each list says: those of addresses for an address, those of domains for a domain.
    pub lists: Vec<ListTrial>,
    /// Points of all lists that count.
    pub weight: i32,
}

/// What one list says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListTrial {
    /// The list.
    pub list: Domain,
    /// Every code that it answered, whether or not a line counts it.
    pub codes: Vec<Ipv4Addr>,
    /// What counts.
    pub listed: Vec<Listed>,
    /// Why it said nothing.
    pub unanswered: Option<Silence>,
    /// Whether it is asked: what a list says that is off doesn't count.
    pub state: ListState,
}

impl Reputation {
    /// Asks all lists about an address, whatever it is and however well they are, and what its name is.
    pub async fn try_host(&self, ip: IpAddr) -> Trial {
        let ip = ip.to_canonical();
        let table = self.table.load_full();
        let subject = Subject::Host(ip);
        let asker = self.means.asker(None);
        let (lists, (reverse, _)) =
            tokio::join!(self.try_all(&asker, &table.hosts, &subject), reverse::find(&asker, ip));
        let generated = reverse.name().is_some_and(|name| is_generated(name, ip));
        Trial {
            about: subject.to_string(),
            generated,
            reverse: Some(reverse),
            domain: None,
            weight: sum(&lists),
            lists,
        }
    }

    /// Asks all lists about a domain, however well they are, and whether it could be answered.
    pub async fn try_domain(&self, domain: &Domain) -> Trial {
        let table = self.table.load_full();
        let subject = Subject::Domain(domain.clone());
        let asker = self.means.asker(None);
        // A zone may be on both.
        let of_links = table.links.iter().filter(|list| table.domains.iter().all(|known| known.zone != list.zone));
        let domains: Vec<Arc<List>> = table.domains.iter().chain(of_links).cloned().collect();
        let (lists, (found, _)) =
            tokio::join!(self.try_all(&asker, &domains, &subject), sender_domain::find(&asker, domain, self.trial));
        let about = subject.to_string();
        Trial { about, reverse: None, generated: false, domain: Some(found), weight: sum(&lists), lists }
    }

    async fn try_all(&self, asker: &Asker<'_>, lists: &[Arc<List>], subject: &Subject) -> Vec<ListTrial> {
        let answers = lists.iter().map(|list| async move {
            let (codes, unanswered) = match list.ask_anyway(asker, subject).await {
                Said::Yes(codes, _) => (codes, None),
                Said::No(_) => (Vec::new(), None),
                Said::Nothing(why) => (Vec::new(), Some(why)),
            };
            let listed = list.listed(subject, &codes);
            ListTrial { list: list.zone.clone(), codes, listed, unanswered, state: list.memory.health().state }
        });
        join_all(answers).await
    }
}

/// Points that count.
fn sum(lists: &[ListTrial]) -> i32 {
    let on = lists.iter().filter(|list| !matches!(list.state, ListState::Off { .. }));
    on.flat_map(|list| &list.listed).fold(0, |sum: i32, one| sum.saturating_add(one.weight))
}
