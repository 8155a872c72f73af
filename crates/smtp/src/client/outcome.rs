//! What becomes of a transaction: for each recipient, for all of them, and for the connection.

use super::answer::{Answer, Malformed};
use super::content::ContentFault;
use mailward_core::EnhancedStatus;
use mailward_core::limits::MIN_DATA_RATE;

/// What was being said when something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The server's first words.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH and what follows it.
    Auth,
    /// RSET.
    Reset,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// The message, up to the answer to its end; BDAT too.
    Message,
    /// QUIT.
    Quit,
}

impl Step {
    /// As a person would call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Step::Greeting => "the greeting",
            Step::Hello => "EHLO",
            Step::StartTls => "STARTTLS",
            Step::Auth => "AUTH",
            Step::Reset => "RSET",
            Step::Mail => "MAIL FROM",
            Step::Recipient => "RCPT TO",
            Step::Data => "DATA",
            Step::Message => "the message",
            Step::Quit => "QUIT",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that ends a connection or a step of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {at}: {cause}")]
pub struct Failure {
    /// Where.
    pub at: Step,
    /// What.
    pub cause: Cause,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(std::io::ErrorKind),
    /// The server closed it without a word.
    #[error("the server closed the connection")]
    Closed,
    /// 421: the server closes it (RFC 5321 §3.8).
    #[error("the server ends the session: {0}")]
    Closing(Answer),
    /// The limit of the step passed.
    #[error("the server didn't answer in time")]
    Timeout,
    /// It takes data, but slower than `limits::MIN_DATA_RATE`, or more than `limits::SEND_ENVELOPE_TIME` for the
    /// envelope.
    #[error("the server is slower than {MIN_DATA_RATE} bytes a second, or needs too long for the recipients")]
    TooSlow,
    /// Not SMTP, past a limit, or out of step.
    #[error("the server's reply can't be understood: {0}")]
    Malformed(#[from] Malformed),
    /// It said no.
    #[error("the server refused: {0}")]
    Refused(Answer),
    /// Bytes in clear behind the answer to STARTTLS (attacks B2).
    #[error("the server sent bytes in clear behind its answer to STARTTLS: somebody may be between")]
    BytesBeforeTls,
    /// It doesn't offer what is needed.
    #[error("the server doesn't offer {0}")]
    NotOffered(&'static str),
    /// Passwords are never sent in clear.
    #[error("the connection isn't encrypted; a password isn't sent over it")]
    ClearPassword,
    /// A user name or password that can't be sent: it holds a NUL, or is empty or too long.
    #[error("the user name or password holds a NUL, or is empty or too long")]
    Credentials,
    /// The name for EHLO isn't one.
    #[error("our own name for EHLO is no host name or address literal")]
    Name,
    /// The message isn't what it should be.
    #[error("the message {0}")]
    Content(ContentFault),
    /// As many messages as the server takes in one connection (RFC 9422 MAILMAX).
    #[error("the server takes no more messages in this connection; open another one")]
    Exhausted,
    /// A call before this one was given up half-way.
    #[error("the connection was left in the middle of something; open another one")]
    Abandoned,
}

impl Failure {
    /// What the server said, if words of its own ended it.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answer> {
        match &self.cause {
            Cause::Closing(answer) | Cause::Refused(answer) => Some(answer),
            _ => None,
        }
    }
    /// Whether it tells against the host rather than against a message or us: a lost connection, silence, 421, what
    /// isn't SMTP.
    #[must_use]
    pub const fn is_of_host(&self) -> bool {
        match self.cause {
            Cause::Io(_)
            | Cause::Closed
            | Cause::Closing(_)
            | Cause::Timeout
            | Cause::TooSlow
            | Cause::Malformed(_)
            | Cause::BytesBeforeTls => true,
            Cause::Refused(_) => matches!(self.at, Step::Greeting | Step::Hello | Step::StartTls | Step::Reset),
            Cause::NotOffered(_)
            | Cause::ClearPassword
            | Cause::Credentials
            | Cause::Name
            | Cause::Content(_)
            | Cause::Exhausted
            | Cause::Abandoned => false,
        }
    }
    /// The enhanced code for a report, of the class that trying again later asks for, unless the server gave one
    /// (RFC 3463 §3).
    #[must_use]
    pub fn status(&self) -> EnhancedStatus {
        match &self.cause {
            Cause::Io(_) | Cause::Closed => EnhancedStatus::of(4, 4, 2),
            Cause::Timeout | Cause::TooSlow => EnhancedStatus::of(4, 4, 1),
            Cause::Malformed(_) => EnhancedStatus::of(4, 5, 0),
            Cause::Closing(answer) | Cause::Refused(answer) => status_of(self.at, answer),
            Cause::BytesBeforeTls | Cause::NotOffered(_) | Cause::ClearPassword => EnhancedStatus::of(4, 7, 5),
            Cause::Credentials => EnhancedStatus::of(4, 7, 8),
            Cause::Name => EnhancedStatus::of(4, 3, 5),
            Cause::Content(fault) => fault.status(),
            Cause::Exhausted => EnhancedStatus::of(4, 5, 3),
            Cause::Abandoned => EnhancedStatus::of(4, 3, 0),
        }
    }
}

/// What the message needs and the server doesn't have: known before anything of it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Need {
    /// SMTPUTF8, for an address.
    #[error("an address holds characters outside ASCII, and the server doesn't take such (no SMTPUTF8)")]
    Utf8Address,
    /// SMTPUTF8, for the header.
    #[error("the message's header holds characters outside ASCII, and the server doesn't take such (no SMTPUTF8)")]
    Utf8Header,
    /// 8BITMIME.
    #[error("the message has 8-bit text, and the server doesn't take such (no 8BITMIME)")]
    EightBit,
    /// REQUIRETLS, over TLS.
    #[error("the sender asked that the message travels encrypted all the way, and the server doesn't promise that")]
    RequireTls,
    /// SIZE.
    #[error("the message has {size} bytes, and the server takes {limit} at most")]
    Size {
        /// Bytes of the message.
        size: u64,
        /// What the server takes, bytes.
        limit: u64,
    },
    /// More recipients than [`Extensions::recipients`](super::Extensions::recipients) says: these weren't tried. Send
    /// the message once more for them.
    #[error("the message has more recipients than the server takes at once; these come with the next one")]
    AnotherTransaction,
}

impl Need {
    /// The enhanced code for a report: RFC 6531 (X.6.7, X.6.9), RFC 8689 (X.7.30), RFC 3463.
    #[must_use]
    pub const fn status(self) -> EnhancedStatus {
        match self {
            Need::Utf8Address => EnhancedStatus::of(5, 6, 7),
            Need::Utf8Header => EnhancedStatus::of(5, 6, 9),
            Need::EightBit => EnhancedStatus::of(5, 6, 3),
            Need::RequireTls => EnhancedStatus::of(5, 7, 30),
            Need::Size { .. } => EnhancedStatus::of(5, 3, 4),
            Need::AnotherTransaction => EnhancedStatus::of(4, 5, 3),
        }
    }
}

/// Why a recipient doesn't have the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The server refused: the recipient, or the whole message at another step.
    #[error("at {at}: the server refused: {answer}")]
    Refused {
        /// What it refused.
        at: Step,
        /// Its words; never 421, which is a [`Failure`].
        answer: Answer,
    },
    /// The connection ended, or the content can't be sent.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// It wasn't tried with this server.
    #[error(transparent)]
    Needs(#[from] Need),
}

impl Reason {
    /// What the server said, if it said anything.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answer> {
        match self {
            Reason::Refused { answer, .. } => Some(answer),
            Reason::Failed(failure) => failure.answer(),
            Reason::Needs(_) => None,
        }
    }
    /// At which command; `None` if the message wasn't tried.
    #[must_use]
    pub const fn at(&self) -> Option<Step> {
        match self {
            Reason::Refused { at, .. } => Some(*at),
            Reason::Failed(failure) => Some(failure.at),
            Reason::Needs(_) => None,
        }
    }
    /// Whether it tells against the host rather than against the recipient or the message.
    #[must_use]
    pub const fn is_of_host(&self) -> bool {
        match self {
            Reason::Failed(failure) => failure.is_of_host(),
            Reason::Refused { .. } | Reason::Needs(_) => false,
        }
    }
    /// The enhanced code for a report: the server's own where it gave one.
    #[must_use]
    pub fn status(&self) -> EnhancedStatus {
        match self {
            Reason::Refused { at, answer } => status_of(*at, answer),
            Reason::Failed(failure) => failure.status(),
            Reason::Needs(need) => need.status(),
        }
    }
}

