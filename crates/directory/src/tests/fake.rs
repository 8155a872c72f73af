//! A store in memory, and helpers that arrange what tests need.

use crate::{Authenticator, Directory, DomainSettings, NewPassword, NewUser, Resolution, UserSettings};
use mailward_core::event::Events;
use mailward_core::{AccountId, Address, Domain, DomainId, Listener, Peer, Secret, Timestamp};
use mailward_store::records::{AccountChange, AccountRecord, AliasChange, AliasRecord, DomainChange, DomainRecord};
use mailward_store::{DirectoryStore, Pending, StoreError};
use mailward_vault::{Agreed, ChannelBindings};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

#[derive(Default)]
pub(super) struct Tables {
    pub(super) domains: Vec<DomainRecord>,
    pub(super) accounts: Vec<AccountRecord>,
    pub(super) aliases: Vec<AliasRecord>,
    next: i64,
}

pub(super) struct FakeStore {
    pub(super) tables: Mutex<Tables>,
    version: watch::Sender<u64>,
    pub(super) broken: AtomicBool,
}

impl FakeStore {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { tables: Mutex::default(), version: watch::channel(1).0, broken: AtomicBool::new(false) })
    }
    /// Changes the tables behind the directory's back, as another process would.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Tables) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Damaged("on purpose".to_owned()));
        }
        let result = change(&mut self.tables.lock().unwrap())?;
        self.version.send_modify(|version| *version = version.saturating_add(1));
        Ok(result)
    }
    fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> Result<T, StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Damaged("on purpose".to_owned()));
        }
        Ok(read(&self.tables.lock().unwrap()))
    }
}

fn ready<'a, T: Send + 'a>(result: Result<T, StoreError>) -> Pending<'a, T> {
    Box::pin(std::future::ready(result))
}

impl Tables {
    fn id(&mut self) -> i64 {
        self.next = self.next.saturating_add(1);
        self.next
    }
}

impl DirectoryStore for FakeStore {
    fn directory_version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
    fn domains(&self) -> Pending<'_, Vec<DomainRecord>> {
        ready(self.read(|t| t.domains.clone()))
    }
    fn accounts(&self) -> Pending<'_, Vec<AccountRecord>> {
        ready(self.read(|t| t.accounts.clone()))
    }
    fn aliases(&self) -> Pending<'_, Vec<AliasRecord>> {
        ready(self.read(|t| t.aliases.clone()))
    }
    fn change_domain(&self, change: DomainChange) -> Pending<'_, DomainRecord> {
        ready(self.change(|t| match change {
            DomainChange::Add { name } => {
                let id = DomainId(t.id());
                let record = DomainRecord { id, name, enabled: true, catch_all: None, created: Timestamp(0) };
                t.domains.push(record.clone());
                Ok(record)
            }
            DomainChange::Set { id, enabled, catch_all } => {
                let record = t.domains.iter_mut().find(|d| d.id == id).ok_or(StoreError::NotFound("domain"))?;
                record.enabled = enabled.unwrap_or(record.enabled);
                record.catch_all = catch_all.unwrap_or(record.catch_all.clone());
                Ok(record.clone())
            }
            DomainChange::Remove { id } => {
                let at = t.domains.iter().position(|d| d.id == id).ok_or(StoreError::NotFound("domain"))?;
                Ok(t.domains.remove(at))
            }
        }))
    }
    fn change_account(&self, change: AccountChange) -> Pending<'_, AccountRecord> {
        ready(self.change(|t| match change {
            AccountChange::Add { domain, local, display_name, credential, quota_bytes, quota_messages } => {
                let id = AccountId(t.id());
                let (enabled, created) = (true, Timestamp(0));
                let record = AccountRecord {
                    id,
                    domain,
                    local,
                    display_name,
                    enabled,
                    credential,
                    quota_bytes,
                    quota_messages,
                    created,
                };
                t.accounts.push(record.clone());
                Ok(record)
            }
            AccountChange::Set { id, display_name, enabled, credential, quota_bytes, quota_messages } => {
                let record = t.accounts.iter_mut().find(|a| a.id == id).ok_or(StoreError::NotFound("account"))?;
                record.display_name = display_name.unwrap_or(record.display_name.clone());
                record.enabled = enabled.unwrap_or(record.enabled);
                record.credential = credential.unwrap_or(record.credential.clone());
                record.quota_bytes = quota_bytes.unwrap_or(record.quota_bytes);
                record.quota_messages = quota_messages.unwrap_or(record.quota_messages);
                Ok(record.clone())
            }
            AccountChange::Remove { id } => {
                let at = t.accounts.iter().position(|a| a.id == id).ok_or(StoreError::NotFound("account"))?;
                Ok(t.accounts.remove(at))
            }
        }))
    }
    fn change_alias(&self, change: AliasChange) -> Pending<'_, AliasRecord> {
        ready(self.change(|t| match change {
            AliasChange::Put { domain, local, targets } => {
                t.aliases.retain(|a| !(a.domain == domain && a.local == local));
                let record = AliasRecord { domain, local, targets, created: Timestamp(0) };
                t.aliases.push(record.clone());
                Ok(record)
            }
            AliasChange::Remove { domain, local } => {
                let found = t.aliases.iter().position(|a| a.domain == domain && a.local == local);
                Ok(t.aliases.remove(found.ok_or(StoreError::NotFound("alias"))?))
            }
        }))
    }
}

