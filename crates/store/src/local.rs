//! The embedded store: one host, one database, packs beside it.

use crate::api::{DirectoryStore, KeyStore, MailStore, Pending, StoreError};
use crate::apply::{directory, flags, keys, mailboxes, messages, sharing};
use crate::committer::{Committer, Job, Placing};
use crate::departed::Departed;
use crate::fault::Witness;
use crate::index::{self, Bell, Index, Wiring};
use crate::news::News;
use crate::pack::files::PackFiles;
use crate::readers::{Reader, Readers};
use crate::records::{
    Accepted, AccountChange, AccountRecord, AliasChange, AliasRecord, AppendOutcome, Blob, Changes, Content,
    CopyOutcome, Delivery, Destination, DkimChange, DkimKeyRecord, DomainChange, DomainRecord, Expunged, Fetched,
    FlagChange, FlagOutcome, MailboxRecord, MessageRecord, Metadata, MetadataChange, NewMessage, Opened, Rights,
    UidRange, Usage, Wanted,
};
use crate::space::Space;
use crate::syncer::Syncer;
use crate::tx::{BlobIds, Placed, Tx, int, unsigned};
use crate::{reads, recovery, rows, schema};
use bytes::Bytes;
use mailward_core::event::Events;
use mailward_core::limits::{COMMIT_QUEUE_MAX, PACK_SIZE_MAX, PAGE_ROWS_MAX, READERS};
use mailward_core::{AccountId, BlobId, Clock, DomainId, MailboxId, MailboxName, ModSeq, SystemClock, Timestamp, Uid};
use rusqlite::params;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, watch};

/// What the store is given.
pub struct Options {
    /// Where alerts go.
    pub events: Events,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Size at which a pack is closed, bytes; at most `limits::PACK_SIZE_MAX`.
    pub pack_size: u64,
    /// Pages of the write-ahead log (4 KiB each) after which a commit also moves them into the database.
    pub checkpoint_pages: u32,
    /// Bytes by which the write-ahead log is grown when it is opened, so that commits write no file-system metadata;
    /// 0: it grows as it is written. A server gives `limits::LOG_AHEAD`.
    pub log_ahead: u64,
    /// Whether messages are indexed for searching, by a thread of its own.
    pub index: bool,
    /// Told of each instant of a commit; for tests.
    pub witness: Option<Arc<dyn Witness>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            events: Events::nowhere(),
            clock: Arc::new(SystemClock),
            pack_size: PACK_SIZE_MAX,
            checkpoint_pages: 4_000,
            log_ahead: 0,
            index: true,
            witness: None,
        }
    }
}

/// The embedded store.
pub struct LocalStore {
    dir: PathBuf,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    readers: Readers,
    index: Index,
    files: Arc<PackFiles>,
    departed: Arc<Departed>,
    news: Arc<News>,
    space: Arc<Space>,
    closed: Arc<AtomicBool>,
    cut_off: bool,
    clock: Arc<dyn Clock>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// Held as long as the store is open.
    _lock: File,
}

