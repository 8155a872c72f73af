//! The simple form of a body, as it comes.

/// Puts a body into the simple form (RFC 6376 §3.4.3) piece by piece: empty lines at its end go, and it ends with CRLF,
/// also if it is empty. How the pieces are cut changes nothing. Holds nothing of it.
#[derive(Clone, Debug, Default)]
pub struct SimpleBody {
    /// Line ends that are passed on once something follows them.
    line_ends: u64,
    /// The last byte of the piece before was a CR.
    cr: bool,
}

impl SimpleBody {
    /// Before the first piece.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece; `out` gets canonical bytes, in pieces of its own.
    pub fn push(&mut self, piece: &[u8], mut out: impl FnMut(&[u8])) {
        let mut rest = piece;
        while let Some((first, after)) = rest.split_first() {
            if std::mem::take(&mut self.cr) {
                if *first == b'\n' {
                    self.line_ends = self.line_ends.saturating_add(1);
                    rest = after;
                    continue;
                }
                self.text(b"\r", &mut out);
            }
            if *first == b'\r' {
                self.cr = true;
                rest = after;
                continue;
            }
            let end = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            self.text(text, &mut out);
            rest = after;
        }
    }

    /// Takes the end of the body.
    pub fn finish(mut self, mut out: impl FnMut(&[u8])) {
        if std::mem::take(&mut self.cr) {
            self.text(b"\r", &mut out);
        }
        out(b"\r\n");
    }

    /// Passes on what counts, after the line ends that count with it.
    fn text(&mut self, text: &[u8], out: &mut impl FnMut(&[u8])) {
        const LINE_ENDS: [[u8; 2]; 64] = [*b"\r\n"; 64];
        while self.line_ends > 0 {
            let some = self.line_ends.min(64);
            self.line_ends = self.line_ends.saturating_sub(some);
            let some = LINE_ENDS.get(..usize::try_from(some).unwrap_or(0)).unwrap_or_default();
            out(some.as_flattened());
        }
        out(text);
    }
}
