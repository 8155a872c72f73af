//! The server's side of a session, without a socket and without policy: bytes in, replies and questions out.
//!
//! [`Session::step`] reads on in the input until it needs more bytes or somebody else's decision. A question is a
//! ticket that holds what the session was doing; answering uses it up and puts the session into the state that
//! follows. A ticket that is dropped unanswered ends the session. States own their data: a transaction's sender and
//! recipients, and with them the rights they carry, go when the state goes (RSET, EHLO, STARTTLS; attacks A1.24).
//!
//! Replies gather in [`Session::output`]; whoever drives the session writes them in one go when it wants to read
//! again (RFC 2920 §3.2).

mod lines;
mod states;
mod tickets;

pub use states::{Closing, Greeted, MailGiven, Rights};
pub use tickets::{AuthTicket, DataTicket, MailTicket, MessageTicket, RecipientTicket, TlsTicket, UnknownTicket};

use crate::body::Fault;
use crate::input::Input;
use crate::params::{MailParameters, RecipientParameters};
use crate::path::{ForwardPath, ReversePath};
use crate::reply::Reply;
use mailward_core::limits::{SMTP_DEFERRED_RECIPIENTS_MAX, SMTP_ERRORS_MAX, STRESS_ERRORS_MAX};
use states::{State, TlsState};
use std::io::Write as _;

/// Which of the three languages is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SMTP between servers: no AUTH.
    Smtp,
    /// Submission, RFC 6409: nothing before TLS and AUTH.
    Submission,
    /// LMTP, RFC 2033: LHLO, and a reply per recipient.
    Lmtp,
}

/// How a session is to be held.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name.
    pub hostname: String,
    /// The language.
    pub dialect: Dialect,
    /// Largest message, bytes.
    pub message_size: u64,
    /// Recipients of one message.
    pub recipients: usize,
    /// Messages in the session.
    pub messages: usize,
    /// Whether TLS could be started.
    pub tls_available: bool,
    /// `Some` if TLS runs already: the mechanisms that AUTH offers on it.
    pub tls: Option<Vec<&'static str>>,
}

/// One session. `R` names what policy hands in and gets back.
pub struct Session<R: Rights> {
    settings: Settings,
    state: State<R>,
    tls: TlsState,
    login: Option<R::Login>,
    counters: Counters,
    /// A line over its limit is being skipped up to its end.
    skipping_line: bool,
    /// See [`Session::is_hasty`].
    hasty: bool,
    /// See [`Session::hurry`].
    hurried: bool,
    out: Vec<u8>,
}

#[derive(Debug, Default)]
struct Counters {
    errors: usize,
    junk: usize,
    /// Junk without greetings.
    idle_words: usize,
    before_hello: usize,
    /// Recipients beyond those that this message may have.
    over: usize,
    refused_recipients: usize,
    deferred_recipients: usize,
    auth_failures: usize,
    messages: usize,
    long_lines: usize,
}

