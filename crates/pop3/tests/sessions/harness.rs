//! A house with one user, and a client.

use crate::store::Watched;
use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::shutdown::{self, ShutdownTrigger};
use mailward_core::{AccountId, Domain, Listener, MailboxName, Peer, Secret, Uid};
use mailward_directory::{Authenticator, Directory, NewPassword, NewUser};
use mailward_gate::{Caps, Gate};
use mailward_message::Structure;
use mailward_pop3::{Context, Locks, serve};
use mailward_store::records::{Content, Delivery, Flags, MailboxRecord, NewMessage, Target, UidRange};
use mailward_store::{LocalStore, MailStore as _, Options};
use mailward_tls::client::{Connector, TlsStream, Versions};
use mailward_tls::{Acceptor, Wire, authority};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;

pub const ALICE: &str = "alice@example.test";
pub const PASSWORD: &str = "quiet-lantern-93-orchard";

pub struct House {
    _dir: tempfile::TempDir,
    pub store: Arc<Watched>,
    pub context: Arc<Context>,
    connector: Connector,
    pub account: AccountId,
    pub stop: ShutdownTrigger,
    pub events: Events,
}

pub type Secure = Client<TlsStream<DuplexStream>>;

impl House {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let events = Events::memory();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        directory.add_domain(Domain::parse("example.test").unwrap()).await.unwrap();
        let user = NewUser {
            address: ALICE.parse().unwrap(),
            password: NewPassword::Given(Secret::new(PASSWORD)),
            display_name: String::new(),
            quota_bytes: 0,
            quota_messages: 0,
        };
        directory.add_user(user).await.unwrap();
        let account = mailward_store::DirectoryStore::accounts(&*store).await.unwrap()[0].id;
        let now = SystemTime::now();
        let ca = authority::create(&["example.test"], now).unwrap();
        let issued = authority::issue(&ca, &["mail.example.test"], now).unwrap();
        let acceptor = Acceptor::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
        let (stop, shutdown) = shutdown::channel();
        let store = Watched::new(store);
        let context = Context {
            store: store.clone(),
            auth: Authenticator::new(directory.clone(), events.clone()),
            directory,
            acceptor: Some(acceptor),
            gate: Gate::new(Caps::default()),
            locks: Locks::default(),
            events: events.clone(),
            shutdown,
        };
        let connector = Connector::trusting(ca.certificate_pem.as_bytes(), &[], Versions::Both).unwrap();
        Self { _dir: dir, store, context: Arc::new(context), connector, account, stop, events }
    }

    pub async fn deliver(&self, text: impl Into<Vec<u8>>) {
        let text = text.into();
        let structure = Structure::parse(&text).to_bytes();
        let content = Content::new(Bytes::from(text), Bytes::from(structure));
        let target = Target { account: self.account, mailbox: None, flags: Flags::NONE };
        self.store.deliver(Delivery { content, targets: vec![target], queued: Vec::new(), kept: None }).await.unwrap();
    }

    /// Many small messages at once; `text` makes each of its number, from 1.
    pub async fn fill(&self, messages: usize, text: impl Fn(usize) -> String) {
        let inbox = self.inbox().await.id;
        let new = |number| NewMessage {
            content: Content::new(Bytes::from(text(number)), Bytes::new()),
            flags: Flags::NONE,
            keywords: Vec::new(),
            internal_date: None,
        };
        let numbers: Vec<usize> = (1..=messages).collect();
        for some in numbers.chunks(2_000) {
            self.store.append(inbox.into(), some.iter().copied().map(new).collect()).await.unwrap();
        }
    }

    pub async fn inbox(&self) -> MailboxRecord {
        self.store.mailbox(self.account, MailboxName::inbox()).await.unwrap()
    }

    pub async fn left(&self) -> u32 {
        self.inbox().await.messages
    }

    /// Takes messages away as IMAP does, by the UIDs from one to another.
    pub async fn expunge(&self, first: u32, last: u32) {
        let uids = UidRange { first: Uid(first), last: Uid(last) };
        self.store.expunge(self.inbox().await.id, vec![uids], true).await.unwrap();
    }

    /// A client in clear, greeted; `room` bytes fit on the wire in each direction.
    pub async fn clear(&self, room: usize) -> (Client<DuplexStream>, JoinHandle<()>) {
        let (ours, theirs) = tokio::io::duplex(room);
        let peer = Peer { session: 1, address: None, port: None, listener: Listener::Pop3 };
        let permit = self.context.gate.admit(None).unwrap();
        let task = tokio::spawn(serve(Wire::memory(theirs), peer, permit, self.context.clone()));
        let mut client = Client { wire: ours, buffer: Vec::new() };
        assert!(client.line().await.starts_with("+OK"));
        (client, task)
    }

    pub async fn tls_with(&self, room: usize) -> (Secure, JoinHandle<()>) {
        let (mut client, task) = self.clear(room).await;
        assert!(client.ask("STLS").await.starts_with("+OK"));
        let wire = self.connector.connect(client.wire, "mail.example.test").await.unwrap();
        (Client { wire, buffer: Vec::new() }, task)
    }

    pub async fn tls(&self) -> (Secure, JoinHandle<()>) {
        self.tls_with(64 * 1024).await
    }

    pub async fn login(&self) -> (Secure, JoinHandle<()>) {
        let (mut client, task) = self.tls().await;
        assert!(client.pass(PASSWORD).await.starts_with("+OK"));
        (client, task)
    }

    /// Logged in, with these commands said before.
    pub async fn login_after(&self, commands: &[&str]) -> (Secure, JoinHandle<()>) {
        let (mut client, task) = self.tls().await;
        for command in commands {
            assert!(client.ask(command).await.starts_with("+OK"), "{command}");
        }
        assert!(client.pass(PASSWORD).await.starts_with("+OK"));
        (client, task)
    }

    pub fn ended(&self, why: &str) {
        let lines = self.events.lines();
        let last = lines.iter().rfind(|line| line.contains("pop3.closed") || line.contains("pop3.dropped")).unwrap();
        assert!(last.contains(&format!("why={why}")), "{last}");
    }
}

