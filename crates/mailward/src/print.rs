//! What the command line says, and to whom.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value;
use std::io::{ErrorKind, Write as _};

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
pub(crate) fn line(text: impl std::fmt::Display) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::io("standard output", e)),
        _ => Ok(()),
    }
}

/// Text that ends its own lines to standard output.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::io("standard output", e)),
        _ => Ok(()),
    }
}

/// A value as JSON to standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string_pretty(value).map_err(|e| Failure::Bug(e.to_string()))?)
}

/// A failure to standard error.
pub(crate) fn complain(failure: &Failure) {
    // Nobody is left to tell if standard error is gone too.
    let _lost = writeln!(std::io::stderr().lock(), "mailward: {failure}");
}

/// Something that should be known but stops nothing, to standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _lost = writeln!(std::io::stderr().lock(), "mailward: {text}");
}

/// Rows under their headings, columns as wide as their widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A TXT record of several strings as a zone file has it (RFC 1035 §5.1), in one line.
pub(crate) fn txt_record(name: &str, strings: &[&str]) -> String {
    let quoted: Vec<String> =
        strings.iter().map(|s| format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{name}.  3600 IN TXT {}", quoted.join(" "))
}

/// What came from outside, fit for a terminal: no control characters, no overrides of direction.
pub(crate) fn tame(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
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
    fn what_an_outsider_wrote_can_t_move_the_terminal() {
        assert_eq!(tame("a\u{1b}[2Jb\r\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn sizes_are_said_with_one_decimal() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(50 << 20), "50.0 MiB");
    }
}
