//! The thin session: moves bytes between the wire and the machine, and asks the rooms below.

mod messages;

use crate::ahead::Ahead;
use crate::lock::{Lock, Locks};
use crate::machine::{CloseReason, Denial, Intent, Machine, WireFacts};
use crate::maildrop::Maildrop;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    POP3_IDLE_TIME, POP3_LOCK_WAIT, POP3_MESSAGES_MAX, POP3_PAUSE_TIME, POP3_PREAUTH_TIME, POP3_READ_BUFFER,
    STOP_GRACE, STRESS_COMMAND_TIME, WRITE_TIME,
};
use mailward_core::{AccountId, Address, MailboxId, MailboxName, Peer, Secret, Shutdown};
use mailward_directory::{Authenticator, Directory, Login, LoginError, Resolution, Sasl, SaslStep};
use mailward_gate::{ConnectionPermit, Gate, SessionEntry, SessionPermit};
use mailward_store::records::Opened;
use mailward_store::{MailStore, StoreError};
use mailward_tls::{Acceptor, Wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

/// What sessions share.
#[derive(Clone)]
pub struct Context {
    /// Where mail is.
    pub store: Arc<dyn MailStore>,
    /// Who is who: a session doesn't outlive the right to its account.
    pub directory: Arc<Directory>,
    /// Who may log in.
    pub auth: Arc<Authenticator>,
    /// For STLS; `None` where there is no certificate.
    pub acceptor: Option<Acceptor>,
    /// How many sessions an account may have.
    pub gate: Arc<Gate>,
    /// Maildrops in use; one list for all listeners of the process.
    pub locks: Locks,
    /// Where events go.
    pub events: Events,
    /// When to stop.
    pub shutdown: Shutdown,
}

/// Why a session ended; the word in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Machine(CloseReason),
    /// The client went without a word.
    Gone,
    /// [`POP3_IDLE_TIME`] or [`POP3_PREAUTH_TIME`].
    Idle,
    /// [`WRITE_TIME`].
    NotReading,
    Tls,
    Store,
    /// The server stops, between two commands.
    Stopping,
    /// The server stops, in the middle of a message.
    Cut,
    /// The account was disabled or removed since login.
    Unwelcome,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            End::Machine(CloseReason::Quit) => "quit",
            End::Machine(CloseReason::Errors) => "errors",
            End::Machine(CloseReason::Logins) => "logins",
            End::Machine(CloseReason::Line) => "line",
            End::Machine(CloseReason::StlsInjection) => "stls-injection",
            End::Machine(CloseReason::Foreign(what)) => what.name(),
            End::Machine(CloseReason::Commands) => "commands",
            End::Gone => "gone",
            End::Idle => "idle",
            End::NotReading => "not-reading",
            End::Tls => "tls",
            End::Store => "store",
            End::Stopping | End::Cut => "stopping",
            End::Unwelcome => "account",
        }
    }
    /// Ends that look like an attack rather than like the Internet.
    const fn is_odd(self) -> bool {
        matches!(
            self,
            End::Store
                | End::Machine(
                    CloseReason::Errors
                        | CloseReason::Logins
                        | CloseReason::Line
                        | CloseReason::StlsInjection
                        | CloseReason::Foreign(_)
                        | CloseReason::Commands
                )
        )
    }
}

/// Speaks POP3 on `wire` until the client quits, is gone, silent or odd, or the server stops. On an implicit TLS
/// listener the handshake has been made. The permit is given back when this returns.
pub async fn serve(wire: Wire, peer: Peer, mut permit: ConnectionPermit, context: Arc<Context>) {
    let entry = permit.enter(&peer, &context.shutdown);
    let machine = Machine::new(WireFacts {
        tls: wire.is_tls(),
        can_start_tls: context.acceptor.is_some() && !wire.is_tls(),
        mechanisms: mechanisms(&wire, &context.auth),
    });
    let shutdown = entry.shutdown();
    let mut session = Session {
        context,
        peer,
        entry,
        machine,
        shutdown,
        deadline: Instant::now().checked_add(POP3_PREAUTH_TIME).unwrap_or_else(Instant::now),
        lines: 0,
        own: None,
        ahead: Ahead::default(),
        sasl: None,
        sent: (0, 0),
        deleted: 0,
    };
    let end = Box::pin(session.run(wire)).await;
    session.tell_end(end);
    drop(permit);
}

