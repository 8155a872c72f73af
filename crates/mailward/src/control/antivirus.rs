//! Virus scanners: how they are, and stored mail that they look at again.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use mailward_core::Domain;
use mailward_inspect::rescan::{self, By, Rescan, RescanError, Scope, Whose};
use mailward_store::MailStore as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What is to be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// How each engine is, and what came of the scanner's workers.
    List,
    /// Begins to look at stored mail: answers [`rescan::Run`].
    Rescan { scope: Scope },
    /// Ends that.
    RescanStop,
    /// What is under way, as far as it came, and what came of it the last times.
    RescanState,
}

impl From<RescanError> for Failure {
    fn from(error: RescanError) -> Self {
        match error {
            RescanError::Store(error) => Failure::Store(error),
            error => Failure::Refused(error.to_string()),
        }
    }
}

impl Desk {
    /// Tells it.
    pub(super) async fn antivirus(&self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::List => self.engines().await,
            Ask::Rescan { scope } => {
                self.check_scope(&scope).await?;
                shown(self.rescan()?.begin(scope, By::Administrator).await?)
            }
            Ask::RescanStop => Ok(json!({ "stops": self.rescan()?.stop() })),
            Ask::RescanState => self.rescan_state().await,
        }
    }

    fn rescan(&self) -> Result<&Arc<Rescan>, Failure> {
        self.rescan.as_ref().ok_or_else(|| Failure::NoServer("no server runs here".to_owned()))
    }

    /// Names that aren't there are told at once.
    async fn check_scope(&self, scope: &Scope) -> Result<(), Failure> {
        match &scope.whose {
            Whose::All => {}
            Whose::Domain(domain) => self.check_domain(domain)?,
            Whose::User(user) => {
                let account = self.account(user)?;
                if let Some(folder) = &scope.folder {
                    self.store.mailbox(account, folder.clone()).await?;
                }
            }
        }
        Ok(())
    }

    fn check_domain(&self, domain: &Domain) -> Result<(), Failure> {
        if self.directory.is_local_domain(domain) {
            return Ok(());
        }
        Err(Failure::Refused(format!("{domain} is no domain of this server: `mailward domain list`")))
    }

    async fn rescan_state(&self) -> Result<Value, Failure> {
        let running = self.rescan.as_ref().and_then(|rescan| rescan.running());
        let last = rescan::last(self.store.clone()).await?;
        Ok(json!({ "running": running, "last": last.last, "whole": last.whole }))
    }

    async fn engines(&self) -> Result<Value, Failure> {
        let scanning = &self.scanning;
        // A server asks them by itself, every so often.
        if self.server.is_none() {
            scanning.antivirus.check().await;
        }
        let counts = scanning.pool.counts();
        let scanner = json!({
            "looked": counts.looked, "lost": counts.lost, "busy": counts.busy, "started": counts.started,
        });
        let engines = shown(scanning.antivirus.states())?;
        Ok(json!({ "engines": engines, "scanner": scanner, "rescan": self.rescan_state().await? }))
    }
}
