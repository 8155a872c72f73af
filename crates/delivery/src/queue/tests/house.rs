//! A store with users, a runner on it, and ways that lead where a test wants.

use super::sink::{Sink, trusting};
use crate::alerts::{Letter, Postman, PostmanParts};
use crate::care::{Care, CareParts};
use crate::prepare;
use crate::queue::runner::{Parts, Runner, step};
use crate::queue::way::{Access, Guide, Host, Trust, Way};
use mailward_core::event::{Events, Heard, Level};
use mailward_core::shutdown::{self, ShutdownTrigger};
use mailward_core::{Address, Clock, Domain, MailboxName, QueueId, Secret, Shutdown, Timestamp, Uid};
use mailward_directory::routes::Routes;
use mailward_directory::{Directory, NewPassword, NewUser};
use mailward_gate::{Caps, Gate};
use mailward_smtp::client::Dialect;
use mailward_store::api::{MailStore as _, Pending, QueueStore};
use mailward_store::records::*;
use mailward_store::{LocalStore, Options};
use mailward_sts::Ledger;
use mailward_tls::outbound::Proof;
use mailward_vault::Seal;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where `t.example` waits.
pub(crate) const LANE: &str = "t.example";

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
pub(super) struct Map(Mutex<HashMap<String, Way>>);

impl Guide for Map {
    fn way<'a>(&'a self, lane: &'a Lane) -> Pin<Box<dyn Future<Output = Way> + Send + 'a>> {
        let way = self.0.lock().unwrap().get(lane.as_str()).cloned();
        Box::pin(async move { way.unwrap_or_else(|| Way::Later(EnhancedStatus::of(4, 4, 3), "no DNS".to_owned())) })
    }
}

/// A queue in which one recipient's fate can't be noted.
struct Poisoned {
    store: Arc<LocalStore>,
    poison: Address,
}

macro_rules! as_it_is {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> Pending<'_, $out> { self.store.$name($($arg),*) })*
    };
}

impl QueueStore for Poisoned {
    as_it_is! {
        due_lanes(now: Timestamp, limit: usize, except: HashSet<Lane>) -> Vec<DueLane>;
        due_in_lane(lane: Lane, now: Timestamp, after: Option<DuePlace>, limit: usize) -> DuePage;
        late(now: Timestamp, after: Option<DuePlace>, limit: usize) -> LatePage;
        next_due(except: HashSet<Lane>) -> NextDue;
        mark_trial(message: QueueId) -> u32;
        postpone(message: QueueId, until: Timestamp) -> ();
        queue_page(filter: QueueFilter, after: Option<QueueId>, limit: usize) -> QueuePage;
        queued_message(message: QueueId) -> QueuedMessage;
        steer(filter: QueueFilter, action: Steer, after: Option<QueueId>) -> Steered;
        pause(lane: Option<Lane>, paused: bool) -> ();
        queue_totals(largest: usize) -> QueueTotals;
    }
    fn settle(&self, settlement: Settlement) -> Pending<'_, SettleOutcome> {
        Box::pin(async move {
            for settled in &settlement.recipients {
                let message = self.store.queued_message(settled.message).await?;
                let is_it = |r: &QueuedRecipient| r.number == settled.number && r.address == self.poison;
                let poisoned = message.recipients.iter().any(is_it);
                assert!(!poisoned || matches!(settled.outcome, Outcome::Held(_)), "as the test wants it");
            }
            self.store.settle(settlement).await
        })
    }
    fn watch_queue(&self) -> watch::Receiver<u64> {
        self.store.watch_queue()
    }
}

pub(crate) struct House {
    pub(crate) store: Arc<LocalStore>,
    pub(super) routes: Arc<Routes>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) care: Arc<Care>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) runner: Runner,
    clock: Arc<Hands>,
    pub(super) ledger: Arc<Ledger>,
    map: Arc<Map>,
    pub(crate) events: Events,
    heard: std::sync::Mutex<Heard>,
    pub(crate) shutdown: Shutdown,
    _trigger: ShutdownTrigger,
    _dir: tempfile::TempDir,
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

impl House {
    /// `s.example` with alice, and small, who has no room.
    pub(crate) async fn new() -> Self {
        Self::lingering(Duration::ZERO).await
    }

    /// The same, with connections that wait so long for more.
    pub(crate) async fn lingering(linger: Duration) -> Self {
        Self::made(linger, None, None).await
    }

    /// The same, with a way by somebody else.
    pub(crate) async fn by(guide: Arc<dyn Guide>) -> Self {
        Self::made(Duration::ZERO, Some(guide), None).await
    }

    /// The same, with a way by somebody who counts.
    pub(super) async fn with<G: Guide>(guide: impl AsyncFnOnce(Arc<Ledger>) -> Arc<G>) -> Self {
        let clock = Arc::new(Hands(AtomicI64::new(1_800_000_000_000)));
        let ledger = Arc::new(Ledger::new(clock.clone()));
        let guide = guide(Arc::clone(&ledger)).await;
        Self::of(clock, ledger, Duration::ZERO, |_| Some(guide as Arc<dyn Guide>), None).await
    }