fn mechanisms(wire: &Wire, auth: &Authenticator) -> Vec<&'static str> {
    auth.mechanisms(wire.tls().map(|tls| &tls.bindings))
}

struct Session {
    context: Arc<Context>,
    peer: Peer,
    /// Where administrators see it.
    entry: SessionEntry,
    machine: Machine,
    shutdown: Shutdown,
    /// The next line must be whole by then.
    deadline: Instant,
    /// Lines read when `deadline` was set.
    lines: u64,
    own: Option<Own>,
    ahead: Ahead,
    sasl: Option<Sasl>,
    /// Messages and octets sent.
    sent: (u64, u64),
    deleted: usize,
}

/// A maildrop that is ours.
struct Own {
    account: AccountId,
    address: Address,
    mailbox: MailboxId,
    _lock: Lock,
    _permit: SessionPermit,
}

impl Session {
    async fn run(&mut self, mut wire: Wire) -> End {
        self.secured(&wire);
        let mut buffer = vec![0u8; POP3_READ_BUFFER];
        loop {
            match self.machine.advance() {
                Intent::Read => {
                    if let Err(end) = self.write_out(&mut wire).await {
                        return end;
                    }
                    match self.read(&mut wire, &mut buffer).await {
                        Ok(bytes) => {
                            self.entry.works();
                            self.machine.hurry(self.context.gate.is_under_stress());
                            self.machine.feed(buffer.get(..bytes).unwrap_or_default());
                        }
                        Err(end) => return self.close(wire, end).await,
                    }
                }
                Intent::Write => {
                    if let Err(end) = self.write_out(&mut wire).await {
                        return end;
                    }
                }
                Intent::StartTls => {
                    if let Err(end) = self.write_out(&mut wire).await {
                        return end;
                    }
                    let Some(acceptor) = &self.context.acceptor else { return End::Tls };
                    let patience = self.deadline.saturating_duration_since(Instant::now());
                    let handshake = Box::pin(wire.accept_tls(acceptor));
                    wire = match self.shutdown.patiently(patience, STOP_GRACE, handshake).await {
                        Some(Ok(wire)) => wire,
                        Some(Err(_)) => return End::Tls,
                        None if self.shutdown.is_fired() => return End::Cut,
                        None => return End::Idle,
                    };
                    self.secured(&wire);
                    self.machine.tls_started(mechanisms(&wire, &self.context.auth));
                }
                Intent::Password { user, password } => {
                    let auth = Arc::clone(&self.context.auth);
                    let bindings = wire.tls().map(|tls| &tls.bindings);
                    match auth.password(&user, &password, bindings, &self.peer).await {
                        Ok(login) => self.open(&login).await,
                        Err(error) => self.machine.deny(denial(&error)),
                    }
                }
                Intent::SaslBegin { mechanism, initial } => {
                    let bindings = wire.tls().map(|tls| &tls.bindings);
                    match self.context.auth.begin(&mechanism, bindings, &self.peer) {
                        Ok(sasl) => {
                            self.sasl = Some(sasl);
                            self.sasl_step(initial).await;
                        }
                        Err(error) => self.machine.deny(denial(&error)),
                    }
                }
                Intent::SaslResponse(response) => self.sasl_step(Some(response)).await,
                Intent::Send { .. } | Intent::Sizes(_) | Intent::Update(_) if !self.is_welcome() => {
                    return self.close(wire, End::Unwelcome).await;
                }
                Intent::Sizes(uids) => {
                    if let Err(end) = self.sizes(uids).await {
                        return self.close(wire, end).await;
                    }
                }
                Intent::Send { number, uids, lines } => {
                    if let Err(end) = self.send(&mut wire, number, uids, lines).await {
                        return self.close(wire, end).await;
                    }
                }
                Intent::Update(ranges) => {
                    let all = self.update(ranges).await;
                    self.machine.updated(all);
                }
                Intent::Close(reason) => return self.close(wire, End::Machine(reason)).await,
            }
        }
    }

