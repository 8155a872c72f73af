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
/// Messages that one network may have in the quarantine, of `QUARANTINE_MESSAGES_MAX`: a tenth. What it brings beyond is refused
/// for now, and others' is kept all the same.
pub const QUARANTINE_SOURCE_MESSAGES_MAX: u64 = QUARANTINE_MESSAGES_MAX / 10;
/// Bytes of those, of `QUARANTINE_BYTES_MAX`.
pub const QUARANTINE_SOURCE_BYTES_MAX: u64 = QUARANTINE_BYTES_MAX / 10;
/// Messages of the quarantine that one question answers.
pub const QUARANTINE_PAGE: usize = 500;
/// Messages of the quarantine whose time is over that one commit takes out.
pub const QUARANTINE_SWEEP: usize = 200;
/// How often those are looked for.
pub const QUARANTINE_SWEEP_TIME: Duration = Duration::from_secs(600);
/// How long a message is kept there, unless configured otherwise, days.
pub const QUARANTINE_DAYS: usize = 30;
/// Messages of the quarantine that one answer to an administrator tells of: with the longest notes it stays far below
/// `CONTROL_ANSWER_MAX`.
pub const QUARANTINE_LISTED: usize = 100;
/// Recipients of a message of the quarantine that a list names; `mailward quarantine show` names all.
pub const QUARANTINE_LISTED_RECIPIENTS: usize = 20;
/// Of a message of the quarantine that is looked at, bytes that are read for its header, its parts and its text.
pub const QUARANTINE_READ_MAX: usize = 4 * 1024 * 1024;
/// Text of a message of the quarantine that is shown, bytes.
pub const QUARANTINE_TEXT_MAX: usize = 256 * 1024;
/// Header of a message of the quarantine that is shown, bytes.
pub const QUARANTINE_HEADER_SHOWN_MAX: usize = 64 * 1024;
/// Parts of a message of the quarantine that are named.
pub const QUARANTINE_PARTS_SHOWN_MAX: usize = 200;
/// Bytes of a message of the quarantine that one answer brings, when it is written into a file.
pub const QUARANTINE_PIECE: u64 = 1024 * 1024;
/// Findings that an alert about a message in the quarantine, or a word to its sender, names.
pub const KEPT_FINDINGS_TOLD: usize = 8;
/// Recipients that an alert about a message in the quarantine, or a word to its sender, names.
pub const KEPT_RECIPIENTS_TOLD: usize = 8;
/// Header fields that an alert about a message in the quarantine shows: with all else they fit `ALERT_LINES_MAX`.
pub const KEPT_HEADER_TOLD: usize = 20;
/// How long is remembered what was found in messages that weren't plainly delivered, for `mailward trace`.
pub const VERDICTS_TIME: Duration = Duration::from_secs(7 * 86_400);
/// How often verdicts are written; a kill loses what came since.
pub const VERDICTS_WRITE_TIME: Duration = Duration::from_secs(5);
/// Verdicts that are remembered of one hour of the clock: with `VERDICTS_TIME` 336,000 at most. Beyond, they stand in the log
/// alone.
pub const VERDICTS_PER_HOUR: usize = 2_000;
/// One verdict as it is remembered, bytes; what is longer loses what is least telling.
pub const VERDICT_BYTES_MAX: usize = 8 * 1024;
/// Hour of the day at which digests of the quarantine go out, unless configured otherwise, UTC.
pub const DIGEST_HOUR: usize = 6;
/// How often is looked whether it is time for digests.
pub const DIGEST_LOOK_TIME: Duration = Duration::from_secs(60);
/// Messages that one digest lists, the newest; of others it tells how many. Each is a change of a shelf: with the note that it was
/// told they stay below `SHELF_CHANGES_MAX`.
pub const DIGEST_MESSAGES_MAX: usize = 100;
/// Messages that are looked through for one digest; what lies behind is told as being more.
pub const DIGEST_LOOKED_MAX: usize = 2_000;
/// Messages of the quarantine that are read at a time for a digest: with the longest notes some 3 MiB.
pub const DIGEST_PAGE: usize = 50;
/// Accounts with something in the quarantine that one question answers.
pub const DIGEST_ACCOUNTS_PAGE: usize = 500;
/// Sender or subject in a digest, characters.
pub const DIGEST_TEXT_MAX: usize = 120;
/// Reasons that a digest names for one message.
pub const DIGEST_REASONS_MAX: usize = 3;
/// Characters of one reason.
pub const DIGEST_REASON_MAX: usize = 160;
/// How long a link in a digest works, days; or until the message goes, if that is sooner.
pub const LINK_DAYS: i64 = 14;
/// How long is remembered what became of a message that was in the quarantine.
pub const QUARANTINE_DONE_TIME: Duration = Duration::from_secs(90 * 86_400);
