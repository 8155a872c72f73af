//! Who lives in the demo.

use super::DOMAIN;
use super::stage::{MARK, write};
use crate::control::desk::Desk;
use crate::failure::Failure;
use mailward_core::{Address, Domain, Secret};
use mailward_directory::{DirectoryError, NewPassword, NewUser};
use mailward_store::DirectoryStore as _;
use mailward_store::records::AccountChange;
use mailward_vault::Hasher;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Local part and name of each.
const PEOPLE: [(&str, &str); 2] = [("alice", "Alice Archer"), ("bob", "Bob Baker")];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) address: String,
    pub(crate) password: String,
}

/// What a demo remembers, so that its second start can say it again. Mode 0600.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    pub(crate) users: Vec<Person>,
    /// Whether the sample messages were delivered.
    pub(crate) samples: bool,
}

impl Memory {
    pub(crate) fn read(data: &Path) -> Result<Self, Failure> {
        let path = data.join(MARK);
        let bytes = std::fs::read(&path).map_err(|e| Failure::io(path.display(), e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Failure::Refused(format!("{} can't be read: {e}; remove {} to start anew", path.display(), data.display()))
        })
    }
    pub(crate) fn write(&self, data: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Failure::Bug(e.to_string()))?;
        text.push(b'\n');
        write(&data.join(MARK), &text, 0o600)
    }
}

/// Sees that domain and users are there, with passwords that we know.
pub(crate) async fn settle(desk: &Desk, data: &Path, password: Option<&str>) -> Result<Vec<Person>, Failure> {
    let bad = |e: &dyn std::fmt::Display| Failure::Bug(e.to_string());
    let domain = Domain::parse(DOMAIN).map_err(|e| bad(&e))?;
    let directory = &desk.directory;
    if !directory.is_local_domain(&domain) {
        desk.dkim.add_domain(domain).await?;
    }
    let mut memory = Memory::read(data)?;
    let mut people = Vec::new();
    for (local, name) in PEOPLE {
        let address: Address = format!("{local}@{DOMAIN}").parse().map_err(|e| bad(&e))?;
        let known = memory.users.iter().find(|p| p.address == address.to_string()).map(|p| p.password.clone());
        let exists = match directory.user(&address, None).await {
            Ok(_) => true,
            Err(DirectoryError::NoUser(_)) => false,
            Err(e) => return Err(e.into()),
        };
        let password = match (password, known) {
            (Some(wanted), Some(known)) if exists && wanted == known => known,
            (Some(wanted), _) => {
                if !exists {
                    add(desk, address.clone(), name, NewPassword::None).await?;
                }
                take_as_it_is(desk, local, wanted).await?;
                wanted.to_owned()
            }
            (None, Some(known)) if exists => known,
            (None, _) if exists => made(directory.set_password(&address, NewPassword::Generated).await?)?,
            (None, _) => made(add(desk, address.clone(), name, NewPassword::Generated).await?)?,
        };
        people.push(Person { address: address.to_string(), password });
    }
    memory.users.clone_from(&people);
    memory.write(data)?;
    Ok(people)
}

async fn add(desk: &Desk, address: Address, name: &str, password: NewPassword) -> Result<Option<Secret>, Failure> {
    let display_name = name.to_owned();
    let user = NewUser { address, password, display_name, quota_bytes: 0, quota_messages: 0 };
    Ok(desk.directory.add_user(user).await?.1)
}

fn made(password: Option<Secret>) -> Result<String, Failure> {
    let password = password.ok_or_else(|| Failure::Bug("no password was made".to_owned()))?;
    Ok(String::from_utf8_lossy(password.expose()).into_owned())
}

/// The demo's `--password` goes past the password policy, which holds everywhere else: people type `test`, and
/// nobody but this host can reach these two made-up users.
async fn take_as_it_is(desk: &Desk, local: &str, password: &str) -> Result<(), Failure> {
    let bad = |e: &dyn std::fmt::Display| Failure::Usage(format!("--password: {e}"));
    let credential = Hasher::new().derive(&Secret::new(password)).await.map_err(|e| bad(&e))?;
    let accounts = desk.store.accounts().await?;
    let id = accounts.iter().find(|a| a.local == local).map(|a| a.id);
    let id = id.ok_or_else(|| Failure::Bug(format!("{local} was not made")))?;
    desk.store
        .change_account(AccountChange::Set {
            id,
            display_name: None,
            enabled: None,
            credential: Some(credential.to_bytes().into()),
            quota_bytes: None,
            quota_messages: None,
        })
        .await?;
    desk.directory.refresh().await?;
    Ok(())
}
