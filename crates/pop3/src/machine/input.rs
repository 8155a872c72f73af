//! Lines of the client: the one bounded reader that every state uses (attacks G1).

use mailward_core::Secret;
use mailward_core::limits::SASL_LINE_MAX;

/// Bytes that came and aren't used up: never more than one line and one read.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    /// Before this, `bytes` are used up.
    start: usize,
    /// Bytes of an overlong line thrown away so far.
    skipped: usize,
    pub(super) lines: u64,
}

/// What comes next.
pub(super) enum Taken {
    /// No whole line yet.
    Nothing,
    /// Without its CRLF; a secret as it may hold a password.
    Line(Secret),
    /// A line with a CR or NUL in it, or without its CR.
    BadEnd,
    /// Past its limit; it is over.
    TooLong,
    /// Past every limit, and not over.
    Endless,
}

impl Input {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start.min(self.bytes.len()));
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start >= self.bytes.len()
    }

    /// What has come and isn't used up, as far as a line may reach; nothing within one that is thrown away.
    pub(super) fn unread(&self, limit: usize) -> &[u8] {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        if self.skipped > 0 { &[] } else { rest.get(..limit).unwrap_or(rest) }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.skipped = 0;
    }

    /// The next line of at most `limit` bytes with its CRLF.
    pub(super) fn take(&mut self, limit: usize) -> Taken {
        let rest = self.bytes.get_mut(self.start..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if rest.len() < limit && self.skipped == 0 {
                return Taken::Nothing;
            }
            self.skipped = self.skipped.saturating_add(rest.len());
            self.bytes.clear();
            self.start = 0;
            return if self.skipped > SASL_LINE_MAX { Taken::Endless } else { Taken::Nothing };
        };
        let after = end.saturating_add(1);
        self.start = self.start.saturating_add(after);
        self.lines = self.lines.saturating_add(1);
        let line = rest.get_mut(..after).unwrap_or_default();
        let too_long = std::mem::take(&mut self.skipped).saturating_add(after) > limit;
        let whole = line.strip_suffix(b"\r\n").filter(|text| !text.iter().any(|b| matches!(b, b'\r' | 0)));
        let taken = match whole {
            _ if too_long => Taken::TooLong,
            Some(text) => Taken::Line(Secret::new(text)),
            None => Taken::BadEnd,
        };
        // It may hold a password, and this buffer lives as long as the session.
        line.fill(0);
        taken
    }
}
