//! A store with two accounts, and short words for what the stories do.

use bytes::Bytes;
use mailward_core::{AccountId, Domain, MailboxName, Timestamp};
use mailward_store::records::*;
use mailward_store::{
    DirectoryStore, KeyStore, LocalStore, MailStore, Options, QuarantineStore, QueueStore, SendingStore, ShelfStore,
    SpamStore,
};
use std::sync::Arc;

/// All of a store.
pub(crate) trait Store:
    MailStore + DirectoryStore + KeyStore + QueueStore + ShelfStore + SendingStore + QuarantineStore + SpamStore
{
}
impl<T> Store for T where
    T: MailStore + DirectoryStore + KeyStore + QueueStore + ShelfStore + SendingStore + QuarantineStore + SpamStore
{
}

/// A store in a directory of its own, with two accounts.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) alice: AccountId,
    pub(crate) bob: AccountId,
    pub(crate) domain: DomainRecord,
    dir: tempfile::TempDir,
}

pub(crate) async fn world() -> World {
    world_with(Options::default()).await
}

pub(crate) async fn world_with(options: Options) -> World {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = LocalStore::open(dir.path(), options).unwrap();
    let domain = store.change_domain(DomainChange::Add { name: Domain::parse("example.test").unwrap() }).await.unwrap();
    let mut world = World { store, alice: AccountId(0), bob: AccountId(0), domain, dir };
    world.alice = world.account("alice", 0, 0).await;
    world.bob = world.account("bob", 0, 0).await;
    world
}

pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

pub(crate) fn content(text: &str) -> Content {
    Content::new(Bytes::from(text.to_owned().into_bytes()), Bytes::from_static(b"structure"))
}

impl World {
    /// What isn't as it should be, rows and counters compared.
    pub(crate) fn problems(&self) -> Vec<String> {
        let found = mailward_store::maintenance::verify(self.dir.path(), |_, _| {}).unwrap();
        found.problems.into_iter().map(|p| format!("{}: {}", p.place, p.what)).collect()
    }
    pub(crate) async fn account(&self, local: &str, quota_bytes: u64, quota_messages: u64) -> AccountId {
        let added = self.store.change_account(AccountChange::Add {
            domain: self.domain.id,
            local: local.to_owned(),
            display_name: String::new(),
            credential: Arc::from(&b"credential"[..]),
            quota_bytes,
            quota_messages,
        });
        added.await.unwrap().id
    }
    pub(crate) async fn deliver(&self, text: &str, to: &[AccountId]) -> Vec<Delivered> {
        self.store
            .deliver(Delivery { content: content(text), targets: targets(to), queued: vec![], kept: None })
            .await
            .unwrap()
            .delivered
    }
    pub(crate) async fn inbox(&self, account: AccountId) -> MailboxRecord {
        self.store.mailbox(account, MailboxName::inbox()).await.unwrap()
    }
    pub(crate) async fn texts(&self, mailbox: &MailboxRecord) -> Vec<String> {
        let messages = self.store.messages(mailbox.id, vec![UidRange::ALL], usize::MAX).await.unwrap();
        let mut texts = Vec::new();
        for message in messages {
            let bytes = self.store.read(message.blob, 0, u64::MAX).await.unwrap();
            assert_eq!(bytes.len() as u64, message.size);
            texts.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        texts
    }
    pub(crate) async fn flag(
        &self,
        mailbox: &MailboxRecord,
        action: FlagAction,
        flags: Flags,
        keywords: &[&str],
    ) -> FlagOutcome {
        let change = FlagChange {
            ranges: vec![UidRange::ALL],
            action,
            flags,
            keywords: keywords.iter().map(|k| (*k).to_owned()).collect(),
            unchanged_since: None,
        };
        self.store.change_flags(mailbox.id, change).await.unwrap()
    }
    pub(crate) async fn append(&self, mailbox: &MailboxRecord, texts: &[&str], flags: Flags) -> AppendOutcome {
        let messages = texts
            .iter()
            .map(|text| NewMessage {
                content: content(text),
                flags,
                keywords: Vec::new(),
                internal_date: Some(Timestamp(1_000)),
            })
            .collect();
        self.store.append(mailbox.id.into(), messages).await.unwrap()
    }
}

pub(crate) fn targets(accounts: &[AccountId]) -> Vec<Target> {
    accounts.iter().map(|a| Target { account: *a, mailbox: None, flags: Flags::NONE }).collect()
}
