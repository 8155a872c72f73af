//! Accounts elsewhere, for administrators.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use crate::secrets::Carried;
use mailward_fetch::{FetchError, Name, Settings, SettingsChange};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is to be done to accounts elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Adds one; it is visited at once.
    Add { name: Name, settings: Box<Settings>, password: Carried },
    /// Changes one; it is visited at once.
    Change { name: Name, change: Box<SettingsChange>, password: Option<Carried> },
    /// Removes one, and forgets what was fetched from it.
    Remove { name: Name },
    /// All of them.
    List,
    /// One of them.
    Show { name: Name },
    /// Visits one as soon as can be.
    Now { name: Name },
    /// Pauses one, or lets it be visited again.
    Pause { name: Name, paused: bool },
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Store(error) => Failure::Store(error),
            error @ (FetchError::Settings(_) | FetchError::Password) => Failure::Usage(error.to_string()),
            error => Failure::Refused(error.to_string()),
        }
    }
}

impl Desk {
    /// Does it. What is answered of an account is [`mailward_fetch::Info`], and whether a server runs that visits it.
    pub(crate) async fn fetch(&self, ask: Ask) -> Result<Value, Failure> {
        let accounts = &self.fetching;
        let info = match ask {
            Ask::Add { name, settings, password } => accounts.add(name, *settings, &password.0).await?,
            Ask::Change { name, change, password } => {
                accounts.change(&name, *change, password.as_ref().map(|carried| &carried.0)).await?
            }
            Ask::Remove { name } => {
                accounts.remove(&name).await?;
                return Ok(Value::Null);
            }
            Ask::List => return shown(accounts.list().await?),
            Ask::Show { name } => accounts.show(&name).await?,
            Ask::Now { name } => accounts.now(&name).await?,
            Ask::Pause { name, paused } => accounts.pause(&name, paused).await?,
        };
        Ok(json!({ "account": info, "served": self.server.is_some() }))
    }
}
