//! ZIP's methods from before deflate: shrink (1), reduce (2 to 5), implode (6), as PKWARE's APPNOTE.TXT has them (5.1 to 5.3).
//! Nobody packs by them any more, but programs that unpack ZIPs still do.

mod implode;
mod reduce;
mod shrink;

pub(super) use implode::Implode;
pub(super) use reduce::Reduce;
pub(super) use shrink::Shrink;

use super::{Stream, byte};
use std::io::{self, BufReader, ErrorKind, Read};

/// What unpacks byte by byte.
pub(super) trait Unpack {
    /// The next byte; none at the end.
    fn next(&mut self) -> io::Result<Option<u8>>;
}

/// The bytes of it.
pub(super) struct Old<U> {
    from: U,
    /// What ended it, once what came out before is given.
    failed: Option<io::Error>,
}

impl<U> Old<U> {
    pub(super) fn new(from: U) -> Self {
        Self { from, failed: None }
    }
}

impl<U: Unpack> Read for Old<U> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut given = 0_usize;
        for slot in to {
            match self.from.next() {
                Ok(Some(next)) => *slot = next,
                Ok(None) => break,
                Err(error) if given == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
            given = given.saturating_add(1);
        }
        Ok(given)
    }
}

/// Bits, the lowest of a byte first.
struct Bits {
    packed: BufReader<Stream>,
    buffer: u32,
    held: u32,
}

impl Bits {
    fn new(packed: Stream) -> Self {
        Self { packed: BufReader::new(packed), buffer: 0, held: 0 }
    }

    /// At most 16 of them; none if there aren't so many.
    fn some(&mut self, count: u32) -> io::Result<Option<u16>> {
        while self.held < count {
            let Some(next) = byte(&mut self.packed)? else { return Ok(None) };
            self.buffer |= u32::from(next).wrapping_shl(self.held);
            self.held = self.held.saturating_add(8);
        }
        let mask = 1_u32.wrapping_shl(count).wrapping_sub(1);
        let bits = u16::try_from(self.buffer & mask).unwrap_or(u16::MAX);
        self.buffer = self.buffer.wrapping_shr(count);
        self.held = self.held.saturating_sub(count);
        Ok(Some(bits))
    }

    /// The same where there have to be so many.
    fn take(&mut self, count: u32) -> io::Result<u16> {
        self.some(count)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.take(8).map(|bits| u8::try_from(bits).unwrap_or(u8::MAX))
    }
}

/// The last bytes that came out; before the first one stand zeros.
struct Window {
    bytes: Vec<u8>,
    at: usize,
    distance: usize,
    left: usize,
}

impl Window {
    fn new(size: usize) -> Self {
        Self { bytes: vec![0; size], at: 0, distance: 0, left: 0 }
    }

    /// Has so many bytes come once more from so far back.
    fn copy(&mut self, distance: usize, length: usize) {
        (self.distance, self.left) = (distance, length);
    }

    /// The next byte of a copy, if one is under way.
    fn copied(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        let size = self.bytes.len();
        let from = self.at.saturating_add(size).saturating_sub(self.distance).checked_rem(size)?;
        let next = self.bytes.get(from).copied().unwrap_or(0);
        Some(self.put(next))
    }

    fn put(&mut self, next: u8) -> u8 {
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = next;
        }
        self.at = self.at.saturating_add(1).checked_rem(self.bytes.len()).unwrap_or(0);
        next
    }
}
