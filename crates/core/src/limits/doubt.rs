//! Limits of what is said about messages that can be read in two ways, and of their other readings (attacks E1, E2).

/// Content-Type and Content-Disposition fields of one part that names are read of; honest mail has one of each.
pub const NAME_FIELDS_MAX: usize = 4;
/// Readings of one part's names that are made, of which `SCAN_NAMES_MAX` are kept.
pub const NAME_READINGS_MAX: usize = 64;
/// Doubts of one kind that are told of one message. More say nothing new, but of those that may hide something more are a
/// doubt by themselves.
pub const AMBIGUITIES_OF_A_KIND_MAX: usize = 32;
/// Evidence of one doubt, bytes.
pub const AMBIGUITY_EVIDENCE_MAX: usize = 120;
/// How often each byte of a message is looked at for doubts, on average; past it that is the doubt. Parts of honest mail
/// lie some five deep, and each level is looked at once or twice.
pub const AMBIGUITY_WORK: u64 = 32;
/// Boundaries that are read out of one Content-Type in other ways than ours.
pub const BOUNDARIES_READ_MAX: usize = 8;
/// Longest boundary of RFC 2046 §5.1.1, characters; longer ones are a doubt.
pub const BOUNDARY_STANDARD_MAX: usize = 70;
/// Longest line of RFC 5322 §2.1.1, bytes without CRLF; longer ones of encoded bodies are noted.
pub const BODY_LINE_STANDARD_MAX: usize = 998;
/// Bytes of a Date or a MIME-Version field's value that are honest; qmail-scanner's limit, too.
pub const SHORT_FIELD_MAX: usize = 100;
/// Bytes of a file's name that file systems take; more are a doubt.
pub const NAME_STANDARD_MAX: usize = 255;
/// Files that other readings of one message give, all together; what is beyond is told as not looked at.
pub const READINGS_MAX: usize = 64;
/// Bytes that are read and made for other readings, as times of the message's.
pub const READINGS_WORK: u64 = 8;
