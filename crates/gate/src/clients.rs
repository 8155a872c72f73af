//! What users' programs logged in over: counted by day, door and version of TLS, so that it can be said that no login of a month
//! was below what is safe, and which doors nobody uses. No user and no address is in that. Beside it, the day of each account's last
//! login, so that accounts are found that nobody uses.
//!
//! **In**: every login that succeeded, by whatever protocol ([`Clients::beside`]), but those of the audit's own account, which are no
//! user's. **Out**: [`Seen`]: since when is counted, and
//! what was. Days are those of UTC.
//!
//! **Limits**: `limits::CLIENT_DAYS` are looked back; `limits::CLIENT_RECORDS_MAX` days have a record, which has at most a line for
//! each door, carrier and side; `limits::CLIENT_ACCOUNTS_MAX` accounts, each for `limits::CLIENT_LAST_DAYS`.
//!
//! **Failure**: counting never waits. What can't be written is tried again; a kill forgets the logins of the last
//! `limits::CLIENTS_WRITE_TIME`, and nothing else. Where something that was written can't be read, it isn't known any more what
//! was counted: counting begins anew, and says so.

use bytes::Bytes;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    AUDIT_LOCAL, CLIENT_ACCOUNTS_MAX, CLIENT_DAYS, CLIENT_LAST_DAYS, CLIENT_MONTH, CLIENT_RECORDS_MAX,
    CLIENTS_WRITE_TIME, PAGE_ROWS_MAX, SHELF_CHANGES_MAX,
};
use mailward_core::{AccountId, Clock, Listener, Peer, Shutdown, Timestamp};
use mailward_directory::{Attempt, Before, Failed, LoginWatch};
use mailward_store::behind::{Behind, now_and_then};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{DirectoryStore, ShelfStore, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What carried a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Carrier {
    /// RFC 8446.
    #[serde(rename = "TLSv1.3")]
    Tls13,
    /// RFC 5246.
    #[serde(rename = "TLSv1.2")]
    Tls12,
    /// Another version of TLS, whichever.
    #[serde(rename = "other")]
    OtherTls,
    /// Nothing that says so.
    #[serde(rename = "none")]
    Clear,
}

impl Carrier {
    /// Of the version that a handshake agreed on.
    #[must_use]
    pub fn of(version: Option<&str>) -> Self {
        match version {
            Some("TLSv1.3") => Self::Tls13,
            Some("TLSv1.2") => Self::Tls12,
            Some(_) => Self::OtherTls,
            None => Self::Clear,
        }
    }

    /// `TLSv1.3`, `TLSv1.2`, `other`, `none`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls13 => "TLSv1.3",
            Self::Tls12 => "TLSv1.2",
            Self::OtherTls => "other",
            Self::Clear => "none",
        }
    }
}

/// What is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kind {
    /// The door that they came by.
    pub door: Listener,
    /// What carried them.
    pub carrier: Carrier,
    /// Whether they came from this host itself.
    pub here: bool,
}

/// Logins of a kind of which there were some within `limits::CLIENT_DAYS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Which.
    pub kind: Kind,
    /// How many of today and the `limits::CLIENT_MONTH` days before.
    pub logins: u64,
    /// The day of the last ones.
    pub last: Timestamp,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Since when every login is counted.
    pub begun: Timestamp,
    /// Whether nobody could log in before that: there was no domain and no account.
    pub from_first: bool,
    /// What there was.
    pub sums: Vec<Sum>,
    /// The day of each account's last login, of those that had one since.
    pub last: HashMap<AccountId, Timestamp>,
    /// Not all of those had room.
    pub is_full: bool,
}

/// Since when is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    at: Timestamp,
    from_first: bool,
}

/// A line of a day's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    kind: Kind,
    logins: u64,
}

type Day = BTreeMap<Kind, u64>;

