//! Who may log in.

use crate::directory::Directory;
use crate::error::LoginError;
use crate::sasl::Sasl;
use mailward_core::event::Events;
use mailward_core::{AccountId, Address, Peer, Secret};
use mailward_vault::ChannelBindings;
use std::sync::Arc;

/// Proof that somebody logged in. Only [`Authenticator`] makes one.
#[derive(Clone, Debug)]
pub struct Login {
    account: AccountId,
    address: Address,
}

impl Login {
    /// Whose.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }
    /// The account's own address, folded.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

/// Decides who logs in, for every protocol.
pub struct Authenticator {
    _directory: Arc<Directory>,
    _events: Events,
}

impl Authenticator {
    /// An authenticator over this directory.
    #[must_use]
    pub fn new(directory: Arc<Directory>, events: Events) -> Arc<Self> {
        Arc::new(Self { _directory: directory, _events: events })
    }
    /// Mechanisms to advertise, best first; none without TLS.
    #[must_use]
    pub fn mechanisms(&self, _tls: Option<&ChannelBindings>) -> Vec<&'static str> {
        Vec::new()
    }
    /// Begins a SASL exchange (RFC 4422). The name's case doesn't matter.
    ///
    /// # Errors
    /// [`LoginError::NeedsTls`] or [`LoginError::UnknownMechanism`].
    pub fn begin(
        self: &Arc<Self>,
        _mechanism: &str,
        _tls: Option<&ChannelBindings>,
        _peer: &Peer,
    ) -> Result<Sasl, LoginError> {
        Err(LoginError::UnknownMechanism)
    }
    /// Logs in by name and password (IMAP LOGIN, POP3 USER and PASS). `tls` tells whether the connection has it.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn password(
        &self,
        _user: &str,
        _password: &Secret,
        _tls: bool,
        _peer: &Peer,
    ) -> Result<Login, LoginError> {
        Err(LoginError::Refused)
    }
}
