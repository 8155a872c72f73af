//! What the DNS says of a client and of who it says it writes for: everything about an address at once, from the moment
//! that it connects.
//!
//! An inquiry runs in a task of its own, whether or not somebody waits; who asks the same meanwhile joins it, and its answer is
//! remembered for a while. What isn't known in time stays unknown, and is told so: it speaks neither for nor against anybody.

mod inquiries;
mod keeper;
pub(crate) mod means;
mod trial;

pub use inquiries::{Asked, Findings};
pub use keeper::ListInfo;
pub use trial::{ListTrial, Trial};

use crate::lists::{List, Listed, Said, Silence, Subject, Table, Unanswered};
use crate::reverse::{self, Leads, Reverse, is_generated, leads_to};
use crate::sender_domain::{self, SenderDomain};
use arc_swap::ArcSwap;
use futures_util::future::join_all;
use inquiries::{Inquiries, Notes};
use mailward_core::event::Events;
use mailward_core::limits::INQUIRY_KEPT_PART;
use mailward_core::{Clock, Domain, Network, config, is_public};
use mailward_dns::Lookup;
use mailward_store::ShelfStore;
use means::{Means, kept, latest};
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// An inquiry about a client.
pub type Inquiry = Asked<Standing>;

/// What it is made of.
pub struct ReputationParts<'a> {
    /// The DNS.
    pub lookup: Arc<dyn Lookup>,
    /// The lists to ask.
    pub lists: &'a config::Lists,
    /// Where what is known of lists is kept; `None`: nowhere.
    pub shelf: Option<Arc<dyn ShelfStore>>,
    /// Whether mail hosts of senders in private networks and on loopback count as well, for trials.
    pub trial: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where it is told how lists are.
    pub events: Events,
}

impl std::fmt::Debug for ReputationParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReputationParts").finish_non_exhaustive()
    }
}

/// Finds out about clients and senders.
pub struct Reputation {
    means: Means,
    table: ArcSwap<Table>,
    shelf: Option<Arc<dyn ShelfStore>>,
    trial: bool,
    clock: Arc<dyn Clock>,
    events: Events,
    clients: Arc<Inquiries<IpAddr, Standing>>,
    hellos: Arc<Inquiries<(IpAddr, Domain), HelloStanding>>,
    senders: Arc<Inquiries<Domain, SenderStanding>>,
    /// That a list is to be looked at before its time.
    look: Notify,
}

impl std::fmt::Debug for Reputation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reputation").field("table", &self.table.load()).finish_non_exhaustive()
    }
}

/// What is known of a client's address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its name.
    pub reverse: Reverse,
    /// Whether the name looks as if it were made out of the address.
    pub generated: bool,
    /// What lists have of the address, and of its name where that is confirmed.
    pub listed: Vec<Listed>,
    /// Lists that said nothing.
    pub unanswered: Vec<Unanswered>,
    #[serde(skip)]
    named: bool,
    #[serde(skip)]
    whole: bool,
}

/// What is known of the name in a greeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HelloStanding {
    /// Whether the name's addresses include the client's; `None`: unknown.
    pub confirmed: Option<bool>,
    /// What lists have of the name.
    pub listed: Vec<Listed>,
    /// Lists that said nothing.
    pub unanswered: Vec<Unanswered>,
    #[serde(skip)]
    whole: bool,
}

/// What is known of a sender's domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SenderStanding {
    /// Whether it can be answered.
    pub domain: SenderDomain,
    /// What lists have of it.
    pub listed: Vec<Listed>,
    /// Lists that said nothing.
    pub unanswered: Vec<Unanswered>,
    #[serde(skip)]
    whole: bool,
}

impl Asked<Standing> {
    /// The client's name when it is known, whatever else isn't; [`Reverse::Unknown`] when the time is over.
    pub async fn reverse(&self, at_most: Duration) -> Reverse {
        self.until(at_most, |standing| standing.named).await.reverse.clone()
    }
}

