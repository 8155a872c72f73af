//! The relaxed form of a body, as it comes.

use crate::bytes::is_blank;

/// Canonical bytes gathered before they are passed on: hashing word by word would cost more than the hash.
pub(super) const GATHERED: usize = 4 * 1024;

/// Puts a body into the relaxed form (RFC 6376 §3.4.4) piece by piece: blanks at the end of a line go, other runs of
/// blanks become one space, empty lines at the end of the body go, and a body that isn't empty ends with CRLF. How the
/// pieces are cut changes nothing. Holds a few kilobytes, whatever comes.
#[derive(Clone, Debug, Default)]
pub struct RelaxedBody {
    gathered: Vec<u8>,
    /// Line ends that are passed on once something follows them.
    line_ends: u64,
    /// Blanks that become a space once something follows them on their line.
    blank: bool,
    /// The last byte of the piece before was a CR.
    cr: bool,
    /// Something was passed on.
    any: bool,
    bare: bool,
}

impl RelaxedBody {
    /// Before the first piece.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece; `out` gets canonical bytes, in pieces of its own.
    pub fn push(&mut self, piece: &[u8], mut out: impl FnMut(&[u8])) {
        let mut rest = piece;
        while let Some((first, after)) = rest.split_first() {
            if self.cr {
                self.cr = false;
                if *first == b'\n' {
                    self.line_ends = self.line_ends.saturating_add(1);
                    self.blank = false;
                    rest = after;
                    continue;
                }
                self.bare = true;
                self.text(b"\r", &mut out);
            }
            match first {
                b'\r' => {
                    self.cr = true;
                    rest = after;
                }
                byte if is_blank(*byte) => {
                    self.blank = true;
                    rest = after;
                }
                _ => {
                    let end = memchr::memchr3(b' ', b'\t', b'\r', rest).unwrap_or(rest.len());
                    let (text, after) = rest.split_at(end);
                    // Its line end would have a CR before it.
                    self.bare |= memchr::memchr(b'\n', text).is_some();
                    self.text(text, &mut out);
                    rest = after;
                }
            }
        }
    }

    /// Takes the end of the body.
    pub fn finish(mut self, mut out: impl FnMut(&[u8])) {
        if std::mem::take(&mut self.cr) {
            self.text(b"\r", &mut out);
        }
        if self.any {
            self.gathered.extend_from_slice(b"\r\n");
        }
        out(&self.gathered);
    }

    /// Whether a CR or LF stood alone so far; a CR at the end of the last piece counts.
    #[must_use]
    pub const fn has_bare_line_ends(&self) -> bool {
        self.bare || self.cr
    }

    /// Passes on text of one line, after what it makes count.
    fn text(&mut self, text: &[u8], out: &mut impl FnMut(&[u8])) {
        self.any = true;
        while self.line_ends > 0 {
            self.line_ends = self.line_ends.saturating_sub(1);
            self.gather(b"\r\n", out);
        }
        if std::mem::take(&mut self.blank) {
            self.gather(b" ", out);
        }
        self.gather(text, out);
    }

    fn gather(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) {
        if self.gathered.len().saturating_add(bytes.len()) > GATHERED {
            out(&self.gathered);
            self.gathered.clear();
            if bytes.len() >= GATHERED {
                out(bytes);
                return;
            }
        }
        self.gathered.extend_from_slice(bytes);
    }
}
