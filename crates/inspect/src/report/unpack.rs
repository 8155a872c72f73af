//! What a report came packed in: gzip, a zip archive of one file, or nothing.

use flate2::{Decompress, FlushDecompress, Status};
use mailward_core::limits::{DMARC_PACKED_MAX, DMARC_XML_MAX};

/// Unpacks a report by its first bytes, whatever it is called. None if it is none of the three, broken, or beyond
/// `limits::DMARC_PACKED_MAX` or `limits::DMARC_XML_MAX` (attacks D9).
#[must_use]
pub fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > DMARC_PACKED_MAX {
        return None;
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return inflate(bytes.get(gzip_header(bytes)?..)?);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return zip(bytes);
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    text.starts_with(b"<").then(|| text.to_vec())
}

/// How long it is (RFC 1952 §2.3).
fn gzip_header(bytes: &[u8]) -> Option<usize> {
    let (method, flags) = (*bytes.get(2)?, *bytes.get(3)?);
    if method != 8 {
        return None;
    }
    let mut at = 10_usize;
    if flags & 4 != 0 {
        at = at.checked_add(2)?.checked_add(usize::from(number(bytes, at)?))?;
    }
    // Name and comment end with a NUL.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let rest = bytes.get(at..)?;
            at = at.checked_add(memchr::memchr(0, rest)?)?.checked_add(1)?;
        }
    }
    if flags & 2 != 0 {
        at = at.checked_add(2)?;
    }
    Some(at)
}

/// The first file of an archive (APPNOTE.TXT §4.3.7), stored or deflated: reports have one.
fn zip(bytes: &[u8]) -> Option<Vec<u8>> {
    let (flags, method) = (number(bytes, 6)?, number(bytes, 8)?);
    let names = usize::from(number(bytes, 26)?).checked_add(usize::from(number(bytes, 28)?))?;
    let content = bytes.get(30_usize.checked_add(names)?..)?;
    // Bit 0: encrypted.
    if flags & 1 != 0 {
        return None;
    }
    match method {
        // Bit 3: its size stands behind it.
        0 if flags & 8 == 0 => {
            let size = u32::from_le_bytes(bytes.get(18..22)?.try_into().ok()?);
            content.get(..usize::try_from(size).ok()?).map(<[u8]>::to_vec)
        }
        8 => inflate(content),
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let end = at.checked_add(2)?;
    Some(u16::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// Bytes that are unpacked in one step.
const STEP: usize = 64 * 1024;

fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let mut inflater = Decompress::new(false);
    let mut out: Vec<u8> = Vec::new();
    loop {
        let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
        let rest = packed.get(usize::try_from(before_in).ok()?..)?;
        out.reserve_exact(STEP);
        let status = inflater.decompress_vec(rest, &mut out, FlushDecompress::None).ok()?;
        if out.len() > DMARC_XML_MAX {
            return None;
        }
        match status {
            Status::StreamEnd => return Some(out),
            // Cut off.
            _ if (inflater.total_in(), inflater.total_out()) == (before_in, before_out) => return None,
            Status::Ok | Status::BufError => {}
        }
    }
}
