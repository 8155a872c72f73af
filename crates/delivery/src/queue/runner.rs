//! The runner: visits lanes that are due, tells senders whose messages are late, sleeps until there is something to do.

use super::allowance::Allowances;
use super::bounce::Bouncer;
use super::chance::Chance;
use super::in_work::InWork;
use super::lane;
use super::notice::{Told, Writer};
use super::places::Places;
use super::suspicion::Suspicion;
use super::visit::Visitor;
use super::way::Guide;
use crate::care::Care;
use crate::forward::{Forwarder, Outgoing};
use crate::sign::{SignError, sign};
use bytes::Bytes;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    QUEUE_GATHER_TIME, QUEUE_HICCUP_TIME, QUEUE_LANES_AT_ONCE, QUEUE_PAGE, QUEUE_SLEEP_MAX, QUEUE_SLEEP_MIN, STOP_GRACE,
};
use mailward_core::{Clock, Domain, Shutdown, Timestamp};
use mailward_directory::routes::Routes;
use mailward_directory::{Directory, DirectoryError, Dkim};
use mailward_message::Structure;
use mailward_store::api::{MailStore, QueueStore, StoreError};
use mailward_store::records::{Lane, Outcome, QueuedMessage, Settled, Settlement};
use mailward_sts::Ledger;
use mailward_tls::outbound::Outbound;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinSet};

/// What a runner is made of.
pub struct Parts {
    /// What is owed.
    pub queue: Arc<dyn QueueStore>,
    /// Message bytes.
    pub mail: Arc<dyn MailStore>,
    /// Where notices for our own users go.
    pub directory: Arc<Directory>,
    /// Who knows the ways.
    pub guide: Arc<dyn Guide>,
    /// Who signs; none: nothing is signed.
    pub dkim: Option<Arc<Dkim>>,
    /// Who forwards; none: what is to be forwarded is held.
    pub forwarder: Option<Arc<Forwarder>>,
    /// TLS.
    pub outbound: Outbound,
    /// Where it is counted how TLS went; none: it isn't.
    pub ledger: Option<Arc<Ledger>>,
    /// Our name.
    pub hostname: Domain,
    /// Where events go.
    pub events: Events,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Connections of all lanes together.
    pub connections: usize,
    /// Connections of one lane, and those to one host of all lanes together.
    pub connections_per_lane: u32,
    /// How long notices are tried.
    pub lifetime: Duration,
    /// How long a connection waits for more to send; usually `limits::QUEUE_LINGER_TIME`.
    pub linger: Duration,
    /// Who watches over what users send; none: nobody.
    pub care: Option<Arc<Care>>,
    /// The process before this one was cut off, and some message may be why: how long one that may be waits for each trial
    /// that was noted of it; usually `limits::QUEUE_SUSPECT_PAUSE`.
    pub suspects: Option<Duration>,
}

/// What all visits share.
pub(crate) struct Shared {
    pub(crate) queue: Arc<dyn QueueStore>,
    pub(crate) mail: Arc<dyn MailStore>,
    pub(crate) guide: Arc<dyn Guide>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) visitor: Visitor,
    pub(crate) allowances: Allowances,
    pub(crate) connections: Semaphore,
    pub(crate) in_work: Arc<InWork>,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
    dkim: Option<Arc<Dkim>>,
    pub(super) forwarder: Option<Arc<Forwarder>>,
    pub(crate) linger: Duration,
    pub(crate) suspicion: Suspicion,
    writer: Arc<Writer>,
    care: Option<Arc<Care>>,
    chance: Chance,
}

impl Shared {
    /// Any number.
    pub(crate) fn chance(&self) -> u64 {
        self.chance.draw()
    }

    /// Keeps what came of a message's recipients together with what its sender is told of it.
    pub(crate) async fn settle(
        &self,
        message: &QueuedMessage,
        settlement: Settlement,
        told: Vec<Told>,
    ) -> Result<(), StoreError> {
        let refused = settlement.recipients.iter().any(is_refusal);
        self.writer.settle(&*self.queue, message, settlement, &told, self.clock.now()).await?;
        if let (Some(care), Some(account), true) = (&self.care, message.envelope.submitter, refused) {
            care.look_at(account).await;
        }
        Ok(())
    }

