//! The protocol without I/O: bytes in, replies and intents out (RFC 1939 §3 to §7).
//!
//! The session around it does what [`Intent`] says, answers with the method named there, writes what
//! [`Machine::output`] holds, and asks [`Machine::advance`] again.

mod input;
mod listing;
mod replies;

use crate::command::{self, Command, CommandError};
use crate::maildrop::Maildrop;
use input::{Input, Taken};
use listing::Listing;
use mailward_core::Secret;
use mailward_core::foreign::{self, Foreign};
use mailward_core::limits::{
    AUTH_ATTEMPTS_MAX, GUEST_COMMANDS_MAX, POP3_ERRORS_MAX, POP3_LINE_MAX, SASL_LINE_MAX, STRESS_ERRORS_MAX,
    WRITE_BUFFER_MAX,
};
use mailward_store::records::UidRange;
use std::io::Write as _;

pub use replies::{Denial, Gone};

/// One session's protocol state.
#[derive(Debug)]
pub struct Machine {
    wire: WireFacts,
    state: State,
    input: Input,
    output: Vec<u8>,
    listing: Option<Listing>,
    /// The client takes messages as they are (RFC 6856 §2.1).
    utf8: bool,
    /// Bad lines so far.
    errors: usize,
    /// Failed logins so far.
    attempts: usize,
    /// See [`Machine::hurry`].
    hurried: bool,
    closed: bool,
}

/// What the machine needs to know of the wire.
#[derive(Clone, Debug, Default)]
pub struct WireFacts {
    /// TLS is on.
    pub tls: bool,
    /// TLS could be started.
    pub can_start_tls: bool,
    /// SASL mechanisms to offer; empty without TLS.
    pub mechanisms: Vec<&'static str>,
}

#[derive(Debug)]
enum State {
    /// RFC 1939 §4.
    Authorization { user: Option<String> },
    /// In a SASL exchange: lines are responses.
    Sasl,
    /// RFC 1939 §5. UPDATE (§6) is [`Intent::Update`].
    Transaction(Maildrop),
}

/// What the session has to do.
#[derive(Debug)]
pub enum Intent {
    /// Write the output, read more bytes, [`Machine::feed`] them.
    Read,
    /// Write the output, which is full; there is more to come.
    Write,
    /// Write the output, start TLS, then [`Machine::tls_started`].
    StartTls,
    /// Verify, then [`Machine::welcome`] or [`Machine::deny`].
    Password {
        /// As given.
        user: String,
        /// As given.
        password: Secret,
    },
    /// Begin a SASL exchange, then [`Machine::challenge`], [`Machine::welcome`] or [`Machine::deny`].
    SaslBegin {
        /// In capitals.
        mechanism: String,
        /// Decoded.
        initial: Option<Secret>,
    },
    /// Go on with it, as above.
    SaslResponse(Secret),
    /// Look up sizes of messages of these UIDs, ascending from the first, as many as fit; then [`Machine::sizes`] or
    /// [`Machine::sizes_failed`].
    Sizes(UidRange),
    /// Send a message through [`Machine::output`]: after [`Machine::message_follows`], or [`Machine::message_gone`].
    Send {
        /// Its number.
        number: u32,
        /// Its UID first; up to the last of the maildrop, for who reads ahead.
        uids: UidRange,
        /// Lines of the body for TOP; `None` is all of it.
        lines: Option<u64>,
    },
    /// QUIT: delete these, then [`Machine::updated`].
    Update(Vec<UidRange>),
    /// Write the output and close.
    Close(CloseReason),
}

/// Why the machine ended the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client said QUIT.
    Quit,
    /// [`POP3_ERRORS_MAX`] bad lines.
    Errors,
    /// [`AUTH_ATTEMPTS_MAX`] failed logins.
    Logins,
    /// A line without an end, past [`SASL_LINE_MAX`].
    Line,
    /// Bytes behind STLS in clear (attacks B1).
    StlsInjection,
    /// A browser, or another client that is wrong here (attacks B8).
    Foreign(Foreign),
    /// [`GUEST_COMMANDS_MAX`].
    Commands,
}

impl Machine {
    /// A session that begins; the greeting is in the output. There is no `<…>` in it, so that nobody takes it for
    /// APOP's (attacks G11).
    #[must_use]
    pub fn new(wire: WireFacts) -> Self {
        Self {
            wire,
            state: State::Authorization { user: None },
            input: Input::default(),
            output: b"+OK Mailward POP3 ready\r\n".to_vec(),
            listing: None,
            utf8: false,
            errors: 0,
            attempts: 0,
            hurried: false,
            closed: false,
        }
    }

