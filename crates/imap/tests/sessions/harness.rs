//! A house with two users in memory and on a temporary disk, and clients that talk to it as written.

use crate::faulty::Faulty;
use arc_swap::ArcSwap;
use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::shutdown::{ShutdownTrigger, channel};
use mailward_core::{AccountId, Address, Domain, Listener, MailboxName, Peer, Secret, SystemClock, Uid};
use mailward_directory::{Authenticator, Directory, NewPassword, NewUser, Resolution};
use mailward_gate::{Caps, Gate};
use mailward_imap::{AppendMemory, CompressedSessions, Context, Settings, SortMemory, serve};
use mailward_message::Structure;
use mailward_store::records::{Content, Delivery, Flags, Target};
use mailward_store::{DirectoryStore, LocalStore, MailStore, Options};
use mailward_tls::client::{Connector, Versions};
use mailward_tls::{Acceptor, Wire, authority};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

pub const PASSWORD: &str = "Turmwaechter-7-lamp";

pub struct House {
    pub context: Arc<Context>,
    pub store: Arc<LocalStore>,
    pub trigger: ShutdownTrigger,
    /// Reads of messages from this offset on fail.
    pub torn: Arc<AtomicU64>,
    /// Whether SEARCH finds no index to ask.
    pub blind: Arc<AtomicBool>,
    /// Messages fetched so far.
    pub reads: Arc<AtomicU64>,
    connector: Connector,
    sessions: AtomicU64,
    _dir: tempfile::TempDir,
}

pub struct Plan {
    pub caps: Caps,
    pub settings: Settings,
    pub memory: AppendMemory,
    pub sort_memory: SortMemory,
    pub compressed: CompressedSessions,
    pub quota_bytes: u64,
}

impl Default for Plan {
    fn default() -> Self {
        let settings = Settings { message_size: 200_000 };
        let (memory, sort_memory) = (AppendMemory::default(), SortMemory::default());
        let compressed = CompressedSessions::default();
        Self { caps: Caps::default(), settings, memory, sort_memory, compressed, quota_bytes: 0 }
    }
}

impl House {
    pub async fn new() -> Self {
        Self::planned(Plan::default()).await
    }

    pub async fn planned(plan: Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let directory = Directory::open(Arc::clone(&store) as Arc<dyn DirectoryStore>).await.unwrap();
        directory.add_domain(Domain::parse("example.test").unwrap()).await.unwrap();
        for user in ["alice", "bob"] {
            let user = NewUser {
                address: format!("{user}@example.test").parse().unwrap(),
                password: NewPassword::Given(Secret::new(PASSWORD)),
                display_name: String::new(),
                quota_bytes: plan.quota_bytes,
                quota_messages: 0,
            };
            directory.add_user(user).await.unwrap();
        }
        let ca = authority::create(&["example.test"], SystemTime::now()).unwrap();
        let issued = authority::issue(&ca, &["localhost"], SystemTime::now()).unwrap();
        let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
        let connector = Connector::trusting(ca.certificate_pem.as_bytes(), &[], Versions::Both).unwrap();
        let events = Events::memory();
        let (trigger, shutdown) = channel();
        let torn = Arc::new(AtomicU64::new(u64::MAX));
        let (blind, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let faulty = Faulty {
            store: Arc::clone(&store),
            torn: Arc::clone(&torn),
            blind: Arc::clone(&blind),
            reads: Arc::clone(&reads),
        };
        let context = Context {
            hostname: Domain::parse("mail.example.test").unwrap(),
            store: Arc::new(faulty),
            auth: Authenticator::new(Arc::clone(&directory), events.clone()),
            directory,
            acceptor: Some(acceptor),
            gate: Gate::new(plan.caps),
            events,
            shutdown,
            settings: Arc::new(ArcSwap::from_pointee(plan.settings)),
            clock: Arc::new(SystemClock),
            memory: plan.memory,
            compressed: plan.compressed,
            sort_memory: plan.sort_memory,
        };
        let sessions = AtomicU64::new(0);
        Self { context: Arc::new(context), store, trigger, torn, blind, reads, connector, sessions, _dir: dir }
    }

    pub fn account(&self, user: &str) -> AccountId {
        let address: Address = format!("{user}@example.test").parse().unwrap();
        match self.context.directory.resolve(&address) {
            Resolution::Deliver { local, .. } => local[0].account,
            other => panic!("{other:?}"),
        }
    }

    /// Delivers to alice's INBOX or another mailbox of hers.
    pub async fn deliver(&self, mailbox: Option<&str>, message: &str) -> Uid {
        let bytes = Bytes::copy_from_slice(message.as_bytes());
        let structure = Structure::parse(&bytes).to_bytes();
        let target = Target {
            account: self.account("alice"),
            mailbox: mailbox.map(|name| MailboxName::parse(name).unwrap()),
            flags: Flags::NONE,
        };
        let delivery = Delivery {
            content: Content::new(bytes, structure.into()),
            targets: vec![target],
            queued: Vec::new(),
            kept: None,
        };
        self.store.deliver(delivery).await.unwrap().delivered[0].uid
    }

    fn peer(&self) -> Peer {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        Peer { session, address: Some("192.0.2.7".parse().unwrap()), port: None, listener: Listener::Imap }
    }

    /// A client on a wire of so many bytes, before the greeting.
    pub fn wire(&self, buffer: usize) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(buffer);
        let permit = self.context.gate.admit(None).unwrap();
        let session = serve(Wire::memory(far), self.peer(), permit, Arc::clone(&self.context));
        (near, tokio::spawn(session))
    }

