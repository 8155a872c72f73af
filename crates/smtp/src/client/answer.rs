//! What a server answers: its code, its enhanced code, its words (RFC 5321 §4.2, RFC 2034, RFC 3463).
//!
//! A reader without I/O: bytes in an [`Input`] become [`Answer`]s. It is strict where doubt would put answers out of
//! step with commands: every line ends with CRLF and begins with the same code, from 200 to 599. It is generous with
//! the words, which mean nothing to us: bytes that aren't UTF-8 and characters that could harm a terminal or a log are
//! replaced, and words over [`SMTP_REPLY_KEPT_MAX`] are read and dropped (attacks H6, H7).

use crate::input::Input;
use mailward_core::EnhancedStatus;
use mailward_core::limits::{SMTP_REPLY_BYTES_MAX, SMTP_REPLY_KEPT_MAX, SMTP_REPLY_LINE_MAX, SMTP_REPLY_LINES_MAX};
use memchr::memchr;
use std::sync::Arc;

/// Room that an [`Input`] for answers has, bytes: two lines of the longest.
pub const INPUT_SIZE: usize = 2 * SMTP_REPLY_LINE_MAX;

/// A reply of one or more lines. A copy costs no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    code: u16,
    status: Option<EnhancedStatus>,
    /// Lines with `\n` between them.
    text: Arc<str>,
}

impl Answer {
    /// An answer with this code and these words; several lines are separated by `\n`. `None` if the code isn't one
    /// of 200 to 599. The words are cleaned and cut as if they had been read.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Option<Self> {
        (200..600).contains(&code).then(|| {
            let mut words = Words::default();
            for line in text.split('\n') {
                words.line(line, SMTP_REPLY_KEPT_MAX);
            }
            words.answer(code)
        })
    }
    /// Three digits, 200 to 599.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }
    /// The enhanced code that the words of the first line begin with, if they do and its class is the code's.
    #[must_use]
    pub const fn enhanced(&self) -> Option<EnhancedStatus> {
        self.status
    }
    /// The words of each line, with enhanced codes, without codes. From outside, but without control characters; never
    /// empty, at most [`SMTP_REPLY_KEPT_MAX`] bytes together ([`SMTP_REPLY_BYTES_MAX`] in an answer to EHLO).
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }
    /// 2yz: done.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 300
    }
    /// 3yz: go on.
    #[must_use]
    pub const fn is_intermediate(&self) -> bool {
        self.code >= 300 && self.code < 400
    }
    /// 4yz: trying again later may help.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.code >= 400 && self.code < 500
    }
    /// 5yz: never.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }
}

/// `550 5.1.1 No such user / Ask postmaster`: one line, fit for a log or a terminal.
impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.code)?;
        for (index, line) in self.lines().enumerate() {
            f.write_str(if index == 0 { " " } else { " / " })?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

/// Why what was read is no answer. Nothing after it can be trusted to belong to anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not three digits and a space, a hyphen or the line's end; what another protocol's server says.
    #[error("a line doesn't begin with a reply code")]
    NoCode,
    /// Codes are from 200 to 599.
    #[error("a reply code is out of range")]
    CodeRange,
    /// RFC 5321 §4.2.1: the same code on every line.
    #[error("the lines of one reply have different codes")]
    CodesDiffer,
    /// A line that ends with LF alone, or a CR within it.
    #[error("a line doesn't end with CRLF")]
    LineEnd,
    /// `limits::SMTP_REPLY_LINE_MAX`.
    #[error("a line is longer than {SMTP_REPLY_LINE_MAX} bytes")]
    LineTooLong,
    /// `limits::SMTP_REPLY_LINES_MAX`.
    #[error("a reply has more than {SMTP_REPLY_LINES_MAX} lines")]
    TooManyLines,
    /// `limits::SMTP_REPLY_BYTES_MAX`.
    #[error("a reply has more than {SMTP_REPLY_BYTES_MAX} bytes")]
    TooManyBytes,
    /// An answer to what hasn't been said.
    #[error("a reply came before its command")]
    Early,
    /// A code that can't answer this command, such as 354 to RCPT.
    #[error("a reply's code can't be an answer to the command")]
    OutOfPlace,
    /// A SASL challenge that isn't base64.
    #[error("a challenge isn't base64")]
    Challenge,
}

