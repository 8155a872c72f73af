//! Limits of forwarding and of what others signed.

use std::time::Duration;

// ---- forwarding --------------------------------------------------------------------------------------------

/// Time that a rewritten sender takes bounces: longer than the longest queue lifetime in use (5 to 7 days, twice, for a
/// forward behind a forward). Libsrs2 `SRS_MAXAGE` has the same 21 days.
pub const SRS_TIME: Duration = Duration::from_secs(21 * 86_400);
/// Messages of others that one alias forwards in an hour of the clock; what is beyond comes again (attacks A1, 26). The busiest
/// shared address gets some hundred.
pub const FORWARDED_PER_ALIAS: u64 = 500;
/// Messages that come back to one sender that was rewritten, a day (UTC): whoever sees forwarded mail knows an address that
/// anybody may send to by way of us (attacks A1, 26). A message to some dozen aliases that bounces at each has fewer.
pub const RETURNED_PER_SENDER: u64 = 100;
/// Messages that come back to all such senders together, an hour.
pub const RETURNED_PER_HOUR: u64 = 1_000;
/// Senders without room in an address that are newly kept in a day (UTC); what is beyond goes out from the null path. With
/// [`SRS_TIME`] they are some 22,000 rows.
pub const SRS_KEPT_PER_DAY: u64 = 1_000;
/// Aliases and senders that are counted at a time: those to whom 1,000 messages an hour come back in a day, and as many aliases.
pub const FORWARD_METERS_KEPT: usize = 50_000;
/// Characters of the hash in a rewritten sender, 5 bits each: 2^40 guesses, each of them a transaction of its own, and a
/// local part has only 64 bytes. Libsrs2 has 4.
pub const SRS_HASH_CHARS: usize = 8;
/// Characters of the name under which a sender is kept that is too long to be written into a local part, 5 bits each.
pub const SRS_KEPT_CHARS: usize = 26;
/// ARC sets of a message; more make the chain invalid, and nobody adds one. RFC 8617 §4.2.1.
pub const ARC_SETS_MAX: u32 = 50;
/// DKIM signatures of one message that are verified, from the top; the rest is ignored (attacks D5).
pub const DKIM_SIGNATURES_MAX: usize = 5;
/// Names in the `h=` of a signature; one with more isn't verified. Ours have some 40.
pub const DKIM_NAMES_MAX: usize = 200;
/// Tags in a signature or key record. RFC 6376 has 13 and 7; unknown ones are allowed.
pub const DKIM_TAGS_MAX: usize = 50;
/// Largest DKIM key record that is read, bytes: an RSA key of 8,192 bits has some 1,400 (attacks D5).
pub const DKIM_RECORD_MAX: usize = 4_096;
/// Wait for all keys of one message together; those that haven't come then count as not found for now.
pub const DKIM_KEYS_TIME: Duration = Duration::from_secs(30);
/// Recipients of one message that are forwarded: each is an envelope of its own in the queue, and `QUEUE_ENVELOPES_MAX` of
/// them are one commit.
pub const FORWARDED_RECIPIENTS_MAX: usize = 50;
