//! Before login (RFC 3501 §6.2): STARTTLS, LOGIN, AUTHENTICATE; and what the server says it can do.

use super::io::End;
use super::reply::{Done, Stop};
use super::select::Enabled;
use super::{Session, State, User, later};
use crate::capability;
use crate::command::Command;
use crate::parse::sasl_response;
use base64::Engine as _;
use bytes::Bytes;
use mailward_core::event::Event;
use mailward_core::limits::{AUTH_ATTEMPTS_MAX, IMAP_PREAUTH_TIME, SASL_LINE_MAX, STOP_GRACE, TLS_HANDSHAKE_TIME};
use mailward_core::{Protocol, Secret};
use mailward_directory::{Login, LoginError, SaslStep};

impl Session {
    /// The words of CAPABILITY in this state.
    pub(super) fn capabilities(&self) -> String {
        if !matches!(self.state, State::NotAuthenticated { .. }) {
            let limit = self.context.settings.load().message_size;
            return format!("{} APPENDLIMIT={limit}", capability::after_login());
        }
        let mut text = capability::before_login();
        let tls = self.io.wire().and_then(|wire| wire.tls());
        match tls {
            Some(tls) => {
                for mechanism in self.context.auth.mechanisms(Some(&tls.bindings)) {
                    text.push_str(" AUTH=");
                    text.push_str(mechanism);
                }
            }
            None => {
                if self.context.acceptor.is_some() {
                    text.push_str(" STARTTLS");
                }
                text.push_str(" LOGINDISABLED");
            }
        }
        text
    }

    pub(super) async fn dispatch_guest(&mut self, tag: &str, command: Command) -> Result<Done, Stop> {
        match command {
            Command::StartTls => self.start_tls(tag).await,
            Command::Login { user, password } => self.login(&user, password).await,
            Command::Authenticate { mechanism, initial } => self.authenticate(&mechanism, initial).await,
            _ => Ok(Done::bad("log in first")),
        }
    }

    /// RFC 3501 §6.2.1. What came in the same segment was said in clear by anybody: the session ends (attacks B1).
    async fn start_tls(&mut self, tag: &str) -> Result<Done, Stop> {
        if self.io.wire().is_none_or(mailward_tls::Wire::is_tls) {
            return Ok(Done::bad("TLS is active already"));
        }
        let Some(acceptor) = self.context.acceptor.clone() else {
            return Ok(Done::no("[UNAVAILABLE] there is no TLS here"));
        };
        if !self.io.input.is_empty() {
            let event = Event::warn("imap.dropped").with_peer(&self.peer).with("why", "bytes after STARTTLS");
            self.context.events.emit(event);
            return Err(End::Bye("nothing may follow STARTTLS").into());
        }
        self.io.line(&[tag, " OK begin TLS now"]);
        self.io.flush().await?;
        let wire = self.io.take_wire().ok_or(End::Gone)?;
        let acceptor = acceptor.for_protocol(Protocol::Imap);
        let handshake = Box::pin(wire.accept_tls(&acceptor));
        let patience = self.patience(TLS_HANDSHAKE_TIME).saturating_duration_since(tokio::time::Instant::now());
        let secured = self.io.shutdown.patiently(patience, STOP_GRACE, handshake).await;
        match secured.ok_or(End::Gone)? {
            Ok(wire) => {
                if let Some(tls) = wire.tls() {
                    self.entry.secured(tls.version, tls.cipher);
                }
                self.io.set_wire(wire);
                self.errors = 0;
                Err(Stop::Answered)
            }
            Err(error) => {
                self.context.events.emit(Event::info("imap.tls_failed").with_peer(&self.peer).with("error", error));
                Err(End::Gone.into())
            }
        }
    }

    async fn login(&mut self, user: &Bytes, password: Secret) -> Result<Done, Stop> {
        let bindings = self.io.wire().and_then(|wire| wire.tls()).map(|tls| &tls.bindings);
        // A name that isn't UTF-8 is nobody's; it takes the same way as any other wrong one.
        let user = String::from_utf8_lossy(user);
        let result = self.context.auth.password(&user, &password, bindings, &self.peer).await;
        drop(password);
        self.settle_login(result)
    }

