//! Limits of what is asked of the DNS about clients and senders: lists, reverse names, domains.

use std::time::Duration;

// ---- lists in the DNS --------------------------------------------------------------------------------------

/// Lines of `lists.hosts`, and of `lists.domains`. Who asks a dozen lists learns no more than from three.
pub const LISTS_MAX: usize = 16;
/// Most that a list may weigh, points, to either side.
pub const LIST_WEIGHT_MAX: i32 = 100;
/// Codes and ranges of codes of one line.
pub const LIST_CODES_MAX: usize = 16;
/// Longest line, bytes: a name of 253, and what fits behind it.
pub const LIST_LINE_MAX: usize = 512;
/// Wait for one list: default of a line's `within`. A list that is well answers in a tenth of it.
pub const LIST_TIME: Duration = Duration::from_secs(3);
/// Longest `within`, seconds: the client waits meanwhile.
pub const LIST_TIME_CONFIG_MAX: u64 = 15;
/// Codes of one answer that are kept: Spamhaus's ZEN gives five at most.
pub const LIST_ANSWERS_MAX: usize = 16;
/// Silences in a row after which a list isn't asked for a while.
pub const LIST_SILENCES_MAX: u32 = 5;
/// How long it isn't asked then, at first; twice as long each time that it is silent again.
pub const LIST_REST_TIME: Duration = Duration::from_secs(30);
/// Longest time that a silent list isn't asked.
pub const LIST_REST_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Time between two looks at a list's test points (RFC 5782 §5).
pub const LIST_CHECK_TIME: Duration = Duration::from_secs(3_600);
/// The same of a list that is switched off: it is back within this time after it is well.
pub const LIST_HEAL_TIME: Duration = Duration::from_secs(10 * 60);
/// The same after test points that nobody could look up, and the least time between two looks whatever happens.
pub const LIST_RETRY_TIME: Duration = Duration::from_secs(60);
/// Wait for one answer about a test point: nobody waits for it but the check.
pub const LIST_CHECK_WAIT: Duration = Duration::from_secs(10);
/// How long what is known of a list is kept after it was looked at last: one that isn't asked any more is forgotten.
pub const LIST_RECORD_TIME: Duration = Duration::from_secs(90 * 86_400);
/// Lists whose test points are looked at together.
pub const LIST_CHECKS_AT_ONCE: usize = 4;

// ---- what is asked about a client and a sender -------------------------------------------------------------

/// Inquiries that run at once, of each kind (clients, greetings, sender domains); beyond, what would be asked stays
/// unanswered at once (attacks A6).
pub const INQUIRIES_MAX: usize = 1_000;
/// Inquiries that run at once for one host (an IPv4 address, an IPv6 /64), of each kind: whoever has a /64 has 2^64 addresses,
/// and any number of names to give.
pub const INQUIRIES_PER_HOST_MAX: usize = 20;
/// The same for neighbours (an IPv4 /24, an IPv6 /48), who may be one.
pub const INQUIRIES_PER_NETWORK_MAX: usize = 100;
/// Questions to lists that are on their way at once, all inquiries together.
pub const LIST_LOOKUPS_AT_ONCE: usize = 64;
/// The same for one host: half of [`LISTS_MAX`] of both kinds.
pub const LIST_LOOKUPS_PER_HOST_MAX: usize = 16;
/// Lookups of names and addresses that are on their way at once, all inquiries together. Strangers' servers answer them, as
/// slowly as they like: so they don't share places with the lists.
pub const NAME_LOOKUPS_AT_ONCE: usize = 64;
/// The same for one host.
pub const NAME_LOOKUPS_PER_HOST_MAX: usize = 6;
/// How long a question waits for its turn before it isn't asked. Its own time begins with its turn.
pub const LOOKUP_TURN_TIME: Duration = Duration::from_secs(6);
/// Least time between two words to the administrator that questions about strangers weren't asked.
pub const NO_TURN_NEWS_TIME: Duration = Duration::from_secs(60);
/// From the first question of an inquiry to its last answer; less than [`super::JUDGEMENT_WAIT`].
pub const INQUIRY_TIME: Duration = Duration::from_secs(20);
/// Wait for one lookup of a reverse name, an address or a mail host.
pub const INQUIRY_LOOKUP_TIME: Duration = Duration::from_secs(6);
/// Answers that are remembered, of each kind: some 300 bytes each.
pub const INQUIRIES_KEPT: usize = 20_000;
/// Shortest time that a whole answer is remembered, whatever the zones say.
pub const INQUIRY_KEPT_MIN: Duration = Duration::from_secs(60);
/// Longest time: who got onto a list, or off it, is judged by that this much later at most.
pub const INQUIRY_KEPT_MAX: Duration = Duration::from_secs(600);
/// How long an answer that lacks something is remembered.
pub const INQUIRY_KEPT_PART: Duration = Duration::from_secs(15);
/// Names of an address that are looked at (RFC 8601 §3 leaves it to us; RFC 7208 §4.6.4 takes ten).
pub const REVERSE_NAMES_MAX: usize = 10;
/// Mail hosts of a sender's domain whose addresses are looked for, the best ones.
pub const SENDER_HOSTS_MAX: usize = 5;