    /// The same, where noting what came of this recipient ends the task that does so.
    pub(crate) async fn poisoned(recipient: &str) -> Self {
        Self::made(Duration::ZERO, None, Some(address(recipient))).await
    }

    /// The same, with a way that knows its routes.
    pub(super) async fn guided(guide: impl FnOnce(Arc<Routes>) -> Arc<dyn Guide>, poison: Option<&str>) -> Self {
        Self::made_with(Duration::ZERO, |routes| Some(guide(routes)), poison.map(address)).await
    }

    async fn made(linger: Duration, guide: Option<Arc<dyn Guide>>, poison: Option<Address>) -> Self {
        Self::made_with(linger, |_| guide, poison).await
    }

    async fn made_with(
        linger: Duration,
        guide: impl FnOnce(Arc<Routes>) -> Option<Arc<dyn Guide>>,
        poison: Option<Address>,
    ) -> Self {
        let clock = Arc::new(Hands(AtomicI64::new(1_800_000_000_000)));
        let ledger = Arc::new(Ledger::new(clock.clone()));
        Self::of(clock, ledger, linger, guide, poison).await
    }

    async fn of(
        clock: Arc<Hands>,
        ledger: Arc<Ledger>,
        linger: Duration,
        guide: impl FnOnce(Arc<Routes>) -> Option<Arc<dyn Guide>>,
        poison: Option<Address>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { clock: clock.clone(), ..Options::default() };
        let store = LocalStore::open(dir.path(), options).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        directory.add_domain(Domain::parse("s.example").unwrap()).await.unwrap();
        for (name, quota_bytes) in [("alice", 0), ("small", 1)] {
            let user = NewUser {
                address: address(&format!("{name}@s.example")),
                password: NewPassword::None,
                display_name: String::new(),
                quota_bytes,
                quota_messages: 0,
            };
            directory.add_user(user).await.unwrap();
        }
        let seal = Seal::new(&Secret::new("a server's secret")).unwrap();
        let routes = Routes::open(store.clone(), seal).await.unwrap();
        directory.lead_by(routes.clone());
        let (map, events) = (Arc::new(Map::default()), Events::memory());
        let (trigger, shutdown) = shutdown::channel();
        let gate = Gate::new(Caps::default());
        let care = Care::new(CareParts {
            mail: store.clone(),
            queue: store.clone(),
            sending: store.clone(),
            shelf: store.clone(),
            directory: directory.clone(),
            gate: gate.clone(),
            hostname: Domain::parse("mx.s.example").unwrap(),
            events: events.clone(),
            lifetime: Duration::from_secs(5 * 86_400),
        });
        let runner = Runner::new(Parts {
            queue: match poison {
                None => store.clone(),
                Some(poison) => Arc::new(Poisoned { store: store.clone(), poison }),
            },
            mail: store.clone(),
            directory: directory.clone(),
            guide: guide(routes.clone()).unwrap_or_else(|| map.clone()),
            dkim: None,
            forwarder: None,
            outbound: trusting(),
            ledger: Some(ledger.clone()),
            hostname: Domain::parse("mx.s.example").unwrap(),
            events: events.clone(),
            clock: clock.clone(),
            connections: 10,
            connections_per_lane: 5,
            lifetime: Duration::from_secs(5 * 86_400),
            linger,
            care: Some(care.clone()),
            suspects: None,
        });
        Self {
            store,
            routes,
            directory,
            care,
            gate,
            runner,
            clock,
            ledger,
            map,
            heard: std::sync::Mutex::new(events.listen(|level, _| level == Level::Alert, 1_000).unwrap()),
            events,
            shutdown,
            _trigger: trigger,
            _dir: dir,
        }
    }

    pub(crate) fn leads_to(&self, lane: &str, sink: &Sink) {
        self.leads_to_hosts(lane, vec![sink.host(Proof::Nothing)]);
    }

    pub(crate) fn leads_to_hosts(&self, lane: &str, hosts: Vec<Host>) {
        self.map.0.lock().unwrap().insert(lane.to_owned(), Way::Hosts(hosts));
    }

    pub(crate) fn leads_nowhere(&self, lane: &str, why: &str) {
        let way = Way::Nowhere(EnhancedStatus::of(5, 1, 10), why.to_owned());
        self.map.0.lock().unwrap().insert(lane.to_owned(), way);
    }

    /// To a port where nobody listens.
    pub(crate) fn leads_to_nobody(&self, lane: &str) {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let host = Host {
            name: "away.example".to_owned(),
            tls_name: "away.example".to_owned(),
            addresses: vec![free],
            dialect: Dialect::Smtp,
            proof: Proof::Nothing,
            trust: Trust::default(),
            access: Access::default(),
        };
        self.leads_to_hosts(lane, vec![host]);
    }

