//! What administrators do. Command line, pages and API all come through here. Each function checks, writes through
//! the store, and returns when the snapshot shows the change.

use crate::directory::Directory;
use crate::error::DirectoryError;
use crate::info::{AliasInfo, DomainInfo, UserInfo};
use crate::snapshot::{AccountEntry, AliasEntry, DomainEntry, Lost, Name, Snapshot, fold, own_address};
use mailward_core::limits::{ALIAS_TARGETS_MAX, DISPLAY_NAME_MAX};
use mailward_core::{Address, Domain, LocalPart, Secret};
use mailward_store::records::{AccountChange, AliasChange, DomainChange};
use mailward_store::{MailStore, StoreError};
use mailward_vault::{Subject, VaultError, check_password, generate_password};
use std::collections::HashSet;
use std::sync::Arc;

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
        let _changing = self.changing().lock().await;
        if self.snapshot().domain(&name).is_some() {
            return Err(DirectoryError::Taken(name.to_string(), "a domain"));
        }
        self.store().change_domain(DomainChange::Add { name: name.clone() }).await?;
        self.refresh().await?;
        domain_info(&self.snapshot(), &name)
    }

    /// Changes a domain. The catch-all may be a user or an alias of ours, or an address in another's domain.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`]; [`DirectoryError::NoTargetUser`] or [`DirectoryError::Loop`] for a catch-all
    /// that leads nowhere; or what the store says.
    pub async fn set_domain(&self, name: &Domain, settings: DomainSettings) -> Result<DomainInfo, DirectoryError> {
        let _changing = self.changing().lock().await;
        let snapshot = self.snapshot();
        let id = find_domain(&snapshot, name)?.id;
        let catch_all = match settings.catch_all {
            Some(Some(target)) => {
                let target = checked_target(&snapshot, &target)?;
                // Followed from whom the catch-all is for: nobody is called a single space.
                let stranger = own_address("account", "\" \"", name)?;
                checked_ways(&snapshot, &snapshot.with_catch_all(name, Some(target.clone())), &stranger)?;
                Some(Some(target.to_string()))
            }
            Some(None) => Some(None),
            None => None,
        };
        self.store().change_domain(DomainChange::Set { id, enabled: settings.enabled, catch_all }).await?;
        self.refresh().await?;
        domain_info(&self.snapshot(), name)
    }

    /// Removes a domain that has no users and no aliases, and that no alias leads to.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], [`DirectoryError::InUse`], or what the store says.
    pub async fn remove_domain(&self, name: &Domain) -> Result<(), DirectoryError> {
        let _changing = self.changing().lock().await;
        let snapshot = self.snapshot();
        let domain = find_domain(&snapshot, name)?;
        if !domain.names.is_empty() {
            return Err(DirectoryError::InUse(name.to_string(), "users or aliases"));
        }
        self.store().change_domain(DomainChange::Remove { id: domain.id }).await?;
        self.refresh().await
    }

    /// All domains, by name.
    #[must_use]
    pub fn list_domains(&self) -> Vec<DomainInfo> {
        self.snapshot().domains().into_iter().map(DomainInfo::of).collect()
    }

    /// Adds an account; returns the password if one was generated.
    ///
    /// # Errors
    /// [`DirectoryError`] says what doesn't do: no such domain, the name is taken or can't be one, the password is
    /// refused by the policy; or what the store says.
    pub async fn add_user(&self, user: NewUser) -> Result<(UserInfo, Option<Secret>), DirectoryError> {
        let address = folded(&user.address)?;
        checked_local("a user", address.local())?;
        let display_name = checked_display_name(user.display_name)?;
        // Before the hash, which takes its time, and again below: meanwhile somebody else may have added it.
        find_free(&self.snapshot(), &address, false)?;
        let (credential, generated) = self.credential(&address, &display_name, user.password).await?;

        let _changing = self.changing().lock().await;
        let domain = find_free(&self.snapshot(), &address, false)?;
        let change = AccountChange::Add {
            domain,
            local: address.local().as_str().to_owned(),
            display_name,
            credential,
            quota_bytes: user.quota_bytes,
            quota_messages: user.quota_messages,
        };
        self.store().change_account(change).await?;
        self.refresh().await?;
        let snapshot = self.snapshot();
        Ok((UserInfo::of(find_account(&snapshot, &address)?), generated))
    }

    /// Changes an account.
    ///
    /// # Errors
    /// [`DirectoryError::NoUser`], a display name that doesn't do, or what the store says.
    pub async fn set_user(&self, address: &Address, settings: UserSettings) -> Result<UserInfo, DirectoryError> {
        let _changing = self.changing().lock().await;
        let change = AccountChange::Set {
            id: find_account(&self.snapshot(), address)?.record.id,
            display_name: settings.display_name.map(checked_display_name).transpose()?,
            enabled: settings.enabled,
            credential: None,
            quota_bytes: settings.quota_bytes,
            quota_messages: settings.quota_messages,
        };
        self.store().change_account(change).await?;
        self.refresh().await?;
        let snapshot = self.snapshot();
        Ok(UserInfo::of(find_account(&snapshot, address)?))
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
        password: NewPassword,
    ) -> Result<Option<Secret>, DirectoryError> {
        let account = Arc::clone(find_account(&self.snapshot(), address)?);
        let display_name = &account.record.display_name;
        let (credential, generated) = self.credential(&account.address, display_name, password).await?;

        let _changing = self.changing().lock().await;
        let change = AccountChange::Set {
            id: find_account(&self.snapshot(), address)?.record.id,
            display_name: None,
            enabled: None,
            credential: Some(credential),
            quota_bytes: None,
            quota_messages: None,
        };
        self.store().change_account(change).await?;
        self.refresh().await?;
        Ok(generated)
    }

    /// Removes an account and its mail.
    ///
    /// # Errors
    /// [`DirectoryError::NoUser`], [`DirectoryError::StillTarget`] while an alias or catch-all leads to it, or what
    /// the store says.
    pub async fn remove_user(&self, address: &Address) -> Result<(), DirectoryError> {
        let _changing = self.changing().lock().await;
        let snapshot = self.snapshot();
        let account = find_account(&snapshot, address)?;
        check_untargeted(&snapshot, &account.address)?;
        self.store().change_account(AccountChange::Remove { id: account.record.id }).await?;
        self.refresh().await
    }

    /// Accounts by address, of one domain or all; with what they hold if `mail` is given.
    ///
    /// # Errors
    /// [`DirectoryError::NoDomain`], or what the store says.
    pub async fn list_users(
        &self,
        domain: Option<&Domain>,
        mail: Option<&dyn MailStore>,
    ) -> Result<Vec<UserInfo>, DirectoryError> {
        let snapshot = self.snapshot();
        if let Some(name) = domain {
            find_domain(&snapshot, name)?;
        }
        let mut users = Vec::new();
        for account in snapshot.accounts(domain) {
            match user_info(account, mail).await {
                Ok(info) => users.push(info),
                // Removed since the snapshot was taken.
                Err(DirectoryError::Store(StoreError::NotFound(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(users)
    }

    /// One account; with what it holds if `mail` is given.
    ///
    /// # Errors
    /// [`DirectoryError::NoUser`], or what the store says.
    pub async fn user(&self, address: &Address, mail: Option<&dyn MailStore>) -> Result<UserInfo, DirectoryError> {
        let snapshot = self.snapshot();
        user_info(find_account(&snapshot, address)?, mail).await
    }

    /// Adds an alias or replaces its targets: users or aliases of ours (with any `+tag`), or addresses in others'
    /// domains.
    ///
    /// # Errors
    /// [`DirectoryError`] says what doesn't do: no such domain, the name is a user's or can't be one, no targets or
    /// too many, a target of ours that isn't there, a circle; or what the store says.
    pub async fn put_alias(&self, alias: &Address, targets: Vec<Address>) -> Result<AliasInfo, DirectoryError> {
        let alias = folded(alias)?;
        checked_local("an alias", alias.local())?;
        let _changing = self.changing().lock().await;
        let snapshot = self.snapshot();
        let id = find_free(&snapshot, &alias, true)?;
        let targets = checked_targets(&snapshot, &alias, targets)?;
        let domain = alias.domain().and_then(|d| snapshot.domain(d));
        let domain = domain.ok_or_else(|| DirectoryError::NoDomain(alias.host().to_string()))?;
        checked_ways(&snapshot, &snapshot.with_alias(&alias, domain, &targets), &alias)?;
        let change = AliasChange::Put {
            domain: id,
            local: alias.local().as_str().to_owned(),
            targets: targets.iter().map(Address::to_string).collect(),
        };
        self.store().change_alias(change).await?;
        self.refresh().await?;
        let snapshot = self.snapshot();
        Ok(AliasInfo::of(find_alias(&snapshot, &alias)?))
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// [`DirectoryError::NoAlias`], [`DirectoryError::StillTarget`] while another alias or a catch-all leads to it,
    /// or what the store says.
    pub async fn remove_alias(&self, alias: &Address) -> Result<(), DirectoryError> {
        let _changing = self.changing().lock().await;
        let snapshot = self.snapshot();
        let entry = find_alias(&snapshot, alias)?;
        check_untargeted(&snapshot, &entry.address)?;
        let change = AliasChange::Remove { domain: entry.domain, local: entry.local.clone() };
        self.store().change_alias(change).await?;
        self.refresh().await
    }

    /// Aliases by address, of one domain or all.
    #[must_use]
    pub fn list_aliases(&self, domain: Option<&Domain>) -> Vec<AliasInfo> {
        self.snapshot().aliases(domain).into_iter().map(|alias| AliasInfo::of(alias)).collect()
    }

    /// Judges or makes a password and hashes it.
    async fn credential(
        &self,
        address: &Address,
        display_name: &str,
        password: NewPassword,
    ) -> Result<(Arc<[u8]>, Option<Secret>), DirectoryError> {
        let (password, generated) = match password {
            NewPassword::None => return Ok((Arc::from([]), None)),
            NewPassword::Given(password) => {
                let domain = address.host().to_string();
                let subject = Subject { local: address.local().as_str(), domain: &domain, display_name };
                check_password(&password, subject)?;
                (password, None)
            }
            NewPassword::Generated => {
                let password = generate_password().map_err(DirectoryError::Vault)?;
                (password.clone(), Some(password))
            }
        };
        let credential = self.hasher().derive(&password).await.map_err(|error| match error {
            VaultError::Busy => DirectoryError::Busy,
            error => DirectoryError::Vault(error),
        })?;
        Ok((credential.to_bytes().into(), generated))
    }
}

fn find_domain<'a>(snapshot: &'a Snapshot, name: &Domain) -> Result<&'a DomainEntry, DirectoryError> {
    snapshot.domain(name).ok_or_else(|| DirectoryError::NoDomain(name.to_string()))
}

fn find_account<'a>(snapshot: &'a Snapshot, address: &Address) -> Result<&'a Arc<AccountEntry>, DirectoryError> {
    match snapshot.name(address) {
        Some(Name::Account(account)) => Ok(account),
        _ => Err(DirectoryError::NoUser(address.to_string())),
    }
}

fn find_alias<'a>(snapshot: &'a Snapshot, address: &Address) -> Result<&'a AliasEntry, DirectoryError> {
    match snapshot.name(address) {
        Some(Name::Alias(alias)) => Ok(alias),
        _ => Err(DirectoryError::NoAlias(address.to_string())),
    }
}

