//! Dates of header fields and of IMAP (RFC 5322 §3.3 with §4.3, RFC 9051 §9 `date-time`).

use crate::address_list::comment_end;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use mailward_core::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date as written: the moment, and the wall clock it was written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The moment.
    pub timestamp: Timestamp,
    /// Minutes east of Greenwich that it was written with; 0 if none or nonsense was given.
    pub offset: i32,
    /// Year as written (RFC 9051's SENTON and its like heed only the day as written).
    pub year: i32,
    /// Month as written, 1 to 12.
    pub month: u8,
    /// Day of the month as written, 1 to 31.
    pub day: u8,
}

/// Reads a Date field's value: RFC 5322 with its obsolete forms, the order of C's `asctime`, dashes between day,
/// month and year, and no time at all (midnight). `None` if there is no such day or hour. Only the first 256 bytes
/// count.
#[must_use]
pub fn parse(value: &[u8]) -> Option<Date> {
    let mut tokens = Tokens { value: value.get(..256).unwrap_or(value), at: 0 };
    let (mut day, mut month, mut year) = (None, None, None);
    let mut time: Option<(u32, u32, u32)> = None;
    let mut offset = None;
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) if month.is_none() && month_of(word).is_some() => month = month_of(word),
            Token::Word(word) if time.is_some() && offset.is_none() => offset = zone(word),
            Token::Number(hour, _) if time.is_none() && tokens.colon() => {
                let Some(Token::Number(minute, _)) = tokens.next() else { return None };
                let second = if tokens.colon() {
                    let Some(Token::Number(second, _)) = tokens.next() else { return None };
                    second
                } else {
                    0
                };
                time = Some((hour, minute, second));
            }
            Token::Sign(east) if time.is_some() && offset.is_none() => {
                if let Some(Token::Number(digits, 4)) = tokens.next() {
                    offset = numeric_zone(digits, east);
                }
            }
            Token::Number(number, digits) if digits <= 2 && day.is_none() => day = Some(number),
            Token::Number(number, digits) if year.is_none() => year = Some(full_year(number, digits)?),
            _ => {}
        }
    }
    date(year?, month?, day?, time.unwrap_or((0, 0, 0)), offset.unwrap_or(0))
}

/// Reads IMAP's `date-time` (RFC 9051 §9; without its quotes), strictly: ` 1-Jul-1996 02:44:25 -0700`.
#[must_use]
pub fn parse_internal(value: &[u8]) -> Option<Timestamp> {
    let [d1, d2, b'-', m1, m2, m3, b'-', y @ .., b' ', h1, h2, b':', i1, i2, b':', s1, s2, b' ', sign, z1, z2, z3, z4] =
        value
    else {
        return None;
    };
    let [y1, y2, y3, y4] = y else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |n, b| {
            b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u32::from(b.wrapping_sub(b'0'))))
        })
    };
    let day = if *d1 == b' ' { number(&[*d2])? } else { number(&[*d1, *d2])? };
    let east = match sign {
        b'+' => true,
        b'-' => false,
        _ => return None,
    };
    let offset = numeric_zone(number(&[*z1, *z2, *z3, *z4])?, east)?;
    let time = (number(&[*h1, *h2])?, number(&[*i1, *i2])?, number(&[*s1, *s2])?);
    date(number(&[*y1, *y2, *y3, *y4])?, month_of(&[*m1, *m2, *m3])?, day, time, offset).map(|d| d.timestamp)
}

/// As a header writes it, in UTC: `Fri, 21 Nov 1997 09:55:06 +0000`.
#[must_use]
pub fn format_header(time: Timestamp) -> String {
    let at = utc(time);
    let weekday = match at.date().weekday() {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    };
    let (day, month, year) = (at.day(), month_name(at), at.year());
    format!("{weekday}, {day} {month} {year:04} {:02}:{:02}:{:02} +0000", at.hour(), at.minute(), at.second())
}

/// As IMAP's INTERNALDATE writes it, in UTC, without its quotes: `21-Nov-1997 09:55:06 +0000`.
#[must_use]
pub fn format_internal(time: Timestamp) -> String {
    let at = utc(time);
    let (day, month, year) = (at.day(), month_name(at), at.year());
    format!("{day:02}-{month}-{year:04} {:02}:{:02}:{:02} +0000", at.hour(), at.minute(), at.second())
}

/// Year, month (1 to 12) and day (1 to 31) of a moment, in UTC.
#[must_use]
pub fn civil(time: Timestamp) -> (i32, u8, u8) {
    let at = utc(time);
    (i32::from(at.year()), at.month().unsigned_abs(), at.day().unsigned_abs())
}

