//! What strangers who bring mail meet.

use crate::limits;
use serde::Serialize;
use std::time::Duration;

/// How a stranger who brings mail is judged, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guard {
    /// From so many points on a stranger looks bad: greeted late, and put off at first.
    pub greylist_at: usize,
    /// From so many points on a stranger is refused.
    pub refuse_at: usize,
    /// How long a stranger waits for the greeting who looks bad or isn't known yet, seconds.
    pub greeting_delay: usize,
    /// Whether whoever speaks before the greeting is refused; if not, that counts points.
    pub refuse_early_talkers: bool,
    /// How long whoever looks bad is put off, seconds; 0: not at all.
    pub greylist_wait: usize,
    /// Recipients of one message of a stranger.
    pub recipients: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            greylist_at: limits::GUARD_GREYLIST_AT,
            refuse_at: limits::GUARD_REFUSE_AT,
            greeting_delay: limits::GREETING_DELAY,
            refuse_early_talkers: true,
            greylist_wait: limits::GREYLIST_WAIT,
            recipients: limits::SMTP_STRANGER_RECIPIENTS_MAX,
        }
    }
}

impl Guard {
    /// [`Guard::greeting_delay`].
    #[must_use]
    pub const fn greeting_delay(&self) -> Duration {
        Duration::from_secs(self.greeting_delay as u64)
    }
    /// [`Guard::greylist_wait`]; `None`: nobody is put off.
    #[must_use]
    pub const fn greylist_wait(&self) -> Option<Duration> {
        if self.greylist_wait == 0 { None } else { Some(Duration::from_secs(self.greylist_wait as u64)) }
    }
}
