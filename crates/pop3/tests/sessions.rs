//! Whole sessions over memory, with the real store, directory and TLS.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test stops at the first thing that isn't as it should be"
)]

use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::limits::{POP3_IDLE_TIME, POP3_PREAUTH_TIME, WRITE_TIME};
use mailward_core::shutdown::{self, ShutdownTrigger};
use mailward_core::{AccountId, Domain, Listener, MailboxName, Peer, Secret};
use mailward_directory::{Authenticator, Directory, NewPassword, NewUser, UserSettings};
use mailward_gate::{Caps, Gate};
use mailward_pop3::{Context, Locks, serve};
use mailward_store::records::{Content, Delivery, Flags, Target, UidRange};
use mailward_store::{LocalStore, MailStore as _, Options};
use mailward_tls::client::{Connector, TlsStream, Versions};
use mailward_tls::{Acceptor, Wire, authority};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const ALICE: &str = "alice@example.test";
const PASSWORD: &str = "quiet-lantern-93-orchard";

struct House {
    _dir: tempfile::TempDir,
    store: Arc<LocalStore>,
    context: Arc<Context>,
    connector: Connector,
    account: AccountId,
    stop: ShutdownTrigger,
    events: Events,
}

impl House {
    async fn new() -> Self {
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

    async fn deliver(&self, text: impl Into<Vec<u8>>) {
        let content = Content::new(Bytes::from(text.into()), Bytes::new());
        let target = Target { account: self.account, mailbox: None, flags: Flags::NONE };
        self.store.deliver(Delivery { content, targets: vec![target] }).await.unwrap();
    }

    async fn left(&self) -> u32 {
        self.store.mailbox(self.account, MailboxName::inbox()).await.unwrap().messages
    }

    /// A client in clear, greeted; `room` bytes fit on the wire in each direction.
    async fn clear(&self, room: usize) -> (Client<DuplexStream>, JoinHandle<()>) {
        let (ours, theirs) = tokio::io::duplex(room);
        let peer = Peer { session: 1, address: None, listener: Listener::Pop3 };
        let permit = self.context.gate.admit(None).unwrap();
        let task = tokio::spawn(serve(Wire::memory(theirs), peer, permit, self.context.clone()));
        let mut client = Client { wire: ours, buffer: Vec::new() };
        assert!(client.line().await.starts_with("+OK"));
        (client, task)
    }

    async fn tls_with(&self, room: usize) -> (Client<TlsStream<DuplexStream>>, JoinHandle<()>) {
        let (mut client, task) = self.clear(room).await;
        assert!(client.ask("STLS").await.starts_with("+OK"));
        let wire = self.connector.connect(client.wire, "mail.example.test").await.unwrap();
        (Client { wire, buffer: Vec::new() }, task)
    }

    async fn tls(&self) -> (Client<TlsStream<DuplexStream>>, JoinHandle<()>) {
        self.tls_with(64 * 1024).await
    }

    async fn login(&self) -> (Client<TlsStream<DuplexStream>>, JoinHandle<()>) {
        let (mut client, task) = self.tls().await;
        assert!(client.pass(PASSWORD).await.starts_with("+OK"));
        (client, task)
    }

    fn ended(&self, why: &str) {
        let lines = self.events.lines();
        let last = lines.iter().rfind(|line| line.contains("pop3.closed")).unwrap();
        assert!(last.contains(&format!("why={why}")), "{last}");
    }
}

struct Client<W> {
    wire: W,
    buffer: Vec<u8>,
}

impl<W: AsyncRead + AsyncWrite + Unpin> Client<W> {
    async fn send(&mut self, text: &str) {
        self.wire.write_all(text.as_bytes()).await.unwrap();
        self.wire.flush().await.unwrap();
    }

    async fn raw_line(&mut self) -> Vec<u8> {
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

    async fn line(&mut self) -> String {
        String::from_utf8(self.raw_line().await).unwrap().trim_end().to_owned()
    }

    async fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n")).await;
        self.line().await
    }

