//! Listings, as command line, pages and API show them.

use crate::snapshot::{AccountEntry, AliasEntry, DomainEntry, Name};
use mailward_core::{Address, Domain, Timestamp};
use mailward_store::records::Usage;
use serde::Serialize;

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DomainInfo {
    /// Its name.
    pub name: Domain,
    /// Whether mail is taken for it.
    pub enabled: bool,
    /// Where mail to nobody goes.
    pub catch_all: Option<Address>,
    /// Accounts in it.
    pub users: usize,
    /// Aliases in it.
    pub aliases: usize,
    /// When it was added, milliseconds since 1970.
    pub created: Timestamp,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// Its address.
    pub address: Address,
    /// Name of the person.
    pub display_name: String,
    /// Whether it may log in and gets mail.
    pub enabled: bool,
    /// Whether a password is set.
    pub has_password: bool,
    /// Bytes it may hold; 0: no limit.
    pub quota_bytes: u64,
    /// Messages it may hold; 0: no limit.
    pub quota_messages: u64,
    /// What it holds, if the mail was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// When it was added, milliseconds since 1970.
    pub created: Timestamp,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AliasInfo {
    /// Its address.
    pub address: Address,
    /// Where its mail goes.
    pub targets: Vec<Address>,
    /// When it was added, milliseconds since 1970.
    pub created: Timestamp,
}

impl DomainInfo {
    pub(crate) fn of(domain: &DomainEntry) -> Self {
        let users = domain.names.values().filter(|name| matches!(name, Name::Account(_))).count();
        Self {
            name: domain.name.clone(),
            enabled: domain.enabled,
            catch_all: domain.catch_all.clone(),
            users,
            aliases: domain.names.len().saturating_sub(users),
            created: domain.created,
        }
    }
}

impl UserInfo {
    pub(crate) fn of(account: &AccountEntry) -> Self {
        let record = &account.record;
        Self {
            address: account.address.clone(),
            display_name: record.display_name.clone(),
            enabled: record.enabled,
            has_password: !record.credential.is_empty(),
            quota_bytes: record.quota_bytes,
            quota_messages: record.quota_messages,
            usage: None,
            created: record.created,
        }
    }
}

impl AliasInfo {
    pub(crate) fn of(alias: &AliasEntry) -> Self {
        Self { address: alias.address.clone(), targets: alias.targets.clone(), created: alias.created }
    }
}
