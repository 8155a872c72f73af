//! Time, passed in so that tests own it.

use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// Wall-clock time: milliseconds since 1970-01-01T00:00:00Z. Deadlines use `std::time::Instant` instead, which
/// no clock jump moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since 1970.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000))
    }
    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }
    /// The beginning of a day in UTC, as `2027-01-31` has it; `None` if there is none such.
    #[must_use]
    pub fn of_day(text: &str) -> Option<Self> {
        let fields = text.as_bytes();
        let shaped = fields.len() == 10
            && fields
                .iter()
                .enumerate()
                .all(|(at, b)| if matches!(at, 4 | 7) { *b == b'-' } else { b.is_ascii_digit() });
        let mut numbers = text.split('-').map(str::parse::<i64>);
        let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), true) =
            (numbers.next(), numbers.next(), numbers.next(), shaped)
        else {
            return None;
        };
        let days = days_from_civil(year, month, day);
        (civil_from_days(days) == (year, month, day)).then(|| Self::from_secs(days.saturating_mul(86_400)))
    }
    /// What [`Timestamp::text`] wrote; `None` if it is anything else.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let day = Self::of_day(text.get(..10)?)?;
        let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let (hours, minutes, seconds, millis) = (part(11, 13)?, part(14, 16)?, part(17, 19)?, part(20, 23)?);
        let minutes = hours.saturating_mul(60).saturating_add(minutes);
        let millis = minutes.saturating_mul(60).saturating_add(seconds).saturating_mul(1_000).saturating_add(millis);
        // Whatever is out of its range, or stands elsewhere, is written otherwise.
        Some(Self(day.0.saturating_add(millis))).filter(|time| time.text() == text)
    }
    /// RFC 3339 in UTC with milliseconds, without a time zone database: `2026-01-02T03:04:05.678Z`.
    #[must_use]
    pub fn text(self) -> String {
        let (year, month, day) = civil_from_days(self.secs().div_euclid(86_400));
        let second = self.secs().rem_euclid(86_400);
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second.div_euclid(3_600),
            second.div_euclid(60).rem_euclid(60),
            second.rem_euclid(60),
            self.0.rem_euclid(1_000)
        )
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            // A clock before 1970 is set wrong; mail still has to be dated.
            Err(_) => 0,
        };
        Timestamp(millis)
    }
}

/// Gregorian date of a day number since 1970-01-01 (proleptic), by the shift to years that begin in March.
#[expect(clippy::arithmetic_side_effects, reason = "days of an i64 of milliseconds stay far from the ends of i64")]
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The day number since 1970-01-01 of a date; of what is no date, some other day's.
#[expect(clippy::arithmetic_side_effects, reason = "years of four digits, months and days of two")]
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(Timestamp(1_709_210_096_789).text(), "2024-02-29T12:34:56.789Z");
        assert_eq!(Timestamp(0).text(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn times_are_read_as_they_are_written_and_nothing_else_is() {
        for time in [0, 1_709_210_096_789, 1_800_000_000_000, 253_402_300_799_999] {
            assert_eq!(Timestamp::of_text(&Timestamp(time).text()), Some(Timestamp(time)));
        }
        for none in [
            "",
            "2026-01-02",
            "2026-01-02T03:04:05Z",
            "2026-01-02T24:00:00.000Z",
            "2026-01-02T00:60:00.000Z",
            "2026-01-02 03:04:05.678Z",
            "2026-01-02T+3:04:05.678Z",
            "2026-01-02T03:04:05.678Z ",
            "2026-01-02T03:04:05.67\u{e9}",
        ] {
            assert_eq!(Timestamp::of_text(none), None, "{none}");
        }
    }

    #[test]
    fn days_are_read_and_what_is_no_day_isn_t_one() {
        for day in ["1970-01-01", "2024-02-29", "2000-02-29", "2026-12-31", "1900-03-01", "9999-12-31"] {
            assert_eq!(Timestamp::of_day(day).unwrap().text(), format!("{day}T00:00:00.000Z"));
        }
        for none in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-01",
            "26-01-01",
            "2026-01-32",
            "+026-01-01",
            "2026/01/01",
            "",
        ] {
            assert_eq!(Timestamp::of_day(none), None, "{none}");
        }
    }
}