/// The domain of an address that nobody has yet; `or_alias` allows an alias to have it.
fn find_free(
    snapshot: &Snapshot,
    address: &Address,
    or_alias: bool,
) -> Result<mailward_core::DomainId, DirectoryError> {
    let name = address.domain().ok_or_else(|| DirectoryError::Literal(address.to_string()))?;
    let domain = find_domain(snapshot, name)?;
    match snapshot.name(address) {
        Some(Name::Account(_)) => Err(DirectoryError::Taken(address.to_string(), "a user")),
        Some(Name::Alias(_)) if !or_alias => Err(DirectoryError::Taken(address.to_string(), "an alias")),
        _ => Ok(domain.id),
    }
}

async fn user_info(account: &AccountEntry, mail: Option<&dyn MailStore>) -> Result<UserInfo, DirectoryError> {
    let mut info = UserInfo::of(account);
    if let Some(mail) = mail {
        info.usage = Some(mail.usage(account.record.id).await?);
    }
    Ok(info)
}

fn domain_info(snapshot: &Snapshot, name: &Domain) -> Result<DomainInfo, DirectoryError> {
    find_domain(snapshot, name).map(DomainInfo::of)
}

/// An address of ours as it is stored: local part folded.
fn folded(address: &Address) -> Result<Address, DirectoryError> {
    let domain = address.domain().ok_or_else(|| DirectoryError::Literal(address.to_string()))?;
    // Written and read again, quotes and all; only a few letters that grow in lower case can pass the limit here.
    own_address("account", &fold(&address.local().to_string()), domain)
        .map_err(|_| DirectoryError::LocalPart(address.local().to_string(), "a user or alias", "it is too long"))
}

