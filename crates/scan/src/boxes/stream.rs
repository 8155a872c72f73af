//! Files that are packed alone.

use crate::codec::Codec;
use crate::cursor::{Cursor, size32};
use crate::holder::{Body, Entry, Holder, Listing};
use crate::names;
use bytes::Bytes;

/// Extensions that packers add, and what is left of them.
pub(super) type Extensions = &'static [(&'static str, &'static str)];

pub(super) const GZIP: Extensions = &[(".tgz", ".tar"), (".svgz", ".svg"), (".gz", ""), (".z", "")];
pub(super) const BZIP2: Extensions = &[(".tbz2", ".tar"), (".tbz", ".tar"), (".bz2", "")];
pub(super) const XZ: Extensions = &[(".txz", ".tar"), (".xz", "")];
pub(super) const LZMA: Extensions = &[(".tlz", ".tar"), (".lzma", "")];
pub(super) const ZSTD: Extensions = &[(".tzst", ".tar"), (".zst", ""), (".zstd", "")];
pub(super) const COMPRESS: Extensions = &[(".taz", ".tar"), (".z", "")];

/// Everything from the first byte on is one stream.
pub(super) fn open(bytes: &Bytes, own: &[String], codec: Codec, extensions: Extensions) -> Box<dyn Holder> {
    let entry = Entry {
        names: names::unpacked(own, extensions),
        body: Body::Packed(0..bytes.len(), codec),
        ..Entry::default()
    };
    Listing::boxed(bytes, Vec::new(), vec![entry])
}

/// gzip may tell the file's name (RFC 1952 §2.3).
pub(super) fn gzip(bytes: &Bytes, own: &[String]) -> Box<dyn Holder> {
    let mut all = gzip_name(bytes).map(|name| names::readings(name, false)).unwrap_or_default();
    for name in names::unpacked(own, GZIP) {
        names::add(&mut all, &name);
    }
    let entry = Entry { names: all, body: Body::Packed(0..bytes.len(), Codec::Gzip), ..Entry::default() };
    Listing::boxed(bytes, Vec::new(), vec![entry])
}

fn gzip_name(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = Cursor::at(bytes, 3);
    let flags = at.u8()?;
    at.skip(6)?;
    if flags & 4 != 0 {
        let extra = at.u16()?;
        at.skip(usize::from(extra))?;
    }
    if flags & 8 == 0 { None } else { at.text() }
}

/// `compress.exe` keeps the last letter of a name whose place it took.
pub(super) fn szdd(bytes: &Bytes, own: &[String]) -> Box<dyn Holder> {
    let mut header = Cursor::at(bytes, 9);
    let letter = header.u8().filter(u8::is_ascii_alphanumeric).map(char::from);
    let size = header.u32().map(size32);
    let mut all = Vec::new();
    for name in own {
        if let (Some(stem), Some(letter)) = (name.strip_suffix('_'), letter) {
            names::add(&mut all, &format!("{stem}{letter}"));
        }
    }
    let entry = Entry {
        names: all,
        size: size.and_then(|size| u64::try_from(size).ok()),
        body: Body::Packed(0..bytes.len(), Codec::Szdd),
        ..Entry::default()
    };
    Listing::boxed(bytes, Vec::new(), vec![entry])
}
