//! A notice's text for the person who reads it: what happened, and what can be done.

use mailward_core::{Address, Timestamp};
use mailward_message::date;
use mailward_message::report::Action;
use mailward_store::records::Attempt;
use std::fmt::Write as _;

/// What is said of one recipient.
pub(crate) struct Words<'a> {
    pub(crate) address: &'a Address,
    pub(crate) action: Action,
    pub(crate) attempt: Option<&'a Attempt>,
    pub(crate) attempts: u32,
    pub(crate) arrived: Timestamp,
    pub(crate) until: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

/// The whole text.
pub(crate) fn text<'a>(recipients: impl Iterator<Item = Words<'a>>) -> String {
    let mut text = String::from("This is the mail system that took your message.\n");
    for words in recipients {
        text.push('\n');
        words.write(&mut text);
    }
    text.push_str(
        "\nWhat each server said stands in the second part of this message, in a form for programs. Your message, or its\n\
         beginning, is the third part.\n",
    );
    text
}

impl Words<'_> {
    fn write(&self, text: &mut String) {
        let to = self.address;
        // Writing to a String can't fail.
        let _infallible = match self.action {
            Action::Failed => writeln!(text, "To {to} it could not be delivered. It will not be tried again."),
            Action::Delayed => {
                let until = self.until.map(date::format_header).unwrap_or_default();
                writeln!(
                    text,
                    "To {to} it could not be delivered yet. You need not do anything: it is tried until\n{until}."
                )
            }
            Action::Relayed => {
                writeln!(
                    text,
                    "To {to} it was passed on to a server that sends no confirmations. What became of it there isn't known."
                )
            }
            Action::Expanded | Action::Delivered => writeln!(text, "To {to} it was delivered."),
        };
        if matches!(self.action, Action::Failed | Action::Delayed) {
            self.write_reason(text);
        }
    }

    fn write_reason(&self, text: &mut String) {
        let _infallible = match self.attempt {
            None => writeln!(text, "  Nobody could be reached there so far."),
            Some(attempt) if attempt.code > 0 => {
                let status = attempt.status.map(|status| format!(" {status}")).unwrap_or_default();
                writeln!(text, "  {} said: {}{status} {}", attempt.host, attempt.code, attempt.text)
            }
            Some(attempt) if attempt.host.is_empty() => writeln!(text, "  {}", attempt.text),
            Some(attempt) => writeln!(text, "  {}: {}", attempt.host, attempt.text),
        };
        let hours = self.now.0.saturating_sub(self.arrived.0) / 3_600_000;
        if self.attempts > 1 && hours > 0 {
            let _infallible = writeln!(text, "  It was tried {} times in {hours} hours.", self.attempts);
        }
    }
}