impl LocalStore {
    /// Opens the store in a directory, makes it if there is none, and recovers it after a crash.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process has it; what the file system or database says.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>, StoreError> {
        let io = |path: &Path| {
            let shown = path.display().to_string();
            move |e| StoreError::Io(shown, e)
        };
        let packs = dir.join("packs");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&packs).map_err(io(&packs))?;
        let lock = lock(dir)?;
        let database = dir.join("mailward.db");
        let connection = schema::open_writer(&database)?;
        connection.pragma_update(None, "wal_autocheckpoint", options.checkpoint_pages)?;
        let cut_off = recovery::begin(&connection)?;
        restrict(&database)?;
        schema::grow_log(&database, options.log_ahead)?;
        let files = Arc::new(PackFiles::new(packs));
        recovery::drop_unproven(&connection, &files, options.clock.now(), &options.events)?;
        let pack =
            recovery::open_packs(&connection, &files, &dir.join("lost-and-found"), options.pack_size, &options.events)?;
        let found = index::find(&connection, dir, options.index, &options.events)?;
        let ids = BlobIds::after(&connection, found.upto)?;
        crate::pack::files::sync_dir(dir)?;
        let readers = Readers::start(&database, READERS)?;
        let (jobs, waiting) = mpsc::channel(COMMIT_QUEUE_MAX);
        let news = Arc::new(News::new());
        let departed = Arc::new(Departed::default());
        let space = Arc::new(Space::new(dir.to_owned()));
        let closed = Arc::new(AtomicBool::new(false));
        let bell = Arc::new(Bell::new(ids.last()));
        let wiring = Wiring {
            files: Arc::clone(&files),
            space: Arc::clone(&space),
            events: options.events.clone(),
            checkpoint_pages: options.checkpoint_pages,
            witness: options.witness.clone(),
        };
        let index = Index::start(dir, found, Arc::clone(&bell), wiring)?;
        let committer = Committer {
            jobs: waiting,
            connection,
            ids,
            pack,
            syncer: Syncer::start()?,
            clock: Arc::clone(&options.clock),
            news: Arc::clone(&news),
            index: bell,
            departed: Arc::clone(&departed),
            space: Arc::clone(&space),
            closed: Arc::clone(&closed),
            events: options.events,
            witness: options.witness,
        };
        let thread = std::thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn(move || committer.run())
            .map_err(|e| StoreError::Io("starting a thread".to_owned(), e))?;
        Ok(Arc::new(Self {
            dir: dir.to_owned(),
            jobs: Mutex::new(Some(jobs)),
            readers,
            index,
            files,
            departed,
            news,
            space,
            closed,
            cut_off,
            clock: options.clock,
            committer: Mutex::new(Some(thread)),
            _lock: lock,
        }))
    }

    /// Commits what waits, takes no more, and ends the threads. Safe to call twice.
    pub async fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.readers.close();
        let thread = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A committer that panicked has answered nobody since; there is nothing left to wait for.
            let _ended = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        self.index.close().await;
        self.closed.store(true, Ordering::Release);
    }

    /// Comes when every message of now is in the search index, or in its list of those that can't be; at once without
    /// an index. For tests and measurements.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub fn indexed(&self) -> Pending<'static, ()> {
        self.index.caught_up()
    }
    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Whether it has stopped, of itself (a sync failed) or by [`LocalStore::close`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
    /// Whether the process that had it open before ended in the middle of its work: killed, crashed, or without power.
    #[must_use]
    pub const fn was_cut_off(&self) -> bool {
        self.cut_off
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
    pub(crate) fn news(&self) -> &News {
        &self.news
    }
    pub(crate) fn files(&self) -> &Arc<PackFiles> {
        &self.files
    }

    pub(crate) fn submit<T: Send + 'static>(
        &self,
        contents: Vec<Content>,
        placing: Placing,
        work: impl FnOnce(&mut Tx<'_>, &[Placed]) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'static, T> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let jobs = jobs.ok_or(StoreError::Closed)?;
            let (job, answer) = Job::new(contents, placing, work);
            jobs.send(job).await.map_err(|_| StoreError::Closed)?;
            drop(jobs);
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }

    pub(crate) fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'static, T> {
        self.submit(Vec::new(), Placing::Once, move |tx, _| work(tx))
    }

    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'static, T> {
        self.readers.ask(question)
    }

    /// A question that reads packs: once more if one was rewritten between the look and the read.
    fn ask_packs<T: Send + 'static>(
        &self,
        question: impl Fn(&Reader, &PackFiles) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'static, T> {
        let files = Arc::clone(&self.files);
        self.ask(move |reader| {
            question(reader, &files).or_else(|error| match error {
                StoreError::Io(..) => question(reader, &files),
                other => Err(other),
            })
        })
    }
}

/// One process at a time.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let io = |e| StoreError::Io(path.display().to_string(), e);
    let file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(dir.display().to_string())),
        Err(std::fs::TryLockError::Error(e)) => Err(io(e)),
    }
}

/// The database is for us alone; SQLite gives its log the same mode.
fn restrict(database: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    for suffix in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{suffix}", database.display()));
        match std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Io(path.display().to_string(), e));
            }
            _ => {}
        }
    }
    Ok(())
}

