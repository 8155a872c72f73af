//! A house with two users and a runner that fetches for them.

use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::shutdown::{self, ShutdownTrigger};
use mailward_core::{Address, Clock, Domain, MailboxName, Secret, SystemClock, Timestamp};
use mailward_directory::{Directory, NewPassword, NewUser, UserSettings};
use mailward_fetch::{Accounts, After, Info, Judge, Name, Parts, Protocol, Runner, Settings, State, Tls, To};
use mailward_store::records::{Shelf, ShelfChange, Shelved, UidRange, Wanted};
use mailward_store::{LocalStore, MailStore as _, Options, ShelfStore as _};
use mailward_tls::outbound::Outbound;
use mailward_tls::{Acceptor, authority};
use mailward_vault::Seal;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::task::JoinHandle;

pub const PASSWORD: &str = "quiet-lantern-93-orchard";
pub const USER: &str = "alice@elsewhere.example";

/// The system's clock, put forward.
#[derive(Default)]
struct Forward(AtomicI64);

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }
}

pub struct House {
    clock: Arc<Forward>,
    pub store: Arc<LocalStore>,
    pub directory: Arc<Directory>,
    pub accounts: Arc<Accounts>,
    pub events: Events,
    pub message_size: Arc<AtomicU64>,
    /// PEM of who signs for the servers.
    pub authority: String,
    pub acceptor: Acceptor,
    pub judge: Option<Judge>,
    running: Option<(ShutdownTrigger, JoinHandle<()>)>,
    _dir: tempfile::TempDir,
}

impl House {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        directory.add_domain(Domain::parse("here.example").unwrap()).await.unwrap();
        for user in ["joe", "ann"] {
            let user = NewUser {
                address: format!("{user}@here.example").parse().unwrap(),
                password: NewPassword::None,
                display_name: String::new(),
                quota_bytes: 0,
                quota_messages: 0,
            };
            directory.add_user(user).await.unwrap();
        }
        let seal = Seal::new(&Secret::new("server secret")).unwrap();
        let accounts = Arc::new(Accounts::new(store.clone(), directory.clone(), seal));
        let now = SystemTime::now();
        let ca = authority::create(&["elsewhere.example"], now).unwrap();
        let issued = authority::issue(&ca, &["mail.elsewhere.example"], now).unwrap();
        let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
        let message_size = Arc::new(AtomicU64::new(1_000_000));
        let authority = ca.certificate_pem.clone();
        let events = Events::memory();
        let clock = Arc::new(Forward::default());
        let mut house = Self {
            clock,
            store,
            directory,
            accounts,
            events,
            message_size,
            authority,
            acceptor,
            judge: None,
            running: None,
            _dir: dir,
        };
        house.start();
        house
    }

    pub fn start(&mut self) {
        let (trigger, shutdown) = shutdown::channel();
        let size = Arc::clone(&self.message_size);
        let runner = Runner::new(Parts {
            accounts: self.accounts.clone(),
            mail: self.store.clone(),
            directory: self.directory.clone(),
            lookup: None,
            outbound: Outbound::trusting_system(),
            hostname: Domain::parse("mx.here.example").unwrap(),
            events: self.events.clone(),
            clock: self.clock.clone(),
            message_size: Arc::new(move || size.load(Ordering::Relaxed)),
            judge: self.judge.clone(),
        });
        self.running = Some((trigger, tokio::spawn(runner.run(shutdown))));
    }

    /// Stops the runner and starts another, which knows only what the store does.
    pub async fn restart(&mut self) {
        if let Some((trigger, task)) = self.running.take() {
            trigger.fire();
            task.await.unwrap();
        }
        self.start();
    }

    pub fn settings(&self, protocol: Protocol, port: u16) -> Settings {
        Settings {
            port,
            tls: Tls::Tls,
            authority: Some(self.authority.clone()),
            every: 60,
            ..Settings::new(protocol, "127.0.0.1".parse().unwrap(), USER.to_owned(), To::One(joe()))
        }
    }

    /// Adds the account `x` and waits for its first visit.
    pub async fn fetch(&self, settings: Settings) -> State {
        self.accounts.add(x(), settings, &Secret::new(PASSWORD)).await.unwrap();
        self.visited().await
    }

    pub async fn fetch_and_keep(&self, settings: Settings) -> State {
        self.fetch(Settings { after: After::Keep, ..settings }).await
    }

    /// Asks for another visit and waits for it.
    pub async fn again(&self) -> State {
        self.accounts.now(&x()).await.unwrap();
        self.visited().await
    }

    /// Lets hours pass, and waits for the visit that is due then.
    pub async fn after_hours(&self, hours: i64) -> State {
        let before = self.info().await.state.tried;
        self.clock.0.fetch_add(hours * 3_600_000, Ordering::Relaxed);
        let mut changes = self.store.shelf_version(Shelf::Fetch);
        // A change that means nothing has the runner look at the clock.
        let record = Shelved { key: "z".to_owned(), value: Bytes::new(), expires: None };
        self.store.change_shelf(vec![ShelfChange::Put(Shelf::Fetch, record)]).await.unwrap();
        loop {
            let _seen = *changes.borrow_and_update();
            let state = self.info().await.state;
            if state.tried != before {
                return state;
            }
            changes.changed().await.unwrap();
        }
    }

    pub async fn info(&self) -> Info {
        self.accounts.show(&x()).await.unwrap()
    }

    /// Waits until the visit that was asked for is over.
    pub async fn visited(&self) -> State {
        let mut changes = self.store.shelf_version(Shelf::Fetch);
        loop {
            let _seen = *changes.borrow_and_update();
            let info = self.info().await;
            if !info.due {
                return info.state;
            }
            changes.changed().await.unwrap();
        }
    }

    /// What a user's INBOX holds, oldest first.
    pub async fn inbox(&self, user: &str) -> Vec<String> {
        self.mailbox(user, MailboxName::inbox()).await
    }

    /// The same of any mailbox.
    pub async fn mailbox(&self, user: &str, name: MailboxName) -> Vec<String> {
        let address: Address = format!("{user}@here.example").parse().unwrap();
        let account = self.directory.account_id(&address).unwrap();
        let inbox = self.store.mailbox(account, name).await.unwrap();
        let wanted = Wanted { bytes: true, rows: 1_000, most: 100_000_000, ..Wanted::default() };
        let all = self.store.fetch(inbox.id, vec![UidRange::ALL], wanted).await.unwrap();
        all.into_iter().map(|one| text(&one.bytes.unwrap())).collect()
    }

    /// Subjects of what joe has, in order.
    pub async fn subjects(&self) -> Vec<String> {
        self.inbox("joe").await.iter().map(|message| subject(message)).collect()
    }

    pub async fn quota(&self, user: &str, messages: u64) {
        let settings = UserSettings { quota_messages: Some(messages), ..UserSettings::default() };
        let address: Address = format!("{user}@here.example").parse().unwrap();
        self.directory.set_user(&address, settings).await.unwrap();
    }

    pub fn told(&self, what: &str) -> bool {
        self.events.lines().iter().any(|line| line.contains(what))
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn subject(message: &str) -> String {
    message.split_once("Subject: ").unwrap().1.lines().next().unwrap().to_owned()
}

pub fn x() -> Name {
    Name::parse("x").unwrap()
}

pub fn joe() -> Address {
    "joe@here.example".parse().unwrap()
}

pub fn message(subject: &str) -> String {
    format!(
        "Return-Path: <sender@there.example>\r\nFrom: sender@there.example\r\nSubject: {subject}\r\n\r\n.dot\r\n..\r\nbody\r\n"
    )
}
