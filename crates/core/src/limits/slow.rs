//! Limits for slow and silly clients: times and mistakes under stress, and what the log keeps of a flood.

use std::time::Duration;

// ---- stress ------------------------------------------------------------------------------------------------

/// Share of `limits.connections` that are open when stress begins, parts of 100: default of `limits.stress_enter`.
pub const STRESS_ENTER_PERCENT: usize = 80;
/// Share at which it ends, parts of 100: default of `limits.stress_leave`. Lower, so that it doesn't come and go with
/// each connection.
pub const STRESS_LEAVE_PERCENT: usize = 60;
/// Under stress: time for a command, a login's next word, a TLS handshake, and longest silence within message data, of
/// who isn't logged in and has brought nothing. PFX `smtpd_timeout` under stress.
pub const STRESS_COMMAND_TIME: Duration = Duration::from_secs(10);
/// Under stress: time of such an SMTP session in all, but for the message that is coming.
pub const STRESS_SESSION_TIME: Duration = Duration::from_secs(60);
/// Under stress: errors of such a session before it ends. PFX `smtpd_hard_error_limit` under stress.
pub const STRESS_ERRORS_MAX: usize = 1;
/// Under stress: commands of such an SMTP session that bring nothing forward, greetings apart: STARTTLS takes two of
/// those. PFX `smtpd_junk_command_limit` under stress.
pub const STRESS_JUNK_COMMANDS_MAX: usize = 1;
/// Under stress: the part of `limits.connections_per_address` from which on a host gets no more connections.
pub const STRESS_ADDRESS_SHARE: usize = 4;

// ---- recipients ---------------------------------------------------------------------------------------------

/// Recipients beyond `limits.recipients` that may be named for a message before each is an error. PFX
/// `smtpd_recipient_overshoot_limit`.
pub const SMTP_RECIPIENTS_OVER_MAX: usize = 1_000;

// ---- before a login ----------------------------------------------------------------------------------------

/// Commands before a login, IMAP and POP3: clients need five. PFX `smtpd_junk_command_limit` is as high.
pub const GUEST_COMMANDS_MAX: usize = 100;

// ---- the log under a flood ---------------------------------------------------------------------------------

/// Lines of one kind that strangers can cause which the log takes in [`LOG_SAMPLE_TIME`]; more are counted, and the
/// count is told. Alerts are always told. Attacks H8.
pub const LOG_SAMPLE_LINES: u64 = 100;
/// See [`LOG_SAMPLE_LINES`].
pub const LOG_SAMPLE_TIME: Duration = Duration::from_secs(10);
