//! A connection from its greeting to QUIT.

use super::answer::{Answer, Malformed};
use super::extensions::Extensions;
use super::outcome::{Cause, Failure, Step};
use super::transaction::{Group, Question, hello_verb};
use super::wire::{Wire, after};
use super::{Dialect, Security};
use crate::command;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::Secret;
use mailward_core::limits::{
    SASL_LINE_MAX, SEND_QUIT_TIME, SMTP_COMMAND_LINE_MAX, SMTP_REPLY_BYTES_MAX, SMTP_REPLY_KEPT_MAX,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout_at;

/// Longest initial response that goes with AUTH, bytes with CRLF: the command stays within 512 (RFC 4954 §4).
const INITIAL_RESPONSE_MAX: usize = 500;

/// A server that has greeted us and that we have greeted.
#[derive(Debug)]
pub struct Connection<S> {
    pub(super) wire: Wire<S>,
    pub(super) extensions: Extensions,
    pub(super) state: State,
    /// MAIL commands said.
    pub(super) messages: u32,
    who: Who,
    security: Security,
}

/// What is the same before and after TLS.
#[derive(Clone, Debug)]
struct Who {
    name: Box<str>,
    dialect: Dialect,
    greeting: Answer,
}

/// What may be said next.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Anything.
    Ready,
    /// A transaction was begun and not ended: RSET first.
    Begun,
    /// Something is going on. Found by a later call only if that was given up.
    Busy,
    /// Nothing.
    Over(Failure),
}

/// What a server makes of STARTTLS.
#[derive(Debug)]
pub enum StartTls<S> {
    /// It agrees: do the handshake on the stream, then call [`Resume::starttls_done`].
    Ready(S, Resume),
    /// It refuses, with these words; the connection goes on in clear, if policy lets it (attacks B3).
    Refused(Box<Connection<S>>, Answer),
}

/// A connection between STARTTLS and the greeting over TLS: our name and the dialect, and nothing of what the server
/// has said since its greeting.
#[derive(Debug)]
pub struct Resume(Who);