    // ---- login ---------------------------------------------------------------------------------------------

    async fn sasl_step(&mut self, response: Option<Secret>) {
        let Some(mut sasl) = self.sasl.take() else {
            self.machine.deny(Denial::Malformed);
            return;
        };
        match sasl.step(response.as_ref().map(Secret::expose)).await {
            Ok(SaslStep::Challenge(challenge)) => {
                self.sasl = Some(sasl);
                self.machine.challenge(&challenge);
            }
            Ok(SaslStep::Done(login)) => self.open(&login).await,
            Err(error) => self.machine.deny(denial(&error)),
        }
    }

    async fn open(&mut self, login: &Login) {
        let account = login.account();
        // First, so that no more wait for a maildrop than may be logged in.
        let Ok(permit) = self.context.gate.session(account) else {
            return self.machine.deny(Denial::InUse);
        };
        let most = POP3_LOCK_WAIT.min(self.deadline.saturating_duration_since(Instant::now()));
        let lock = tokio::select! {
            biased;
            () = self.shutdown.fired() => None,
            lock = self.context.locks.wait(account, most) => lock,
        };
        let Some(lock) = lock else {
            return self.machine.deny(Denial::InUse);
        };
        match load(&*self.context.store, account).await {
            // After every wait: see there.
            Ok(_) if !self.entry.logged_in(login, &self.context.directory) => self.machine.deny(Denial::Refused),
            Ok((mailbox, maildrop)) => {
                self.context.events.emit(
                    Event::info("pop3.opened")
                        .with_peer(&self.peer)
                        .with("user", login.address())
                        .with("messages", maildrop.left()),
                );
                self.own =
                    Some(Own { account, address: login.address().clone(), mailbox, _lock: lock, _permit: permit });
                self.machine.welcome(maildrop);
            }
            Err(error) => {
                self.tell_store(&error);
                let broken = matches!(error, StoreError::Damaged(_) | StoreError::Database(_));
                self.machine.deny(if broken { Denial::Broken } else { Denial::Temporary });
            }
        }
    }

    fn secured(&self, wire: &Wire) {
        if let Some(tls) = wire.tls() {
            self.entry.secured(tls.version, tls.cipher);
        }
    }

    /// Whether the account is still there and may be used: no mail is shown or deleted without that.
    fn is_welcome(&self) -> bool {
        let Some(own) = &self.own else { return false };
        match self.context.directory.resolve(&own.address) {
            Resolution::Disabled | Resolution::UnknownUser => false,
            // Somebody else has the address now.
            Resolution::Deliver { local, .. } => local.iter().any(|target| target.account == own.account),
            Resolution::NotLocal | Resolution::Loop => false,
        }
    }

    // ---- the wire ------------------------------------------------------------------------------------------

    async fn read(&mut self, wire: &mut Wire, buffer: &mut [u8]) -> Result<usize, End> {
        // Before login the deadline stands; after it every whole line moves it (attacks H1).
        if self.machine.is_logged_in() && self.lines != self.machine.lines() {
            self.lines = self.machine.lines();
            self.deadline = Instant::now().checked_add(POP3_IDLE_TIME).unwrap_or_else(Instant::now);
        }
        self.entry.waits();
        let after = |time: Duration| Instant::now().checked_add(time).unwrap_or(self.deadline);
        let stress = self.context.gate.is_under_stress() && !self.machine.is_logged_in();
        let deadline = if stress { self.deadline.min(after(STRESS_COMMAND_TIME)) } else { self.deadline };
        let mut until = after(POP3_PAUSE_TIME).min(deadline);
        loop {
            let read = tokio::select! {
                biased;
                () = self.shutdown.fired() => return Err(End::Stopping),
                read = timeout_at(until, wire.read(buffer)) => read,
            };
            match read {
                Ok(Ok(0) | Err(_)) => return Err(End::Gone),
                Ok(Ok(bytes)) => return Ok(bytes),
                Err(_) if until >= deadline => return Err(End::Idle),
                Err(_) => {
                    self.rest();
                    until = deadline;
                }
            }
        }
    }

