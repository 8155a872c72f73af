//! The spam filter: what it learns, and what it knows.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::event::Events;
use mailward_core::{AccountId, Address, config};
use mailward_inspect::spam::{Knowledge, Learnt, Lesson, Spam};
use mailward_store::SpamStore as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// How much was learned, and by whom: see [`Told`].
    Status,
    /// Learns a message, or forgets it: answers whether that was new.
    Learn {
        /// For whom; `None`: the server.
        user: Option<Address>,
        /// As what.
        as_: What,
        /// Its first `limits::SPAM_READ_MAX` bytes, base64.
        message: String,
    },
    /// Puts what was learned into the table, and what users said.
    Settle,
    /// Forgets everything that somebody learned.
    Forget {
        /// Who; `None`: the server.
        user: Option<Address>,
    },
}

/// What a message is learned as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Spam,
    Ham,
    /// It isn't any more.
    Nothing,
}

/// How much was learned.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) server: Knowledge,
    pub(crate) users: Vec<User>,
    pub(crate) mark: String,
    pub(crate) junk: String,
    pub(crate) reject: String,
}

/// What a user learned.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) address: Option<Address>,
    pub(crate) spam: u64,
    pub(crate) ham: u64,
}

/// The filter: the server's, or one that is opened when it is asked, as its table may be large.
#[derive(Clone, Debug)]
pub(crate) struct SpamDesk {
    spam: Arc<OnceCell<Arc<Spam>>>,
    settings: config::Spam,
    data: PathBuf,
}

impl SpamDesk {
    /// Where a server runs.
    pub(crate) fn with_server(spam: Arc<Spam>) -> Self {
        let settings = (*spam.settings()).clone();
        Self { spam: Arc::new(OnceCell::new_with(Some(spam))), settings, data: PathBuf::new() }
    }
    /// Where none does: the server's secret is in the directory.
    pub(crate) fn without_server(data: &Path, settings: &config::Spam) -> Self {
        Self { spam: Arc::default(), settings: settings.clone(), data: data.to_owned() }
    }
}

impl Desk {
    pub(super) async fn spam_filter(&self) -> Result<&Arc<Spam>, Failure> {
        let open = || async {
            let secret = crate::compose::server_secret(&self.spam.data)?;
            let events = Events::nowhere();
            crate::compose::spam::open(&self.spam.settings, &self.store, &secret, &self.directory, None, &events).await
        };
        self.spam.spam.get_or_try_init(open).await
    }

    /// Does it.
    pub(super) async fn spam(&self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::Status => {
                let owners = self.store.spam_owners().await?;
                let of_user =
                    |account: AccountId, (spam, ham)| User { address: self.directory.address_of(account), spam, ham };
                let server = match self.spam.spam.get() {
                    Some(spam) => spam.knowledge(None),
                    // Not worth reading the table for.
                    None => owners
                        .iter()
                        .find(|one| one.owner.is_none())
                        .map_or_else(Knowledge::default, |one| Knowledge { spam: one.spam, ham: one.ham, tokens: 0 }),
                };
                let users = owners.iter().filter_map(|one| Some(of_user(one.owner?, (one.spam, one.ham)))).collect();
                let settings =
                    self.spam.spam.get().map_or_else(|| self.spam.settings.clone(), |spam| (*spam.settings()).clone());
                shown(Told {
                    server,
                    users,
                    mark: settings.mark.to_string(),
                    junk: settings.junk.to_string(),
                    reject: settings.reject.to_string(),
                })
            }
            Ask::Learn { user, as_, message } => {
                let owner = self.owner(user)?;
                let message =
                    STANDARD.decode(message).map_err(|_| Failure::Usage("the message isn't base64".to_owned()))?;
                let lesson = match as_ {
                    What::Spam => Some(Lesson::Spam),
                    What::Ham => Some(Lesson::Ham),
                    What::Nothing => None,
                };
                let learnt = self.spam_filter().await?.learn(owner, &message, lesson).await?;
                shown(learnt != Learnt::Already)
            }
            Ask::Settle => {
                self.spam_filter().await?.settle().await?;
                Ok(Value::Null)
            }
            Ask::Forget { user } => {
                let owner = self.owner(user)?;
                self.spam_filter().await?.forget(owner).await?;
                Ok(Value::Null)
            }
        }
    }

    fn owner(&self, user: Option<Address>) -> Result<Option<AccountId>, Failure> {
        let Some(user) = user else { return Ok(None) };
        let account = self.directory.account_id(&user);
        account
            .map(Some)
            .ok_or_else(|| Failure::Refused(format!("there is no user {user}: `mailward user list` shows them")))
    }
}
