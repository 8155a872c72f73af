//! APPEND and the dates of commands.

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{Append, Command};
use jiff::civil::Date;
use jiff::tz::Offset;
use mailward_core::Timestamp;

/// RFC 3501 §6.3.11.
pub(super) fn append(lexer: &mut Lexer) -> Lex<Command> {
    let mailbox = super::argument(lexer)?;
    lexer.space()?;
    let (mut flags, mut keywords) = Default::default();
    if lexer.peek() == Some(b'(') {
        (flags, keywords) = super::flag_list(lexer)?;
        lexer.space()?;
    }
    let mut date = None;
    if lexer.peek() == Some(b'"') {
        date = Some(date_time(&lexer.string()?).ok_or(Fault::Bad("not a date and time"))?);
        lexer.space()?;
    }
    // Its bytes may be anything here; what can't be a message is refused with the reason by the session.
    let message = lexer.literal()?;
    Ok(Command::Append(Append { mailbox, flags, keywords, date, message }))
}

/// `" 7-Feb-1994 21:52:25 -0800"`
fn date_time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    if text.len() != 26 {
        return None;
    }
    let mut words = text.trim_start_matches(' ').split(' ');
    let date = date(words.next()?)?;
    let mut time = words.next()?.split(':').map(two_digits);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let zone = words.next()?;
    if time.next().is_some() || words.next().is_some() {
        return None;
    }
    let sign = match zone.bytes().next()? {
        b'+' => 1i32,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (two_digits(zone.get(1..3)?)?, two_digits(zone.get(3..5)?)?);
    if zone.len() != 5 || minutes > 59 {
        return None;
    }
    let seconds = i32::from(hours).saturating_mul(60).saturating_add(i32::from(minutes)).saturating_mul(60);
    let offset = Offset::from_seconds(seconds.saturating_mul(sign)).ok()?;
    // A leap second is the one before it.
    let civil = jiff::civil::DateTime::from_parts(date, jiff::civil::Time::new(hour, minute, second.min(59), 0).ok()?);
    Some(Timestamp(offset.to_timestamp(civil).ok()?.as_millisecond()))
}

fn two_digits(text: &str) -> Option<i8> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `7-Feb-1994`
fn date(text: &str) -> Option<Date> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if parts.next().is_some() || !digits(day) || day.len() > 2 || !digits(year) || year.len() != 4 {
        return None;
    }
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month))?.checked_add(1)?;
    Date::new(year.parse().ok()?, i8::try_from(month).ok()?, day.parse().ok()?).ok()
}

/// A SEARCH date, quoted or not, as days since 1970-01-01.
pub(super) fn day(lexer: &mut Lexer) -> Lex<i64> {
    let text = lexer.text_string()?;
    let day = date(&text).ok_or(Fault::Bad("not a date"))?;
    let start = Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_err(|_| Fault::Bad("not a date"))?;
    Ok(start.as_second().div_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_with_their_zone() {
        let secs = |text: &str| date_time(text.as_bytes()).map(Timestamp::secs);
        assert_eq!(secs("17-Jul-1996 02:44:25 -0700"), Some(837_596_665));
        assert_eq!(secs(" 1-Jan-1970 00:00:00 +0000"), Some(0));
        assert_eq!(secs("01-jan-1970 01:00:00 +0100"), Some(0));
        for bad in [
            "",
            "32-Jan-1970 00:00:00 +0000",
            "01-Foo-1970 00:00:00 +0000",
            "01-Jan-1970 24:00:00 +0000",
            "01-Jan-1970 00:00:00 +9999",
            "01-Jan-1970 00:00:00 00000",
            "01-Jan-1970 00:00:00  0000",
            "é1-Jan-1970 00:00:00 +000",
        ] {
            assert_eq!(secs(bad), None, "{bad}");
        }
    }
}
