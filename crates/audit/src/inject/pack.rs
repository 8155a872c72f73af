//! Archives and wrappings that trials are packed into, written here: what they hold has to be wrong in ways that no library writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write as _;

/// A file of a ZIP, as it stands there.
#[derive(Clone)]
pub(crate) struct Entry {
    name: String,
    /// What both headers have, from the version on.
    head: Vec<u8>,
    data: Vec<u8>,
}

impl Entry {
    /// One that is as it is.
    pub(crate) fn stored(name: &str, bytes: &[u8]) -> Self {
        Self::of(name, bytes, bytes.to_vec(), 0, 0)
    }

    /// One that is packed.
    pub(crate) fn packed(name: &str, bytes: &[u8]) -> Self {
        Self::of(name, bytes, deflated(bytes), 0, 8)
    }

    /// One that says that it needs a password.
    pub(crate) fn locked(name: &str, bytes: &[u8]) -> Self {
        Self::of(name, bytes, bytes.to_vec(), 1, 0)
    }

    fn of(name: &str, bytes: &[u8], data: Vec<u8>, flags: u16, method: u16) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut head = Vec::with_capacity(26);
        // Version 2.0; 2026-01-01, midnight.
        for number in [20, flags, method, 0, 0x5c21] {
            push16(&mut head, number);
        }
        push32(&mut head, crc.sum());
        push32(&mut head, u32::try_from(data.len()).unwrap_or(u32::MAX));
        push32(&mut head, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        push16(&mut head, u16::try_from(name.len()).unwrap_or(0));
        push16(&mut head, 0);
        Self { name: name.to_owned(), head, data }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&self.data);
    }
}

/// A ZIP of these files.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        listed(&mut directory, entry, out.len());
        entry.put(&mut out);
    }
    ended(out, &directory, entries.len())
}

/// A ZIP whose directory names one file this many times: it is unpacked as often.
pub(crate) fn overlapping(entry: &Entry, times: u16) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    entry.put(&mut out);
    for _ in 0..times {
        listed(&mut directory, entry, 0);
    }
    ended(out, &directory, usize::from(times))
}

fn listed(directory: &mut Vec<u8>, entry: &Entry, at: usize) {
    directory.extend_from_slice(b"PK\x01\x02\x14\x00");
    directory.extend_from_slice(&entry.head);
    // No comment, disk 0, no attributes.
    directory.extend_from_slice(&[0; 10]);
    push32(directory, u32::try_from(at).unwrap_or(0));
    directory.extend_from_slice(entry.name.as_bytes());
}

fn ended(mut out: Vec<u8>, directory: &[u8], count: usize) -> Vec<u8> {
    let at = out.len();
    out.extend_from_slice(directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    push16(&mut out, count);
    push16(&mut out, count);
    push32(&mut out, u32::try_from(directory.len()).unwrap_or(0));
    push32(&mut out, u32::try_from(at).unwrap_or(0));
    push16(&mut out, 0);
    out
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    // Into memory: there is nothing that could fail.
    let _infallible = packer.write_all(bytes);
    packer.finish().unwrap_or_default()
}

/// TNEF, as Outlook sends it (MS-OXTNEF §2.1): one attached file.
pub(crate) fn tnef(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x9f, 0x3e, 0x22, 0x01, 0x00];
    let mut attribute = |level: u8, id: u32, data: &[u8]| {
        out.push(level);
        push32(&mut out, id);
        push32(&mut out, u32::try_from(data.len()).unwrap_or(0));
        out.extend_from_slice(data);
        let sum = data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        push16(&mut out, sum);
    };
    // attTnefVersion, attOemCodepage.
    attribute(1, 0x0008_9006, &[0, 0, 1, 0]);
    attribute(1, 0x0006_9007, &[0xe4, 0x04, 0, 0, 0, 0, 0, 0]);
    // attAttachRendData: a file; attAttachTitle; attAttachData.
    attribute(2, 0x0006_9002, &[1, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0x20, 0, 0, 0, 0, 0]);
    let mut title = name.as_bytes().to_vec();
    title.push(0);
    attribute(2, 0x0001_8010, &title);
    attribute(2, 0x0006_800f, bytes);
    out
}

/// Base64 in lines of 76 (RFC 2045 §6.8).
pub(crate) fn base64(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::with_capacity(text.len().saturating_add(text.len() / 38));
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(76).unwrap_or((rest, ""));
        out.push_str(line);
        out.push_str("\r\n");
        rest = after;
    }
    out
}

/// Quoted-printable with every byte encoded (RFC 2045 §6.7).
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let lines: Vec<String> =
        bytes.chunks(24).map(|line| line.iter().map(|byte| format!("={byte:02X}")).collect()).collect();
    format!("{}\r\n", lines.join("=\r\n"))
}

fn push16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn push32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::DeflateDecoder;
    use std::io::Read as _;

    #[test]
    fn a_zip_has_what_was_put_into_it_and_a_directory_that_leads_there() {
        let bytes = zip(&[Entry::stored("a.txt", b"hello"), Entry::packed("b", &[b'x'; 1_000])]);
        let end = bytes.len() - 22;
        assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
        let at = u32::from_le_bytes(bytes[end + 16..end + 20].try_into().unwrap()) as usize;
        assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
        assert_eq!(&bytes[30..40], b"a.txthello");
        let packed = deflated(&[b'x'; 1_000]);
        let mut out = Vec::new();
        DeflateDecoder::new(&packed[..]).read_to_end(&mut out).unwrap();
        assert_eq!(out, [b'x'; 1_000]);
    }

    #[test]
    fn lines_of_encodings_are_short_and_lead_back() {
        let text = base64(&[7; 500]);
        assert!(text.lines().all(|line| line.len() <= 76));
        assert_eq!(STANDARD.decode(text.replace("\r\n", "")).unwrap(), [7; 500]);
        assert!(quoted(b"ab").starts_with("=61=62"));
        assert!(quoted(&[0; 99]).lines().all(|line| line.len() <= 76));
    }
}