/// The server's enhanced code, or the one that RFC 5321's code comes nearest to (RFC 5248 §2 and RFC 3463).
fn status_of(at: Step, answer: &Answer) -> EnhancedStatus {
    if let Some(status) = answer.enhanced() {
        return status;
    }
    let class = if answer.is_permanent() { 5 } else { 4 };
    match (answer.code(), at) {
        (421, _) => EnhancedStatus::of(4, 4, 2),
        (450 | 550, Step::Recipient) => EnhancedStatus::of(class, 2, 0),
        (551 | 553, Step::Recipient) => EnhancedStatus::of(class, 1, 0),
        (452, _) => EnhancedStatus::of(class, 3, 1),
        (552, _) => EnhancedStatus::of(class, 3, 4),
        (530 | 534 | 535 | 538, _) => EnhancedStatus::of(class, 7, 0),
        (500..=504 | 555, _) => EnhancedStatus::of(class, 5, 0),
        _ => EnhancedStatus::of(class, 0, 0),
    }
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has the message and is responsible for it; its answer to the message's end.
    Accepted(Answer),
    /// It may be taken later.
    Temporary(Reason),
    /// It won't be taken, however often.
    Permanent(Reason),
    /// The whole message was sent and no answer came that could be understood: the server may have it. Sending it
    /// again may make a duplicate; not sending it may lose it (RFC 5321 §4.5.3.2.6, RFC 1047).
    Unknown(Failure),
}

