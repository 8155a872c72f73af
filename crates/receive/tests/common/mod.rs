//! A whole house on a temporary directory, and peers that talk to it through memory.
#![allow(dead_code, unreachable_pub, reason = "each test file takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]
#![allow(clippy::string_slice, clippy::expect_used, missing_docs, reason = "tests")]

pub mod dns;
pub mod store;
pub mod strangers;

use mailward_core::config;
use mailward_core::event::Events;
use mailward_core::shutdown::{self, ShutdownTrigger};
use mailward_core::{AccountId, Address, Clock, Domain, Listener, MailboxName, Peer, Secret, SystemClock, Timestamp};
use mailward_delivery::care::{Care, CareParts};
use mailward_delivery::{Forwarder, ForwarderParts};
use mailward_directory::routes::{Gateway, Routes};
use mailward_directory::{Authenticator, Directory, Dkim, NewPassword, NewUser, UserSettings};
use mailward_dns_zone::Texts;
use mailward_gate::greylist::Greylist;
use mailward_gate::journal::Journal;
use mailward_gate::rates::Rates;
use mailward_gate::rules::RuleBook;
use mailward_gate::{Caps, Gate, Inside, InsideAnswer, LocalUser, Reputation, ReputationParts, Srs};
use mailward_receive::{Context, Filters, Guard, Parts, Settings, SpfTurns};
use mailward_store::records::UidRange;
use mailward_store::{DirectoryStore, LocalStore, MailStore, Options};
use mailward_tls::client::{Connector, Versions};
use mailward_tls::{Acceptor, Wire, authority};
use mailward_vault::Seal;
use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use store::Wrapped;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;

/// The server's.
pub const SECRET: &str = "server secret";
pub const PASSWORD: &str = "quiet-Harbour-42-lantern";
/// Of whoever connects from another host.
pub const PORT: u16 = 0x1234;

pub struct House {
    pub care: Arc<Care>,
    pub context: Arc<Context>,
    pub store: Arc<Wrapped>,
    pub routes: Arc<Routes>,
    pub inside: Arc<Answers>,
    pub directory: Arc<Directory>,
    pub dns: Arc<Texts>,
    pub events: Events,
    pub trigger: ShutdownTrigger,
    connector: Connector,
    sessions: AtomicU64,
    _dir: tempfile::TempDir,
}

/// What strangers are weighed with.
pub struct Weighing {
    pub dns: Arc<dns::Facts>,
    pub lists: config::Lists,
    pub rates: config::Rates,
    pub clock: Arc<Hand>,
}

impl Default for Weighing {
    /// A DNS in which `client.example` is what 192.0.2.7 is called, and c.example's mail comes from there.
    fn default() -> Self {
        let dns = dns::Facts::default();
        dns.host("client.example", "192.0.2.7");
        dns.mx("c.example", "client.example");
        dns.text("c.example", "v=spf1 mx -all");
        Self {
            dns: Arc::new(dns),
            lists: config::Lists::default(),
            rates: config::Rates::default(),
            clock: Arc::default(),
        }
    }
}

/// A clock that a test sets.
#[derive(Default)]
pub struct Hand(std::sync::atomic::AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }
}

impl Hand {
    pub fn forward(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// An inside server that says what a test wants, by recipient.
#[derive(Default)]
pub struct Answers {
    said: std::sync::Mutex<HashMap<String, InsideAnswer>>,
    /// Nothing that is queued is sent.
    pub nobody_sends: std::sync::atomic::AtomicBool,
}

impl Answers {
    pub fn say(&self, recipient: &str, answer: InsideAnswer) {
        self.said.lock().unwrap().insert(recipient.to_owned(), answer);
    }
}

impl Inside for Answers {
    fn ask<'a>(
        &'a self,
        _gateway: &'a Gateway,
        recipient: &'a Address,
    ) -> Pin<Box<dyn Future<Output = InsideAnswer> + Send + 'a>> {
        let answer = self.said.lock().unwrap().get(&recipient.to_string()).cloned();
        Box::pin(async { answer.unwrap_or(InsideAnswer::Refuses) })
    }

    fn passes_on(&self) -> bool {
        !self.nobody_sends.load(Ordering::Relaxed)
    }
}

pub fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

