//! Asking inside servers whether they take mail for a recipient, before it is taken here: MAIL with the null path and
//! RCPT, never a message.
//!
//! What a server says is remembered: a yes for [`CALLOUT_YES_TIME`], and longer while it can't be asked
//! ([`CALLOUT_KNOWN_TIME`]); a no for [`CALLOUT_NO_TIME`]; a no for now for [`CALLOUT_LATER_TIME`]. Strangers choose whom they
//! ask for, so a no never takes the place of a yes, questions for one recipient are one question, and after a failure the
//! server isn't asked for [`CALLOUT_REST_TIME`].
//!
//! One slow server must not silence the others: each has [`CALLOUTS_PER_GATEWAY`] places of the [`CALLOUTS_AT_ONCE`], and one
//! only after a failure, until it answers. Who waits for a place doesn't wait for the server: its time begins with the place,
//! and not to get one says nothing of it.

use crate::queue::places::Places;
use crate::queue::visit::{Visit, Visitor, Wish};
use crate::queue::{Finder, Way};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    CALLOUT_KNOWN_TIME, CALLOUT_LATER_TIME, CALLOUT_NO_KEPT, CALLOUT_NO_TIME, CALLOUT_PLACE_TIME, CALLOUT_REST_TIME,
    CALLOUT_TIME, CALLOUT_YES_KEPT, CALLOUT_YES_TIME, CALLOUTS_AT_ONCE, CALLOUTS_PER_GATEWAY,
};
use mailward_core::{Address, Clock, Domain, Timestamp};
use mailward_directory::routes::{Gateway, Leads};
use mailward_gate::{Inside, InsideAnswer, Offers};
use mailward_tls::outbound::Outbound;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Whose mail for whom, at which server: another server is asked anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    domain: Domain,
    /// Lower case.
    local: String,
}

/// What was said, and when.
#[derive(Clone, Debug)]
struct Said {
    at: Timestamp,
    by: Leads,
    /// With a no: `utf8` if it was told of the recipient at all.
    offers: Offers,
}

#[derive(Default)]
struct Memory {
    yes: HashMap<Question, Said>,
    no: HashMap<Question, Said>,
    /// A no for now.
    later: HashMap<Question, Said>,
    /// Servers that failed: when, and why. Never more than there are gateways.
    failed: HashMap<Domain, (Timestamp, Leads, String)>,
    /// Questions under way, and who waits for them.
    asked: HashMap<Question, Arc<OnceCell<InsideAnswer>>>,
    /// The places of servers that are asked now.
    places: HashMap<Domain, Arc<Semaphore>>,
}

/// Asks inside servers.
pub struct Callout {
    finder: Arc<Finder>,
    visitor: Visitor,
    clock: Arc<dyn Clock>,
    events: Events,
    /// All servers' places together.
    places: Semaphore,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for Callout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callout")
    }
}

