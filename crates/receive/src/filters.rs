//! The milters of each door, as the newest settings name them.

use arc_swap::ArcSwap;
use mailward_core::Listener;
use mailward_core::config;
use mailward_core::event::Events;
use mailward_milter::{Health, Milters};

/// Milters by door. What is known of one is kept when settings change, as long as its line stays.
#[derive(Debug)]
pub struct Filters(ArcSwap<Current>);

#[derive(Debug)]
struct Current {
    lines: config::Milters,
    smtp: Milters,
    submission: Milters,
}

impl Filters {
    pub(crate) fn new(events: &Events) -> Self {
        let none = || Milters::new(&[], events);
        Self(ArcSwap::from_pointee(Current { lines: config::Milters::default(), smtp: none(), submission: none() }))
    }

    /// A session with the milters of a door; `None`: it has none. Mail servers of this host (LMTP) have asked their own.
    pub(crate) fn session(
        &self,
        listener: Listener,
        lines: &config::Milters,
        client: impl FnOnce() -> mailward_milter::Client,
        size: u64,
    ) -> Option<mailward_milter::Session> {
        let current = self.current(lines);
        let milters = match listener {
            Listener::Smtp => &current.smtp,
            Listener::Submission | Listener::Submissions => &current.submission,
            _ => return None,
        };
        if milters.is_empty() { None } else { Some(milters.open(&client(), size)) }
    }

    /// How the milters of both doors are, by the newest settings: those of SMTP first.
    #[must_use]
    pub fn health(&self, lines: &config::Milters) -> Vec<Health> {
        let current = self.current(lines);
        current.smtp.health().into_iter().chain(current.submission.health()).collect()
    }

    fn current(&self, lines: &config::Milters) -> arc_swap::Guard<std::sync::Arc<Current>> {
        let current = self.0.load();
        if current.lines == *lines {
            return current;
        }
        self.0.store(std::sync::Arc::new(Current {
            lines: lines.clone(),
            smtp: current.smtp.renewed(&lines.smtp),
            submission: current.submission.renewed(&lines.submission),
        }));
        self.0.load()
    }
}