/// What the session needs to go on.
#[must_use]
pub enum Step<'s, R: Rights> {
    /// More bytes. Write the output first.
    Read,
    /// Whether this sender may send.
    Mail(MailTicket<'s, R>),
    /// Whether this recipient is taken.
    Recipient(RecipientTicket<'s, R>),
    /// Whether a message may come now.
    Data(DataTicket<'s, R>),
    /// A whole message: deliver it, then answer.
    Message(MessageTicket<'s, R>),
    /// A message was refused for what it holds; answered already. For the log.
    Refused(Fault, Box<MailGiven<R>>),
    /// An exchange begins, with the mechanism and the decoded initial response.
    Auth(String, Option<Vec<u8>>, AuthTicket<'s, R>),
    /// An exchange goes on: what policy kept, and the decoded response.
    AuthResponse(R::Sasl, Vec<u8>, AuthTicket<'s, R>),
    /// Write the output, start TLS, then say so.
    StartTls(TlsTicket<'s, R>),
    /// A command that there isn't: with which words it is refused.
    Unknown(UnknownTicket<'s, R>),
    /// Write the output and close.
    Close(Closing),
}

/// [`Step`] before the session is borrowed into a ticket.
enum Next<R: Rights> {
    Again,
    Read,
    Mail(Greeted, ReversePath, MailParameters),
    Recipient(MailGiven<R>, ForwardPath, RecipientParameters),
    Data(MailGiven<R>, tickets::How),
    Message(MailGiven<R>, Vec<u8>),
    Refused(Fault, Box<MailGiven<R>>),
    Auth(Greeted, String, Option<Vec<u8>>),
    AuthResponse(Greeted, R::Sasl, Vec<u8>),
    StartTls,
    Unknown(Vec<u8>),
    Close(Closing),
}

impl<R: Rights> Session<R> {
    /// A new session; the greeting is in the output.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let tls = match &settings.tls {
            Some(_) => TlsState::Running,
            None if settings.tls_available => TlsState::Offered,
            None => TlsState::Absent,
        };
        let mut session = Self {
            settings,
            state: State::Fresh,
            tls,
            login: None,
            counters: Counters::default(),
            skipping_line: false,
            hasty: false,
            hurried: false,
            out: Vec::with_capacity(512),
        };
        let protocol = if session.settings.dialect == Dialect::Lmtp { "LMTP" } else { "ESMTP" };
        // Writing to a Vec can't fail.
        let _infallible = write!(session.out, "220 {} {protocol} Mailward\r\n", session.settings.hostname);
        session
    }

    /// Whether commands came behind an EHLO or HELO before it was answered: RFC 2920 §3.1 lets them only end a group.
    #[must_use]
    pub const fn is_hasty(&self) -> bool {
        self.hasty
    }
    /// Replies to be written. Whoever writes them clears them.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
    /// Who is logged in.
    #[must_use]
    pub const fn login(&self) -> Option<&R::Login> {
        self.login.as_ref()
    }
    /// How the other side called itself, once it has, until TLS starts.
    #[must_use]
    pub fn greeted(&self) -> Option<&Greeted> {
        match &self.state {
            State::Greeted(greeted) | State::Auth { greeted, .. } => Some(greeted),
            State::Mail(mail) | State::Data { mail, .. } => Some(&mail.greeted),
            State::Chunk { chunks, .. } | State::BetweenChunks(chunks) => Some(&chunks.mail.greeted),
            State::Fresh | State::Skip { .. } | State::TlsAgreed | State::Closed(_) => None,
        }
    }
    /// How the session is held.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
    /// Whether TLS runs.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.tls, TlsState::Running)
    }
    /// Whether message data is coming, the waits between chunks of one message included: they have other deadlines
    /// (attacks H1), and a message in ten thousand chunks has no more time than one in a single one.
    #[must_use]
    pub const fn is_receiving(&self) -> bool {
        matches!(self.state, State::Data { .. } | State::Chunk { .. } | State::BetweenChunks(_) | State::Skip { .. })
    }
    /// Whether the server is under stress: until it logs in or brings a message, the session may make
    /// `limits::STRESS_ERRORS_MAX` mistakes and say `limits::STRESS_JUNK_COMMANDS_MAX` idle words.
    pub const fn hurry(&mut self, stress: bool) {
        self.hurried = stress;
    }
    const fn is_hurried(&self) -> bool {
        self.hurried && self.login.is_none() && self.counters.messages == 0
    }
    /// Bytes of the message that are held in memory.
    #[must_use]
    pub const fn held(&self) -> usize {
        match &self.state {
            State::Data { body, .. } => body.held(),
            State::Chunk { chunks, .. } | State::BetweenChunks(chunks) => chunks.body.held(),
            _ => 0,
        }
    }
    /// Messages answered with yes.
    #[must_use]
    pub const fn messages(&self) -> usize {
        self.counters.messages
    }
    /// Throws away the message that is coming: it is read to its end and then refused for `fault`.
    pub fn give_up(&mut self, fault: Fault) {
        match &mut self.state {
            State::Data { body, .. } => body.give_up(fault),
            State::Chunk { chunks, .. } | State::BetweenChunks(chunks) => chunks.body.give_up(fault),
            _ => {}
        }
    }
    /// Ends the session from outside, with a last reply (RFC 5321 §3.8: 421 may come at any time).
    pub fn farewell(&mut self, reply: &Reply, why: Closing) {
        if !matches!(self.state, State::Closed(_)) {
            reply.write(&mut self.out);
            self.state = State::Closed(why);
        }
    }

    /// Goes on as far as the input reaches.
    pub fn step(&mut self, input: &mut Input) -> Step<'_, R> {
        loop {
            return match self.advance(input) {
                Next::Again => continue,
                Next::Read => Step::Read,
                Next::Mail(greeted, path, parameters) => {
                    Step::Mail(MailTicket { session: self, greeted, path, parameters })
                }
                Next::Recipient(mail, path, parameters) => {
                    Step::Recipient(RecipientTicket { session: self, mail, path, parameters })
                }
                Next::Data(mail, how) => Step::Data(DataTicket { session: self, mail, how }),
                Next::Message(mail, bytes) => {
                    let answers = self.answers(&mail);
                    Step::Message(MessageTicket { session: self, mail, bytes, answers })
                }
                Next::Refused(fault, mail) => Step::Refused(fault, mail),
                Next::Auth(greeted, mechanism, initial) => {
                    Step::Auth(mechanism, initial, AuthTicket { session: self, greeted })
                }
                Next::AuthResponse(greeted, sasl, response) => {
                    Step::AuthResponse(sasl, response, AuthTicket { session: self, greeted })
                }
                Next::StartTls => Step::StartTls(TlsTicket { session: self }),
                Next::Unknown(line) => {
                    let back = self.take();
                    Step::Unknown(UnknownTicket { session: self, back, line })
                }
                Next::Close(why) => Step::Close(why),
            };
        }
    }

    fn advance(&mut self, input: &mut Input) -> Next<R> {
        match &mut self.state {
            State::Closed(why) => Next::Close(*why),
            State::Data { body, .. } => {
                let fed = body.feed(input.unread());
                input.consume(fed.consumed);
                if fed.ended { self.data_ended() } else { Next::Read }
            }
            State::Chunk { chunks, left, .. } => {
                let part = first(input.unread(), *left);
                chunks.body.feed(part);
                let taken = part.len();
                *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                let over = *left == 0;
                input.consume(taken);
                if over { self.chunk_ended() } else { Next::Read }
            }
            State::Skip { left, .. } => {
                let taken = first(input.unread(), *left).len();
                *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                let over = *left == 0;
                input.consume(taken);
                if over { self.skip_ended() } else { Next::Read }
            }
            State::Fresh
            | State::Greeted(_)
            | State::Mail(_)
            | State::BetweenChunks(_)
            | State::Auth { .. }
            | State::TlsAgreed => self.line(input),
        }
    }

    /// The state, taken out. Whoever takes it puts another one in; if nobody did, the session would be over.
    const fn take(&mut self) -> State<R> {
        std::mem::replace(&mut self.state, State::Closed(Closing::Unanswered))
    }

    fn data_ended(&mut self) -> Next<R> {
        let State::Data { mail, body } = self.take() else { return Next::Again };
        self.message_ended(*mail, body.finish())
    }

    fn chunk_ended(&mut self) -> Next<R> {
        let State::Chunk { chunks, last, .. } = self.take() else { return Next::Again };
        if last {
            return self.message_ended(chunks.mail, chunks.body.finish());
        }
        if let Some(fault) = chunks.body.fault() {
            // RFC 3030 §2: a chunk that fails fails the message. Chunks that were sent meanwhile find no
            // transaction; their bytes are skipped by their sizes.
            self.counters.errors = self.counters.errors.saturating_add(1);
            fault.reply().write(&mut self.out);
            self.state = State::Greeted(chunks.mail.greeted.clone());
            return Next::Refused(fault, Box::new(chunks.mail));
        }
        Reply::CHUNK_OK.write(&mut self.out);
        self.state = State::BetweenChunks(chunks);
        Next::Again
    }

    fn skip_ended(&mut self) -> Next<R> {
        let State::Skip { reply, back, .. } = self.take() else { return Next::Again };
        self.state = *back;
        self.fail(&reply);
        Next::Again
    }

    fn message_ended(&mut self, mail: MailGiven<R>, outcome: Result<Vec<u8>, Fault>) -> Next<R> {
        match outcome {
            Ok(bytes) => Next::Message(mail, bytes),
            Err(fault) => {
                self.counters.errors = self.counters.errors.saturating_add(1);
                let answers = self.answers(&mail);
                self.answer_message(answers, &[fault.reply()]);
                self.state = State::Greeted(mail.greeted.clone());
                Next::Refused(fault, Box::new(mail))
            }
        }
    }

    /// How many replies a message gets: one, or in LMTP one for each recipient that was told yes (RFC 2033 §4.2).
    fn answers(&self, mail: &MailGiven<R>) -> usize {
        if self.settings.dialect == Dialect::Lmtp { mail.recipients.len() } else { 1 }
    }

    /// Answers a message so many times. Where there are fewer replies the last one stands for the rest.
    fn answer_message(&mut self, answers: usize, replies: &[Reply]) {
        let last = replies.last().unwrap_or(&Reply::LOCAL_ERROR);
        for index in 0..answers {
            replies.get(index).unwrap_or(last).write(&mut self.out);
        }
    }

    /// After a reply that policy gave: 421 says that the session is over (RFC 5321 §3.8), so it is.
    fn end_after(&mut self, reply: &Reply) {
        if reply.code() == 421 {
            self.state = State::Closed(Closing::Shutdown);
        }
    }

    /// A reply to a command that brought nothing and counts against the session.
    fn fail(&mut self, reply: &Reply) {
        self.counters.errors = self.counters.errors.saturating_add(1);
        let max = if self.is_hurried() { STRESS_ERRORS_MAX } else { SMTP_ERRORS_MAX };
        if self.counters.errors > max {
            self.farewell(&Reply::TOO_MANY_ERRORS, Closing::Errors);
        } else {
            reply.write(&mut self.out);
        }
    }

    /// A recipient that was refused. Those refused for good are counted: that is what a harvest of addresses looks
    /// like (attacks A6). At most so many are answered; of those put off `limits::SMTP_DEFERRED_RECIPIENTS_MAX`.
    fn refuse_recipient(&mut self, reply: &Reply, most: usize) {
        match self.ends_with_recipient(reply, most) {
            Some((last, why)) => self.farewell(last, why),
            None => reply.write(&mut self.out),
        }
        let counter = if reply.is_permanent() {
            &mut self.counters.refused_recipients
        } else {
            &mut self.counters.deferred_recipients
        };
        *counter = counter.saturating_add(1);
    }

    /// What ends the session instead of one more such reply to a recipient.
    const fn ends_with_recipient(&self, reply: &Reply, most: usize) -> Option<(&'static Reply, Closing)> {
        if reply.is_permanent() {
            if self.counters.refused_recipients >= most {
                return Some((&Reply::TOO_MANY_UNKNOWN, Closing::UnknownRecipients));
            }
        } else if self.counters.deferred_recipients >= SMTP_DEFERRED_RECIPIENTS_MAX {
            return Some((&Reply::TOO_MANY_PUT_OFF, Closing::DeferredRecipients));
        }
        None
    }
}

/// The first `left` bytes, or all.
fn first(bytes: &[u8], left: u64) -> &[u8] {
    usize::try_from(left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes)
}

#[cfg(test)]
mod tests;
