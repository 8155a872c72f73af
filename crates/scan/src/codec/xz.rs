//! The xz format, version 1.2.1: streams in a row, blocks in each. Written here so that windows have a limit; checks of
//! contents aren't computed, as programs show files whose check is wrong.

use super::{Codec, Machine, Stream, damaged, over};
use crate::cursor::Cursor;
use mailward_core::limits::SCAN_CODERS_MAX;
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

const MAGIC: &[u8] = b"\xfd7zXZ\0";

pub(super) struct Xz {
    packed: Counted,
    /// The block that is read, or none between blocks.
    block: Option<Stream>,
    /// Bytes of the check after each block; none: before a stream's header.
    check: Option<usize>,
    begun: bool,
    /// Whether the block that is read has given something.
    given: bool,
}

/// The bytes below all decoders, with their number: blocks are padded to multiples of four.
#[derive(Clone)]
struct Counted(Rc<RefCell<(Stream, u64)>>);

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.try_borrow_mut().map_err(|_| damaged("streams that hold each other"))?;
        let read = inner.0.read(to)?;
        inner.1 = inner.1.wrapping_add(u64::try_from(read).unwrap_or(0));
        Ok(read)
    }
}

impl Counted {
    fn position(&self) -> u64 {
        self.0.try_borrow().map_or(0, |inner| inner.1)
    }
}

impl Xz {
    pub(super) fn new(packed: Stream) -> Self {
        let packed: Stream = Box::new(io::BufReader::new(packed));
        Self {
            packed: Counted(Rc::new(RefCell::new((packed, 0)))),
            block: None,
            check: None,
            begun: false,
            given: false,
        }
    }

    /// A stream's header; `false` at the end of all.
    fn header(&mut self) -> io::Result<bool> {
        let mut header = [0; 12];
        loop {
            let Some(first) = header.get_mut(..4) else { return Ok(false) };
            match read_whole(&mut self.packed, first)? {
                0 if self.begun => return Ok(false),
                4 => {}
                _ => return Err(ErrorKind::UnexpectedEof.into()),
            }
            // Padding between streams is zeros, in fours.
            if !(self.begun && *first == [0; 4]) {
                break;
            }
        }
        self.packed.read_exact(header.get_mut(4..).unwrap_or_default())?;
        if !header.starts_with(MAGIC) {
            return Err(damaged(if self.begun { "bytes after its end" } else { "no xz" }));
        }
        let check = header.get(7).map_or(0, |kind| kind & 15);
        // Type 0 none, 1–3 4 bytes, 4–6 8, 7–9 16, 10–12 32, 13–15 64 (section 2.1.1.2).
        self.check = Some(match check {
            0 => 0,
            1..=3 => 4,
            4..=6 => 8,
            7..=9 => 16,
            10..=12 => 32,
            _ => 64,
        });
        self.begun = true;
        Ok(true)
    }