    /// A client without TLS, greeted.
    pub async fn plain(&self) -> Client {
        let (near, session) = self.wire(64 * 1024);
        let mut client = Client { stream: Some(Box::new(near)), read: Vec::new(), tags: 0, session };
        assert!(client.line().await.starts_with("* OK [CAPABILITY IMAP4rev1"));
        client
    }

    /// A client with TLS from the first byte, greeted.
    pub async fn tls(&self) -> Client {
        self.tls_wire(64 * 1024).await
    }

    pub async fn tls_wire(&self, buffer: usize) -> Client {
        let (near, far) = tokio::io::duplex(buffer);
        let permit = self.context.gate.admit(None).unwrap();
        let (context, peer) = (Arc::clone(&self.context), self.peer());
        let session = tokio::spawn(async move {
            let acceptor = context.acceptor.clone().unwrap();
            let wire = Wire::memory(far).accept_tls(&acceptor).await.unwrap();
            serve(wire, peer, permit, context).await;
        });
        let stream = self.connector.connect(near, "localhost").await.unwrap();
        let mut client = Client { stream: Some(Box::new(stream)), read: Vec::new(), tags: 0, session };
        assert!(client.line().await.starts_with("* OK [CAPABILITY IMAP4rev1"));
        client
    }

    pub async fn login(&self, user: &str) -> Client {
        let mut client = self.tls().await;
        let answer = client.ask(&format!("LOGIN {user}@example.test {PASSWORD}")).await;
        assert!(answer.last().unwrap().starts_with("OK [CAPABILITY"), "{answer:?}");
        client
    }

    pub async fn start_tls(&self, client: &mut Client) {
        let stream = client.stream.take().unwrap();
        client.stream = Some(Box::new(self.connector.connect(stream, "localhost").await.unwrap()));
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub struct Client {
    pub stream: Option<Box<dyn Stream>>,
    read: Vec<u8>,
    tags: usize,
    pub session: JoinHandle<()>,
}

impl Client {
    pub async fn send(&mut self, text: impl AsRef<[u8]>) {
        let stream = self.stream.as_mut().unwrap();
        stream.write_all(text.as_ref()).await.unwrap();
        stream.flush().await.unwrap();
    }

    /// What has come, as it is; nothing at the end of the session.
    pub async fn bytes(&mut self) -> Vec<u8> {
        if self.read.is_empty() {
            let wait = tokio::time::timeout(Duration::from_secs(20), self.more());
            let _more = wait.await.expect("the server answers in time");
        }
        std::mem::take(&mut self.read)
    }

    /// One reply with its literals, without the last line end; empty at the end of the session.
    pub async fn line(&mut self) -> String {
        let wait = tokio::time::timeout(Duration::from_secs(20), self.next());
        wait.await.expect("the server answers in time")
    }

    async fn next(&mut self) -> String {
        let mut from = 0;
        loop {
            if let Some(end) = self.read[from..].windows(2).position(|w| w == b"\r\n") {
                let end = from + end;
                let line = String::from_utf8_lossy(&self.read[from..end]).into_owned();
                let literal = line.strip_suffix('}').and_then(|l| l.rsplit_once('{')).and_then(|(_, n)| n.parse().ok());
                match literal {
                    Some(size) => {
                        let size: usize = size;
                        while self.read.len() < end + 2 + size {
                            if !self.more().await {
                                return String::new();
                            }
                        }
                        from = end + 2 + size;
                    }
                    None => {
                        let whole: Vec<u8> = self.read.drain(..end + 2).collect();
                        return String::from_utf8_lossy(&whole[..end]).into_owned();
                    }
                }
                continue;
            }
            if !self.more().await {
                return String::new();
            }
        }
    }

    async fn more(&mut self) -> bool {
        let mut buffer = [0; 8192];
        match self.stream.as_mut().unwrap().read(&mut buffer).await {
            Ok(n) if n > 0 => {
                self.read.extend_from_slice(&buffer[..n]);
                true
            }
            _ => false,
        }
    }

    /// Sends a command and answers its replies; the last is the tagged one without its tag.
    pub async fn ask(&mut self, command: &str) -> Vec<String> {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.send(format!("{tag} {command}\r\n")).await;
        self.until(&tag).await
    }

    pub async fn until(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            if let Some(rest) = line.strip_prefix(&format!("{tag} ")) {
                lines.push(rest.to_owned());
                return lines;
            }
            let ended = line.is_empty();
            lines.push(line);
            if ended {
                return lines;
            }
        }
    }

    /// `C:` lines are sent; `S:` lines must come, in order, `…` standing for anything. Indentation is cut.
    pub async fn talk(&mut self, script: &str) {
        for step in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(text) = step.strip_prefix("C: ") {
                self.send(format!("{text}\r\n")).await;
            } else if let Some(expected) = step.strip_prefix("S: ") {
                let line = self.line().await;
                assert!(fits(expected, &line), "expected {expected:?}, got {line:?}");
            } else {
                panic!("neither C: nor S: {step:?}");
            }
        }
    }

    /// The session ends, after these replies.
    pub async fn ends(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        tokio::time::timeout(Duration::from_secs(20), self.session).await.expect("the session ends").unwrap();
        lines
    }
}

fn fits(expected: &str, line: &str) -> bool {
    let line = line.replace("\r\n", "⏎");
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    match last {
        None => rest.is_empty(),
        Some(part) => part.is_empty() || line.ends_with(part),
    }
}

pub fn mail(subject: &str, body: &str) -> String {
    format!(
        "From: Bob <bob@example.test>\r\nTo: alice@example.test\r\nSubject: {subject}\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <{subject}@x>\r\n\r\n{body}\r\n"
    )
}
