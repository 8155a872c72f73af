//! APPEND, REPLACE and the dates of commands.

use super::lexer::{Fault, Lex, Lexer};
use crate::command::{Command, NewMail};
use mailward_core::Timestamp;
use mailward_core::limits::IMAP_APPEND_MESSAGES_MAX;
use mailward_message::date::{day_start, parse_internal};

/// RFC 3501 §6.3.11 with RFC 3502: a mailbox and one message after the other.
pub(super) fn append(lexer: &mut Lexer) -> Lex<Command> {
    let mailbox = super::argument(lexer)?;
    let mut messages = Vec::new();
    loop {
        lexer.space()?;
        if messages.len() >= IMAP_APPEND_MESSAGES_MAX {
            return Err(Fault::Limit("one APPEND brings no more messages"));
        }
        messages.push(new_mail(lexer)?);
        if lexer.end().is_ok() {
            return Ok(Command::Append { mailbox, messages });
        }
    }
}

/// RFC 8508 §3.2.
pub(super) fn replace(lexer: &mut Lexer, uid: bool) -> Lex<Command> {
    lexer.space()?;
    let number = lexer.set_number()?;
    let mailbox = super::argument(lexer)?;
    lexer.space()?;
    Ok(Command::Replace { uid, number, mailbox, message: new_mail(lexer)? })
}

fn new_mail(lexer: &mut Lexer) -> Lex<NewMail> {
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
    let message = if lexer.eat_word("UTF8") {
        // RFC 9755 §4: a message with UTF-8 in its header.
        lexer.space()?;
        let opened = lexer.open()?;
        let message = lexer.literal8()?;
        if !opened || !lexer.close() {
            return Err(Fault::Bad("UTF8 takes a message in parentheses"));
        }
        message
    } else {
        lexer.literal8()?
    };
    Ok(NewMail { flags, keywords, date, message })
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