    /// The next block, or the index and the footer after the last.
    fn next_block(&mut self) -> io::Result<()> {
        let mut length = [0];
        self.packed.read_exact(&mut length)?;
        let [length] = length;
        if length == 0 {
            self.index()?;
            self.check = None;
            return Ok(());
        }
        // The header's length in fours, this byte and its checksum included.
        let mut header = vec![0; usize::from(length).saturating_add(1).saturating_mul(4).saturating_sub(1)];
        self.packed.read_exact(&mut header)?;
        let mut at = Cursor::new(&header);
        let flags = at.u8().unwrap_or(0);
        for present in [flags & 0x40, flags & 0x80] {
            if present != 0 {
                number(&mut at).ok_or_else(|| damaged("a block's header that can't be read"))?;
            }
        }
        let count = usize::from(flags & 3).saturating_add(1).min(SCAN_CODERS_MAX);
        let mut filters = Vec::with_capacity(count);
        for _ in 0..count {
            filters.push(filter(&mut at).ok_or_else(|| damaged("a block's header that can't be read"))??);
        }
        let mut stream: Stream = Box::new(self.packed.clone());
        for filter in filters.into_iter().rev() {
            // A decoder that reads ahead would take what follows the block: LZMA2 knows its own end.
            stream = match filter {
                Codec::Lzma2(window) => super::lzma2(stream, None, window),
                other => over(other, stream, None)?,
            };
        }
        self.block = Some(stream);
        self.given = false;
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        self.block = None;
        let padding = (self.packed.position() % 4).wrapping_neg() % 4;
        let check = u64::try_from(self.check.unwrap_or(0)).unwrap_or(0);
        let skipped = padding.saturating_add(check);
        if io::copy(&mut self.packed.by_ref().take(skipped), &mut io::sink())? != skipped {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Steps over index and footer: records of two numbers, padding, two checksums, sizes.
    fn index(&mut self) -> io::Result<()> {
        let records = read_number(&mut self.packed)?;
        for _ in 0..records {
            read_number(&mut self.packed)?;
            read_number(&mut self.packed)?;
        }
        let padding = (self.packed.position() % 4).wrapping_neg() % 4;
        let skipped = padding.saturating_add(16);
        if io::copy(&mut self.packed.by_ref().take(skipped), &mut io::sink())? != skipped {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl Read for Xz {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(block) = &mut self.block {
                let read = block.read(to)?;
                if read > 0 {
                    self.given = true;
                    return Ok(read);
                }
                // No program writes one, and each costs a window.
                if !self.given {
                    return Err(damaged("a block without contents"));
                }
                self.end_block()?;
            } else if self.check.is_some() {
                self.next_block()?;
            } else if !self.header()? {
                return Ok(0);
            }
        }
    }
}

/// A filter and its properties (section 5.3): its codec, or why it can't be one.
fn filter(at: &mut Cursor<'_>) -> Option<io::Result<Codec>> {
    let id = number(at)?;
    let length = number(at)?;
    let properties = at.take(usize::try_from(length).ok()?)?;
    let first = properties.first().copied().unwrap_or(0);
    Some(Ok(match id {
        0x03 => Codec::Delta(usize::from(first).saturating_add(1)),
        0x04 => Codec::Branch(Machine::X86),
        0x05 => Codec::Branch(Machine::PowerPc),
        0x06 => Codec::Branch(Machine::Ia64),
        0x07 => Codec::Branch(Machine::Arm),
        0x08 => Codec::Branch(Machine::ArmThumb),
        0x09 => Codec::Branch(Machine::Sparc),
        0x0a => Codec::Branch(Machine::Arm64),
        0x0b => Codec::Branch(Machine::RiscV),
        0x21 => Codec::Lzma2(window(first)),
        _ => return Some(Err(io::Error::new(ErrorKind::Unsupported, "packed by a filter that isn't known"))),
    }))
}

/// LZMA2's window of its one byte of properties: 2 or 3 times a power of two.
pub(crate) fn window(props: u8) -> u32 {
    if props >= 40 {
        return u32::MAX;
    }
    let mantissa = 2 | u32::from(props & 1);
    mantissa.checked_shl(u32::from(props / 2).saturating_add(11)).unwrap_or(u32::MAX)
}

/// A number in groups of seven bits, the lowest first (section 1.2).
fn number(at: &mut Cursor<'_>) -> Option<u64> {
    let mut sum = 0_u64;
    for group in 0..9_u32 {
        let byte = at.u8()?;
        sum |= u64::from(byte & 0x7f) << group.saturating_mul(7);
        if byte & 0x80 == 0 {
            return Some(sum);
        }
    }
    None
}

fn read_number(from: &mut Counted) -> io::Result<u64> {
    let mut sum = 0_u64;
    for group in 0..9_u32 {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        let [byte] = byte;
        sum |= u64::from(byte & 0x7f) << group.saturating_mul(7);
        if byte & 0x80 == 0 {
            return Ok(sum);
        }
    }
    Err(damaged("an index that can't be read"))
}

/// Reads as much as there is; how much it was.
fn read_whole(from: &mut Counted, to: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(room) = to.get_mut(read..)
        && !room.is_empty()
    {
        match from.read(room)? {
            0 => break,
            more => read = read.saturating_add(more),
        }
    }
    Ok(read)
}
