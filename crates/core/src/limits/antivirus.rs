//! Limits of asking virus scanners.

use std::time::Duration;

// ---- antivirus ---------------------------------------------------------------------------------------------

/// Engines that are asked.
pub const ANTIVIRUS_ENGINES_MAX: usize = 8;
/// Longest line that says where an engine is, bytes.
pub const ANTIVIRUS_LINE_MAX: usize = 1_024;
/// Time to connect to an engine.
pub const ANTIVIRUS_CONNECT_TIME: Duration = Duration::from_secs(5);
/// Time that an engine has for one message, all of it: `clamd`'s own `MaxScanTime` is two minutes; a client that waits for
/// the answer to its message gives up after ten (RFC 5321 §4.5.3.2.6).
pub const ANTIVIRUS_TIME: Duration = Duration::from_secs(90);
/// Messages that one engine looks at at once; others wait, within their time. `clamd` has ten threads by default.
pub const ANTIVIRUS_AT_ONCE: usize = 10;
/// Messages that wait for a turn at one engine; who comes beyond is refused for now.
pub const ANTIVIRUS_WAITING_MAX: usize = 1_000;
/// Longest wait for a turn: it isn't of the engine's own time.
pub const ANTIVIRUS_TURN_TIME: Duration = Duration::from_secs(30);
/// Connections to one engine that are kept open for the next message.
pub const ANTIVIRUS_KEPT_MAX: usize = 4;
/// How long a connection is kept that nobody uses. `clamd` closes after thirty seconds (`IdleTimeout`), and others later.
pub const ANTIVIRUS_KEPT_TIME: Duration = Duration::from_secs(15);
/// Bytes of one piece of a message on its way to an engine.
pub const ANTIVIRUS_CHUNK: usize = 64 * 1024;
/// Longest answer of `clamd`, bytes.
pub const CLAMD_ANSWER_MAX: usize = 4 * 1024;
/// Longest head of an ICAP answer, its ICAP fields and the HTTP ones within, bytes each.
pub const ICAP_HEAD_MAX: usize = 16 * 1024;
/// Fields of one head.
pub const ICAP_FIELDS_MAX: usize = 100;
/// Body of an ICAP answer that is read and thrown away so that the connection stays, bytes; of more the connection is
/// closed.
pub const ICAP_BODY_MAX: usize = 256 * 1024;
/// Beginning of a message that an ICAP server gets to say whether it wants the rest, bytes, if it wishes for that much (RFC
/// 3507 §4.5); never all of the message.
pub const ICAP_PREVIEW_MAX: usize = 64 * 1024;
/// Name of what an engine found, characters; it is cut.
pub const ANTIVIRUS_NAME_MAX: usize = 96;
/// Names of one message and engine.
pub const ANTIVIRUS_NAMES_MAX: usize = 8;
/// Readings of one message that are sent beside the message itself.
pub const ANTIVIRUS_READINGS_MAX: usize = 8;
/// How often an engine is asked how it is.
pub const ANTIVIRUS_HEALTH_EVERY: Duration = Duration::from_secs(60);
/// Age of signatures, hours, from which on it is told: default of `antivirus.signatures_age`.
pub const ANTIVIRUS_SIGNATURES_HOURS: u64 = 48;
/// Words of an engine that is a command, the program among them.
pub const ANTIVIRUS_WORDS_MAX: usize = 32;
/// Time that an engine has to say how it is.
pub const ANTIVIRUS_HEALTH_TIME: Duration = Duration::from_secs(20);
/// Characters of what is told of an engine's trouble.
pub const ANTIVIRUS_WORDS_TOLD_MAX: usize = 200;
/// Time that a program has for one message; then it is killed with all that it started.
pub const ANTIVIRUS_COMMAND_TIME: Duration = Duration::from_secs(60);
/// Programs of one engine that run at once: each loads its signatures anew.
pub const ANTIVIRUS_COMMANDS_AT_ONCE: usize = 2;
/// Messages that the supervisor holds for programs at once: as many as all engines may have.
pub const SUPERVISOR_SCANS_MAX: usize = ANTIVIRUS_ENGINES_MAX * ANTIVIRUS_COMMANDS_AT_ONCE;
/// Bytes of a message in one order to the supervisor: in base64 it fits a line.
pub const SUPERVISOR_PIECE: usize = 32 * 1024;

// ---- stored mail, looked at again --------------------------------------------------------------------------

/// Messages of a mailbox that are listed at once while stored mail is looked at.
pub const RESCAN_PAGE: usize = 500;
/// Messages after which it is noted how far it came: what a kill makes it look at twice.
pub const RESCAN_NOTED_EVERY: u64 = 200;
/// Longest time between two such notes, while something was looked at.
pub const RESCAN_NOTED_TIME: Duration = Duration::from_secs(30);
/// Longest rest after a message; it is as long as looking at it took, so that arriving mail finds engines and workers free at
/// least half of the time.
pub const RESCAN_REST_MAX: Duration = Duration::from_secs(5);
/// Pause before a message is shown again that nobody could look at.
pub const RESCAN_WAIT: Duration = Duration::from_secs(10);
/// How often that is tried before looking at stored mail breaks off: half an hour.
pub const RESCAN_TRIES: u32 = 180;
/// Contents that are remembered as clean while stored mail is looked at, so that what many users have is looked at once.
pub const RESCAN_CLEAN_MAX: usize = 20_000;
/// Names of what was found that are remembered of once looking at stored mail.
pub const RESCAN_NAMES_MAX: usize = 16;
/// What is said of an engine that looked at stored mail, characters.
pub const RESCAN_WORDS_MAX: usize = 200;
/// How long it is remembered that an administrator released a message that a virus scanner found something in.
pub const RESCAN_LET_GO_TIME: Duration = Duration::from_secs(2 * 366 * 86_400);
/// What `antivirus.rescan = "weekly"` looks at: what came in so many days. Some weeks: signatures of what is new come late.
pub const RESCAN_WEEKLY_DAYS: i64 = 35;
/// The hour of the day, UTC, at which stored mail is looked at, unless configured otherwise.
pub const RESCAN_HOUR: u8 = 2;
/// How often it is looked whether it is time.
pub const RESCAN_DUE_EVERY: Duration = Duration::from_secs(300);
