//! Times in steps of milliseconds.

use mailward_core::Timestamp;
use std::time::Duration;

/// So much later.
pub(crate) fn after(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

/// How long it is from one time to a later one.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}
