//! Keys that have to agree with each other.

use super::read::{ConfigError, Loaded};
use super::{Config, DigestPace};

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
    errors.extend(missing_of_pages(loaded));
    errors
}

/// Pages whose place isn't known, and links that would lead nowhere.
fn missing_of_pages(loaded: &Loaded) -> Vec<ConfigError> {
    let Config { listen, web, quarantine, .. } = &loaded.config;
    let origin = "web.origin = \"https://mail.your.domain\"";
    let doors = [("listen.https", !listen.https.is_empty()), ("listen.http", !listen.http.is_empty())];
    let open: Vec<&str> = doors.into_iter().filter(|(_, is_open)| *is_open).map(|(key, _)| key).collect();
    let mut errors = Vec::new();
    if web.origin.is_none() {
        errors.extend(open.iter().map(|key| loaded.fault(key, format!("pages need {origin}: where users reach them"))));
    }
    if quarantine.digest != DigestPace::Never {
        let mut missing = Vec::new();
        if web.origin.is_none() {
            missing.push(origin);
        }
        if open.is_empty() {
            missing.push("a door, such as https = [\"0.0.0.0:443\", \"[::]:443\"] under [listen]");
        }
        if !missing.is_empty() {
            let what = format!("its links would lead nowhere; it needs {}", missing.join(" and "));
            errors.push(loaded.fault("quarantine.digest", what));
        }
    }
    errors
}