impl Callout {
    /// `hostname` is our name in EHLO.
    #[must_use]
    pub fn new(
        finder: Arc<Finder>,
        hostname: Domain,
        outbound: Outbound,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> Self {
        let places = Semaphore::new(CALLOUTS_AT_ONCE);
        Self {
            finder,
            visitor: Visitor { hostname, outbound, ledger: None, places: Places::new(u32::MAX) },
            clock,
            events,
            places,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, gateway: &Gateway, recipient: &Address) -> InsideAnswer {
        let local = recipient.local().folded();
        let question = Question { domain: gateway.domain.clone(), local };
        let now = self.clock.now();
        let waiting = {
            let mut memory = self.memory();
            if let Some(answer) = memory.fresh(&question, &gateway.leads, now) {
                return answer;
            }
            let cell = Arc::clone(memory.asked.entry(question.clone()).or_default());
            Waiting { callout: self, question: &question, cell }
        };
        // Whoever comes first asks, and if they hang up meanwhile the next one does.
        let answer = waiting.cell.get_or_init(|| self.ask_now(gateway, recipient, &question)).await.clone();
        match answer {
            InsideAnswer::Unknown(why) => {
                self.memory().known(&question, &gateway.leads, now).unwrap_or(InsideAnswer::Unknown(why))
            }
            answer => answer,
        }
    }

    async fn ask_now(&self, gateway: &Gateway, recipient: &Address, question: &Question) -> InsideAnswer {
        let Ok(Some(_place)) = tokio::time::timeout(CALLOUT_PLACE_TIME, self.place(gateway)).await else {
            return InsideAnswer::Unknown("too many are asked for at once".to_owned());
        };
        // It may have failed meanwhile: who waited hears of it, and doesn't wait for the same.
        if let Some(answer) = self.memory().fresh(question, &gateway.leads, self.clock.now()) {
            return answer;
        }
        let answer = tokio::time::timeout(CALLOUT_TIME, self.probe(gateway, recipient)).await;
        match answer.unwrap_or_else(|_| Err(Failed::Server("it didn't answer in time".to_owned()))) {
            Ok(answer) => {
                self.memory().learn(question, &gateway.leads, &answer, self.clock.now());
                answer
            }
            Err(Failed::Now(why)) => InsideAnswer::Unknown(why),
            Err(Failed::Recipient(why)) => {
                self.memory().learn_later(question, &gateway.leads, self.clock.now());
                InsideAnswer::Unknown(why)
            }
            Err(Failed::Server(why)) => {
                let event = Event::warn("gateway.silent").with("domain", &gateway.domain).with("reason", &why);
                self.events.emit(event);
                let failed = (self.clock.now(), gateway.leads.clone(), why.clone());
                self.memory().failed.insert(gateway.domain.clone(), failed);
                InsideAnswer::Unknown(why)
            }
        }
    }

    /// A place among the server's own, and one among all. `None` never comes: nobody closes them.
    async fn place(&self, gateway: &Gateway) -> Option<(OwnedSemaphorePermit, SemaphorePermit<'_>)> {
        let (own, failed) = {
            let mut memory = self.memory();
            memory.places.retain(|_, places| Arc::strong_count(places) > 1);
            let own = memory.places.entry(gateway.domain.clone());
            let own = Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(CALLOUTS_PER_GATEWAY))));
            (own, memory.failed.get(&gateway.domain).is_some_and(|(_, by, _)| *by == gateway.leads))
        };
        // All its places: one question, and no other beside it.
        let wanted = if failed { u32::try_from(CALLOUTS_PER_GATEWAY).unwrap_or(1) } else { 1 };
        let own = own.acquire_many_owned(wanted).await.ok()?;
        Some((own, self.places.acquire().await.ok()?))
    }

    async fn probe(&self, gateway: &Gateway, recipient: &Address) -> Result<InsideAnswer, Failed> {
        let leading = self.finder.routes().table().of_gateway(&gateway.domain);
        let leading = leading.ok_or_else(|| Failed::Now("the gateway is gone".to_owned()))?;
        let hosts = match self.finder.way(&leading).await {
            Way::Hosts(hosts) => hosts,
            Way::Nowhere(_, why) | Way::Later(_, why) => return Err(Failed::Server(why)),
            Way::Discard(_) | Way::Maildir { .. } | Way::Elsewhere => {
                return Err(Failed::Now("the gateway leads to no host".to_owned()));
            }
        };
        let visited = self.visitor.visit(&hosts, Wish::Usual).await;
        let mut visit =
            visited.map_err(|unreached| Failed::Server(format!("{}: {}", unreached.host, unreached.text)))?;
        let offers = offers(&visit);
        if !recipient.is_ascii() && !offers.utf8 {
            // It would be asked again and again, and never be told.
            tokio::spawn(visit.connection.quit());
            return Ok(InsideAnswer::NotAscii);
        }
        let answer = visit.connection.probe(recipient).await;
        // Nobody waits for the farewell.
        tokio::spawn(visit.connection.quit());
        match answer {
            Ok(answer) if answer.is_positive() => Ok(InsideAnswer::Takes(offers)),
            Ok(answer) if answer.is_permanent() => Ok(InsideAnswer::Refuses),
            Ok(answer) => Err(Failed::Recipient(answer.to_string())),
            Err(failure) if failure.is_of_host() => Err(Failed::Server(failure.to_string())),
            Err(failure) => Err(Failed::Now(failure.to_string())),
        }
    }
}

/// What the host takes that mail would go to: of several, the first that answers.
fn offers(visit: &Visit) -> Offers {
    let extensions = visit.connection.extensions();
    Offers {
        size: extensions.size.filter(|size| *size > 0),
        utf8: extensions.smtputf8,
        eight_bit: extensions.eight_bit,
        require_tls: visit.suits(Wish::Proven),
    }
}