impl Outcome {
    /// Whether the server has it for certain.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Outcome::Accepted(_))
    }
    /// Why not, unless it was accepted or nobody knows.
    #[must_use]
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Outcome::Temporary(reason) | Outcome::Permanent(reason) => Some(reason),
            Outcome::Accepted(_) | Outcome::Unknown(_) => None,
        }
    }
    /// A refusal by its code. 552 to a recipient means "too many recipients" after others were taken, and is then
    /// temporary (RFC 5321 §4.5.3.1.10), unless its enhanced code says that something else is too much.
    pub(super) fn refused(at: Step, answer: Answer, after_others: bool) -> Self {
        let many = EnhancedStatus::of(5, 5, 3);
        let too_many = at == Step::Recipient
            && answer.code() == 552
            && after_others
            && answer.enhanced().is_none_or(|status| status == many);
        let temporary = answer.is_temporary() || too_many;
        let reason = Reason::Refused { at, answer };
        if temporary { Outcome::Temporary(reason) } else { Outcome::Permanent(reason) }
    }
    /// What wasn't reached because of a failure. Only what is wrong with the message itself stays wrong.
    pub(super) fn failed(failure: Failure) -> Self {
        match &failure.cause {
            Cause::Content(fault) if fault.is_lasting() => Outcome::Permanent(Reason::Failed(failure)),
            _ => Outcome::Temporary(Reason::Failed(failure)),
        }
    }
    pub(super) const fn needs(need: Need) -> Self {
        match need {
            Need::AnotherTransaction => Outcome::Temporary(Reason::Needs(need)),
            _ => Outcome::Permanent(Reason::Needs(need)),
        }
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One for each recipient, in the order of the transaction.
    pub outcomes: Vec<Outcome>,
    /// What decided for all recipients that weren't decided one by one; `None` if each was, or the message was taken.
    pub whole: Option<Reason>,
    /// Why the connection is of no more use; `None` if it can take another message.
    pub broken: Option<Failure>,
}

