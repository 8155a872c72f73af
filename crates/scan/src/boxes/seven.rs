//! 7z (`7zFormat.txt` of the LZMA SDK): streams that hold several files in a row, each packed by a chain of coders.

mod header;

use crate::codec::{self, Codec, Machine, Stream};
use crate::contents::Trait;
use crate::cursor::{Cursor, size};
use crate::holder::{Found, Holder, Step};
use crate::meter::{End, Growth, Meter};
use crate::names;
use bytes::Bytes;
use header::{Coder, File, Folder, Header, Streams};
use lzma_rust2::filter::bcj2::Bcj2Reader;
use mailward_core::limits::{SCAN_7Z_HEADER_MAX, SCAN_READINGS_MAX};
use std::io::{self, ErrorKind};

/// What joins four streams: x86 code, calls, jumps, and which is which.
const BCJ2: &[u8] = &[3, 3, 1, 0x1b];
const AES: &[u8] = &[6, 0xf1, 7, 1];
/// Bytes before what the header's places count from.
const START: usize = 32;

/// None: its header can't be read.
pub(super) fn open(bytes: &Bytes, most: usize, meter: &mut Meter<'_>) -> Option<Box<dyn Holder>> {
    let mut growth = Growth::of(bytes.len());
    let mut start = Cursor::at(bytes, 12);
    let offset = size(start.u64()?).checked_add(START)?;
    let length = size(start.u64()?);
    let mut raw = bytes.slice(offset.min(bytes.len())..offset.checked_add(length)?.min(bytes.len()));
    if raw.len() < length {
        return None;
    }
    // A header may be packed, in theory more than once.
    for _ in 0..SCAN_READINGS_MAX {
        match header::read(&raw, most)? {
            Header::Files(streams, files) => return Some(Box::new(Seven::new(bytes, streams, files, growth))),
            Header::Packed(streams) => {
                let folder = streams.folders.first()?;
                if is_encrypted(folder) {
                    let notes = vec![Trait::Encrypted, Trait::NotOpened("even its names are encrypted".to_owned())];
                    return Some(crate::holder::Listing::boxed(bytes, notes, Vec::new()));
                }
                let mut stream = stream(bytes, &streams, 0).ok()?;
                let said = folder.unpacked().min(u64::try_from(SCAN_7Z_HEADER_MAX).unwrap_or(u64::MAX));
                let unpacked = meter.unpack(&mut *stream, said, &mut growth);
                if unpacked.end != End::Whole {
                    return None;
                }
                raw = Bytes::from(unpacked.bytes);
            }
        }
    }
    None
}

struct Seven {
    bytes: Bytes,
    streams: Streams,
    growth: Growth,
    /// In order.
    files: std::vec::IntoIter<File>,
    /// Which folder is read, how many files are left in it, and its stream or why there is none.
    folder: usize,
    left: usize,
    stream: Result<Stream, Trait>,
    /// Virus scanners may not unpack it.
    seldom: bool,
    /// Which of the archive's sizes is next.
    next_size: usize,
}

impl Seven {
    fn new(bytes: &Bytes, streams: Streams, files: Vec<File>, growth: Growth) -> Self {
        let nothing = Trait::Damaged("a file without its bytes".to_owned());
        Self {
            bytes: bytes.clone(),
            streams,
            growth,
            files: files.into_iter(),
            folder: 0,
            left: 0,
            stream: Err(nothing),
            seldom: false,
            next_size: 0,
        }
    }

    /// Begins the next folder that has files.
    fn advance(&mut self) {
        while self.left == 0 {
            let Some(count) = self.streams.counts.get(self.folder).copied() else {
                self.stream = Err(Trait::Damaged("a file without its bytes".to_owned()));
                self.left = usize::MAX;
                return;
            };
            if count > 0 {
                self.left = count;
                self.seldom = !self.streams.folders.get(self.folder).is_some_and(is_usual);
                self.stream = match self.streams.folders.get(self.folder) {
                    Some(folder) if is_encrypted(folder) => Err(Trait::Encrypted),
                    _ => stream(&self.bytes, &self.streams, self.folder).map_err(|error| codec::as_trait(&error)),
                };
            }
            self.folder = self.folder.saturating_add(1);
        }
        self.left = self.left.saturating_sub(1);
    }

    fn file(&mut self, file: File, meter: &mut Meter<'_>) -> Found {
        let mut all = Vec::new();
        names::add(&mut all, &file.name);
        let mut found = if file.is_empty {
            Found::open(all, Bytes::new())
        } else {
            self.advance();
            let seldom = self.seldom;
            let said = self.streams.sizes.get(self.next_size).copied().unwrap_or(0);
            self.next_size = self.next_size.saturating_add(1);
            match &mut self.stream {
                Err(why) => Found::closed(all, said, why.clone()),
                Ok(stream) => {
                    let unpacked = meter.unpack(&mut **stream, said, &mut self.growth);
                    let mut lost = None;
                    match &unpacked.end {
                        End::Whole => {}
                        // What follows in the stream is reached through the rest of this file.
                        End::Larger => {
                            let rest = said.saturating_sub(unpacked.read);
                            if meter.skip(&mut **stream, rest, &mut self.growth) != End::Whole {
                                lost = Some(Trait::NotOpened("looking ended before its end".to_owned()));
                            }
                        }
                        End::Broken(why) => lost = Some(why.clone()),
                        End::Stopped => lost = Some(Trait::NotOpened("looking ended before its end".to_owned())),
                    }
                    if let Some(why) = lost {
                        self.stream = Err(why);
                    }
                    Found { seldom, ..Found::unpacked(all, Some(said), unpacked) }
                }
            }
        };
        if file.is_link {
            found.traits.push(Trait::Link);
        }
        found
    }
}

