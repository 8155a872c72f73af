//! What administrators do. Command line, pages and API all come through here. Each function checks, writes through
//! the store, and returns when the snapshot shows the change.

use crate::directory::Directory;
use crate::error::DirectoryError;
use crate::info::{AliasInfo, DomainInfo, UserInfo};
use mailward_core::{Address, Domain, Secret};
use mailward_store::MailStore;

/// A password for an account.
#[derive(Clone, Debug)]
pub enum NewPassword {
    /// This one, if the policy takes it.
    Given(Secret),
    /// A generated one, which is returned, once.
    Generated,
    /// None: nobody can log in until one is set.
    None,
}

/// An account to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Its address.
    pub address: Address,
    /// Its password.
    pub password: NewPassword,
    /// Name of the person; may be empty.
    pub display_name: String,
    /// Bytes it may hold; 0: no limit.
    pub quota_bytes: u64,
    /// Messages it may hold; 0: no limit.
    pub quota_messages: u64,
}

/// Changes of an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserSettings {
    /// Name of the person.
    pub display_name: Option<String>,
    /// Whether it may log in and gets mail.
    pub enabled: Option<bool>,
    /// Bytes it may hold; 0: no limit.
    pub quota_bytes: Option<u64>,
    /// Messages it may hold; 0: no limit.
    pub quota_messages: Option<u64>,
}

/// Changes of a domain; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct DomainSettings {
    /// Whether mail is taken for it.
    pub enabled: Option<bool>,
    /// Where mail to nobody goes; `Some(None)` takes it off.
    pub catch_all: Option<Option<Address>>,
}

impl Directory {
    /// Adds a domain.
    ///
    /// # Errors
    /// [`DirectoryError::Taken`], or what the store says.
    pub async fn add_domain(&self, name: Domain) -> Result<DomainInfo, DirectoryError> {
        Err(DirectoryError::NoDomain(name.to_string()))
    }
    /// Changes a domain.
    ///
    /// # Errors
    /// [`DirectoryError`] says what doesn't do.
    pub async fn set_domain(&self, name: &Domain, _settings: DomainSettings) -> Result<DomainInfo, DirectoryError> {
        Err(DirectoryError::NoDomain(name.to_string()))
    }
    /// Removes a domain that has no users and no aliases.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], [`DirectoryError::InUse`], or what the store says.
    pub async fn remove_domain(&self, name: &Domain) -> Result<(), DirectoryError> {
        Err(DirectoryError::NoDomain(name.to_string()))
    }
    /// All domains, by name.
    #[must_use]
    pub fn list_domains(&self) -> Vec<DomainInfo> {
        Vec::new()
    }
    /// Adds an account; returns the password if one was generated.
    ///
    /// # Errors
    /// [`DirectoryError`] says what doesn't do.
    pub async fn add_user(&self, user: NewUser) -> Result<(UserInfo, Option<Secret>), DirectoryError> {
        Err(DirectoryError::NoDomain(user.address.to_string()))
    }
    /// Changes an account.
    ///
    /// # Errors
    /// [`DirectoryError`] says what doesn't do.
    pub async fn set_user(&self, address: &Address, _settings: UserSettings) -> Result<UserInfo, DirectoryError> {
        Err(DirectoryError::NoUser(address.to_string()))
    }
    /// Sets an account's password, by the same policy whoever sets it; returns it if it was generated. Sessions that
    /// run stay; remembered logins with the old one are forgotten.
    ///
    /// # Errors
    /// [`DirectoryError::NoUser`], [`DirectoryError::Password`] with the reason, [`DirectoryError::Busy`], or what
    /// the store says.
    pub async fn set_password(
        &self,
        address: &Address,
        _password: NewPassword,
    ) -> Result<Option<Secret>, DirectoryError> {
        Err(DirectoryError::NoUser(address.to_string()))
    }
    /// Removes an account and its mail.
    ///
    /// # Errors
    /// [`DirectoryError::NoUser`], [`DirectoryError::InUse`] while an alias or catch-all leads to it, or what the
    /// store says.
    pub async fn remove_user(&self, address: &Address) -> Result<(), DirectoryError> {
        Err(DirectoryError::NoUser(address.to_string()))
    }
    /// Accounts by address, of one domain or all; with what they hold if `mail` is given.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], or what the store says.
    pub async fn list_users(
        &self,
        _domain: Option<&Domain>,
        _mail: Option<&dyn MailStore>,
    ) -> Result<Vec<UserInfo>, DirectoryError> {
        Ok(Vec::new())
    }
    /// One account.
    ///
    /// # Errors
    /// [`DirectoryError::NoUser`], or what the store says.
    pub async fn user(&self, address: &Address, _mail: Option<&dyn MailStore>) -> Result<UserInfo, DirectoryError> {
        Err(DirectoryError::NoUser(address.to_string()))
    }
    /// Adds an alias or replaces its targets.
    ///
    /// # Errors
    /// [`DirectoryError`] says what doesn't do.
    pub async fn put_alias(&self, alias: &Address, _targets: Vec<Address>) -> Result<AliasInfo, DirectoryError> {
        Err(DirectoryError::NoAlias(alias.to_string()))
    }
    /// Removes an alias.
    ///
    /// # Errors
    /// [`DirectoryError::NoAlias`], [`DirectoryError::InUse`] while another alias or a catch-all leads to it, or
    /// what the store says.
    pub async fn remove_alias(&self, alias: &Address) -> Result<(), DirectoryError> {
        Err(DirectoryError::NoAlias(alias.to_string()))
    }
    /// Aliases by address, of one domain or all.
    #[must_use]
    pub fn list_aliases(&self, _domain: Option<&Domain>) -> Vec<AliasInfo> {
        Vec::new()
    }
}