/// One who waits for an answer. The last one takes the question away, whether it was answered or they hung up.
struct Waiting<'a> {
    callout: &'a Callout,
    question: &'a Question,
    cell: Arc<OnceCell<InsideAnswer>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut memory = self.callout.memory();
        // The list's own, and ours: handles are made under the same lock.
        if Arc::strong_count(&self.cell) <= 2 {
            memory.asked.remove(self.question);
        }
    }
}

/// Why it isn't known.
enum Failed {
    /// For now, and that says nothing of recipient or server.
    Now(String),
    /// The server said so of this recipient, for now.
    Recipient(String),
    /// The server can't be asked at all.
    Server(String),
}

impl Inside for Callout {
    fn ask<'a>(
        &'a self,
        gateway: &'a Gateway,
        recipient: &'a Address,
    ) -> Pin<Box<dyn Future<Output = InsideAnswer> + Send + 'a>> {
        Box::pin(self.answer(gateway, recipient))
    }
}

impl Memory {
    /// What needn't be asked.
    fn fresh(&self, question: &Question, by: &Leads, now: Timestamp) -> Option<InsideAnswer> {
        let young = |said: &&Said, time| said.by == *by && since(said.at, now) < time;
        if let Some(said) = self.yes.get(question).filter(|said| young(said, CALLOUT_YES_TIME)) {
            return Some(InsideAnswer::Takes(said.offers));
        }
        if let Some(said) = self.no.get(question).filter(|said| young(said, CALLOUT_NO_TIME)) {
            return Some(if said.offers.utf8 { InsideAnswer::Refuses } else { InsideAnswer::NotAscii });
        }
        if self.later.get(question).is_some_and(|said| young(&said, CALLOUT_LATER_TIME)) {
            let why =
                || InsideAnswer::Unknown("it said a moment ago that it doesn't take mail for them now".to_owned());
            return Some(self.known(question, by, now).unwrap_or_else(why));
        }
        let (at, host, why) = self.failed.get(&question.domain)?;
        let rests = host == by && since(*at, now) < CALLOUT_REST_TIME;
        rests.then(|| self.known(question, by, now).unwrap_or_else(|| InsideAnswer::Unknown(why.clone())))
    }

    /// A yes that is old, but better than nothing.
    fn known(&self, question: &Question, by: &Leads, now: Timestamp) -> Option<InsideAnswer> {
        let said = self.yes.get(question)?;
        let counts = said.by == *by && since(said.at, now) < CALLOUT_KNOWN_TIME;
        counts.then_some(InsideAnswer::Takes(said.offers))
    }

    fn learn(&mut self, question: &Question, by: &Leads, answer: &InsideAnswer, now: Timestamp) {
        let said = |offers| Said { at: now, by: by.clone(), offers };
        match answer {
            InsideAnswer::Takes(offers) => {
                self.no.remove(question);
                self.later.remove(question);
                self.failed.remove(&question.domain);
                keep(&mut self.yes, question, said(*offers), CALLOUT_YES_KEPT, CALLOUT_KNOWN_TIME);
            }
            InsideAnswer::Refuses | InsideAnswer::NotAscii => {
                self.yes.remove(question);
                self.later.remove(question);
                self.failed.remove(&question.domain);
                let utf8 = *answer == InsideAnswer::Refuses;
                keep(&mut self.no, question, said(Offers { utf8, ..Offers::ALL }), CALLOUT_NO_KEPT, CALLOUT_NO_TIME);
            }
            InsideAnswer::Unknown(_) => {}
        }
    }

    /// A yes of before stays: a mailbox that is full now, say.
    fn learn_later(&mut self, question: &Question, by: &Leads, now: Timestamp) {
        self.failed.remove(&question.domain);
        let said = Said { at: now, by: by.clone(), offers: Offers::ALL };
        keep(&mut self.later, question, said, CALLOUT_NO_KEPT, CALLOUT_LATER_TIME);
    }
}

/// Remembers; where there is no room, what is old goes, or all of it: it is asked anew.
fn keep(room: &mut HashMap<Question, Said>, question: &Question, said: Said, most: usize, time: Duration) {
    if room.len() >= most && !room.contains_key(question) {
        let now = said.at;
        room.retain(|_, old| since(old.at, now) < time);
        if room.len() >= most {
            room.clear();
        }
    }
    room.insert(question.clone(), said);
}

/// A clock that was set back makes what was known old, not young.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    u64::try_from(now.0.saturating_sub(then.0)).map_or(Duration::MAX, Duration::from_millis)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;
