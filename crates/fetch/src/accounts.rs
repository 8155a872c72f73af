//! The accounts elsewhere as administrators keep them, and what is known of each.
//!
//! On the shelf, under `a/NAME` stands what an administrator said ([`Kept`]), under `s/NAME` what came of the visits
//! ([`State`]), and under `n/NAME/…` what was fetched ([`crate::noted`]). Administrators write the first, the runner the
//! others: neither waits for the other.

use crate::account::{Name, Settings, SettingsChange, SettingsError};
use crate::error::FetchError;
use crate::noted;
use bytes::Bytes;
use mailward_core::limits::{FETCH_ACCOUNTS_MAX, FETCH_NOTED_MAX, PASSWORD_MAX, SHELF_CHANGES_MAX};
use mailward_core::{Address, Listener, Secret, Timestamp};
use mailward_directory::Directory;
use mailward_gate::{Recipient, Sending, decide_recipient, decide_sender};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{ShelfStore, StoreError};
use mailward_vault::Seal;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// Records that are asked for at a time: each may be as large as a shelf's records get.
const ACCOUNTS_PAGE: usize = 100;

/// What an administrator said of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) settings: Settings,
    /// The password, sealed for this account.
    pub(crate) sealed: Vec<u8>,
    pub(crate) paused: bool,
    /// Rises with every change and every wish to be visited.
    pub(crate) revision: u64,
}

/// What came of the visits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// What an administrator had said last when it was visited last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// When it is visited next.
    pub next: Option<Timestamp>,
    /// When it was visited last.
    pub tried: Option<Timestamp>,
    /// When a visit last went well to its end.
    pub good: Option<Timestamp>,
    /// Since when none did.
    pub failing: Option<Timestamp>,
    /// Visits in a row that failed.
    pub failures: u32,
    /// Refused logins in a row.
    pub refusals: u32,
    /// Why the last visit failed. In part a server's words.
    pub error: Option<String>,
    /// Whether an alert told of it.
    pub alerted: bool,
    /// Whether it isn't visited any more, as the password was refused.
    pub stopped: bool,
    /// Messages fetched so far.
    pub fetched: u64,
    /// Messages that the last visit left there, as they can't be taken.
    pub left: u64,
    /// Why one of them was left, or what else should be known of the last visit.
    pub note: Option<String>,
}

/// An account elsewhere, for people and programs. Its password is not among it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// What it is called.
    pub name: Name,
    /// Where it is and what becomes of its mail. The authority's certificates are left out.
    #[serde(flatten)]
    pub settings: Settings,
    /// Whether it has authorities of its own.
    pub own_authority: bool,
    /// Whether an administrator paused it.
    pub paused: bool,
    /// Whether it is visited as soon as can be: it is new, was changed, or somebody asked.
    pub due: bool,
    /// What came of the visits.
    pub state: State,
}

/// The accounts of a store.
pub struct Accounts {
    store: Arc<dyn ShelfStore>,
    directory: Arc<Directory>,
    seal: Seal,
    /// Held from the check to the write.
    changing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts")
    }
}

impl Accounts {
    /// Over a store; `seal` is made from the server's secret.
    #[must_use]
    pub fn new(store: Arc<dyn ShelfStore>, directory: Arc<Directory>, seal: Seal) -> Self {
        Self { store, directory, seal, changing: tokio::sync::Mutex::new(()) }
    }

    /// Adds an account; it is visited at once.
    ///
    /// # Errors
    /// [`FetchError::Exists`], [`FetchError::Full`], [`FetchError::Settings`], [`FetchError::Password`], what the vault or
    /// the store says.
    pub async fn add(&self, name: Name, settings: Settings, password: &Secret) -> Result<Info, FetchError> {
        let _changing = self.changing.lock().await;
        self.check(&settings)?;
        let sealed = self.sealed(&name, password)?;
        let there = self.read().await?;
        if there.iter().any(|(other, _, _)| *other == name) {
            return Err(FetchError::Exists(name));
        }
        if there.len() >= FETCH_ACCOUNTS_MAX {
            return Err(FetchError::Full);
        }
        // A visit that was under way when one of this name was removed may have left something.
        self.forget(&name).await?;
        let kept = Kept { settings, sealed, paused: false, revision: 1 };
        self.store.change_shelf(vec![ShelfChange::Add(Shelf::Fetch, kept_record(&name, &kept)?)]).await?;
        Ok(Info::of(name, kept, State::default()))
    }

