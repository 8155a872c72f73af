//! Virus scanners: how they are.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is to be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// How each engine is, and what came of the scanner's workers.
    List,
}

impl Desk {
    /// Tells it.
    pub(super) async fn antivirus(&self, ask: Ask) -> Result<Value, Failure> {
        let Ask::List = ask;
        let scanning = &self.scanning;
        // A server asks them by itself, every so often.
        if self.server.is_none() {
            scanning.antivirus.check().await;
        }
        let counts = scanning.pool.counts();
        let scanner = json!({
            "looked": counts.looked, "lost": counts.lost, "busy": counts.busy, "started": counts.started,
        });
        Ok(json!({ "engines": shown(scanning.antivirus.states())?, "scanner": scanner }))
    }
}
