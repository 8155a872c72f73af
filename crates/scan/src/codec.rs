//! Compression methods, each as a stream. None holds more than a window of `limits::SCAN_WINDOW_MAX`.

mod lh;
mod lzw;
mod members;
mod old;
mod szdd;
mod xz;
mod zst;

use crate::contents::Trait;
use crate::cursor::Cursor;
use crate::meter::{End, Growth, Meter, Unpacked};
use bytes::Bytes;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Reader, LzmaReader};
use mailward_core::limits::SCAN_WINDOW_MAX;
use old::Old;
use ppmd_rust::{Ppmd7Decoder, Ppmd8Decoder, RestoreMethod};
use std::io::{self, BufReader, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A stream of unpacked bytes.
pub(crate) type Stream = Box<dyn Read>;

/// How something is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Not at all.
    Copy,
    /// RFC 1951.
    Deflate,
    /// The same with a window of 64 KiB (ZIP method 9).
    Deflate64,
    /// RFC 1950.
    Zlib,
    /// RFC 1952, several members in a row.
    Gzip,
    /// bzip2, several streams in a row.
    Bzip2,
    /// xz, several streams in a row.
    Xz,
    /// `.lzma`: properties, window, length.
    LzmaAlone,
    /// LZMA in a ZIP (method 14), with its own small header.
    LzmaZip,
    /// LZMA by these properties: of a 7z folder.
    Lzma {
        /// lc, lp and pb in one.
        props: u8,
        /// Window, bytes.
        window: u32,
    },
    /// LZMA2 with this window.
    Lzma2(u32),
    /// RFC 8878, several frames in a row.
    Zstd,
    /// PPMd variant I revision 1, in a ZIP (method 98).
    Ppmd8,
    /// PPMd variant H, in a 7z.
    Ppmd7 {
        /// Order of its model.
        order: u32,
        /// Memory of its model, bytes.
        memory: u32,
    },
    /// A difference to the byte so far before.
    Delta(usize),
    /// Addresses of branches in machine code made absolute.
    Branch(Machine),
    /// `compress`.
    Lzw,
    /// LHA's `-lh4-` to `-lh7-`, and ARJ's methods 1 to 3.
    Lh(lh::Variant),
    /// Microsoft's `compress.exe`.
    Szdd,
    /// ZIP's method 1.
    Shrink,
    /// ZIP's methods 2 to 5, with how much they reduce: 1 to 4.
    Reduce(u32),
    /// ZIP's method 6, with its entry's flags.
    Implode(u16),
}

pub(crate) use lh::Variant as LhVariant;
pub(crate) use xz::window as lzma2_window;

/// Whose machine code a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    X86,
    PowerPc,
    Ia64,
    Arm,
    ArmThumb,
    Sparc,
    Arm64,
    RiscV,
}

/// Unpacks one file that is packed by one method. `said` is the length that is told of it, `most` what is read at most.
pub(crate) fn unpack(
    codec: Codec,
    packed: Bytes,
    said: Option<u64>,
    most: u64,
    growth: &mut Growth,
    meter: &mut Meter<'_>,
) -> Unpacked {
    match stream(codec, packed, said) {
        Ok(mut stream) => meter.unpack(&mut *stream, most, growth),
        Err(error) => Unpacked { bytes: Vec::new(), read: 0, end: End::Broken(as_trait(&error)) },
    }
}

/// An error of a decoder, as what is told of its file.
pub(crate) fn as_trait(error: &io::Error) -> Trait {
    let words: String = error.to_string().chars().filter(|c| !c.is_control()).take(120).collect();
    if error.kind() == ErrorKind::Unsupported { Trait::NotOpened(words) } else { Trait::Damaged(words) }
}

/// The stream of a codec over bytes.
pub(crate) fn stream(codec: Codec, packed: Bytes, said: Option<u64>) -> io::Result<Stream> {
    if codec == Codec::Deflate {
        // What is there already needs no buffer between.
        return Ok(Box::new(flate2::bufread::DeflateDecoder::new(io::Cursor::new(packed))));
    }
    over(codec, Box::new(io::Cursor::new(packed)), said)
}

/// The stream of a codec over another one.
pub(crate) fn over(codec: Codec, packed: Stream, said: Option<u64>) -> io::Result<Stream> {
    // Decoders read their headers when they are made; none may take the look with it.
    catch_unwind(AssertUnwindSafe(|| make(codec, packed, said)))
        .unwrap_or_else(|_| Err(io::Error::new(ErrorKind::InvalidData, "its decoder gave up")))
}

