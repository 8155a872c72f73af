//! The questions a session asks. Each answer uses its ticket up. An answer of 421 ends the session.

use super::states::{Chunks, Closing, Greeted, MailGiven, Rights, State, TlsState};
use super::{Dialect, Session};
use crate::body::{ChunkBody, DataBody};
use crate::command::Chunk;
use crate::params::{MailParameters, RecipientParameters};
use crate::path::{ForwardPath, ReversePath};
use crate::reply::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::{AUTH_ATTEMPTS_MAX, SMTP_UNKNOWN_RECIPIENTS_MAX};

/// MAIL: may this sender send?
#[must_use = "an unanswered question ends the session"]
pub struct MailTicket<'s, R: Rights> {
    pub(super) session: &'s mut Session<R>,
    pub(super) greeted: Greeted,
    pub(super) path: ReversePath,
    pub(super) parameters: MailParameters,
}

impl<R: Rights> MailTicket<'_, R> {
    /// Where errors go.
    #[must_use]
    pub const fn path(&self) -> &ReversePath {
        &self.path
    }
    /// What came with it.
    #[must_use]
    pub const fn parameters(&self) -> &MailParameters {
        &self.parameters
    }
    /// Who is logged in.
    #[must_use]
    pub const fn login(&self) -> Option<&R::Login> {
        self.session.login.as_ref()
    }
    /// How the other side called itself.
    #[must_use]
    pub const fn greeted(&self) -> &Greeted {
        &self.greeted
    }
    /// Yes.
    pub fn accept(self, sender: R::Sender) {
        Reply::SENDER_OK.write(&mut self.session.out);
        self.session.state = State::Mail(Box::new(MailGiven {
            greeted: self.greeted,
            path: self.path,
            parameters: self.parameters,
            sender,
            recipients: Vec::new(),
        }));
    }
    /// No.
    pub fn refuse(self, reply: &Reply) {
        self.session.state = State::Greeted(self.greeted);
        self.session.fail(reply);
        self.session.end_after(reply);
    }
}

/// RCPT: is this recipient taken?
#[must_use = "an unanswered question ends the session"]
pub struct RecipientTicket<'s, R: Rights> {
    pub(super) session: &'s mut Session<R>,
    pub(super) mail: MailGiven<R>,
    pub(super) path: ForwardPath,
    pub(super) parameters: RecipientParameters,
}

impl<R: Rights> RecipientTicket<'_, R> {
    /// The recipient.
    #[must_use]
    pub const fn path(&self) -> &ForwardPath {
        &self.path
    }
    /// What came with it.
    #[must_use]
    pub const fn parameters(&self) -> &RecipientParameters {
        &self.parameters
    }
    /// The transaction so far.
    #[must_use]
    pub const fn mail(&self) -> &MailGiven<R> {
        &self.mail
    }
    /// Who is logged in.
    #[must_use]
    pub const fn login(&self) -> Option<&R::Login> {
        self.session.login.as_ref()
    }
    /// Yes.
    pub fn accept(mut self, recipient: R::Recipient) {
        self.mail.recipients.push(recipient);
        Reply::RECIPIENT_OK.write(&mut self.session.out);
        self.session.state = State::Mail(Box::new(self.mail));
    }
    /// Replies that wait to be written: whoever lets this one wait writes them first.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.session.out
    }
    /// How many were refused for good in this session.
    #[must_use]
    pub const fn refused(&self) -> usize {
        self.session.counters.refused_recipients
    }
    /// Whether the session is one that [`Session::is_hasty`] tells of.
    #[must_use]
    pub const fn is_hasty(&self) -> bool {
        self.session.is_hasty()
    }
    /// No.
    pub fn refuse(self, reply: &Reply) {
        self.refuse_of(reply, SMTP_UNKNOWN_RECIPIENTS_MAX);
    }
    /// No; and the session ends if more than so many were refused for good, or too many put off.
    pub fn refuse_of(self, reply: &Reply, most: usize) {
        self.session.state = State::Mail(Box::new(self.mail));
        self.session.refuse_recipient(reply, most.min(SMTP_UNKNOWN_RECIPIENTS_MAX));
        self.session.end_after(reply);
    }
    /// The reply that [`RecipientTicket::refuse_of`] would end the session with instead of giving this one.
    #[must_use]
    pub fn ends_with(&self, reply: &Reply, most: usize) -> Option<(&'static Reply, Closing)> {
        self.session.ends_with_recipient(reply, most.min(SMTP_UNKNOWN_RECIPIENTS_MAX))
    }
    /// Ends the session with a last reply.
    pub fn end(self, reply: &Reply, why: Closing) {
        self.session.state = State::Mail(Box::new(self.mail));
        self.session.farewell(reply, why);
    }
}

