//! Limits of what users send, and of what is told of it: care for the reputation of this server.

use crate::sending::SendLimits;

// ---- what users send ---------------------------------------------------------------------------------------

/// What one user may send to other domains before it is held: default of `user_limits`:
/// messages an hour and a day, recipients likewise, new recipients likewise. A busy person writes some 100
/// messages a day, an invitation may go to 100 new people; a stolen password is used for thousands.
pub const USER_LIMITS: SendLimits = SendLimits::of([200, 1_000, 500, 2_000, 150, 500]);
/// What all users of one domain together may send before it is held: default of `domain_limits`. Ten times a user's: several
/// stolen passwords at once.
pub const DOMAIN_LIMITS: SendLimits = SendLimits::of([2_000, 10_000, 5_000, 20_000, 1_500, 5_000]);
/// Most that a limit of sending may be: more than any server sends; none is 0.
pub const SEND_LIMIT_CONFIG_MAX: usize = 1_000_000_000;
/// Hours that what was sent is remembered, one row each: a day for the limits, four weeks to know what is usual.
pub const SENT_HOURS_KEPT: i64 = 28 * 24;
/// Days that a recipient stays known after the last message to it: whoever gets one letter a year is known.
pub const KNOWN_RECIPIENT_DAYS: i64 = 400;
/// Days after which it is noted anew that a known recipient was written to, so that most messages write nothing for it.
pub const KNOWN_RECIPIENT_NOTE_DAYS: i64 = 30;
/// Known recipients that are forgotten in one commit, once an hour for each that sends.
pub const KNOWN_RECIPIENTS_SWEEP: usize = 1_000;

// ---- freezing ----------------------------------------------------------------------------------------------

/// Messages of a user that were held in a day, as they went beyond a limit, before the user is frozen.
pub const FREEZE_HELD_MESSAGES: u64 = 50;
/// New recipients in an hour below which nobody is frozen for them.
pub const FREEZE_NEW_RECIPIENTS: u64 = 60;
/// How many times as many new recipients as in the user's busiest hour of the last four weeks are a burst.
pub const FREEZE_NEW_TIMES: u64 = 10;
/// Hours that a user must have sent in before what is usual for them is known.
pub const FREEZE_HISTORY_HOURS: u64 = 10;
/// Recipients of a user that were refused for good in an hour before the user is frozen, if they also are a part of
/// what was sent: see [`FREEZE_REFUSED_PART`].
pub const FREEZE_REFUSED_RECIPIENTS: u64 = 30;
/// One recipient of so many of a day, refused for good, is too many: bought addresses are dead more often.
pub const FREEZE_REFUSED_PART: u64 = 5;
/// Sessions that are named in the alert of a frozen user; all are in `mailward sessions --user`.
pub const FREEZE_SESSIONS_TOLD: usize = 50;

// ---- notices -----------------------------------------------------------------------------------------------

/// Bytes that notices of ours (bounces, warnings, alerts) may take in a mailbox beyond its quota: some forty with a
/// header each. Whose mailbox is full should still hear why mail didn't arrive.
pub const NOTICE_BYTES_BEYOND_QUOTA: u64 = 4 * 1024 * 1024;
/// Messages likewise.
pub const NOTICE_MESSAGES_BEYOND_QUOTA: u64 = 100;
/// Words that an administrator gives a bounce, bytes.
pub const BOUNCE_WORDS_MAX: usize = 400;
/// Messages that one step of bouncing gives up: each is a commit.
pub const BOUNCE_STEP: usize = 100;

// ---- schedules ---------------------------------------------------------------------------------------------

/// Schedules of senders and domains: all are in memory.
pub const SCHEDULES_MAX: usize = 10_000;
/// Different schedules of one message: each is a message of its own in the queue, of which one delivery makes
/// `QUEUE_ENVELOPES_MAX` at most. What is beyond goes as usual.
pub const SCHEDULES_PER_MESSAGE: usize = 50;
/// Longest lifetime of a schedule, hours: 30 days, as `queue.lifetime`.
pub const SCHEDULE_HOURS_MAX: u32 = 720;
