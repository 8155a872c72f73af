//! LHA's `-lh4-` to `-lh7-` (Okumura's ar002) and ARJ's methods 1 to 3: blocks of Huffman codes over LZ77.

use super::{Stream, byte, damaged};
use std::io::{self, BufReader, Read};

/// Literals and lengths: 256 bytes, lengths 3 to 256.
const CODES: usize = 510;
/// Lengths of codes, as codes.
const LENGTHS: usize = 19;
/// Longest code, bits.
const BITS: usize = 16;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// `-lh4-`, a window of 4 KiB, and `-lh5-`, of 8 KiB.
    Lh5,
    /// 32 KiB.
    Lh6,
    /// 64 KiB.
    Lh7,
    /// ARJ, 26 KiB.
    Arj,
}

impl Variant {
    fn window(self) -> usize {
        match self {
            Self::Lh5 => 8 * 1024,
            Self::Lh6 => 32 * 1024,
            Self::Lh7 => 64 * 1024,
            Self::Arj => 26 * 1024,
        }
    }

    /// Codes of distances, and the bits of their number.
    fn distances(self) -> (usize, u32) {
        match self {
            Self::Lh5 => (14, 4),
            Self::Lh6 => (16, 5),
            Self::Lh7 | Self::Arj => (17, 5),
        }
    }
}

pub(super) struct Lh {
    packed: BufReader<Stream>,
    variant: Variant,
    buffer: u32,
    held: u32,
    /// Bits that were asked for after the end.
    missing: u32,
    /// Codes that are left in this block.
    block: u32,
    codes: Tree,
    distances: Tree,
    window: Vec<u8>,
    at: usize,
    copy: (usize, usize),
}

/// A set of codes, canonical: the shorter first, then in order.
#[derive(Default)]
struct Tree {
    /// The one symbol that takes no bits.
    only: Option<u16>,
    /// Codes of each length.
    counts: [u16; BITS + 1],
    symbols: Vec<u16>,
}

impl Tree {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0_u16; BITS + 1];
        let mut order: Vec<(u8, u16)> = Vec::with_capacity(lengths.len());
        for (length, symbol) in lengths.iter().zip(0_u16..) {
            if let Some(count) = counts.get_mut(usize::from(*length))
                && *length > 0
            {
                *count = count.saturating_add(1);
                order.push((*length, symbol));
            }
        }
        order.sort_unstable();
        Self { only: None, counts, symbols: order.into_iter().map(|(_, symbol)| symbol).collect() }
    }

    fn only(symbol: u16) -> Self {
        Self { only: Some(symbol), ..Self::default() }
    }
}

impl Lh {
    pub(super) fn new(packed: Stream, variant: Variant) -> Self {
        Self {
            packed: BufReader::new(packed),
            variant,
            buffer: 0,
            held: 0,
            missing: 0,
            block: 0,
            codes: Tree::default(),
            distances: Tree::default(),
            window: vec![b' '; variant.window()],
            at: 0,
            copy: (0, 0),
        }
    }