    /// How a message goes out: who it is from, and what stands before it. The inner error says why it can't be sent.
    pub(crate) async fn outgoing(&self, message: &QueuedMessage) -> Result<Result<Outgoing, String>, StoreError> {
        let Some(alias) = &message.envelope.forwarded else {
            let sender = message.envelope.sender.clone();
            return Ok(self.signatures(message).await?.map(|fields| Outgoing { sender, fields }));
        };
        match &self.forwarder {
            Some(forwarder) => forwarder.outgoing(&*self.mail, message, alias, self.clock.now()).await,
            None => Ok(Err("it is to be forwarded, and this server doesn't".to_owned())),
        }
    }

    /// The DKIM signatures of a message that a user of ours, a program or a host of ours sent; nothing for others, and for domains without keys.
    /// The inner error says why it can't be sent.
    async fn signatures(&self, message: &QueuedMessage) -> Result<Result<Bytes, String>, StoreError> {
        let signed = message.envelope.is_of_known_sender();
        let Some(dkim) = self.dkim.as_deref().filter(|_| signed) else {
            return Ok(Ok(Bytes::new()));
        };
        let blobs = self.mail.blobs(vec![message.blob]).await?;
        let Some(domain) = blobs.first().and_then(|blob| author_domain(&blob.structure)) else {
            return Ok(Ok(Bytes::new()));
        };
        match sign(dkim, &*self.mail, message.blob, &domain, self.clock.now()).await {
            Ok(signatures) => Ok(Ok(signatures.unwrap_or_default())),
            Err(SignError::Message(fault)) => Ok(Err(format!("it can't be signed: {fault}"))),
            Err(SignError::Store(error) | SignError::Keys(DirectoryError::Store(error))) => Err(error),
            Err(SignError::Keys(error)) => Ok(Err(format!("its domain's keys can't be used: {error}"))),
        }
    }

    /// A pause after the store failed: it isn't asked again at once.
    pub(crate) async fn hiccup(&self) {
        tokio::time::sleep(QUEUE_HICCUP_TIME).await;
    }
}

/// Whether another host refused a recipient for good.
fn is_refusal(settled: &Settled) -> bool {
    let code = settled.attempt.as_ref().map_or(0, |attempt| attempt.code);
    matches!(settled.outcome, Outcome::Failed) && (500..600).contains(&code)
}

/// The domain of the first address in From.
fn author_domain(structure: &[u8]) -> Option<Domain> {
    let envelope = Structure::envelope_from_bytes(structure).ok()?;
    Domain::parse(envelope.from.iter().find_map(|address| address.host)?).ok()
}

/// Sends what is queued, until the server stops.
pub struct Runner {
    pub(super) shared: Arc<Shared>,
}

