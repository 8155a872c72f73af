//! One visit to a lane: as many connections as it may have, each taking message after message, until nothing there is
//! due or its host fails.

mod ends;

use super::content::Stored;
use super::feed::Feed;
use super::notice::Told;
use super::outcome::{Decision, decide, settled};
use super::places::Place;
use super::runner::Shared;
use super::schedule::{next_visit, soon};
use super::suspicion::Verdict;
use super::visit::{REQUIRE_TLS_MISSED, Unreached, Visit, Wish};
use super::way::{Host, Way};
use mailward_core::event::Event;
use mailward_core::limits::{QUEUE_LINGER_LOOK, QUEUE_TRIALS_MAX, SMTP_RECIPIENTS_MAX};
use mailward_core::{Address, QueueId, Shutdown, Timestamp};
use mailward_smtp::client::{Recipient, Transaction};
use mailward_smtp::path::ReversePath;
use mailward_store::StoreError;
use mailward_store::records::{
    Attempt, DueLane, EnhancedStatus, Lane, LaneNews, Outcome, QueuedMessage, QueuedRecipient, Settled, Settlement,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify as Bell;
use tokio::task::JoinSet;
use tokio::time::Instant;

mod next_host;

/// Why a message is held that ended what sent it again and again.
const CRASHES: &str = "sending it failed in a way that should never happen; see message.crashed in the log";

/// What a settlement has to know of the visit.
#[derive(Clone, Copy)]
struct Visited<'a> {
    /// When the host is tried again, if it is at fault.
    host_pause: Timestamp,
    /// The host confirms nothing: a confirmation that was asked for is ours to send (RFC 3461 §5.2.2).
    relayed: bool,
    protection: &'a str,
}

impl Visited<'_> {
    /// Nobody was reached.
    const fn not(host_pause: Timestamp) -> Self {
        Self { host_pause, relayed: false, protection: "none" }
    }
}

/// What the connections of a visit share.
struct Work {
    shared: Arc<Shared>,
    lane: Lane,
    feed: Feed,
    hosts: Vec<Host>,
    /// Failures of the host before; 0 once it was told that it answers.
    failures: AtomicU32,
    /// Some message went through in this visit.
    answered: AtomicBool,
    /// Some host listened in this visit.
    reached: AtomicBool,
    /// The host was given a rest: nobody begins anew.
    rests: AtomicBool,
    /// There is more to do than connections do.
    more: Bell,
}

/// Visits a lane.
pub(crate) async fn visit(shared: Arc<Shared>, due: DueLane, shutdown: Shutdown) {
    let feed = Feed::new(Arc::clone(&shared.queue), Arc::clone(&shared.clock), due.lane.clone());
    let way = shared.guide.way(&due.lane).await;
    let (hosts, other) = match way {
        Way::Hosts(hosts) => (hosts, None),
        other => (Vec::new(), Some(other)),
    };
    let work = Arc::new(Work {
        shared,
        lane: due.lane,
        feed,
        hosts,
        failures: AtomicU32::new(due.failures),
        answered: AtomicBool::new(false),
        reached: AtomicBool::new(false),
        rests: AtomicBool::new(false),
        more: Bell::new(),
    });
    let ended = match other {
        None | Some(Way::Hosts(_)) => work.serve(shutdown).await,
        Some(Way::Nowhere(status, text)) => work.fail_all(status, &text, &shutdown).await,
        Some(Way::Later(status, text)) => {
            work.lost(Unreached { host: String::new(), code: 0, status, text, busy: false }).await
        }
        Some(Way::Discard(text)) => work.discard(&text, &shutdown).await,
        Some(Way::Maildir { root, path }) => work.file(&root, &path, &shutdown).await,
        Some(Way::Elsewhere) => work.elsewhere(&shutdown).await,
    };
    if let Err(error) = ended {
        work.shared.events.emit(Event::alert("queue.stuck").with("lane", &work.lane).with("reason", &error));
        work.shared.hiccup().await;
    }
}

