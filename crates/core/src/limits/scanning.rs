//! Limits of looking into messages.

use std::time::Duration;

/// Depth of wrappings that are opened: a file in an archive in an archive … in a part. What is deeper is told.
pub const SCAN_DEPTH_MAX: usize = 8;
/// Files of one message that are looked at, entries of archives included.
pub const SCAN_ITEMS_MAX: usize = 10_000;
/// Bytes that are unwrapped of one message, all files together.
pub const SCAN_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// By how much an archive may grow when it is opened, once more than `SCAN_RATIO_FREE` bytes came out of it: a bomb is
/// beyond, text of honest archives isn't.
pub const SCAN_RATIO_MAX: u64 = 250;
/// Bytes that come out of an archive before its ratio is looked at.
pub const SCAN_RATIO_FREE: u64 = 8 * 1024 * 1024;
/// Text of one file that is kept for rules, bytes.
pub const SCAN_TEXT_MAX: usize = 256 * 1024;
/// Text of one message that is kept for rules, bytes.
pub const SCAN_TEXT_SUM_MAX: usize = 1024 * 1024;
/// Names of one file that are kept, and the bytes of one name.
pub const SCAN_NAMES_MAX: usize = 8;
/// Bytes of one name that are kept.
pub const SCAN_NAME_MAX: usize = 512;
/// Remarkable traits of one file that a worker may tell, each once: twice those that there are, with those that have words.
pub const SCAN_TRAITS_MAX: usize = 128;
/// Bytes of one word that a worker says of a file beside its names: a declared type, a part's number, why it is damaged.
pub const SCAN_WORD_MAX: usize = 1_024;
/// Reasons why looking ended that a worker may tell, each once.
pub const SCAN_STOPPED_MAX: usize = 16;
/// Processor time of one message's scan before it counts as a bomb.
pub const SCAN_TIME: Duration = Duration::from_millis(1_000);

// ---- verdicts ----------------------------------------------------------------------------------------------

/// Name of a finding, bytes.
pub const FINDING_RULE_MAX: usize = 96;
/// Evidence of a finding, bytes.
pub const FINDING_EVIDENCE_MAX: usize = 512;
/// Findings that the field of a message tells of.
pub const VERDICT_FIELD_FINDINGS_MAX: usize = 40;

// ---- asking about messages ---------------------------------------------------------------------------------

/// Questions to the DNS about messages that are on their way at once.
pub const INSPECT_LOOKUPS_AT_ONCE: usize = 64;
/// Those of them that mail of one host causes.
pub const INSPECT_LOOKUPS_PER_HOST_MAX: usize = 16;
/// Longest that a message is judged, all that is asked about it together; then it comes again later. A client waits for ten
/// minutes after its last dot (RFC 5321 §4.5.3.2.6), of which the commit needs some.
pub const INSPECT_TIME: Duration = Duration::from_secs(400);
/// When a message that came by SMTP or LMTP has to be judged, counted from its last dot: what milters took is lost to
/// [`INSPECT_TIME`].
pub const INSPECT_END_TIME: Duration = Duration::from_secs(540);
/// Those of them that mail of one host causes: a few sources don't have all of them.
pub const INSPECT_LOOKUPS_PER_HOST_MAX: usize = 6;
/// The same for neighbours (an IPv4 /24, an IPv6 /48), who may be one.
pub const INSPECT_LOOKUPS_PER_NEIGHBOURS_MAX: usize = 12;
/// Questions for what domains ask for (DMARC) that are on their way at once: apart from keys, which whoever writes a message names
/// and may answer slowly (attacks D8).
pub const INSPECT_POLICIES_AT_ONCE: usize = 64;
/// Those of them that mail of one host causes: one walk up the DNS.
pub const INSPECT_POLICIES_PER_HOST_MAX: usize = 8;
/// The same for neighbours.
pub const INSPECT_POLICIES_PER_NEIGHBOURS_MAX: usize = 16;