impl MailStore for LocalStore {
    fn deliver(&self, delivery: Delivery) -> Pending<'_, Accepted> {
        let (content, places) = delivery.split();
        self.submit(vec![content], Placing::Once, move |tx, placed| {
            let placed = placed.first().ok_or(StoreError::Refused("there is no message"))?;
            messages::deliver(tx, placed, &places)
        })
    }

    fn append(&self, to: Destination, new: Vec<NewMessage>) -> Pending<'_, AppendOutcome> {
        let contents = new.iter().map(|m| m.content.clone()).collect();
        self.submit(contents, Placing::Once, move |tx, placed| messages::append(tx, placed, &to, &new))
    }

    fn admit(&self, size: u64) -> Result<(), StoreError> {
        if self.is_closed() { Err(StoreError::Closed) } else { self.space.admit(size) }
    }

    fn mailboxes(&self, account: AccountId) -> Pending<'_, Vec<MailboxRecord>> {
        self.ask(move |reader| reader.moment(|reader| reads::mailboxes(reader, account)))
    }

    fn mailbox(&self, account: AccountId, name: MailboxName) -> Pending<'_, MailboxRecord> {
        self.ask(move |reader| {
            reader.moment(|reader| {
                let found = reader.row(rows::MAILBOX_BY_NAME, params![account.0, name.as_str()], rows::mailbox)?;
                reads::with_keywords(reader, found.ok_or(StoreError::NotFound("mailbox"))?)
            })
        })
    }

    fn mailbox_by_id(&self, mailbox: MailboxId) -> Pending<'_, MailboxRecord> {
        self.ask(move |reader| {
            reader.moment(|reader| {
                let found = reader.row(rows::MAILBOX_BY_ID, params![mailbox.0], rows::mailbox)?;
                reads::with_keywords(reader, found.ok_or(StoreError::NotFound("mailbox"))?)
            })
        })
    }

    fn create_mailbox(
        &self,
        account: AccountId,
        name: MailboxName,
        special_use: Option<String>,
    ) -> Pending<'_, MailboxRecord> {
        self.change(move |tx| mailboxes::create(tx, account, &name, special_use.as_deref()))
    }

    fn delete_mailbox(&self, account: AccountId, name: MailboxName) -> Pending<'_, ()> {
        self.change(move |tx| mailboxes::delete(tx, account, &name))
    }

    fn rename_mailbox(&self, account: AccountId, from: MailboxName, to: MailboxName) -> Pending<'_, ()> {
        self.change(move |tx| mailboxes::rename(tx, account, &from, &to))
    }

    fn subscribe(&self, account: AccountId, name: MailboxName, subscribed: bool) -> Pending<'_, ()> {
        self.change(move |tx| mailboxes::subscribe(tx, account, &name, subscribed))
    }

    fn subscriptions(&self, account: AccountId) -> Pending<'_, Vec<MailboxName>> {
        self.ask(move |reader| {
            reader.rows("SELECT name FROM subscriptions WHERE account = ?1 ORDER BY name", params![account.0], |row| {
                rows::name(row.get(0)?, 0)
            })
        })
    }

    fn open(&self, mailbox: MailboxId) -> Pending<'_, Opened> {
        self.ask(move |reader| reader.moment(|reader| reads::open(reader, mailbox)))
    }

    fn messages(&self, mailbox: MailboxId, ranges: Vec<UidRange>, limit: usize) -> Pending<'_, Vec<MessageRecord>> {
        self.ask(move |reader| reader.moment(|reader| reads::messages(reader, mailbox, &ranges, limit)))
    }

    fn changes_since(&self, mailbox: MailboxId, since: ModSeq) -> Pending<'_, Changes> {
        self.ask(move |reader| reader.moment(|reader| changes(reader, mailbox, since)))
    }

    fn blobs(&self, blobs: Vec<BlobId>) -> Pending<'_, Vec<Blob>> {
        self.ask(move |reader| reader.moment(|reader| reads::blobs(reader, &blobs)))
    }

    fn fetch(&self, mailbox: MailboxId, ranges: Vec<UidRange>, wanted: Wanted) -> Pending<'_, Vec<Fetched>> {
        self.ask_packs(move |reader, files| {
            reader.moment(|reader| reads::fetch(reader, files, mailbox, &ranges, wanted))
        })
    }

    fn read(&self, blob: BlobId, start: u64, end: u64) -> Pending<'_, Bytes> {
        self.ask_packs(move |reader, files| reads::read(reader, files, None, blob, start, end))
    }

    fn read_on(&self, blob: BlobId, start: u64, end: u64) -> Pending<'_, Bytes> {
        let departed = Arc::clone(&self.departed);
        self.ask_packs(move |reader, files| reads::read(reader, files, Some(&departed), blob, start, end))
    }

    fn read_parts(&self, parts: Vec<(BlobId, Range<u64>)>, most: u64) -> Pending<'_, Vec<Option<Bytes>>> {
        self.ask_packs(move |reader, files| reader.moment(|reader| reads::read_parts(reader, files, &parts, most)))
    }

    fn find_text(&self, needle: String, among: Vec<BlobId>) -> Pending<'_, Option<Vec<BlobId>>> {
        self.index.find(needle, among)
    }

    fn change_flags(&self, mailbox: MailboxId, change: FlagChange) -> Pending<'_, FlagOutcome> {
        self.change(move |tx| flags::change(tx, mailbox, &change))
    }

    fn copy(&self, from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> Pending<'_, CopyOutcome> {
        self.change(move |tx| messages::copy(tx, from, &ranges, to, false))
    }

    fn move_messages(&self, from: MailboxId, ranges: Vec<UidRange>, to: MailboxId) -> Pending<'_, CopyOutcome> {
        self.change(move |tx| messages::copy(tx, from, &ranges, to, true))
    }

    fn replace(&self, old: (MailboxId, Uid), to: MailboxId, new: NewMessage) -> Pending<'_, AppendOutcome> {
        let contents = vec![new.content.clone()];
        self.submit(contents, Placing::Before, move |tx, placed| messages::replace(tx, placed, old, to, &new))
    }

    fn expunge(&self, mailbox: MailboxId, ranges: Vec<UidRange>, any: bool) -> Pending<'_, Expunged> {
        self.change(move |tx| messages::expunge(tx, mailbox, &ranges, any))
    }

    fn watch(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        self.news.watch(mailbox)
    }

    fn watch_account(&self, account: AccountId) -> watch::Receiver<u64> {
        self.news.watch_account(account)
    }

    fn rights(&self, mailbox: MailboxId) -> Pending<'_, Vec<(AccountId, Rights)>> {
        self.ask(move |reader| reads::rights(reader, mailbox))
    }

    fn set_rights(&self, mailbox: MailboxId, account: AccountId, rights: Rights) -> Pending<'_, ()> {
        self.change(move |tx| sharing::set_rights(tx, mailbox, account, rights))
    }

    fn shared_with(&self, account: AccountId) -> Pending<'_, Vec<(MailboxRecord, Rights)>> {
        self.ask(move |reader| reader.moment(|reader| reads::shared_with(reader, account)))
    }

    fn metadata(&self, account: AccountId, mailbox: Option<MailboxId>) -> Pending<'_, Vec<Metadata>> {
        self.ask(move |reader| reads::metadata(reader, account, mailbox))
    }

    fn annotate(&self, mailbox: Option<MailboxId>, changes: Vec<MetadataChange>) -> Pending<'_, ()> {
        self.change(move |tx| sharing::annotate(tx, mailbox, &changes))
    }

    fn usage(&self, account: AccountId) -> Pending<'_, Usage> {
        self.ask(move |reader| {
            reader
                .row(
                    "SELECT bytes, messages, quota_bytes, quota_messages FROM usage WHERE account = ?1",
                    params![account.0],
                    |row| {
                        Ok(Usage {
                            bytes: unsigned(row.get(0)?),
                            messages: unsigned(row.get(1)?),
                            quota_bytes: unsigned(row.get(2)?),
                            quota_messages: unsigned(row.get(3)?),
                        })
                    },
                )?
                .ok_or(StoreError::NotFound("account"))
        })
    }
}

