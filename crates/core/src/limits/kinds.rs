//! Limits of telling what a file is and of looking into documents.

/// Beginning of a file that is read as text to tell scripts, pages and messages from prose, bytes. A script that begins later
/// behind comments alone is beyond what interpreters are sent by mail.
pub const KIND_TEXT_LOOKED: usize = 256 * 1024;
/// Entries of an archive whose names tell what it is (Word, Java, …). Packages of honest programs name themselves among the
/// first few.
pub const KIND_ENTRIES_MAX: usize = 2_000;
/// Beginning and end of a file in which a second format is looked for, bytes. 7-Zip and WinRAR find an archive within the
/// first mebibyte.
pub const KIND_OTHERS_LOOKED: usize = 1024 * 1024;
/// Entries of a compound file's directory.
pub const OLE_ENTRIES_MAX: usize = 10_000;
/// Bytes of one stream of a document that are unpacked. What is longer is looked at so far.
pub const DOCUMENT_STREAM_MAX: usize = 16 * 1024 * 1024;
/// Bytes of one document that are unpacked, all its streams and objects together.
pub const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files that one document gives to be opened further.
pub const DOCUMENT_INNER_MAX: usize = 1_000;
/// Entries of an office package that are read.
pub const DOCUMENT_ENTRIES_MAX: usize = 5_000;
/// Streams and objects of one PDF that are looked at.
pub const PDF_OBJECTS_MAX: usize = 50_000;
/// Filters of one PDF stream, one upon the other.
pub const PDF_FILTERS_MAX: usize = 4;
/// Entries of a PDF's fonts that tell what their glyphs mean, all its fonts together, that are kept.
pub const PDF_GLYPHS_MAX: usize = 200_000;
/// What a PDF's pages show that is kept to be read with its fonts: bytes, and 8 for each string, line and font.
pub const PDF_SHOWN_MAX: usize = 1024 * 1024;
/// Shortest base64 in a page that is decoded to see what it is, characters. Icons and tokens are shorter than programs.
pub const PAGE_BASE64_MIN: usize = 256;
/// Shortest array of numbers in a page that is read as bytes.
pub const PAGE_NUMBERS_MIN: usize = 64;
/// Attributes of one tag of a page that are looked at.
pub const PAGE_ATTRIBUTES_MAX: usize = 1_000;
/// Depth of groups in rich text.
pub const RTF_DEPTH_MAX: usize = 1_000;