pub struct Client<W> {
    pub wire: W,
    buffer: Vec<u8>,
}

impl<W: AsyncRead + AsyncWrite + Unpin> Client<W> {
    pub async fn send(&mut self, text: &str) {
        self.wire.write_all(text.as_bytes()).await.unwrap();
        self.wire.flush().await.unwrap();
    }

    pub async fn raw_line(&mut self) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.iter().position(|b| *b == b'\n') {
                let rest = self.buffer.split_off(at + 1);
                return std::mem::replace(&mut self.buffer, rest);
            }
            let mut piece = [0u8; 4096];
            let bytes = self.wire.read(&mut piece).await.unwrap();
            assert!(bytes > 0, "closed after {:?}", String::from_utf8_lossy(&self.buffer));
            self.buffer.extend_from_slice(&piece[..bytes]);
        }
    }

    pub async fn line(&mut self) -> String {
        String::from_utf8(self.raw_line().await).unwrap().trim_end().to_owned()
    }

    pub async fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n")).await;
        self.line().await
    }

    /// The rest of a multi-line answer, unstuffed.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.raw_line().await;
            if line == b".\r\n" {
                return body;
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// A command with a multi-line answer, as lines; its first line must be good.
    pub async fn lines(&mut self, command: &str) -> Vec<String> {
        assert!(self.ask(command).await.starts_with("+OK"), "{command}");
        String::from_utf8(self.body().await).unwrap().lines().map(str::to_owned).collect()
    }

    /// A whole message.
    pub async fn retr(&mut self, number: usize) -> Vec<u8> {
        let first = self.ask(&format!("RETR {number}")).await;
        assert!(first.starts_with("+OK"), "RETR {number}: {first}");
        self.body().await
    }

    pub async fn pass(&mut self, password: &str) -> String {
        assert!(self.ask(&format!("USER {ALICE}")).await.starts_with("+OK"));
        self.ask(&format!("PASS {password}")).await
    }

    /// Everything until the server closes.
    pub async fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.buffer);
        // An end without close_notify is an end too.
        let _cut = self.wire.read_to_end(&mut rest).await;
        String::from_utf8(rest).unwrap()
    }
}

pub fn mail(subject: &str, body: &str) -> String {
    format!("From: a@b.example\r\nSubject: {subject}\r\n\r\n{body}")
}
