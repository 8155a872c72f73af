//! How much may come from one source in an hour: three steps, of what is counted.

use crate::limits::RATE_CONFIG_MAX;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is counted of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateMeasure {
    /// Messages.
    Messages,
    /// Recipients of messages: a message to ten counts ten.
    Recipients,
    /// Recipients that were refused, as they don't exist or the source may not send to them.
    Refused,
}

impl RateMeasure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Messages, Self::Recipients, Self::Refused];
    /// Its name in configuration and log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Recipients => "recipients",
            Self::Refused => "refused",
        }
    }
}

/// What follows when a count goes beyond a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateStep {
    /// It is told.
    Warn,
    /// More is put off until the count is below again.
    Block,
    /// Everything of the source is refused for a while, and the administrator is told at once.
    Alarm,
}

impl RateStep {
    /// All of them, the mildest first.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Block, Self::Alarm];
    /// Its name in configuration and log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Block => "block",
            Self::Alarm => "alarm",
        }
    }
}

/// Steps of one measure, each a count an hour; 0: there is no such step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateSteps {
    /// See [`RateStep::Warn`].
    pub warn: u32,
    /// See [`RateStep::Block`].
    pub block: u32,
    /// See [`RateStep::Alarm`].
    pub alarm: u32,
}

impl RateSteps {
    /// The count of a step; `None` if there is no such step.
    #[must_use]
    pub const fn get(&self, step: RateStep) -> Option<u32> {
        let count = match step {
            RateStep::Warn => self.warn,
            RateStep::Block => self.block,
            RateStep::Alarm => self.alarm,
        };
        if count == 0 { None } else { Some(count) }
    }

    fn at(&mut self, step: RateStep) -> &mut u32 {
        match step {
            RateStep::Warn => &mut self.warn,
            RateStep::Block => &mut self.block,
            RateStep::Alarm => &mut self.alarm,
        }
    }
}

/// One measure with its steps, as configuration writes it: `messages warn 300/h, block 1000/h, alarm 5000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRule {
    /// What is counted.
    pub measure: RateMeasure,
    /// Its steps; one at least is there.
    pub steps: RateSteps,
}

impl RateRule {
    /// Reads steps, rising, with what is counted before them; without, messages are.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || {
            format!("{text:?}: write \"messages warn 300/h, block 1000/h, alarm 5000/h\", or recipients, or refused")
        };
        let mut rest = text.trim();
        let mut measure = RateMeasure::Messages;
        for one in RateMeasure::ALL {
            if let Some(after) = rest.strip_prefix(one.name()).filter(|after| after.starts_with(' ')) {
                (measure, rest) = (one, after);
                break;
            }
        }
        let mut steps = RateSteps::default();
        // Two more than there are: enough to find out that one stands there twice.
        for part in rest.splitn(RateStep::ALL.len().saturating_add(2), ',') {
            let (name, count) = part.trim().split_once(' ').ok_or_else(form)?;
            let step = RateStep::ALL.into_iter().find(|step| step.name() == name).ok_or_else(form)?;
            let count = count.trim().strip_suffix("/h").ok_or_else(form)?;
            // `parse` would take "+5".
            let count: u32 = if count.bytes().all(|b| b.is_ascii_digit()) { count.parse().ok() } else { None }
                .filter(|count| (1..=RATE_CONFIG_MAX).contains(count))
                .ok_or_else(|| format!("{text:?}: {name} must be 1/h to {RATE_CONFIG_MAX}/h"))?;
            let place = steps.at(step);
            if *place != 0 {
                return Err(format!("{text:?}: {name} stands there twice"));
            }
            *place = count;
        }
        let there: Vec<u32> = RateStep::ALL.into_iter().filter_map(|step| steps.get(step)).collect();
        if !there.is_sorted() {
            return Err(format!("{text:?}: block must not be below warn, nor alarm below either"));
        }
        Ok(Self { measure, steps })
    }
}

impl fmt::Display for RateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.measure.name())?;
        let mut comma = "";
        for step in RateStep::ALL {
            if let Some(count) = self.steps.get(step) {
                write!(f, "{comma} {} {count}/h", step.name())?;
                comma = ",";
            }
        }
        Ok(())
    }
}

/// Steps of all measures of one kind of source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// See [`RateMeasure::Messages`].
    pub messages: RateSteps,
    /// See [`RateMeasure::Recipients`].
    pub recipients: RateSteps,
    /// See [`RateMeasure::Refused`].
    pub refused: RateSteps,
}