impl Runner {
    /// Puts it together; nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let started = parts.clock.now();
        let routes = parts.directory.routes();
        let writer = Arc::new(Writer {
            mail: Arc::clone(&parts.mail),
            directory: parts.directory,
            hostname: parts.hostname.clone(),
            events: parts.events.clone(),
            lifetime: parts.lifetime,
            chance: Chance::default(),
        });
        Self {
            shared: Arc::new(Shared {
                queue: parts.queue,
                mail: parts.mail,
                guide: parts.guide,
                routes,
                visitor: Visitor {
                    hostname: parts.hostname,
                    outbound: parts.outbound,
                    ledger: parts.ledger,
                    places: Places::new(parts.connections_per_lane),
                },
                allowances: Allowances::new(parts.connections_per_lane),
                connections: Semaphore::new(parts.connections.clamp(1, Semaphore::MAX_PERMITS)),
                in_work: Arc::default(),
                events: parts.events,
                clock: parts.clock,
                dkim: parts.dkim,
                forwarder: parts.forwarder,
                linger: parts.linger,
                suspicion: Suspicion::new(parts.suspects.map(|pause| (started, pause))),
                writer,
                care: parts.care,
                chance: Chance::default(),
            }),
        }
    }

    /// Gives up by hand what this sends: it leaves alone what is being sent.
    #[must_use]
    pub fn bouncer(&self) -> Bouncer {
        let Shared { queue, writer, in_work, clock, .. } = &*self.shared;
        Bouncer {
            queue: Arc::clone(queue),
            writer: Arc::clone(writer),
            in_work: Arc::clone(in_work),
            clock: Arc::clone(clock),
        }
    }

    /// Runs until the word to stop; then what is under way has [`STOP_GRACE`] to end. If it should ever crash it is told,
    /// and begins anew after a pause: mail that waits for nobody knows how long helps nobody.
    pub async fn run(self, mut shutdown: Shutdown) {
        loop {
            let Err(crashed) = tokio::spawn(serve(Arc::clone(&self.shared), shutdown.clone())).await else { return };
            self.shared.events.emit(Event::alert("queue.crashed").with("reason", &crashed));
            tokio::select! {
                () = shutdown.fired() => return,
                () = self.shared.hiccup() => {}
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, mut shutdown: Shutdown) {
    let mut news = shared.queue.watch_queue();
    let mut visits: JoinSet<()> = JoinSet::new();
    let mut lanes: HashMap<Id, Lane> = HashMap::new();
    while !shutdown.is_fired() {
        news.borrow_and_update();
        let slept = match step(&shared, &mut visits, &mut lanes, &shutdown).await {
            Ok(sleep) => sleep,
            Err(StoreError::Closed) => break,
            Err(error) => {
                shared.events.emit(Event::alert("queue.stuck").with("reason", &error));
                QUEUE_HICCUP_TIME
            }
        };
        tokio::select! {
            () = shutdown.fired() => break,
            changed = news.changed() => {
                if changed.is_err() {
                    break;
                }
                // Much may come at once; one look is enough for all of it.
                tokio::time::sleep(QUEUE_GATHER_TIME).await;
            }
            Some(ended) = visits.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(crashed) => {
                        shared.events.emit(Event::alert("queue.crashed").with("reason", &crashed));
                        crashed.id()
                    }
                };
                lanes.remove(&id);
            }
            () = tokio::time::sleep(slept) => {}
        }
    }
    // A transaction whose answer is on its way is worth waiting for: cut off, it would come twice.
    let ending = async { while visits.join_next().await.is_some() {} };
    let _cut = tokio::time::timeout(STOP_GRACE, ending).await;
}

/// Begins what is due, and tells how long to sleep.
pub(super) async fn step(
    shared: &Arc<Shared>,
    visits: &mut JoinSet<()>,
    lanes: &mut HashMap<Id, Lane>,
    shutdown: &Shutdown,
) -> Result<Duration, StoreError> {
    shared.mail.admit(0)?;
    let now = shared.clock.now();
    let busy: HashSet<Lane> = lanes.values().cloned().collect();
    let room = QUEUE_LANES_AT_ONCE.saturating_sub(lanes.len());
    if room > 0 {
        for due in shared.queue.due_lanes(now, room, busy).await? {
            let lane = due.lane.clone();
            let handle = visits.spawn(lane::visit(Arc::clone(shared), due, shutdown.clone()));
            lanes.insert(handle.id(), lane);
        }
    }
    late(shared, now).await?;
    let busy = lanes.values().cloned().collect();
    let next = shared.queue.next_due(busy).await?;
    // While all places are taken the end of a visit wakes.
    let lane = next.lane.filter(|_| lanes.len() < QUEUE_LANES_AT_ONCE);
    let first = [lane, next.deadline].into_iter().flatten().min();
    Ok(first.map_or(QUEUE_SLEEP_MAX, |at| until(at, shared.clock.now())))
}

/// At least a moment: what is late and in work is asked for again.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let millis = u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0);
    Duration::from_millis(millis).clamp(QUEUE_SLEEP_MIN, QUEUE_SLEEP_MAX)
}

/// Gives up what has expired, and warns senders whose messages are late.
async fn late(shared: &Arc<Shared>, now: Timestamp) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = shared.queue.late(now, after, QUEUE_PAGE).await?;
        for message in &page.messages {
            // What is being sent right now decides for itself.
            let Some(_held) = shared.in_work.take_alone(message.id) else { continue };
            let expired = now >= message.envelope.expires;
            let mut settlement = Settlement::default();
            let mut told = Vec::new();
            for recipient in &message.recipients {
                let outcome = if expired { Outcome::Failed } else { Outcome::Deferred(recipient.due) };
                told.push(Told::late(recipient, message, expired));
                settlement.recipients.push(Settled {
                    message: message.id,
                    number: recipient.number,
                    outcome,
                    attempt: None,
                    refused: false,
                    warned: true,
                });
            }
            let event = Event::info(if expired { "message.expired" } else { "message.late" }).with("queue", message.id);
            shared.events.emit(event.with("recipients", message.recipients.len()));
            shared.settle(message, settlement, told).await?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