    /// The rest of a multi-line answer, unstuffed.
    async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.raw_line().await;
            if line == b".\r\n" {
                return body;
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    async fn pass(&mut self, password: &str) -> String {
        assert!(self.ask(&format!("USER {ALICE}")).await.starts_with("+OK"));
        self.ask(&format!("PASS {password}")).await
    }

    /// Everything until the server closes.
    async fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.buffer);
        // An end without close_notify is an end too.
        let _cut = self.wire.read_to_end(&mut rest).await;
        String::from_utf8(rest).unwrap()
    }
}

fn mail(subject: &str, body: &str) -> String {
    format!("From: a@b.example\r\nSubject: {subject}\r\n\r\n{body}")
}

#[tokio::test]
async fn mail_is_listed_fetched_and_deleted_at_quit() {
    let house = House::new().await;
    let (one, two) = (mail("one", ".\r\n..\r\nend\r\n"), mail("two", "no line end"));
    house.deliver(one.clone()).await;
    house.deliver(two.clone()).await;
    let (mut client, task) = house.login().await;
    assert_eq!(client.ask("STAT").await, format!("+OK 2 {}", one.len() + two.len()));
    assert!(client.ask("RETR 1").await.starts_with("+OK"));
    assert_eq!(client.body().await, one.as_bytes());
    client.ask("RETR 2").await;
    assert_eq!(client.body().await, format!("{two}\r\n").as_bytes());
    client.ask("TOP 1 1").await;
    assert_eq!(client.body().await, mail("one", ".\r\n").as_bytes());
    client.ask("TOP 1 99999999").await;
    assert_eq!(client.body().await, one.as_bytes());
    client.ask("UIDL").await;
    let ids = String::from_utf8(client.body().await).unwrap();
    assert!(client.ask("DELE 1").await.starts_with("+OK"));
    assert_eq!(house.left().await, 2, "nothing before QUIT");
    assert_eq!(client.ask("QUIT").await, "+OK bye");
    task.await.unwrap();
    assert_eq!(house.left().await, 1);
    house.ended("quit");

    let (mut client, _task) = house.login().await;
    client.ask("UIDL").await;
    let again = String::from_utf8(client.body().await).unwrap();
    let id = |text: &str, line: usize| text.lines().nth(line).unwrap().split_once(' ').unwrap().1.to_owned();
    assert_eq!(id(&again, 0), id(&ids, 1), "a message keeps its id");
}

#[tokio::test]
async fn a_session_that_breaks_off_deletes_nothing_and_frees_the_maildrop() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut first, task) = house.login().await;
    first.ask("DELE 1").await;
    let (mut second, _task) = house.tls().await;
    assert!(second.pass(PASSWORD).await.starts_with("-ERR [IN-USE] "));
    drop(first);
    task.await.unwrap();
    house.ended("gone");
    assert!(second.pass(PASSWORD).await.starts_with("+OK 1 messages"));
}

#[tokio::test]
async fn an_account_with_too_many_sessions_waits() {
    let house = House::new().await;
    house.context.gate.set_caps(Caps { per_account: 1, ..Caps::default() });
    let _other = house.context.gate.session(house.account).unwrap();
    let (mut client, _task) = house.tls().await;
    assert!(client.pass(PASSWORD).await.starts_with("-ERR [IN-USE] "));
}

#[tokio::test]
async fn nobody_logs_in_in_clear_even_with_the_right_password() {
    let house = House::new().await;
    let (mut client, _task) = house.clear(4096).await;
    assert!(client.ask(&format!("USER {ALICE}")).await.starts_with("-ERR"));
    assert!(client.ask(&format!("PASS {PASSWORD}")).await.starts_with("-ERR"));
    assert!(client.ask("AUTH PLAIN").await.starts_with("-ERR"));
    assert!(client.ask("STAT").await.starts_with("-ERR"));
}