    /// Gives back what a client that thinks needs no more.
    fn rest(&mut self) {
        self.ahead.drop_messages();
        *self.machine.output() = Vec::new();
    }

    async fn write_out(&mut self, wire: &mut Wire) -> Result<(), End> {
        let output = self.machine.output();
        if output.is_empty() {
            return Ok(());
        }
        let write = async {
            wire.write_all(output).await?;
            wire.flush().await
        };
        let written: Option<std::io::Result<()>> = self.shutdown.patiently(WRITE_TIME, STOP_GRACE, write).await;
        output.clear();
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(End::Gone),
            None if self.shutdown.is_fired() => Err(End::Cut),
            None => Err(End::NotReading),
        }
    }

    /// Says the last word, where there is one to say, and closes.
    async fn close(&mut self, mut wire: Wire, end: End) -> End {
        match end {
            End::Stopping if self.shutdown.is_fired_alone() => self.machine.ended(),
            End::Stopping => self.machine.stopping(),
            End::Unwelcome => self.machine.unwelcome(),
            _ => {}
        }
        // In the middle of a message nothing can be said: it would be taken for its text.
        let unheard =
            matches!(end, End::Machine(_) | End::Stopping | End::Unwelcome) && self.write_out(&mut wire).await.is_err();
        if !unheard {
            // A TLS end is owed to a client that wants to know that nobody cut the line.
            let _gone = self.shutdown.patiently(WRITE_TIME, STOP_GRACE, wire.shutdown()).await;
        }
        end
    }

    // ---- the log -------------------------------------------------------------------------------------------

    fn tell_end(&self, end: End) {
        // Sessions of users are all told; those of strangers may be without number (attacks H8).
        let name = if self.own.is_some() { "pop3.closed" } else { "pop3.dropped" };
        let event = if end.is_odd() { Event::warn(name) } else { Event::info(name) };
        let mut event = event.with_peer(&self.peer).with("why", self.why(end));
        if let Some(own) = &self.own {
            event = event
                .with("account", own.account)
                .with("sent", self.sent.0)
                .with("octets", self.sent.1)
                .with("deleted", self.deleted);
        }
        self.context.events.emit(event);
    }

    fn why(&self, end: End) -> &'static str {
        match end {
            End::Stopping | End::Cut if self.shutdown.is_fired_alone() => "ended",
            end => end.name(),
        }
    }

    fn tell_store(&self, error: &StoreError) {
        self.context.events.emit(Event::warn("pop3.failed").with_peer(&self.peer).with("error", error));
    }
}

fn denial(error: &LoginError) -> Denial {
    match error {
        LoginError::Refused => Denial::Refused,
        LoginError::Malformed => Denial::Malformed,
        LoginError::UnknownMechanism => Denial::UnknownMechanism,
        LoginError::NeedsTls => Denial::NeedsTls,
        LoginError::Busy | LoginError::Unavailable => Denial::Temporary,
    }
}

/// INBOX as it is now, without a look at its messages.
async fn load(store: &dyn MailStore, account: AccountId) -> Result<(MailboxId, Maildrop), StoreError> {
    let id = store.mailbox(account, MailboxName::inbox()).await?.id;
    let Opened { mailbox, uids } = store.open(id).await?;
    Ok((id, Maildrop::new(mailbox.uid_validity, &uids, mailbox.bytes, POP3_MESSAGES_MAX)))
}
