//! The real store, with a hand on its door: it can say that the disk is full, refuse a delivery, or keep one waiting.

use bytes::Bytes;
use mailward_core::{AccountId, Address, BlobId, MailboxId, MailboxName, ModSeq, PerMeasure, Uid};
use mailward_store::records::*;
use mailward_store::{LocalStore, MailStore, Pending, SendingStore, StoreError};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, watch};

pub struct Wrapped {
    inner: Arc<LocalStore>,
    pub disk_full: AtomicBool,
    pub refuse: Mutex<Option<fn() -> StoreError>>,
    pub deliveries: AtomicUsize,
    /// Questions whether a user wrote to somebody.
    pub correspondents: AtomicUsize,
    /// Deliveries take a permit; tests that hold them take all.
    pub door: Semaphore,
}

impl Wrapped {
    pub fn new(inner: Arc<LocalStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            disk_full: AtomicBool::new(false),
            refuse: Mutex::new(None),
            deliveries: AtomicUsize::new(0),
            correspondents: AtomicUsize::new(0),
            door: Semaphore::new(1_000),
        })
    }
    pub fn local(&self) -> &LocalStore {
        &self.inner
    }
    pub fn whole(&self) -> Arc<LocalStore> {
        self.inner.clone()
    }
    /// Waits at the door; the error that the test wants, if it wants one.
    async fn enter(&self) -> Result<(), StoreError> {
        let _open = self.door.acquire().await;
        self.deliveries.fetch_add(1, Ordering::Relaxed);
        let refuse = *self.refuse.lock().unwrap();
        refuse.map_or(Ok(()), |error| Err(error()))
    }
}

macro_rules! through {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> Pending<'_, $out> { self.inner.$name($($arg),*) })*
    };
}

impl MailStore for Wrapped {
    fn deliver(&self, delivery: Delivery) -> Pending<'_, Accepted> {
        Box::pin(async move {
            self.enter().await?;
            self.inner.deliver(delivery).await
        })
    }
    fn admit(&self, size: u64) -> Result<(), StoreError> {
        if self.disk_full.load(Ordering::Relaxed) { Err(StoreError::DiskFull) } else { self.inner.admit(size) }
    }
    fn watch(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        self.inner.watch(mailbox)
    }
    fn watch_account(&self, account: AccountId) -> watch::Receiver<u64> {
        self.inner.watch_account(account)
    }
    through! {
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
        fetch(mailbox: MailboxId, ranges: Vec<UidRange>, wanted: Wanted) -> Vec<Fetched>;
        read_parts(parts: Vec<(BlobId, std::ops::Range<u64>)>, most: u64) -> Vec<Option<Bytes>>;
        read(blob: BlobId, start: u64, end: u64) -> Bytes;
        change_flags(mailbox: MailboxId, change: FlagChange) -> FlagOutcome;
        copy(from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> CopyOutcome;
        move_messages(from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> CopyOutcome;
        expunge(mailbox: MailboxId, ranges: Vec<UidRange>, any: bool) -> Expunged;
        usage(account: AccountId) -> Usage;
        find_text(needle: String, among: Vec<BlobId>) -> Option<Vec<BlobId>>;
    }
}

impl SendingStore for Wrapped {
    fn accept(&self, message: Delivery, notices: Vec<Delivery>, meter: Option<Meter>) -> Pending<'_, Submitted> {
        Box::pin(async move {
            self.enter().await?;
            self.inner.accept(message, notices, meter).await
        })
    }
    fn has_written_to(&self, address: Address) -> Pending<'_, bool> {
        self.correspondents.fetch_add(1, Ordering::Relaxed);
        self.inner.has_written_to(address)
    }
    through! {
        senders() -> Vec<SenderRecord>;
        sender(scope: Scope) -> SenderRecord;
        sent(scope: Scope) -> SentRecord;
        set_send_limits(scope: Scope, change: PerMeasure<Option<Option<u64>>>) -> LimitChanges;
        freeze(account: AccountId, why: String) -> bool;
        froze_all(account: AccountId) -> ();
        unfreeze(account: AccountId) -> bool;
    }
}
