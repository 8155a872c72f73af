//! The protocol without I/O: bytes in, replies and intents out (RFC 1939 §3 to §7).
//!
//! The session around it does what [`Intent`] says, answers with the method named there, writes what
//! [`Machine::output`] holds, and asks [`Machine::advance`] again.

use crate::command::{self, Command, CommandError};
use crate::maildrop::{Entry, Maildrop};
use mailward_core::Secret;
use mailward_core::limits::{AUTH_ATTEMPTS_MAX, POP3_ERRORS_MAX, POP3_LINE_MAX, SASL_LINE_MAX, WRITE_BUFFER_MAX};
use mailward_store::records::UidRange;
use std::io::Write as _;

/// One session's protocol state.
#[derive(Debug)]
pub struct Machine {
    wire: WireFacts,
    state: State,
    input: Input,
    output: Vec<u8>,
    listing: Option<Listing>,
    /// Bad lines so far.
    errors: usize,
    /// Failed logins so far.
    attempts: usize,
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
    /// Send a message through [`Machine::output`]: after [`Machine::message_follows`], or [`Machine::message_gone`].
    Send {
        /// Which.
        entry: Entry,
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
    /// A browser (attacks B8).
    Http,
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Wrong, whatever was.
    Refused,
    /// The exchange broke its grammar.
    Malformed,
    /// No such mechanism.
    UnknownMechanism,
    /// Not without TLS.
    NeedsTls,
    /// Later.
    Temporary,
    /// Another session has the maildrop, or the account has too many sessions.
    InUse,
}

#[derive(Clone, Copy, Debug)]
struct Listing {
    kind: ListKind,
    next: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListKind {
    Sizes,
    UniqueIds,
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
            errors: 0,
            attempts: 0,
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

    /// Whether somebody is logged in.
    #[must_use]
    pub const fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Transaction(_))
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
            if self.errors >= POP3_ERRORS_MAX {
                return self.close(CloseReason::Errors, "-ERR too many errors\r\n");
            }
            if let Some(listing) = self.listing.take() {
                self.listing = self.write_listing(listing);
            }
            if self.output.len() >= WRITE_BUFFER_MAX {
                return Intent::Write;
            }
            if self.listing.is_some() {
                continue;
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
            Err(CommandError::Http) => return Some(self.close(CloseReason::Http, "")),
            Err(CommandError::Unknown) => return self.error("unknown command"),
            Err(CommandError::Usage(usage)) => return self.usage(usage),
        };
        match command {
            Command::Capa => {
                self.capabilities();
                None
            }
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
        let (messages, octets) = maildrop.left();
        self.write(format_args!("+OK {messages} messages, {octets} octets\r\n"));
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
            Denial::UnknownMechanism | Denial::NeedsTls | Denial::Temporary | Denial::InUse => {
                self.errors = self.errors.saturating_add(1);
            }
        }
    }

    // ---- TRANSACTION ---------------------------------------------------------------------------------------