    /// Bits, the first the highest.
    fn bits(&mut self, count: u32) -> io::Result<u32> {
        while self.held < count {
            let next = byte(&mut self.packed)?;
            if next.is_none() {
                // The last code may lean on bits that aren't there.
                self.missing = self.missing.saturating_add(8);
                if self.missing > 64 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.buffer = self.buffer.wrapping_shl(8) | u32::from(next.unwrap_or(0));
            self.held = self.held.saturating_add(8);
        }
        self.held = self.held.saturating_sub(count);
        let mask = 1_u32.wrapping_shl(count).wrapping_sub(1);
        Ok(self.buffer.wrapping_shr(self.held) & mask)
    }

    fn symbol(&mut self, which: fn(&Self) -> &Tree) -> io::Result<u16> {
        if let Some(only) = which(self).only {
            return Ok(only);
        }
        // Canonical codes: those of one length are numbers in a row.
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for length in 1..=BITS {
            code |= self.bits(1)?;
            let tree = which(self);
            let count = u32::from(tree.counts.get(length).copied().unwrap_or(0));
            let within = code.wrapping_sub(first);
            if within < count {
                let place = usize::try_from(index.saturating_add(within)).unwrap_or(usize::MAX);
                return tree.symbols.get(place).copied().ok_or_else(|| damaged("a code that isn't one"));
            }
            index = index.saturating_add(count);
            first = first.wrapping_add(count).wrapping_shl(1);
            code = code.wrapping_shl(1);
        }
        Err(damaged("a code that isn't one"))
    }

    /// Lengths of the codes of lengths or distances.
    fn small(&mut self, symbols: usize, bits: u32, gap: Option<usize>) -> io::Result<Tree> {
        let count = usize::try_from(self.bits(bits)?).unwrap_or(0);
        if count == 0 {
            let only = self.bits(bits)?;
            return Ok(Tree::only(u16::try_from(only).unwrap_or(0)));
        }
        let mut lengths: Vec<u8> = Vec::with_capacity(symbols);
        while lengths.len() < count {
            let mut length = self.bits(3)?;
            if length == 7 {
                while length <= 16 && self.bits(1)? == 1 {
                    length = length.saturating_add(1);
                }
            }
            lengths.push(u8::try_from(length).unwrap_or(0));
            if Some(lengths.len()) == gap {
                let zeros = usize::try_from(self.bits(2)?).unwrap_or(0);
                lengths.extend(std::iter::repeat_n(0, zeros));
            }
            if lengths.len() > symbols.saturating_add(3) {
                return Err(damaged("more codes than there can be"));
            }
        }
        Ok(Tree::new(&lengths))
    }

    /// The codes of the next block.
    fn tables(&mut self) -> io::Result<()> {
        let lengths_of = self.small(LENGTHS, 5, Some(3))?;
        // Used for reading the next table alone, where the distances' codes stand later.
        self.distances = lengths_of;
        let count = usize::try_from(self.bits(9)?).unwrap_or(0);
        self.codes = if count == 0 {
            let only = self.bits(9)?;
            Tree::only(u16::try_from(only).unwrap_or(0))
        } else {
            let mut lengths: Vec<u8> = Vec::with_capacity(CODES);
            while lengths.len() < count.min(CODES) {
                let zeros = match self.symbol(|lh| &lh.distances)? {
                    0 => 1,
                    1 => self.bits(4)?.saturating_add(3),
                    2 => self.bits(9)?.saturating_add(20),
                    length => {
                        lengths.push(u8::try_from(length.saturating_sub(2)).unwrap_or(0));
                        continue;
                    }
                };
                lengths.extend(std::iter::repeat_n(0, usize::try_from(zeros).unwrap_or(0)));
            }
            Tree::new(lengths.get(..lengths.len().min(CODES)).unwrap_or_default())
        };
        let (symbols, bits) = self.variant.distances();
        self.distances = self.small(symbols, bits, None)?;
        Ok(())
    }

    fn next(&mut self) -> io::Result<u8> {
        let (distance, length) = self.copy;
        if let Some(length) = length.checked_sub(1) {
            self.copy = (distance, length);
            let size = self.window.len();
            let from = self.at.saturating_add(size).saturating_sub(distance).checked_rem(size).unwrap_or(0);
            return Ok(self.window.get(from).copied().unwrap_or(b' '));
        }
        if self.block == 0 {
            self.block = self.bits(16)?;
            self.tables()?;
        }
        self.block = self.block.saturating_sub(1);
        let code = self.symbol(|lh| &lh.codes)?;
        if let Ok(literal) = u8::try_from(code) {
            return Ok(literal);
        }
        let length = usize::from(code).saturating_sub(253);
        let group = u32::from(self.symbol(|lh| &lh.distances)?);
        let distance = match group.checked_sub(1) {
            None => 0,
            Some(bits) => 1_u32.wrapping_shl(bits.min(16)).saturating_add(self.bits(bits.min(16))?),
        };
        let distance = usize::try_from(distance).unwrap_or(0).saturating_add(1);
        if distance > self.window.len() {
            return Err(damaged("a distance beyond the window"));
        }
        self.copy = (distance, length);
        self.next()
    }
}

impl Read for Lh {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut given = 0_usize;
        for slot in to {
            let next = match self.next() {
                Ok(next) => next,
                // What came out before is given first.
                Err(error) if given == 0 => return Err(error),
                Err(_) => break,
            };
            if let Some(place) = self.window.get_mut(self.at) {
                *place = next;
            }
            self.at = self.at.saturating_add(1).checked_rem(self.window.len()).unwrap_or(0);
            *slot = next;
            given = given.saturating_add(1);
        }
        Ok(given)
    }
}
