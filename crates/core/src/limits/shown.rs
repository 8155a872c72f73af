//! Limits of showing virus scanners what they don't open.

/// Bytes of unwrapped files of one message that are shown to virus scanners: together less than `clamd` takes by default
/// (`StreamMaxLength`, 25 MB). What is beyond isn't clean.
pub const SCAN_SHOWN_MAX: usize = 20 * 1024 * 1024;
/// Such files of one message.
pub const SCAN_SHOWN_FILES_MAX: usize = 1_000;
/// Such files that are shown each by itself; the others come together, in a tar.
pub const ANTIVIRUS_SHOWN_ALONE_MAX: usize = 7;
