//! Fields for programs: one line each, whatever is put in, then folded.

use crate::bytes::truncate;
use crate::date;
use mailward_core::limits::REPORT_FIELD_MAX;
use mailward_core::{Address, Timestamp};

/// Where a line is folded if it can be, bytes. RFC 5322 §2.1.1 (78).
const FOLD: usize = 76;
/// Where a word without blanks is cut into two, bytes: a line has at most 998 (RFC 5322 §2.1.1).
const WORD_MAX: usize = 900;

/// Groups of fields that grow.
pub(super) struct Fields {
    out: String,
    utf8: bool,
}

impl Fields {
    /// `utf8`: whether values may hold UTF-8; else what isn't ASCII is written `\x{…}`.
    pub(super) const fn new(utf8: bool) -> Self {
        Self { out: String::new(), utf8 }
    }

    /// Ends a group.
    pub(super) fn next_group(&mut self) {
        self.out.push_str("\r\n");
    }

    /// A value from anywhere: control characters and runs of blanks become one blank, what can't be seen or isn't ASCII
    /// is escaped, the rest is cut at `limits::REPORT_FIELD_MAX`. `kind` stands before it. Nothing is written for a
    /// value without a character.
    pub(super) fn text(&mut self, name: &str, kind: &str, value: &str) {
        let cleaned = one_line(value, self.utf8);
        if !cleaned.is_empty() {
            self.write(name, &format!("{kind}{cleaned}"));
        }
    }

    pub(super) fn date(&mut self, name: &str, time: Timestamp) {
        self.write(name, &date::format_header(time));
    }

    /// An address of ours to know: `rfc822`, or, if it isn't ASCII, `utf-8` in the form that the part allows (RFC 6533
    /// §3).
    pub(super) fn address(&mut self, name: &str, address: &Address) {
        let text = address.to_string();
        let written = match (address.is_ascii(), self.utf8) {
            (true, _) => format!("rfc822; {text}"),
            (false, true) => format!("utf-8; {text}"),
            (false, false) => format!("utf-8; {}", seven_bit(&text)),
        };
        // An address has no controls, and its blanks (in quotes) are part of it: folded there it unfolds to itself.
        self.write(name, &written);
    }

    /// What came as ORCPT: type and address as the sender had them.
    pub(super) fn original(&mut self, kind: &str, address: &str) {
        let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        if !kind.is_empty() {
            self.text("Original-Recipient", &format!("{kind}; "), address);
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    /// Writes a field whose value is one line without controls.
    fn write(&mut self, name: &str, value: &str) {
        self.out.push_str(name);
        self.out.push(':');
        let mut line = name.len().saturating_add(1);
        for word in value.split(' ') {
            // An empty word is one of two blanks: a fold there would make a line of blanks, which ends the header for
            // some.
            if !word.is_empty()
                && line.saturating_add(1).saturating_add(word.len()) > FOLD
                && line > name.len().saturating_add(1)
            {
                self.out.push_str("\r\n");
                line = 0;
            }
            self.out.push(' ');
            line = line.saturating_add(1);
            let mut rest = word;
            while rest.len() > WORD_MAX {
                let (piece, after) = rest.split_at(rest.floor_char_boundary(WORD_MAX));
                self.out.push_str(piece);
                self.out.push_str("\r\n ");
                line = 1;
                rest = after;
            }
            self.out.push_str(rest);
            line = line.saturating_add(rest.len());
        }
        self.out.push_str("\r\n");
    }
}

/// See [`Fields::text`].
fn one_line(value: &str, utf8: bool) -> String {
    let mut line = String::with_capacity(value.len().min(REPORT_FIELD_MAX));
    let mut blank = false;
    for c in value.chars() {
        if c.is_control() || c.is_whitespace() {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) && !line.is_empty() {
            line.push(' ');
        }
        if c.is_ascii() || (utf8 && !unseen(c)) {
            line.push(c);
        } else {
            escape(c, &mut line);
        }
        if line.len() > REPORT_FIELD_MAX {
            truncate(&mut line, REPORT_FIELD_MAX);
            line.push_str(" [...]");
            break;
        }
    }
    line
}

/// An address as `utf-8-addr-xtext` (RFC 6533 §3): printable ASCII, all other characters and `+`, `=`, `\` as
/// `\x{…}`.
fn seven_bit(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_graphic() && !matches!(c, '+' | '=' | '\\') {
            out.push(c);
        } else {
            escape(c, &mut out);
        }
    }
    out
}

fn escape(c: char, out: &mut String) {
    out.push_str(&format!("\\x{{{:02X}}}", u32::from(c)));
}

/// Characters that change how a text looks without being seen.
pub(super) const fn unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}
