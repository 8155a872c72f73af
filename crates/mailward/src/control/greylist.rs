//! Who was put off and who came back, for administrators.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use mailward_core::event::{Event, Events};
use mailward_core::{Network, Timestamp};
use mailward_gate::greylist::{Forget, Greylist, Remembered, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// A page of what is remembered, the soonest to expire first: those that wait, or all.
    List { all: bool, after: Option<(Timestamp, u64)> },
    /// Forgets what is remembered of a network; of everybody, if none is named.
    Remove { network: Option<String> },
}

/// A page.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<(Timestamp, u64)>,
}

/// One that is remembered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) network: String,
    pub(crate) state: String,
    /// When it was put off, or passed first.
    pub(crate) since: Timestamp,
    /// When it is forgotten.
    pub(crate) expires: Timestamp,
}

impl From<&Remembered> for Entry {
    fn from(one: &Remembered) -> Self {
        Self {
            network: one.network.to_string(),
            state: one.state.name().to_owned(),
            since: one.since,
            expires: one.expires,
        }
    }
}

/// Where what is remembered is: with the server, or in the store of a data directory.
#[derive(Clone)]
pub(crate) enum Memory {
    Server(Arc<Greylist>),
    Data(PathBuf),
}

impl Desk {
    async fn remembered(&self) -> Result<Arc<Greylist>, Failure> {
        match &self.greylist {
            Memory::Server(greylist) => Ok(greylist.clone()),
            Memory::Data(data) => {
                crate::compose::gate::greylist(&self.store, &crate::compose::server_secret(data)?).await
            }
        }
    }

    /// Does it.
    pub(super) async fn greylist(&self, ask: Ask) -> Result<Value, Failure> {
        let greylist = self.remembered().await?;
        match ask {
            Ask::List { all, after } => {
                let page = greylist.list(after);
                let next = page.last().map(|last| (last.expires, last.id));
                let shows = |one: &&Remembered| all || one.state == State::PutOff;
                shown(Page { entries: page.iter().filter(shows).map(Entry::from).collect(), next })
            }
            Ask::Remove { network } => {
                let what = match &network {
                    Some(text) => Forget::Network(Network::parse_any(text).map_err(|e| Failure::Usage(e.to_string()))?),
                    None => Forget::All,
                };
                let count = greylist.forget(what).await?;
                let events = self.server.as_ref().map_or_else(Events::nowhere, |server| server.events().clone());
                let whose = network.as_deref().unwrap_or("all");
                events.emit(Event::info("greylist.removed").with("network", whose).with("count", count));
                Ok(json!({ "removed": count }))
            }
        }
    }
}
