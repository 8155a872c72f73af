//! PKCS #7 (RFC 5652): the content of what is signed and holds it; that something is encrypted.

use crate::holder::{Body, Entry, Holder, Listing};
use bytes::Bytes;
use mailward_core::limits::SCAN_DER_DEPTH_MAX;

/// What it is.
pub(super) enum Signed {
    /// Signed or packed, with what is signed in it.
    Content(Box<dyn Holder>),
    /// For somebody's key.
    Encrypted,
    /// In more levels than are looked at.
    Deep,
    /// A signature of something else, or nothing that can be read.
    Nothing,
}

/// id-signedData, id-envelopedData, id-encryptedData, id-authEnvelopedData, id-compressedData, without their tags.
const SIGNED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const ENVELOPED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
const ENCRYPTED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06";
const AUTH_ENVELOPED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";
const COMPRESSED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";

/// What is signed is a part of a message with its header (RFC 8551 §3.1).
const ENTITY: &str = "message/rfc822";

const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const CONSTRUCTED_OCTETS: u8 = 0x24;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT_0: u8 = 0xa0;

/// Opens it as far as it goes without a key. Total.
pub(super) fn open(bytes: &Bytes) -> Signed {
    let Some((mut content_info, _)) = tlv(bytes) else { return Signed::Nothing };
    let Some(kind) = child(&mut content_info, OID) else { return Signed::Nothing };
    match kind.content {
        ENVELOPED | ENCRYPTED | AUTH_ENVELOPED => return Signed::Encrypted,
        SIGNED | COMPRESSED => {}
        _ => return Signed::Nothing,
    }
    let is_packed = kind.content == COMPRESSED;
    let octets = match encapsulated(&mut content_info).map(octets) {
        Some(Some(octets)) if !octets.is_empty() => octets,
        Some(None) => return Signed::Deep,
        _ => return Signed::Nothing,
    };
    if is_packed {
        // RFC 3274: zlib, put together and then unpacked as a file alone.
        let bytes = Bytes::from(octets);
        let body = Body::Packed(0..bytes.len(), crate::codec::Codec::Zlib);
        return Signed::Content(Listing::boxed(
            &bytes,
            Vec::new(),
            vec![Entry { declared: ENTITY.to_owned(), body, ..Entry::default() }],
        ));
    }
    let entry = Entry { declared: ENTITY.to_owned(), body: Body::Made(octets), ..Entry::default() };
    Signed::Content(Listing::boxed(bytes, Vec::new(), vec![entry]))
}

/// ContentInfo → `[0]` → SEQUENCE → (version, algorithms, EncapsulatedContentInfo) → `[0]` → OCTET STRING.
fn encapsulated<'b>(content_info: &mut Value<'b>) -> Option<&'b [u8]> {
    let mut explicit = child(content_info, EXPLICIT_0)?;
    let mut data = child(&mut explicit, SEQUENCE)?;
    // Its own content information is the sequence that begins with a type and then has [0].
    loop {
        let (mut value, rest) = tlv(data.content)?;
        data.content = rest;
        if value.tag != SEQUENCE || child(&mut value, OID).is_none() {
            continue;
        }
        if let Some(explicit) = child(&mut value, EXPLICIT_0) {
            return Some(explicit.content);
        }
    }
}

/// An OCTET STRING, put together where it comes in pieces (BER). None: in pieces of pieces, more than are looked at.
fn octets(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    // What is left of each level, the innermost last.
    let mut levels = vec![bytes];
    while let Some(level) = levels.pop() {
        let Some((value, rest)) = tlv(level) else { continue };
        if levels.len() >= SCAN_DER_DEPTH_MAX {
            return None;
        }
        levels.push(rest);
        match value.tag {
            OCTETS => whole.extend_from_slice(value.content),
            CONSTRUCTED_OCTETS => levels.push(value.content),
            // The end of a level without a length.
            0 => drop(levels.pop()),
            _ => {}
        }
    }
    Some(whole)
}

struct Value<'b> {
    tag: u8,
    content: &'b [u8],
}

/// The next value inside, if it has this tag.
fn child<'b>(parent: &mut Value<'b>, tag: u8) -> Option<Value<'b>> {
    let (value, rest) = tlv(parent.content)?;
    parent.content = rest;
    (value.tag == tag || (tag == SEQUENCE && value.tag == SET)).then_some(value)
}

/// A value and what follows it. One of indefinite length is all the rest, and nothing follows that is looked for; whoever
/// reads its content meets its end.
fn tlv(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *first == 0x80 {
        return Some((Value { tag: *tag, content: rest }, &[]));
    }
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count > 8 {
            return None;
        }
        let digits = rest.get(..count)?;
        let length = digits.iter().fold(0_usize, |sum, digit| sum.wrapping_shl(8) | usize::from(*digit));
        (length, rest.get(count..)?)
    };
    // A file that is cut holds what is there.
    let length = length.min(rest.len());
    Some((Value { tag: *tag, content: rest.get(..length)? }, rest.get(length..)?))
}