impl RateLimits {
    /// Warn, block and alarm of messages, of recipients and of refused recipients; 0: none.
    #[must_use]
    pub const fn of(counts: [[u32; 3]; 3]) -> Self {
        let [messages, recipients, refused] = counts;
        const fn steps(counts: [u32; 3]) -> RateSteps {
            let [warn, block, alarm] = counts;
            RateSteps { warn, block, alarm }
        }
        Self { messages: steps(messages), recipients: steps(recipients), refused: steps(refused) }
    }

    /// Steps of one measure.
    #[must_use]
    pub const fn get(&self, measure: RateMeasure) -> RateSteps {
        match measure {
            RateMeasure::Messages => self.messages,
            RateMeasure::Recipients => self.recipients,
            RateMeasure::Refused => self.refused,
        }
    }

    /// The same by measures, each at most once; those that aren't there have no steps.
    ///
    /// # Errors
    /// That a measure stands there twice.
    pub fn from_rules(rules: &[RateRule]) -> Result<Self, String> {
        let mut limits = Self::default();
        for rule in rules {
            let place = match rule.measure {
                RateMeasure::Messages => &mut limits.messages,
                RateMeasure::Recipients => &mut limits.recipients,
                RateMeasure::Refused => &mut limits.refused,
            };
            if *place != RateSteps::default() {
                return Err(format!("{} stands there twice", rule.measure.name()));
            }
            *place = rule.steps;
        }
        Ok(limits)
    }

    /// Its measures that have steps.
    #[must_use]
    pub fn rules(&self) -> Vec<RateRule> {
        let all = RateMeasure::ALL.map(|measure| RateRule { measure, steps: self.get(measure) });
        all.into_iter().filter(|rule| rule.steps != RateSteps::default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rule_is_read_and_written() {
        for (text, written) in [
            ("messages warn 300/h, block 1000/h, alarm 5000/h", "messages warn 300/h, block 1000/h, alarm 5000/h"),
            ("warn 300/h,block 1000/h", "messages warn 300/h, block 1000/h"),
            ("refused alarm 7/h", "refused alarm 7/h"),
            ("recipients block 5/h, warn 5/h", "recipients warn 5/h, block 5/h"),
        ] {
            assert_eq!(RateRule::parse(text).map(|rule| rule.to_string()), Ok(written.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_words() {
        for (text, words) in [
            ("", "write \"messages warn"),
            ("messages", "write \"messages warn"),
            ("letters warn 5/h", "write \"messages warn"),
            ("warn 5", "write \"messages warn"),
            ("warn 5/min", "write \"messages warn"),
            ("warn 5/h, block", "write \"messages warn"),
            ("warn +5/h", "warn must be 1/h to"),
            ("warn 0/h", "warn must be 1/h to"),
            ("warn 99999999999/h", "warn must be 1/h to"),
            ("warn 5/h, warn 6/h", "warn stands there twice"),
            ("warn 5/h, block 4/h", "block must not be below warn"),
            ("warn 5/h, alarm 4/h", "block must not be below warn"),
            ("warn 1/h, block 2/h, alarm 3/h, warn 4/h, block 5/h, alarm 6/h", "twice"),
        ] {
            let error = RateRule::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_measure_stands_there_once() {
        let rule = |text| RateRule::parse(text).unwrap();
        let both = [rule("refused warn 1/h"), rule("warn 2/h")];
        let limits = RateLimits::from_rules(&both).unwrap();
        assert_eq!(limits, RateLimits::of([[2, 0, 0], [0; 3], [1, 0, 0]]));
        assert_eq!(limits.rules(), [both[1], both[0]]);
        assert!(RateLimits::from_rules(&[both[0], both[0]]).unwrap_err().contains("refused stands there twice"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_read_is_read_again(text in "[a-z0-9/,+ -]{0,60}") {
            if let Ok(rule) = RateRule::parse(&text) {
                prop_assert_eq!(RateRule::parse(&rule.to_string()), Ok(rule));
            }
        }
        #[test]
        fn any_rising_steps_are_read(a in 1_u32..1000, b in 0_u32..1000, c in 0_u32..1000) {
            let rule = RateRule {
                measure: RateMeasure::Recipients,
                steps: RateSteps { warn: a, block: a.saturating_add(b), alarm: a.saturating_add(b).saturating_add(c) },
            };
            prop_assert_eq!(RateRule::parse(&rule.to_string()), Ok(rule));
        }
    }
}
