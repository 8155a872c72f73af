//! A power cut under the index: its commits aren't synced, so it may be an older one afterwards, or be torn; it must never
//! claim what it doesn't have.
//!
//! What is on the disk for certain: what a checkpoint synced. The log may be there in part, by sectors, unless its pages
//! were moved into the database, before which it is synced; then the database may be.

use super::support::*;
use bytes::Bytes;
use mailward_core::{AccountId, Domain, MailboxName};
use mailward_message::Structure;
use mailward_store::fault::{Instant, Witness};
use mailward_store::records::*;
use mailward_store::{DirectoryStore, LocalStore, MailStore, Options};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const SECTOR: usize = 512;

type Image = BTreeMap<String, Vec<u8>>;

struct Dice(u64);
impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
    fn coin(&mut self) -> bool {
        self.roll() & 1 == 1
    }
}

/// Each sector from `first` on is the old one or the new one; the end may be missing.
fn torn(old: &[u8], new: &[u8], first: usize, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = new.to_vec();
    if dice.coin() && new.len() > old.len() {
        bytes.truncate(old.len().max(first) + (dice.roll() as usize) % (new.len() - old.len().max(first) + 1));
    }
    let length = bytes.len();
    for start in (first..length).step_by(SECTOR) {
        if dice.coin() {
            for (at, byte) in bytes.iter_mut().enumerate().take((start + SECTOR).min(length)).skip(start) {
                *byte = old.get(at).copied().unwrap_or(0);
            }
        }
    }
    bytes
}

struct Saboteur {
    dir: PathBuf,
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    before: Image,
    /// The log as it was last synced.
    synced_log: Vec<u8>,
    cuts: Vec<Image>,
}

fn index_files(dir: &Path) -> Image {
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap_or_default();
    ["index.db", "index.db-wal"].map(|name| (name.to_owned(), read(name))).into()
}

impl Witness for Saboteur {
    fn at(&self, instant: Instant) {
        if !matches!(instant, Instant::BeforeIndexCommit | Instant::AfterIndexCommit) {
            return;
        }
        let now = index_files(&self.dir);
        let mut guard = self.state.lock().unwrap();
        let state = &mut *guard;
        let (old, new) = (&state.before["index.db"], &now["index.db"]);
        let log = &now["index.db-wal"];
        let mut cut = Image::new();
        if old == new {
            // The head of a log that was begun anew is synced before its frames.
            let torn = torn(&state.synced_log, log, 32.min(log.len()), &mut state.dice);
            cut.extend([("index.db".to_owned(), new.clone()), ("index.db-wal".to_owned(), torn)]);
        } else {
            state.synced_log.clone_from(log);
            let torn = torn(old, new, 0, &mut state.dice);
            cut.extend([("index.db".to_owned(), torn), ("index.db-wal".to_owned(), log.clone())]);
        }
        state.cuts.push(cut);
        state.before = now;
    }
}

/// The store itself at the end: it is synced, and may be ahead of the index by any number of messages.
fn copy_store(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("packs")).unwrap();
    for name in ["mailward.db", "packs/00000001.pack"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

async fn account(store: &LocalStore) -> AccountId {
    let domain = store.change_domain(DomainChange::Add { name: Domain::parse("example.test").unwrap() }).await.unwrap();
    let add = AccountChange::Add {
        domain: domain.id,
        local: "alice".into(),
        display_name: String::new(),
        credential: [].into(),
        quota_bytes: 0,
        quota_messages: 0,
    };
    store.change_account(add).await.unwrap().id
}

async fn deliver(store: &LocalStore, alice: AccountId, words: &str) {
    let message = Bytes::from(text(words));
    let structure = Structure::parse(&message).to_bytes().into();
    let targets = vec![Target { account: alice, mailbox: None, flags: Flags::NONE }];
    store
        .deliver(Delivery { content: Content::new(message, structure), targets, queued: Vec::new(), kept: None })
        .await
        .unwrap();
}

async fn check(world: &Path, cut: &Image, alice: AccountId) -> bool {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    copy_store(world, dir.path());
    for (name, bytes) in cut {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    assert!(problems(dir.path()).is_empty(), "{:?}", problems(dir.path()));
    let gate = Arc::new(Gate::default());
    gate.shut();
    let events = mailward_core::event::Events::memory();
    let witness = Some(Arc::clone(&gate) as Arc<dyn Witness>);
    let options = Options { events: events.clone(), witness, ..Options::default() };
    let store = LocalStore::open(dir.path(), options).unwrap();
    let mut w = World::of(store, alice, events, gate, dir);
    let before = w.stats().indexed;
    for round in (0..24).step_by(5) {
        w.never_wrong(&format!("round{round}word")).await;
    }
    w.gate.open();
    w.indexed().await;
    assert_eq!(w.find("round7word").await, Some(w.holders("round7word").await));
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
    before > 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn after_a_power_cut_the_index_claims_only_what_it_has() {
    let mut of_use = 0;
    for seed in 1..=2 {
        println!("seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let quiet = LocalStore::open(dir.path(), Options::default()).unwrap();
        let alice = account(&quiet).await;
        quiet.close().await;
        drop(quiet);
        let saboteur = Arc::new(Saboteur {
            dir: dir.path().to_owned(),
            state: Mutex::new(State {
                dice: Dice(seed),
                before: index_files(dir.path()),
                synced_log: Vec::new(),
                cuts: Vec::new(),
            }),
        });
        let witness = Some(Arc::clone(&saboteur) as Arc<dyn Witness>);
        let options = Options { checkpoint_pages: 40, witness, ..Options::default() };
        let store = LocalStore::open(dir.path(), options).unwrap();
        for round in 0..24 {
            deliver(&store, alice, &format!("round{round}word {}", "filler words ".repeat(round * 7))).await;
            if round % 5 != 0 {
                store.indexed().await.unwrap();
            }
        }
        let inbox = store.mailbox(alice, MailboxName::inbox()).await.unwrap();
        assert_eq!(inbox.messages, 24);
        store.close().await;
        let cuts = std::mem::take(&mut saboteur.state.lock().unwrap().cuts);
        assert!(cuts.len() > 30);
        for cut in &cuts {
            of_use += usize::from(check(dir.path(), cut, alice).await);
        }
    }
    // The test would show nothing if no index had survived its cut.
    assert!(of_use > 20, "{of_use}");
}
