//! Limits of opening containers.

/// Bytes of one file that is unpacked from a container; of a longer one the beginning is looked at, and that is told.
pub const SCAN_FILE_MAX: usize = 32 * 1024 * 1024;
/// Bytes of opened containers that are held at the same time, each inside the one before. With a message and the window of a
/// decoder it stays below the 256 MiB that a scanner has.
pub const SCAN_HELD_MAX: u64 = 96 * 1024 * 1024;
/// Window of a decoder, bytes: what `xz -9` and `7z -mx=9` use. A stream that asks for more isn't opened.
pub const SCAN_WINDOW_MAX: u32 = 64 * 1024 * 1024;
/// Bytes that are unpacked at a time; time and sums are looked at after each.
pub const SCAN_CHUNK: usize = 64 * 1024;
/// Bytes at the end of a file in which the end of a ZIP's directory is looked for: its record of 22 bytes and a comment.
pub const SCAN_ZIP_END_MAX: usize = 22 + 65_535;
/// Bytes at the beginning of a program in which an archive is looked for that it unpacks.
pub const SCAN_STUB_MAX: usize = 4 * 1024 * 1024;
/// Archives that are looked for in one program.
pub const SCAN_STUB_ARCHIVES_MAX: usize = 4;
/// Directories of one disk image that are read.
pub const SCAN_DIRECTORIES_MAX: usize = 1_000;
/// Coders that one stream of a 7z archive may pass, filters included: more than its own programs write.
pub const SCAN_CODERS_MAX: usize = 8;
/// Bytes of the header of a 7z archive once it is unpacked.
pub const SCAN_7Z_HEADER_MAX: usize = 8 * 1024 * 1024;
/// Readings of one container that are opened: by its directory, without it, as another kind.
pub const SCAN_READINGS_MAX: usize = 4;
/// Levels of ASN.1 that are followed to the content of a signed message, and of its parts.
pub const SCAN_DER_DEPTH_MAX: usize = 16;
/// Encoded files that are looked for in one text.
pub const SCAN_INLINE_MAX: usize = 64;
/// Bytes of a document's parts that are kept, once they were looked at, for when the document is opened as an archive. What is
/// larger is unpacked twice.
pub const SCAN_UNPACKED_MAX: usize = 1024 * 1024;