impl Work {
    /// Runs connections: one at first, more when there is more to do and it goes well.
    async fn serve(self: &Arc<Self>, shutdown: Shutdown) -> Result<(), StoreError> {
        let mut connections: JoinSet<Result<(), StoreError>> = JoinSet::new();
        let mut result = Ok(());
        let begin = |connections: &mut JoinSet<_>| {
            let current = Arc::new(Mutex::new(None));
            let work = Arc::clone(self);
            let mine = Arc::clone(&current);
            let shutdown = shutdown.clone();
            let handle = connections.spawn(async move { work.connection(&mine, shutdown).await });
            (handle.id(), current)
        };
        let mut working: HashMap<_, _> = HashMap::from([begin(&mut connections)]);
        loop {
            tokio::select! {
                ended = connections.join_next_with_id() => match ended {
                    None => return result,
                    Some(Ok((id, ended))) => {
                        working.remove(&id);
                        if ended.is_err() {
                            result = ended;
                        }
                    }
                    Some(Err(crashed)) => {
                        let current = working.remove(&crashed.id());
                        let message = current.and_then(|at| *at.lock().unwrap_or_else(PoisonError::into_inner));
                        if let Some(message) = message
                            && let Err(error) = self.crashed(message).await
                        {
                            // The others are in the middle of something: they end by themselves.
                            result = Err(error);
                        }
                    }
                },
                () = self.more.notified() => {
                    let allowed = usize::try_from(self.shared.allowances.of(&self.lane)).unwrap_or(usize::MAX);
                    if connections.len() < allowed && !self.rests.load(Ordering::Acquire) && !shutdown.is_fired() {
                        working.extend([begin(&mut connections)]);
                    }
                }
            }
        }
    }

    /// One connection's life.
    async fn connection(&self, current: &Mutex<Option<QueueId>>, mut shutdown: Shutdown) -> Result<(), StoreError> {
        let Ok(_place) = self.shared.connections.acquire().await else { return Ok(()) };
        let mut visit: Option<Visit> = None;
        let mut idle_since = Instant::now();
        while !shutdown.is_fired() && !self.rests.load(Ordering::Acquire) {
            // What comes of a message has to be written down: without room for that it would be sent again and again.
            self.shared.mail.admit(0)?;
            let Some((message, more)) = self.feed.next().await? else {
                // More may come soon: a connection that is there is worth more than a new one.
                if let Some(there) = &visit
                    && self.lingers(there.place.as_ref(), idle_since, &mut shutdown).await
                {
                    continue;
                }
                break;
            };
            if let Some(there) = visit.as_mut()
                && !(there.connection.is_usable() && there.connection.is_still_there().await)
            {
                visit = None;
            }
            let wish = Wish::of(&message.envelope.needs);
            if let Some(other) = visit.take_if(|there| !there.suits(wish)) {
                other.connection.quit().await;
            }
            if visit.is_none() {
                match self.shared.visitor.visit(&self.hosts, wish).await {
                    Ok(reached) => {
                        self.reached.store(true, Ordering::Release);
                        visit = Some(reached);
                    }
                    Err(unreached) if unreached.busy => return self.yields(message).await,
                    Err(unreached) if wish == Wish::Proven => {
                        let id = message.id;
                        if let Some(_held) = self.shared.in_work.take(id) {
                            self.unproven(&message, unreached).await?;
                        }
                        self.feed.done(id).await;
                        continue;
                    }
                    Err(unreached) => return self.unreached(unreached, message).await,
                }
            }
            let Some(there) = visit.as_mut() else { break };
            if more {
                self.more.notify_one();
            }
            let id = message.id;
            let Some(_held) = self.shared.in_work.take(id) else {
                self.feed.done(id).await;
                continue;
            };
            *current.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
            let now = self.shared.clock.now();
            let broken = match self.shared.suspicion.begins(&*self.shared.queue, &message, now).await? {
                Verdict::Send(_alone) => self.send_by_hosts(there, message).await?,
                Verdict::Hold => self.hold(&message, CRASHES).await?,
                Verdict::Wait(until) => {
                    self.shared.queue.postpone(id, until).await?;
                    false
                }
            };
            *current.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.feed.done(id).await;
            idle_since = Instant::now();
            if broken {
                visit = None;
            }
        }
        if let Some(visit) = visit {
            visit.connection.quit().await;
        }
        Ok(())
    }

