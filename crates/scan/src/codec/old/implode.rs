//! Implode: copies of what came before, told by Shannon-Fano codes.

use super::super::damaged;
use super::{Bits, Stream, Unpack, Window};
use std::io;

/// Longest code, bits.
const BITS: u8 = 16;

pub(in super::super) struct Implode {
    bits: Bits,
    /// Codes of bytes that aren't copied; none if they stand there as they are.
    literals: Option<Codes>,
    lengths: Codes,
    distances: Codes,
    /// Bits of a distance that stand there as they are.
    low: u32,
    window: Window,
}

/// A set of codes: length, code and what it stands for, in order.
struct Codes(Vec<(u8, u16, u8)>);

impl Codes {
    /// Reads as many codes as there are symbols.
    fn read(bits: &mut Bits, symbols: usize) -> io::Result<Self> {
        let mut lengths: Vec<u8> = Vec::with_capacity(symbols);
        for _ in 0..=bits.byte()? {
            let run = bits.byte()?;
            lengths.extend(std::iter::repeat_n((run & 15).saturating_add(1), usize::from(run >> 4).saturating_add(1)));
        }
        if lengths.len() != symbols {
            return Err(damaged("codes for other symbols"));
        }
        let mut codes: Vec<(u8, u16, u8)> = lengths.into_iter().zip(0_u8..=u8::MAX).map(|(l, of)| (l, 0, of)).collect();
        codes.sort_unstable();
        // From the longest on, in sixteen bits each (APPNOTE.TXT, 5.3.7).
        let (mut code, mut step, mut before) = (0_u16, 0_u16, 0_u8);
        for (length, place, _) in codes.iter_mut().rev() {
            code = code.wrapping_add(step);
            if *length != before {
                before = *length;
                step = 1_u16.wrapping_shl(u32::from(BITS.saturating_sub(*length)));
            }
            *place = code.wrapping_shr(u32::from(BITS.saturating_sub(*length)));
        }
        codes.sort_unstable();
        Ok(Self(codes))
    }

    fn symbol(&self, bits: &mut Bits) -> io::Result<u8> {
        let mut code = 0_u16;
        for length in 1..=BITS {
            code = code.wrapping_shl(1) | bits.take(1)?;
            let found = self.0.binary_search_by_key(&(length, code), |(length, code, _)| (*length, *code));
            if let Some((_, _, symbol)) = found.ok().and_then(|at| self.0.get(at)) {
                return Ok(*symbol);
            }
        }
        Err(damaged("a code that isn't one"))
    }
}

impl Implode {
    /// `flags` are the entry's: bit 1 for a window of 8 KiB, bit 2 for codes of bytes. Reads the codes.
    pub(in super::super) fn new(packed: Stream, flags: u16) -> io::Result<Self> {
        let mut bits = Bits::new(packed);
        let literals = if flags & 4 == 0 { None } else { Some(Codes::read(&mut bits, 256)?) };
        let lengths = Codes::read(&mut bits, 64)?;
        let distances = Codes::read(&mut bits, 64)?;
        let low = if flags & 2 == 0 { 6 } else { 7 };
        Ok(Self { bits, literals, lengths, distances, low, window: Window::new(64 << low) })
    }
}

impl Unpack for Implode {
    fn next(&mut self) -> io::Result<Option<u8>> {
        if let Some(next) = self.window.copied() {
            return Ok(Some(next));
        }
        if self.bits.take(1)? == 1 {
            let next = match &self.literals {
                Some(codes) => codes.symbol(&mut self.bits)?,
                None => self.bits.byte()?,
            };
            return Ok(Some(self.window.put(next)));
        }
        let low = usize::from(self.bits.take(self.low)?);
        let high = usize::from(self.distances.symbol(&mut self.bits)?);
        let mut length = usize::from(self.lengths.symbol(&mut self.bits)?);
        if length == 63 {
            length = length.saturating_add(usize::from(self.bits.byte()?));
        }
        let least = if self.literals.is_some() { 3 } else { 2 };
        self.window.copy((high.wrapping_shl(self.low) | low).saturating_add(1), length.saturating_add(least));
        Ok(self.window.copied())
    }
}
