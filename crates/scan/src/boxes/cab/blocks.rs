//! A folder's blocks, unpacked one after the other (MS-CAB 2.5, 3.1; MS-MCI).

use crate::cursor::Cursor;
use bytes::Bytes;
use lzxd::{Lzxd, WindowSize};
use std::io::{self, ErrorKind, Read};

/// What one block can become, and how far back MSZIP reaches.
const BLOCK_MAX: usize = 32_768;

/// How a folder is packed.
#[derive(Clone, Copy)]
pub(super) enum Method {
    Stored,
    MsZip,
    Lzx(WindowSize),
}

impl Method {
    /// LZX by the power of two that its window is.
    pub(super) fn lzx(power: u16) -> Result<Self, &'static str> {
        Ok(Self::Lzx(match power {
            15 => WindowSize::KB32,
            16 => WindowSize::KB64,
            17 => WindowSize::KB128,
            18 => WindowSize::KB256,
            19 => WindowSize::KB512,
            20 => WindowSize::MB1,
            21 => WindowSize::MB2,
            _ => return Err("a window that isn't one"),
        }))
    }
}

enum Decoder {
    Stored,
    /// What came out of the block before.
    MsZip(Vec<u8>),
    Lzx(Box<Lzxd>),
}

/// A folder as a stream.
pub(super) struct Blocks {
    bytes: Bytes,
    at: usize,
    left: u16,
    reserve: usize,
    decoder: Decoder,
    /// The block that was unpacked, and how much of it was given.
    block: Vec<u8>,
    given: usize,
}

impl Blocks {
    pub(super) fn new(bytes: Bytes, start: usize, blocks: u16, reserve: usize, method: Method) -> Self {
        let decoder = match method {
            Method::Stored => Decoder::Stored,
            Method::MsZip => Decoder::MsZip(Vec::new()),
            Method::Lzx(window) => Decoder::Lzx(Box::new(Lzxd::new(window))),
        };
        Self { bytes, at: start, left: blocks, reserve, decoder, block: Vec::new(), given: 0 }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let mut at = Cursor::at(&self.bytes, self.at);
        let end = || io::Error::from(ErrorKind::UnexpectedEof);
        at.skip(4).ok_or_else(end)?;
        let packed = usize::from(at.u16().ok_or_else(end)?);
        let unpacked = usize::from(at.u16().ok_or_else(end)?);
        at.skip(self.reserve).ok_or_else(end)?;
        let content = at.take(packed).ok_or_else(end)?;
        self.block = match &mut self.decoder {
            Decoder::Stored => content.to_vec(),
            Decoder::MsZip(before) => {
                let block = mszip(content, before)?;
                before.clone_from(&block);
                block
            }
            Decoder::Lzx(decoder) => decoder
                .decompress_next(content, unpacked.min(BLOCK_MAX))
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?
                .to_vec(),
        };
        self.given = 0;
        self.at = at.position();
        self.left = self.left.saturating_sub(1);
        Ok(())
    }
}

impl Read for Blocks {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.block.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.next_block()?;
        }
        let mut rest = self.block.get(self.given..).unwrap_or_default();
        let read = rest.read(to)?;
        self.given = self.given.saturating_add(read);
        Ok(read)
    }
}

/// One block: its sign, then deflate that reaches back into the block before. That one is put before it, stored, and what
/// comes of it dropped.
fn mszip(content: &[u8], before: &[u8]) -> io::Result<Vec<u8>> {
    let packed = content
        .strip_prefix(b"CK")
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a block without its sign"))?;
    let before = before.get(before.len().saturating_sub(BLOCK_MAX)..).unwrap_or_default();
    let length = u16::try_from(before.len()).unwrap_or(0);
    let [low, high] = length.to_le_bytes();
    let head = [0, low, high, !low, !high];
    let stream = head.as_slice().chain(before).chain(packed);
    let mut whole = Vec::with_capacity(BLOCK_MAX.saturating_mul(2));
    let most = u64::try_from(BLOCK_MAX.saturating_add(before.len())).unwrap_or(u64::MAX);
    flate2::read::DeflateDecoder::new(stream).take(most).read_to_end(&mut whole)?;
    Ok(whole.split_off(before.len().min(whole.len())))
}