impl Reputation {
    /// Asks nobody yet. Lists are asked once their test points are right: see [`Reputation::recall`] and
    /// [`Reputation::keep`].
    #[must_use]
    pub fn new(parts: ReputationParts<'_>) -> Arc<Self> {
        Arc::new(Self {
            means: Means::new(parts.lookup),
            table: ArcSwap::from_pointee(Table::new(parts.lists, None)),
            shelf: parts.shelf,
            trial: parts.trial,
            clock: parts.clock,
            events: parts.events,
            clients: Inquiries::new(),
            hellos: Inquiries::new(),
            senders: Inquiries::new(),
            look: Notify::new(),
        })
    }

    /// Asks other lists from now on. What is known of those that stay is kept.
    pub fn set_lists(&self, lists: &config::Lists) {
        let earlier = self.table.load_full();
        self.table.store(Arc::new(Table::new(lists, Some(&earlier))));
        self.forget();
        self.look.notify_one();
    }

    /// Whether there is any list to ask.
    #[must_use]
    pub fn has_lists(&self) -> bool {
        self.table.load().all().next().is_some()
    }

    fn forget(&self) {
        self.clients.forget();
        self.hellos.forget();
        self.senders.forget();
    }

    /// Begins to find out everything about a client's address, unless that is known or under way. Has to be called within a
    /// tokio runtime. Addresses that no host on the Internet has are never asked about: their standing is unknown, at once.
    ///
    /// It is kept by the exact address, as others in an IPv6 /64 may be other people with other names.
    #[must_use]
    pub fn begin(self: &Arc<Self>, ip: IpAddr) -> Inquiry {
        let ip = ip.to_canonical();
        if !is_public(ip) {
            return Inquiry::known(Standing { named: true, whole: true, ..Standing::default() });
        }
        let all = Arc::clone(self);
        let blank = Standing { unanswered: nothing_yet(&self.table.load().hosts), ..Standing::default() };
        self.clients.ask(ip, Some(Network::host(ip)), blank, |notes| async move { all.client(ip, &notes).await })
    }

    /// Begins to find out whether a name in a greeting is the client's, and whether it is listed.
    #[must_use]
    pub fn hello(self: &Arc<Self>, ip: IpAddr, name: &Domain) -> Asked<HelloStanding> {
        let (ip, name) = (ip.to_canonical(), name.clone());
        if !is_public(ip) {
            return Asked::known(HelloStanding { whole: true, ..HelloStanding::default() });
        }
        let (all, key) = (Arc::clone(self), (ip, name.clone()));
        let blank = HelloStanding { unanswered: nothing_yet(&self.table.load().domains), ..HelloStanding::default() };
        let host = Some(Network::host(ip));
        self.hellos.ask(key, host, blank, |notes| async move { all.greeting(ip, name, &notes).await })
    }

    /// Begins to find out whether a sender's domain can be answered, and whether it is listed.
    #[must_use]
    pub fn sender(self: &Arc<Self>, domain: &Domain) -> Asked<SenderStanding> {
        let (all, domain) = (Arc::clone(self), domain.clone());
        let blank = SenderStanding { unanswered: nothing_yet(&self.table.load().domains), ..SenderStanding::default() };
        self.senders.ask(domain.clone(), None, blank, |notes| async move { all.domain(domain, &notes).await })
    }

    async fn client(&self, ip: IpAddr, notes: &Arc<Notes<Standing>>) -> Duration {
        let table = self.table.load_full();
        let named = async {
            let (reverse, until) = reverse::find(&self.means, ip).await;
            let known = reverse != Reverse::Unknown;
            let name = reverse.confirmed().cloned();
            notes.add(|standing| {
                standing.generated = reverse.name().is_some_and(|name| is_generated(name, ip));
                standing.reverse = reverse;
                standing.named = true;
                if name.is_some() {
                    standing.unanswered.extend(nothing_yet(&table.domains));
                }
            });
            let until = known.then_some(until);
            match name {
                Some(name) => earlier(until, self.ask_all(&table.domains, &Subject::Domain(name), notes).await),
                None => until,
            }
        };
        let subject = Subject::Host(ip);
        let (listed, named) = tokio::join!(self.ask_all(&table.hosts, &subject, notes), named);
        kept_until(earlier(listed, named))
    }

