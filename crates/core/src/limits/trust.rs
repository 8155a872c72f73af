//! Limits of trust on the wire: policies of other domains, and reports to them.

use std::time::Duration;

// ---- MTA-STS -----------------------------------------------------------------------------------------------

/// Largest policy that is read, bytes. RFC 8461 §3.3 suggests 64 KiB.
pub const STS_POLICY_MAX: usize = 64 * 1024;
/// Patterns of hosts in one policy; one with more is none, as a part of it would shut hosts out.
pub const STS_PATTERNS_MAX: usize = 200;
/// Longest that a policy is kept, seconds. RFC 8461 §3.2 (a year).
pub const STS_AGE_MAX: u32 = 31_557_600;
/// Longest id of a policy, characters. RFC 8461 §3.1.
pub const STS_ID_MAX: usize = 32;
/// A domain's policy is fetched once in this time, whether it can be had or not. RFC 8461 §3.3 leaves it to us.
pub const STS_FETCH_PAUSE: Duration = Duration::from_secs(300);
/// Domains whose last fetch is remembered.
pub const STS_FETCHES_KEPT: usize = 10_000;

// ---- HTTPS to other hosts ----------------------------------------------------------------------------------

/// One exchange, from the DNS to the last byte. RFC 8461 §3.3 (a minute).
pub const HTTPS_TIME: Duration = Duration::from_secs(60);
/// Addresses of one host that are tried.
pub const HTTPS_ADDRESSES_TRIED: usize = 4;
/// Header of an answer, bytes.
pub const HTTPS_HEADER_MAX: usize = 16 * 1024;
/// Fields in the header of an answer.
pub const HTTPS_FIELDS_MAX: usize = 64;
/// What is read of an answer to a report, bytes: nobody needs it.
pub const HTTPS_ANSWER_MAX: usize = 4 * 1024;

// ---- TLS reports -------------------------------------------------------------------------------------------

/// Domains (each day, two at midnight) whose results are counted in memory; more are counted together as not counted.
pub const TLS_RESULTS_KEPT: usize = 10_000;
/// How often results that were counted are written.
pub const TLS_RESULTS_WRITE_TIME: Duration = Duration::from_secs(60);
/// Domains whose results are written in one commit: others wait for it.
pub const TLS_RESULTS_BATCH: usize = 100;
/// Days for which results are kept.
pub const TLS_RESULTS_DAYS: u16 = 30;
/// Policies of one domain on one day; they rarely change. What comes under others is counted as not counted.
pub const TLS_REPORT_POLICIES_MAX: usize = 4;
/// Kinds of failure that are told one by one for each policy; more are in the sums only.
pub const TLS_REPORT_DETAILS_MAX: usize = 10;
/// Lines, and patterns of hosts, that are kept of a policy for a report.
pub const TLS_REPORT_LINES_MAX: usize = 16;
/// Longest line, name or reason in a report, characters.
pub const TLS_REPORT_TEXT_MAX: usize = 255;
/// Places that a domain may have its report sent to; more are left out. RFC 8460 §3 sets no limit.
pub const TLS_REPORT_PLACES_MAX: usize = 4;
/// Longest record that says where reports go, bytes.
pub const TLS_REPORT_RECORD_MAX: usize = 4 * 1024;
/// Within this time after midnight (UTC) each domain's report is sent, at a moment of its own. RFC 8460 §4.1 asks for
/// a delay by chance of up to four hours.
pub const TLS_REPORT_JITTER: Duration = Duration::from_secs(4 * 3_600);
/// How often it is looked for reports that are to be sent, and those are tried again that couldn't.
pub const TLS_REPORT_LOOK_TIME: Duration = Duration::from_secs(15 * 60);
/// A report that can't be sent is dropped so long after its day's end. RFC 8460 §5.3 (24 hours).
pub const TLS_REPORT_LATE: Duration = Duration::from_secs(86_400);
/// Reports that are tried to be brought to one domain by mail, or to one host by HTTPS, for each day, tries that fail counted:
/// who asks for them need not be who gets them. Enough for one that is tried all day, or a service that takes those of many.
pub const TLS_REPORT_PER_DESTINATION_MAX: usize = 100;
/// Hosts and mail domains to which it is counted what was brought; reports to more aren't brought: four places of ten
/// thousand domains.
pub const TLS_REPORT_DESTINATIONS_MAX: usize = 40_000;
/// Reports that are on their way at once. Ten thousand domains with four places each, all of which let [`HTTPS_TIME`] pass,
/// take under fourteen hours.
pub const TLS_REPORTS_AT_ONCE: usize = 50;
/// Records of results that are looked at in one step.
pub const TLS_REPORT_PAGE: usize = 200;

// ---- TLS that is demanded here -----------------------------------------------------------------------------

/// Names of hosts that may be given for one domain.
pub const TLS_POLICY_NAMES_MAX: usize = 20;
/// Domains that may have a policy of ours.
pub const TLS_POLICIES_MAX: usize = 10_000;