impl Resume {
    /// Goes on over TLS: says EHLO again (RFC 3207 §4.2).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn starttls_done<T: AsyncRead + AsyncWrite + Unpin + Send>(
        self,
        stream: T,
    ) -> Result<Connection<T>, Failure> {
        let mut connection = Connection::new(Wire::new(stream), self.0, Security::Tls);
        connection.hello().await?;
        Ok(connection)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Waits for the greeting and says EHLO or LHLO with `name`, a host name or address literal; HELO if the server
    /// doesn't know EHLO. `security` says whether `stream` is TLS already (implicit TLS, RFC 8314).
    ///
    /// # Errors
    /// [`Failure`]; [`Cause::Refused`] and [`Cause::Closing`] have the server's words if it doesn't want us.
    pub async fn greet(stream: S, dialect: Dialect, name: &str, security: Security) -> Result<Self, Failure> {
        let line = format!("EHLO {name}");
        if !matches!(command::parse(line.as_bytes()), Ok(command::Command::Hello(..))) {
            return Err(Failure { at: Step::Hello, cause: Cause::Name });
        }
        let mut wire = Wire::new(stream);
        let mut answers = Vec::with_capacity(1);
        wire.ask(&[], &[Question { step: Step::Greeting, end: 0 }], None, &mut answers).await?;
        let out_of_place = || Failure { at: Step::Greeting, cause: Malformed::OutOfPlace.into() };
        let greeting = answers.pop().ok_or_else(out_of_place)?;
        let who = Who { name: name.into(), dialect, greeting: greeting.clone() };
        let mut connection = Self::new(wire, who, security);
        if greeting.code() != 220 {
            let refused = greeting.is_temporary() || greeting.is_permanent();
            if !refused {
                return Err(out_of_place());
            }
            connection.say_quit().await;
            return Err(Failure { at: Step::Greeting, cause: Cause::Refused(greeting) });
        }
        connection.hello().await?;
        Ok(connection)
    }

    fn new(wire: Wire<S>, who: Who, security: Security) -> Self {
        Self { wire, extensions: Extensions::default(), state: State::Ready, messages: 0, who, security }
    }

    /// What the server offers; nothing if it knows HELO only.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }
    /// The server's first words.
    #[must_use]
    pub const fn greeting(&self) -> &Answer {
        &self.who.greeting
    }
    /// The language spoken.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.who.dialect
    }
    /// Whether TLS runs.
    #[must_use]
    pub const fn security(&self) -> Security {
        self.security
    }
    /// What carries the bytes, to look at (addresses, TLS's results).
    pub const fn stream(&self) -> &S {
        self.wire.stream()
    }
    /// Sends commands one by one from here on, though the server offers PIPELINING: for servers, or boxes before them,
    /// that offer what they can't do.
    pub const fn forgo_pipelining(&mut self) {
        self.extensions.pipelining = false;
    }
    /// Sends messages with DATA from here on, though the server offers CHUNKING.
    pub const fn forgo_chunking(&mut self) {
        self.extensions.chunking = false;
    }

    /// Whether another message may be sent: nothing broke, and LIMITS MAILMAX isn't reached (RFC 9422).
    #[must_use]
    pub fn is_usable(&self) -> bool {
        matches!(self.state, State::Ready | State::Begun) && !self.is_exhausted()
    }
    pub(super) fn is_exhausted(&self) -> bool {
        self.extensions.messages_max.is_some_and(|max| self.messages >= max)
    }
    /// Whether the server is still there, as far as it can be seen without asking it: for a connection that was kept
    /// for a while. If it said goodbye meanwhile (421), the connection isn't usable any more.
    pub async fn is_still_there(&mut self) -> bool {
        let looked = match self.begin(Step::Mail) {
            Ok(before) => match self.wire.quiet().await {
                Ok(()) => {
                    self.state = before;
                    Ok(())
                }
                Err(cause) => Err(self.over(Failure { at: Step::Mail, cause })),
            },
            Err(failure) => Err(failure),
        };
        looked.is_ok()
    }

    /// Says STARTTLS (RFC 3207). Whatever the server said before is forgotten when it agrees.
    ///
    /// # Errors
    /// [`Failure`]; [`Cause::NotOffered`]; [`Cause::BytesBeforeTls`].
    pub async fn starttls_begin(mut self) -> Result<StartTls<S>, Failure> {
        let fail = |cause| Failure { at: Step::StartTls, cause };
        if !self.extensions.starttls || self.security == Security::Tls {
            return Err(fail(Cause::NotOffered("STARTTLS")));
        }
        let answer = self.command(Step::StartTls, b"STARTTLS\r\n").await?;
        if answer.code() == 220 {
            if self.wire.has_unread() {
                return Err(fail(Cause::BytesBeforeTls));
            }
            return Ok(StartTls::Ready(self.wire.into_stream(), Resume(self.who)));
        }
        if answer.is_positive() || answer.is_intermediate() {
            return Err(fail(Malformed::OutOfPlace.into()));
        }
        Ok(StartTls::Refused(Box::new(self), answer))
    }

    /// Logs in (RFC 4954) with PLAIN (RFC 4616) or else LOGIN, over TLS only.
    ///
    /// # Errors
    /// [`Failure`]: [`Cause::ClearPassword`] without TLS, [`Cause::NotOffered`], [`Cause::Credentials`],
    /// [`Cause::Refused`].
    pub async fn auth(&mut self, user: &str, password: &Secret) -> Result<(), Failure> {
        let fail = |cause| Failure { at: Step::Auth, cause };
        if self.security != Security::Tls {
            return Err(fail(Cause::ClearPassword));
        }
        let secret = password.expose();
        if user.is_empty() || secret.is_empty() || user.contains('\0') || secret.contains(&0) {
            return Err(fail(Cause::Credentials));
        }
        let (first, then) = if self.extensions.mechanism("PLAIN") {
            let mut response = Vec::with_capacity(user.len().saturating_add(secret.len()).saturating_add(2));
            response.push(0);
            response.extend_from_slice(user.as_bytes());
            response.push(0);
            response.extend_from_slice(secret);
            let line = sasl_line(&Secret::new(response));
            if line.expose().len() <= INITIAL_RESPONSE_MAX {
                let mut whole = Vec::with_capacity(SMTP_COMMAND_LINE_MAX);
                whole.extend_from_slice(b"AUTH PLAIN ");
                whole.extend_from_slice(line.expose());
                (Secret::new(whole), Vec::new())
            } else {
                (Secret::new("AUTH PLAIN\r\n"), vec![line])
            }
        } else if self.extensions.mechanism("LOGIN") {
            (Secret::new("AUTH LOGIN\r\n"), vec![sasl_line(&Secret::new(user)), sasl_line(password)])
        } else {
            return Err(fail(Cause::NotOffered("AUTH PLAIN or LOGIN")));
        };
        if then.iter().any(|line| line.expose().len() > SASL_LINE_MAX) {
            return Err(fail(Cause::Credentials));
        }
        let mut answer = self.command(Step::Auth, first.expose()).await?;
        for line in then {
            if answer.code() != 334 {
                break;
            }
            answer = self.command(Step::Auth, line.expose()).await?;
        }
        match answer.code() {
            235 => Ok(()),
            400..=599 => Err(fail(Cause::Refused(answer))),
            _ => Err(self.over(fail(Malformed::OutOfPlace.into()))),
        }
    }

    /// Says RSET if a transaction was begun and not ended; [`Connection::send`] does so by itself.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn reset(&mut self) -> Result<(), Failure> {
        if !matches!(self.state, State::Begun) {
            return Ok(());
        }
        let answer = self.command(Step::Reset, b"RSET\r\n").await?;
        if answer.is_positive() {
            self.state = State::Ready;
            return Ok(());
        }
        Err(self.over(Failure { at: Step::Reset, cause: Cause::Refused(answer) }))
    }

    /// Says goodbye, unless the connection is over. The answer is waited for, for `limits::SEND_QUIT_TIME`, so that the
    /// server sees an orderly end; what it is doesn't matter.
    pub async fn quit(mut self) {
        if matches!(self.state, State::Ready | State::Begun) {
            let _bye = self.command(Step::Quit, b"QUIT\r\n").await;
        }
        self.shut().await;
    }

    /// Says goodbye without waiting for an answer.
    async fn say_quit(&mut self) {
        let _written = self.wire.pour(b"QUIT\r\n", after(SEND_QUIT_TIME)).await;
        self.shut().await;
    }

    /// The other side may have closed already, or never will.
    async fn shut(&mut self) {
        let _closed = timeout_at(after(SEND_QUIT_TIME), self.wire.stream_mut().shutdown()).await;
    }

    async fn hello(&mut self) -> Result<(), Failure> {
        let mut group = Group::default();
        let verb = hello_verb(self.who.dialect);
        group.plain(Step::Hello, &format!("{verb} {}", self.who.name));
        self.wire.keep = SMTP_REPLY_BYTES_MAX;
        let mut answer = self.command(Step::Hello, group.text.as_bytes()).await?;
        self.wire.keep = SMTP_REPLY_KEPT_MAX;
        if answer.is_positive() {
            self.extensions = Extensions::parse(&answer);
            return Ok(());
        }
        // Servers of before 1993 don't know EHLO and say so with these (RFC 5321 §3.2, §4.2.4). Others mean us.
        if self.who.dialect == Dialect::Smtp && matches!(answer.code(), 500 | 502 | 504) {
            let line = format!("HELO {}\r\n", self.who.name);
            answer = self.command(Step::Hello, line.as_bytes()).await?;
            if answer.is_positive() {
                return Ok(());
            }
        }
        if answer.is_intermediate() {
            return Err(Failure { at: Step::Hello, cause: Malformed::OutOfPlace.into() });
        }
        self.say_quit().await;
        Err(Failure { at: Step::Hello, cause: Cause::Refused(answer) })
    }

    /// One command and its answer, whatever it is but 421. The state stays as it was.
    pub(super) async fn command(&mut self, step: Step, line: &[u8]) -> Result<Answer, Failure> {
        let before = self.begin(step)?;
        let asked = match self.wire.quiet().await {
            Ok(()) => {
                let mut answers = Vec::with_capacity(1);
                let question = [Question { step, end: line.len() }];
                let asked = self.wire.ask(line, &question, None, &mut answers).await;
                asked.map(|()| answers.pop())
            }
            Err(cause) => Err(Failure { at: step, cause }),
        };
        match asked {
            Ok(Some(answer)) => {
                self.state = before;
                Ok(answer)
            }
            // One question has one answer, or a failure.
            Ok(None) => Err(self.over(Failure { at: step, cause: Cause::Closed })),
            Err(failure) => Err(self.over(failure)),
        }
    }

    /// Notes that something goes on, and tells what was before.
    pub(super) fn begin(&mut self, step: Step) -> Result<State, Failure> {
        match std::mem::replace(&mut self.state, State::Busy) {
            State::Busy => Err(self.over(Failure { at: step, cause: Cause::Abandoned })),
            State::Over(failure) => Err(self.over(failure)),
            before @ (State::Ready | State::Begun) => Ok(before),
        }
    }

    /// Notes that nothing goes any more.
    pub(super) fn over(&mut self, failure: Failure) -> Failure {
        self.state = State::Over(failure.clone());
        failure
    }
}

fn sasl_line(response: &Secret) -> Secret {
    let encoded = Secret::new(STANDARD.encode(response.expose()));
    let mut line = Vec::with_capacity(encoded.expose().len().saturating_add(2));
    line.extend_from_slice(encoded.expose());
    line.extend_from_slice(b"\r\n");
    Secret::new(line)
}
