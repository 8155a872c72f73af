//! Keys that have to agree with each other.

use super::Config;
use super::read::{ConfigError, Loaded};

/// Two marks, the second of which must not be above the first.
struct Marks {
    high: &'static str,
    low: &'static str,
    values: fn(&Config) -> (usize, usize),
    why: &'static str,
    /// Whether the lower one, left as it is by default, follows the higher.
    follows: bool,
}

const MARKS: &[Marks] = &[
    Marks {
        high: "gate.refuse_at",
        low: "gate.greylist_at",
        values: |c| (c.gate.refuse_at, c.gate.greylist_at),
        why: "nobody would be put off before being refused (gate.greylist_wait = 0 puts nobody off)",
        follows: false,
    },
    Marks {
        high: "limits.stress_enter",
        low: "limits.stress_leave",
        values: |c| (c.limits.stress_enter, c.limits.stress_leave),
        why: "stress would be over before it begins",
        follows: true,
    },
];

/// What contradicts itself.
pub(super) fn contradictions(loaded: &Loaded) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for marks in MARKS {
        let (high, low) = (marks.values)(&loaded.config);
        if low <= high || marks.follows && loaded.line(marks.low).is_none() {
            continue;
        }
        // Told where the administrator wrote something.
        let (at, other, value, how) = if loaded.line(marks.low).is_some() {
            (marks.low, marks.high, high, "more")
        } else {
            (marks.high, marks.low, low, "less")
        };
        errors.push(loaded.fault(at, format!("that is {how} than {other} = {value}: {}", marks.why)));
    }
    errors
}
