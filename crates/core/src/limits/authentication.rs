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

// ---- reports of DMARC --------------------------------------------------------------------------------------

/// Domains (each day, two at midnight) of which it is counted in memory how their mail was authenticated; more aren't counted.
pub const DMARC_DOMAINS_KEPT: usize = 10_000;
/// Rows of one domain's day: source, names and results together. What is beyond is told as a number. With
/// [`DMARC_TEXT_MAX`] they fit `SHELF_VALUE_MAX`, or fewer are kept.
pub const DMARC_ROWS_MAX: usize = 200;
/// Longest text of a report that is written or kept, characters.
pub const DMARC_TEXT_MAX: usize = 255;
/// How often what was counted is written.
pub const DMARC_WRITE_TIME: Duration = Duration::from_secs(60);
/// Domains whose rows are written in one commit: others wait for it.
pub const DMARC_WRITE_BATCH: usize = 50;
/// Days for which it is kept what was told to others.
pub const DMARC_TOLD_DAYS: u16 = 14;
/// Within this time after midnight (UTC) each domain's report is sent, at a moment of its own.
pub const DMARC_REPORT_JITTER: Duration = Duration::from_secs(6 * 3_600);
/// How often it is looked for reports that are to be sent.
pub const DMARC_REPORT_LOOK_TIME: Duration = Duration::from_secs(15 * 60);
/// A report that can't be sent is dropped so long after its day's end.
pub const DMARC_REPORT_LATE: Duration = Duration::from_secs(86_400);
/// Reports to the mail domains of one organisation for each day: who asks for them need not be who gets them (attacks D10).
/// Services that take those of many have more, and say so in the DNS.
pub const DMARC_REPORTS_PER_DESTINATION_MAX: usize = 500;
/// Organisations to which it is counted what was sent; reports to more aren't sent.
pub const DMARC_DESTINATIONS_MAX: usize = 10_000;
/// Records that are looked at in one step.
pub const DMARC_REPORT_PAGE: usize = 100;
/// Largest packed report that is read, bytes (attacks D9).
pub const DMARC_PACKED_MAX: usize = 2 * 1024 * 1024;
/// Largest report that is read, bytes, unpacked: it ends there, whatever the packing says (attacks D9).
pub const DMARC_XML_MAX: usize = 10 * 1024 * 1024;
/// Depth of elements in a report that is read; RFC 9990 has five.
pub const DMARC_XML_DEPTH_MAX: usize = 12;
/// Pieces of a report (beginnings and ends of elements, texts between them, references, comments) that are read; of a report
/// that has more nothing is. Ten megabytes can hold millions, and each costs time (attacks D9). A row has some 100.
pub const DMARC_XML_PIECES_MAX: usize = 250_000;
/// Parts of a message in which a report is looked for, the first ones that may be one. RFC 9990 §3.5.2 has one.
pub const DMARC_REPORT_PARTS_MAX: usize = 2;
/// Reports of one domain's day by others that are kept: anybody may send some (attacks D9). There are some dozen who report.
pub const DMARC_HEARD_MAX: usize = 200;
/// Those of them that one organisation reports: it fills no day alone. Most send one, some one for each of two systems.
pub const DMARC_HEARD_PER_ORGANIZATION_MAX: usize = 2;
/// Days for which they are kept.
pub const DMARC_HEARD_DAYS: u16 = 90;
