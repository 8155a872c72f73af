//! Domains, accounts, aliases and keys, as values.

use mailward_core::{AccountId, Domain, DomainId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A domain we receive mail for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRecord {
    /// Its id.
    pub id: DomainId,
    /// Its name.
    pub name: Domain,
    /// Whether mail is taken for it.
    pub enabled: bool,
    /// Address that gets what no account or alias of the domain takes.
    pub catch_all: Option<String>,
    /// When it was added.
    pub created: Timestamp,
}

/// An account as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its id.
    pub id: AccountId,
    /// Its domain.
    pub domain: DomainId,
    /// Folded local part.
    pub local: String,
    /// Name of the person, for people.
    pub display_name: String,
    /// Whether it may log in; a disabled account still receives nothing.
    pub enabled: bool,
    /// What verifies its password: `vault`'s form, opaque here. Empty: no password was set.
    pub credential: Arc<[u8]>,
    /// Bytes it may hold; 0: no limit.
    pub quota_bytes: u64,
    /// Messages it may hold; 0: no limit.
    pub quota_messages: u64,
    /// When it was added.
    pub created: Timestamp,
}

/// An alias: mail to it goes to its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasRecord {
    /// Its domain.
    pub domain: DomainId,
    /// Folded local part.
    pub local: String,
    /// Addresses, ours or others'.
    pub targets: Vec<String>,
    /// When it was added.
    pub created: Timestamp,
}

/// A change of a domain.
#[derive(Clone, Debug)]
pub enum DomainChange {
    /// Adds.
    Add {
        /// Its name.
        name: Domain,
    },
    /// Sets what is given.
    Set {
        /// Which.
        id: DomainId,
        /// See [`DomainRecord::enabled`].
        enabled: Option<bool>,
        /// See [`DomainRecord::catch_all`].
        catch_all: Option<Option<String>>,
    },
    /// Removes.
    Remove {
        /// Which.
        id: DomainId,
    },
}

/// A change of an account.
#[derive(Clone, Debug)]
pub enum AccountChange {
    /// Adds.
    Add {
        /// Its domain.
        domain: DomainId,
        /// Folded local part; must not be an alias's.
        local: String,
        /// See [`AccountRecord::display_name`].
        display_name: String,
        /// See [`AccountRecord::credential`].
        credential: Arc<[u8]>,
        /// See [`AccountRecord::quota_bytes`].
        quota_bytes: u64,
        /// See [`AccountRecord::quota_messages`].
        quota_messages: u64,
    },
    /// Sets what is given.
    Set {
        /// Which.
        id: AccountId,
        /// See [`AccountRecord::display_name`].
        display_name: Option<String>,
        /// See [`AccountRecord::enabled`].
        enabled: Option<bool>,
        /// See [`AccountRecord::credential`].
        credential: Option<Arc<[u8]>>,
        /// See [`AccountRecord::quota_bytes`].
        quota_bytes: Option<u64>,
        /// See [`AccountRecord::quota_messages`].
        quota_messages: Option<u64>,
    },
    /// Removes it with its mail.
    Remove {
        /// Which.
        id: AccountId,
    },
}

/// A change of an alias.
#[derive(Clone, Debug)]
pub enum AliasChange {
    /// Adds, or replaces the targets. The local part must not be an account's.
    Put {
        /// Its domain.
        domain: DomainId,
        /// Folded local part.
        local: String,
        /// Addresses.
        targets: Vec<String>,
    },
    /// Removes.
    Remove {
        /// Its domain.
        domain: DomainId,
        /// Folded local part.
        local: String,
    },
}

/// What a DKIM key is used for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DkimState {
    /// To come: its record is to be published; it signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more; its record stays until nobody verifies what it signed.
    Retiring,
}

/// A DKIM key of a domain as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimKeyRecord {
    /// Its domain.
    pub domain: DomainId,
    /// Its name below `_domainkey`; unique in the domain.
    pub selector: String,
    /// How it signs, by name.
    pub algorithm: String,
    /// The public key: what is published.
    pub public: Arc<[u8]>,
    /// The private key: `vault`'s form, which only it opens; opaque here.
    pub sealed: Arc<[u8]>,
    /// What it is used for.
    pub state: DkimState,
    /// When it was made.
    pub created: Timestamp,
    /// Since when it is in this state.
    pub since: Timestamp,
}

/// A DKIM key to keep.
#[derive(Clone, Debug)]
pub struct NewDkimKey {
    /// See [`DkimKeyRecord::selector`].
    pub selector: String,
    /// See [`DkimKeyRecord::algorithm`].
    pub algorithm: String,
    /// See [`DkimKeyRecord::public`].
    pub public: Arc<[u8]>,
    /// See [`DkimKeyRecord::sealed`].
    pub sealed: Arc<[u8]>,
    /// See [`DkimKeyRecord::state`].
    pub state: DkimState,
}

/// A change of a domain's DKIM keys.
#[derive(Clone, Debug)]
pub enum DkimChange {
    /// Adds keys, all or none; a selector that is there is refused, and more than `limits::DKIM_KEYS_MAX` in all.
    Add {
        /// Whose.
        domain: DomainId,
        /// Which.
        keys: Vec<NewDkimKey>,
    },
    /// Those to come sign from now on, and those that signed retire. Refused if none is to come.
    Activate {
        /// Whose.
        domain: DomainId,
    },
    /// Removes a key that doesn't sign.
    Remove {
        /// Whose.
        domain: DomainId,
        /// Which.
        selector: String,
    },
}
