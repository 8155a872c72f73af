//! A disk that loses or tears what wasn't synced, pack and database: at every instant of every commit the states
//! that a power cut could leave are made from copies of the files, and each must hold every acknowledged message
//! once and whole, and verify clean.
//!
//! What is on the disk for certain is what a sync covered; everything written since may be there, in part, by
//! sectors, or not at all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use bytes::Bytes;
use mailward_core::{AccountId, Domain, MailboxName, Timestamp};
use mailward_store::fault::{Instant, Witness};
use mailward_store::maintenance::{compact, verify};
use mailward_store::records::*;
use mailward_store::{DirectoryStore, LocalStore, MailStore, Options, QueueStore};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What tears: a sector is written whole or not at all.
const SECTOR: usize = 512;

/// Files by name, relative to the store's directory.
type Image = BTreeMap<String, Vec<u8>>;

fn image(dir: &Path) -> Image {
    let mut files = Image::new();
    for name in ["mailward.db", "mailward.db-wal"] {
        if let Ok(bytes) = std::fs::read(dir.join(name)) {
            files.insert(name.to_owned(), bytes);
        }
    }
    for entry in std::fs::read_dir(dir.join("packs")).unwrap() {
        let entry = entry.unwrap();
        // Zeros at the end say nothing: they are left out to keep the copies small.
        let mut bytes = std::fs::read(entry.path()).unwrap();
        let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        bytes.truncate(used.next_multiple_of(SECTOR).min(bytes.len()));
        files.insert(format!("packs/{}", entry.file_name().to_str().unwrap()), bytes);
    }
    files
}

/// A small generator, so that a seed tells the whole run.
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

/// Each sector that differs is the synced or the written one. The head of a log that was begun anew is synced
/// before its frames are written (SQLite's `walFrames`), so it is always the written one.
fn torn(name: &str, synced: &[u8], written: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = written.to_vec();
    if dice.coin() && written.len() > synced.len() {
        let extra = (written.len() - synced.len()) as u64;
        let kept = synced.len() + (dice.roll() % (extra + 1)) as usize;
        bytes.truncate(if name.starts_with("packs/") { kept.max(64) } else { kept });
    }
    let length = bytes.len();
    for start in (0..length).step_by(SECTOR) {
        let end = (start + SECTOR).min(length);
        let kept = name.ends_with("-wal") && start == 0;
        if !kept && dice.coin() {
            // So is a pack's head, before its first record.
            let start = if name.starts_with("packs/") { start.max(64) } else { start };
            for (at, byte) in bytes.iter_mut().enumerate().take(end).skip(start) {
                *byte = synced.get(at).copied().unwrap_or(0);
            }
        }
    }
    bytes
}

struct Saboteur {
    dir: PathBuf,
    state: Mutex<State>,
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
}

struct State {
    dice: Dice,
    /// What the last sync of each file covered.
    synced: Image,
    before_commit: Image,
    /// States to look at, with what was acknowledged by then.
    cuts: Vec<(Instant, Image, BTreeSet<String>)>,
}

impl Witness for Saboteur {
    fn at(&self, instant: Instant) {
        if matches!(instant, Instant::BeforeIndexCommit | Instant::AfterIndexCommit) {
            return;
        }
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        let written = image(&self.dir);
        let mut guard = self.state.lock().unwrap();
        let state = &mut *guard;
        let pack = |name: &str| name.starts_with("packs/");
        // Every file: torn between what is synced and what is written.
        let mut cut = Image::new();
        for (name, bytes) in &written {
            let empty = Vec::new();
            let committed = instant == Instant::AfterCommit && !pack(name);
            let bytes = if committed && name.ends_with("-wal") {
                bytes.clone()
            } else if committed {
                // The commit may have moved the log into the database, and that may be torn; the log is whole.
                torn(name, &state.before_commit[name], bytes, &mut state.dice)
            } else {
                torn(name, state.synced.get(name).unwrap_or(&empty), bytes, &mut state.dice)
            };
            cut.insert(name.clone(), bytes);
        }
        if instant == Instant::AfterCommit && written.get("mailward.db") == state.before_commit.get("mailward.db") {
            // Power went within the commit: the log is torn, nobody was answered.
            let mut within = cut.clone();
            let log = "mailward.db-wal";
            let empty = Vec::new();
            let before = state.synced.get(log).unwrap_or(&empty);
            if before.get(..32) == written[log].get(..32) {
                within.insert(log.to_owned(), torn(log, before, &written[log], &mut state.dice));
                state.cuts.push((Instant::BeforeCommit, within, acknowledged.clone()));
            }
        }
        state.cuts.push((instant, cut, acknowledged));
        match instant {
            Instant::BeforePackSync => {}
            Instant::AfterPackSync => state.synced.extend(written.into_iter().filter(|(name, _)| pack(name))),
            Instant::BeforeCommit => state.before_commit = written,
            Instant::AfterCommit => state.synced.extend(written.into_iter().filter(|(name, _)| !pack(name))),
            Instant::BeforeIndexCommit | Instant::AfterIndexCommit => {}
        }
    }
}

