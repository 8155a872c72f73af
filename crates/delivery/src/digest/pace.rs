//! When a digest is due.

use mailward_core::Timestamp;
use mailward_core::config::DigestPace;

/// The digest that it is time for: which one since 1970. Days begin at the hour of the digest, weeks with Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pace: DigestPace,
    number: i64,
}

impl Due {
    pub(super) fn at(pace: DigestPace, hour: usize, now: Timestamp) -> Self {
        let late = i64::try_from(hour).unwrap_or(0).saturating_mul(3_600);
        let day = now.secs().saturating_sub(late).div_euclid(86_400);
        let number = match pace {
            DigestPace::Never => 0,
            DigestPace::Daily => day,
            // 1970 began with a Thursday.
            DigestPace::Weekly => day.saturating_add(3).div_euclid(7),
        };
        Self { pace, number }
    }

    /// As it is noted; none: it never is.
    pub(super) fn written(self) -> Option<String> {
        match self.pace {
            DigestPace::Never => None,
            DigestPace::Daily => Some(format!("daily {}", self.number)),
            DigestPace::Weekly => Some(format!("weekly {}", self.number)),
        }
    }

    /// Whether it is a later one than the noted one, of the same pace: else there was none before.
    pub(super) fn follows(self, noted: &[u8]) -> bool {
        let noted = std::str::from_utf8(noted).ok().and_then(|noted| noted.split_once(' '));
        let written = self.written();
        let pace = written.as_deref().and_then(|written| written.split_once(' ')).map(|(pace, _)| pace);
        noted.is_some_and(|(before, number)| {
            Some(before) == pace && number.parse::<i64>().is_ok_and(|number| number < self.number)
        })
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests {
    use super::*;

    fn at(pace: DigestPace, hour: usize, days: i64, hours: i64) -> i64 {
        Due::at(pace, hour, Timestamp::from_secs(days * 86_400 + hours * 3_600)).number
    }

    #[test]
    fn a_day_begins_at_its_hour_and_a_week_with_monday_s() {
        use DigestPace::{Daily, Weekly};
        assert_eq!(at(Daily, 6, 100, 5), 99);
        assert_eq!(at(Daily, 6, 100, 6), 100);
        assert_eq!(at(Daily, 0, 100, 0), 100);
        // 1970-01-05 was the first Monday.
        assert_eq!((at(Weekly, 6, 4, 5), at(Weekly, 6, 4, 6), at(Weekly, 6, 11, 5)), (0, 1, 1));
    }

    #[test]
    fn another_pace_begins_anew_and_a_clock_that_goes_back_repeats_nothing() {
        let due = Due { pace: DigestPace::Daily, number: 7 };
        assert!(due.follows(b"daily 6") && !due.follows(b"daily 7") && !due.follows(b"daily 8"));
        assert!(!due.follows(b"weekly 1") && !due.follows(b"") && !due.follows(b"daily x"));
        assert_eq!(Due { pace: DigestPace::Never, number: 0 }.written(), None);
    }
}
