//! `compress`: LZW with codes of 9 to 16 bits.

use super::{Stream, byte, damaged};
use std::io::{self, BufReader, ErrorKind, Read};

/// The first code that stands for more than one byte; with blocks the one before means to begin anew.
const FIRST: usize = 256;

pub(super) struct Lzw {
    packed: BufReader<Stream>,
    /// Most bits of a code.
    most: u32,
    /// Whether code 256 clears the table.
    blocks: bool,
    /// For each code from 256 on: the code before and its last byte.
    table: Vec<(u16, u8)>,
    bits: u32,
    buffer: u32,
    held: u32,
    /// Codes read with this number of bits: they come in groups of eight.
    group: u32,
    previous: Option<u16>,
    first: u8,
    /// Bytes that are unpacked and not yet given, the last one first.
    waiting: Vec<u8>,
}

impl Lzw {
    pub(super) fn new(packed: Stream) -> io::Result<Self> {
        let mut packed = BufReader::new(packed);
        let mut header = [0; 3];
        packed.read_exact(&mut header)?;
        let [0x1f, 0x9d, flags] = header else { return Err(damaged("no compress")) };
        let most = u32::from(flags & 31);
        if !(9..=16).contains(&most) {
            return Err(io::Error::new(ErrorKind::Unsupported, "codes of a length that isn't known"));
        }
        let mut new = Self {
            packed,
            most,
            blocks: flags & 0x80 != 0,
            table: Vec::new(),
            bits: 9,
            buffer: 0,
            held: 0,
            group: 0,
            previous: None,
            first: 0,
            waiting: Vec::new(),
        };
        new.clear();
        Ok(new)
    }

    fn clear(&mut self) {
        self.table.clear();
        if self.blocks {
            self.table.push((0, 0));
        }
        self.bits = 9;
        self.previous = None;
    }

    fn code(&mut self) -> io::Result<Option<u16>> {
        while self.held < self.bits {
            let Some(byte) = byte(&mut self.packed)? else { return Ok(None) };
            self.buffer |= u32::from(byte) << self.held;
            self.held = self.held.saturating_add(8);
        }
        let mask = 1_u32.wrapping_shl(self.bits).wrapping_sub(1);
        let code = u16::try_from(self.buffer & mask).unwrap_or(u16::MAX);
        self.buffer = self.buffer.wrapping_shr(self.bits);
        self.held = self.held.saturating_sub(self.bits);
        self.group = self.group.wrapping_add(1) & 7;
        Ok(Some(code))
    }

    /// Codes of one length fill whole groups of eight; the rest of a group is padding when the length changes.
    fn end_group(&mut self) -> io::Result<()> {
        while self.group != 0 {
            if self.code()?.is_none() {
                break;
            }
        }
        self.group = 0;
        self.buffer = 0;
        self.held = 0;
        Ok(())
    }

    /// Unpacks one code; `false` at the end.
    fn step(&mut self) -> io::Result<bool> {
        let next = FIRST.saturating_add(self.table.len());
        if self.bits < self.most && next >= 1_usize.wrapping_shl(self.bits) {
            self.end_group()?;
            self.bits = self.bits.saturating_add(1);
        }
        let Some(code) = self.code()? else { return Ok(false) };
        if code == 256 && self.blocks {
            self.end_group()?;
            self.clear();
            return Ok(true);
        }
        let Some(previous) = self.previous else {
            let Ok(only) = u8::try_from(code) else { return Err(damaged("a code before there is one")) };
            self.first = only;
            self.previous = Some(code);
            self.waiting.push(only);
            return Ok(true);
        };
        let mut at = code;
        match usize::from(code).cmp(&next) {
            std::cmp::Ordering::Less => {}
            // A code that this very step makes: the one before and its first byte once more.
            std::cmp::Ordering::Equal => {
                self.waiting.push(self.first);
                at = previous;
            }
            std::cmp::Ordering::Greater => return Err(damaged("a code before there is one")),
        }
        while let Some(index) = usize::from(at).checked_sub(FIRST) {
            let Some((before, last)) = self.table.get(index) else { return Err(damaged("a code before there is one")) };
            self.waiting.push(*last);
            at = *before;
        }
        self.first = u8::try_from(at).unwrap_or(0);
        self.waiting.push(self.first);
        if next < 1_usize.wrapping_shl(self.most) {
            self.table.push((previous, self.first));
        }
        self.previous = Some(code);
        Ok(true)
    }
}

impl Read for Lzw {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut given = 0_usize;
        for slot in to {
            while self.waiting.is_empty() {
                if !self.step()? {
                    return Ok(given);
                }
            }
            *slot = self.waiting.pop().unwrap_or(0);
            given = given.saturating_add(1);
        }
        Ok(given)
    }
}
