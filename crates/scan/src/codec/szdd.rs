//! Microsoft's `compress.exe` (`SZDD`): LZSS in a ring of 4 KiB.

use super::{Stream, byte, damaged};
use std::io::{self, BufReader, Read};

const RING: usize = 4_096;

pub(super) struct Szdd {
    packed: BufReader<Stream>,
    ring: Vec<u8>,
    at: usize,
    /// Bits that tell of the next items whether they are bytes, with a one above the last.
    control: u16,
    copy: (usize, usize),
    left: u64,
}

impl Szdd {
    pub(super) fn new(packed: Stream) -> io::Result<Self> {
        let mut packed = BufReader::new(packed);
        let mut header = [0; 14];
        packed.read_exact(&mut header)?;
        if !header.starts_with(b"SZDD\x88\xf0\x27\x33A") {
            return Err(damaged("no SZDD"));
        }
        let left = crate::cursor::Cursor::at(&header, 10).u32().unwrap_or(0);
        Ok(Self {
            packed,
            ring: vec![b' '; RING],
            at: RING.saturating_sub(16),
            control: 1,
            copy: (0, 0),
            left: u64::from(left),
        })
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let (from, length) = self.copy;
        if let Some(length) = length.checked_sub(1) {
            self.copy = (from.wrapping_add(1) % RING, length);
            return Ok(self.ring.get(from).copied());
        }
        if self.control <= 1 {
            let Some(control) = byte(&mut self.packed)? else { return Ok(None) };
            self.control = u16::from(control) | 0x100;
        }
        let plain = self.control & 1 == 1;
        self.control >>= 1;
        let Some(first) = byte(&mut self.packed)? else { return Ok(None) };
        if plain {
            return Ok(Some(first));
        }
        let Some(second) = byte(&mut self.packed)? else { return Ok(None) };
        let from = usize::from(first) | usize::from(second & 0xf0) << 4;
        self.copy = (from.wrapping_add(1) % RING, usize::from(second & 15).saturating_add(2));
        Ok(self.ring.get(from % RING).copied())
    }
}

impl Read for Szdd {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut given = 0_usize;
        for slot in to {
            if self.left == 0 {
                break;
            }
            let Some(next) = self.next()? else { break };
            if let Some(place) = self.ring.get_mut(self.at) {
                *place = next;
            }
            self.at = self.at.wrapping_add(1) % RING;
            self.left = self.left.saturating_sub(1);
            *slot = next;
            given = given.saturating_add(1);
        }
        Ok(given)
    }
}
