//! What is counted of one source, in a window that slides.

use super::table::Counted;
use mailward_core::limits::RATE_WINDOW;
use mailward_core::{RateMeasure, Timestamp};
use serde::{Deserialize, Serialize};

/// Milliseconds of a window.
const WINDOW: u64 = {
    // An hour in milliseconds fits.
    RATE_WINDOW.as_secs().saturating_mul(1_000)
};

/// A time within its slot: slots are hours of the clock, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The slot's number.
    pub(crate) slot: u32,
    /// Milliseconds of it that are left.
    left: u64,
}

impl Moment {
    pub(crate) fn of(time: Timestamp) -> Self {
        let millis = u64::try_from(time.0).unwrap_or(0);
        let slot = u32::try_from(millis.div_euclid(WINDOW)).unwrap_or(u32::MAX);
        Self { slot, left: WINDOW.saturating_sub(millis.rem_euclid(WINDOW)) }
    }
}

/// What came in this slot, and in the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    now: u32,
    before: u32,
}

impl Pair {
    pub(crate) fn add(&mut self, count: u32) {
        self.now = self.now.saturating_add(count);
    }
    /// Takes back what was added so many slots ago.
    pub(crate) fn take_back(&mut self, count: u32, slots: u32) {
        match slots {
            0 => self.now = self.now.saturating_sub(count),
            1 => self.before = self.before.saturating_sub(count),
            _ => {}
        }
    }
    fn roll(&mut self, slots: u32) {
        self.before = if slots == 1 { self.now } else { 0 };
        self.now = 0;
    }
    /// What came in the window that ends now: exact if what came in the slot before came evenly, and always between what came
    /// in this slot and what came in both.
    pub(crate) fn in_window(self, moment: Moment) -> u64 {
        let before = u64::from(self.before).saturating_mul(moment.left).div_euclid(WINDOW);
        u64::from(self.now).saturating_add(before)
    }
    const fn most(self) -> u32 {
        if self.now > self.before { self.now } else { self.before }
    }
}

/// What came of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Messages that were let pass.
    pub(crate) messages: Pair,
    /// Their recipients.
    pub(crate) recipients: Pair,
    /// Recipients that were refused.
    pub(crate) refused: Pair,
    /// Messages that came, also those that were put off. Whoever is put off and comes again isn't put off for that; whoever does
    /// nothing else is somebody to be told of.
    pub(crate) tried_messages: Pair,
    /// Their recipients.
    pub(crate) tried_recipients: Pair,
}

impl Counts {
    /// What was let pass.
    pub(crate) const fn passed(&self, measure: RateMeasure) -> Pair {
        match measure {
            RateMeasure::Messages => self.messages,
            RateMeasure::Recipients => self.recipients,
            RateMeasure::Refused => self.refused,
        }
    }
    /// What came.
    pub(crate) const fn tried(&self, measure: RateMeasure) -> Pair {
        match measure {
            RateMeasure::Messages => self.tried_messages,
            RateMeasure::Recipients => self.tried_recipients,
            RateMeasure::Refused => self.refused,
        }
    }
    /// The largest count of a slot.
    pub(crate) fn most(&self) -> u32 {
        self.tried_messages.most().max(self.tried_recipients.most()).max(self.refused.most())
    }
}

impl Counted for Counts {
    fn roll(&mut self, slots: u32) {
        let pairs = [&mut self.messages, &mut self.recipients, &mut self.refused];
        let tried = [&mut self.tried_messages, &mut self.tried_recipients];
        pairs.into_iter().chain(tried).for_each(|pair| pair.roll(slots));
    }
    fn weight(&self) -> u64 {
        // A refusal tells more than a message.
        let refused = u64::from(self.refused.most()).saturating_mul(10);
        u64::from(self.tried_messages.most())
            .saturating_add(u64::from(self.tried_recipients.most()))
            .saturating_add(refused)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn what_came_before_fades() {
        let mut pair = Pair::default();
        pair.add(100);
        let begin = 500_000 * HOUR;
        let moment = |millis: i64| Moment::of(Timestamp(begin + millis));
        assert_eq!(pair.in_window(moment(HOUR - 1)), 100);
        pair.roll(1);
        assert_eq!(pair.in_window(moment(HOUR)), 100);
        assert_eq!(pair.in_window(moment(HOUR + HOUR / 2)), 50);
        assert_eq!(pair.in_window(moment(2 * HOUR - 1)), 0);
        pair.add(7);
        pair.roll(2);
        assert_eq!(pair.in_window(moment(3 * HOUR)), 0);
    }

    proptest! {
        /// Against every arrival written down: never more than what came since the slot before began, nor less than what
        /// came since this one did; and so never more than twice a limit passes in any hour.
        #[test]
        fn ours_is_between_what_came_in_this_slot_and_in_both(
            steps in proptest::collection::vec((0_i64..HOUR / 3, 1_u32..5), 1..200),
        ) {
            let (mut pair, mut slot) = (Pair::default(), None);
            let (mut all, mut now) = (Vec::new(), 450_000 * HOUR);
            for (wait, count) in steps {
                now += wait;
                let moment = Moment::of(Timestamp(now));
                if let Some(over) = slot.map(|slot| moment.slot - slot).filter(|over| *over > 0) {
                    pair.roll(over);
                }
                slot = Some(moment.slot);
                pair.add(count);
                all.push((now, u64::from(count)));
                let since = |begin: i64| all.iter().filter(|(at, _)| *at >= begin).map(|(_, n)| n).sum::<u64>();
                let begun = now.div_euclid(HOUR) * HOUR;
                let (ours, exact) = (pair.in_window(moment), since(now - HOUR + 1));
                prop_assert!(since(begun) <= ours && ours <= since(begun - HOUR), "{ours}");
                // Off by no more than what came in the slot before, from the one side or the other.
                prop_assert!(ours.abs_diff(exact) <= since(begun - HOUR) - since(begun), "{ours} for {exact}");
            }
        }

        #[test]
        fn evenly_spread_it_is_exact_but_for_rounding(gap in 100_i64..60_000) {
            let (mut pair, mut slot) = (Pair::default(), None);
            let begin = 450_000 * HOUR;
            for now in (begin..begin + 3 * HOUR).step_by(usize::try_from(gap).unwrap()) {
                let moment = Moment::of(Timestamp(now));
                if let Some(over) = slot.map(|slot| moment.slot - slot).filter(|over| *over > 0) {
                    pair.roll(over);
                }
                slot = Some(moment.slot);
                pair.add(1);
                if now > begin + HOUR {
                    let exact = u64::try_from(HOUR / gap).unwrap();
                    prop_assert!(pair.in_window(moment).abs_diff(exact) <= 3, "{} for {exact}", pair.in_window(moment));
                }
            }
        }
    }
}