fn text(n: u64, size: usize) -> String {
    let mut text = format!("Message-ID: <{n}@test>\r\n\r\n");
    while text.len() < size {
        text.push_str(&format!("line {n} {}\r\n", text.len()));
    }
    text
}

/// Into the mailbox and to another host.
fn both(account: AccountId, text: &str) -> Delivery {
    let recipient = NewRecipient {
        address: "x@far.test".parse().unwrap(),
        notify: None,
        original: None,
        lane: Lane::parse("far.test").unwrap(),
        due: Timestamp(0),
        held: None,
    };
    let envelope = Envelope {
        sender: None,
        give_back: None,
        envid: None,
        needs: Needs::default(),
        submitter: None,
        forwarded: None,
        arrived: Timestamp(0),
        warn: None,
        expires: Timestamp(1),
    };
    Delivery { queued: vec![Queued { envelope, recipients: vec![recipient] }], ..local(account, text) }
}

fn local(account: AccountId, text: &str) -> Delivery {
    Delivery {
        content: Content::new(Bytes::from(text.to_owned().into_bytes()), Bytes::from_static(b"structure")),
        targets: vec![Target { account, mailbox: None, flags: Flags::NONE }],
        queued: vec![],
        kept: None,
    }
}

/// Long enough to be torn.
fn bounce_of(text: &str) -> String {
    format!("Bounce of {}\r\n", text.lines().next().unwrap()).repeat(60)
}

fn draft(text: &str) -> NewMessage {
    let content = Content::new(Bytes::from(text.to_owned().into_bytes()), Bytes::from_static(b"structure"));
    NewMessage { content, flags: Flags::DRAFT, keywords: vec![], internal_date: None }
}

async fn drafts(store: &LocalStore, account: AccountId) -> (MailboxRecord, Vec<MessageRecord>) {
    let mailbox = store.mailbox(account, MailboxName::parse("Drafts").unwrap()).await.unwrap();
    let rows = store.messages(mailbox.id, vec![UidRange::ALL], usize::MAX).await.unwrap();
    (mailbox, rows)
}