#[derive(Debug)]
struct Inner {
    begun: Begun,
    begun_written: bool,
    /// By the number of the day since 1970.
    days: BTreeMap<i64, Day>,
    unwritten: BTreeSet<i64>,
    /// The day of each account's last login, and of which that isn't written.
    last: HashMap<AccountId, i64>,
    last_unwritten: BTreeSet<AccountId>,
    is_full: bool,
}

/// See the [module](self). One for the whole server.
pub struct Clients {
    shelf: Arc<dyn ShelfStore>,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    behind: Behind,
    /// One writes at a time.
    writing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clients")
    }
}

const BEGUN: &str = "begun";
const DAY: i64 = 86_400;

impl Clients {
    /// With what was written before. `users`: who could have logged in already, where nothing was counted yet.
    ///
    /// # Errors
    /// The store's. What can't be read is told, and counting begins anew.
    pub async fn open(
        shelf: Arc<dyn ShelfStore>,
        users: &dyn DirectoryStore,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> Result<Arc<Self>, StoreError> {
        let (mut begun, mut days, mut last, mut is_whole) = (None, BTreeMap::new(), HashMap::new(), true);
        let (mut is_new, mut after) = (true, None);
        loop {
            let page = shelf.shelf(Shelf::Clients, after, PAGE_ROWS_MAX).await?;
            for record in &page {
                is_new = false;
                match read(record) {
                    Some(Read::Begun(at)) => begun = Some(at),
                    Some(Read::Day(number, day)) => drop(days.insert(number, day)),
                    Some(Read::Last(account, day)) => drop(last.insert(account, day)),
                    None => {
                        is_whole = false;
                        events.emit(Event::alert("clients.unreadable").with("record", &record.key));
                    }
                }
            }
            let Some(newest) = page.into_iter().next_back() else { break };
            after = Some(newest.key);
        }
        let (begun, begun_written) = match begun.filter(|_| is_whole) {
            Some(begun) => (begun, true),
            None => {
                let nobody = is_new && users.domains().await?.is_empty() && users.accounts().await?.is_empty();
                (Begun { at: clock.now(), from_first: nobody }, false)
            }
        };
        let (unwritten, last_unwritten) = (BTreeSet::new(), BTreeSet::new());
        let inner = Mutex::new(Inner { begun, begun_written, days, unwritten, last, last_unwritten, is_full: false });
        let (behind, writing) = (Behind::new(events, "clients.unwritten"), tokio::sync::Mutex::default());
        let clients = Arc::new(Self { shelf, clock, inner, behind, writing });
        if !begun_written {
            clients.save_or_tell().await;
        }
        Ok(clients)
    }

    /// Watches logins as that one does, and counts those that succeed.
    #[must_use]
    pub fn beside(self: &Arc<Self>, watch: Arc<dyn LoginWatch>) -> Arc<dyn LoginWatch> {
        Arc::new(Counting { clients: Arc::clone(self), watch })
    }

    fn count(&self, kind: Kind, account: Option<AccountId>) {
        let today = self.today();
        let mut inner = self.inner();
        if let Some(account) = account {
            inner.note_last(account, today);
        }
        let logins = inner.days.entry(today).or_default().entry(kind).or_default();
        *logins = logins.saturating_add(1);
        inner.unwritten.insert(today);
        // The oldest goes, not what is far from today: a clock that was wrong for a moment must not make a month forgotten.
        while inner.days.len() > CLIENT_RECORDS_MAX {
            inner.days.pop_first();
        }
    }

    /// What was counted.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let (today, inner) = (self.today(), self.inner());
        let mut sums: BTreeMap<Kind, (u64, i64)> = BTreeMap::new();
        for (day, counts) in inner.days.iter().filter(|(day, _)| is_within(**day, today, CLIENT_DAYS)) {
            for (kind, logins) in counts {
                let (sum, last) = sums.entry(*kind).or_default();
                *last = *day;
                if is_within(*day, today, CLIENT_MONTH) {
                    *sum = sum.saturating_add(*logins);
                }
            }
        }
        let at = |day: i64| Timestamp::from_secs(day.saturating_mul(DAY));
        let sums = sums.into_iter().map(|(kind, (logins, day))| Sum { kind, logins, last: at(day) }).collect();
        let last = inner.last.iter().map(|(account, day)| (*account, at(*day))).collect();
        Seen { begun: inner.begun.at, from_first: inner.begun.from_first, sums, last, is_full: inner.is_full }
    }

