//! Message data as it comes: DATA with its dots (RFC 5321 §4.5.2) and BDAT without (RFC 3030).
//!
//! Only CRLF.CRLF ends DATA. A bare CR, a bare LF or a NUL never does: it is remembered, the bytes are thrown away,
//! and reading goes on to the true end, so that the rest of the message is never taken for commands (attacks A3).
//! The same holds for a message that is too large. Memory: the message itself, once, up to its limit.

use crate::reply::Reply;
use memchr::memchr3;

/// Why the message can't be taken although it was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A CR without LF.
    BareCr,
    /// An LF without CR.
    BareLf,
    /// A NUL.
    Nul,
    /// Over the size limit.
    TooLarge,
    /// More chunks than `limits::SMTP_CHUNKS_MAX`.
    TooManyChunks,
    /// No memory left for messages on their way, or no disk. Temporary.
    NoSpace,
}

impl Fault {
    /// What is answered.
    #[must_use]
    pub const fn reply(self) -> Reply {
        match self {
            Fault::BareCr => Reply::BARE_CR,
            Fault::BareLf => Reply::BARE_LF,
            Fault::Nul => Reply::HOLDS_NUL,
            Fault::TooLarge => Reply::TOO_LARGE,
            Fault::TooManyChunks => Reply::TOO_MANY_CHUNKS,
            Fault::NoSpace => Reply::NO_SPACE,
        }
    }
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fault::BareCr => "bare-cr",
            Fault::BareLf => "bare-lf",
            Fault::Nul => "nul",
            Fault::TooLarge => "too-large",
            Fault::TooManyChunks => "too-many-chunks",
            Fault::NoSpace => "no-space",
        }
    }
}

/// The bytes so far, behind a prefix (the trace) that was there before them and doesn't count.
#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    size: u64,
    limit: u64,
    fault: Option<Fault>,
}

impl Kept {
    const fn new(prefix: Vec<u8>, limit: u64) -> Self {
        Self { bytes: prefix, size: 0, limit, fault: None }
    }

    fn keep(&mut self, part: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        self.size = self.size.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        if self.size > self.limit {
            self.give_up(Fault::TooLarge);
            return;
        }
        self.bytes.extend_from_slice(part);
    }

    /// The first fault is the one told, but never a temporary one in place of a lasting one: the client would come
    /// again with the same message.
    fn give_up(&mut self, fault: Fault) {
        if matches!(self.fault, None | Some(Fault::NoSpace)) {
            self.fault = Some(fault);
        }
        self.bytes = Vec::new();
    }

    fn finish(self) -> Result<Vec<u8>, Fault> {
        match self.fault {
            None => Ok(self.bytes),
            Some(fault) => Err(fault),
        }
    }
}

/// Where in a line the next byte of DATA stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Behind CRLF, or at the very beginning.
    LineStart,
    /// Anywhere else.
    InLine,
    /// Behind a CR.
    Cr,
    /// Behind a dot that began a line and is not kept.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
}

/// Reads DATA up to CRLF.CRLF.
#[derive(Debug)]
pub struct DataBody {
    at: At,
    kept: Kept,
}

/// How far [`DataBody::feed`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Bytes of the input that belong to the message and its end.
    pub consumed: usize,
    /// Whether the end was among them.
    pub ended: bool,
}

impl DataBody {
    /// A message behind `prefix`, of at most `limit` bytes without it.
    #[must_use]
    pub const fn new(prefix: Vec<u8>, limit: u64) -> Self {
        Self { at: At::LineStart, kept: Kept::new(prefix, limit) }
    }

