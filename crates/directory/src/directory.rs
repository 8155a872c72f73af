//! The directory in memory, kept as fresh as the store.

use crate::auth::Login;
use crate::error::DirectoryError;
use crate::routes::Routes;
use crate::snapshot::{AccountEntry, Name, Snapshot, fold};
use arc_swap::ArcSwap;
use mailward_core::event::{Event, Events};
use mailward_core::{AccountId, Address, Domain, LocalPart};
use mailward_store::{DirectoryStore, StoreError};
use mailward_vault::Hasher;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

/// Wait before the store is asked again after it failed.
const RETRY_TIME: Duration = Duration::from_secs(1);
/// Readings of one refresh, at most: each is begun anew if the directory changed meanwhile.
const READINGS_MAX: usize = 16;

/// Who is who: a snapshot in memory, kept fresh. Questions are answered without I/O and without locks.
pub struct Directory {
    store: Arc<dyn DirectoryStore>,
    snapshot: ArcSwap<Snapshot>,
    hasher: Hasher,
    /// Version that was read last. Held while reading, so that an older reading never replaces a newer one.
    read: Mutex<Option<u64>>,
    /// Held by administrative functions from the check to the write.
    changing: Mutex<()>,
    events: OnceLock<Events>,
    routes: OnceLock<Arc<Routes>>,
    refresher: OnceLock<AbortHandle>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Directory")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Some(task) = self.refresher.get() {
            task.abort();
        }
    }
}

/// Where mail to an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Mail goes here. At least one target in all, at most `ALIAS_TARGETS_MAX`.
    Deliver {
        /// Accounts of ours, each once for each detail.
        local: Vec<LocalTarget>,
        /// Targets of aliases in others' domains, each once.
        remote: Vec<Address>,
    },
    /// A domain of ours, but nobody there: 550 5.1.1.
    UnknownUser,
    /// An account or domain that is disabled. Strangers get the answer of [`Resolution::UnknownUser`].
    Disabled,
    /// The domain is not ours.
    NotLocal,
    /// Aliases in a circle, too deep or too wide.
    Loop,
}

/// An account that mail goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalTarget {
    /// Whose.
    pub account: AccountId,
    /// What stood after the `+`, if anything did. From outside.
    pub detail: Option<String>,
}

impl Directory {
    /// Reads the directory and keeps it fresh from now on, until the last handle is dropped.
    ///
    /// # Errors
    /// What the store says.
    pub async fn open(store: Arc<dyn DirectoryStore>) -> Result<Arc<Self>, DirectoryError> {
        Self::open_with(store, Hasher::new()).await
    }

    /// [`Directory::open`] with a hasher of the caller's, to share it or give it other limits.
    ///
    /// # Errors
    /// What the store says.
    pub async fn open_with(store: Arc<dyn DirectoryStore>, hasher: Hasher) -> Result<Arc<Self>, DirectoryError> {
        let version = store.directory_version();
        let directory = Arc::new(Self {
            store,
            snapshot: ArcSwap::default(),
            hasher,
            read: Mutex::new(None),
            changing: Mutex::new(()),
            events: OnceLock::new(),
            routes: OnceLock::new(),
            refresher: OnceLock::new(),
        });
        directory.refresh().await?;
        let task = tokio::spawn(keep_fresh(Arc::downgrade(&directory), version));
        // Nobody else sets it: the directory was made above.
        let _first = directory.refresher.set(task.abort_handle());
        Ok(directory)
    }

    /// Tells of failing refreshes there from now on. The first call counts; [`crate::Authenticator`] makes it.
    pub fn report_to(&self, events: Events) {
        let _already = self.events.set(events);
    }

    /// Mail for others is led by these routes from now on. The first call counts, before anybody asks.
    pub fn lead_by(&self, routes: Arc<Routes>) {
        let _already = self.routes.set(routes);
    }

