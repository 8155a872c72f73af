//! Limits of talking to milters.

use std::time::Duration;

/// Lines of `milters.smtp`, of `milters.submission` and of `milters.lmtp`. With [`MILTER_COMMAND_TIME`] each, a client hears of a recipient
/// within the five minutes that it waits (RFC 5321 §4.5.3.2.3).
pub const MILTERS_MAX: usize = 8;
/// Longest line, bytes: a path of a socket, and what fits behind it.
pub const MILTER_LINE_MAX: usize = 1_024;
/// Longest name of a milter, bytes: it stands in the log and in verdicts.
pub const MILTER_NAME_MAX: usize = 32;
/// Macros that a line gives a value to.
pub const MILTER_MACROS_MAX: usize = 16;
/// Longest path of a Unix socket, bytes. Linux takes 107.
pub const MILTER_SOCKET_PATH_MAX: usize = 107;
/// Wait for a connection to a milter and for its terms: default of a line's `connect`.
pub const MILTER_CONNECT_TIME: Duration = Duration::from_secs(5);
/// Wait for a milter's answer to one command: default of a line's `command`. PFX `milter_command_timeout`.
pub const MILTER_COMMAND_TIME: Duration = Duration::from_secs(30);
/// Wait for a milter's verdict once it has the whole message, if it doesn't say that it is at work: default of a line's
/// `timeout`.
pub const MILTER_END_TIME: Duration = Duration::from_secs(120);
/// Longest `connect`, `command` and `timeout`, seconds. PFX `milter_content_timeout`.
pub const MILTER_TIME_CONFIG_MAX: u64 = 300;
/// From the first header field to the last verdict, all milters of a message together, whatever they say of being at work:
/// the client waits for ten minutes (RFC 5321 §4.5.3.2.6).
pub const MILTER_MESSAGE_TIME: Duration = Duration::from_secs(480);
/// Longest packet of a milter, bytes: 1 MiB is the most that the protocol can agree on.
pub const MILTER_PACKET_MAX: usize = 1024 * 1024;
/// Packets of a milter in answer to one command: each change is one, and each word that it is at work.
pub const MILTER_PACKETS_MAX: usize = 10_000;
/// Bytes of commands that are kept for one write.
pub const MILTER_WRITE_BUFFER: usize = 64 * 1024;
/// Macros that a milter asks for at one stage.
pub const MILTER_SYMBOLS_MAX: usize = 64;
/// Longest name of a macro that is heeded, bytes.
pub const MILTER_SYMBOL_MAX: usize = 64;
/// Longest value of a macro or argument, bytes; longer is cut.
pub const MILTER_VALUE_MAX: usize = 2_048;
/// Changes of the header that one milter makes in one message.
pub const MILTER_EDITS_MAX: usize = 1_000;
/// Longest name of a header field that a milter adds, bytes. RFC 5322 §2.1.1 leaves a line 998.
pub const MILTER_FIELD_NAME_MAX: usize = 256;
/// Bytes of the changes of the header that one milter makes in one message; the same as a header may have.
pub const MILTER_EDIT_BYTES_MAX: usize = 256 * 1024;
/// Recipients that one milter adds to one message, and as many that it takes away.
pub const MILTER_RECIPIENTS_MAX: usize = 1_000;
/// Text of an answer that a milter chooses, bytes. RFC 5321 §4.5.3.1.5 leaves a line 512 with code and CRLF.
pub const MILTER_ANSWER_MAX: usize = 480;
/// Reason of a milter to quarantine a message, bytes; longer is cut.
pub const MILTER_REASON_MAX: usize = 256;
/// Line of a header field that a milter writes, bytes without CRLF; longer is folded (RFC 5322 §2.1.1).
pub const MILTER_FIELD_LINE_MAX: usize = 998;
/// How long a milter that nobody could connect to isn't tried again: until then its default holds at once.
pub const MILTER_REST_TIME: Duration = Duration::from_secs(10);
/// Connections to one milter that are kept for later sessions, where its line says `reuse`.
pub const MILTER_IDLE_MAX: usize = 16;
/// How long they are kept.
pub const MILTER_IDLE_TIME: Duration = Duration::from_secs(60);
/// Wait for a milter to take the word that a session is over.
pub const MILTER_FAREWELL_TIME: Duration = Duration::from_secs(2);