    fn transaction(&mut self, command: Command) -> Option<Intent> {
        let State::Transaction(maildrop) = &mut self.state else { return None };
        match command {
            Command::Noop => self.reply("+OK\r\n"),
            Command::Stat => {
                let (messages, octets) = maildrop.left();
                self.write(format_args!("+OK {messages} {octets}\r\n"));
            }
            Command::List(None) => self.list(ListKind::Sizes),
            Command::Uidl(None) => self.list(ListKind::UniqueIds),
            Command::List(Some(number)) => match maildrop.get(number).map(|entry| entry.size) {
                Some(size) => self.write(format_args!("+OK {number} {size}\r\n")),
                None => return self.no_such_message(),
            },
            Command::Uidl(Some(number)) => match maildrop.get(number).map(|entry| maildrop.unique_id(entry)) {
                Some(id) => self.write(format_args!("+OK {number} {id}\r\n")),
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
            Command::User(_) | Command::Pass(_) | Command::Auth { .. } => return self.error("logged in already"),
            Command::Capa => {}
        }
        None
    }

    fn send(&mut self, number: u32, lines: Option<u64>) -> Option<Intent> {
        let State::Transaction(maildrop) = &self.state else { return None };
        match maildrop.get(number).copied() {
            Some(entry) => Some(Intent::Send { entry, lines }),
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

    /// The message is gone since login (IMAP, or an administrator), or can't be read now.
    pub fn message_gone(&mut self, temporary: bool) {
        self.reply(if temporary {
            "-ERR [SYS/TEMP] the message can't be read now\r\n"
        } else {
            "-ERR that message was deleted elsewhere\r\n"
        });
    }

    fn list(&mut self, kind: ListKind) {
        self.reply("+OK\r\n");
        self.listing = Some(Listing { kind, next: 1 });
    }

    /// Writes lines until the output is full; the rest comes after it was written.
    fn write_listing(&mut self, mut listing: Listing) -> Option<Listing> {
        let State::Transaction(maildrop) = &self.state else { return None };
        while self.output.len() < WRITE_BUFFER_MAX {
            let Some((number, entry)) = maildrop.next_from(listing.next) else {
                self.output.extend_from_slice(b".\r\n");
                return None;
            };
            // Writing to a Vec can't fail.
            let _infallible = match listing.kind {
                ListKind::Sizes => write!(self.output, "{number} {}\r\n", entry.size),
                ListKind::UniqueIds => write!(self.output, "{number} {}\r\n", maildrop.unique_id(entry)),
            };
            listing.next = number.saturating_add(1);
        }
        Some(listing)
    }

    // ---- UPDATE --------------------------------------------------------------------------------------------

    /// What was marked is deleted, or some of it is left (RFC 1939 §6).
    pub fn updated(&mut self, all: bool) {
        self.reply(if all { "+OK bye\r\n" } else { "-ERR [SYS/TEMP] some messages were not deleted\r\n" });
        self.closed = true;
    }

    /// The server stops; the output holds the word for the client.
    pub fn stopping(&mut self) {
        self.reply("-ERR [SYS/TEMP] the server stops, nothing was deleted\r\n");
        self.closed = true;
    }

    /// This session alone is ended; the output holds the word for the client.
    pub fn ended(&mut self) {
        self.reply("-ERR [SYS/TEMP] this session was ended, nothing was deleted\r\n");
        self.closed = true;
    }

    /// The account was disabled or removed; the output holds the word for the client.
    pub fn unwelcome(&mut self) {
        self.reply("-ERR [AUTH] the account was disabled, nothing was deleted\r\n");
        self.closed = true;
    }

    // ---- replies -------------------------------------------------------------------------------------------

    fn capabilities(&mut self) {
        self.reply("+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n");
        if self.wire.tls {
            self.reply("USER\r\n");
        } else if self.wire.can_start_tls {
            self.reply("STLS\r\n");
        }
        if self.wire.tls && !self.wire.mechanisms.is_empty() {
            let mechanisms = self.wire.mechanisms.join(" ");
            self.write(format_args!("SASL {mechanisms}\r\n"));
        }
        self.reply(".\r\n");
    }

    fn reply(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a Vec can't fail.
        let _infallible = self.output.write_fmt(text);
    }

    fn no_such_message(&mut self) -> Option<Intent> {
        self.reply("-ERR no such message\r\n");
        None
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

impl Denial {
    /// RFC 2449 §8, RFC 3206.
    const fn reply(self) -> &'static str {
        match self {
            Denial::Refused => "-ERR [AUTH] user name or password is wrong\r\n",
            Denial::Malformed => "-ERR the exchange broke off\r\n",
            Denial::UnknownMechanism => "-ERR no such mechanism; CAPA lists those there are\r\n",
            Denial::NeedsTls => "-ERR no login in clear: start TLS first (STLS, or port 995)\r\n",
            Denial::Temporary => "-ERR [SYS/TEMP] no login now, try again later\r\n",
            Denial::InUse => "-ERR [IN-USE] another session has this maildrop\r\n",
        }
    }
}

// ---- lines ---------------------------------------------------------------------------------------------------

/// The one bounded reader that every state uses (attacks G1).
#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    /// Before this, `bytes` are used up.
    start: usize,
    /// Bytes of an overlong line thrown away so far.
    skipped: usize,
    lines: u64,
}

enum Taken {
    Nothing,
    /// Without its CRLF; a secret as it may hold a password.
    Line(Secret),
    BadEnd,
    TooLong,
    Endless,
}

impl Input {
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start.min(self.bytes.len()));
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn is_empty(&self) -> bool {
        self.start >= self.bytes.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.skipped = 0;
    }

    /// The next line of at most `limit` bytes with its CRLF.
    fn take(&mut self, limit: usize) -> Taken {
        let rest = self.bytes.get_mut(self.start..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if rest.len() < limit && self.skipped == 0 {
                return Taken::Nothing;
            }
            self.skipped = self.skipped.saturating_add(rest.len());
            self.bytes.clear();
            self.start = 0;
            return if self.skipped > SASL_LINE_MAX { Taken::Endless } else { Taken::Nothing };
        };
        let after = end.saturating_add(1);
        self.start = self.start.saturating_add(after);
        self.lines = self.lines.saturating_add(1);
        let line = rest.get_mut(..after).unwrap_or_default();
        let too_long = std::mem::take(&mut self.skipped).saturating_add(after) > limit;
        let whole = line.strip_suffix(b"\r\n").filter(|text| !text.iter().any(|b| matches!(b, b'\r' | 0)));
        let taken = match whole {
            _ if too_long => Taken::TooLong,
            Some(text) => Taken::Line(Secret::new(text)),
            None => Taken::BadEnd,
        };
        // It may hold a password, and this buffer lives as long as the session.
        line.fill(0);
        taken
    }
}

#[cfg(test)]
mod tests;
