//! A message that was let come, until it is known what becomes of it.

use super::Rates;
use super::source::SOURCES;
use std::sync::Arc;

/// What [`Rates::hold`] counted. It counts as passed if it is [taken](RateHold::taken). Dropped, because what came isn't taken or
/// its sender went away, it was only tried: who tries without end raises an alarm, and has nothing put off before that.
#[must_use = "what isn't taken is taken back"]
pub struct RateHold {
    rates: Arc<Rates>,
    numbers: [u64; SOURCES],
    recipients: u32,
    /// The slot of time that it was counted in.
    slot: u32,
    is_settled: bool,
}

impl RateHold {
    pub(super) const fn new(rates: Arc<Rates>, numbers: [u64; SOURCES], recipients: u32, slot: u32) -> Self {
        Self { rates, numbers, recipients, slot, is_settled: false }
    }

    /// The message was accepted.
    pub fn taken(mut self) {
        self.is_settled = true;
    }

    /// It wasn't, by no fault of its sender's: the store failed. It wasn't even tried.
    pub fn not_taken(mut self) {
        self.is_settled = true;
        let recipients = self.recipients;
        self.rates.take_back(self.numbers, self.slot, |counts, slots| {
            counts.messages.take_back(1, slots);
            counts.recipients.take_back(recipients, slots);
            counts.tried_messages.take_back(1, slots);
            counts.tried_recipients.take_back(recipients, slots);
        });
    }
}

impl Drop for RateHold {
    fn drop(&mut self) {
        if !self.is_settled {
            let recipients = self.recipients;
            self.rates.take_back(self.numbers, self.slot, |counts, slots| {
                counts.messages.take_back(1, slots);
                counts.recipients.take_back(recipients, slots);
            });
        }
    }
}

impl std::fmt::Debug for RateHold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RateHold")
    }
}