impl Report {
    /// How many recipients the server has taken for certain.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_accepted()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For reports, where the server gives no enhanced code of its own.
    #[test]
    fn every_refusal_has_an_enhanced_code() {
        for (at, answer, code) in [
            (Step::Recipient, (550, "5.1.1 no"), "5.1.1"),
            (Step::Recipient, (550, "no"), "5.2.0"),
            (Step::Recipient, (450, "4.x.y no"), "4.2.0"),
            (Step::Recipient, (553, "no"), "5.1.0"),
            (Step::Mail, (550, "no"), "5.0.0"),
            (Step::Mail, (452, "full"), "4.3.1"),
            (Step::Message, (552, "large"), "5.3.4"),
            (Step::Mail, (530, "who?"), "5.7.0"),
            (Step::Data, (503, "what?"), "5.5.0"),
            (Step::Message, (451, "oops"), "4.0.0"),
            (Step::Message, (554, "5.7.1 spam"), "5.7.1"),
        ] {
            let answer = Answer::new(answer.0, answer.1).unwrap();
            let outcome = Outcome::refused(at, answer.clone(), false);
            let reason = outcome.reason().unwrap();
            assert_eq!((reason.status().to_string().as_str(), reason.at()), (code, Some(at)), "{reason}");
            assert_eq!(matches!(outcome, Outcome::Permanent(_)), answer.is_permanent());
        }
    }

    #[test]
    fn every_failure_says_what_happened_where_and_whose_it_is() {
        let bye = Answer::new(421, "4.3.2 bye").unwrap();
        for (cause, code, host) in [
            (Cause::Closed, "4.4.2", true),
            (Cause::Io(std::io::ErrorKind::ConnectionReset), "4.4.2", true),
            (Cause::Closing(bye), "4.3.2", true),
            (Cause::Closing(Answer::new(421, "bye").unwrap()), "4.4.2", true),
            (Cause::Timeout, "4.4.1", true),
            (Cause::TooSlow, "4.4.1", true),
            (Cause::Malformed(Malformed::NoCode), "4.5.0", true),
            (Cause::BytesBeforeTls, "4.7.5", true),
            (Cause::Refused(Answer::new(554, "5.7.1 no").unwrap()), "5.7.1", false),
            (Cause::NotOffered("STARTTLS"), "4.7.5", false),
            (Cause::ClearPassword, "4.7.5", false),
            (Cause::Credentials, "4.7.8", false),
            (Cause::Name, "4.3.5", false),
            (Cause::Content(ContentFault::BareLf), "5.6.0", false),
            (Cause::Content(ContentFault::Size), "4.3.0", false),
            (Cause::Exhausted, "4.5.3", false),
            (Cause::Abandoned, "4.3.0", false),
        ] {
            let failure = Failure { at: Step::Message, cause };
            assert_eq!((failure.status().to_string().as_str(), failure.is_of_host()), (code, host), "{failure}");
            assert!(failure.to_string().starts_with("at the message: "));
            let lasting = matches!(Outcome::failed(failure.clone()), Outcome::Permanent(_));
            assert_eq!(lasting, matches!(failure.cause, Cause::Content(ContentFault::BareLf)));
        }
        let greeting = Cause::Refused(Answer::new(554, "no").unwrap());
        assert!(Failure { at: Step::Greeting, cause: greeting }.is_of_host());
    }
}
