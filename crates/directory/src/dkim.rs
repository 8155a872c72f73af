//! DKIM keys of our domains: made, published, turned over, and given to whoever signs.
//!
//! A domain has a pair, one of each algorithm. It changes in two steps, between which DNS has time: [`Dkim::rotate`] makes
//! the next pair, whose records are published; [`Dkim::activate`] lets it sign. The old pair's records stay until what it
//! signed has run out, then [`Dkim::remove`] forgets it.

use crate::directory::Directory;
use crate::error::DirectoryError;
use crate::info::DomainInfo;
use mailward_core::limits::{DKIM_KEYS_MAX, DKIM_SIGNATURE_TIME};
use mailward_core::{Clock, Domain, DomainId, SystemClock, Timestamp};
use mailward_message::date;
use mailward_store::records::{DkimChange, DkimKeyRecord, DkimState, NewDkimKey};
use mailward_store::{KeyStore, StoreError};
use mailward_vault::dkim::{Algorithm, Key, Signer, record, strings};
use mailward_vault::{Seal, VaultError};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The DKIM keys of all domains. One for a store; cheap to ask.
pub struct Dkim {
    directory: Arc<Directory>,
    store: Arc<dyn KeyStore>,
    seal: Arc<Seal>,
    clock: Arc<dyn Clock>,
    /// Held by administrative functions from the check to the write.
    changing: tokio::sync::Mutex<()>,
    /// What was read and opened, by domain; never more than there are domains.
    opened: Mutex<HashMap<Domain, Opened>>,
}

/// A domain's active keys as they were at a version of the store.
struct Opened {
    version: u64,
    keys: Vec<(DkimKeyRecord, Arc<Key>)>,
    /// `None` without keys.
    signer: Option<Arc<Signer>>,
}

impl std::fmt::Debug for Dkim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dkim")
    }
}

/// A key, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DkimInfo {
    /// Whose.
    pub domain: Domain,
    /// Its name below `_domainkey`.
    pub selector: String,
    /// How it signs: `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: String,
    /// `next`, `active` or `retiring`.
    pub state: DkimState,
    /// When it was made, milliseconds since 1970.
    pub created: Timestamp,
    /// Since when it is in this state, milliseconds since 1970.
    pub since: Timestamp,
    /// Of a key that retires: until when its record must stay in DNS, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What DNS must say while the key is here.
    pub record: TxtRecord,
}

/// A TXT record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TxtRecord {
    /// Its whole name, without root dot.
    pub name: String,
    /// What it says, in one.
    pub value: String,
    /// The same in strings of 255 bytes at most, as a zone file needs it (RFC 1035 §3.3).
    pub strings: Vec<String>,
}

impl Dkim {
    /// Over the keys of a store; `seal` is made from the server's secret.
    #[must_use]
    pub fn new(directory: Arc<Directory>, store: Arc<dyn KeyStore>, seal: Seal) -> Self {
        Self::with_clock(directory, store, seal, Arc::new(SystemClock))
    }

    /// [`Dkim::new`] with a clock of the caller's, which selectors have their date from.
    #[must_use]
    pub fn with_clock(directory: Arc<Directory>, store: Arc<dyn KeyStore>, seal: Seal, clock: Arc<dyn Clock>) -> Self {
        let changing = tokio::sync::Mutex::new(());
        Self { directory, store, seal: Arc::new(seal), clock, changing, opened: Mutex::default() }
    }