    /// Bytes from the client; only after [`Intent::Read`], which keeps what waits here under one line and one read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.feed(bytes);
    }

    /// Replies that wait to be written; the session takes them out.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Whole lines read so far: a deadline is for a line, not for a byte.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.input.lines
    }

    /// Whether the client takes messages as they are; else they go out in the form of RFC 6858.
    #[must_use]
    pub const fn is_utf8(&self) -> bool {
        self.utf8
    }

    /// Whether the server is under stress: before the login [`STRESS_ERRORS_MAX`] bad lines are enough.
    pub const fn hurry(&mut self, stress: bool) {
        self.hurried = stress;
    }

    /// What to do next.
    pub fn advance(&mut self) -> Intent {
        loop {
            if self.closed {
                return Intent::Close(CloseReason::Quit);
            }
            if self.attempts >= AUTH_ATTEMPTS_MAX {
                return self.close(CloseReason::Logins, "");
            }
            let hurried = self.hurried && !self.is_logged_in();
            if self.errors >= if hurried { STRESS_ERRORS_MAX } else { POP3_ERRORS_MAX } {
                return self.close(CloseReason::Errors, "-ERR too many errors\r\n");
            }
            if !self.is_logged_in() && self.input.lines > GUEST_COMMANDS_MAX as u64 {
                return self.close(CloseReason::Commands, "-ERR too many commands before a login\r\n");
            }
            if matches!(self.state, State::Authorization { .. })
                && let Some(what) = foreign::recognise(self.input.unread(POP3_LINE_MAX))
            {
                return self.close(CloseReason::Foreign(what), "");
            }
            if self.output.len() >= WRITE_BUFFER_MAX {
                return Intent::Write;
            }
            if let Some(listing) = self.listing.take() {
                match self.list(listing) {
                    Some(intent) => return intent,
                    None => continue,
                }
            }
            let limit = if matches!(self.state, State::Sasl) { SASL_LINE_MAX } else { POP3_LINE_MAX };
            let intent = match self.input.take(limit) {
                Taken::Nothing => return Intent::Read,
                Taken::Line(line) => self.line(line.expose()),
                Taken::BadEnd => self.error("a line ends with CRLF and holds no other CR and no NUL"),
                Taken::TooLong => self.error("that line is too long"),
                Taken::Endless => Some(self.close(CloseReason::Line, "-ERR that line is too long\r\n")),
            };
            if let Some(intent) = intent {
                return intent;
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<Intent> {
        if matches!(self.state, State::Sasl) {
            return self.sasl_line(line);
        }
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(CommandError::Http) => return Some(self.close(CloseReason::Foreign(Foreign::Http), "")),
            Err(CommandError::Unknown) => return self.error("unknown command"),
            Err(CommandError::Usage(usage)) => return self.usage(usage),
        };
        match command {
            Command::Capa => {
                self.capabilities();
                None
            }
            Command::Lang(range) => self.language(range.as_deref()),
            command if self.is_logged_in() => self.transaction(command),
            command => self.authorization(command),
        }
    }

    // ---- AUTHORIZATION -------------------------------------------------------------------------------------

    fn authorization(&mut self, command: Command) -> Option<Intent> {
        let State::Authorization { user } = &mut self.state else { return None };
        match command {
            Command::Quit => return Some(self.close(CloseReason::Quit, "+OK bye\r\n")),
            Command::Stls if self.wire.tls => return self.error("TLS is on already"),
            Command::Stls if !self.wire.can_start_tls => return self.error("there is no TLS here"),
            // RFC 6856 §2.1.
            Command::Stls if self.utf8 => return self.error("STLS comes before UTF8"),
            Command::Stls if !self.input.is_empty() => {
                // What came in clear behind STLS may be somebody else's (attacks B1).
                let text = "-ERR nothing may follow STLS before TLS has begun\r\n";
                return Some(self.close(CloseReason::StlsInjection, text));
            }
            Command::Stls => {
                self.reply("+OK begin TLS now\r\n");
                return Some(Intent::StartTls);
            }
            Command::User(_) | Command::Pass(_) | Command::Auth { .. } if !self.wire.tls => {
                return self.error("no login in clear: start TLS first (STLS, or port 995)");
            }
            // There is nothing to switch before a login, and STLS must come first.
            Command::Utf8 if !self.wire.tls => return self.error("start TLS first (STLS, or port 995)"),
            Command::Utf8 => {
                self.utf8 = true;
                self.reply("+OK messages as they are\r\n");
            }
            Command::User(name) => {
                *user = Some(name);
                // The same for everybody: it says nothing about who exists.
                self.reply("+OK and the password?\r\n");
            }
            Command::Pass(password) => match user.take() {
                Some(user) => return Some(Intent::Password { user, password }),
                None => return self.error("USER comes before PASS"),
            },
            Command::Auth { mechanism, initial } => {
                *user = None;
                return Some(Intent::SaslBegin { mechanism, initial });
            }
            _ => return self.error("log in first"),
        }
        None
    }

    /// TLS is on: what was said before is forgotten (RFC 2595 §4).
    pub fn tls_started(&mut self, mechanisms: Vec<&'static str>) {
        self.wire = WireFacts { tls: true, can_start_tls: false, mechanisms };
        self.state = State::Authorization { user: None };
        self.input.clear();
    }

    fn sasl_line(&mut self, line: &[u8]) -> Option<Intent> {
        match command::sasl_response(line) {
            Ok(Some(response)) => Some(Intent::SaslResponse(response)),
            Ok(None) => {
                self.state = State::Authorization { user: None };
                self.error("given up")
            }
            Err(_) => {
                self.state = State::Authorization { user: None };
                self.error("that is not base64")
            }
        }
    }

    /// The server's turn in a SASL exchange; the next line is the client's.
    pub fn challenge(&mut self, challenge: &[u8]) {
        use base64::Engine as _;
        self.state = State::Sasl;
        let text = base64::engine::general_purpose::STANDARD.encode(challenge);
        self.reply("+ ");
        self.reply(&text);
        self.reply("\r\n");
    }

    /// Somebody is logged in, and the maildrop is theirs.
    pub fn welcome(&mut self, maildrop: Maildrop) {
        self.write(format_args!("+OK {} messages\r\n", maildrop.left()));
        self.state = State::Transaction(maildrop);
    }

    /// Nobody is.
    pub fn deny(&mut self, denial: Denial) {
        self.state = State::Authorization { user: None };
        self.reply(denial.reply());
        match denial {
            Denial::Refused | Denial::Malformed => {
                self.attempts = self.attempts.saturating_add(1);
            }
            _ => self.errors = self.errors.saturating_add(1),
        }
    }

    // ---- TRANSACTION ---------------------------------------------------------------------------------------

    fn transaction(&mut self, command: Command) -> Option<Intent> {
        let State::Transaction(maildrop) = &mut self.state else { return None };
        match command {
            Command::Noop => self.reply("+OK\r\n"),
            Command::Stat => match maildrop.octets() {
                Some(octets) => {
                    let messages = maildrop.left();
                    self.write(format_args!("+OK {messages} {octets}\r\n"));
                }
                None => self.listing = Some(Listing::sum()),
            },
            Command::List(None) => self.listing = Some(Listing::sizes()),
            Command::Uidl(None) => self.listing = Some(Listing::unique_ids()),
            Command::List(Some(number)) => match maildrop.uid(number) {
                Some(uid) => self.listing = Some(Listing::one_size(number, uid)),
                None => return self.no_such_message(),
            },
            Command::Uidl(Some(number)) => match maildrop.uid(number) {
                Some(uid) => {
                    // Writing to a Vec can't fail.
                    let _infallible = write!(self.output, "+OK {number} {}\r\n", maildrop.unique_id(uid));
                }
                None => return self.no_such_message(),
            },
            Command::Retr(number) => return self.send(number, None),
            Command::Top(number, lines) => return self.send(number, Some(lines)),
            Command::Dele(number) => {
                if !maildrop.mark(number) {
                    return self.no_such_message();
                }
                self.reply("+OK deleted at QUIT\r\n");
            }
            Command::Rset => {
                maildrop.unmark_all();
                self.reply("+OK\r\n");
            }
            Command::Quit => return Some(Intent::Update(maildrop.marked())),
            Command::Stls => return self.error("STLS comes before the login"),
            Command::Utf8 => return self.error("UTF8 comes before the login"),
            Command::User(_) | Command::Pass(_) | Command::Auth { .. } => return self.error("logged in already"),
            Command::Capa | Command::Lang(_) => {}
        }
        None
    }

    fn send(&mut self, number: u32, lines: Option<u64>) -> Option<Intent> {
        let State::Transaction(maildrop) = &self.state else { return None };
        match maildrop.uid(number).and_then(|_| maildrop.uids_from(number)) {
            Some(uids) => Some(Intent::Send { number, uids, lines }),
            None => self.no_such_message(),
        }
    }

    /// The message's first bytes were read: its answer begins. `size` is told for RETR only.
    pub fn message_follows(&mut self, size: Option<u64>) {
        match size {
            Some(size) => self.write(format_args!("+OK {size} octets\r\n")),
            None => self.reply("+OK\r\n"),
        }
    }

    /// There is no message to send.
    pub fn message_gone(&mut self, gone: Gone) {
        self.reply(gone.reply());
    }

    // ---- UPDATE --------------------------------------------------------------------------------------------

    /// What was marked is deleted, or some of it is left (RFC 1939 §6).
    pub fn updated(&mut self, all: bool) {
        self.reply(if all { "+OK bye\r\n" } else { "-ERR [SYS/TEMP] some messages were not deleted\r\n" });
        self.closed = true;
    }

    // ---- replies -------------------------------------------------------------------------------------------

    fn reply(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a Vec can't fail.
        let _infallible = self.output.write_fmt(text);
    }

    fn usage(&mut self, usage: &str) -> Option<Intent> {
        self.error(&format!("it is written: {usage}"))
    }

    /// A bad line: the session lives, until there were too many.
    fn error(&mut self, text: &str) -> Option<Intent> {
        self.write(format_args!("-ERR {text}\r\n"));
        self.errors = self.errors.saturating_add(1);
        None
    }

    fn close(&mut self, reason: CloseReason, text: &str) -> Intent {
        self.reply(text);
        self.closed = true;
        Intent::Close(reason)
    }
}

#[cfg(test)]
mod tests;