/// A directory over a store in memory, with an authenticator and a log.
pub(super) struct House {
    pub(super) store: Arc<FakeStore>,
    pub(super) directory: Arc<Directory>,
    pub(super) auth: Arc<Authenticator>,
    pub(super) events: Events,
}

pub(super) const PASSWORD: &str = "correct lantern otter";

pub(super) fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

pub(super) fn domain(text: &str) -> Domain {
    Domain::parse_utf8(text).unwrap()
}

pub(super) fn peer() -> Peer {
    Peer { session: 7, address: None, port: None, listener: Listener::Submission }
}

pub(super) fn tls13() -> ChannelBindings {
    let agreed = Some(Agreed { version: "TLSv1.3", cipher: "TLS13_AES_256_GCM_SHA384" });
    ChannelBindings { exporter: Some([7; 32]), server_end_point: Some(vec![9; 32]), agreed }
}

impl House {
    /// With these domains and no users.
    pub(super) async fn new(domains: &[&str]) -> Self {
        let store = FakeStore::new();
        let directory = Directory::open(Arc::clone(&store) as Arc<dyn DirectoryStore>).await.unwrap();
        let events = Events::memory();
        let auth =
            Authenticator::with_secret(Arc::clone(&directory), events.clone(), Secret::new("secret of the house"));
        for name in domains {
            directory.add_domain(domain(name)).await.unwrap();
        }
        Self { store, directory, auth, events }
    }
    /// A user without a password, which costs no hash.
    pub(super) async fn user(&self, text: &str) -> AccountId {
        self.user_with(text, NewPassword::None).await
    }
    pub(super) async fn user_with(&self, text: &str, password: NewPassword) -> AccountId {
        let user = NewUser {
            address: address(text),
            password,
            display_name: String::new(),
            quota_bytes: 0,
            quota_messages: 0,
        };
        self.directory.add_user(user).await.unwrap();
        self.directory.account_id(&address(text)).unwrap()
    }
    pub(super) async fn user_with_password(&self, text: &str) -> AccountId {
        self.user_with(text, NewPassword::Given(Secret::new(PASSWORD))).await
    }
    pub(super) async fn alias(&self, text: &str, targets: &[&str]) {
        let targets = targets.iter().map(|t| address(t)).collect();
        self.directory.put_alias(&address(text), targets).await.unwrap();
    }
    pub(super) async fn catch_all(&self, name: &str, target: &str) {
        let settings = DomainSettings { catch_all: Some(Some(address(target))), ..Default::default() };
        self.directory.set_domain(&domain(name), settings).await.unwrap();
    }
    pub(super) async fn disable(&self, text: &str) {
        let settings = UserSettings { enabled: Some(false), ..Default::default() };
        self.directory.set_user(&address(text), settings).await.unwrap();
    }
    pub(super) fn resolve(&self, text: &str) -> Resolution {
        self.directory.resolve(&address(text))
    }
    /// Where mail goes, in words: `1`, `1+tag`, `x@y`, or the name of the answer.
    pub(super) fn goes(&self, text: &str) -> String {
        match self.resolve(text) {
            Resolution::Deliver { local, remote } => {
                let local = local.iter().map(|t| match &t.detail {
                    Some(detail) => format!("{}+{detail}", self.name(t.account)),
                    None => self.name(t.account),
                });
                local.chain(remote.iter().map(Address::to_string)).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        }
    }
    fn name(&self, id: AccountId) -> String {
        self.directory.addresses_of(id).first().unwrap().local().to_string()
    }
}
