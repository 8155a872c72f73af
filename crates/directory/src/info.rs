//! Listings, as command line, pages and API show them.

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