/// The moment a day begins, in UTC; `None` if there is no such day between the years 0 and 9999.
#[must_use]
pub fn day_start(year: i32, month: u8, day: u8) -> Option<Timestamp> {
    date(u32::try_from(year).ok()?, u32::from(month), u32::from(day), (0, 0, 0), 0).map(|d| d.timestamp)
}

/// A date of its parts, each checked.
fn date(year: u32, month: u32, day: u32, (hour, minute, second): (u32, u32, u32), offset: i32) -> Option<Date> {
    let small = |n: u32| i8::try_from(n).ok();
    // A leap second is the second before it: clocks here have none.
    let second = if second == 60 { 59 } else { second };
    let at = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        0,
    )
    .ok()?;
    let local = at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    let timestamp = Timestamp::from_secs(local.saturating_sub(i64::from(offset).saturating_mul(60)));
    Some(Date {
        timestamp,
        offset,
        year: i32::try_from(year).ok()?,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    })
}

/// The wall clock at Greenwich; beyond the year 9999 it stands still at 1970.
fn utc(time: Timestamp) -> DateTime {
    jiff::Timestamp::from_second(time.secs()).unwrap_or_default().to_zoned(TimeZone::UTC).datetime()
}

fn month_name(at: DateTime) -> &'static str {
    let before = usize::from(at.month().unsigned_abs()).saturating_sub(1);
    MONTHS.get(before).copied().unwrap_or("Jan")
}

/// 1 to 12, by the first three letters.
fn month_of(word: &[u8]) -> Option<u32> {
    let start = word.get(..3)?;
    let before = MONTHS.iter().position(|m| m.as_bytes().eq_ignore_ascii_case(start))?;
    u32::try_from(before.saturating_add(1)).ok()
}

/// RFC 5322 §4.3: two digits under 50 are of this century, three count from 1900.
fn full_year(number: u32, digits: usize) -> Option<u32> {
    match digits {
        2 if number < 50 => Some(number.saturating_add(2_000)),
        2 | 3 => Some(number.saturating_add(1_900)),
        4 => Some(number),
        _ => None,
    }
}

/// Minutes of `hhmm`, if there may be such a zone.
fn numeric_zone(digits: u32, east: bool) -> Option<i32> {
    let (hours, minutes) = (digits / 100, digits % 100);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let minutes = i32::try_from(hours.saturating_mul(60).saturating_add(minutes)).ok()?;
    Some(if east { minutes } else { minutes.saturating_neg() })
}

/// Minutes of the zones that RFC 5322 §4.3 names; others, as it says, are unknown: taken for Greenwich.
fn zone(name: &[u8]) -> Option<i32> {
    let hours = match name.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        // AM, PM and `DST` marks are no zone; a number may still come.
        b"AM" | b"PM" | b"DST" => return None,
        _ => 0,
    };
    Some(i32::saturating_mul(hours, 60))
}

enum Token<'v> {
    /// Its value and how many digits it has.
    Number(u32, usize),
    Word(&'v [u8]),
    /// Whether it is a plus.
    Sign(bool),
}

/// Numbers, words and signs; blanks, commas and comments part them.
struct Tokens<'v> {
    value: &'v [u8],
    at: usize,
}

