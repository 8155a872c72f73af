//! Walking a pack without the database.

use super::{HEADER_LEN, Header, PackKey};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Something that has a pack's bytes.
pub trait Source {
    /// Length in bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn length(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// The operating system's; `UnexpectedEof` past the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Source for &File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl Source for &[u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = self.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// One thing found in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole record whose content has its hash.
    Record {
        /// Where its header begins.
        offset: u64,
        /// Its header.
        header: Header,
    },
    /// A header whose content has not its hash, or ends past the file.
    Damaged {
        /// Where its header begins.
        offset: u64,
        /// Its header.
        header: Header,
    },
    /// No header here: the end, if zeros follow; else junk that was skipped to the next header, or to the end.
    Junk {
        /// Where it begins.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

/// Iterates over what a pack holds from an offset on. Memory: one record's content in pieces of 64 KiB.
pub struct Scan<S> {
    source: S,
    key: PackKey,
    offset: u64,
    length: Option<u64>,
    failed: bool,
}

impl<S: Source> Scan<S> {
    /// From `offset` on, which must be a record's beginning.
    pub fn new(source: S, offset: u64, key: PackKey) -> Self {
        Self { source, key, offset, length: None, failed: false }
    }

    fn step(&mut self) -> io::Result<Option<Found>> {
        let length = match self.length {
            Some(length) => length,
            None => *self.length.insert(self.source.length()?),
        };
        if self.offset >= length {
            return Ok(None);
        }
        let offset = self.offset;
        let Some(header) = self.header_at(offset, length)? else {
            let next = self.next_header(offset, length)?;
            self.offset = next;
            return Ok(Some(Found::Junk { offset, length: next.saturating_sub(offset) }));
        };
        let start = offset.saturating_add(HEADER_LEN);
        let end = start.checked_add(header.length).filter(|end| *end <= length);
        if let Some(end) = end
            && self.hash(start, end)? == header.hash
        {
            self.offset = end;
            return Ok(Some(Found::Record { offset, header }));
        }
        // The length can't be trusted: look for the next header after this one.
        self.offset = self.next_header(start, length)?;
        Ok(Some(Found::Damaged { offset, header }))
    }

    fn header_at(&self, offset: u64, length: u64) -> io::Result<Option<Header>> {
        if length.saturating_sub(offset) < HEADER_LEN {
            return Ok(None);
        }
        let mut bytes = [0u8; 64];
        self.source.read_at(&mut bytes, offset)?;
        Ok(Header::decode(&bytes, &self.key))
    }

    fn next_header(&self, from: u64, length: u64) -> io::Result<u64> {
        const PIECE: u64 = 64 * 1024;
        let mut at = from;
        while at < length {
            let size = PIECE.min(length.saturating_sub(at));
            let mut piece = vec![0u8; usize::try_from(size).unwrap_or(0)];
            self.source.read_at(&mut piece, at)?;
            let mut candidate = 0u64;
            for window in piece.windows(super::MAGIC.len()) {
                if window == super::MAGIC {
                    let place = at.saturating_add(candidate);
                    if place >= from && self.header_at(place, length)?.is_some() {
                        return Ok(place);
                    }
                }
                candidate = candidate.saturating_add(1);
            }
            // Pieces overlap so that a magic across their border is seen.
            at = if size == PIECE { at.saturating_add(PIECE.saturating_sub(3)) } else { length };
        }
        Ok(length)
    }

    fn hash(&self, start: u64, end: u64) -> io::Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0u8; 64 * 1024];
        let mut at = start;
        while at < end {
            let size = end.saturating_sub(at).min(piece.len() as u64);
            let Some(part) = usize::try_from(size).ok().and_then(|s| piece.get_mut(..s)) else { break };
            self.source.read_at(part, at)?;
            hasher.update(part);
            at = at.saturating_add(size);
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

impl<S: Source> Iterator for Scan<S> {
    type Item = io::Result<Found>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let found = self.step();
        self.failed = found.is_err();
        found.transpose()
    }
}
