//! Messages that were accepted and that nobody sees.

use crate::limits::QUARANTINE_DAYS;
use serde::Serialize;

/// The quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantine {
    /// How long a message is kept, days.
    pub days: usize,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { days: QUARANTINE_DAYS }
    }
}