#[tokio::test]
async fn sasl_plain_logs_in_with_and_without_an_initial_response() {
    use base64::Engine as _;
    let house = House::new().await;
    let encode = |password: &str| base64::engine::general_purpose::STANDARD.encode(format!("\0{ALICE}\0{password}"));
    let (mut client, task) = house.tls().await;
    assert!(client.ask(&format!("AUTH PLAIN {}", encode(PASSWORD))).await.starts_with("+OK 0 messages"));
    client.ask("QUIT").await;
    task.await.unwrap();
    let (mut client, _task) = house.tls().await;
    assert_eq!(client.ask("AUTH PLAIN").await, "+");
    assert!(client.ask(&encode("wrong")).await.starts_with("-ERR [AUTH] "));
    assert_eq!(client.ask("AUTH PLAIN").await, "+");
    assert!(client.ask(&encode(PASSWORD)).await.starts_with("+OK"));
}

#[tokio::test]
async fn every_mechanism_that_is_told_can_be_begun() {
    let house = House::new().await;
    let (mut client, _task) = house.tls().await;
    client.ask("CAPA").await;
    let capabilities = String::from_utf8(client.body().await).unwrap();
    let mechanisms = capabilities.lines().find_map(|line| line.strip_prefix("SASL ")).unwrap();
    assert!(mechanisms.contains("SCRAM-SHA-256-PLUS"), "{mechanisms}");
    for mechanism in mechanisms.split(' ') {
        assert!(client.ask(&format!("AUTH {mechanism}")).await.starts_with('+'), "{mechanism}");
        assert!(client.ask("*").await.starts_with("-ERR"));
    }
    assert!(client.ask("AUTH CRAM-MD5").await.starts_with("-ERR"));
}

#[tokio::test]
async fn three_wrong_passwords_are_enough() {
    let house = House::new().await;
    let (mut client, task) = house.tls().await;
    for _ in 0..3 {
        assert!(client.pass("wrong").await.starts_with("-ERR [AUTH] "));
    }
    assert_eq!(client.rest().await, "");
    task.await.unwrap();
    house.ended("logins");
}

#[tokio::test]
async fn a_message_that_imap_expunged_is_told_as_gone_and_numbers_stay() {
    let house = House::new().await;
    for subject in ["one", "two", "three"] {
        house.deliver(mail(subject, "")).await;
    }
    let (mut client, task) = house.login().await;
    let inbox = house.store.mailbox(house.account, MailboxName::inbox()).await.unwrap().id;
    house.store.expunge(inbox, vec![UidRange::one(mailward_core::Uid(2))], true).await.unwrap();
    house.deliver(mail("four", "")).await;
    client.ask("RETR 3").await;
    assert_eq!(client.body().await, mail("three", "").as_bytes());
    assert!(client.ask("RETR 4").await.starts_with("-ERR no such message"));
    client.ask("DELE 1").await;
    client.ask("DELE 2").await;
    client.ask("DELE 3").await;
    assert_eq!(client.ask("QUIT").await, "+OK bye");
    task.await.unwrap();
    assert_eq!(house.left().await, 1, "what came during the session stays");
}

#[tokio::test]
async fn a_large_message_passes_a_narrow_wire_whole() {
    let house = House::new().await;
    let text = mail("large", &".a line of some length, with a dot before it\r\n".repeat(60_000));
    house.deliver(text.clone()).await;
    let (mut client, _task) = house.tls_with(1024).await;
    client.pass(PASSWORD).await;
    client.send("RETR 1\r\nSTAT\r\n").await;
    assert_eq!(client.line().await, format!("+OK {} octets", text.len()));
    assert!(client.body().await == text.as_bytes());
    assert_eq!(client.line().await, format!("+OK 1 {}", text.len()));
}

