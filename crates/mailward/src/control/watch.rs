//! How much comes from whom, what was refused, and what was found in what was taken, for administrators.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use mailward_core::RateStep;
use mailward_core::event::{Event, Events};
use mailward_gate::journal::Asked;
use mailward_inspect::remembered::Remembered;
use mailward_store::QuarantineStore as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is asked of the rate guard and of the journal of refusals.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Sources that went beyond warn; those that are beyond a step now, if one is said: see [`mailward_gate::rates::RateInfo`].
    Rates { over: Option<RateStep> },
    /// Forgets what was counted of a source: see [`mailward_gate::rates::RateReset`].
    ResetRate { source: String },
    /// What was refused: see [`mailward_gate::journal::Found`].
    Trace { asked: Asked },
    /// What was found in a message that was taken, by its name: see [`Taken`].
    Taken { id: String },
}

/// A message that was taken and not plainly delivered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    #[serde(flatten)]
    pub(crate) remembered: Remembered,
    /// Whether the quarantine has it now.
    pub(crate) is_kept: bool,
}

impl Desk {
    /// Does it.
    pub(crate) async fn watch(&self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::Rates { over } => shown(self.watch.rates.list(over)),
            Ask::ResetRate { source } => {
                let reset = self.watch.rates.reset(&source).map_err(Failure::Usage)?;
                if reset.kinds.is_empty() {
                    return Err(Failure::Refused(format!(
                        "nothing is counted of {source}: `mailward rates list` shows who sends much"
                    )));
                }
                // A restart must not bring it back.
                self.watch.save_rates().await?;
                let events = self.server.as_ref().map_or_else(Events::nowhere, |server| server.events().clone());
                events.emit(Event::info("rate.reset").with("source", &source));
                shown(reset)
            }
            Ask::Taken { id } => {
                let Some(remembered) = self.watch.verdicts.find(&id).await? else { return Ok(Value::Null) };
                let is_kept = match remembered.quarantine {
                    Some(id) => self.store.quarantined(id).await?.is_some(),
                    None => false,
                };
                shown(Taken { remembered, is_kept })
            }
            Ask::Trace { asked } => shown(self.watch.journal.find(&asked).await?),
        }
    }
}
