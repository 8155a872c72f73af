//! Stress: nearly all places are taken, so those who have brought nothing yet get less time and fewer mistakes.
//!
//! It begins at one share of the connections and ends at a lower one, so that it doesn't come and go with each of them. Each
//! change is an event, once. Sessions ask by one atomic load.

use crate::Caps;
use mailward_core::event::{Event, Events};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether there is stress.
#[derive(Debug, Default)]
pub(crate) struct Stress {
    /// Connections open at which it begins.
    enter: AtomicUsize,
    /// Connections open at which it is over.
    leave: AtomicUsize,
    on: AtomicBool,
    events: OnceLock<Events>,
}

impl Stress {
    /// Moves the marks.
    pub(crate) fn set_marks(&self, caps: Caps) {
        let share = |percent: usize| caps.connections.saturating_mul(percent.min(100)).div_euclid(100);
        let enter = share(caps.stress_enter).max(1);
        self.enter.store(enter, Ordering::Relaxed);
        self.leave.store(share(caps.stress_leave).min(enter.saturating_sub(1)), Ordering::Relaxed);
    }

    /// Who hears of changes; the first one stays.
    pub(crate) fn tell(&self, events: Events) {
        let _first_one_stays = self.events.set(events);
    }

    /// Whether it is now.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// So many are open now.
    pub(crate) fn looks(&self, open: usize) {
        let (enter, leave) = (self.enter.load(Ordering::Relaxed), self.leave.load(Ordering::Relaxed));
        if open >= enter && self.turns(true) {
            let event = Event::alert("stress.entered").with("connections", open).with("from", enter);
            self.emit(event.with(
                "mend",
                "nothing, if it passes; `mailward sessions` shows who is connected: raise limits.connections for \
                 guests that are welcome, ban those that are not",
            ));
        } else if open <= leave && self.turns(false) {
            self.emit(Event::info("stress.left").with("connections", open));
        }
    }

    /// Whether it is this that changed it.
    fn turns(&self, on: bool) -> bool {
        // Nearly always it is as it should be: no write.
        self.on.load(Ordering::Relaxed) != on
            && self.on.compare_exchange(!on, on, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn emit(&self, event: Event) {
        if let Some(events) = self.events.get() {
            events.emit(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stress(connections: usize, enter: usize, leave: usize) -> (Stress, Events) {
        let (stress, events) = (Stress::default(), Events::memory());
        stress.set_marks(Caps { connections, stress_enter: enter, stress_leave: leave, ..Caps::default() });
        stress.tell(events.clone());
        (stress, events)
    }

    #[test]
    fn it_begins_at_one_mark_ends_at_a_lower_one_and_is_told_once_each() {
        let (stress, events) = stress(100, 80, 60);
        for open in [1, 79] {
            stress.looks(open);
            assert!(!stress.is_on(), "{open}");
        }
        for open in [80, 100, 79, 61] {
            stress.looks(open);
            assert!(stress.is_on(), "{open}");
        }
        for open in [60, 79, 0] {
            stress.looks(open);
            assert!(!stress.is_on(), "{open}");
        }
        let lines = events.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("alert stress.entered connections=80 from=80 mend="), "{lines:?}");
        assert_eq!(lines[1], "info stress.left connections=60");
    }

    #[test]
    fn moved_marks_count_from_now_on() {
        let (stress, _) = stress(100, 80, 60);
        stress.looks(50);
        stress.set_marks(Caps { connections: 50, stress_enter: 80, stress_leave: 60, ..Caps::default() });
        stress.looks(50);
        assert!(stress.is_on());
    }

    proptest! {
        #[test]
        fn nobody_is_under_stress_alone_in_the_house(connections in 2_usize..10_000, enter in 10_usize..=100, leave in 1_usize..=99) {
            let (stress, _) = stress(connections, enter, leave);
            stress.looks(connections);
            prop_assert!(stress.is_on(), "a full house is");
            stress.looks(0);
            prop_assert!(!stress.is_on());
        }
    }
}
