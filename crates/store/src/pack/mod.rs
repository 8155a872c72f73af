//! Packs: append-only files of messages that can be read and checked without the database.
//!
//! A pack is a sequence of records, the first at offset 0, each right after the one before:
//!
//! | bytes | what |
//! |---|---|
//! | 0–4 | magic `MWR1` |
//! | 4–8 | first four bytes of the BLAKE3 of bytes 8–64 |
//! | 8–16 | length of the content, little-endian |
//! | 16–24 | flags, little-endian; 0 |
//! | 24–32 | when it was written, milliseconds since 1970, little-endian |
//! | 32–64 | BLAKE3 of the content |
//! | 64–  | the content |
//!
//! After the last record there are zeros: packs grow ahead of the writes, so that a sync writes data and no
//! file-system metadata.

pub(crate) mod files;
mod scan;
pub(crate) mod writer;

pub use scan::{Found, Scan, Source};

/// Bytes before the content of a record.
pub const HEADER_LEN: u64 = 64;
const MAGIC: [u8; 4] = *b"MWR1";

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of content.
    pub length: u64,
    /// When it was written, milliseconds since 1970.
    pub written: i64,
    /// BLAKE3 of the content.
    pub hash: [u8; 32],
}

impl Header {
    /// As it stands in a pack.
    #[must_use]
    pub fn encode(&self) -> [u8; 64] {
        let mut out = [0u8; 64];
        let mut put = |at: usize, bytes: &[u8]| {
            for (slot, byte) in out.iter_mut().skip(at).zip(bytes) {
                *slot = *byte;
            }
        };
        put(0, &MAGIC);
        put(8, &self.length.to_le_bytes());
        put(24, &self.written.to_le_bytes());
        put(32, &self.hash);
        let check = checksum(&out);
        for (slot, byte) in out.iter_mut().skip(4).zip(check) {
            *slot = byte;
        }
        out
    }

    /// Reads a header; `None` if it isn't one, whole and unharmed.
    #[must_use]
    pub fn decode(bytes: &[u8; 64]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (check, body) = rest.split_first_chunk::<4>()?;
        if *magic != MAGIC || *check != checksum(bytes) {
            return None;
        }
        let (length, body) = body.split_first_chunk::<8>()?;
        let (flags, body) = body.split_first_chunk::<8>()?;
        let (written, body) = body.split_first_chunk::<8>()?;
        if u64::from_le_bytes(*flags) != 0 {
            return None;
        }
        let (hash, _) = body.split_first_chunk::<32>()?;
        Some(Self { length: u64::from_le_bytes(*length), written: i64::from_le_bytes(*written), hash: *hash })
    }
}

fn checksum(header: &[u8; 64]) -> [u8; 4] {
    let covered = header.get(8..).unwrap_or_default();
    let hash = blake3::hash(covered);
    let mut check = [0u8; 4];
    for (slot, byte) in check.iter_mut().zip(hash.as_bytes()) {
        *slot = *byte;
    }
    check
}

/// Name of a pack's file in `DATA/packs`.
#[must_use]
pub fn file_name(pack: u32) -> String {
    format!("{pack:08}.pack")
}

/// Number of a pack by its file's name.
#[must_use]
pub fn number(file_name: &str) -> Option<u32> {
    let digits = file_name.strip_suffix(".pack")?;
    (digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Scans arbitrary bytes as a pack, for fuzzing: answers how many whole records it found.
#[must_use]
pub fn fuzz_scan(bytes: &[u8]) -> usize {
    Scan::new(bytes, 0)
        .take(bytes.len().saturating_add(1))
        .filter(|found| matches!(found, Ok(Found::Record { .. })))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_comes_back_as_it_was_written(length: u64, written: i64, hash: [u8; 32]) {
            let header = Header { length, written, hash };
            prop_assert_eq!(Header::decode(&header.encode()), Some(header));
        }

        #[test]
        fn a_header_with_one_bit_wrong_is_no_header(length: u64, hash: [u8; 32], bit in 0usize..512) {
            let mut bytes = Header { length, written: 1, hash }.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes), None);
        }

        #[test]
        fn any_bytes_can_be_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            prop_assert!(fuzz_scan(&bytes) <= bytes.len());
        }

        #[test]
        fn records_are_found_and_a_torn_last_one_is_not(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
            cut in 1usize..64,
        ) {
            let mut pack = Vec::new();
            for content in &contents {
                let header = Header { length: content.len() as u64, written: 0, hash: *blake3::hash(content).as_bytes() };
                pack.extend_from_slice(&header.encode());
                pack.extend_from_slice(content);
            }
            prop_assert_eq!(fuzz_scan(&pack), contents.len());
            pack.truncate(pack.len() - cut);
            prop_assert!(fuzz_scan(&pack) < contents.len());
            pack.resize(pack.len() + 1000, 0);
            prop_assert!(fuzz_scan(&pack) <= contents.len());
        }
    }

    #[test]
    fn pack_names_are_eight_digits() {
        assert_eq!(file_name(7), "00000007.pack");
        assert_eq!(number("00000007.pack"), Some(7));
        for other in ["7.pack", "0000000a.pack", "00000007.pack.tmp", "+0000007.pack"] {
            assert_eq!(number(other), None);
        }
    }
}
