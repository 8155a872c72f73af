//! How the DNS is asked about strangers: bounded in time and number, in all and for each host.

use mailward_core::Network;
use mailward_core::limits::{
    INQUIRY_KEPT_MAX, INQUIRY_KEPT_MIN, INQUIRY_LOOKUP_TIME, LIST_LOOKUPS_AT_ONCE, LIST_LOOKUPS_PER_HOST_MAX,
    LOOKUP_TURN_TIME, NAME_LOOKUPS_AT_ONCE, NAME_LOOKUPS_PER_HOST_MAX,
};
use mailward_dns::{Answer, Found, Lookup, LookupError, NoTurn, Turns};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The DNS, and places in the queues to it.
pub(crate) struct Means {
    pub(crate) lookup: Arc<dyn Lookup>,
    /// For lists.
    lists: Turns,
    /// For what strangers' servers answer.
    names: Turns,
}

/// Whoever asks, for the sake of one host or of nobody; remembers whether something wasn't asked.
pub(crate) struct Asker<'a> {
    pub(crate) lookup: &'a dyn Lookup,
    means: &'a Means,
    host: Option<Network>,
    short: AtomicBool,
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
    NoTurn(NoTurn),
}

impl Means {
    pub(crate) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            lists: Turns::new(LIST_LOOKUPS_AT_ONCE, LIST_LOOKUPS_PER_HOST_MAX),
            names: Turns::new(NAME_LOOKUPS_AT_ONCE, NAME_LOOKUPS_PER_HOST_MAX),
        }
    }

    /// Questions that a host causes; `None`: those of our own.
    pub(crate) fn asker(&self, host: Option<Network>) -> Asker<'_> {
        Asker { lookup: &*self.lookup, means: self, host, short: AtomicBool::new(false) }
    }
}

impl Asker<'_> {
    /// A lookup of names or addresses.
    pub(crate) async fn name<T>(&self, answer: Answer<'_, T>) -> Result<Found<T>, Missing> {
        self.within(&self.means.names, INQUIRY_LOOKUP_TIME, answer).await
    }

    /// A question to a list.
    pub(crate) async fn list<T>(&self, wait: Duration, answer: Answer<'_, T>) -> Result<Found<T>, Missing> {
        self.within(&self.means.lists, wait, answer).await
    }

    /// Whether something wasn't asked, as there was no turn: what was found then isn't what others would find.
    pub(crate) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// An answer within a time, which begins when it is our turn: only then somebody else is late.
    async fn within<T>(&self, turns: &Turns, wait: Duration, answer: Answer<'_, T>) -> Result<Found<T>, Missing> {
        let _turn = turns.take(self.host, LOOKUP_TURN_TIME).await.map_err(|why| {
            self.short.store(true, Ordering::Relaxed);
            Missing::NoTurn(why)
        })?;
        match timeout(wait, answer).await {
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