/// What a name of ours may be: what can be typed and said, is no option, path or route to anybody's program, and
/// leaves the `+` to the user's own tags (attacks A5).
fn checked_local(what: &'static str, local: &LocalPart) -> Result<(), DirectoryError> {
    let refuse = |why| Err(DirectoryError::LocalPart(local.to_string(), what, why));
    let text = local.as_str();
    if text.contains('+') {
        return refuse("what follows a + is the user's own tag");
    }
    if !text.chars().all(|c| c.is_alphanumeric() || ".-_'=&~".contains(c)) {
        return refuse("use letters, digits and . - _ ' = & ~");
    }
    if text.starts_with(['-', '.']) || text.ends_with('.') || text.contains("..") {
        return refuse("it must not begin with a hyphen, and dots stand single and inside");
    }
    Ok(())
}

fn checked_display_name(name: String) -> Result<String, DirectoryError> {
    if name.chars().count() > DISPLAY_NAME_MAX {
        return Err(DirectoryError::TooLong("the display name", DISPLAY_NAME_MAX));
    }
    if name.chars().any(char::is_control) {
        return Err(DirectoryError::ControlCharacter("the display name"));
    }
    Ok(name)
}

/// A target in its one form, if it leads anywhere.
fn checked_target(snapshot: &Snapshot, target: &Address) -> Result<Address, DirectoryError> {
    let name = target.domain().ok_or_else(|| DirectoryError::Literal(target.to_string()))?;
    let Some(domain) = snapshot.domain(name) else {
        return Ok(target.clone());
    };
    if Snapshot::reached(domain, target.local()).is_none() {
        return Err(DirectoryError::NoTargetUser(target.to_string()));
    }
    // The tag keeps its case.
    Ok(target.clone())
}

