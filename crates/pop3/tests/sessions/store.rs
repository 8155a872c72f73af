//! The real store, with a count of what it is asked for, and a hand that can make it fail.

use bytes::Bytes;
use mailward_core::{AccountId, BlobId, MailboxId, MailboxName, ModSeq, Uid};
use mailward_store::records::*;
use mailward_store::{LocalStore, MailStore, Pending, StoreError};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

pub type Failure = fn() -> StoreError;

pub struct Watched {
    inner: Arc<LocalStore>,
    /// Questions for rows or bytes.
    pub questions: AtomicUsize,
    /// Rows of messages answered.
    pub rows: AtomicUsize,
    /// Bytes of messages answered.
    pub bytes: AtomicUsize,
    /// After so many more questions they fail.
    pub fail: Mutex<Option<(usize, Failure)>>,
}

impl Watched {
    pub fn new(inner: Arc<LocalStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            questions: AtomicUsize::new(0),
            rows: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            fail: Mutex::new(None),
        })
    }

    /// Questions, rows and bytes since this was asked last.
    pub fn cost(&self) -> (usize, usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        (take(&self.questions), take(&self.rows), take(&self.bytes))
    }

    fn question(&self) -> Result<(), StoreError> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        match &mut *self.fail.lock().unwrap() {
            Some((0, error)) => Err(error()),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

macro_rules! through {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> Pending<'_, $out> { self.inner.$name($($arg),*) })*
    };
}

impl MailStore for Watched {
    fn open(&self, mailbox: MailboxId) -> Pending<'_, Opened> {
        Box::pin(async move {
            self.question()?;
            self.inner.open(mailbox).await
        })
    }
    fn messages(&self, mailbox: MailboxId, ranges: Vec<UidRange>, limit: usize) -> Pending<'_, Vec<MessageRecord>> {
        Box::pin(async move {
            self.question()?;
            let found = self.inner.messages(mailbox, ranges, limit).await?;
            self.rows.fetch_add(found.len(), Ordering::Relaxed);
            Ok(found)
        })
    }
    fn fetch(&self, mailbox: MailboxId, ranges: Vec<UidRange>, wanted: Wanted) -> Pending<'_, Vec<Fetched>> {
        Box::pin(async move {
            self.question()?;
            let found = self.inner.fetch(mailbox, ranges, wanted).await?;
            self.rows.fetch_add(found.len(), Ordering::Relaxed);
            let bytes = found.iter().filter_map(|f| f.bytes.as_ref()).map(Bytes::len).sum();
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            Ok(found)
        })
    }
    fn read(&self, blob: BlobId, start: u64, end: u64) -> Pending<'_, Bytes> {
        Box::pin(async move {
            self.question()?;
            let bytes = self.inner.read(blob, start, end).await?;
            self.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
            Ok(bytes)
        })
    }
    fn read_parts(&self, parts: Vec<(BlobId, Range<u64>)>, most: u64) -> Pending<'_, Vec<Option<Bytes>>> {
        Box::pin(async move {
            self.question()?;
            let found = self.inner.read_parts(parts, most).await?;
            self.bytes.fetch_add(found.iter().flatten().map(Bytes::len).sum(), Ordering::Relaxed);
            Ok(found)
        })
    }
    fn admit(&self, size: u64) -> Result<(), StoreError> {
        self.inner.admit(size)
    }
    fn watch(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        self.inner.watch(mailbox)
    }
    fn watch_account(&self, account: AccountId) -> watch::Receiver<u64> {
        self.inner.watch_account(account)
    }
    through! {
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
        replace(old: (MailboxId, Uid), to: MailboxId, new: NewMessage) -> AppendOutcome;
        rights(mailbox: MailboxId) -> Vec<(AccountId, Rights)>;
        set_rights(mailbox: MailboxId, account: AccountId, rights: Rights) -> ();
        shared_with(account: AccountId) -> Vec<(MailboxRecord, Rights)>;
        metadata(account: AccountId, mailbox: Option<MailboxId>) -> Vec<Metadata>;
        annotate(mailbox: Option<MailboxId>, changes: Vec<MetadataChange>) -> ();
        changes_since(mailbox: MailboxId, since: ModSeq) -> Changes;
        blobs(blobs: Vec<BlobId>) -> Vec<Blob>;
        change_flags(mailbox: MailboxId, change: FlagChange) -> FlagOutcome;
        copy(from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> CopyOutcome;
        move_messages(from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> CopyOutcome;
        expunge(mailbox: MailboxId, ranges: Vec<UidRange>, any: bool) -> Expunged;
        usage(account: AccountId) -> Usage;
    }
}