    /// Writes what changed since it was written last.
    ///
    /// # Errors
    /// What the store says; it will be tried again.
    pub async fn save(&self) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        loop {
            let taken = self.inner().take();
            if taken.changes.is_empty() {
                return Ok(());
            }
            let done = self.shelf.change_shelf(taken.changes).await;
            let mut inner = self.inner();
            if let Err(error) = done {
                inner.unwritten.extend(taken.days);
                inner.last_unwritten.extend(taken.accounts);
                return Err(error);
            }
            inner.begun_written = true;
        }
    }

    /// Writes every `limits::CLIENTS_WRITE_TIME` until the word to stop. Whoever stops the server saves once more, when all
    /// sessions are over ([`Clients::save_or_tell`]).
    pub async fn keep(self: Arc<Self>, shutdown: Shutdown) {
        now_and_then(CLIENTS_WRITE_TIME, shutdown, || self.save_or_tell()).await;
    }

    /// Writes; that it can't be is told, once until it can.
    pub async fn save_or_tell(&self) {
        self.behind.tell(self.save().await);
    }

    fn today(&self) -> i64 {
        self.clock.now().secs().div_euclid(DAY)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each step is whole: it stays true if a holder of the lock panicked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be written in one commit.
struct Taken {
    changes: Vec<ShelfChange>,
    days: BTreeSet<i64>,
    accounts: BTreeSet<AccountId>,
}

impl Inner {
    /// Each account is noted once a day: most logins write nothing for it.
    fn note_last(&mut self, account: AccountId, today: i64) {
        let is_known = self.last.contains_key(&account);
        if !is_known && self.last.len() >= CLIENT_ACCOUNTS_MAX {
            self.last.retain(|_, day| is_within(*day, today, CLIENT_LAST_DAYS));
            self.is_full = self.last.len() >= CLIENT_ACCOUNTS_MAX;
            if self.is_full {
                return;
            }
        }
        if self.last.insert(account, today) != Some(today) {
            self.last_unwritten.insert(account);
        }
    }

    fn take(&mut self) -> Taken {
        let days = std::mem::take(&mut self.unwritten);
        let mut changes = Vec::new();
        if !self.begun_written {
            changes.push(put(BEGUN.to_owned(), &self.begun, None));
        }
        changes.extend(days.iter().filter_map(|day| Some(written(*day, self.days.get(day)?))));
        let room = SHELF_CHANGES_MAX.saturating_sub(changes.len());
        let accounts: BTreeSet<AccountId> = self.last_unwritten.iter().take(room).copied().collect();
        for account in &accounts {
            self.last_unwritten.remove(account);
        }
        changes.extend(accounts.iter().filter_map(|account| Some(last_of(*account, *self.last.get(account)?))));
        Taken { changes, days, accounts }
    }
}

/// Today, so many days before it, and tomorrow: a clock may be set back a little.
const fn is_within(day: i64, today: i64, days: i64) -> bool {
    let age = today.saturating_sub(day);
    age >= -1 && age <= days
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Begun(Begun),
    Day(i64, Day),
    Last(AccountId, i64),
}

const PREFIX: &str = "day/";
const LAST: &str = "last/";

/// `None`: not ours to read, or from another version.
fn read(record: &Shelved) -> Option<Read> {
    if record.key == BEGUN {
        return serde_json::from_slice(&record.value).ok().map(Read::Begun);
    }
    if let Some(number) = record.key.strip_prefix(LAST) {
        let account = number.parse::<i64>().ok().filter(|account| account.to_string() == number)?;
        return Some(Read::Last(AccountId(account), serde_json::from_slice(&record.value).ok()?));
    }
    let text = record.key.strip_prefix(PREFIX)?;
    let day = Timestamp::of_day(text).filter(|day| day.text().get(..10) == Some(text))?.secs().div_euclid(DAY);
    let lines: Vec<Line> = serde_json::from_slice(&record.value).ok()?;
    let mut counts = Day::new();
    for Line { kind, logins } in lines {
        // A kind stands there once; who wrote it otherwise wasn't us.
        if counts.insert(kind, logins).is_some() {
            return None;
        }
    }
    Some(Read::Day(day, counts))
}

fn written(day: i64, counts: &Day) -> ShelfChange {
    let began = day.saturating_mul(DAY);
    let over = began.saturating_add(CLIENT_DAYS.saturating_add(2).saturating_mul(DAY));
    let text = Timestamp::from_secs(began).text();
    let lines: Vec<Line> = counts.iter().map(|(kind, logins)| Line { kind: *kind, logins: *logins }).collect();
    put(format!("{PREFIX}{}", text.get(..10).unwrap_or_default()), &lines, Some(Timestamp::from_secs(over)))
}

fn last_of(account: AccountId, day: i64) -> ShelfChange {
    let over = day.saturating_add(CLIENT_LAST_DAYS).saturating_mul(DAY);
    put(format!("{LAST}{}", account.0), &day, Some(Timestamp::from_secs(over)))
}

fn put(key: String, value: &impl Serialize, expires: Option<Timestamp>) -> ShelfChange {
    // Texts and numbers always become JSON.
    let value = Bytes::from(serde_json::to_vec(value).unwrap_or_default());
    ShelfChange::Put(Shelf::Clients, Shelved { key, value, expires })
}

/// What stands on the shelf, however it came there, is read or left out: for property tests and fuzzing.
#[must_use]
pub fn reads_back(key: &str, value: &[u8]) -> bool {
    let record = Shelved { key: key.to_owned(), value: Bytes::copy_from_slice(value), expires: None };
    let again = |change| match change {
        ShelfChange::Put(Shelf::Clients, record) => read(&record),
        _ => None,
    };
    match read(&record) {
        None => true,
        Some(Read::Begun(begun)) => again(put(BEGUN.to_owned(), &begun, None)) == Some(Read::Begun(begun)),
        Some(Read::Last(account, day)) => again(last_of(account, day)) == Some(Read::Last(account, day)),
        Some(Read::Day(day, counts)) => again(written(day, &counts)) == Some(Read::Day(day, counts)),
    }
}

/// One watch that counts, before another.
struct Counting {
    clients: Arc<Clients>,
    watch: Arc<dyn LoginWatch>,
}

impl LoginWatch for Counting {
    fn before(&self, attempt: &Attempt<'_>) -> Before {
        self.watch.before(attempt)
    }
    fn again(&self, attempt: &Attempt<'_>) -> Before {
        self.watch.again(attempt)
    }
    fn succeeded(&self, attempt: &Attempt<'_>) {
        let is_audit = attempt.account.is_some_and(|(_, address)| address.local().as_str().starts_with(AUDIT_LOCAL));
        if !is_audit {
            let here = attempt.peer.address.is_none_or(|ip| ip.to_canonical().is_loopback());
            let kind = Kind { door: attempt.peer.listener, carrier: Carrier::of(attempt.tls), here };
            self.clients.count(kind, attempt.account.map(|(account, _)| account));
        }
        self.watch.succeeded(attempt);
    }
    fn failed(&self, attempt: &Attempt<'_>, why: Failed) {
        self.watch.failed(attempt, why);
    }
    fn malformed(&self, peer: &Peer) {
        self.watch.malformed(peer);
    }
}

#[cfg(test)]
mod tests;
