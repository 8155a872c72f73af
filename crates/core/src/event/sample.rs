//! What the log keeps of a flood: lines that strangers can cause as often as they like have a budget a kind, and what
//! is over it is counted (attacks H8). A new kind of such lines gets its name into [`BY_STRANGERS`].

use crate::limits::{LOG_SAMPLE_LINES, LOG_SAMPLE_TIME};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Events of sessions ([`super::Event::with_peer`]) that anybody can cause who can connect. What costs a login or a message that is kept isn't among them: that is
/// bounded elsewhere, and each is worth its line.
const BY_STRANGERS: [&str; KINDS] = [
    "client.early",
    "connection.closed",
    "connection.dropped",
    "connection.lost",
    "connection.opened",
    "imap.closed",
    "imap.dropped",
    "imap.tls_failed",
    "login.failed",
    "message.deferred",
    "message.refused",
    "pop3.dropped",
    "pop3.failed",
    "recipient.refused",
    "recipients.refused",
    "rule.refused",
    "sender.refused",
    "tls.failed",
];
const KINDS: usize = 18;

/// What was told and what wasn't, a kind.
#[derive(Debug)]
pub(super) struct Sampler(Mutex<[Window; KINDS]>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Option<Instant>,
    told: u64,
    untold: u64,
}

/// How many of a kind weren't told in a window that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Untold {
    pub(super) event: &'static str,
    pub(super) count: u64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self(Mutex::new([Window { began: None, told: 0, untold: 0 }; KINDS]))
    }
}

impl Sampler {
    /// Whether an event of this name is told now, and what has to be told of the window before.
    pub(super) fn admit(&self, name: &str, now: Instant) -> (bool, Option<Untold>) {
        let Some(kind) = BY_STRANGERS.iter().position(|known| *known == name) else { return (true, None) };
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(window) = windows.get_mut(kind) else { return (true, None) };
        let untold = window.renew(now).then(|| window.take(kind)).flatten();
        window.began.get_or_insert(now);
        if window.told >= LOG_SAMPLE_LINES {
            window.untold = window.untold.saturating_add(1);
            return (false, untold);
        }
        window.told = window.told.saturating_add(1);
        (true, untold)
    }

    /// What has to be told of windows that are over, for when nothing more comes.
    pub(super) fn over(&self, now: Instant) -> Vec<Untold> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = windows.iter_mut().enumerate();
        kinds.filter_map(|(kind, window)| window.renew(now).then(|| window.take(kind)).flatten()).collect()
    }
}

impl Window {
    /// Whether its time is over.
    fn renew(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now.saturating_duration_since(began) >= LOG_SAMPLE_TIME)
    }
    /// Begins anew; what wasn't told.
    fn take(&mut self, kind: usize) -> Option<Untold> {
        let count = std::mem::take(&mut self.untold);
        (self.told, self.began) = (0, None);
        BY_STRANGERS.get(kind).filter(|_| count > 0).map(|event| Untold { event, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attacks H8.
    #[test]
    fn a_flood_has_its_lines_and_its_count() {
        let (sampler, start) = (Sampler::default(), Instant::now());
        let told = (0..10_000).filter(|_| sampler.admit("login.failed", start).0).count() as u64;
        assert_eq!(told, LOG_SAMPLE_LINES);
        assert_eq!(sampler.admit("recipient.refused", start), (true, None), "another kind has its own");
        let untold = Untold { event: "login.failed", count: 10_000 - LOG_SAMPLE_LINES };
        assert_eq!(sampler.admit("login.failed", start + LOG_SAMPLE_TIME), (true, Some(untold)));
        assert_eq!(sampler.admit("login.failed", start + LOG_SAMPLE_TIME), (true, None), "told once");
    }

    #[test]
    fn the_count_is_told_also_if_nothing_more_comes() {
        let (sampler, start) = (Sampler::default(), Instant::now());
        for _ in 0..=LOG_SAMPLE_LINES {
            sampler.admit("tls.failed", start);
        }
        assert_eq!(sampler.over(start), []);
        assert_eq!(sampler.over(start + LOG_SAMPLE_TIME), [Untold { event: "tls.failed", count: 1 }]);
        assert_eq!(sampler.over(start + LOG_SAMPLE_TIME), []);
    }

    #[test]
    fn what_is_no_stranger_s_doing_is_always_told() {
        let (sampler, start) = (Sampler::default(), Instant::now());
        assert!((0..=LOG_SAMPLE_LINES).all(|_| sampler.admit("message.accepted", start).0));
    }
}
