//! The message on its way out: pieces of a store become lines of a wire.
//!
//! What goes out holds CRLF lines without NUL, whatever comes in: a piece is looked at before any of it is written,
//! and a CR at its end waits for the next one (attacks A3).

use bytes::Bytes;
use mailward_core::EnhancedStatus;
use memchr::memchr3;
use std::future::Future;

/// Where a message comes from. Its size is known before; its bytes come piece by piece, so that none is in memory as
/// a whole.
pub trait Content: Send {
    /// Bytes of all pieces together.
    fn size(&self) -> u64;
    /// The next piece; `None` behind the last one. What takes long here counts against the time that the server has
    /// for the message.
    ///
    /// # Errors
    /// If it can't be read. Nothing is accepted then.
    fn next(&mut self) -> impl Future<Output = std::io::Result<Option<Bytes>>> + Send;
}

/// A message that is in memory already.
#[derive(Clone, Debug)]
pub struct Whole {
    bytes: Option<Bytes>,
    size: usize,
}

impl Whole {
    /// Takes the message.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { size: bytes.len(), bytes: Some(bytes) }
    }
}

impl Content for Whole {
    fn size(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(u64::MAX)
    }
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        Ok(self.bytes.take())
    }
}

/// Why a message can't be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentFault {
    /// A CR without LF.
    #[error("holds a CR that doesn't belong to a CRLF")]
    BareCr,
    /// An LF without CR.
    #[error("holds an LF that doesn't belong to a CRLF")]
    BareLf,
    /// A NUL.
    #[error("holds a NUL")]
    Nul,
    /// A byte over 127 where neither [`eight_bit`](super::Transaction::eight_bit) nor
    /// [`utf8_header`](super::Transaction::utf8_header) of the transaction is set.
    #[error("holds 8-bit bytes, but was said not to")]
    EightBit,
    /// More or fewer bytes than [`Content::size`] said.
    #[error("isn't as long as it was said to be")]
    Size,
    /// [`Content::next`] failed.
    #[error("can't be read from the store: {0}")]
    Unreadable(std::io::ErrorKind),
}

impl ContentFault {
    /// Whether it will be so next time as well.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        !matches!(self, ContentFault::Unreadable(_) | ContentFault::Size)
    }
    /// The enhanced code for a report.
    #[must_use]
    pub const fn status(self) -> EnhancedStatus {
        if self.is_lasting() { EnhancedStatus::of(5, 6, 0) } else { EnhancedStatus::of(4, 3, 0) }
    }
}

/// How the message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// DATA: dots at the beginning of lines are doubled, a line with one dot ends it (RFC 5321 §4.5.2).
    Dotted,
    /// BDAT: the bytes as they are, counted (RFC 3030).
    Counted,
}

/// Turns pieces into what goes out.
#[derive(Debug)]
pub(super) struct Lines {
    form: Form,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    InLine,
    /// Behind a CR that hasn't gone out.
    Cr,
}

impl Lines {
    pub(super) const fn new(form: Form) -> Self {
        Self { form, at: At::LineStart }
    }

    /// Looks at a first piece without sending anything of it.
    pub(super) fn check(piece: &[u8], eight_bit: bool) -> Result<(), ContentFault> {
        if !eight_bit && !piece.is_ascii() {
            return Err(ContentFault::EightBit);
        }
        let mut rest = piece;
        while let Some(at) = memchr3(b'\r', b'\n', 0, rest) {
            match (rest.get(at), rest.get(at.saturating_add(1))) {
                (Some(b'\r'), Some(b'\n')) => rest = rest.get(at.saturating_add(2)..).unwrap_or_default(),
                (Some(b'\r'), None) => return Ok(()),
                (Some(b'\r'), _) => return Err(ContentFault::BareCr),
                (Some(b'\n'), _) => return Err(ContentFault::BareLf),
                _ => return Err(ContentFault::Nul),
            }
        }
        Ok(())
    }

    /// Puts what a piece becomes behind `out`. On an error `out` mustn't be sent.
    pub(super) fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), ContentFault> {
        let mut rest = piece;
        if self.at == At::Cr {
            match rest.split_first() {
                None => return Ok(()),
                Some((b'\n', after)) => {
                    out.extend_from_slice(b"\r\n");
                    self.at = At::LineStart;
                    rest = after;
                }
                Some(_) => return Err(ContentFault::BareCr),
            }
        }
        while let Some(first) = rest.first() {
            if *first == b'.' && self.at == At::LineStart && self.form == Form::Dotted {
                out.push(b'.');
            }
            let Some(at) = memchr3(b'\r', b'\n', 0, rest) else {
                out.extend_from_slice(rest);
                self.at = At::InLine;
                break;
            };
            match (rest.get(at), rest.get(at.saturating_add(1))) {
                (Some(b'\r'), Some(b'\n')) => {
                    let (line, after) = rest.split_at_checked(at.saturating_add(2)).unwrap_or((rest, &[]));
                    out.extend_from_slice(line);
                    self.at = At::LineStart;
                    rest = after;
                }
                (Some(b'\r'), None) => {
                    out.extend_from_slice(rest.get(..at).unwrap_or_default());
                    self.at = At::Cr;
                    break;
                }
                (Some(b'\r'), _) => return Err(ContentFault::BareCr),
                (Some(b'\n'), _) => return Err(ContentFault::BareLf),
                _ => return Err(ContentFault::Nul),
            }
        }
        Ok(())
    }

    /// Puts what ends the message behind `out`. With DATA a last line without CRLF gets one.
    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<(), ContentFault> {
        match (self.form, self.at) {
            (_, At::Cr) => return Err(ContentFault::BareCr),
            (Form::Counted, _) => {}
            (Form::Dotted, At::LineStart) => out.extend_from_slice(b".\r\n"),
            (Form::Dotted, At::InLine) => out.extend_from_slice(b"\r\n.\r\n"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