    /// Waits a while for more; whether there is news. News may be of other lanes and come all the time, so it is looked
    /// for now and then, and not beyond the while. Not while other lanes wait for a connection, or one to this host.
    async fn lingers(&self, place: Option<&Place>, idle_since: Instant, shutdown: &mut Shutdown) -> bool {
        let free = || self.shared.connections.available_permits() > 0 && !place.is_some_and(Place::is_scarce);
        while idle_since.elapsed() < self.shared.linger && free() {
            tokio::select! {
                biased;
                () = shutdown.fired() => return false,
                () = tokio::time::sleep(QUEUE_LINGER_LOOK) => {}
            }
            if self.feed.has_news().await {
                return true;
            }
        }
        false
    }

    /// The host has as many connections as it may, of this lane and others: if one is of this visit, it goes on with the
    /// message; else the lane comes again soon, and its place is for others. The host did nothing wrong.
    async fn yields(&self, message: QueuedMessage) -> Result<(), StoreError> {
        self.feed.give_back(message).await;
        if self.reached.load(Ordering::Acquire) || self.rests.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let again = soon(self.shared.clock.now(), self.shared.chance());
        let pauses = vec![(self.lane.clone(), again)];
        self.shared.queue.settle(Settlement { pauses, ..Settlement::default() }).await.map(|_| ())
    }

    /// Nobody listened: if somebody else got through, this connection was one too many; else the host rests.
    async fn unreached(&self, unreached: Unreached, message: QueuedMessage) -> Result<(), StoreError> {
        self.shared.allowances.failed(&self.lane);
        if self.answered.load(Ordering::Acquire) {
            self.feed.give_back(message).await;
            return Ok(());
        }
        self.rest(unreached, vec![message]).await
    }

    /// Sends one message to its recipients, as many at a time as the host takes; answers whether the connection is over.
    /// Recipients for whom the host failed before it can have taken the message are put behind `elsewhere`.
    async fn send(
        &self,
        there: &mut Visit,
        message: &QueuedMessage,
        elsewhere: &mut Vec<u32>,
    ) -> Result<bool, StoreError> {
        let outgoing = match self.shared.outgoing(message).await? {
            Ok(outgoing) => outgoing,
            Err(why) => return self.hold(message, &why).await,
        };
        let mut left: Vec<&QueuedRecipient> = message.recipients.iter().collect();
        while !left.is_empty() {
            let most = there.connection.extensions().recipients().clamp(1, SMTP_RECIPIENTS_MAX);
            let now_tried: Vec<&QueuedRecipient> = left.drain(..left.len().min(most)).collect();
            let opened =
                Stored::open(Arc::clone(&self.shared.mail), message.blob, message.size, outgoing.fields.clone()).await;
            let mut content = match opened {
                Err(StoreError::NotFound(_) | StoreError::Damaged(_)) => {
                    return self.hold(message, "its bytes can't be read: see `mailward store verify`").await;
                }
                opened => opened?,
            };
            let transaction = transaction(message, outgoing.sender.clone(), &now_tried);
            let report = there.connection.send(&transaction, &mut content).await;
            let now = self.shared.clock.now();
            let accepted = report.accepted();
            if accepted > 0 || report.broken.as_ref().is_none_or(|failure| !failure.is_of_host()) {
                self.shared.allowances.succeeded(&self.lane);
            } else {
                self.shared.allowances.failed(&self.lane);
            }
            let host_pause = next_visit(next_host::failures(&now_tried), now, self.shared.chance());
            next_host::note(&report, &now_tried, &left, message.envelope.expires > now, elsewhere);
            there.used |= accepted > 0;
            let decisions: Vec<Decision> = report.outcomes.iter().map(|said| decide(said, &there.host, now)).collect();
            let relayed = !there.connection.extensions().dsn;
            let settle: Vec<(&QueuedRecipient, Decision)> = now_tried.iter().copied().zip(decisions).collect();
            self.settle(message, settle, Visited { host_pause, relayed, protection: &there.protection() }).await?;
            if report.broken.is_some() {
                return Ok(true);
            }
        }
        Ok(!there.connection.is_usable())
    }

