//! Streams of one kind in a row, which programs take for one: gzip's members (RFC 1952 §2.2), bzip2's streams.

use super::{Stream, damaged};
use std::io::{self, BufRead, BufReader, Read};

/// What is packed.
pub(super) type Packed = BufReader<Stream>;

/// Streams in a row that hold nothing: more than any program writes. Each costs a decoder.
pub(super) const EMPTY_MAX: usize = 64;

/// A decoder of one stream.
pub(super) trait Member: Read {
    /// What the first byte of each is.
    const FIRST: u8;
    fn begin(packed: Packed) -> Self;
    fn end(self) -> Packed;
}

impl Member for flate2::bufread::GzDecoder<Packed> {
    const FIRST: u8 = 0x1f;
    fn begin(packed: Packed) -> Self {
        Self::new(packed)
    }
    fn end(self) -> Packed {
        self.into_inner()
    }
}

impl Member for bzip2::bufread::BzDecoder<Packed> {
    const FIRST: u8 = b'B';
    fn begin(packed: Packed) -> Self {
        Self::new(packed)
    }
    fn end(self) -> Packed {
        self.into_inner()
    }
}

pub(super) struct Members<M> {
    member: Option<M>,
    /// Whether the one that is read has given something.
    given: bool,
    empty: usize,
}

impl<M: Member> Members<M> {
    pub(super) fn new(packed: Stream) -> Self {
        Self { member: Some(M::begin(BufReader::new(packed))), given: false, empty: 0 }
    }
}

impl<M: Member> Read for Members<M> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        while let Some(mut member) = self.member.take() {
            let read = member.read(to)?;
            if read > 0 {
                self.given = true;
                self.member = Some(member);
                return Ok(read);
            }
            self.empty = if self.given { 0 } else { self.empty.saturating_add(1) };
            if self.empty > EMPTY_MAX {
                return Err(damaged("more streams without contents than anybody writes"));
            }
            let mut packed = member.end();
            match packed.fill_buf()?.first() {
                // Padding, as tapes have it.
                None | Some(0) => return Ok(0),
                Some(first) if *first == M::FIRST => {}
                Some(_) => return Err(damaged("bytes after its end")),
            }
            self.given = false;
            self.member = Some(M::begin(packed));
        }
        Ok(0)
    }
}