impl Holder for Seven {
    fn next(&mut self, meter: &mut Meter<'_>) -> Step {
        match self.files.next() {
            Some(file) => Step::File(self.file(file, meter)),
            None => Step::End,
        }
    }
}

fn is_encrypted(folder: &Folder) -> bool {
    folder.coders.iter().any(|coder| coder.id == AES)
}

/// Packed as 7-Zip does it by itself: by LZMA, programs through a filter for x86.
fn is_usual(folder: &Folder) -> bool {
    let usual = |coder: &Coder| match codec_of(coder) {
        Some(codec) => {
            matches!(codec, Codec::Copy | Codec::Lzma { .. } | Codec::Lzma2(_) | Codec::Branch(Machine::X86))
        }
        None => coder.id == BCJ2,
    };
    folder.coders.iter().all(usual)
}

/// A folder's unpacked stream.
fn stream(bytes: &Bytes, streams: &Streams, index: usize) -> io::Result<Stream> {
    let folder = streams.folders.get(index).ok_or_else(broken)?;
    let top = folder.chain(folder.main_output().ok_or_else(broken)?).ok_or_else(broken)?;
    let lowest = *top.last().ok_or_else(broken)?;
    let coder = folder.coders.get(lowest).ok_or_else(broken)?;
    if coder.id != BCJ2 {
        return through(bytes, streams, folder, &top);
    }
    let mut joined: Vec<Stream> = Vec::new();
    for input in coder.first_input..coder.first_input.saturating_add(4) {
        joined.push(match folder.bound_output(input) {
            Some(output) => through(bytes, streams, folder, &folder.chain(output).ok_or_else(broken)?)?,
            None => packed(bytes, streams, folder, input)?,
        });
    }
    let mut stream: Stream = Box::new(Bcj2Reader::new(joined, folder.size_of(lowest)));
    for coder in top.iter().rev().skip(1) {
        stream = coded(folder, *coder, stream)?;
    }
    Ok(stream)
}

/// A packed stream, through the coders from the last of a chain to its first.
fn through(bytes: &Bytes, streams: &Streams, folder: &Folder, chain: &[usize]) -> io::Result<Stream> {
    let lowest = chain.last().and_then(|coder| folder.coders.get(*coder)).ok_or_else(broken)?;
    let mut stream = packed(bytes, streams, folder, lowest.first_input)?;
    for coder in chain.iter().rev() {
        stream = coded(folder, *coder, stream)?;
    }
    Ok(stream)
}

fn coded(folder: &Folder, index: usize, packed: Stream) -> io::Result<Stream> {
    let coder = folder.coders.get(index).ok_or_else(broken)?;
    let codec =
        codec_of(coder).ok_or_else(|| io::Error::new(ErrorKind::Unsupported, "packed by a method that isn't known"))?;
    codec::over(codec, packed, Some(folder.size_of(index)))
}

/// The bytes that no coder makes.
fn packed(bytes: &Bytes, streams: &Streams, folder: &Folder, input: usize) -> io::Result<Stream> {
    let place = folder.packed.iter().position(|packed| *packed == input).ok_or_else(broken)?;
    let range = streams.packed.get(folder.first_packed.saturating_add(place)).ok_or_else(broken)?;
    let start = range.start.saturating_add(START);
    let end = range.end.saturating_add(START);
    if start > end || end > bytes.len() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Box::new(io::Cursor::new(bytes.slice(start..end))))
}

fn codec_of(coder: &Coder) -> Option<Codec> {
    let props = &coder.properties;
    let first = props.first().copied().unwrap_or(0);
    Some(match coder.id.as_slice() {
        [0] => Codec::Copy,
        [3] => Codec::Delta(usize::from(first).saturating_add(1)),
        [0x21] => Codec::Lzma2(codec::lzma2_window(first)),
        [3, 1, 1] => Codec::Lzma { props: first, window: Cursor::at(props, 1).u32()? },
        [3, 4, 1] => Codec::Ppmd7 { order: u32::from(first), memory: Cursor::at(props, 1).u32()? },
        [4, 1, 8] => Codec::Deflate,
        [4, 1, 9] => Codec::Deflate64,
        [4, 2, 2] => Codec::Bzip2,
        [4, 0xf7, 0x11, 1] => Codec::Zstd,
        [4] | [3, 3, 1, 3] => Codec::Branch(Machine::X86),
        [5] | [3, 3, 2, 5] => Codec::Branch(Machine::PowerPc),
        [6] | [3, 3, 4, 1] => Codec::Branch(Machine::Ia64),
        [7] | [3, 3, 5, 1] => Codec::Branch(Machine::Arm),
        [8] | [3, 3, 7, 1] => Codec::Branch(Machine::ArmThumb),
        [9] | [3, 3, 8, 5] => Codec::Branch(Machine::Sparc),
        [0xa] => Codec::Branch(Machine::Arm64),
        [0xb] => Codec::Branch(Machine::RiscV),
        _ => return None,
    })
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "coders that lead nowhere")
}

/// A number of files or streams, which can't be more than there are bytes to tell of them.
fn count(number: u64, there: usize) -> Option<usize> {
    Some(size(number)).filter(|number| *number <= there)
}
