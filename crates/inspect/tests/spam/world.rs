//! A filter over a store with two users, and mail of two kinds.

use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::{AccountId, Address, Domain, MailboxName, SystemClock, Timestamp, config};
use mailward_inspect::spam::{Lesson, LinkLists, Spam, SpamParts, TokenKey};
use mailward_inspect::{Direction, Recipient, Subject};
use mailward_message::Structure;
use mailward_store::records::{
    AccountChange, Content, Delivered, Delivery, DomainChange, Flags, MailboxRecord, Target,
};
use mailward_store::{DirectoryStore, LocalStore, MailStore, Options};
use std::path::Path;
use std::sync::Arc;

pub(crate) struct World {
    pub(crate) store: Arc<LocalStore>,
    pub(crate) spam: Arc<Spam>,
    pub(crate) alice: AccountId,
    pub(crate) bob: AccountId,
}

pub(crate) async fn world(dir: &Path, settings: config::Spam) -> World {
    world_with(dir, settings, None).await
}

pub(crate) async fn world_with(dir: &Path, settings: config::Spam, links: Option<Arc<dyn LinkLists>>) -> World {
    let store = LocalStore::open(dir, Options::default()).unwrap();
    let mut accounts = store.accounts().await.unwrap();
    if accounts.is_empty() {
        let domain =
            store.change_domain(DomainChange::Add { name: Domain::parse("example.test").unwrap() }).await.unwrap();
        for local in ["alice", "bob"] {
            let added = store.change_account(AccountChange::Add {
                domain: domain.id,
                local: local.to_owned(),
                display_name: String::new(),
                credential: Arc::from(&b"credential"[..]),
                quota_bytes: 0,
                quota_messages: 0,
            });
            accounts.push(added.await.unwrap());
        }
    }
    let of = |local: &str| accounts.iter().find(|account| account.local == local).unwrap().id;
    let (alice, bob) = (of("alice"), of("bob"));
    let spam = filter(&store, settings, links).await;
    World { store, spam, alice, bob }
}

async fn filter(store: &Arc<LocalStore>, settings: config::Spam, links: Option<Arc<dyn LinkLists>>) -> Arc<Spam> {
    let names = store.accounts().await.unwrap();
    let parts = SpamParts {
        store: store.clone(),
        mail: store.clone(),
        key: TokenKey::fixed(),
        names: Arc::new(move |account| {
            let found = names.iter().find(|one| one.id == account)?;
            Address::parse(&format!("{}@example.test", found.local), false).ok()
        }),
        links,
        settings,
        clock: Arc::new(SystemClock),
        events: Events::nowhere(),
    };
    Spam::open(parts).await.unwrap()
}

/// Words of one of two kinds, a different choice for each number.
pub(crate) fn mail(lesson: Lesson, number: u64) -> Vec<u8> {
    let (words, who) = match lesson {
        Lesson::Spam => (
            [
                "pills", "cheap", "winner", "casino", "credit", "viagra", "offer", "click", "free", "money", "loan",
                "bonus",
            ],
            "deals.example",
        ),
        Lesson::Ham => (
            [
                "meeting", "minutes", "draft", "review", "kernel", "patch", "lunch", "budget", "agenda", "notes",
                "branch", "tests",
            ],
            "work.example",
        ),
    };
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    for at in 0..60 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(words[(state % words.len() as u64) as usize]);
        text.push(if at % 12 == 11 { '\n' } else { ' ' });
    }
    let text = text.replace('\n', "\r\n");
    format!(
        "From: Somebody <p{number}@{who}>\r\nTo: alice@example.test\r\nSubject: {} {}\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@{who}>\r\n\r\n{text}\r\n",
        words[(number % 12) as usize],
        words[(number / 12 % 12) as usize]
    )
    .into_bytes()
}

impl World {
    /// Teaches so many of each kind.
    pub(crate) async fn teach(&self, owner: Option<AccountId>, numbers: std::ops::Range<u64>) {
        for number in numbers {
            for lesson in [Lesson::Spam, Lesson::Ham] {
                self.spam.learn(owner, &mail(lesson, number), Some(lesson)).await.unwrap();
            }
        }
    }
    /// Points of words alone, to a recipient.
    pub(crate) async fn words(&self, message: &[u8], account: AccountId) -> Option<i32> {
        let found = self.spam.score(&subject(message, &[account]), None, &[]).await;
        found.iter().find(|one| one.rule == "words").map(|one| one.points)
    }
    pub(crate) async fn deliver(&self, message: &[u8], account: AccountId) -> Delivered {
        let structure = Structure::parse(message).to_bytes();
        let content = Content::new(Bytes::copy_from_slice(message), Bytes::from(structure));
        let target = Target { account, mailbox: None, flags: Flags::NONE };
        let delivery = Delivery { content, targets: vec![target], queued: vec![], kept: None };
        self.store.deliver(delivery).await.unwrap().delivered.remove(0)
    }
    pub(crate) async fn mailbox(&self, account: AccountId, name: &str) -> MailboxRecord {
        self.store.mailbox(account, MailboxName::parse(name).unwrap()).await.unwrap()
    }
}

/// A message of a stranger.
pub(crate) fn subject(message: &[u8], to: &[AccountId]) -> Subject {
    let recipient = |account: &AccountId| Recipient { address: None, accounts: vec![*account] };
    Subject {
        bytes: Bytes::copy_from_slice(message),
        trace: 0,
        structure: Arc::new(Structure::parse(message)),
        id: Arc::from("1"),
        direction: Direction::Incoming,
        client: Some("192.0.2.1".parse().unwrap()),
        hello: Arc::from("mx.example"),
        reverse: None,
        stranger: true,
        sender: Some(Address::parse("somebody@else.example", false).unwrap()),
        recipients: to.iter().map(recipient).collect(),
        login: None,
        spf: None,
        signs: Arc::from([]),
        correspondent: false,
        // Monday, 2 November 2026, noon.
        now: Timestamp(1_793_620_800_000),
    }
}