/// How a message is to come.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// DATA; whether bytes came right behind it.
    Data { hasty: bool },
    /// The first BDAT.
    Chunk(Chunk),
}

/// DATA, or the first BDAT: may a message come now?
#[must_use = "an unanswered question ends the session"]
pub struct DataTicket<'s, R: Rights> {
    pub(super) session: &'s mut Session<R>,
    pub(super) mail: MailGiven<R>,
    pub(super) how: How,
}

impl<R: Rights> DataTicket<'_, R> {
    /// The transaction.
    #[must_use]
    pub const fn mail(&self) -> &MailGiven<R> {
        &self.mail
    }
    /// Who is logged in.
    #[must_use]
    pub const fn login(&self) -> Option<&R::Login> {
        self.session.login.as_ref()
    }
    /// How many bytes are expected, by SIZE or the chunk; 0 if nobody said.
    #[must_use]
    pub fn announced(&self) -> u64 {
        let chunk = match self.how {
            How::Data { .. } => 0,
            How::Chunk(chunk) => chunk.size,
        };
        self.mail.parameters.size.unwrap_or(0).max(chunk)
    }
    /// Yes; the message is written behind `prefix`.
    pub fn accept(self, prefix: Vec<u8>) {
        let limit = self.session.settings.message_size;
        let mail = self.mail;
        self.session.state = match self.how {
            How::Data { .. } => {
                Reply::START_DATA.write(&mut self.session.out);
                State::Data { mail: Box::new(mail), body: DataBody::new(prefix, limit) }
            }
            How::Chunk(Chunk { size, last }) => {
                let chunks = Chunks { mail, body: ChunkBody::new(prefix, limit), count: 1 };
                State::Chunk { chunks: Box::new(chunks), left: size, last }
            }
        };
    }
    /// No. The transaction stays as it is.
    pub fn refuse(self, reply: &Reply) {
        let back = State::Mail(Box::new(self.mail));
        match self.how {
            How::Data { hasty } => {
                self.session.state = back;
                self.session.refuse_data(reply, hasty);
                self.session.end_after(reply);
            }
            How::Chunk(_) if reply.code() == 421 => {
                reply.write(&mut self.session.out);
                self.session.end_after(reply);
            }
            How::Chunk(chunk) => {
                let back = Box::new(back);
                self.session.state = State::Skip { left: chunk.size, reply: reply.clone(), back };
            }
        }
    }
}

/// A whole message.
#[must_use = "an unanswered question ends the session"]
pub struct MessageTicket<'s, R: Rights> {
    pub(super) session: &'s mut Session<R>,
    pub(super) mail: MailGiven<R>,
    pub(super) bytes: Vec<u8>,
    /// How many replies it gets.
    pub(super) answers: usize,
}

