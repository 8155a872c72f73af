//! Limits of the quarantine.

use std::time::Duration;

/// What is written about a message in the quarantine, bytes: why it is there, and from whom to whom.
pub const QUARANTINE_NOTE_MAX: usize = 64 * 1024;
/// Where a message in the quarantine goes if it is released, bytes: enough for `SMTP_RECIPIENTS_MAX` recipients.
pub const QUARANTINE_WAYS_MAX: usize = 4 * 1024 * 1024;
/// Messages that the quarantine holds: outsiders bring what goes there, and no quota counts it. Beyond, what would be kept is refused
/// for now.
pub const QUARANTINE_MESSAGES_MAX: u64 = 20_000;
/// Bytes of those.
pub const QUARANTINE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Messages of the quarantine that one question answers.
pub const QUARANTINE_PAGE: usize = 500;
/// Messages of the quarantine whose time is over that one commit takes out.
pub const QUARANTINE_SWEEP: usize = 200;
/// How often those are looked for.
pub const QUARANTINE_SWEEP_TIME: Duration = Duration::from_secs(600);
/// How long a message is kept there, unless configured otherwise, days.
pub const QUARANTINE_DAYS: usize = 30;
