//! Messages and containers, written by hand.

use mailward_scan::{Budget, Contents, Item, Trait, open};
use std::io::Write;
use std::time::Duration;

pub(crate) const INNER: &[u8] = b"MZ this is the file that all of it is about\x00\x01\x02";

/// A message with one attachment, as it stands.
pub(crate) fn message(name: &str, attachment: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "From: a@a.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    for line in base64(attachment).as_bytes().chunks(76) {
        message.extend_from_slice(line);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = (number >> (18 - 6 * place) & 63) as usize;
            text.push(if place <= three.len() { char::from(SIGNS[sign]) } else { '=' });
        }
    }
    text
}

/// Opens a message by the limits, in no time.
pub(crate) fn opened(message: &[u8]) -> Contents {
    let none = || Duration::ZERO;
    open(message, Budget::within_limits(&none))
}

/// Opens one attachment.
pub(crate) fn attached(name: &str, attachment: &[u8]) -> Contents {
    opened(&message(name, attachment))
}

/// The items of this name.
pub(crate) fn named<'c>(contents: &'c Contents, name: &str) -> Vec<&'c Item> {
    contents.items.iter().filter(|item| item.names.iter().any(|known| known == name)).collect()
}

/// Whether the file that all is about was found whole.
pub(crate) fn found(contents: &Contents) -> bool {
    contents.items.iter().any(|item| item.hash == sha256(INNER))
}

pub(crate) fn has(contents: &Contents, wanted: &Trait) -> bool {
    contents.items.iter().any(|item| item.traits.contains(wanted))
}

pub(crate) fn not_opened(contents: &Contents) -> bool {
    contents.items.iter().any(|item| item.traits.iter().any(|found| matches!(found, Trait::NotOpened(_))))
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().try_into().unwrap()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// An entry of a ZIP, as its directory and as its header have it.
#[derive(Clone)]
pub(crate) struct Zipped {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) local_method: u16,
    pub(crate) packed: Vec<u8>,
    pub(crate) unpacked: u64,
    pub(crate) made_by: u16,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) listed: bool,
}

impl Zipped {
    pub(crate) fn stored(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.into(),
            local_name: name.into(),
            flags: 0,
            method: 0,
            local_method: 0,
            packed: content.to_vec(),
            unpacked: content.len() as u64,
            made_by: 20,
            attributes: 0,
            extra: Vec::new(),
            listed: true,
        }
    }

    pub(crate) fn packed(name: &str, method: u16, content: &[u8], packed: Vec<u8>) -> Self {
        Self { method, local_method: method, packed, ..Self::stored(name, content) }
    }

    pub(crate) fn deflated(name: &str, content: &[u8]) -> Self {
        Self::packed(name, 8, content, deflate(content))
    }

    /// Its header and its bytes.
    pub(crate) fn local(&self) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04\x14\0".to_vec();
        let later = self.flags & 8 != 0;
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.local_method.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(if later { [0; 4] } else { (self.packed.len() as u32).to_le_bytes() });
        bytes.extend(if later { [0; 4] } else { (self.unpacked as u32).to_le_bytes() });
        bytes.extend((self.local_name.len() as u16).to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(&self.local_name);
        bytes.extend(&self.packed);
        if later {
            bytes.extend(b"PK\x07\x08\0\0\0\0");
            bytes.extend((self.packed.len() as u32).to_le_bytes());
            bytes.extend((self.unpacked as u32).to_le_bytes());
        }
        bytes
    }

    pub(crate) fn central(&self, offset: u32) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend(self.made_by.to_le_bytes());
        bytes.extend(20_u16.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.method.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend((self.packed.len() as u32).to_le_bytes());
        bytes.extend((self.unpacked as u32).to_le_bytes());
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend((self.extra.len() as u16).to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.attributes.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend(&self.name);
        bytes.extend(&self.extra);
        bytes
    }
}

pub(crate) fn zip_end(entries: u16, size: u32, offset: u32) -> Vec<u8> {
    let mut bytes = b"PK\x05\x06\0\0\0\0".to_vec();
    bytes.extend(entries.to_le_bytes());
    bytes.extend(entries.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

pub(crate) fn zip(entries: &[Zipped]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    let mut listed = 0;
    for entry in entries {
        if entry.listed {
            directory.extend(entry.central(bytes.len() as u32));
            listed += 1;
        }
        bytes.extend(entry.local());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(zip_end(listed, directory.len() as u32, start));
    bytes
}