fn make(codec: Codec, mut packed: Stream, said: Option<u64>) -> io::Result<Stream> {
    Ok(match codec {
        Codec::Copy => packed,
        Codec::Deflate => Box::new(flate2::read::DeflateDecoder::new(packed)),
        Codec::Deflate64 => Box::new(deflate64::Deflate64Decoder::new(packed)),
        Codec::Zlib => Box::new(flate2::read::ZlibDecoder::new(packed)),
        Codec::Gzip => Box::new(members::Members::<flate2::bufread::GzDecoder<_>>::new(packed)),
        Codec::Bzip2 => Box::new(members::Members::<bzip2::bufread::BzDecoder<_>>::new(packed)),
        Codec::Xz => Box::new(xz::Xz::new(packed)),
        Codec::LzmaAlone => {
            let mut header = [0; 13];
            packed.read_exact(&mut header)?;
            let mut header = Cursor::new(&header);
            let (Some(props), Some(window), Some(size)) = (header.u8(), header.u32(), header.u64()) else {
                return Err(ErrorKind::UnexpectedEof.into());
            };
            lzma(packed, size, props, window)?
        }
        Codec::LzmaZip => {
            let mut header = [0; 9];
            packed.read_exact(&mut header)?;
            // Version of the LZMA library, length of the properties, the properties (APPNOTE.TXT, 5.8.8).
            let mut header = Cursor::at(&header, 4);
            let (Some(props), Some(window)) = (header.u8(), header.u32()) else {
                return Err(ErrorKind::UnexpectedEof.into());
            };
            lzma(packed, said.unwrap_or(u64::MAX), props, window)?
        }
        Codec::Lzma { props, window } => lzma(packed, said.unwrap_or(u64::MAX), props, window)?,
        Codec::Lzma2(window) => lzma2(Box::new(BufReader::new(packed)), said, window),
        Codec::Zstd => Box::new(zst::Zstd::new(packed)),
        Codec::Ppmd8 => {
            let mut header = [0; 2];
            packed.read_exact(&mut header)?;
            let header = u32::from(u16::from_le_bytes(header));
            // Order, memory in MiB, how the model is restored: 4, 8 and 4 bits (APPNOTE.TXT, 5.10.2).
            let order = (header & 15).saturating_add(1);
            let memory = (header >> 4 & 255).saturating_add(1).saturating_mul(1 << 20);
            within(memory)?;
            let restore = if header >> 12 == 0 { RestoreMethod::Restart } else { RestoreMethod::CutOff };
            let model = Ppmd8Decoder::new(BufReader::new(packed), order, memory, restore).map_err(broken)?;
            Box::new(model.take(said.unwrap_or(u64::MAX)))
        }
        Codec::Ppmd7 { order, memory } => {
            within(memory)?;
            let model = Ppmd7Decoder::new(BufReader::new(packed), order, memory).map_err(broken)?;
            Box::new(model.take(said.unwrap_or(u64::MAX)))
        }
        Codec::Delta(distance) => Box::new(DeltaReader::new(packed, distance.clamp(1, 256))),
        Codec::Branch(machine) => Box::new(match machine {
            Machine::X86 => BcjReader::new_x86(packed, 0),
            Machine::PowerPc => BcjReader::new_ppc(packed, 0),
            Machine::Ia64 => BcjReader::new_ia64(packed, 0),
            Machine::Arm => BcjReader::new_arm(packed, 0),
            Machine::ArmThumb => BcjReader::new_arm_thumb(packed, 0),
            Machine::Sparc => BcjReader::new_sparc(packed, 0),
            Machine::Arm64 => BcjReader::new_arm64(packed, 0),
            Machine::RiscV => BcjReader::new_riscv(packed, 0),
        }),
        Codec::Lzw => Box::new(lzw::Lzw::new(packed)?),
        Codec::Lh(variant) => Box::new(lh::Lh::new(packed, variant).take(said.unwrap_or(u64::MAX))),
        Codec::Szdd => Box::new(szdd::Szdd::new(packed)?),
        // None of them says where it ends.
        Codec::Shrink => Box::new(Old::new(old::Shrink::new(packed)).take(said.unwrap_or(u64::MAX))),
        Codec::Reduce(factor) => Box::new(Old::new(old::Reduce::new(packed, factor)?).take(said.unwrap_or(u64::MAX))),
        Codec::Implode(flags) => Box::new(Old::new(old::Implode::new(packed, flags)?).take(said.unwrap_or(u64::MAX))),
    })
}

fn lzma(packed: Stream, size: u64, props: u8, window: u32) -> io::Result<Stream> {
    let (window, is_narrow) = narrowed(window, Some(size));
    let stream = LzmaReader::new_with_props(BufReader::new(packed), size, props, window, None)?;
    Ok(if is_narrow { Box::new(Narrow(stream)) } else { Box::new(stream) })
}

/// LZMA2 over what isn't read further than its own end.
fn lzma2(packed: Stream, size: Option<u64>, window: u32) -> Stream {
    let (window, is_narrow) = narrowed(window, size);
    let stream = Lzma2Reader::new(packed, window, None);
    if is_narrow { Box::new(Narrow(stream)) } else { Box::new(stream) }
}

/// The window that is held, and whether it is too small for what it is told to be. Packers tell the window that they would
/// have had; no more than the file's own size is needed, and a smaller one does as long as nothing lies further back.
fn narrowed(window: u32, size: Option<u64>) -> (u32, bool) {
    let needed = size.and_then(|size| u32::try_from(size).ok()).unwrap_or(u32::MAX).min(window);
    (needed.clamp(4_096, SCAN_WINDOW_MAX), needed > SCAN_WINDOW_MAX)
}

/// A stream with a smaller window than it asks for: where it fails, that may be why.
struct Narrow<R>(R);

impl<R: Read> Read for Narrow<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to).map_err(|_| unsupported())
    }
}

/// Refuses a window that is larger than any honest one.
fn within(window: u32) -> io::Result<()> {
    if window <= SCAN_WINDOW_MAX { Ok(()) } else { Err(unsupported()) }
}

fn unsupported() -> io::Error {
    io::Error::new(ErrorKind::Unsupported, "unpacking it takes more memory than there is for it")
}

fn broken(error: ppmd_rust::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error.to_string())
}

/// An error that says what is wrong with a file.
fn damaged(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// One byte, or none at the end.
fn byte(from: &mut dyn Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match from.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(byte.first().copied()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
