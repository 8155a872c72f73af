//! Packs: append-only files of messages that can be read and checked without the database.
//!
//! A pack begins with a head of 64 bytes: magic `MWPK`, version (4 bytes, little-endian, 1), a random key (32
//! bytes), the first eight bytes of the BLAKE3 of all that, zeros. Then come records, each right after the one
//! before:
//!
//! | bytes | what |
//! |---|---|
//! | 0–4 | magic `MWR1` |
//! | 4–12 | first eight bytes of the BLAKE3 of bytes 12–64, keyed with the pack's key |
//! | 12–20 | length of the content, little-endian |
//! | 20–24 | flags, little-endian; 0 |
//! | 24–32 | when it was written, milliseconds since 1970, little-endian |
//! | 32–64 | BLAKE3 of the content |
//! | 64–  | the content |
//!
//! The key keeps a sender from writing bytes into a message that a scan of a damaged pack would take for a record.
//! The database has a copy of it, so that a damaged head can be written again.
//!
//! After the last record there are zeros: packs grow ahead of the writes, so that a sync writes data and no
//! file-system metadata.

pub(crate) mod content;
pub(crate) mod files;
mod scan;
pub(crate) mod writer;

pub use scan::{Found, Scan, Source};

/// Bytes before the content of a record.
pub const HEADER_LEN: u64 = 64;
/// Bytes of a pack's head: the first record begins after it.
pub const PACK_HEAD_LEN: u64 = 64;
const MAGIC: [u8; 4] = *b"MWR1";
const PACK_MAGIC: [u8; 4] = *b"MWPK";
const VERSION: u32 = 1;

/// What only this pack's record heads are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackKey(pub [u8; 32]);

impl PackKey {
    /// The head of a pack with this key.
    #[must_use]
    pub fn encode(&self) -> [u8; 64] {
        let mut out = [0u8; 64];
        put(&mut out, 0, &PACK_MAGIC);
        put(&mut out, 4, &VERSION.to_le_bytes());
        put(&mut out, 8, &self.0);
        let check = blake3::hash(out.get(..40).unwrap_or_default());
        put(&mut out, 40, check.as_bytes().get(..8).unwrap_or_default());
        out
    }
    /// Reads a pack's head; `None` if it isn't one, whole and unharmed.
    #[must_use]
    pub fn decode(head: &[u8; 64]) -> Option<Self> {
        let key = Self(*head.get(8..40)?.first_chunk::<32>()?);
        (key.encode() == *head).then_some(key)
    }
}

fn put(out: &mut [u8; 64], at: usize, bytes: &[u8]) {
    for (slot, byte) in out.iter_mut().skip(at).zip(bytes) {
        *slot = *byte;
    }
}

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
    pub fn encode(&self, key: &PackKey) -> [u8; 64] {
        let mut out = [0u8; 64];
        put(&mut out, 0, &MAGIC);
        put(&mut out, 12, &self.length.to_le_bytes());
        put(&mut out, 24, &self.written.to_le_bytes());
        put(&mut out, 32, &self.hash);
        let check = blake3::keyed_hash(&key.0, out.get(12..).unwrap_or_default());
        put(&mut out, 4, check.as_bytes().get(..8).unwrap_or_default());
        out
    }

    /// Reads a header; `None` if it isn't one of this pack's, whole and unharmed.
    #[must_use]
    pub fn decode(bytes: &[u8; 64], key: &PackKey) -> Option<Self> {
        if bytes.first_chunk::<4>()? != &MAGIC {
            return None;
        }
        let header = Self {
            length: u64::from_le_bytes(*bytes.get(12..)?.first_chunk()?),
            written: i64::from_le_bytes(*bytes.get(24..)?.first_chunk()?),
            hash: *bytes.get(32..)?.first_chunk()?,
        };
        (header.encode(key) == *bytes).then_some(header)
    }
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
    let Some(key) = bytes.first_chunk::<64>().and_then(PackKey::decode) else { return 0 };
    Scan::new(bytes, PACK_HEAD_LEN, key)
        .take(bytes.len().saturating_add(1))
        .filter(|found| matches!(found, Ok(Found::Record { .. })))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: PackKey = PackKey([7; 32]);

    proptest! {
        #[test]
        fn a_header_comes_back_as_it_was_written(length: u64, written: i64, hash: [u8; 32], key: [u8; 32]) {
            let header = Header { length, written, hash };
            prop_assert_eq!(Header::decode(&header.encode(&PackKey(key)), &PackKey(key)), Some(header));
            prop_assert_eq!(PackKey::decode(&PackKey(key).encode()), Some(PackKey(key)));
        }

        #[test]
        fn a_header_with_one_bit_wrong_is_no_header(length: u64, hash: [u8; 32], bit in 0usize..512) {
            let mut bytes = Header { length, written: 1, hash }.encode(&KEY);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes, &KEY), None);
            let mut head = KEY.encode();
            head[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(PackKey::decode(&head), None);
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
            let mut pack = KEY.encode().to_vec();
            for content in &contents {
                let header = Header { length: content.len() as u64, written: 0, hash: *blake3::hash(content).as_bytes() };
                pack.extend_from_slice(&header.encode(&KEY));
                pack.extend_from_slice(content);
            }
            prop_assert_eq!(fuzz_scan(&pack), contents.len());
            pack.truncate(pack.len() - cut);
            prop_assert!(fuzz_scan(&pack) < contents.len());
            pack.resize(pack.len() + 1000, 0);
            prop_assert!(fuzz_scan(&pack) <= contents.len());
        }
    }

    /// A sender doesn't know the key: whatever a message holds, a damaged pack doesn't take it for records.
    #[test]
    fn a_message_can_t_hold_a_record() {
        let inner = b"never accepted";
        let forged = Header { length: inner.len() as u64, written: 0, hash: *blake3::hash(inner).as_bytes() };
        let mut content = forged.encode(&PackKey([0; 32])).to_vec();
        content.extend_from_slice(inner);
        let outer = Header { length: content.len() as u64, written: 0, hash: [0; 32] };
        let mut pack = KEY.encode().to_vec();
        pack.extend_from_slice(&outer.encode(&KEY));
        pack.extend_from_slice(&content);
        assert_eq!(fuzz_scan(&pack), 0);
    }

    #[test]
    fn the_record_right_behind_a_damaged_head_is_found() {
        let content = b"whole";
        let whole = Header { length: content.len() as u64, written: 0, hash: *blake3::hash(content).as_bytes() };
        let mut pack = KEY.encode().to_vec();
        pack.extend_from_slice(&Header { length: u64::MAX, written: 0, hash: [1; 32] }.encode(&KEY));
        pack.extend_from_slice(&whole.encode(&KEY));
        pack.extend_from_slice(content);
        assert_eq!(fuzz_scan(&pack), 1);
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
