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
use mailward_core::event::{Event, Events};
use mailward_core::limits::{INQUIRY_KEPT_PART, NO_TURN_NEWS_TIME};
use mailward_core::{Clock, Domain, Network, config, is_public};
use mailward_dns::{Lookup, NoTurn};
use mailward_store::ShelfStore;
use means::{Asker, Means, kept, latest};
use serde::Serialize;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
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
    links: Arc<Inquiries<Domain, LinkStanding>>,
    /// That a list is to be looked at before its time.
    look: Notify,
    /// When it was told last that something wasn't asked, and how often it happened since.
    short: Mutex<(Option<Instant>, u64)>,
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

/// What lists have of a domain that a link leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkStanding {
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
            links: Inquiries::new(),
            look: Notify::new(),
            short: Mutex::default(),
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
        self.links.forget();
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
        let asked = self.clients.ask(ip, Some(ip), blank, |notes| async move { all.client(ip, &notes).await });
        self.begun(asked)
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
        let asked = self.hellos.ask(key, Some(ip), blank, |notes| async move { all.greeting(ip, name, &notes).await });
        self.begun(asked)
    }

    /// Begins to find out whether a sender's domain can be answered, and whether it is listed: for the client that names it,
    /// whose turns the questions take. Nobody else waits behind them; what was found is everybody's.
    #[must_use]
    pub fn sender(self: &Arc<Self>, ip: IpAddr, domain: &Domain) -> Asked<SenderStanding> {
        let (all, ip, domain) = (Arc::clone(self), ip.to_canonical(), domain.clone());
        let blank = SenderStanding { unanswered: nothing_yet(&self.table.load().domains), ..SenderStanding::default() };
        let key = domain.clone();
        let asked = self.senders.ask(key, Some(ip), blank, |notes| async move { all.domain(ip, domain, &notes).await });
        self.begun(asked)
    }

    /// Whether there is any list of domains that links lead to.
    #[must_use]
    pub fn has_link_lists(&self) -> bool {
        !self.table.load().links.is_empty()
    }

    /// Begins to find out whether a domain that a link leads to is listed: for the client that brings the link (`None`: nobody).
    #[must_use]
    pub fn link(self: &Arc<Self>, ip: Option<IpAddr>, domain: &Domain) -> Asked<LinkStanding> {
        let (all, ip, domain) = (Arc::clone(self), ip.map(|ip| ip.to_canonical()), domain.clone());
        let blank = LinkStanding { unanswered: nothing_yet(&self.table.load().links), ..LinkStanding::default() };
        let asked = self.links.ask(domain.clone(), ip, blank, |notes| async move {
            let (table, asker) = (all.table.load_full(), all.means.asker(ip.map(Network::host)));
            let until = all.ask_all(&asker, &table.links, &Subject::Domain(domain), &notes).await;
            all.kept_of(&asker, until)
        });
        self.begun(asked)
    }

    /// What was begun, or wasn't, which is told.
    fn begun<T>(&self, asked: Result<Asked<T>, (Asked<T>, NoTurn)>) -> Asked<T> {
        asked.unwrap_or_else(|(blank, why)| {
            self.tell_short(why);
            blank
        })
    }

    /// Tells that something wasn't asked, now and then, with how often it happened.
    fn tell_short(&self, why: impl std::fmt::Display) {
        let now = Instant::now();
        let times = {
            let mut short = self.short.lock().unwrap_or_else(PoisonError::into_inner);
            short.1 = short.1.saturating_add(1);
            if short.0.is_some_and(|told| now.saturating_duration_since(told) < NO_TURN_NEWS_TIME) {
                return;
            }
            short.0 = Some(now);
            std::mem::take(&mut short.1)
        };
        self.events.emit(Event::warn("strangers.not_asked_about").with("why", why).with("times", times));
    }

    /// How long what an inquiry found is remembered: not at all, if it was short of turns, as others may have them.
    fn kept_of(&self, asker: &Asker<'_>, until: Option<Instant>) -> Duration {
        if asker.is_short() {
            self.tell_short("questions waited too long for their turn");
            return Duration::ZERO;
        }
        until.map_or(INQUIRY_KEPT_PART, kept)
    }

    async fn client(&self, ip: IpAddr, notes: &Arc<Notes<Standing>>) -> Duration {
        let (table, asker) = (self.table.load_full(), self.means.asker(Some(Network::host(ip))));
        let named = async {
            let (reverse, until) = reverse::find(&asker, ip).await;
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
                Some(name) => earlier(until, self.ask_all(&asker, &table.domains, &Subject::Domain(name), notes).await),
                None => until,
            }
        };
        let subject = Subject::Host(ip);
        let (listed, named) = tokio::join!(self.ask_all(&asker, &table.hosts, &subject, notes), named);
        self.kept_of(&asker, earlier(listed, named))
    }

    async fn greeting(&self, ip: IpAddr, name: Domain, notes: &Arc<Notes<HelloStanding>>) -> Duration {
        let (table, asker) = (self.table.load_full(), self.means.asker(Some(Network::host(ip))));
        let confirmed = async {
            let (leads, until) = leads_to(&asker, &name, ip).await;
            let confirmed = match leads {
                Leads::There => Some(true),
                Leads::Elsewhere => Some(false),
                Leads::Unknown => None,
            };
            notes.add(|standing| standing.confirmed = confirmed);
            confirmed.map(|_| until)
        };
        let subject = Subject::Domain(name.clone());
        let (listed, confirmed) = tokio::join!(self.ask_all(&asker, &table.domains, &subject, notes), confirmed);
        self.kept_of(&asker, earlier(listed, confirmed))
    }

    async fn domain(&self, ip: IpAddr, domain: Domain, notes: &Arc<Notes<SenderStanding>>) -> Duration {
        let (table, asker) = (self.table.load_full(), self.means.asker(Some(Network::host(ip))));
        let exists = async {
            let (found, until) = sender_domain::find(&asker, &domain, self.trial).await;
            notes.add(|standing| standing.domain = found);
            (!matches!(found, SenderDomain::Unknown | SenderDomain::NotAsked)).then_some(until)
        };
        let subject = Subject::Domain(domain.clone());
        let (listed, exists) = tokio::join!(self.ask_all(&asker, &table.domains, &subject, notes), exists);
        self.kept_of(&asker, earlier(listed, exists))
    }

    /// Asks lists, all at once, and notes what each says when it says it. Answers until when all of it holds; `None` if
    /// something is missing that may be known soon.
    async fn ask_all<T: Heard + Clone>(
        &self,
        asker: &Asker<'_>,
        lists: &[Arc<List>],
        subject: &Subject,
        notes: &Arc<Notes<T>>,
    ) -> Option<Instant> {
        let answers = lists.iter().map(|list| async move {
            let said = list.ask(asker, subject).await;
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
    ($type:ty, $close:expr, $not_asked:expr) => {
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
            fn not_asked(&mut self, why: NoTurn) {
                for one in &mut self.unanswered {
                    one.why = Silence::NoTurn;
                }
                let not_asked: fn(&mut Self, NoTurn) = $not_asked;
                not_asked(self, why);
            }
        }
    };
}

findings!(Standing, |standing| standing.named = true, |_, _| {});
findings!(HelloStanding, |_| {}, |_, _| {});
findings!(LinkStanding, |_| {}, |_, _| {});
findings!(SenderStanding, |_| {}, |standing, why| {
    if why == NoTurn::All {
        standing.domain = SenderDomain::NotAsked;
    }
});