#[tokio::test]
async fn a_session_doesn_t_outlive_its_account() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    for command in ["RETR 1", "TOP 1 0", "QUIT"] {
        let (mut client, task) = house.login().await;
        client.ask("DELE 1").await;
        client.ask("RSET").await;
        if command == "QUIT" {
            client.ask("DELE 1").await;
        }
        let set = |enabled| UserSettings { enabled: Some(enabled), ..UserSettings::default() };
        house.context.directory.set_user(&ALICE.parse().unwrap(), set(false)).await.unwrap();
        client.send(&format!("{command}\r\n")).await;
        assert!(client.rest().await.starts_with("-ERR [AUTH] "), "{command}");
        task.await.unwrap();
        house.ended("account");
        house.context.directory.set_user(&ALICE.parse().unwrap(), set(true)).await.unwrap();
    }
    assert_eq!(house.left().await, 1, "nothing was deleted");
}

/// Attacks B1.
#[tokio::test]
async fn bytes_behind_stls_end_the_session() {
    let house = House::new().await;
    let (mut client, task) = house.clear(4096).await;
    client.send("STLS\r\nCAPA\r\n").await;
    assert!(client.rest().await.starts_with("-ERR"));
    task.await.unwrap();
    house.ended("stls-injection");
    // A moment later they are no TLS, and the session is over as well.
    let (mut client, task) = house.clear(4096).await;
    assert!(client.ask("STLS").await.starts_with("+OK"));
    client.send("CAPA\r\nNOOP\r\n").await;
    let _alert = client.wire.read_to_end(&mut Vec::new()).await;
    task.await.unwrap();
    house.ended("tls");
}

#[tokio::test]
async fn a_stop_is_told_and_deletes_nothing() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut client, task) = house.login().await;
    client.ask("DELE 1").await;
    house.stop.fire();
    assert!(client.rest().await.starts_with("-ERR [SYS/TEMP] "));
    task.await.unwrap();
    house.ended("stopping");
    assert_eq!(house.left().await, 1);
}

#[tokio::test]
async fn whoever_doesn_t_log_in_goes_however_busy_they_are() {
    let house = House::new().await;
    tokio::time::pause();
    for text in ["", "C", "CAPA\r\n"] {
        let (mut wire, theirs) = tokio::io::duplex(64);
        let peer = Peer { session: 1, address: None, listener: Listener::Pop3 };
        let permit = house.context.gate.admit(None).unwrap();
        let began = Instant::now();
        let task = tokio::spawn(serve(Wire::memory(theirs), peer, permit, house.context.clone()));
        let mut piece = [0u8; 64];
        loop {
            tokio::select! {
                read = wire.read(&mut piece) => if matches!(read, Ok(0) | Err(_)) { break },
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    if wire.write_all(text.as_bytes()).await.is_err() { break }
                }
            }
        }
        task.await.unwrap();
        assert!(began.elapsed() <= POP3_PREAUTH_TIME + Duration::from_secs(1), "{:?}", began.elapsed());
        house.ended("idle");
    }
}

#[tokio::test]
async fn silence_after_login_ends_without_a_word_and_without_deleting() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut client, task) = house.login().await;
    client.ask("DELE 1").await;
    tokio::time::pause();
    let began = Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(began.elapsed() >= POP3_IDLE_TIME);
    task.await.unwrap();
    tokio::time::resume();
    house.ended("idle");
    assert_eq!(house.left().await, 1);
}

#[tokio::test]
async fn a_client_that_asks_and_doesn_t_read_goes() {
    let house = House::new().await;
    house.deliver(mail("large", &"a line\r\n".repeat(100_000))).await;
    let (mut client, task) = house.tls_with(2048).await;
    client.pass(PASSWORD).await;
    client.send("RETR 1\r\n").await;
    // The first bytes are there: the store has answered, and only the wire is waited for.
    client.line().await;
    tokio::time::pause();
    let began = Instant::now();
    task.await.unwrap();
    assert!(began.elapsed() >= WRITE_TIME);
    house.ended("not-reading");
}