/// Reads answers, one after the other.
#[derive(Debug, Default)]
pub struct AnswerReader {
    code: Option<u16>,
    words: Words,
    bytes: usize,
    count: usize,
}

impl AnswerReader {
    /// Consumes lines up to the end of an answer; `None` if there is more to come. `input` needs
    /// [`INPUT_SIZE`]. At most `keep` bytes of the words are kept.
    ///
    /// # Errors
    /// [`Malformed`]; don't read on after it.
    pub fn read(&mut self, input: &mut Input, keep: usize) -> Result<Option<Answer>, Malformed> {
        loop {
            let unread = input.unread();
            let Some(end) = memchr(b'\n', unread) else {
                if unread.len() >= SMTP_REPLY_LINE_MAX {
                    return Err(Malformed::LineTooLong);
                }
                return Ok(None);
            };
            let length = end.saturating_add(1);
            if length > SMTP_REPLY_LINE_MAX {
                return Err(Malformed::LineTooLong);
            }
            self.count = self.count.saturating_add(1);
            self.bytes = self.bytes.saturating_add(length);
            if self.count > SMTP_REPLY_LINES_MAX {
                return Err(Malformed::TooManyLines);
            }
            if self.bytes > SMTP_REPLY_BYTES_MAX {
                return Err(Malformed::TooManyBytes);
            }
            let line = unread.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Malformed::LineEnd)?;
            if memchr(b'\r', line).is_some() {
                return Err(Malformed::LineEnd);
            }
            let (code, more, text) = reply_line(line)?;
            if self.code.is_some_and(|first| first != code) {
                return Err(Malformed::CodesDiffer);
            }
            self.code = Some(code);
            self.words.line(&String::from_utf8_lossy(text), keep);
            input.consume(length);
            if !more {
                return Ok(Some(std::mem::take(self).words.answer(code)));
            }
        }
    }
    /// Whether the beginning of an answer was read and its end wasn't.
    #[must_use]
    pub const fn is_amid(&self) -> bool {
        self.code.is_some()
    }
}

/// One line without its end: code, whether more follow, text.
fn reply_line(line: &[u8]) -> Result<(u16, bool, &[u8]), Malformed> {
    let (code, rest) = line.split_at_checked(3).ok_or(Malformed::NoCode)?;
    let mut number = 0_u16;
    for byte in code {
        if !byte.is_ascii_digit() {
            return Err(Malformed::NoCode);
        }
        number = number.saturating_mul(10).saturating_add(u16::from(byte.saturating_sub(b'0')));
    }
    let (more, text) = match rest.split_first() {
        None => (false, rest),
        Some((b' ', text)) => (false, text),
        Some((b'-', text)) => (true, text),
        Some(_) => return Err(Malformed::NoCode),
    };
    if !(200..600).contains(&number) {
        return Err(Malformed::CodeRange);
    }
    Ok((number, more, text))
}

/// The words of an answer as they gather.
#[derive(Debug, Default)]
struct Words {
    status: Option<Box<str>>,
    text: String,
    begun: bool,
    cut: bool,
}

impl Words {
    fn line(&mut self, line: &str, keep: usize) {
        if std::mem::replace(&mut self.begun, true) {
            self.push('\n', keep);
        } else {
            // Longer than any enhanced code: it wouldn't be one.
            self.status = line.split(' ').next().filter(|word| word.len() <= 9).map(Box::from);
        }
        for c in line.chars() {
            self.push(if harmless(c) { c } else { '?' }, keep);
            if self.cut {
                return;
            }
        }
    }
    fn push(&mut self, c: char, keep: usize) {
        if self.cut || self.text.len().saturating_add(c.len_utf8()) > keep {
            self.cut = true;
        } else {
            self.text.push(c);
        }
    }
    fn answer(self, code: u16) -> Answer {
        let status = self.status.as_deref().and_then(EnhancedStatus::parse);
        let status = status.filter(|status| code.checked_div(100) == Some(u16::from(status.class())));
        Answer { code, status, text: self.text.into() }
    }
}

/// Neither a control character nor one that turns the text around or hides in it.
fn harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