    /// Reads on. Everything is consumed unless the end is among it.
    pub fn feed(&mut self, input: &[u8]) -> Fed {
        // Bytes from `run` to `pos` are to be kept; runs go on over line ends and break only at a dot.
        let (mut run, mut pos) = (0usize, 0usize);
        while let Some(&byte) = input.get(pos) {
            match self.at {
                At::InLine => {
                    let rest = input.get(pos..).unwrap_or_default();
                    let Some(offset) = memchr3(b'\r', b'\n', 0, rest) else { break };
                    pos = pos.saturating_add(offset);
                    match input.get(pos) {
                        Some(b'\r') => self.at = At::Cr,
                        Some(b'\n') => self.kept.give_up(Fault::BareLf),
                        _ => self.kept.give_up(Fault::Nul),
                    }
                    pos = pos.saturating_add(1);
                }
                At::Cr if byte == b'\n' => {
                    self.at = At::LineStart;
                    pos = pos.saturating_add(1);
                }
                At::Cr => {
                    self.kept.give_up(Fault::BareCr);
                    self.at = At::InLine;
                }
                At::LineStart if byte == b'.' => {
                    self.kept.keep(input.get(run..pos).unwrap_or_default());
                    pos = pos.saturating_add(1);
                    run = pos;
                    self.at = At::Dot;
                }
                At::LineStart => self.at = At::InLine,
                At::Dot if byte == b'\r' => {
                    // Kept only if it turns out a bare CR; then nothing is kept.
                    pos = pos.saturating_add(1);
                    run = pos;
                    self.at = At::DotCr;
                }
                At::Dot => self.at = At::InLine,
                At::DotCr if byte == b'\n' => return Fed { consumed: pos.saturating_add(1), ended: true },
                At::DotCr => {
                    self.kept.give_up(Fault::BareCr);
                    self.at = At::InLine;
                }
            }
        }
        self.kept.keep(input.get(run..).unwrap_or_default());
        Fed { consumed: input.len(), ended: false }
    }

    /// Bytes held in memory.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.kept.bytes.capacity()
    }
    /// Throws away what is held and keeps reading to the end.
    pub fn give_up(&mut self, fault: Fault) {
        self.kept.give_up(fault);
    }
    /// Prefix and message, in one piece.
    ///
    /// # Errors
    /// What was wrong with it.
    pub fn finish(self) -> Result<Vec<u8>, Fault> {
        self.kept.finish()
    }
}

/// Reads BDAT chunks, whose ends the caller counts.
#[derive(Debug)]
pub struct ChunkBody {
    behind_cr: bool,
    line_started: bool,
    kept: Kept,
}

impl ChunkBody {
    /// A message behind `prefix`, of at most `limit` bytes without it.
    #[must_use]
    pub const fn new(prefix: Vec<u8>, limit: u64) -> Self {
        Self { behind_cr: false, line_started: false, kept: Kept::new(prefix, limit) }
    }

    /// Takes bytes of a chunk. A CRLF may be split between two chunks.
    pub fn feed(&mut self, input: &[u8]) {
        let mut pos = 0usize;
        while let Some(&byte) = input.get(pos) {
            if std::mem::take(&mut self.behind_cr) {
                if byte == b'\n' {
                    self.line_started = false;
                    pos = pos.saturating_add(1);
                    continue;
                }
                self.kept.give_up(Fault::BareCr);
            }
            let rest = input.get(pos..).unwrap_or_default();
            let Some(offset) = memchr3(b'\r', b'\n', 0, rest) else {
                self.line_started = true;
                break;
            };
            self.line_started = true;
            pos = pos.saturating_add(offset);
            match input.get(pos) {
                Some(b'\r') => self.behind_cr = true,
                Some(b'\n') => self.kept.give_up(Fault::BareLf),
                _ => self.kept.give_up(Fault::Nul),
            }
            pos = pos.saturating_add(1);
        }
        self.kept.keep(input);
    }

    /// Bytes held in memory.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.kept.bytes.capacity()
    }
    /// Whether it was given up already, and why.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        self.kept.fault
    }
    /// Throws away what is held and keeps reading.
    pub fn give_up(&mut self, fault: Fault) {
        self.kept.give_up(fault);
    }
    /// Prefix and message, in one piece. A last line without CRLF gets one: a message is lines, and every protocol
    /// that serves it needs the last one ended.
    ///
    /// # Errors
    /// What was wrong with it.
    pub fn finish(mut self) -> Result<Vec<u8>, Fault> {
        if self.behind_cr {
            self.kept.give_up(Fault::BareCr);
        }
        if self.line_started && self.kept.fault.is_none() {
            self.kept.bytes.extend_from_slice(b"\r\n");
        }
        self.kept.finish()
    }
}

#[cfg(test)]
mod tests;