    /// Queues a message of somebody who was asked who they are; the null path is the empty sender.
    pub(crate) async fn queue(&self, sender: &str, to: &[&str], text: &str, change: impl FnOnce(&mut Queued)) {
        let now = self.now();
        let recipients = to.iter().map(|to| {
            let address = address(to);
            let lane = Lane::from(address.domain().unwrap());
            NewRecipient { address, notify: None, original: None, lane, due: now, held: None }
        });
        let envelope = Envelope {
            sender: (!sender.is_empty()).then(|| address(sender)),
            give_back: None,
            envid: None,
            needs: Needs { signature: true, ..Needs::default() },
            submitter: None,
            forwarded: None,
            arrived: now,
            warn: Some(Timestamp(now.0 + 4 * 3_600_000)),
            expires: Timestamp(now.0 + 5 * 24 * 3_600_000),
        };
        let mut queued = Queued { envelope, recipients: recipients.collect() };
        change(&mut queued);
        let structure = mailward_message::Structure::parse(text.as_bytes()).to_bytes();
        let content = mailward_store::records::Content::new(text.to_owned().into_bytes().into(), structure.into());
        assert!(prepare(text.as_bytes().to_vec(), 0).is_ok());
        self.store.deliver(Delivery { content, targets: Vec::new(), queued: vec![queued], kept: None }).await.unwrap();
    }

    /// Does what is due, until nothing is.
    pub(crate) async fn turn(&self) {
        let (mut visits, mut lanes) = (JoinSet::new(), HashMap::new());
        loop {
            step(&self.runner.shared, &mut visits, &mut lanes, &self.shutdown).await.unwrap();
            if visits.is_empty() {
                return;
            }
            let ended = visits.join_next_with_id().await.unwrap().unwrap();
            lanes.remove(&ended.0);
        }
    }

    /// Does what is due once, whatever becomes of those that do it.
    pub(super) async fn turn_that_crashes(&self) {
        let (mut visits, mut lanes) = (JoinSet::new(), HashMap::new());
        step(&self.runner.shared, &mut visits, &mut lanes, &self.shutdown).await.unwrap();
        let mut crashed = 0;
        while let Some(ended) = visits.join_next().await {
            crashed += usize::from(ended.is_err());
        }
        assert_eq!(crashed, 1);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time passes.
    pub(crate) fn forward(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }

    pub(crate) async fn queued(&self) -> Vec<QueuedMessage> {
        self.store.queue_page(QueueFilter::default(), None, 100).await.unwrap().messages
    }

    pub(crate) async fn is_empty(&self) -> bool {
        self.queued().await.is_empty()
    }

    pub(crate) async fn lane(&self, name: &str) -> LaneTotal {
        let totals = self.store.queue_totals(10).await.unwrap();
        totals.largest.into_iter().find(|lane| lane.lane.as_str() == name).unwrap()
    }

    pub(crate) async fn release(&self, filter: QueueFilter) {
        self.store.steer(filter, Steer::Release, None).await.unwrap();
    }

    pub(crate) async fn remove_all(&self) {
        self.store.steer(QueueFilter::default(), Steer::Remove, None).await.unwrap();
    }

    /// Messages in somebody's INBOX.
    pub(crate) async fn inbox(&self, user: &str) -> Vec<String> {
        let account = self.directory.account_id(&address(user)).unwrap();
        let inbox = self.store.mailbox(account, MailboxName::inbox()).await.unwrap();
        let all = vec![UidRange { first: Uid(1), last: Uid(u32::MAX) }];
        let mut texts = Vec::new();
        for row in self.store.messages(inbox.id, all, 100).await.unwrap() {
            let bytes = self.store.read(row.blob, 0, row.size).await.unwrap();
            texts.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        texts
    }

    /// Brings the postmaster what alerts said in words since the last time.
    pub(crate) async fn bring_alerts(&self) {
        let postman = Postman::new(PostmanParts {
            mail: self.store.clone(),
            queue: self.store.clone(),
            directory: self.directory.clone(),
            hostname: Domain::parse("mx.s.example").unwrap(),
            events: self.events.clone(),
            clock: self.clock.clone(),
            lifetime: Duration::from_secs(5 * 86_400),
        });
        let next = || self.heard.lock().unwrap().try_next();
        for alert in std::iter::from_fn(next) {
            let Some(words) = alert.words else { continue };
            let letter = Letter { id: "1", made: alert.at, subject: &words.subject, lines: &words.lines };
            postman.bring(None, &letter).await.unwrap();
        }
    }

    /// Whether there was such an event.
    pub(crate) fn told(&self, name: &str) -> bool {
        self.events.lines().iter().any(|line| line.contains(name))
    }
}
