//! What a look may cost, and what it has cost.

use crate::contents::{Stopped, Trait};
use crate::cursor::length;
use mailward_core::limits::{
    SCAN_BYTES_MAX, SCAN_CHUNK, SCAN_DEPTH_MAX, SCAN_FILE_MAX, SCAN_HELD_MAX, SCAN_ITEMS_MAX, SCAN_RATIO_FREE,
    SCAN_RATIO_MAX, SCAN_TIME,
};
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What one look may cost. Whatever runs out ends it, and is told.
#[derive(Clone, Copy)]
pub struct Budget<'c> {
    /// Depth of wrappings that are opened.
    pub depth: usize,
    /// Files, entries of containers included.
    pub items: usize,
    /// Bytes that are unwrapped, all files together.
    pub bytes: u64,
    /// Bytes of one file that is unpacked from a container.
    pub file: usize,
    /// Bytes of containers that are held at once.
    pub held: u64,
    /// By how much a container may grow.
    pub ratio: u64,
    /// Bytes that come out of a container before its ratio counts.
    pub ratio_free: u64,
    /// Time by `elapsed`.
    pub time: Duration,
    /// Time since the look began; the processor's, if there is such a clock. Asked for each file and for each piece of one.
    pub elapsed: &'c dyn Fn() -> Duration,
}

impl<'c> Budget<'c> {
    /// What `core::limits` allow (`SCAN_…`).
    #[must_use]
    pub fn within_limits(elapsed: &'c dyn Fn() -> Duration) -> Self {
        Self {
            depth: SCAN_DEPTH_MAX,
            items: SCAN_ITEMS_MAX,
            bytes: SCAN_BYTES_MAX,
            file: SCAN_FILE_MAX,
            held: SCAN_HELD_MAX,
            ratio: SCAN_RATIO_MAX,
            ratio_free: SCAN_RATIO_FREE,
            time: SCAN_TIME,
            elapsed,
        }
    }
}

/// What is left of a budget.
pub(crate) struct Meter<'c> {
    budget: Budget<'c>,
    /// Files that may still be looked at.
    items: usize,
    /// Bytes that may still be unwrapped.
    bytes: u64,
    /// Bytes of containers that are held now.
    held: u64,
    /// Why the look isn't whole, each once.
    pub(crate) stopped: Vec<Stopped>,
    /// Whether all of it is over.
    over: bool,
    chunk: Vec<u8>,
}

/// How much went into a container and came out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    packed: u64,
    unpacked: u64,
}

impl Growth {
    pub(crate) fn of(packed: usize) -> Self {
        Self { packed: u64::try_from(packed).unwrap_or(u64::MAX).max(1), unpacked: 0 }
    }
}

/// What came of unpacking a file.
pub(crate) struct Unpacked {
    /// Its bytes, or the beginning of them.
    pub(crate) bytes: Vec<u8>,
    /// Bytes that were read of it, kept or not.
    pub(crate) read: u64,
    pub(crate) end: End,
}

/// Where unpacking ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the file's end.
    Whole,
    /// At the limit of one file.
    Larger,
    /// At something that can't be read.
    Broken(Trait),
    /// With the budget: of this container, or all of it.
    Stopped,
}