    /// Which mail for others goes another way than by DNS: none before [`Directory::lead_by`].
    #[must_use]
    pub fn routes(&self) -> Arc<Routes> {
        self.routes.get().cloned().unwrap_or_else(Routes::none)
    }

    /// Reads it anew now, whatever its version.
    ///
    /// # Errors
    /// What the store says; the old snapshot stays.
    pub async fn refresh(&self) -> Result<(), DirectoryError> {
        let mut read = self.read.lock().await;
        self.read(&mut read).await
    }

    /// Reads it anew unless the store's version is the one that was read.
    pub(crate) async fn refresh_if_changed(&self) -> Result<(), DirectoryError> {
        let mut read = self.read.lock().await;
        if *read == Some(*self.store.directory_version().borrow()) {
            return Ok(());
        }
        self.read(&mut read).await
    }

    async fn read(&self, read: &mut Option<u64>) -> Result<(), DirectoryError> {
        let mut readings = 0usize;
        loop {
            readings = readings.saturating_add(1);
            let version = *self.store.directory_version().borrow();
            let (domains, accounts, aliases) =
                (self.store.domains().await?, self.store.accounts().await?, self.store.aliases().await?);
            // Three readings are not one: if something changed between them they may contradict each other.
            let unchanged = version == *self.store.directory_version().borrow();
            if !unchanged && readings < READINGS_MAX {
                continue;
            }
            let snapshot = Snapshot::new(domains, accounts, aliases)?;
            self.snapshot.store(Arc::new(snapshot));
            // A directory that never stood still is used as it was read last, and read again.
            *read = unchanged.then_some(version);
            return Ok(());
        }
    }

    /// Where mail to this address goes: account, alias, account of the local part before `+`, alias of it,
    /// postmaster's stand-in, catch-all. No I/O, no lock.
    #[must_use]
    pub fn resolve(&self, address: &Address) -> Resolution {
        self.snapshot.load().resolve(address)
    }
    /// Where mail to `<Postmaster>` without a domain goes (RFC 5321 §4.1.1.3).
    #[must_use]
    pub fn resolve_postmaster(&self) -> Resolution {
        self.snapshot.load().resolve_postmaster()
    }
    /// The whole address that `<Postmaster>` means: the oldest domain's. `None` without domains.
    #[must_use]
    pub fn postmaster(&self) -> Option<Address> {
        self.snapshot.load().postmaster_address()
    }
    /// Whether mail to this domain is ours to take or refuse, never to relay. Also true of a disabled domain.
    #[must_use]
    pub fn is_local_domain(&self, domain: &Domain) -> bool {
        self.snapshot.load().domain(domain).is_some()
    }
    /// The domain of ours that a host belongs to: the one of its name, or of the nearest name above, or the only one there
    /// is. `None` if none of these is there.
    #[must_use]
    pub fn home_of(&self, host: &Domain) -> Option<Domain> {
        let snapshot = self.snapshot.load();
        let mut name = Some(host.as_str());
        while let Some(text) = name {
            if let Some(domain) = Domain::parse(text).ok().and_then(|domain| snapshot.domain(&domain)) {
                return Some(domain.name.clone());
            }
            name = text.split_once('.').map(|(_, above)| above);
        }
        snapshot.only_domain().map(|domain| domain.name.clone())
    }
    /// The account that has exactly this address, if one has.
    #[must_use]
    pub fn account_id(&self, address: &Address) -> Option<AccountId> {
        match self.snapshot.load().name(address) {
            Some(Name::Account(account)) => Some(account.record.id),
            _ => None,
        }
    }
    /// An account's own address.
    #[must_use]
    pub fn address_of(&self, account: AccountId) -> Option<Address> {
        self.snapshot.load().account(account).map(|entry| entry.address.clone())
    }
    /// All accounts of a domain, or of all, with their own addresses; of a domain that isn't ours none.
    #[must_use]
    pub fn accounts_of(&self, domain: Option<&Domain>) -> Vec<(AccountId, Address)> {
        let snapshot = self.snapshot.load();
        snapshot.accounts(domain).into_iter().map(|entry| (entry.record.id, entry.address.clone())).collect()
    }
    /// The account's own address, then aliases that lead to it alone, in order.
    #[must_use]
    pub fn addresses_of(&self, account: AccountId) -> Vec<Address> {
        let snapshot = self.snapshot.load();
        let Some(entry) = snapshot.account(account) else {
            return Vec::new();
        };
        let mut addresses = vec![entry.address.clone()];
        addresses.extend(snapshot.aliases(None).into_iter().map(|alias| alias.address.clone()).filter(|alias| {
            matches!(snapshot.resolve(alias), Resolution::Deliver { local, remote }
                if remote.is_empty() && local.iter().all(|target| target.account == account))
        }));
        addresses
    }
    /// Whether a login still stands: not when the account has been disabled or removed or got another password since.
    #[must_use]
    pub fn stands(&self, login: &Login) -> bool {
        self.snapshot.load().account(login.account()).is_some_and(|account| login.is_of(account))
    }
    /// Whether this login may send as `from`: its own address, with any `+tag`, or an alias that lists it. Not when
    /// the account has been disabled or removed since.
    #[must_use]
    pub fn may_send_as(&self, login: &Login, from: &Address) -> bool {
        let snapshot = self.snapshot.load();
        if !snapshot.account(login.account()).is_some_and(|account| account.record.enabled) {
            return false;
        }
        let reached = |address: &Address| {
            let domain = address.domain().and_then(|d| snapshot.domain(d))?;
            Snapshot::reached(domain, address.local()).map(|(name, _)| name.clone())
        };
        let is_own = |name: Name| matches!(name, Name::Account(account) if account.record.id == login.account());
        match reached(from) {
            Some(Name::Alias(alias)) => alias.targets.iter().filter_map(reached).any(is_own),
            Some(name) => is_own(name),
            None => false,
        }
    }

