//! What the administrator demands of connections to a domain, where the domain itself demands nothing.

use bytes::Bytes;
use mailward_core::Domain;
use mailward_core::limits::{PAGE_ROWS_MAX, TLS_POLICIES_MAX, TLS_POLICY_NAMES_MAX};
use mailward_store::StoreError;
use mailward_store::api::ShelfStore;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// For whom: a domain by its exact name, or all that have no policy of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Whom {
    /// This domain.
    Domain(Domain),
    /// All others, `*`.
    Others,
}

/// What is demanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "lowercase", deny_unknown_fields)]
pub enum Demand {
    /// Nothing: TLS is taken where it works.
    None,
    /// TLS with any certificate, or nothing is sent.
    Encrypt,
    /// TLS with a certificate for one of these names, or for the host's where there are none; or nothing is sent.
    Verify {
        /// At most `limits::TLS_POLICY_NAMES_MAX`.
        names: Vec<Domain>,
    },
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsPolicy {
    /// For whom.
    pub domain: Whom,
    /// What.
    #[serde(flatten)]
    pub demand: Demand,
}

/// Why a policy can't be set or removed.
#[derive(Debug, thiserror::Error)]
pub enum RequiredError {
    /// As many as there may be.
    #[error("there are {TLS_POLICIES_MAX} policies already; remove some, or set one for all others: *")]
    Many,
    /// Too many names.
    #[error("a policy has at most {TLS_POLICY_NAMES_MAX} names")]
    Names,
    /// There is none.
    #[error("there is no policy for {0}; `mailward tls-policy list` tells which there are")]
    NotThere(Whom),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where they are on the shelf, which others keep things on, too.
const PREFIX: &str = "tls-policy/";

/// The policies that are set.
#[derive(Clone)]
pub struct Required {
    shelf: Arc<dyn ShelfStore>,
}

impl fmt::Debug for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Required")
    }
}

impl Required {
    /// Over a shelf.
    #[must_use]
    pub fn new(shelf: Arc<dyn ShelfStore>) -> Self {
        Self { shelf }
    }

    /// What is demanded of connections to a domain.
    ///
    /// # Errors
    /// What the store says, also of a record that can't be read: then it isn't known what is demanded.
    pub async fn demand(&self, domain: &Domain) -> Result<Demand, StoreError> {
        for whom in [Whom::Domain(domain.clone()), Whom::Others] {
            if let Some(record) = self.shelf.shelved(Shelf::Sending, key(&whom)).await? {
                return read(&record);
            }
        }
        Ok(Demand::None)
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<TlsPolicy>, StoreError> {
        let mut policies = Vec::new();
        let mut after = PREFIX.to_owned();
        loop {
            let page = self.shelf.shelf(Shelf::Sending, Some(after.clone()), PAGE_ROWS_MAX).await?;
            for record in &page {
                let Some(whom) = record.key.strip_prefix(PREFIX) else { return Ok(policies) };
                let Ok(domain) = Whom::try_from(whom.to_owned()) else { continue };
                policies.push(TlsPolicy { domain, demand: read(record)? });
            }
            match page.last() {
                Some(last) if page.len() >= PAGE_ROWS_MAX => after.clone_from(&last.key),
                _ => return Ok(policies),
            }
        }
    }

    /// Sets one, in place of what there was.
    ///
    /// # Errors
    /// [`RequiredError`].
    pub async fn set(&self, policy: &TlsPolicy) -> Result<(), RequiredError> {
        if let Demand::Verify { names } = &policy.demand
            && names.len() > TLS_POLICY_NAMES_MAX
        {
            return Err(RequiredError::Names);
        }
        let key = key(&policy.domain);
        let is_new = self.shelf.shelved(Shelf::Sending, key.clone()).await?.is_none();
        if is_new && self.list().await?.len() >= TLS_POLICIES_MAX {
            return Err(RequiredError::Many);
        }
        let value = serde_json::to_vec(&policy.demand).map(Bytes::from).unwrap_or_default();
        let record = Shelved { key, value, expires: None };
        Ok(self.shelf.change_shelf(vec![ShelfChange::Put(Shelf::Sending, record)]).await?)
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`RequiredError`].
    pub async fn remove(&self, whom: &Whom) -> Result<(), RequiredError> {
        match self.shelf.change_shelf(vec![ShelfChange::Remove(Shelf::Sending, key(whom))]).await {
            Err(StoreError::NotFound(_)) => Err(RequiredError::NotThere(whom.clone())),
            done => Ok(done?),
        }
    }
}

fn key(whom: &Whom) -> String {
    format!("{PREFIX}{whom}")
}

fn read(record: &Shelved) -> Result<Demand, StoreError> {
    serde_json::from_slice(&record.value)
        .map_err(|error| StoreError::Damaged(format!("the TLS policy {}: {error}; set it anew", record.key)))
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Domain(domain) => domain.fmt(f),
            Whom::Others => f.write_str("*"),
        }
    }
}
impl std::str::FromStr for Whom {
    type Err = mailward_core::DomainError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" { Ok(Self::Others) } else { Domain::parse_utf8(text).map(Self::Domain) }
    }
}
impl TryFrom<String> for Whom {
    type Error = mailward_core::DomainError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
impl From<Whom> for String {
    fn from(whom: Whom) -> String {
        whom.to_string()
    }
}