    /// Changes an account; it is visited at once, also if its password had been refused.
    ///
    /// # Errors
    /// As [`Accounts::add`]; [`FetchError::NoAccount`].
    pub async fn change(
        &self,
        name: &Name,
        change: SettingsChange,
        password: Option<&Secret>,
    ) -> Result<Info, FetchError> {
        self.edit(name, |kept| {
            kept.settings = kept.settings.with(change);
            self.check(&kept.settings)?;
            if let Some(password) = password {
                kept.sealed = self.sealed(name, password)?;
            }
            Ok(())
        })
        .await
    }

    /// Asks for a visit as soon as can be, also of what was refused before.
    ///
    /// # Errors
    /// [`FetchError::NoAccount`], [`FetchError::Paused`], what the store says.
    pub async fn now(&self, name: &Name) -> Result<Info, FetchError> {
        let paused = || Err(FetchError::Paused(name.clone()));
        self.edit(name, |kept| if kept.paused { paused() } else { Ok(()) }).await
    }

    /// Pauses an account, or lets it be visited again, at once.
    ///
    /// # Errors
    /// [`FetchError::NoAccount`], what the store says.
    pub async fn pause(&self, name: &Name, paused: bool) -> Result<Info, FetchError> {
        self.edit(name, |kept| {
            kept.paused = paused;
            Ok(())
        })
        .await
    }