impl House {
    /// `s.example` with alice, bob, carol (disabled), small (one message fits), the alias `both`, and the aliases
    /// `out` and `mixed` that lead elsewhere.
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::made(settings, RuleBook::default(), false, None).await
    }

    /// The same, which forwards: with keys for `s.example`, and other domains' keys in its DNS.
    pub async fn forwarding() -> Self {
        Self::made(Settings::default(), RuleBook::default(), true, None).await
    }

    /// The same with rules.
    pub async fn with_rules(settings: Settings, rules: RuleBook) -> Self {
        Self::made(settings, rules, false, None).await
    }

    /// The same where strangers are weighed.
    pub async fn weighing(settings: Settings, rules: RuleBook, weighing: Weighing) -> Self {
        Self::made(settings, rules, false, Some(weighing)).await
    }

    async fn made(settings: Settings, rules: RuleBook, forwards: bool, weighing: Option<Weighing>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let local = LocalStore::open(dir.path(), Options::default()).unwrap();
        let directory = Directory::open(local.clone()).await.unwrap();
        let seal = Seal::new(&Secret::new("a server's secret")).unwrap();
        let routes = Routes::open(local.clone(), seal).await.unwrap();
        directory.lead_by(routes.clone());
        let inside = Arc::new(Answers::default());
        let store = Wrapped::new(local.clone());
        directory.add_domain(Domain::parse("s.example").unwrap()).await.unwrap();
        for (name, quota) in [("alice", 0), ("bob", 0), ("carol", 0), ("small", 1)] {
            let password = if name == "alice" { NewPassword::Given(Secret::new(PASSWORD)) } else { NewPassword::None };
            let user = NewUser {
                address: address(&format!("{name}@s.example")),
                password,
                display_name: String::new(),
                quota_bytes: 0,
                quota_messages: quota,
            };
            directory.add_user(user).await.unwrap();
        }
        let disabled = UserSettings { enabled: Some(false), ..UserSettings::default() };
        directory.set_user(&address("carol@s.example"), disabled).await.unwrap();
        for (alias, targets) in [
            ("both", vec!["alice@s.example", "bob@s.example"]),
            ("out", vec!["x@t.example"]),
            ("mixed", vec!["alice@s.example", "x@t.example"]),
            ("postmaster", vec!["alice@s.example"]),
        ] {
            let targets = targets.into_iter().map(address).collect();
            directory.put_alias(&address(&format!("{alias}@s.example")), targets).await.unwrap();
        }
        let dns = Arc::new(Texts::default());
        let forwarder = if forwards {
            let seal = Seal::new(&Secret::new(SECRET)).unwrap();
            let dkim = Arc::new(Dkim::new(directory.clone(), local.clone(), seal));
            dkim.rotate(&Domain::parse("s.example").unwrap()).await.unwrap();
            let srs = Srs::new(&Secret::new(SECRET)).unwrap();
            let hostname = Domain::parse("mx.s.example").unwrap();
            let (directory, lookup) = (directory.clone(), dns.clone());
            Some(Arc::new(Forwarder::new(ForwarderParts { srs, dkim, directory, shelf: local, lookup, hostname })))
        } else {
            None
        };
        let events = Events::memory();
        let ca = authority::create(&["s.example"], SystemTime::now()).unwrap();
        let issued = authority::issue(&ca, &["s.example"], SystemTime::now()).unwrap();
        let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
        let connector = Connector::trusting(ca.certificate_pem.as_bytes(), &[], Versions::Both).unwrap();
        let (trigger, shutdown) = shutdown::channel();
        let gate = Gate::new(Caps::default());
        let care = Care::new(CareParts {
            mail: store.clone(),
            queue: store.whole(),
            sending: store.clone(),
            shelf: store.whole(),
            directory: directory.clone(),
            gate: gate.clone(),
            hostname: Domain::parse("mx.s.example").unwrap(),
            events: events.clone(),
            lifetime: Duration::from_secs(5 * 86_400),
        });
        let (mut guard, mut rates, mut journal) = (None, None, None);
        if let Some(Weighing { dns, lists, rates: limits, clock }) = weighing {
            let (secret, shelf) = (Secret::new(SECRET), store.whole());
            let reputation = Reputation::new(ReputationParts {
                lookup: dns.clone(),
                lists: &lists,
                shelf: None,
                trial: false,
                clock: clock.clone(),
                events: events.clone(),
            });
            reputation.look_at_those_due().await;
            guard = Some(Arc::new(Guard {
                reputation,
                lookup: dns,
                turns: SpfTurns::default(),
                greylist: Greylist::open(shelf.clone(), &secret, clock.clone()).await.unwrap(),
                correspondents: store.clone(),
                addresses: vec!["192.0.2.1".parse().unwrap()],
            }));
            rates = Some(Rates::new(&limits, clock.clone(), events.clone(), &secret).unwrap());
            journal = Some(Journal::new(shelf, clock, events.clone(), &secret).unwrap());
        }
        let context = Context::new(Parts {
            hostname: Domain::parse("mx.s.example").unwrap(),
            store: store.clone(),
            directory: directory.clone(),
            inside: inside.clone(),
            auth: Authenticator::new(directory.clone(), events.clone()),
            forwarder,
            acceptor: Some(acceptor),
            gate,
            rules,
            guard,
            rates,
            journal,
            verdicts: None,
            events: events.clone(),
            shutdown,
            settings: Arc::new(arc_swap::ArcSwap::from_pointee(settings)),
            clock: Arc::new(SystemClock),
            care: Some(care.clone()),
            inspector: None,
            dmarc: None,
            filters: Arc::new(Filters::new(&events)),
        });
        Self {
            context,
            care,
            store,
            routes,
            inside,
            directory,
            dns,
            events,
            trigger,
            connector,
            sessions: AtomicU64::new(0),
            _dir: dir,
        }
    }

    /// A peer on a listener, before its greeting is read. Under TLS where the listener has it from the first byte.
    pub async fn connect(&self, listener: Listener) -> Talk {
        self.connect_through(listener, 256 * 1024).await
    }

    /// The same through a pipe that holds so many bytes each way.
    pub async fn connect_through(&self, listener: Listener, capacity: usize) -> Talk {
        let (ours, theirs) = tokio::io::duplex(capacity);
        let address = (listener != Listener::Lmtp).then(|| "192.0.2.7".parse().unwrap());
        let task = self.serve(Wire::memory(theirs), listener, address);
        let stream: Box<dyn Stream> = if listener.implicit_tls() {
            Box::new(self.connector.connect(ours, "s.example").await.unwrap())
        } else {
            Box::new(ours)
        };
        Talk { stream, unread: Vec::new(), task }
    }

    /// A peer that connects to a listener from an address, greeted.
    pub async fn greeted_from(&self, listener: Listener, address: &str) -> Talk {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        // As the accept loop does: an IPv4 client that came through an IPv6 socket is an IPv4 client.
        let address: IpAddr = address.parse().unwrap();
        let task = self.serve(Wire::memory(theirs), listener, Some(address.to_canonical()));
        let mut talk = Talk { stream: Box::new(ours), unread: Vec::new(), task };
        talk.expect("", 220).await;
        talk.expect("EHLO client.example\r\n", 250).await;
        talk
    }

    /// A program of a local user, greeted; the server's own user is 110.
    pub async fn program(&self, uid: u32, name: Option<&str>) -> Talk {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let peer = Peer { session, address: None, port: None, listener: Listener::Submission };
        let permit = self.context.gate.admit(None).unwrap();
        let user = LocalUser::of_kernel(uid, 110, name);
        let session =
            mailward_receive::serve_program(Wire::memory(theirs), peer, permit, Arc::clone(&self.context), user);
        let mut talk = Talk { stream: Box::new(ours), unread: Vec::new(), task: tokio::spawn(session) };
        talk.expect("", 220).await;
        talk.expect("EHLO localhost\r\n", 250).await;
        talk
    }

    /// Serves a wire, as the accept loop does.
    pub fn serve(&self, mut wire: Wire, listener: Listener, address: Option<IpAddr>) -> JoinHandle<()> {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let peer = Peer { session, address, port: address.map(|_| PORT), listener };
        let permit = self.context.gate.admit(address).unwrap();
        let context = Arc::clone(&self.context);
        let acceptor = context.acceptor.clone().unwrap();
        tokio::spawn(async move {
            if listener.implicit_tls() {
                wire = wire.accept_tls(&acceptor).await.unwrap();
            }
            mailward_receive::serve(wire, peer, permit, context).await;
        })
    }

    /// The same with the greeting read and EHLO (or LHLO) said.
    pub async fn greeted(&self, listener: Listener) -> Talk {
        let mut talk = self.connect(listener).await;
        talk.expect("", 220).await;
        talk.expect(
            if listener == Listener::Lmtp { "LHLO client.example\r\n" } else { "EHLO client.example\r\n" },
            250,
        )
        .await;
        talk
    }

    /// A session of alice on submissions.
    pub async fn logged_in(&self) -> Talk {
        let mut talk = self.greeted(Listener::Submissions).await;
        let line = format!("AUTH PLAIN {}\r\n", plain("alice@s.example", PASSWORD));
        talk.expect(&line, 235).await;
        talk
    }

    /// STARTTLS on a session that is still in clear.
    pub async fn secure(&self, mut talk: Talk) -> Talk {
        talk.expect("STARTTLS\r\n", 220).await;
        Talk { stream: self.over_tls(talk.stream).await, unread: Vec::new(), task: talk.task }
    }

    /// The handshake of a client that has been told to begin it.
    pub async fn over_tls(&self, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        Box::new(self.connector.connect(stream, "s.example").await.unwrap())
    }

    /// Whole messages in INBOX of a user, oldest first.
    pub async fn inbox(&self, user: &str) -> Vec<String> {
        let accounts = self.store.local().accounts().await.unwrap();
        let account = accounts.into_iter().find(|account| account.local == user).unwrap().id;
        self.inbox_of(account).await
    }

    pub async fn inbox_of(&self, account: AccountId) -> Vec<String> {
        let inbox = self.store.mailbox(account, MailboxName::inbox()).await.unwrap();
        let records = self.store.messages(inbox.id, vec![UidRange::ALL], 1_000).await.unwrap();
        let mut messages = Vec::new();
        for record in records {
            let bytes = self.store.read(record.blob, 0, record.size).await.unwrap();
            messages.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        messages
    }

    /// Whether nobody has any mail.
    pub async fn nothing_stored(&self) -> bool {
        for user in ["alice", "bob", "carol", "small"] {
            if !self.inbox(user).await.is_empty() {
                return false;
            }
        }
        true
    }

    pub fn logged(&self, what: &str) -> Vec<String> {
        self.events.lines().into_iter().filter(|line| line.contains(what)).collect()
    }
}