    /// The message must go to a host that proves who it is, and there is none (RFC 8689 §4.2.1): for good, or none that
    /// could be asked. Mail that may go to others isn't held up.
    async fn unproven(&self, message: &QueuedMessage, unreached: Unreached) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        let Unreached { host, code, status, text, busy: _ } = unreached;
        let attempt = Attempt { at: now, host, code, status: Some(status), text };
        let decide = if status == REQUIRE_TLS_MISSED { Decision::Fail } else { Decision::Wait };
        let decided = message.recipients.iter().map(|r| (r, decide(attempt.clone()))).collect();
        self.settle(message, decided, Visited::not(now)).await
    }

    /// Keeps what came of recipients, and tells the sender what is to be told, in one commit.
    async fn settle(
        &self,
        message: &QueuedMessage,
        decided: Vec<(&QueuedRecipient, Decision)>,
        visited: Visited<'_>,
    ) -> Result<(), StoreError> {
        let mut settlement = Settlement::default();
        let mut told = Vec::new();
        for (recipient, decision) in decided {
            let delivered = matches!(decision, Decision::Delivered(_));
            let Some(settled) = settled(message, recipient, decision, visited.host_pause, self.shared.chance()) else {
                continue;
            };
            self.log(message, recipient, &settled, visited.protection);
            match (&settled.outcome, &settled.attempt) {
                (Outcome::Failed, Some(attempt)) => told.push(Told::failed(recipient, attempt)),
                (Outcome::Delivered, Some(attempt)) if visited.relayed => told.push(Told::relayed(recipient, attempt)),
                _ => {}
            }
            if delivered {
                self.answered.store(true, Ordering::Release);
            }
            settlement.recipients.push(settled);
        }
        if self.answered.load(Ordering::Acquire) && self.failures.swap(0, Ordering::AcqRel) > 0 {
            settlement.lanes.push(LaneNews { lane: self.lane.clone(), blocked: None });
        }
        self.shared.settle(message, settlement, told).await
    }

    fn log(&self, message: &QueuedMessage, recipient: &QueuedRecipient, settled: &Settled, protection: &str) {
        let Some(attempt) = &settled.attempt else { return };
        let name = match settled.outcome {
            Outcome::Delivered => "message.sent",
            Outcome::Failed => "message.failed",
            _ => "message.deferred",
        };
        let event = Event::info(name)
            .with("queue", message.id)
            .with("recipient", &recipient.address)
            .with("host", &attempt.host)
            .with("tls", protection)
            .with("code", attempt.code);
        self.shared.events.emit(event.with("answer", &attempt.text));
    }

    /// Gives the host a rest. Messages that were tried with it keep what it said; of those whose time is over the
    /// senders are told.
    async fn rest(&self, unreached: Unreached, mut tried: Vec<QueuedMessage>) -> Result<(), StoreError> {
        self.rests.store(true, Ordering::Release);
        tried.extend(self.feed.drain().await);
        let now = self.shared.clock.now();
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let next = next_visit(failures, now, self.shared.chance());
        let attempt = Attempt {
            at: now,
            host: unreached.host,
            code: unreached.code,
            status: Some(unreached.status),
            text: unreached.text,
        };
        self.shared.events.emit(
            Event::warn("queue.host_rests")
                .with("lane", &self.lane)
                .with("host", &attempt.host)
                .with("failures", failures)
                .with("reason", &attempt.text),
        );
        let block = LaneNews { lane: self.lane.clone(), blocked: Some(next) };
        let settlement = Settlement { lanes: vec![block], ..Settlement::default() };
        self.shared.queue.settle(settlement).await?;
        for message in &tried {
            let Some(_held) = self.shared.in_work.take(message.id) else { continue };
            let decided = message.recipients.iter().map(|r| (r, Decision::WaitForHost(attempt.clone()))).collect();
            self.settle(message, decided, Visited::not(next)).await?;
        }
        Ok(())
    }

    /// It isn't known now where to bring it; those that are first in line keep why.
    async fn lost(&self, unreached: Unreached) -> Result<(), StoreError> {
        let first = self.feed.next().await?.map(|(message, _)| message);
        self.rest(unreached, first.into_iter().collect()).await
    }

    /// There is nowhere to bring it.
    async fn fail_all(&self, status: EnhancedStatus, text: &str, shutdown: &Shutdown) -> Result<(), StoreError> {
        while !shutdown.is_fired() {
            let Some((message, _)) = self.feed.next().await? else { break };
            let Some(_held) = self.shared.in_work.take(message.id) else { continue };
            let now = self.shared.clock.now();
            let attempt =
                Attempt { at: now, host: String::new(), code: 0, status: Some(status), text: text.to_owned() };
            let decided = message.recipients.iter().map(|r| (r, Decision::Fail(attempt.clone()))).collect();
            self.settle(&message, decided, Visited::not(now)).await?;
        }
        Ok(())
    }

    async fn hold(&self, message: &QueuedMessage, why: &str) -> Result<bool, StoreError> {
        let recipients = message.recipients.iter().map(|recipient| Settled {
            message: message.id,
            number: recipient.number,
            outcome: Outcome::Held(why.to_owned()),
            attempt: None,
            refused: false,
            warned: false,
        });
        self.shared.events.emit(Event::alert("message.held").with("queue", message.id).with("reason", why));
        let settlement = Settlement { recipients: recipients.collect(), ..Settlement::default() };
        self.shared.queue.settle(settlement).await?;
        Ok(false)
    }

    /// A message ended the task that sent it: one that does so again and again is held, so that the others go on.
    async fn crashed(&self, id: QueueId) -> Result<(), StoreError> {
        let trials = match self.shared.suspicion.trials(&*self.shared.queue, id).await {
            Ok(trials) => trials,
            Err(StoreError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.shared.events.emit(Event::alert("message.crashed").with("queue", id).with("times", trials));
        if trials < QUEUE_TRIALS_MAX {
            return Ok(());
        }
        let message = self.shared.queue.queued_message(id).await?;
        self.hold(&message, CRASHES).await?;
        Ok(())
    }
}

/// The transaction for these recipients.
fn transaction(message: &QueuedMessage, sender: Option<Address>, recipients: &[&QueuedRecipient]) -> Transaction {
    let envelope = &message.envelope;
    let sender = sender.map_or(ReversePath::Null, ReversePath::Address);
    let mut transaction = Transaction::new(sender, []);
    transaction.recipients = recipients
        .iter()
        .map(|recipient| Recipient {
            address: recipient.address.clone(),
            notify: recipient.notify,
            original: recipient
                .original
                .as_deref()
                .and_then(|text| text.split_once(';'))
                .map(|(kind, address)| (kind.into(), address.into())),
        })
        .collect();
    transaction.eight_bit = envelope.needs.eight_bit;
    transaction.utf8_header = envelope.needs.smtputf8;
    transaction.require_tls = envelope.needs.require_tls;
    transaction.ret = envelope.give_back;
    transaction.envid = envelope.envid.as_deref().map(Into::into);
    transaction
}