    /// Removes an account and forgets what was fetched from it. What it holds stays there.
    ///
    /// # Errors
    /// [`FetchError::NoAccount`], what the store says.
    pub async fn remove(&self, name: &Name) -> Result<(), FetchError> {
        let _changing = self.changing.lock().await;
        match self.store.change_shelf(vec![ShelfChange::Remove(Shelf::Fetch, kept_key(name))]).await {
            Err(StoreError::NotFound(_)) => return Err(FetchError::NoAccount(name.clone())),
            other => other?,
        }
        self.forget(name).await
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<Info>, FetchError> {
        let all = self.read().await?;
        Ok(all.into_iter().map(|(name, kept, state)| Info::of(name, kept, state)).collect())
    }

    /// One account.
    ///
    /// # Errors
    /// [`FetchError::NoAccount`], what the store says.
    pub async fn show(&self, name: &Name) -> Result<Info, FetchError> {
        let kept = self.kept(name).await?;
        Ok(Info::of(name.clone(), kept, self.state(name).await?))
    }

    pub(crate) fn store(&self) -> &Arc<dyn ShelfStore> {
        &self.store
    }

    /// The password of an account.
    pub(crate) fn password(&self, name: &Name, kept: &Kept) -> Result<Secret, FetchError> {
        Ok(self.seal.open(&kept.sealed, &bound(name))?)
    }

    /// Everything that is kept, but what was fetched.
    pub(crate) async fn read(&self) -> Result<Vec<(Name, Kept, State)>, FetchError> {
        let mut states = HashMap::new();
        for record in self.all("s/").await? {
            // What can't be read was written by another version: it is visited, and written anew.
            let state = serde_json::from_slice(&record.value).unwrap_or_default();
            states.insert(record.key, state);
        }
        let mut all = Vec::new();
        for record in self.all("a/").await? {
            let text = record.key.strip_prefix("a/").unwrap_or_default();
            let unreadable = || FetchError::Unreadable(text.to_owned());
            let name = Name::parse(text).map_err(|_| unreadable())?;
            let kept = serde_json::from_slice(&record.value).map_err(|_| unreadable())?;
            let state = states.remove(&state_key(&name)).unwrap_or_default();
            all.push((name, kept, state));
        }
        Ok(all)
    }

    /// Records whose keys begin so, in pages; no more than there can be accounts.
    async fn all(&self, prefix: &str) -> Result<Vec<Shelved>, FetchError> {
        let mut all: Vec<Shelved> = Vec::new();
        let mut after = prefix.to_owned();
        while all.len() <= FETCH_ACCOUNTS_MAX {
            let page = self.store.shelf(Shelf::Fetch, Some(after.clone()), ACCOUNTS_PAGE).await?;
            let (count, before) = (page.len(), all.len());
            all.extend(page.into_iter().take_while(|record| record.key.starts_with(prefix)));
            match all.last() {
                Some(last) if count == ACCOUNTS_PAGE && all.len() == before.saturating_add(count) => {
                    after.clone_from(&last.key);
                }
                _ => break,
            }
        }
        Ok(all)
    }

    async fn state(&self, name: &Name) -> Result<State, FetchError> {
        let record = self.store.shelved(Shelf::Fetch, state_key(name)).await?;
        // What can't be read was written by another version: it is visited, and written anew.
        Ok(record.and_then(|record| serde_json::from_slice(&record.value).ok()).unwrap_or_default())
    }

    pub(crate) async fn note_state(&self, name: &Name, state: &State) -> Result<(), FetchError> {
        let value = serde_json::to_vec(state).map_err(|_| FetchError::Unreadable(name.to_string()))?;
        let record = Shelved { key: state_key(name), value: Bytes::from(value), expires: None };
        Ok(self.store.change_shelf(vec![ShelfChange::Put(Shelf::Fetch, record)]).await?)
    }

    async fn kept(&self, name: &Name) -> Result<Kept, FetchError> {
        let record = self.store.shelved(Shelf::Fetch, kept_key(name)).await?;
        let record = record.ok_or_else(|| FetchError::NoAccount(name.clone()))?;
        serde_json::from_slice(&record.value).map_err(|_| FetchError::Unreadable(name.to_string()))
    }

    async fn edit(
        &self,
        name: &Name,
        edit: impl FnOnce(&mut Kept) -> Result<(), FetchError>,
    ) -> Result<Info, FetchError> {
        let _changing = self.changing.lock().await;
        let mut kept = self.kept(name).await?;
        edit(&mut kept)?;
        kept.revision = kept.revision.saturating_add(1);
        self.store.change_shelf(vec![ShelfChange::Put(Shelf::Fetch, kept_record(name, &kept)?)]).await?;
        Ok(Info::of(name.clone(), kept, self.state(name).await?))
    }

    fn check(&self, settings: &Settings) -> Result<(), FetchError> {
        settings.check()?;
        stays_here(&self.directory, settings.to.last_resort())?;
        Ok(())
    }

    fn sealed(&self, name: &Name, password: &Secret) -> Result<Vec<u8>, FetchError> {
        let text = std::str::from_utf8(password.expose()).ok();
        let good = |text: &str| !text.is_empty() && text.len() <= PASSWORD_MAX && !text.chars().any(char::is_control);
        if !text.is_some_and(good) {
            return Err(FetchError::Password);
        }
        Ok(self.seal.seal(password, &bound(name))?)
    }

    /// Takes out what came of visits and what was fetched.
    async fn forget(&self, name: &Name) -> Result<(), FetchError> {
        let prefix = noted::prefix(name);
        let mut gone = vec![state_key(name)];
        let mut after = Some(prefix.clone());
        for _ in 0..=FETCH_NOTED_MAX {
            let page = self.store.shelf(Shelf::Fetch, after.take(), SHELF_CHANGES_MAX.saturating_sub(1)).await?;
            let whole = page.len() < SHELF_CHANGES_MAX.saturating_sub(1);
            for record in page.into_iter().take_while(|record| record.key.starts_with(&prefix)) {
                after = Some(record.key.clone());
                gone.push(record.key);
            }
            for key in gone.drain(..) {
                match self.store.change_shelf(vec![ShelfChange::Remove(Shelf::Fetch, key)]).await {
                    // Its time was over meanwhile.
                    Ok(()) | Err(StoreError::NotFound(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if whole || after.is_none() {
                break;
            }
        }
        Ok(())
    }
}

impl Kept {
    /// Whether it is to be visited now.
    pub(crate) fn is_due(&self, state: &State, now: Timestamp) -> bool {
        let asked = state.revision != Some(self.revision);
        !self.paused && (asked || (!state.stopped && state.next.is_none_or(|next| next <= now)))
    }
}

impl Info {
    fn of(name: Name, kept: Kept, state: State) -> Self {
        let due = !kept.paused && state.revision != Some(kept.revision);
        let Kept { mut settings, paused, .. } = kept;
        let own_authority = settings.authority.take().is_some();
        Self { name, settings, own_authority, paused, due, state }
    }
}

/// Whether mail to an address stays here: asked of the gate, as for mail that another server of this host hands us.
pub(crate) fn stays_here(
    directory: &Directory,
    address: &Address,
) -> Result<mailward_gate::RelayPermit, SettingsError> {
    decide_sender(directory, None, Listener::Lmtp, None, Sending::Off)
        .and_then(|permit| decide_recipient(directory, &permit, Recipient::Address(address)))
        .map_err(|refusal| SettingsError::Recipient(address.clone(), refusal.to_string()))
}

fn bound(name: &Name) -> String {
    format!("fetch {name}")
}

fn kept_key(name: &Name) -> String {
    format!("a/{name}")
}

fn state_key(name: &Name) -> String {
    format!("s/{name}")
}

fn kept_record(name: &Name, kept: &Kept) -> Result<Shelved, FetchError> {
    let value = serde_json::to_vec(kept).map_err(|_| FetchError::Unreadable(name.to_string()))?;
    Ok(Shelved { key: kept_key(name), value: Bytes::from(value), expires: None })
}
