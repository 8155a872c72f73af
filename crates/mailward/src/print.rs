//! What the command line says, and to whom.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

/// Members of an answer.
pub(crate) trait Field {
    /// The member of this name; null if there is none.
    fn field(&self, name: &str) -> &Value;
}

impl Field for Value {
    fn field(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

/// A line to standard output. A reader that has gone away (`| head`) has seen enough: that is no error.
pub(crate) fn line(words: impl std::fmt::Display) -> Result<(), Failure> {
    heard(&format!("{words}\n")).map(|_| ())
}

/// Text that ends its own lines to standard output.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    heard(text).map(|_| ())
}

/// The same; `false` if the reader has gone away, so that whoever has much to say can stop.
fn heard(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Failure::io("standard output", e)),
        Ok(()) => Ok(true),
    }
}

/// A value as JSON to standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(json_text(value)?)
}

/// A value as JSON; what moves a terminal is escaped, and comes back as it was when it is read.
pub(crate) fn json_text(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Bug(e.to_string()))?;
    if !text.chars().any(|c| c != '\n' && moves_a_terminal(c)) {
        return Ok(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // Outside of strings JSON has no such character but the line end; within them any may be written by its number.
        match c {
            c if c != '\n' && moves_a_terminal(c) => write!(escaped, "\\u{:04x}", u32::from(c)),
            c => escaped.write_char(c),
        }
        .map_err(|e| Failure::Bug(e.to_string()))?;
    }
    Ok(escaped)
}

/// A list of any length as JSON, an element at a time.
#[derive(Debug, Default)]
pub(crate) struct JsonList {
    begun: bool,
}

impl JsonList {
    /// One more element; `false` if the reader has gone away.
    pub(crate) fn element(&mut self, value: &impl Serialize) -> Result<bool, Failure> {
        // A string has no line end of its own in JSON.
        let text = json_text(value)?.replace('\n', "\n  ");
        let before = if self.begun { "," } else { "[" };
        self.begun = true;
        heard(&format!("{before}\n  {text}"))
    }

    /// The end.
    pub(crate) fn end(self) -> Result<(), Failure> {
        line(if self.begun { "\n]" } else { "[]" })
    }
}

/// A failure to standard error.
pub(crate) fn complain(failure: &Failure) {
    // Nobody is left to tell if standard error is gone too.
    let _lost = writeln!(std::io::stderr().lock(), "mailward: {}", tame_lines(&failure.to_string()));
}

/// Something that should be known but stops nothing, to standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _lost = writeln!(std::io::stderr().lock(), "mailward: {}", tame_lines(&text.to_string()));
}

/// Something that takes long, on standard error while it does; nothing if that is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    drawn: bool,
}

impl Progress {
    /// Nothing is shown yet.
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), drawn: false }
    }
    /// Shows this in place of what was shown.
    pub(crate) fn show(&mut self, text: impl std::fmt::Display) {
        if self.terminal {
            self.drawn = true;
            let mut err = std::io::stderr().lock();
            // Progress that can't be shown stops nothing.
            let _lost = write!(err, "\r{text}\u{1b}[K").and_then(|()| err.flush());
        }
    }
    /// Makes way for other lines.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _lost = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Rows under their headings, columns as wide as their widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    Table::new(headings).rows(rows).map(|_| ())
}

/// A table that comes in parts: columns are as wide as their widest cell so far.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Option<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    /// Nothing is shown before the first rows.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let widths = headings.iter().map(|h| h.chars().count()).collect();
        Self { headings: Some(headings.iter().map(|h| (*h).to_owned()).collect()), widths }
    }

    /// More rows; `false` if the reader has gone away.
    pub(crate) fn rows(&mut self, rows: &[Vec<String>]) -> Result<bool, Failure> {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let headings = self.headings.take();
        let mut text = String::new();
        for row in headings.iter().chain(rows) {
            let cells: Vec<String> =
                row.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        heard(&text)
    }
}

/// A TXT record of several strings as a zone file has it (RFC 1035 §5.1), in one line.
pub(crate) fn txt_record(name: &str, strings: &[&str]) -> String {
    let quoted: Vec<String> =
        strings.iter().map(|s| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{name}.  3600 IN TXT {}", quoted.join(" "))
}

/// What came from outside, fit for a terminal: no control characters, no overrides of direction.
pub(crate) fn tame(text: &str) -> String {
    text.chars().map(|c| if moves_a_terminal(c) { '\u{fffd}' } else { c }).collect()
}

/// The same of lines that are ours: what a failure quotes may be anybody's.
fn tame_lines(text: &str) -> String {
    text.split('\n').map(tame).collect::<Vec<_>>().join("\n")
}

/// Control characters (C0, DEL, C1) and overrides of direction.
fn moves_a_terminal(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// The same, cut to so many characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    let tamed = tame(text);
    match tamed.char_indices().nth(most) {
        None => tamed,
        Some(_) => tamed.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// How long something has been, as people say it.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds.div_euclid(60)),
        7_200..=172_799 => format!("{} h", seconds.div_euclid(3_600)),
        _ => format!("{} days", seconds.div_euclid(86_400)),
    }
}

/// How long something still takes, rounded up: two hours are two hours right after they began.
pub(crate) fn left(seconds: u64) -> String {
    let up = |unit: u64| seconds.div_ceil(unit).saturating_mul(unit);
    match seconds {
        0..=119 => span(seconds),
        120..=7_199 => span(up(60)),
        7_200..=172_799 => span(up(3_600)),
        _ => span(up(86_400)),
    }
}

/// Bytes as people say them.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (name, factor) in UNITS {
        if count >= factor {
            let tenths = count.saturating_mul(10).checked_div(factor).unwrap_or(0);
            return format!("{}.{} {name}", tenths.checked_div(10).unwrap_or(0), tenths.checked_rem(10).unwrap_or(0));
        }
    }
    format!("{count} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_rounded_up_and_what_passed_is_rounded_down() {
        for (seconds, left_of_it, passed) in [
            (119, "119 s", "119 s"),
            (121, "3 min", "2 min"),
            (3_599, "60 min", "59 min"),
            (7_199, "2 h", "119 min"),
            (7_200, "2 h", "2 h"),
            (172_799, "2 days", "47 h"),
            (259_199, "3 days", "2 days"),
        ] {
            assert_eq!((left(seconds).as_str(), span(seconds).as_str()), (left_of_it, passed));
        }
        assert!(left(u64::MAX).ends_with(" days"));
    }

    #[test]
    fn what_an_outsider_wrote_can_t_move_the_terminal() {
        assert_eq!(tame("a\u{1b}[2Jb\r\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn json_can_t_move_the_terminal_either_and_is_the_same_when_read() {
        let hostile = "a\u{9b}2J\u{7f}\r\n\u{202e}b\u{e9}\u{1f4e7}";
        let text = json_text(&vec![hostile]).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && moves_a_terminal(c)), "{text}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [hostile]);
    }

    #[test]
    fn what_is_long_is_cut_by_characters_and_says_so() {
        assert_eq!(short("äöü", 3), "äöü");
        assert_eq!(short("äöüß", 3), "äö…");
        assert_eq!(short("\u{1b}[2J", 10), "\u{fffd}[2J");
    }

    #[test]
    fn sizes_are_said_with_one_decimal() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(50 << 20), "50.0 MiB");
    }
}
