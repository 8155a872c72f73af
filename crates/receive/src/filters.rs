//! The milters of each door, as the newest settings name them.

use arc_swap::ArcSwap;
use mailward_core::Protocol;
use mailward_core::config;
use mailward_core::event::Events;
use mailward_milter::{Health, Milters};
use serde::Serialize;
use std::sync::Arc;

/// Milters by door. What is known of one is kept when settings change, as long as its line stays.
#[derive(Debug)]
pub struct Filters(ArcSwap<Current>);

/// How a milter of a door is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AtDoor {
    /// Which mail it is asked about, as the configuration has it: `smtp`, `submission` or `lmtp`.
    pub door: &'static str,
    /// How it is.
    #[serde(flatten)]
    pub health: Health,
}

#[derive(Debug)]
struct Current {
    lines: config::Milters,
    smtp: Milters,
    submission: Milters,
    lmtp: Milters,
}

impl Current {
    const fn doors(&self) -> [(&'static str, &Milters); 3] {
        [("smtp", &self.smtp), ("submission", &self.submission), ("lmtp", &self.lmtp)]
    }
}

impl Filters {
    /// None yet: which there are is said with each question.
    #[must_use]
    pub fn new(events: &Events) -> Self {
        let none = || Milters::new(&[], events);
        let lines = config::Milters::default();
        Self(ArcSwap::from_pointee(Current { lines, smtp: none(), submission: none(), lmtp: none() }))
    }

    /// A session with the milters of a door; `None`: it has none.
    pub(crate) fn session(
        &self,
        protocol: Protocol,
        lines: &config::Milters,
        client: impl FnOnce() -> mailward_milter::Client,
        size: u64,
    ) -> Option<mailward_milter::Session> {
        let current = self.current(lines);
        let milters = match protocol {
            Protocol::Smtp => &current.smtp,
            Protocol::Submission => &current.submission,
            Protocol::Lmtp => &current.lmtp,
            Protocol::Imap | Protocol::Pop3 | Protocol::Http => return None,
        };
        if milters.is_empty() { None } else { Some(milters.open(&client(), size)) }
    }

    /// How the milters of all doors are by the newest settings, in their order, as far as that is known.
    #[must_use]
    pub fn health(&self, lines: &config::Milters) -> Vec<AtDoor> {
        let current = self.current(lines);
        let doors = current.doors().into_iter();
        doors.flat_map(|(door, all)| all.health().into_iter().map(move |health| AtDoor { door, health })).collect()
    }

    /// The same once each of them was connected to.
    pub async fn look_after(&self, lines: &config::Milters) -> Vec<AtDoor> {
        {
            let current = self.current(lines);
            tokio::join!(current.smtp.look_after(), current.submission.look_after(), current.lmtp.look_after());
        }
        self.health(lines)
    }

    fn current(&self, lines: &config::Milters) -> Arc<Current> {
        let current = self.0.load_full();
        if current.lines == *lines {
            return current;
        }
        let renewed = Arc::new(Current {
            lines: lines.clone(),
            smtp: current.smtp.renewed(&lines.smtp),
            submission: current.submission.renewed(&lines.submission),
            lmtp: current.lmtp.renewed(&lines.lmtp),
        });
        self.0.store(Arc::clone(&renewed));
        renewed
    }
}