    async fn authenticate(&mut self, mechanism: &str, initial: Option<Secret>) -> Result<Done, Stop> {
        let bindings = self.io.wire().and_then(|wire| wire.tls()).map(|tls| &tls.bindings);
        let mut sasl = match self.context.auth.begin(mechanism, bindings, &self.peer) {
            Ok(sasl) => sasl,
            Err(LoginError::UnknownMechanism) => return Ok(Done::no("[CANNOT] no such mechanism here")),
            Err(error) => return self.settle_login(Err(error)),
        };
        let mut response = initial;
        loop {
            match sasl.step(response.as_ref().map(Secret::expose)).await {
                Ok(SaslStep::Done(login)) => return self.settle_login(Ok(login)),
                Ok(SaslStep::Challenge(challenge)) => {
                    let challenge = base64::engine::general_purpose::STANDARD.encode(challenge);
                    self.io.line(&["+ ", &challenge]);
                }
                Err(error) => return self.settle_login(Err(error)),
            }
            let line = self.continuation(SASL_LINE_MAX).await?;
            if line.as_ref() == b"*" {
                return Ok(Done::bad("cancelled"));
            }
            let Some(next) = sasl_response(&line) else { return Ok(Done::bad("that isn't base64")) };
            response = Some(next);
        }
    }

    fn settle_login(&mut self, result: Result<Login, LoginError>) -> Result<Done, Stop> {
        let error = match result {
            Ok(login) => return Ok(self.welcome(login)),
            Err(error) => error,
        };
        let failed = match error {
            LoginError::NeedsTls => return Ok(Done::no("[PRIVACYREQUIRED] start TLS first")),
            LoginError::Busy | LoginError::Unavailable => {
                return Ok(Done::no(format!("[UNAVAILABLE] {error}")));
            }
            LoginError::Malformed => Done::bad(error.to_string()),
            LoginError::Refused | LoginError::UnknownMechanism => Done::no(format!("[AUTHENTICATIONFAILED] {error}")),
        };
        self.failures = self.failures.saturating_add(1);
        if self.failures >= AUTH_ATTEMPTS_MAX {
            return Err(Stop::Last(failed, End::Bye("too many logins failed")));
        }
        Ok(failed)
    }

    fn welcome(&mut self, login: Login) -> Done {
        match self.context.gate.session(login.account()) {
            Ok(_) if !self.entry.logged_in(&login, &self.context.directory) => {
                Done::no(format!("[AUTHENTICATIONFAILED] {}", LoginError::Refused))
            }
            Ok(permit) => {
                self.state = State::Authenticated(User { login, _permit: permit });
                self.errors = 0;
                Done::ok(format!("[CAPABILITY {}] welcome", self.capabilities()))
            }
            Err(error) => {
                let event = Event::warn("imap.session_refused").with_peer(&self.peer);
                self.context.events.emit(event.with("user", login.address()).with("error", error));
                Done::no(format!("[LIMIT] {error}"))
            }
        }
    }

    /// RFC 8437: the next user begins anew. TLS and compression stay, and so does the count of logins that failed.
    pub(super) fn unauthenticate(&mut self) -> Done {
        self.state = State::NotAuthenticated { deadline: later(IMAP_PREAUTH_TIME) };
        self.entry.logged_out();
        self.enabled = Enabled::default();
        self.notify = None;
        Done::ok("nobody is logged in")
    }

    /// A line that isn't a command: of a SASL exchange, or IDLE's end.
    pub(super) async fn continuation(&mut self, max: usize) -> Result<Bytes, Stop> {
        let deadline = self.patience(mailward_core::limits::IMAP_COMMAND_TIME);
        loop {
            if let Some(line) = self.take_line(max)? {
                return Ok(line);
            }
            self.io.read(deadline, true).await?;
        }
    }

    /// The next line if it is there, without its end.
    pub(super) fn take_line(&mut self, max: usize) -> Result<Option<Bytes>, End> {
        let too_long = End::Bye("the line is too long");
        let Some(end) = memchr::memchr(b'\n', &self.io.input) else {
            return if self.io.input.len() > max { Err(too_long) } else { Ok(None) };
        };
        let mut line = self.io.input.split_to(end.saturating_add(1));
        if line.len() > max {
            return Err(too_long);
        }
        if !line.ends_with(b"\r\n") {
            return Err(End::Bye("a line ends in CRLF"));
        }
        line.truncate(line.len().saturating_sub(2));
        Ok(Some(line.freeze()))
    }
}
