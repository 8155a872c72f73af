//! A store whose disk can be torn under a message that is being read, and whose index can be taken away.

use bytes::Bytes;
use mailward_core::{AccountId, BlobId, MailboxId, MailboxName, ModSeq, Uid};
use mailward_store::records::*;
use mailward_store::{LocalStore, MailStore, Pending, StoreError};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::watch;

pub struct Faulty {
    pub store: Arc<LocalStore>,
    pub torn: Arc<AtomicU64>,
    /// Whether it has no index to ask.
    pub blind: Arc<AtomicBool>,
    /// Messages fetched so far.
    pub reads: Arc<AtomicU64>,
}

macro_rules! as_it_is {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> Pending<'_, $out> { self.store.$name($($arg),*) })*
    };
}

impl MailStore for Faulty {
    as_it_is! {
        deliver(delivery: Delivery) -> Accepted;
        append(to: Destination, messages: Vec<NewMessage>) -> AppendOutcome;
        mailboxes(account: AccountId) -> Vec<MailboxRecord>;
        mailbox(account: AccountId, name: MailboxName) -> MailboxRecord;
        mailbox_by_id(mailbox: MailboxId) -> MailboxRecord;
        create_mailbox(account: AccountId, name: MailboxName, special_use: Option<String>) -> MailboxRecord;
        delete_mailbox(account: AccountId, name: MailboxName) -> ();
        rename_mailbox(account: AccountId, from: MailboxName, to: MailboxName) -> ();
        subscribe(account: AccountId, name: MailboxName, subscribed: bool) -> ();
        subscriptions(account: AccountId) -> Vec<MailboxName>;
        open(mailbox: MailboxId) -> Opened;
        replace(old: (MailboxId, Uid), to: MailboxId, new: NewMessage) -> AppendOutcome;
        rights(mailbox: MailboxId) -> Vec<(AccountId, Rights)>;
        set_rights(mailbox: MailboxId, account: AccountId, rights: Rights) -> ();
        shared_with(account: AccountId) -> Vec<(MailboxRecord, Rights)>;
        metadata(account: AccountId, mailbox: Option<MailboxId>) -> Vec<Metadata>;
        annotate(mailbox: Option<MailboxId>, changes: Vec<MetadataChange>) -> ();
        messages(mailbox: MailboxId, ranges: Vec<UidRange>, limit: usize) -> Vec<MessageRecord>;
        changes_since(mailbox: MailboxId, since: ModSeq) -> Changes;
        blobs(blobs: Vec<BlobId>) -> Vec<Blob>;
        change_flags(mailbox: MailboxId, change: FlagChange) -> FlagOutcome;
        copy(from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> CopyOutcome;
        move_messages(from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> CopyOutcome;
        expunge(mailbox: MailboxId, ranges: Vec<UidRange>, any: bool) -> Expunged;
        usage(account: AccountId) -> Usage;
    }

    fn read(&self, blob: BlobId, start: u64, end: u64) -> Pending<'_, Bytes> {
        if start >= self.torn.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::Damaged("torn by the test".to_owned())) });
        }
        self.store.read(blob, start, end)
    }

    fn fetch(&self, mailbox: MailboxId, ranges: Vec<UidRange>, wanted: Wanted) -> Pending<'_, Vec<Fetched>> {
        if wanted.bytes && self.torn.load(Ordering::Relaxed) == 0 {
            return Box::pin(async { Err(StoreError::Damaged("torn by the test".to_owned())) });
        }
        let fetched = self.store.fetch(mailbox, ranges, wanted);
        Box::pin(async move {
            let fetched = fetched.await?;
            self.reads.fetch_add(fetched.len() as u64, Ordering::Relaxed);
            Ok(fetched)
        })
    }

    fn find_text(&self, needle: String, among: Vec<BlobId>) -> Pending<'_, Option<Vec<BlobId>>> {
        if self.blind.load(Ordering::Relaxed) {
            return Box::pin(async { Ok(None) });
        }
        self.store.find_text(needle, among)
    }

    fn read_parts(&self, parts: Vec<(BlobId, Range<u64>)>, most: u64) -> Pending<'_, Vec<Option<Bytes>>> {
        let torn = self.torn.load(Ordering::Relaxed);
        if parts.iter().any(|(_, range)| range.start >= torn) {
            return Box::pin(async { Err(StoreError::Damaged("torn by the test".to_owned())) });
        }
        self.store.read_parts(parts, most)
    }

    fn admit(&self, size: u64) -> Result<(), StoreError> {
        self.store.admit(size)
    }

    fn watch(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        self.store.watch(mailbox)
    }

    fn watch_account(&self, account: AccountId) -> watch::Receiver<u64> {
        self.store.watch_account(account)
    }
}
