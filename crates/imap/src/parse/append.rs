//! APPEND and the dates of commands.

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{Append, Command};
use mailward_core::Timestamp;
use mailward_message::date::{day_start, parse_internal};

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
        date = Some(parse_internal(&lexer.string()?).ok_or(Fault::Bad("not a date and time"))?);
        lexer.space()?;
    }
    // Its bytes may be anything here; what can't be a message is refused with the reason by the session.
    let message = lexer.literal()?;
    Ok(Command::Append(Append { mailbox, flags, keywords, date, message }))
}

/// The moment that `7-Feb-1994` begins in UTC.
fn date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if parts.next().is_some() || !digits(day) || day.len() > 2 || !digits(year) || year.len() != 4 {
        return None;
    }
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month))?.checked_add(1)?;
    day_start(year.parse().ok()?, u8::try_from(month).ok()?, day.parse().ok()?)
}

/// A SEARCH date, quoted or not, as days since 1970-01-01.
pub(super) fn day(lexer: &mut Lexer) -> Lex<i64> {
    let text = lexer.text_string()?;
    let start = date(&text).ok_or(Fault::Bad("not a date"))?;
    Ok(start.secs().div_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_what_is_none_is_refused() {
        assert_eq!(date("1-Feb-1970").map(|t| t.secs() / 86_400), Some(31));
        assert_eq!(date("01-feb-1970").map(|t| t.secs() / 86_400), Some(31));
        for bad in
            ["", "1-2-1970", "32-Jan-1970", "1-Feb-70", "-1-Feb-1970", "1-Feb-1970-", "30-Feb-2000", "+1-Feb-1970"]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
