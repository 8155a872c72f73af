//! A store with an account, and short words for what the stories do.

use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::{AccountId, BlobId, Domain, MailboxName, Uid};
use mailward_message::Structure;
use mailward_message::decode::{fold, searchable};
use mailward_store::fault::{Instant, Witness};
use mailward_store::maintenance::{Stats, stats, verify};
use mailward_store::records::*;
use mailward_store::{DirectoryStore, LocalStore, MailStore, Options};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

pub(crate) struct World {
    /// `None` only while it is closed.
    open: Option<Arc<LocalStore>>,
    pub(crate) alice: AccountId,
    pub(crate) events: Events,
    pub(crate) gate: Arc<Gate>,
    pub(crate) dir: Arc<tempfile::TempDir>,
}

/// Keeps the index from committing while it is shut.
#[derive(Default)]
pub(crate) struct Gate {
    shut: Mutex<bool>,
    held: AtomicBool,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn shut(&self) {
        *self.shut.lock().unwrap() = true;
    }
    /// Comes when the index has read what it is kept from committing.
    pub(crate) async fn holds(&self) {
        while !self.held.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }
    pub(crate) fn open(&self) {
        *self.shut.lock().unwrap() = false;
        self.opened.notify_all();
    }
}

impl Witness for Gate {
    fn at(&self, instant: Instant) {
        if instant == Instant::BeforeIndexCommit {
            let shut = self.shut.lock().unwrap();
            self.held.store(*shut, Ordering::SeqCst);
            drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
            self.held.store(false, Ordering::SeqCst);
        }
    }
}

pub(crate) fn text(words: &str) -> String {
    format!("From: Bob <bob@example.test>\r\nSubject: s\r\n\r\n{words}\r\n")
}

fn open(dir: &Path, index: bool, events: &Events, gate: &Arc<Gate>) -> Arc<LocalStore> {
    let witness = Some(Arc::clone(gate) as Arc<dyn Witness>);
    LocalStore::open(dir, Options { index, events: events.clone(), witness, pack_size: 50_000, ..Options::default() })
        .unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (events, gate) = (Events::memory(), Arc::new(Gate::default()));
        let store = open(dir.path(), true, &events, &gate);
        let domain =
            store.change_domain(DomainChange::Add { name: Domain::parse("example.test").unwrap() }).await.unwrap();
        let add = AccountChange::Add {
            domain: domain.id,
            local: "alice".into(),
            display_name: String::new(),
            credential: [].into(),
            quota_bytes: 0,
            quota_messages: 0,
        };
        let alice = store.change_account(add).await.unwrap().id;
        Self::of(store, alice, events, gate, dir)
    }

    pub(crate) fn of(
        store: Arc<LocalStore>,
        alice: AccountId,
        events: Events,
        gate: Arc<Gate>,
        dir: Arc<tempfile::TempDir>,
    ) -> Self {
        Self { open: Some(store), alice, events, gate, dir }
    }

    pub(crate) fn store(&self) -> &Arc<LocalStore> {
        self.open.as_ref().unwrap()
    }

    /// Nothing is open afterwards.
    pub(crate) async fn close(&mut self) {
        self.gate.open();
        self.store().close().await;
        self.open = None;
    }

    /// Closes, lets something happen to the files, and opens again.
    pub(crate) async fn again(&mut self, index: bool, meanwhile: impl FnOnce(&Path)) {
        self.close().await;
        meanwhile(self.dir.path());
        self.open = Some(open(self.dir.path(), index, &self.events, &self.gate));
    }

    pub(crate) async fn deliver(&self, message: impl Into<Vec<u8>>) -> BlobId {
        let message = Bytes::from(message.into());
        let structure = Structure::parse(&message).to_bytes().into();
        let targets = vec![Target { account: self.alice, mailbox: None, flags: Flags::NONE }];
        let delivery = Delivery { content: Content::new(message, structure), targets, queued: Vec::new(), kept: None };
        let uid = self.store().deliver(delivery).await.unwrap().delivered[0].uid;
        self.rows().await.into_iter().find(|row| row.uid == uid).unwrap().blob
    }

    pub(crate) async fn rows(&self) -> Vec<MessageRecord> {
        let inbox = self.store().mailbox(self.alice, MailboxName::inbox()).await.unwrap();
        self.store().messages(inbox.id, vec![UidRange::ALL], usize::MAX).await.unwrap()
    }

    pub(crate) async fn blobs(&self) -> Vec<BlobId> {
        let mut blobs: Vec<BlobId> = self.rows().await.into_iter().map(|row| row.blob).collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    }

    pub(crate) async fn expunge(&self, uid: Uid) {
        let inbox = self.store().mailbox(self.alice, MailboxName::inbox()).await.unwrap();
        self.store().expunge(inbox.id, vec![UidRange::one(uid)], true).await.unwrap();
    }

    pub(crate) async fn expunge_blob(&self, blob: BlobId) {
        for row in self.rows().await.into_iter().filter(|row| row.blob == blob) {
            self.expunge(row.uid).await;
        }
    }

    pub(crate) async fn indexed(&self) {
        self.store().indexed().await.unwrap();
    }

    /// What the index says to a text, among all messages.
    pub(crate) async fn find(&self, text: &str) -> Option<Vec<BlobId>> {
        let blobs = self.blobs().await;
        self.store().find_text(fold(text), blobs).await.unwrap()
    }

    /// Who holds a text, by reading everything.
    pub(crate) async fn holders(&self, text: &str) -> Vec<BlobId> {
        let mut holders = Vec::new();
        for blob in self.blobs().await {
            let message = self.store().read(blob, 0, u64::MAX).await.unwrap();
            let text_of = searchable(&message, &Structure::parse(&message));
            if text_of.is_none_or(|held| held.contains(&fold(text))) {
                holders.push(blob);
            }
        }
        holders
    }

    /// The one thing that must be so at any time.
    pub(crate) async fn never_wrong(&self, text: &str) {
        let holders = self.holders(text).await;
        if let Some(found) = self.find(text).await {
            let missed: Vec<_> = holders.iter().filter(|blob| !found.contains(blob)).collect();
            assert!(missed.is_empty(), "{text:?} is in {missed:?}, the index names {found:?}");
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        problems(self.dir.path())
    }
    pub(crate) fn stats(&self) -> Stats {
        stats(self.dir.path()).unwrap()
    }
    pub(crate) fn told(&self, what: &str) -> bool {
        self.events.lines().iter().any(|line| line.contains(what))
    }
}

pub(crate) fn problems(dir: &Path) -> Vec<String> {
    verify(dir, |_, _| {}).unwrap().problems.into_iter().map(|p| format!("{}: {}", p.place, p.what)).collect()
}
