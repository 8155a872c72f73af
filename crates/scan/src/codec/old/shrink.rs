//! Shrink: LZW with codes of 9 to 13 bits, whose table is cleared of its leaves when it is full.

use super::super::damaged;
use super::{Bits, Stream, Unpack};
use std::io;

/// Codes that there can be.
const CODES: usize = 8_192;
/// What follows this code is an order.
const ORDER: u16 = 256;
/// A code that stands for nothing.
const FREE: u16 = u16::MAX;
/// Most bits of a code.
const WIDEST: u32 = 13;

pub(in super::super) struct Shrink {
    bits: Bits,
    width: u32,
    /// For each code above [`ORDER`]: the code before, and its last byte.
    table: Vec<(u16, u8)>,
    /// Where the last free code was found.
    last: usize,
    previous: Option<u16>,
    first: u8,
    /// Bytes that are unpacked and not yet given, the last one first.
    waiting: Vec<u8>,
}

impl Shrink {
    pub(in super::super) fn new(packed: Stream) -> Self {
        Self {
            bits: Bits::new(packed),
            width: 9,
            table: vec![(FREE, 0); CODES],
            last: usize::from(ORDER),
            previous: None,
            first: 0,
            waiting: Vec::new(),
        }
    }

    /// What stands before a code and its last byte; none if the code is free.
    fn node(&self, code: u16) -> Option<(u16, u8)> {
        self.table.get(usize::from(code)).copied().filter(|(before, _)| *before != FREE)
    }

    /// Frees every code that no other one goes on from.
    fn clear(&mut self) {
        let mut goes_on = vec![false; CODES];
        for (before, _) in &self.table {
            if let Some(place) = goes_on.get_mut(usize::from(*before)) {
                *place = true;
            }
        }
        for (node, goes_on) in self.table.iter_mut().zip(goes_on) {
            if !goes_on {
                node.0 = FREE;
            }
        }
        self.last = usize::from(ORDER);
    }

    /// Unpacks one code; `false` at the end.
    fn step(&mut self) -> io::Result<bool> {
        let Some(code) = self.bits.some(self.width)? else { return Ok(false) };
        if code == ORDER {
            match self.bits.take(self.width)? {
                1 if self.width < WIDEST => self.width = self.width.saturating_add(1),
                2 => self.clear(),
                _ => return Err(damaged("an order that isn't one")),
            }
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
        while at > ORDER {
            if let Some((before, last)) = self.node(at) {
                self.waiting.push(last);
                at = before;
            } else {
                // A code that this very step makes: the one before and its first byte once more.
                self.waiting.push(self.first);
                at = previous;
            }
            // After a clearing codes may go on from each other.
            if self.waiting.len() > CODES {
                return Err(damaged("codes that go in a circle"));
            }
        }
        self.first = u8::try_from(at).unwrap_or(0);
        self.waiting.push(self.first);
        let from = self.last.saturating_add(1);
        let free = self.table.iter().skip(from).position(|(before, _)| *before == FREE);
        if let Some(free) = free.map(|free| free.saturating_add(from))
            && let Some(place) = self.table.get_mut(free)
        {
            *place = (previous, self.first);
            self.last = free;
        } else {
            self.last = CODES;
        }
        self.previous = Some(code);
        Ok(true)
    }
}

impl Unpack for Shrink {
    fn next(&mut self) -> io::Result<Option<u8>> {
        while self.waiting.is_empty() {
            if !self.step()? {
                return Ok(None);
            }
        }
        Ok(self.waiting.pop())
    }
}