fn changes(reader: &Reader, mailbox: MailboxId, since: ModSeq) -> Result<Changes, StoreError> {
    let now = reader
        .row("SELECT mod_seq FROM mailboxes WHERE id = ?1", params![mailbox.0], |row| {
            Ok(ModSeq(unsigned(row.get(0)?)))
        })?
        .ok_or(StoreError::NotFound("mailbox"))?;
    let page = int(PAGE_ROWS_MAX as u64).saturating_add(1);
    let mut changed = reader.rows(rows::MESSAGES_CHANGED, params![mailbox.0, int(since.0), page], rows::message)?;
    let first = first_after(reader, mailbox, since)?;
    changed.extend(reader.rows(rows::MESSAGES_AS_THEY_CAME, params![mailbox.0, first.0, page], rows::message)?);
    changed.sort_unstable_by_key(|m| m.mod_seq);
    let mut vanished = reader.rows(
        "SELECT uid, mod_seq FROM expunged WHERE mailbox = ?1 AND mod_seq > ?2 ORDER BY mod_seq LIMIT ?3",
        params![mailbox.0, int(since.0), page],
        |row| Ok((Uid(row.get(0)?), ModSeq(unsigned(row.get(1)?)))),
    )?;
    // Every change has a modification sequence of its own, so a page can end after any of them.
    let mut upto = now;
    if changed.len() > PAGE_ROWS_MAX {
        changed.truncate(PAGE_ROWS_MAX);
        upto = upto.min(changed.last().map_or(since, |m| m.mod_seq));
    }
    if vanished.len() > PAGE_ROWS_MAX {
        vanished.pop();
        upto = upto.min(vanished.last().map_or(since, |(_, at)| *at));
    }
    changed.retain(|m| m.mod_seq <= upto);
    changed.sort_unstable_by_key(|m| m.uid);
    let mut vanished: Vec<Uid> = vanished.into_iter().filter(|(_, at)| *at <= upto).map(|(uid, _)| uid).collect();
    vanished.sort_unstable();
    let keywords = reader.rows(rows::KEYWORDS, params![mailbox.0], |row| row.get(1))?;
    Ok(Changes { changed, vanished, mod_seq: Some(upto), more: upto < now, keywords })
}

