//! How the DNS is asked about strangers: bounded in time and number.

use mailward_core::limits::{
    INQUIRY_KEPT_MAX, INQUIRY_KEPT_MIN, INQUIRY_LOOKUP_TIME, LIST_LOOKUPS_AT_ONCE, NAME_LOOKUPS_AT_ONCE,
};
use mailward_dns::{Answer, Found, Lookup, LookupError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// The DNS, and places in the queue to it.
pub(crate) struct Means {
    pub(crate) lookup: Arc<dyn Lookup>,
    /// For lists.
    pub(crate) lists: Semaphore,
    /// For what strangers' servers answer.
    pub(crate) names: Semaphore,
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// There is none: the name doesn't exist, or has no such records. Until when that holds.
    None { name: bool, until: Instant },
    /// Nobody knows now, and why.
    Failed(String),
    /// There was no answer in time.
    Late,
    /// So many questions were under way that this one wasn't asked.
    NoTurn,
}

impl Means {
    pub(crate) fn new(lookup: Arc<dyn Lookup>) -> Self {
        let (lists, names) = (Semaphore::new(LIST_LOOKUPS_AT_ONCE), Semaphore::new(NAME_LOOKUPS_AT_ONCE));
        Self { lookup, lists, names }
    }

    /// A lookup of names or addresses.
    pub(crate) async fn name<T>(&self, answer: Answer<'_, T>) -> Result<Found<T>, Missing> {
        within(&self.names, INQUIRY_LOOKUP_TIME, answer).await
    }
}

/// An answer, when its turn comes, within a time.
pub(crate) async fn within<T>(turns: &Semaphore, wait: Duration, answer: Answer<'_, T>) -> Result<Found<T>, Missing> {
    let now = Instant::now();
    let end = now.checked_add(wait).unwrap_or(now);
    let Ok(Ok(_turn)) = timeout_at(end, turns.acquire()).await else { return Err(Missing::NoTurn) };
    match timeout_at(end, answer).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(LookupError::NoName { valid_until, .. })) => {
            Err(Missing::None { name: true, until: valid_until.into() })
        }
        Ok(Err(LookupError::NoRecords { valid_until, .. })) => {
            Err(Missing::None { name: false, until: valid_until.into() })
        }
        // A name that the DNS has no room for isn't there.
        Ok(Err(LookupError::Name(_))) => Err(Missing::None { name: true, until: latest() }),
        Ok(Err(error)) => Err(Missing::Failed(error.to_string())),
        Err(_) => Err(Missing::Late),
    }
}

/// No answer is remembered longer.
pub(crate) fn latest() -> Instant {
    let now = Instant::now();
    now.checked_add(INQUIRY_KEPT_MAX).unwrap_or(now)
}

/// How long an answer is remembered that holds until then.
pub(crate) fn kept(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).clamp(INQUIRY_KEPT_MIN, INQUIRY_KEPT_MAX)
}
