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