    /// Who signs for a domain now. `None` if it isn't ours or has no keys: then its mail goes unsigned. The keys are opened
    /// once and remembered until the store's change.
    ///
    /// # Errors
    /// [`DirectoryError::DkimKey`] if a key doesn't open, or what the store says. Mail must wait then: unsigned it would
    /// be refused or distrusted.
    pub async fn signer(&self, domain: &Domain) -> Result<Option<Arc<Signer>>, DirectoryError> {
        // Read before what it is the version of: if it changes meanwhile, the next call sees it.
        let version = *self.store.keys_version().borrow();
        if let Some(opened) = self.lock().get(domain).filter(|opened| opened.version == version) {
            return Ok(opened.signer.clone());
        }
        self.directory.refresh_if_changed().await?;
        let Some(id) = self.directory.snapshot().domain(domain).map(|entry| entry.id) else {
            self.lock().remove(domain);
            return Ok(None);
        };
        let records = self.store.dkim_keys(Some(id)).await?;
        let known: Vec<_> = self.lock().get(domain).map(|opened| opened.keys.clone()).unwrap_or_default();
        let mut keys = Vec::new();
        for record in records.into_iter().filter(|record| record.state == DkimState::Active) {
            let same = known.iter().find(|(old, _)| old.selector == record.selector && old.sealed == record.sealed);
            let key = match same {
                Some((_, key)) => Arc::clone(key),
                None => Arc::new(self.open(domain, &record)?),
            };
            keys.push((record, key));
        }
        keys.sort_by_key(|(_, key)| key.algorithm());
        let named: Vec<_> = keys.iter().map(|(record, key)| (record.selector.clone(), Arc::clone(key))).collect();
        let signer = (!named.is_empty()).then(|| Arc::new(Signer::new(domain.clone(), named)));
        self.lock().insert(domain.clone(), Opened { version, keys, signer: signer.clone() });
        Ok(signer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Domain, Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, domain: &Domain, record: &DkimKeyRecord) -> Result<Key, DirectoryError> {
        let algorithm = Algorithm::of_name(&record.algorithm).ok_or(VaultError::Sealed);
        algorithm
            .and_then(|algorithm| Key::open(&self.seal, &record.sealed, domain, &record.selector, algorithm))
            .map_err(|error| DirectoryError::DkimKey(domain.to_string(), record.selector.clone(), error))
    }

    /// Adds a domain and makes its first pair of keys, which signs at once: until its records are published, its signatures
    /// count as none (RFC 6376 §6.1.2), which does no harm.
    ///
    /// # Errors
    /// As [`Directory::add_domain`] and [`Dkim::rotate`]. If only the keys fail, the domain stays without.
    pub async fn add_domain(&self, name: Domain) -> Result<(DomainInfo, Vec<DkimInfo>), DirectoryError> {
        let domain = self.directory.add_domain(name.clone()).await?;
        let (keys, _) = self.rotate(&name).await?;
        Ok((domain, keys))
    }

    /// Makes the next pair of keys of a domain, whose records are to be published before [`Dkim::activate`]; the first pair
    /// signs at once. Answers all keys, and whether a pair was made: not if one is to come already.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], [`DirectoryError::DkimFull`], what the vault or the store says.
    pub async fn rotate(&self, name: &Domain) -> Result<(Vec<DkimInfo>, bool), DirectoryError> {
        let _changing = self.changing.lock().await;
        let domain = self.id(name)?;
        let there = self.store.dkim_keys(Some(domain)).await?;
        if there.iter().any(|key| key.state == DkimState::Next) {
            return Ok((infos(name, &there), false));
        }
        if there.len().saturating_add(Algorithm::ALL.len()) > DKIM_KEYS_MAX {
            return Err(DirectoryError::DkimFull(name.to_string()));
        }
        let state = if there.is_empty() { DkimState::Active } else { DkimState::Next };
        let stem = stem(self.clock.now(), &there);
        let (seal, owner) = (Arc::clone(&self.seal), name.clone());
        // An RSA key takes its time to find.
        let made = tokio::task::spawn_blocking(move || pair(&seal, &owner, &stem, state)).await;
        let keys = made.map_err(|_| DirectoryError::Vault(VaultError::Key))?.map_err(DirectoryError::Vault)?;
        let now = self.store.change_dkim_keys(DkimChange::Add { domain, keys }).await?;
        Ok((infos(name, &now), true))
    }

    /// Lets the next pair sign; the one that signed retires. Answers all keys.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], [`DirectoryError::NoNextKey`], or what the store says.
    pub async fn activate(&self, name: &Domain) -> Result<Vec<DkimInfo>, DirectoryError> {
        let _changing = self.changing.lock().await;
        let domain = self.id(name)?;
        match self.store.change_dkim_keys(DkimChange::Activate { domain }).await {
            Ok(now) => Ok(infos(name, &now)),
            Err(StoreError::NotFound(_)) => Err(DirectoryError::NoNextKey(name.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a key that doesn't sign; answers what it was. A retired one whose signatures may still be verified only
    /// with `at_once`.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], [`DirectoryError::NoDkimKey`], [`DirectoryError::DkimSigns`],
    /// [`DirectoryError::DkimStillVerified`], or what the store says.
    pub async fn remove(&self, name: &Domain, selector: &str, at_once: bool) -> Result<DkimInfo, DirectoryError> {
        let _changing = self.changing.lock().await;
        let domain = self.id(name)?;
        let there = self.store.dkim_keys(Some(domain)).await?;
        let key = there.iter().find(|key| key.selector == selector);
        let key = key.ok_or_else(|| DirectoryError::NoDkimKey(selector.to_owned(), name.to_string()))?;
        let info = DkimInfo::of(name, key);
        if key.state == DkimState::Active {
            return Err(DirectoryError::DkimSigns(selector.to_owned(), name.to_string()));
        }
        if let Some(until) = info.until.filter(|until| !at_once && *until > self.clock.now()) {
            return Err(DirectoryError::DkimStillVerified(selector.to_owned(), day(until)));
        }
        self.store.change_dkim_keys(DkimChange::Remove { domain, selector: selector.to_owned() }).await?;
        Ok(info)
    }

    /// Keys of a domain, or of all, by domain: those to come, those that sign, those that retire.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], or what the store says.
    pub async fn list(&self, name: Option<&Domain>) -> Result<Vec<DkimInfo>, DirectoryError> {
        let id = name.map(|name| self.id(name)).transpose()?;
        let records = self.store.dkim_keys(id).await?;
        let snapshot = self.directory.snapshot();
        let mut listed = Vec::new();
        for domain in snapshot.domains() {
            let of = records.iter().filter(|record| record.domain == domain.id);
            listed.extend(of.map(|record| DkimInfo::of(&domain.name, record)));
        }
        Ok(listed)
    }

    fn id(&self, name: &Domain) -> Result<DomainId, DirectoryError> {
        let id = self.directory.snapshot().domain(name).map(|entry| entry.id);
        id.ok_or_else(|| DirectoryError::NoDomain(name.to_string()))
    }
}

impl DkimInfo {
    fn of(domain: &Domain, key: &DkimKeyRecord) -> Self {
        let lasts = i64::try_from(DKIM_SIGNATURE_TIME.as_millis()).unwrap_or(i64::MAX);
        let value = Algorithm::of_name(&key.algorithm).map_or_else(String::new, |a| record(a, &key.public));
        Self {
            domain: domain.clone(),
            selector: key.selector.clone(),
            algorithm: key.algorithm.clone(),
            state: key.state,
            created: key.created,
            since: key.since,
            until: (key.state == DkimState::Retiring).then(|| Timestamp(key.since.0.saturating_add(lasts))),
            record: TxtRecord {
                name: format!("{}._domainkey.{domain}", key.selector),
                strings: strings(&value).into_iter().map(str::to_owned).collect(),
                value,
            },
        }
    }
}

fn infos(domain: &Domain, keys: &[DkimKeyRecord]) -> Vec<DkimInfo> {
    keys.iter().map(|key| DkimInfo::of(domain, key)).collect()
}

/// A pair of keys, sealed.
fn pair(seal: &Seal, domain: &Domain, stem: &str, state: DkimState) -> Result<Vec<NewDkimKey>, VaultError> {
    let mut keys = Vec::new();
    for algorithm in Algorithm::ALL {
        let selector = selector(stem, algorithm);
        let key = Key::generate(algorithm)?;
        keys.push(NewDkimKey {
            algorithm: algorithm.name().to_owned(),
            public: key.public()?.into(),
            sealed: key.seal(seal, domain, &selector)?.into(),
            selector,
            state,
        });
    }
    Ok(keys)
}

fn selector(stem: &str, algorithm: Algorithm) -> String {
    let kind = match algorithm {
        Algorithm::RsaSha256 => 'r',
        Algorithm::Ed25519Sha256 => 'e',
    };
    format!("{stem}-{kind}")
}

/// What selectors made now begin with: the date, and a number if the day has others already.
fn stem(now: Timestamp, there: &[DkimKeyRecord]) -> String {
    let day = format!("mw-{}", day(now).replace('-', ""));
    let free = |stem: &String| {
        Algorithm::ALL.into_iter().all(|algorithm| there.iter().all(|key| key.selector != selector(stem, algorithm)))
    };
    // One more than there can be keys: one of them is free.
    let numbered = (2..=DKIM_KEYS_MAX.saturating_add(2)).map(|number| format!("{day}-{number}"));
    std::iter::once(day.clone()).chain(numbered).find(free).unwrap_or(day)
}

/// `2026-11-25`, by UTC.
fn day(time: Timestamp) -> String {
    let (year, month, day) = date::civil(time);
    format!("{year:04}-{month:02}-{day:02}")
}
