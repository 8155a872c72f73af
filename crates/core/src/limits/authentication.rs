//! Limits of what a message proves of its sender: ARC, DMARC, `Authentication-Results`.

use std::time::Duration;

// ---- authentication ----------------------------------------------------------------------------------------

/// Keys of one message's ARC chain that are looked up, the newest seals first; a chain that needs more doesn't hold (attacks
/// D5, D11). A message that went by six lists has some seven.
pub const ARC_KEYS_MAX: usize = 16;
/// Domains whose ARC seals are trusted.
pub const TRUSTED_SEALERS_MAX: usize = 200;
/// Places at which one walk up the DNS asks for a DMARC record (attacks D8). RFC 9989 §4.10.
pub const DMARC_QUERIES_MAX: usize = 8;
/// Labels at which the walk goes on for names that have that many or more. RFC 9989 §4.10.
pub const DMARC_LABELS_KEPT: usize = 7;
/// Largest DMARC record that is read, bytes; of a larger one nothing counts. Real ones stay below 500.
pub const DMARC_RECORD_MAX: usize = 4_096;
/// Tags of a DMARC record that are read; the rest is ignored. RFC 9989 has ten.
pub const DMARC_TAGS_MAX: usize = 40;
/// Places that one DMARC record may have reports brought to, the first ones (attacks D10). RFC 9989 §4.5.
pub const DMARC_PLACES_MAX: usize = 4;
/// Wait for all that DMARC asks of the DNS for one message, each of two rounds; what hasn't come then isn't known now.
pub const DMARC_TIME: Duration = Duration::from_secs(15);
/// Longest `Authentication-Results` value that is read, bytes. Real ones have some 1,000.
pub const RESULTS_BYTES_MAX: usize = 16 * 1024;
/// Results of one `Authentication-Results` field that are read. Five signatures and the other methods make some dozen.
pub const RESULTS_METHODS_MAX: usize = 50;
/// Properties of one result that are read.
pub const RESULTS_PROPERTIES_MAX: usize = 20;
/// Depth of comments in one that is read.
pub const RESULTS_COMMENT_DEPTH_MAX: usize = 16;
