//! Limits of fetching: the client's side of POP3 and IMAP, and what is remembered of accounts elsewhere.

use std::time::Duration;

// ---- fetching from accounts elsewhere ----------------------------------------------------------------------

/// Accounts elsewhere that mail is fetched from: an organisation's whole staff may have one each.
pub const FETCH_ACCOUNTS_MAX: usize = 1_000;
/// Accounts elsewhere that are visited at once; more wait for their turn.
pub const FETCH_VISITS_AT_ONCE: usize = 20;
/// Message bytes that all visits together hold in memory; a message that is larger alone goes alone.
pub const FETCH_BYTES_IN_FLIGHT_MAX: usize = 64 * 1024 * 1024;
/// Name of an account elsewhere, bytes.
pub const FETCH_NAME_MAX: usize = 64;
/// User name, mailbox name and header name of an account elsewhere, bytes each: an address fits.
pub const FETCH_FIELD_MAX: usize = 320;
/// Certificates of authorities of an account elsewhere, bytes of PEM: a handful. What is kept fits a shelf's record.
pub const FETCH_AUTHORITY_MAX: usize = 32 * 1024;
/// Shortest time between two visits, minutes. Large providers refuse more than one login a minute.
pub const FETCH_EVERY_MIN: u32 = 1;
/// Time between two visits unless another is said, minutes.
pub const FETCH_EVERY_DEFAULT: u32 = 5;
/// Longest time between two visits, minutes: a week.
pub const FETCH_EVERY_MAX: u32 = 7 * 24 * 60;
/// How much sooner or later a visit may come, parts of 100 of the time between two: so that accounts spread.
pub const FETCH_JITTER_PERCENT: u32 = 10;
/// Pauses after a visit that failed, minutes, if they are longer than the time between two; the last one from there on.
pub const FETCH_FAILURE_MINUTES: [u32; 5] = [1, 5, 15, 30, 60];
/// Time without a good visit after which an alert tells of it, once.
pub const FETCH_ALERT_AFTER: Duration = Duration::from_secs(6 * 3_600);
/// Refusals of a login in a row, without a code that says that it is the password, after which an account is no longer
/// visited: providers lock accounts that are tried again and again.
pub const FETCH_REFUSALS_MAX: u32 = 3;
/// Time to find a host and connect to one of its addresses.
pub const FETCH_CONNECT_TIME: Duration = Duration::from_secs(30);
/// Addresses of a host that are tried.
pub const FETCH_ADDRESSES_TRIED: usize = 4;
/// Longest silence of a server within a visit, and wait for it to take a command (attacks H1). RFC 1939 §3 lets servers
/// close after ten minutes; some take a minute to open a large mailbox.
pub const FETCH_IDLE_TIME: Duration = Duration::from_secs(120);
/// A whole visit; what is left is for the next one. A server that answers one byte a minute ends here (attacks H1, H6).
pub const FETCH_VISIT_TIME: Duration = Duration::from_secs(3_600);
/// Wait for the answer to the end of an IMAP session: nothing depends on it.
pub const FETCH_LOGOUT_TIME: Duration = Duration::from_secs(10);
/// Messages fetched in one visit; then the session ends, so that deletions take effect, and the next visit comes at once.
pub const FETCH_VISIT_MESSAGES: usize = 1_000;
/// Messages of one visit that were fetched for nothing, as a mailbox here is full, and of which that isn't remembered
/// ([`FETCH_WAITING_MAX`]), before the visit ends.
pub const FETCH_LEFT_MAX: usize = 20;
/// Messages of one account elsewhere that wait for room in a mailbox here and are remembered: they aren't fetched before
/// there is some, and hold up no others. Some 50 bytes each.
pub const FETCH_WAITING_MAX: usize = 1_000;
/// Messages that one mailbox elsewhere may hold; with more, nothing is fetched and the account says so. Each costs a line of
/// listing a visit.
pub const FETCH_LISTED_MAX: usize = 100_000;
/// Messages that are remembered of one account elsewhere. Beyond, those that it doesn't list any more are forgotten at
/// once rather than after [`FETCH_FORGET_AFTER`]: a server that gives new names each time fills nothing (attacks H6).
pub const FETCH_NOTED_MAX: usize = 200_000;
/// How long a message that was left there is remembered after the server no longer lists it: a mailbox that is empty for
/// a while, or gets new numbers, brings nothing twice.
pub const FETCH_FORGET_AFTER: Duration = Duration::from_secs(30 * 86_400);
/// How long a message that can't be taken for good (its header is past a limit, NUL in it) isn't tried or told of again.
pub const FETCH_REFUSED_AGAIN: Duration = Duration::from_secs(86_400);
/// Longest line of an answer, bytes with CRLF, message text and literals not counted. RFC 2449 §4 allows 512; IMAP servers
/// list capabilities and flags in longer ones.
pub const FETCH_LINE_MAX: usize = 16 * 1024;
/// Lines of the answer to CAPA.
pub const FETCH_CAPABILITIES_MAX: usize = 200;
/// Unsolicited answers of an IMAP server to one command, beside what was asked for (attacks H6): a mailbox may be busy.
pub const FETCH_UNASKED_MAX: usize = 100_000;
/// Literal of an answer that isn't a message, bytes: none is expected, some servers send names so.
pub const FETCH_LITERAL_MAX: u64 = 16 * 1024;
/// Nesting of parentheses in an IMAP answer. FLAGS in FETCH has two.
pub const FETCH_DEPTH_MAX: usize = 16;
/// Words of an IMAP answer, all levels together.
pub const FETCH_WORDS_MAX: usize = 4_096;
/// Identification of a message that a server gives, bytes. RFC 1939 §7 allows 70; some give more.
pub const FETCH_ID_MAX: usize = 512;
/// UIDs that one IMAP command names.
pub const FETCH_UIDS_AT_ONCE: usize = 100;
/// Envelope fields of one message that are read for its recipients.
pub const FETCH_ENVELOPE_FIELDS_MAX: usize = 100;
/// Addresses of one envelope field.
pub const FETCH_ADDRESSES_MAX: usize = 100;
/// Words of a server, or of a failure, that are kept and shown, characters (attacks F6, H7).
pub const FETCH_TEXT_MAX: usize = 300;
/// Pause after the store couldn't answer.
pub const FETCH_HICCUP_TIME: Duration = Duration::from_secs(15);
/// Time in which changes of accounts are gathered for one look at them: each fetched message is a change.
pub const FETCH_GATHER_TIME: Duration = Duration::from_millis(250);
/// Longest sleep without a look at the accounts: for clocks that jump.
pub const FETCH_SLEEP_MAX: Duration = Duration::from_secs(60);
/// Literals of one IMAP answer: a message is one.
pub const FETCH_LITERALS_MAX: usize = 16;
