//! Time limits of a session (attacks H1): absolute for a command line, a rate for message data, never only a limit
//! on each read, which a byte a minute would pass.
//!
//! Reads and replies only note the time; [`Deadlines::over`] is asked by a slow tick. So a busy session sets no
//! timers.

use mailward_core::limits::{
    DATA_GRACE_TIME, DATA_IDLE_TIME, MIN_DATA_RATE, SMTP_COMMAND_TIME, SMTP_SESSION_TIME, STRESS_COMMAND_TIME,
    STRESS_SESSION_TIME,
};
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    opened: Instant,
    command: Instant,
    data: Option<Data>,
}

#[derive(Clone, Copy, Debug)]
struct Data {
    began: Instant,
    last: Instant,
    bytes: u64,
}

impl Deadlines {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { opened: now, command: now, data: None }
    }
    /// A whole command was answered: the time for the next one begins.
    pub(crate) const fn replied(&mut self, now: Instant) {
        self.command = now;
    }
    /// Whether what comes next is message data.
    pub(crate) const fn expect_data(&mut self, data: bool, now: Instant) {
        self.data = match (data, self.data) {
            (true, None) => Some(Data { began: now, last: now, bytes: 0 }),
            (true, going_on) => going_on,
            (false, _) => None,
        };
    }
    /// Bytes came.
    pub(crate) fn read(&mut self, count: usize, now: Instant) {
        if let Some(data) = &mut self.data {
            data.last = now;
            data.bytes = data.bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
    /// Whether a limit is past. `useful` tells that the session logged in or gave a message; who did neither has little
    /// time while the server is under stress.
    pub(crate) fn over(&self, now: Instant, useful: bool, stress: bool) -> bool {
        let hurry = stress && !useful;
        let opened = now.saturating_duration_since(self.opened);
        if !useful && opened > SMTP_SESSION_TIME {
            return true;
        }
        let Some(data) = self.data else {
            let most = if hurry { STRESS_COMMAND_TIME } else { SMTP_COMMAND_TIME };
            return (hurry && opened > STRESS_SESSION_TIME) || now.saturating_duration_since(self.command) > most;
        };
        let since = now.saturating_duration_since(data.began);
        let idle = if hurry { STRESS_COMMAND_TIME } else { DATA_IDLE_TIME };
        now.saturating_duration_since(data.last) > idle
            || (since > DATA_GRACE_TIME && data.bytes < since.as_secs().saturating_mul(MIN_DATA_RATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_command_has_its_time_however_it_drips() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        deadlines.read(1, start + SMTP_COMMAND_TIME);
        assert!(!deadlines.over(start + SMTP_COMMAND_TIME, true, false));
        assert!(deadlines.over(start + SMTP_COMMAND_TIME + SECOND, true, false), "a byte is no command");
        deadlines.replied(start + SMTP_COMMAND_TIME);
        assert!(!deadlines.over(start + SMTP_COMMAND_TIME + SECOND, true, false));
    }

    #[test]
    fn data_must_come_at_the_least_rate_after_its_grace() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        deadlines.expect_data(true, start);
        let late = start + DATA_GRACE_TIME + SECOND;
        let enough = usize::try_from((DATA_GRACE_TIME.as_secs() + 1) * MIN_DATA_RATE).unwrap();
        deadlines.read(enough - 1, late);
        assert!(!deadlines.over(start + DATA_GRACE_TIME, true, false), "within the grace");
        assert!(deadlines.over(late, true, false));
        deadlines.read(1, late);
        assert!(!deadlines.over(late, true, false));
    }

    #[test]
    fn data_may_not_fall_silent() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        deadlines.expect_data(true, start);
        deadlines.read(100_000_000, start);
        assert!(!deadlines.over(start + DATA_IDLE_TIME, true, false));
        assert!(deadlines.over(start + DATA_IDLE_TIME + SECOND, true, false));
    }

    #[test]
    fn a_session_that_brings_nothing_ends() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        let late = start + SMTP_SESSION_TIME + SECOND;
        deadlines.replied(late);
        assert!(deadlines.over(late, false, false));
        assert!(!deadlines.over(late, true, false));
    }

    /// Attacks H1.
    #[test]
    fn under_stress_who_brought_nothing_has_little_time() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        assert!(!deadlines.over(start + STRESS_COMMAND_TIME, false, true));
        let late = start + STRESS_COMMAND_TIME + SECOND;
        assert!(deadlines.over(late, false, true));
        assert!(!deadlines.over(late, true, true), "who brought something has its time");
        assert!(!deadlines.over(late, false, false), "so has everybody without stress");
        deadlines.replied(start + STRESS_SESSION_TIME);
        assert!(!deadlines.over(start + STRESS_SESSION_TIME, false, true));
        assert!(deadlines.over(start + STRESS_SESSION_TIME + SECOND, false, true), "also if it always says something");
        deadlines.expect_data(true, late);
        assert!(!deadlines.over(start + STRESS_SESSION_TIME + SECOND, false, false));
        deadlines.read(1_000_000, start + STRESS_SESSION_TIME);
        assert!(!deadlines.over(start + STRESS_SESSION_TIME + SECOND, false, true), "a message may come to its end");
        assert!(deadlines.over(start + STRESS_SESSION_TIME + STRESS_COMMAND_TIME + SECOND, false, true));
    }
}
