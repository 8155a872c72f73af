//! A provider: our own POP3 and IMAP servers on loopback, with one user.

use crate::house::{House, PASSWORD, USER};
use arc_swap::ArcSwap;
use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::shutdown::{self, ShutdownTrigger};
use mailward_core::{AccountId, Domain, Listener, MailboxName, Peer, Secret, SystemClock};
use mailward_directory::{Authenticator, Directory, NewPassword, NewUser};
use mailward_fetch::{Protocol, Tls};
use mailward_gate::{Caps, Gate};
use mailward_message::Structure;
use mailward_store::records::{Content, Delivery, Flags, Target};
use mailward_store::{LocalStore, MailStore as _, Options};
use mailward_tls::{Acceptor, Wire};
use std::sync::Arc;
use tokio::net::TcpListener;

pub struct Provider {
    store: Arc<LocalStore>,
    pub directory: Arc<Directory>,
    account: AccountId,
    pop3: Arc<mailward_pop3::Context>,
    imap: Arc<mailward_imap::Context>,
    acceptor: Acceptor,
    _stop: ShutdownTrigger,
    _dir: tempfile::TempDir,
}

impl Provider {
    pub async fn new(house: &House) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let events = Events::nowhere();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let directory = Directory::open(store.clone()).await.unwrap();
        directory.add_domain(Domain::parse("elsewhere.example").unwrap()).await.unwrap();
        let user = NewUser {
            address: USER.parse().unwrap(),
            password: NewPassword::Given(Secret::new(PASSWORD)),
            display_name: String::new(),
            quota_bytes: 0,
            quota_messages: 0,
        };
        directory.add_user(user).await.unwrap();
        let account = directory.account_id(&USER.parse().unwrap()).unwrap();
        let (stop, shutdown) = shutdown::channel();
        let (auth, gate) = (Authenticator::new(directory.clone(), events.clone()), Gate::new(Caps::default()));
        let acceptor = house.acceptor.clone();
        let pop3 = mailward_pop3::Context {
            store: store.clone(),
            auth: auth.clone(),
            directory: directory.clone(),
            acceptor: Some(acceptor.clone()),
            gate: gate.clone(),
            locks: mailward_pop3::Locks::default(),
            events: events.clone(),
            shutdown: shutdown.clone(),
        };
        let imap = mailward_imap::Context {
            hostname: Domain::parse("mail.elsewhere.example").unwrap(),
            store: store.clone(),
            auth,
            directory: directory.clone(),
            acceptor: Some(acceptor.clone()),
            gate,
            events,
            shutdown,
            settings: Arc::new(ArcSwap::from_pointee(mailward_imap::Settings { message_size: 1_000_000 })),
            clock: Arc::new(SystemClock),
            memory: mailward_imap::AppendMemory::default(),
            compressed: mailward_imap::CompressedSessions::default(),
            sort_memory: mailward_imap::SortMemory::default(),
        };
        let (pop3, imap) = (Arc::new(pop3), Arc::new(imap));
        Self { store, directory, account, pop3, imap, acceptor, _stop: stop, _dir: dir }
    }

    /// Listens; the port.
    pub async fn serve(&self, protocol: Protocol, tls: Tls) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (pop3, imap, acceptor) = (self.pop3.clone(), self.imap.clone(), self.acceptor.clone());
        tokio::spawn(async move {
            let mut session = 0;
            loop {
                let (stream, from) = listener.accept().await.unwrap();
                session += 1;
                let permit = pop3.gate.admit(Some(from.ip())).unwrap();
                let (pop3, imap, acceptor) = (pop3.clone(), imap.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let mut wire = Wire::tcp(stream);
                    if tls == Tls::Tls {
                        wire = wire.accept_tls(&acceptor).await.unwrap();
                    }
                    let peer = |listener| Peer { session, address: Some(from.ip()), port: None, listener };
                    match protocol {
                        Protocol::Pop3 => mailward_pop3::serve(wire, peer(Listener::Pop3), permit, pop3).await,
                        Protocol::Imap => mailward_imap::serve(wire, peer(Listener::Imap), permit, imap).await,
                    }
                });
            }
        });
        port
    }

    pub async fn put(&self, text: impl Into<String>) {
        let text = text.into().into_bytes();
        let structure = Structure::parse(&text).to_bytes();
        let content = Content::new(Bytes::from(text), Bytes::from(structure));
        let target = Target { account: self.account, mailbox: None, flags: Flags::NONE };
        self.store.deliver(Delivery { content, targets: vec![target], queued: Vec::new(), kept: None }).await.unwrap();
    }

    /// Messages that are there.
    pub async fn left(&self) -> u32 {
        self.store.mailbox(self.account, MailboxName::inbox()).await.unwrap().messages
    }
}