impl<'c> Meter<'c> {
    pub(crate) fn new(budget: Budget<'c>) -> Self {
        Self {
            budget,
            items: budget.items,
            bytes: budget.bytes,
            held: 0,
            stopped: Vec::new(),
            over: false,
            chunk: Vec::new(),
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.budget.depth
    }

    /// Files that may still be looked at.
    pub(crate) fn items_left(&self) -> usize {
        self.items
    }

    /// Bytes that may still be unwrapped.
    pub(crate) fn bytes_left(&self) -> u64 {
        self.bytes
    }

    /// Bytes that may be unwrapped and held at once.
    pub(crate) fn room(&self) -> u64 {
        self.bytes.min(self.budget.held.saturating_sub(self.held))
    }

    /// Whether the look is over before its end.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Notes why something isn't looked at.
    pub(crate) fn note(&mut self, why: Stopped) {
        if !self.stopped.contains(&why) {
            self.stopped.push(why);
        }
    }

    /// Ends the look.
    fn end(&mut self, why: Stopped) {
        self.note(why);
        self.over = true;
    }

    /// Takes one file; `false`: there is none left, or no time.
    pub(crate) fn take_item(&mut self) -> bool {
        if !self.in_time() {
            return false;
        }
        match self.items.checked_sub(1) {
            Some(left) => self.items = left,
            None => self.end(Stopped::Items),
        }
        !self.over
    }

    /// Takes bytes that lie unwrapped already.
    pub(crate) fn take_bytes(&mut self, bytes: u64) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(left) => self.bytes = left,
            None => self.end(Stopped::Bytes),
        }
        !self.over
    }

    /// Whether there is time left.
    pub(crate) fn in_time(&mut self) -> bool {
        if !self.over && (self.budget.elapsed)() >= self.budget.time {
            self.end(Stopped::Time);
        }
        !self.over
    }

    /// Holds a container; `false`: too much is held already.
    pub(crate) fn hold(&mut self, bytes: u64) -> bool {
        let held = self.held.saturating_add(bytes);
        if self.held > 0 && held > self.budget.held {
            self.note(Stopped::Bytes);
            return false;
        }
        self.held = held;
        true
    }

    /// Lets go of what was held.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// A file whose bytes were unpacked before, as if it were unpacked now; none: only unpacking it tells what there is to say.
    pub(crate) fn unpacked_before(&mut self, bytes: Vec<u8>, growth: &mut Growth) -> Option<Unpacked> {
        let read = length(&bytes);
        let grown = growth.unpacked.saturating_add(read);
        let fits = bytes.len() <= self.budget.file && read <= self.bytes && grown <= self.budget.ratio_free;
        if !fits || !self.in_time() {
            return None;
        }
        growth.unpacked = grown;
        self.take_bytes(read);
        Some(Unpacked { bytes, read, end: End::Whole })
    }

    /// Unpacks a file, at most `most` bytes of it (and the limit of one file).
    pub(crate) fn unpack(&mut self, from: &mut dyn Read, most: u64, growth: &mut Growth) -> Unpacked {
        let mut bytes = Vec::new();
        let before = growth.unpacked;
        let end = self.pump(from, most, growth, Some(&mut bytes));
        Unpacked { bytes, read: growth.unpacked.saturating_sub(before), end }
    }

    /// Steps over so many bytes of a stream whose files can't be reached otherwise.
    pub(crate) fn skip(&mut self, from: &mut dyn Read, bytes: u64, growth: &mut Growth) -> End {
        self.pump(from, bytes, growth, None)
    }

    fn pump(&mut self, from: &mut dyn Read, most: u64, growth: &mut Growth, mut to: Option<&mut Vec<u8>>) -> End {
        self.chunk.resize(SCAN_CHUNK, 0);
        let mut left = most;
        loop {
            if !self.in_time() {
                return End::Stopped;
            }
            if growth.unpacked > self.budget.ratio_free
                && growth.unpacked >= growth.packed.saturating_mul(self.budget.ratio)
            {
                self.note(Stopped::Ratio);
                return End::Stopped;
            }
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(SCAN_CHUNK);
            if want == 0 {
                return End::Whole;
            }
            let Some(room) = self.chunk.get_mut(..want) else { return End::Stopped };
            // A decoder that panics has met bytes that it wasn't made for: the file is damaged, the look goes on.
            let read = match catch_unwind(AssertUnwindSafe(|| from.read(room))) {
                Ok(Ok(0)) => return End::Whole,
                Ok(Ok(read)) => read.min(want),
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(Err(error)) if error.kind() == ErrorKind::Unsupported => {
                    return End::Broken(Trait::NotOpened(cut(&error.to_string())));
                }
                Ok(Err(error)) => return End::Broken(Trait::Damaged(cut(&error.to_string()))),
                Err(_) => return End::Broken(Trait::Damaged("its decoder gave up".to_owned())),
            };
            let length = u64::try_from(read).unwrap_or(u64::MAX);
            left = left.saturating_sub(length);
            growth.unpacked = growth.unpacked.saturating_add(length);
            if !self.take_bytes(length) {
                return End::Stopped;
            }
            if let Some(to) = to.as_deref_mut() {
                let room = self.budget.file.saturating_sub(to.len());
                to.extend_from_slice(self.chunk.get(..read.min(room)).unwrap_or_default());
                if read > room {
                    return End::Larger;
                }
            }
        }
    }
}

/// A decoder's words, cut.
fn cut(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(120).collect()
}