    async fn greeting(&self, ip: IpAddr, name: Domain, notes: &Arc<Notes<HelloStanding>>) -> Duration {
        let table = self.table.load_full();
        let confirmed = async {
            let (leads, until) = leads_to(&self.means, &name, ip).await;
            let confirmed = match leads {
                Leads::There => Some(true),
                Leads::Elsewhere => Some(false),
                Leads::Unknown => None,
            };
            notes.add(|standing| standing.confirmed = confirmed);
            confirmed.map(|_| until)
        };
        let subject = Subject::Domain(name.clone());
        let (listed, confirmed) = tokio::join!(self.ask_all(&table.domains, &subject, notes), confirmed);
        kept_until(earlier(listed, confirmed))
    }

    async fn domain(&self, domain: Domain, notes: &Arc<Notes<SenderStanding>>) -> Duration {
        let table = self.table.load_full();
        let exists = async {
            let (found, until) = sender_domain::find(&self.means, &domain, self.trial).await;
            notes.add(|standing| standing.domain = found);
            (found != SenderDomain::Unknown).then_some(until)
        };
        let subject = Subject::Domain(domain.clone());
        let (listed, exists) = tokio::join!(self.ask_all(&table.domains, &subject, notes), exists);
        kept_until(earlier(listed, exists))
    }

    /// Asks lists, all at once, and notes what each says when it says it. Answers until when all of it holds; `None` if
    /// something is missing that may be known soon.
    async fn ask_all<T: Heard + Clone>(
        &self,
        lists: &[Arc<List>],
        subject: &Subject,
        notes: &Arc<Notes<T>>,
    ) -> Option<Instant> {
        let answers = lists.iter().map(|list| async move {
            let said = list.ask(&self.means, subject).await;
            self.tell_of(list);
            notes.add(|findings| findings.hear(list, subject, &said));
            match said {
                Said::Yes(_, until) | Said::No(until) => Some(until),
                // Its state changes by events that forget everything.
                Said::Nothing(Silence::Off | Silence::Untested) => Some(latest()),
                Said::Nothing(_) => None,
            }
        });
        join_all(answers).await.into_iter().fold(Some(latest()), earlier)
    }
}

/// The earlier of both; `None` if one is missing.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    Some(one?.min(other?))
}

fn kept_until(until: Option<Instant>) -> Duration {
    until.map_or(INQUIRY_KEPT_PART, kept)
}

/// What is unanswered while nobody answered.
fn nothing_yet(lists: &[Arc<List>]) -> Vec<Unanswered> {
    lists.iter().map(|list| Unanswered { list: list.zone.clone(), why: Silence::Late }).collect()
}

/// What hears of lists.
trait Heard {
    fn lists(&mut self) -> (&mut Vec<Listed>, &mut Vec<Unanswered>);

    fn hear(&mut self, list: &List, subject: &Subject, said: &Said) {
        let (listed, unanswered) = self.lists();
        let place = unanswered.iter().position(|one| one.list == list.zone && one.why == Silence::Late);
        match (said, place) {
            (Said::Nothing(why), Some(place)) => {
                if let Some(one) = unanswered.get_mut(place) {
                    one.why = *why;
                }
            }
            (Said::Nothing(_), None) => {}
            (said, place) => {
                if let Some(place) = place {
                    unanswered.remove(place);
                }
                if let Said::Yes(codes, _) = said {
                    listed.extend(list.listed(subject, codes));
                }
            }
        }
    }
}

macro_rules! findings {
    ($type:ty, $close:expr) => {
        impl Heard for $type {
            fn lists(&mut self) -> (&mut Vec<Listed>, &mut Vec<Unanswered>) {
                (&mut self.listed, &mut self.unanswered)
            }
        }
        impl $type {
            /// Points of all lists together.
            #[must_use]
            pub fn weight(&self) -> i32 {
                self.listed.iter().fold(0, |sum: i32, one| sum.saturating_add(one.weight))
            }
        }
        impl Findings for $type {
            fn is_whole(&self) -> bool {
                self.whole
            }
            fn close(&mut self) {
                self.whole = true;
                let close: fn(&mut Self) = $close;
                close(self);
            }
        }
    };
}

findings!(Standing, |standing| standing.named = true);
findings!(HelloStanding, |_| {});
findings!(SenderStanding, |_| {});
