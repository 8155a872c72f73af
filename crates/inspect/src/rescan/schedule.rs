//! When it is done by itself.

use mailward_core::Timestamp;
use mailward_core::config::RescanEvery;
use mailward_core::limits::RESCAN_WEEKLY_DAYS;

const DAY: i64 = 86_400_000;

/// Whether it is time, and since when mail that is meant came (none: ever). `last`: when it began the last time.
pub(super) fn due(every: RescanEvery, hour: u8, last: Option<Timestamp>, now: Timestamp) -> Option<Option<Timestamp>> {
    let (days, since) = match every {
        RescanEvery::Never => return None,
        RescanEvery::Weekly => (7, Some(Timestamp(now.0.saturating_sub(RESCAN_WEEKLY_DAYS.saturating_mul(DAY))))),
        RescanEvery::Monthly => (30, None),
    };
    let is_its_hour = now.secs().div_euclid(3_600).rem_euclid(24) == i64::from(hour);
    // Days of the calendar: one that began late in its hour isn't a day later each time.
    let day = |at: Timestamp| at.0.div_euclid(DAY);
    let is_its_day = last.is_none_or(|last| day(now).saturating_sub(day(last)).abs() >= days);
    (is_its_hour && is_its_day).then_some(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_in_its_hour_once_a_week_or_a_month() {
        let at = |day: i64, hour: i64| Timestamp((20_000 + day) * DAY + hour * 3_600_000 + 59);
        let weekly = |last, now| due(RescanEvery::Weekly, 2, last, now).is_some();
        assert!(weekly(None, at(0, 2)) && !weekly(None, at(0, 3)) && !weekly(None, at(0, 1)));
        assert!(!weekly(Some(at(0, 2)), at(0, 2)) && !weekly(Some(at(0, 2)), at(6, 2)));
        assert!(weekly(Some(at(0, 2)), at(7, 2)) && weekly(Some(at(0, 2)), at(9, 2)));
        assert!(weekly(Some(at(9, 2)), at(0, 2)), "a clock that was set back silences nothing");
        let monthly = |last, now| due(RescanEvery::Monthly, 0, last, now);
        assert_eq!(monthly(Some(at(0, 0)), at(30, 0)), Some(None), "all mail");
        assert_eq!(monthly(Some(at(0, 0)), at(29, 0)), None);
        assert_eq!(due(RescanEvery::Never, 2, None, at(0, 2)), None);
        let since = due(RescanEvery::Weekly, 2, None, at(100, 2));
        assert_eq!(since, Some(Some(at(100 - RESCAN_WEEKLY_DAYS, 2))));
    }
}
