//! Reading bytes that an outsider wrote: nothing is beyond the end, it just isn't there.

/// The two bytes at `at`, little-endian.
pub(crate) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// The four bytes at `at`, little-endian.
pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// The eight bytes at `at`, little-endian.
pub(crate) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// The two bytes at `at`, big-endian.
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// The four bytes at `at`, big-endian.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// So many bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    part(bytes, at, N)?.try_into().ok()
}

/// `len` bytes from `at`, if all are there.
pub(crate) fn part(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

/// What is there of `len` bytes from `at`.
pub(crate) fn upto(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    head(from(bytes, at), len)
}

/// What is there from `at` on.
pub(crate) fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// The first `len` bytes, or all.
pub(crate) fn head(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}

/// The last `len` bytes, or all.
pub(crate) fn tail(bytes: &[u8], len: usize) -> &[u8] {
    from(bytes, bytes.len().saturating_sub(len))
}

/// Whether these bytes stand at `at`.
pub(crate) fn has(bytes: &[u8], at: usize, what: &[u8]) -> bool {
    from(bytes, at).starts_with(what)
}

/// Whether these bytes stand at `at`, letters of either case; `what` in lower case.
pub(crate) fn has_any_case(bytes: &[u8], at: usize, what: &[u8]) -> bool {
    part(bytes, at, what.len()).is_some_and(|there| there.eq_ignore_ascii_case(what))
}

/// Where these bytes stand first.
pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

/// Whether these bytes stand anywhere.
pub(crate) fn holds(bytes: &[u8], what: &[u8]) -> bool {
    find(bytes, what).is_some()
}

/// What stands behind leading blanks and line ends.
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    from(bytes, bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(bytes.len()))
}

/// The bytes before the first NUL, or all.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    head(bytes, memchr::memchr(0, bytes).unwrap_or(bytes.len()))
}

/// Two bytes for a character, little-endian, as text.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0.into_owned()
}

/// Bytes as Windows' programs of the West read them.
pub(crate) fn windows(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// A length that an outsider wrote.
pub(crate) fn long(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A length that an outsider wrote.
pub(crate) fn longer(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