    /// Who a client means by a user name: a whole address, or a bare local part if there is one domain only.
    /// The name comes back in its canonical form, whether or not it is anybody's.
    pub(crate) fn named(&self, user: &str) -> (String, Option<Arc<AccountEntry>>) {
        let snapshot = self.snapshot.load();
        let address = if user.contains('@') {
            Address::parse(user, true).ok()
        } else {
            let local = LocalPart::parse(user, true).ok();
            local
                .zip(snapshot.only_domain())
                .map(|(local, domain)| Address::new(local, mailward_core::Host::Domain(domain.name.clone())))
        };
        let Some(address) = address else {
            return (user.to_lowercase(), None);
        };
        let canonical = format!("{}@{}", fold(address.local().as_str()), address.host());
        match snapshot.name(&address) {
            Some(Name::Account(account)) => (canonical, Some(Arc::clone(account))),
            _ => (canonical, None),
        }
    }

    /// The account as it is now.
    pub(crate) fn account_now(&self, id: AccountId) -> Option<Arc<AccountEntry>> {
        self.snapshot.load().account(id).cloned()
    }
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }
    pub(crate) fn store(&self) -> &dyn DirectoryStore {
        self.store.as_ref()
    }
    pub(crate) fn hasher(&self) -> &Hasher {
        &self.hasher
    }
    pub(crate) fn changing(&self) -> &Mutex<()> {
        &self.changing
    }
}

/// Refreshes whenever the version rises, until the directory or the store is gone.
async fn keep_fresh(directory: Weak<Directory>, mut version: watch::Receiver<u64>) {
    while version.changed().await.is_ok() {
        loop {
            let Some(directory) = directory.upgrade() else {
                return;
            };
            match directory.refresh_if_changed().await {
                Ok(()) => break,
                Err(DirectoryError::Store(StoreError::Closed)) => return,
                Err(error) => {
                    if let Some(events) = directory.events.get() {
                        events.emit(Event::alert("directory.stale").with("error", error));
                    }
                }
            }
            drop(directory);
            tokio::time::sleep(RETRY_TIME).await;
        }
    }
}
