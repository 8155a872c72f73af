//! Messages that were accepted and that nobody sees.

use crate::limits::QUARANTINE_DAYS;
use serde::Serialize;

/// The quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantine {
    /// How long a message is kept, days.
    pub days: usize,
    /// Whether the administrator is told of what is kept for more than being spam.
    pub alert: bool,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { days: QUARANTINE_DAYS, alert: true }
    }
}