fn checked_targets(
    snapshot: &Snapshot,
    alias: &Address,
    targets: Vec<Address>,
) -> Result<Vec<Address>, DirectoryError> {
    if targets.is_empty() {
        return Err(DirectoryError::NoTarget(alias.to_string()));
    }
    let mut known = HashSet::new();
    let mut checked = Vec::new();
    for target in targets {
        if target.host() == alias.host() && fold(target.local().as_str()) == alias.local().as_str() {
            return Err(DirectoryError::Loop(alias.to_string()));
        }
        let target = checked_target(snapshot, &target)?;
        if known.insert(target.clone()) {
            checked.push(target);
        }
        if checked.len() > ALIAS_TARGETS_MAX {
            return Err(DirectoryError::TooManyTargets(alias.to_string()));
        }
    }
    Ok(checked)
}

/// Follows the changed address and every alias through the directory as it would be: none may get lost that did
/// not before.
fn checked_ways(before: &Snapshot, after: &Snapshot, changed: &Address) -> Result<(), DirectoryError> {
    let others = after.aliases(None).into_iter().map(|alias| &alias.address);
    for address in std::iter::once(changed).chain(others) {
        let Err(lost) = after.follow(address) else {
            continue;
        };
        if address != changed && before.follow(address).is_err() {
            continue;
        }
        return Err(match lost {
            Lost::Loop => DirectoryError::Loop(address.to_string()),
            Lost::TooMany => DirectoryError::TooManyTargets(address.to_string()),
        });
    }
    Ok(())
}

/// Refuses while an alias or a catch-all names this address.
fn check_untargeted(snapshot: &Snapshot, address: &Address) -> Result<(), DirectoryError> {
    let is_it = |target: &Address| {
        let domain = target.domain().and_then(|d| snapshot.domain(d));
        let reached = domain.and_then(|d| Snapshot::reached(d, target.local()));
        reached.is_some_and(|(name, _)| match name {
            Name::Account(account) => account.address == *address,
            Name::Alias(alias) => alias.address == *address,
        })
    };
    if let Some(alias) = snapshot.aliases(None).into_iter().find(|alias| alias.targets.iter().any(is_it)) {
        return Err(DirectoryError::StillTarget(address.to_string(), format!("the alias {}", alias.address)));
    }
    if let Some(domain) = snapshot.domains().into_iter().find(|d| d.catch_all.as_ref().is_some_and(is_it)) {
        return Err(DirectoryError::StillTarget(address.to_string(), format!("the catch-all of {}", domain.name)));
    }
    Ok(())
}