/// Texts of what is queued.
async fn queue(store: &LocalStore) -> BTreeSet<String> {
    let page = store.queue_page(QueueFilter::default(), None, usize::MAX).await.unwrap();
    let mut texts = BTreeSet::new();
    for message in page.messages {
        let bytes = store.read(message.blob, 0, u64::MAX).await.unwrap();
        assert!(texts.insert(String::from_utf8(bytes.to_vec()).unwrap()), "queued twice");
    }
    texts
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

fn write_image(dir: &Path, image: &Image) {
    std::fs::create_dir_all(dir.join("packs")).unwrap();
    for (name, bytes) in image {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// What a store at a cut must be.
async fn check(instant: Instant, image: &Image, acknowledged: &BTreeSet<String>, account: AccountId, compacting: bool) {
    let dir = tempfile::tempdir().unwrap();
    write_image(dir.path(), image);
    let before = verify(dir.path(), |_, _| {}).unwrap();
    assert!(before.problems.is_empty(), "before the start after a cut at {instant:?}: {:?}", before.problems);
    let store = LocalStore::open(dir.path(), Options { index: false, ..Options::default() })
        .unwrap_or_else(|e| panic!("after a cut at {instant:?} the store doesn't open: {e}"));
    let inbox = store.mailbox(account, MailboxName::inbox()).await.unwrap();
    let rows = store.messages(inbox.id, vec![UidRange::ALL], usize::MAX).await.unwrap();
    let mut held = BTreeSet::new();
    for row in rows {
        let bytes = store.read(row.blob, 0, u64::MAX).await.unwrap();
        let twice = !held.insert(String::from_utf8(bytes.to_vec()).unwrap());
        assert!(!twice, "a message is there twice after a cut at {instant:?}");
    }
    let lost: Vec<_> = acknowledged.difference(&held).collect();
    assert!(lost.is_empty(), "lost after a cut at {instant:?}: {lost:?}");
    let queued = queue(&store).await;
    for text in held.iter().filter(|text| text.starts_with("Message-ID")) {
        // What went to a mailbox is owed to the other host as well, until the failure and its bounce, which are one.
        let ways = usize::from(queued.contains(text)) + usize::from(held.contains(&bounce_of(text)));
        assert_eq!(ways, 1, "owed or told, after a cut at {instant:?}: {:?}", text.lines().next());
    }
    if !compacting {
        let alone: Vec<_> = queued.difference(&held).collect();
        assert!(alone.is_empty(), "queued and not delivered after a cut at {instant:?}: {alone:?}");
    }
    let (_, drafts) = drafts(&store, account).await;
    assert_eq!(drafts.len(), 1, "the draft or the one that replaces it, after a cut at {instant:?}");
    store.read(drafts[0].blob, 0, u64::MAX).await.unwrap();
    // It goes on: the next message is accepted and found.
    store.deliver(both(account, "after the cut")).await.unwrap();
    store.close().await;
    let verified = verify(dir.path(), |_, _| {}).unwrap();
    assert!(verified.problems.is_empty(), "after a cut at {instant:?}: {:?}", verified.problems);
}

async fn run(seed: u64, rounds: u64, compacting: bool) {
    println!("seed {seed}");
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let quiet = LocalStore::open(dir.path(), Options::default()).unwrap();
    let alice = account(&quiet).await;
    let (mailbox, _) = drafts(&quiet, alice).await;
    quiet.append(mailbox.id.into(), vec![draft(&text(999_999, 3_000))]).await.unwrap();
    quiet.close().await;
    drop(quiet);
    let saboteur = Arc::new(Saboteur {
        dir: dir.path().to_owned(),
        state: Mutex::new(State {
            dice: Dice(seed),
            synced: image(dir.path()),
            before_commit: Image::new(),
            cuts: Vec::new(),
        }),
        acknowledged: Arc::clone(&acknowledged),
    });
    let options = Options {
        pack_size: 20_000,
        checkpoint_pages: 40,
        index: false,
        witness: Some(Arc::clone(&saboteur) as Arc<dyn Witness>),
        ..Options::default()
    };
    let store = LocalStore::open(dir.path(), options).unwrap();
    let mut dice = Dice(seed ^ 0x5eed);
    for round in 0..rounds {
        let mut waiting = Vec::new();
        for n in 0..=(dice.roll() % 4) {
            let text = text(round * 10 + n, (dice.roll() % 5_000) as usize);
            let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
            waiting.push(tokio::spawn(async move {
                store.deliver(both(alice, &text)).await.unwrap();
                acknowledged.lock().unwrap().insert(text);
            }));
        }
        for task in waiting {
            task.await.unwrap();
        }
        if !compacting {
            let (mailbox, drafts) = drafts(&store, alice).await;
            let next = draft(&text(1_000_000 + round, 3_000));
            store.replace((mailbox.id, drafts[0].uid), mailbox.id, next).await.unwrap();
            fail_one(&store, alice, &acknowledged).await;
        }
        if compacting && round % 4 == 3 {
            // One message goes for good; from now on its absence is right.
            let inbox = store.mailbox(alice, MailboxName::inbox()).await.unwrap();
            let first = store.messages(inbox.id, vec![UidRange::ALL], 1).await.unwrap().remove(0);
            let bytes = store.read(first.blob, 0, u64::MAX).await.unwrap();
            acknowledged.lock().unwrap().remove(std::str::from_utf8(&bytes).unwrap());
            store.expunge(inbox.id, vec![UidRange::one(first.uid)], true).await.unwrap();
            compact(&store, true).await.unwrap();
        }
    }
    store.close().await;
    let cuts = std::mem::take(&mut saboteur.state.lock().unwrap().cuts);
    assert!(cuts.len() as u64 >= rounds * 4);
    for (instant, image, acknowledged) in &cuts {
        check(*instant, image, acknowledged, alice, compacting).await;
    }
}

/// Gives up one recipient and tells it.
async fn fail_one(store: &LocalStore, account: AccountId, acknowledged: &Mutex<BTreeSet<String>>) {
    let page = store.queue_page(QueueFilter::default(), None, 1).await.unwrap();
    let message = &page.messages[0];
    let bytes = store.read(message.blob, 0, u64::MAX).await.unwrap();
    let bounce = bounce_of(std::str::from_utf8(&bytes).unwrap());
    let settled = Settled {
        message: message.id,
        number: 0,
        outcome: Outcome::Failed,
        attempt: None,
        refused: false,
        warned: false,
    };
    let tell = vec![local(account, &bounce)];
    store.settle(Settlement { recipients: vec![settled], tell, ..Settlement::default() }).await.unwrap();
    acknowledged.lock().unwrap().insert(bounce);
}

#[tokio::test]
async fn a_power_cut_at_any_instant_loses_nothing_acknowledged() {
    for seed in 1..=3 {
        run(seed, 8, false).await;
    }
}

#[tokio::test]
async fn a_power_cut_while_packs_are_rewritten_loses_nothing_either() {
    for seed in 11..=12 {
        run(seed, 8, true).await;
    }
}