impl<R: Rights> MessageTicket<'_, R> {
    /// The transaction.
    #[must_use]
    pub const fn mail(&self) -> &MailGiven<R> {
        &self.mail
    }
    /// Who is logged in.
    #[must_use]
    pub const fn login(&self) -> Option<&R::Login> {
        self.session.login.as_ref()
    }
    /// The transaction, for policy that changes sender or recipients. How many replies there are is settled before.
    pub const fn envelope(&mut self) -> &mut MailGiven<R> {
        &mut self.mail
    }
    /// Prefix and message, in one piece; leaves nothing behind.
    #[must_use]
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
    /// Whether each recipient gets a reply of its own (LMTP).
    #[must_use]
    pub fn is_per_recipient(&self) -> bool {
        self.session.settings.dialect == Dialect::Lmtp
    }
    /// One reply: for the message, or in LMTP for each recipient.
    pub fn answer(self, reply: Reply) {
        self.answer_each(&[reply]);
    }
    /// In LMTP one reply for each recipient that was told yes, in their order, whatever became of them since (RFC 2033
    /// §4.2); otherwise the first is the message's.
    pub fn answer_each(self, replies: &[Reply]) {
        let counters = &mut self.session.counters;
        if replies.iter().any(Reply::is_positive) {
            counters.messages = counters.messages.saturating_add(1);
            counters.junk = 0;
        } else if replies.iter().any(Reply::is_permanent) {
            counters.errors = counters.errors.saturating_add(1);
        }
        self.session.answer_message(self.answers, replies);
        self.session.state = State::Greeted(self.mail.greeted);
        if let Some(last) = replies.last() {
            self.session.end_after(last);
        }
    }
}

/// AUTH: what comes next?
#[must_use = "an unanswered question ends the session"]
pub struct AuthTicket<'s, R: Rights> {
    pub(super) session: &'s mut Session<R>,
    pub(super) greeted: Greeted,
}

impl<R: Rights> AuthTicket<'_, R> {
    /// The exchange goes on with a challenge.
    pub fn challenge(self, sasl: R::Sasl, challenge: &[u8]) {
        self.session.out.extend_from_slice(b"334 ");
        self.session.out.extend_from_slice(STANDARD.encode(challenge).as_bytes());
        self.session.out.extend_from_slice(b"\r\n");
        self.session.state = State::Auth { greeted: self.greeted, sasl };
    }
    /// Logged in.
    pub fn done(self, login: R::Login) {
        Reply::AUTHENTICATED.write(&mut self.session.out);
        self.session.login = Some(login);
        self.session.state = State::Greeted(self.greeted);
    }
    /// Not logged in. After `limits::AUTH_ATTEMPTS_MAX` of those that aren't temporary the session ends.
    pub fn refuse(self, reply: &Reply) {
        self.session.state = State::Greeted(self.greeted);
        reply.write(&mut self.session.out);
        if reply.is_permanent() {
            let counters = &mut self.session.counters;
            counters.auth_failures = counters.auth_failures.saturating_add(1);
            if counters.auth_failures >= AUTH_ATTEMPTS_MAX {
                self.session.farewell(&Reply::TOO_MANY_AUTHS, Closing::AuthFailures);
            }
        }
    }
}

/// STARTTLS: start it.
#[must_use = "an unanswered question ends the session"]
pub struct TlsTicket<'s, R: Rights> {
    pub(super) session: &'s mut Session<R>,
}

impl<R: Rights> TlsTicket<'_, R> {
    /// The last replies in clear, to be written before the handshake.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.session.out
    }
    /// TLS runs. Everything said before is forgotten (RFC 3207 §4.2); AUTH offers `mechanisms`.
    pub fn started(self, mechanisms: Vec<&'static str>) {
        self.session.tls = TlsState::Running;
        self.session.settings.tls = Some(mechanisms);
        self.session.login = None;
        self.session.state = State::Fresh;
    }
}

/// A command that there isn't: with which words is it refused?
#[must_use = "an unanswered question ends the session"]
pub struct UnknownTicket<'s, R: Rights> {
    pub(super) session: &'s mut Session<R>,
    /// What the session was doing, and goes on with.
    pub(super) back: State<R>,
    pub(super) line: Vec<u8>,
}

impl<R: Rights> UnknownTicket<'_, R> {
    /// The line, without its CRLF: at most `limits::SMTP_COMMAND_LINE_MAX` bytes, UTF-8 without CR, LF and NUL.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }
    /// With these: it is never more than refused, and counts as a mistake. A transaction stays as it is.
    pub fn refuse(self, reply: &Reply) {
        self.session.state = self.back;
        self.session.bad_line(reply);
        self.session.end_after(reply);
    }
}
