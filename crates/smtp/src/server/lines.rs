//! Command lines: which command may stand where, and what it does.

use super::states::{Chunks, Closing, Greeted, MailGiven, Rights, State, TlsState};
use super::tickets::How;
use super::{Dialect, Next, Session};
use crate::body::Fault;
use crate::command::{self, Chunk, Command, Envelope, Hello};
use crate::input::Input;
use crate::params::{self, Known};
use crate::path;
use crate::reply::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::AddressError;
use mailward_core::foreign::{self, Foreign};
use mailward_core::limits::{
    SASL_LINE_MAX, SMTP_CHUNKS_MAX, SMTP_COMMAND_LINE_MAX, SMTP_JUNK_BEFORE_HELLO_MAX, SMTP_JUNK_COMMANDS_MAX,
    SMTP_RECIPIENTS_OVER_MAX, STRESS_JUNK_COMMANDS_MAX,
};
use std::io::Write as _;

impl<R: Rights> Session<R> {
    /// Takes one line, if a whole one is there.
    pub(super) fn line(&mut self, input: &mut Input) -> Next<R> {
        if matches!(self.state, State::TlsAgreed) {
            return self.tls_agreed(input);
        }
        let unread = input.unread();
        if matches!(self.state, State::Fresh)
            && !self.skipping_line
            // Of a line that is too long nothing is looked at, however its bytes come.
            && let Some(what) = foreign::recognise(unread.get(..SMTP_COMMAND_LINE_MAX).unwrap_or(unread))
        {
            return self.foreign(what);
        }
        let Some(end) = memchr::memchr(b'\n', unread) else { return self.unfinished(input) };
        let length = end.saturating_add(1);
        if std::mem::take(&mut self.skipping_line) {
            input.consume(length);
            return Next::Again;
        }
        let more = unread.len() > length;
        let line = unread.get(..end).unwrap_or_default();
        if length > self.line_max(line) {
            input.consume(length);
            self.long_line();
            return Next::Again;
        }
        let next = match line.strip_suffix(b"\r") {
            Some(line) if matches!(self.state, State::Auth { .. }) => self.sasl_line(line),
            Some(line) => self.command(line, more),
            // A bare LF doesn't end a command either: one meaning for a line end, everywhere.
            None => {
                self.bad_line(&Reply::LINE_BYTES);
                Next::Again
            }
        };
        input.consume(length);
        next
    }

    /// No line end in sight: wait for it, or skip up to it if the line is too long already.
    fn unfinished(&mut self, input: &mut Input) -> Next<R> {
        let unread = input.unread();
        let waiting = unread.len();
        if self.skipping_line || waiting >= self.line_max(unread) {
            input.consume(waiting);
            if !std::mem::replace(&mut self.skipping_line, true) {
                self.long_line();
                return Next::Again;
            }
        }
        Next::Read
    }

    /// Longest line that may stand here, with CRLF.
    fn line_max(&self, line: &[u8]) -> usize {
        // The initial response of AUTH is as long as any other (attacks B5).
        let auth = || line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        if matches!(self.state, State::Auth { .. }) || auth() { SASL_LINE_MAX } else { SMTP_COMMAND_LINE_MAX }
    }

    /// Attacks H2: once it may be an accident.
    fn long_line(&mut self) {
        self.counters.long_lines = self.counters.long_lines.saturating_add(1);
        if self.counters.long_lines > 1 {
            self.farewell(&Reply::LINES_TOO_LONG, Closing::LongLines);
            return;
        }
        if matches!(self.state, State::Auth { .. })
            && let State::Auth { greeted, .. } = self.take()
        {
            self.state = State::Greeted(greeted);
        }
        self.fail(&Reply::LINE_TOO_LONG);
    }

    /// A line that is no command. Before the greeting few are enough: whoever speaks so doesn't speak SMTP
    /// (attacks B8).
    pub(super) fn bad_line(&mut self, reply: &Reply) {
        if matches!(self.state, State::Fresh) {
            self.counters.before_hello = self.counters.before_hello.saturating_add(1);
            if self.counters.before_hello > SMTP_JUNK_BEFORE_HELLO_MAX {
                self.farewell(&Reply::TOO_MANY_ERRORS, Closing::Errors);
                return;
            }
        }
        if matches!(self.state, State::Auth { .. })
            && let State::Auth { greeted, .. } = self.take()
        {
            self.state = State::Greeted(greeted);
        }
        self.fail(reply);
    }

