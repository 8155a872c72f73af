//! Reduce: what probably follows each byte, over copies of what came before.

use super::{Bits, Stream, Unpack, Window};
use std::io;

/// The byte that a copy is told after.
const SIGN: u8 = 144;
/// Furthest that a copy goes back: the strongest factor has four bits and a byte.
const WINDOW: usize = 4_096;

pub(in super::super) struct Reduce {
    bits: Bits,
    /// For each byte, those that mostly follow it.
    followers: Vec<Vec<u8>>,
    last: u8,
    /// Bits of the length in the byte that tells of a copy.
    length_bits: u32,
    window: Window,
}

impl Reduce {
    /// `factor` is 1 to 4. Reads the followers.
    pub(in super::super) fn new(packed: Stream, factor: u32) -> io::Result<Self> {
        let mut bits = Bits::new(packed);
        let mut followers = vec![Vec::new(); 256];
        for of in followers.iter_mut().rev() {
            for _ in 0..bits.take(6)? {
                of.push(bits.byte()?);
            }
        }
        let length_bits = 8_u32.saturating_sub(factor.clamp(1, 4));
        Ok(Self { bits, followers, last: 0, length_bits, window: Window::new(WINDOW) })
    }

    /// A byte before copies are made of it.
    fn inner(&mut self) -> io::Result<u8> {
        let followers = self.followers.get(usize::from(self.last)).map(Vec::as_slice).unwrap_or_default();
        let last = if followers.is_empty() || self.bits.take(1)? == 1 {
            self.bits.byte()?
        } else {
            // As many bits as the greatest number needs, one at least.
            let greatest = followers.len().saturating_sub(1);
            let width = usize::BITS.saturating_sub(greatest.leading_zeros()).max(1);
            let index = usize::from(self.bits.take(width)?);
            followers.get(index).copied().unwrap_or(0)
        };
        self.last = last;
        Ok(last)
    }
}

impl Unpack for Reduce {
    fn next(&mut self) -> io::Result<Option<u8>> {
        if let Some(next) = self.window.copied() {
            return Ok(Some(next));
        }
        let next = self.inner()?;
        if next != SIGN {
            return Ok(Some(self.window.put(next)));
        }
        let told = self.inner()?;
        if told == 0 {
            return Ok(Some(self.window.put(SIGN)));
        }
        let most = 1_usize.wrapping_shl(self.length_bits).wrapping_sub(1);
        let mut length = usize::from(told) & most;
        if length == most {
            length = length.saturating_add(usize::from(self.inner()?));
        }
        let high = usize::from(told).wrapping_shr(self.length_bits);
        let distance = high.saturating_mul(256).saturating_add(usize::from(self.inner()?)).saturating_add(1);
        self.window.copy(distance, length.saturating_add(3));
        Ok(self.window.copied())
    }
}