/// UID of the first message that came after `since`: by halving, as `came` rises with the UIDs.
fn first_after(reader: &Reader, mailbox: MailboxId, since: ModSeq) -> Result<Uid, StoreError> {
    let (mut low, mut high) = (1u32, u32::MAX);
    while low < high {
        let middle = low.midpoint(high);
        let found = reader.row(
            "SELECT uid, came FROM messages WHERE mailbox = ?1 AND uid >= ?2 ORDER BY uid LIMIT 1",
            params![mailbox.0, middle],
            |row| Ok((row.get::<_, u32>(0)?, ModSeq(unsigned(row.get(1)?)))),
        )?;
        match found {
            Some((uid, came)) if came <= since => low = uid.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(Uid(low))
}

impl DirectoryStore for LocalStore {
    fn directory_version(&self) -> watch::Receiver<u64> {
        self.news.watch_directory()
    }
    fn domains(&self) -> Pending<'_, Vec<DomainRecord>> {
        self.ask(|reader| reader.rows(directory::DOMAINS, [], directory::domain))
    }
    fn accounts(&self) -> Pending<'_, Vec<AccountRecord>> {
        self.ask(|reader| reader.rows(directory::ACCOUNTS, [], directory::account))
    }
    fn aliases(&self) -> Pending<'_, Vec<AliasRecord>> {
        self.ask(|reader| reader.rows(directory::ALIASES, [], directory::alias))
    }
    fn change_domain(&self, change: DomainChange) -> Pending<'_, DomainRecord> {
        self.change(move |tx| directory::change_domain(tx, &change))
    }
    fn change_account(&self, change: AccountChange) -> Pending<'_, AccountRecord> {
        self.change(move |tx| directory::change_account(tx, &change))
    }
    fn change_alias(&self, change: AliasChange) -> Pending<'_, AliasRecord> {
        self.change(move |tx| directory::change_alias(tx, &change))
    }
}

impl KeyStore for LocalStore {
    fn keys_version(&self) -> watch::Receiver<u64> {
        self.news.watch_directory()
    }
    fn dkim_keys(&self, domain: Option<DomainId>) -> Pending<'_, Vec<DkimKeyRecord>> {
        self.ask(move |reader| match domain {
            Some(domain) => reader.rows(keys::DKIM_KEYS_OF, params![domain.0], keys::dkim_key),
            None => reader.rows(keys::DKIM_KEYS, [], keys::dkim_key),
        })
    }
    fn change_dkim_keys(&self, change: DkimChange) -> Pending<'_, Vec<DkimKeyRecord>> {
        self.change(move |tx| keys::change_dkim(tx, &change))
    }
}