impl<'v> Tokens<'v> {
    fn next(&mut self) -> Option<Token<'v>> {
        loop {
            let rest = self.value.get(self.at..)?;
            let first = *rest.first()?;
            let run = |kind: fn(&u8) -> bool| rest.iter().position(|b| !kind(b)).unwrap_or(rest.len());
            if first.is_ascii_digit() {
                let len = run(u8::is_ascii_digit);
                self.at = self.at.saturating_add(len);
                let digits = std::str::from_utf8(rest.get(..len)?).ok()?;
                return Some(Token::Number(digits.parse().unwrap_or(u32::MAX), len));
            }
            if first.is_ascii_alphabetic() {
                let len = run(u8::is_ascii_alphabetic);
                self.at = self.at.saturating_add(len);
                return rest.get(..len).map(Token::Word);
            }
            self.at = if first == b'(' { comment_end(self.value, self.at) } else { self.at.saturating_add(1) };
            if matches!(first, b'+' | b'-') {
                return Some(Token::Sign(first == b'+'));
            }
        }
    }

    /// Steps over a colon and the blanks and comments before it (obsolete form), if there is one.
    fn colon(&mut self) -> bool {
        let mut at = self.at;
        while let Some(byte) = self.value.get(at) {
            at = match byte {
                b' ' | b'\t' | b'\r' | b'\n' => at.saturating_add(1),
                b'(' => comment_end(self.value, at),
                b':' => {
                    self.at = at.saturating_add(1);
                    return true;
                }
                _ => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(value: &str) -> Option<i64> {
        parse(value.as_bytes()).map(|d| d.timestamp.secs())
    }

    #[test]
    fn dates_of_rfc_5322_are_understood() {
        let at = Some(880_127_706); // 1997-11-21T15:55:06Z
        assert_eq!(secs("Fri, 21 Nov 1997 09:55:06 -0600"), at);
        assert_eq!(secs(" Fri,\r\n 21 Nov 1997 09 : 55 : 06 -0600 (a (nested) comment)"), at);
        assert_eq!(secs("Fri, 21 Nov 97 09(comment):   55  :  06 -0600"), at);
        assert_eq!(secs("21 Nov 97 09:55:06 CST"), at);
        assert_eq!(secs("21 Nov 1997 15:55:06 GMT"), at);
        assert_eq!(secs("21 Nov 097 15:55:06 Z"), at);
        assert_eq!(secs("Fri Nov 21 15:55:06 1997"), at);
        assert_eq!(secs("21-Nov-1997 15:55:06 +0000"), at);
        assert_eq!(
            secs(
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)"
            ),
            Some(-27_723_480)
        );
    }

    #[test]
    fn the_day_as_written_survives_the_zone() {
        let date = parse(b"Sat, 1 Jan 2000 00:30:00 +1400").unwrap();
        assert_eq!((date.year, date.month, date.day, date.offset), (2000, 1, 1, 840));
        assert_eq!(civil(date.timestamp), (1999, 12, 31));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for no in [
            "",
            "yesterday",
            "31 Feb 2020 00:00:00 +0000",
            "1 Jan 2020 24:00:00 +0000",
            "1 Jan 20200",
            "1 Jan",
            "99 Jan 2020",
            "1 Jan 2020 10:",
            "1 Jan 99999999999999999999",
        ] {
            assert_eq!(parse(no.as_bytes()), None, "{no}");
        }
        // A zone that can't be is no zone.
        assert_eq!(secs("21 Nov 1997 15:55:06 +9999"), Some(880_127_706));
    }

    #[test]
    fn internal_dates_are_read_strictly() {
        let at = Some(Timestamp::from_secs(837_596_665));
        assert_eq!(parse_internal(b"17-Jul-1996 02:44:25 -0700"), at);
        assert_eq!(parse_internal(b" 1-jul-1996 00:00:00 +0000"), day_start(1996, 7, 1));
        for no in [
            "17-Jul-1996 02:44:25",
            "17-Jul-1996 02:44:25 0700",
            "1-Jul-1996 02:44:25 -0700",
            "17-Jul-96 02:44:25 -0700",
            "30-Feb-1996 02:44:25 -0700",
            "17-Jul-1996 25:44:25 -0700",
            "17-Jul-+996 02:44:25 -0700",
            "",
        ] {
            assert_eq!(parse_internal(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn dates_are_written_as_headers_and_imap_want_them() {
        let at = Timestamp::from_secs(880_127_706);
        assert_eq!(format_header(at), "Fri, 21 Nov 1997 15:55:06 +0000");
        assert_eq!(format_internal(Timestamp(987_654_321_999)), "19-Apr-2001 04:25:21 +0000");
        assert_eq!(format_header(Timestamp(i64::MAX)), "Thu, 1 Jan 1970 00:00:00 +0000");
    }

    proptest! {
        #[test]
        fn a_date_written_is_read_back(secs in -2_000_000_000_i64..250_000_000_000) {
            let at = Timestamp::from_secs(secs);
            prop_assert_eq!(parse(format_header(at).as_bytes()).map(|d| d.timestamp), Some(at));
            prop_assert_eq!(parse_internal(format_internal(at).as_bytes()), Some(at));
            let (year, month, day) = civil(at);
            let start = day_start(year, month, day).unwrap();
            prop_assert!(start <= at && at.0 < start.0.saturating_add(86_400_000));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[0-9A-Za-z:+ ,()-]{0,60}") {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
            let _ = parse_internal(&bytes);
            let _ = parse_internal(text.as_bytes());
        }

        #[test]
        fn no_time_makes_formatting_panic(millis in any::<i64>()) {
            let _ = (format_header(Timestamp(millis)), format_internal(Timestamp(millis)), civil(Timestamp(millis)));
        }
    }
}