    fn command(&mut self, line: &[u8], more: bool) -> Next<R> {
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(reply) if reply == Reply::CHUNK_SYNTAX => {
                // Without its size the chunk can't be told from commands.
                self.farewell(&reply, Closing::ChunkSize);
                return Next::Again;
            }
            Err(reply) if reply == Reply::UNKNOWN_COMMAND => return Next::Unknown(line.to_vec()),
            Err(reply) => {
                self.bad_line(&reply);
                return Next::Again;
            }
        };
        match command {
            Command::Mail(envelope) => self.mail(envelope),
            Command::Rcpt(envelope) => self.rcpt(envelope),
            Command::Data => self.data(more),
            Command::Bdat(chunk) => self.bdat(chunk),
            Command::Hello(kind, name) => {
                self.hasty |= more;
                self.hello(kind, name)
            }
            Command::Rset => self.rset(),
            Command::Noop => self.junk(&Reply::OK),
            Command::Help => self.junk(&Reply::HELP),
            Command::Vrfy => self.junk(&Reply::VRFY),
            Command::Expn => self.junk(&Reply::NOT_IMPLEMENTED),
            Command::Quit => {
                self.farewell(&Reply::BYE, Closing::Quit);
                Next::Again
            }
            Command::StartTls => self.start_tls(more),
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::Http => self.foreign(Foreign::Http),
        }
    }

    /// Attacks B8. No word: what we say could be read as an answer by a browser.
    fn foreign(&mut self, what: Foreign) -> Next<R> {
        self.state = State::Closed(Closing::Foreign(what));
        Next::Again
    }

    fn no(&mut self, reply: &Reply) -> Next<R> {
        self.fail(reply);
        Next::Again
    }

    /// Commands that bring nothing forward.
    fn junk(&mut self, reply: &Reply) -> Next<R> {
        self.counters.junk = self.counters.junk.saturating_add(1);
        self.counters.idle_words = self.counters.idle_words.saturating_add(1);
        let hurried = self.is_hurried() && self.counters.idle_words > STRESS_JUNK_COMMANDS_MAX;
        if hurried || self.counters.junk > SMTP_JUNK_COMMANDS_MAX {
            self.farewell(&Reply::TOO_MUCH_JUNK, Closing::Junk);
        } else {
            reply.write(&mut self.out);
        }
        Next::Again
    }

    /// A greeting begins anew: a transaction and its rights are gone (RFC 5321 §4.1.4).
    fn hello(&mut self, kind: Hello, name: &str) -> Next<R> {
        if (kind == Hello::Lhlo) != (self.settings.dialect == Dialect::Lmtp) {
            return self.no(&Reply::WRONG_DIALECT);
        }
        self.counters.junk = self.counters.junk.saturating_add(1);
        if self.counters.junk > SMTP_JUNK_COMMANDS_MAX {
            self.farewell(&Reply::TOO_MUCH_JUNK, Closing::Junk);
            return Next::Again;
        }
        let extended = kind != Hello::Helo;
        self.state = State::Greeted(Greeted { name: name.into(), extended });
        if extended {
            self.extensions();
        } else {
            let _infallible = write!(self.out, "250 {}\r\n", self.settings.hostname);
        }
        Next::Again
    }

    /// The answer to EHLO: what we can do for this session, now.
    fn extensions(&mut self) {
        let settings = &self.settings;
        let _infallible = write!(
            self.out,
            "250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n\
             250-ENHANCEDSTATUSCODES\r\n250-LIMITS RCPTMAX={} MAILMAX={}\r\n",
            settings.hostname, settings.message_size, settings.recipients, settings.messages
        );
        if self.tls == TlsState::Offered {
            self.out.extend_from_slice(b"250-STARTTLS\r\n");
        }
        if self.tls == TlsState::Running {
            self.out.extend_from_slice(b"250-REQUIRETLS\r\n");
        }
        if let Some(mechanisms) = self.mechanisms() {
            let _infallible = write!(self.out, "250-AUTH {}\r\n", mechanisms.join(" "));
        }
        self.out.extend_from_slice(b"250 HELP\r\n");
    }

    /// What AUTH offers now: on submission, under TLS, to whom isn't logged in.
    fn mechanisms(&self) -> Option<&[&'static str]> {
        let mechanisms = self.settings.tls.as_deref().filter(|offered| !offered.is_empty())?;
        let offered =
            self.settings.dialect == Dialect::Submission && self.tls == TlsState::Running && self.login.is_none();
        offered.then_some(mechanisms)
    }

    fn hello_first(&mut self) -> Next<R> {
        let lmtp = self.settings.dialect == Dialect::Lmtp;
        self.no(if lmtp { &Reply::LHLO_FIRST } else { &Reply::HELLO_FIRST })
    }

    fn mail(&mut self, envelope: Envelope<'_>) -> Next<R> {
        match &self.state {
            State::Greeted(_) => {}
            State::Fresh => return self.hello_first(),
            _ => return self.no(&Reply::NESTED_MAIL),
        }
        if self.settings.dialect == Dialect::Submission && self.login.is_none() {
            let tls = self.tls == TlsState::Running;
            return self.no(if tls { &Reply::AUTH_FIRST } else { &Reply::TLS_FIRST });
        }
        if self.counters.messages >= self.settings.messages {
            self.farewell(&Reply::TOO_MANY_MESSAGES, Closing::Messages);
            return Next::Again;
        }
        let known =
            Known { auth: self.settings.dialect == Dialect::Submission, require_tls: self.tls == TlsState::Running };
        let parameters = match params::mail(envelope.parameters, known) {
            Ok(parameters) => parameters,
            Err(reply) => return self.no(&reply),
        };
        let path = match path::reverse(envelope.path, parameters.smtputf8) {
            Ok(path) => path,
            Err(AddressError::NeedsUtf8) => return self.no(&Reply::NEEDS_SMTPUTF8),
            Err(why) => return self.no(&Reply::SENDER_SYNTAX.with(&why.to_string())),
        };
        if parameters.size.is_some_and(|size| size > self.settings.message_size) {
            // Not an error of the client: it asked, as SIZE is meant to be used.
            Reply::TOO_LARGE.write(&mut self.out);
            return Next::Again;
        }
        match self.take() {
            State::Greeted(greeted) => {
                self.counters.over = 0;
                Next::Mail(greeted, path, parameters)
            }
            other => {
                self.state = other;
                Next::Again
            }
        }
    }

    fn rcpt(&mut self, envelope: Envelope<'_>) -> Next<R> {
        let mail = match &self.state {
            State::Mail(mail) => mail,
            State::Fresh => return self.hello_first(),
            State::BetweenChunks(_) => return self.no(&Reply::IN_CHUNKS),
            _ => return self.no(&Reply::MAIL_FIRST),
        };
        if mail.recipients.len() >= self.settings.recipients {
            return self.one_too_many();
        }
        let utf8 = mail.parameters.smtputf8;
        let parameters = match params::recipient(envelope.parameters) {
            Ok(parameters) => parameters,
            Err(reply) => return self.no(&reply),
        };
        let path = match path::forward(envelope.path, utf8) {
            Ok(path) => path,
            Err(AddressError::NeedsUtf8) => return self.no(&Reply::NEEDS_SMTPUTF8),
            Err(why) => return self.no(&Reply::RECIPIENT_SYNTAX.with(&why.to_string())),
        };
        match self.take() {
            State::Mail(mail) => Next::Recipient(*mail, path, parameters),
            other => {
                self.state = other;
                Next::Again
            }
        }
    }

    /// RFC 5321 §4.5.3.1.10: the client sends those later, which is no mistake; to go on and on is one (attacks H3).
    fn one_too_many(&mut self) -> Next<R> {
        self.counters.over = self.counters.over.saturating_add(1);
        if self.counters.over > SMTP_RECIPIENTS_OVER_MAX {
            return self.no(&Reply::TOO_MANY_RECIPIENTS);
        }
        Reply::TOO_MANY_RECIPIENTS.write(&mut self.out);
        Next::Again
    }

    fn data(&mut self, more: bool) -> Next<R> {
        let reply = match &self.state {
            State::Mail(mail) if !mail.recipients.is_empty() => match self.take() {
                State::Mail(mail) => return Next::Data(*mail, How::Data { hasty: more }),
                other => {
                    self.state = other;
                    return Next::Again;
                }
            },
            State::Mail(_) => Reply::NO_RECIPIENTS,
            State::Fresh => return self.hello_first(),
            State::BetweenChunks(_) => Reply::IN_CHUNKS,
            _ => Reply::MAIL_FIRST,
        };
        self.refuse_data(&reply, more);
        Next::Again
    }

    /// DATA is refused. If the client sent on without waiting, what follows may be a message, whose lines must not
    /// be taken for commands: RFC 2920 §3.1 lets DATA stand only at the end of a group.
    pub(super) fn refuse_data(&mut self, reply: &Reply, hasty: bool) {
        if reply.is_permanent() {
            self.fail(reply);
        } else {
            reply.write(&mut self.out);
        }
        if hasty {
            self.farewell(&Reply::BYTES_AFTER_DATA, Closing::BytesAfterData);
        }
    }

    fn bdat(&mut self, chunk: Chunk) -> Next<R> {
        let reply = match self.take() {
            State::Mail(mail) if !mail.recipients.is_empty() => return Next::Data(*mail, How::Chunk(chunk)),
            State::BetweenChunks(chunks) => {
                self.state = next_chunk(chunks, chunk);
                return Next::Again;
            }
            State::Mail(mail) => {
                self.state = State::Mail(mail);
                Reply::NO_RECIPIENTS
            }
            other => {
                self.state = other;
                Reply::MAIL_FIRST
            }
        };
        // Its bytes come all the same: the client needn't wait for our answer.
        let back = Box::new(self.take());
        self.state = State::Skip { left: chunk.size, reply, back };
        Next::Again
    }

    fn rset(&mut self) -> Next<R> {
        self.state = match self.take() {
            State::Mail(mail) => State::Greeted(greeted_of(*mail)),
            State::BetweenChunks(chunks) => State::Greeted(greeted_of(chunks.mail)),
            other => other,
        };
        self.junk(&Reply::OK)
    }

    fn start_tls(&mut self, more: bool) -> Next<R> {
        match self.tls {
            TlsState::Running => return self.no(&Reply::TLS_ALREADY),
            TlsState::Absent => return self.no(&Reply::TLS_NOT_OFFERED),
            TlsState::Offered => {}
        }
        if !matches!(self.state, State::Fresh | State::Greeted(_)) {
            return self.no(&Reply::IN_TRANSACTION);
        }
        if more {
            // Attacks B1: written before TLS by somebody on the way, to be read as if it came under TLS.
            self.farewell(&Reply::BYTES_AFTER_STARTTLS, Closing::BytesAfterStartTls);
            return Next::Again;
        }
        Reply::START_TLS.write(&mut self.out);
        self.state = State::TlsAgreed;
        Next::StartTls
    }

    /// Asked again before TLS runs: nobody may have read on in clear.
    fn tls_agreed(&mut self, input: &Input) -> Next<R> {
        if input.unread().is_empty() {
            return Next::StartTls;
        }
        self.farewell(&Reply::BYTES_AFTER_STARTTLS, Closing::BytesAfterStartTls);
        Next::Again
    }

    fn auth(&mut self, mechanism: &str, initial: Option<&str>) -> Next<R> {
        if self.settings.dialect != Dialect::Submission {
            return self.no(&Reply::AUTH_NOT_OFFERED);
        }
        match &self.state {
            State::Greeted(_) => {}
            State::Fresh => return self.hello_first(),
            _ => return self.no(&Reply::IN_TRANSACTION),
        }
        if self.tls != TlsState::Running {
            return self.no(&Reply::TLS_FIRST);
        }
        if self.login.is_some() {
            return self.no(&Reply::AUTH_ALREADY);
        }
        if self.mechanisms().is_none() {
            return self.no(&Reply::AUTH_NOT_OFFERED);
        }
        let initial = match initial {
            None => None,
            Some("=") => Some(Vec::new()),
            Some(text) => match STANDARD.decode(text) {
                Ok(decoded) => Some(decoded),
                Err(_) => return self.no(&Reply::BAD_BASE64),
            },
        };
        match self.take() {
            State::Greeted(greeted) => Next::Auth(greeted, mechanism.to_ascii_uppercase(), initial),
            other => {
                self.state = other;
                Next::Again
            }
        }
    }

    fn sasl_line(&mut self, line: &[u8]) -> Next<R> {
        let State::Auth { greeted, sasl } = self.take() else { return Next::Again };
        if line == b"*" {
            self.state = State::Greeted(greeted);
            return self.no(&Reply::AUTH_CANCELLED);
        }
        match STANDARD.decode(line) {
            Ok(response) => Next::AuthResponse(greeted, sasl, response),
            Err(_) => {
                self.state = State::Greeted(greeted);
                self.no(&Reply::BAD_BASE64)
            }
        }
    }
}

/// A further chunk of a message.
fn next_chunk<R: Rights>(mut chunks: Box<Chunks<R>>, chunk: Chunk) -> State<R> {
    chunks.count = chunks.count.saturating_add(1);
    if chunks.count > SMTP_CHUNKS_MAX {
        chunks.body.give_up(Fault::TooManyChunks);
    }
    State::Chunk { chunks, left: chunk.size, last: chunk.last }
}

fn greeted_of<R: Rights>(mail: MailGiven<R>) -> Greeted {
    mail.greeted
}