pub fn plain(user: &str, password: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"))
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub struct Talk {
    pub stream: Box<dyn Stream>,
    unread: Vec<u8>,
    pub task: JoinHandle<()>,
}

impl Talk {
    /// Over any stream that a session serves already.
    pub fn over(stream: impl Stream + 'static, task: JoinHandle<()>) -> Self {
        Self { stream: Box::new(stream), unread: Vec::new(), task }
    }
}

impl Talk {
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Writes as often as told, a while between; stops when the session is over.
    pub async fn drip(&mut self, bytes: &str, times: u64, pause: Duration) {
        for _ in 0..times {
            if self.stream.write_all(bytes.as_bytes()).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// One reply, with all its lines; empty if the session ended.
    pub async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            while let Some(end) = self.unread.windows(2).position(|w| w == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                let line = String::from_utf8(line).unwrap();
                let last = line.as_bytes()[3] == b' ';
                reply.push_str(&line);
                if last {
                    return reply;
                }
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(count) if count > 0 => {}
                _ => return reply,
            }
        }
    }

    pub async fn code(&mut self) -> u16 {
        let reply = self.reply().await;
        reply.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Writes, and gives the one reply.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.write(bytes).await;
        self.reply().await
    }

    /// Writes, and gives the codes of as many replies.
    pub async fn codes(&mut self, bytes: impl AsRef<[u8]>, count: usize) -> Vec<u16> {
        self.write(bytes).await;
        let mut codes = Vec::new();
        for _ in 0..count {
            codes.push(self.code().await);
        }
        codes
    }

    pub async fn expect(&mut self, bytes: &str, code: u16) -> String {
        let reply = self.say(bytes).await;
        assert!(reply.lines().last().is_some_and(|l| l.starts_with(&code.to_string())), "{bytes:?} got {reply:?}");
        reply
    }

    /// A whole message to some recipients; the reply to its end.
    pub async fn deliver(&mut self, from: &str, to: &[&str], message: &str) -> String {
        self.expect(&format!("MAIL FROM:<{from}>\r\n"), 250).await;
        for recipient in to {
            self.expect(&format!("RCPT TO:<{recipient}>\r\n"), 250).await;
        }
        self.expect("DATA\r\n", 354).await;
        self.say(format!("{message}\r\n.\r\n")).await
    }

    /// Whether the session is over, without another word.
    pub async fn is_over(&mut self) -> bool {
        let over = tokio::time::timeout(Duration::from_secs(10), self.reply()).await;
        over.is_ok_and(|said| said.is_empty())
    }
}
