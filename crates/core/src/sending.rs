//! What is measured of mail that leaves: how many messages, recipients and new recipients an hour and a day.

use serde::{Deserialize, Serialize};

/// Something that is counted, in some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Messages in an hour.
    MessagesPerHour,
    /// Messages in a day.
    MessagesPerDay,
    /// Recipients in an hour.
    RecipientsPerHour,
    /// Recipients in a day.
    RecipientsPerDay,
    /// Recipients in an hour that the sender never wrote to before.
    NewPerHour,
    /// Recipients in a day that the sender never wrote to before.
    NewPerDay,
}

impl Measure {
    /// All of them, the coarsest first.
    pub const ALL: [Self; 6] = [
        Self::MessagesPerHour,
        Self::MessagesPerDay,
        Self::RecipientsPerHour,
        Self::RecipientsPerDay,
        Self::NewPerHour,
        Self::NewPerDay,
    ];

    /// What is counted, for people: `recipients an hour`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::MessagesPerHour => "messages an hour",
            Self::MessagesPerDay => "messages a day",
            Self::RecipientsPerHour => "recipients an hour",
            Self::RecipientsPerDay => "recipients a day",
            Self::NewPerHour => "new recipients an hour",
            Self::NewPerDay => "new recipients a day",
        }
    }

    /// Its bit in a set of measures.
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::MessagesPerHour => 1,
            Self::MessagesPerDay => 2,
            Self::RecipientsPerHour => 4,
            Self::RecipientsPerDay => 8,
            Self::NewPerHour => 16,
            Self::NewPerDay => 32,
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words())
    }
}

/// Something for each [`Measure`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerMeasure<T> {
    /// [`Measure::MessagesPerHour`]
    pub messages_per_hour: T,
    /// [`Measure::MessagesPerDay`]
    pub messages_per_day: T,
    /// [`Measure::RecipientsPerHour`]
    pub recipients_per_hour: T,
    /// [`Measure::RecipientsPerDay`]
    pub recipients_per_day: T,
    /// [`Measure::NewPerHour`]
    pub new_per_hour: T,
    /// [`Measure::NewPerDay`]
    pub new_per_day: T,
}

/// How much may be sent; 0: no limit.
pub type SendLimits = PerMeasure<u64>;

impl<T: Copy> PerMeasure<T> {
    /// The one of a measure.
    #[must_use]
    pub const fn get(&self, measure: Measure) -> T {
        match measure {
            Measure::MessagesPerHour => self.messages_per_hour,
            Measure::MessagesPerDay => self.messages_per_day,
            Measure::RecipientsPerHour => self.recipients_per_hour,
            Measure::RecipientsPerDay => self.recipients_per_day,
            Measure::NewPerHour => self.new_per_hour,
            Measure::NewPerDay => self.new_per_day,
        }
    }

    /// What a function makes of each.
    #[must_use]
    pub fn map<U>(&self, mut make: impl FnMut(Measure, T) -> U) -> PerMeasure<U> {
        let mut one = |measure| make(measure, self.get(measure));
        PerMeasure {
            messages_per_hour: one(Measure::MessagesPerHour),
            messages_per_day: one(Measure::MessagesPerDay),
            recipients_per_hour: one(Measure::RecipientsPerHour),
            recipients_per_day: one(Measure::RecipientsPerDay),
            new_per_hour: one(Measure::NewPerHour),
            new_per_day: one(Measure::NewPerDay),
        }
    }
}

impl SendLimits {
    /// In the order of [`Measure::ALL`].
    #[must_use]
    pub const fn of(values: [u64; 6]) -> Self {
        let [messages_per_hour, messages_per_day, recipients_per_hour, recipients_per_day, new_per_hour, new_per_day] =
            values;
        Self { messages_per_hour, messages_per_day, recipients_per_hour, recipients_per_day, new_per_hour, new_per_day }
    }

    /// The first limit that so much goes beyond.
    #[must_use]
    pub fn exceeded(&self, sent: &PerMeasure<u64>) -> Option<Measure> {
        Measure::ALL.into_iter().find(|measure| self.is_exceeded(sent, *measure))
    }

    /// All limits that so much goes beyond, as [`Measure::bit`]s.
    #[must_use]
    pub fn all_exceeded(&self, sent: &PerMeasure<u64>) -> u8 {
        let beyond = Measure::ALL.into_iter().filter(|measure| self.is_exceeded(sent, *measure));
        beyond.fold(0, |bits, measure| bits | measure.bit())
    }

    const fn is_exceeded(&self, sent: &PerMeasure<u64>, measure: Measure) -> bool {
        let limit = self.get(measure);
        limit > 0 && sent.get(measure) > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(n: [u64; 6]) -> SendLimits {
        SendLimits::of(n)
    }

    #[test]
    fn what_is_at_a_limit_is_within_it_and_none_is_none() {
        let limits = of([10, 0, 20, 0, 30, 0]);
        assert_eq!(limits.exceeded(&of([10, 999, 20, 999, 30, 999])), None);
        assert_eq!(limits.exceeded(&of([11, 0, 21, 0, 0, 0])), Some(Measure::MessagesPerHour));
        let bits = limits.all_exceeded(&of([11, 0, 21, 0, 0, 0]));
        assert_eq!(bits, Measure::MessagesPerHour.bit() | Measure::RecipientsPerHour.bit());
    }

    proptest! {
        #[test]
        fn each_measure_has_its_own_place_and_bit(n in any::<[u64; 6]>()) {
            let each = of(n);
            prop_assert_eq!(Measure::ALL.map(|measure| each.get(measure)), n);
            prop_assert_eq!(each.map(|_, one| one), each);
            let unlimited = PerMeasure::<u64>::default().all_exceeded(&each);
            prop_assert_eq!(unlimited, 0);
            let all = PerMeasure::<u64>::default().map(|_, _| 1u64).all_exceeded(&each.map(|_, _| 2));
            prop_assert_eq!(all, 63);
        }
    }
}
