//! What can go wrong on a visit, in words for people, and what follows from it.

use crate::account::{Name, SettingsError};
use mailward_core::limits::{FETCH_ACCOUNTS_MAX, FETCH_LISTED_MAX, FETCH_TEXT_MAX};
use mailward_store::StoreError;
use mailward_vault::VaultError;

/// Why something can't be done to accounts elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is none of this name.
    #[error("there is no account {0:?} to fetch from; mailward fetch list tells which there are")]
    NoAccount(Name),
    /// There is one already.
    #[error("there is an account {0:?} already: change it, or choose another name")]
    Exists(Name),
    /// As many as can be.
    #[error("there are {FETCH_ACCOUNTS_MAX} accounts to fetch from already: remove one")]
    Full,
    /// A setting that can't be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A password that can't be sent.
    #[error("the password must have 1 to {} bytes, without control characters", mailward_core::limits::PASSWORD_MAX)]
    Password,
    /// It is paused.
    #[error("{0:?} is paused: mailward fetch resume {0}")]
    Paused(Name),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store kept is nothing of ours.
    #[error("what is kept of {0:?} can't be read: remove it, and add it anew")]
    Unreadable(String),
}

/// Why a visit ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// No name, no route, no TLS, silence, a cut line.
    #[error("{0}")]
    Wire(String),
    /// What the server said is against the protocol, or past a limit.
    #[error("the server speaks nonsense: {0}")]
    Nonsense(String),
    /// The server refused a command.
    #[error("{0} refused: {1}")]
    Refused(&'static str, String),
    /// The server refused the login, and said that it is because of name or password.
    #[error("the login is refused: {0}")]
    Login(String),
    /// The server refused the login, and didn't say why.
    #[error("the login is refused: {0}")]
    LoginUnclear(String),
    /// The message is larger than it may be.
    #[error("the message is larger than {0} bytes")]
    TooLarge(u64),
    /// More messages than are listed.
    #[error("the mailbox holds more than {FETCH_LISTED_MAX} messages: move or delete some there")]
    TooMany,
    /// The settings don't fit what is there.
    #[error("{0}")]
    Settings(String),
    /// The store refused.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
}

impl Trouble {
    /// What the server said, cut and made fit for a line.
    pub(crate) fn words(text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        text.chars().take(FETCH_TEXT_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    }
    /// The same as a failure of the protocol.
    pub(crate) fn nonsense(what: &'static str, said: &[u8]) -> Self {
        Self::Nonsense(format!("{what}: {}", Self::words(said)))
    }
}
