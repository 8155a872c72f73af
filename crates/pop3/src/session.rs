//! The thin session: moves bytes between the wire and the machine, and asks the rooms below.

use crate::dots::DotWriter;
use crate::lock::{Lock, Locks};
use crate::machine::{CloseReason, Denial, Intent, Machine, WireFacts};
use crate::maildrop::{Entry, Maildrop};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    PAGE_ROWS_MAX, POP3_IDLE_TIME, POP3_MESSAGES_MAX, POP3_PREAUTH_TIME, READ_BUFFER, STOP_GRACE, WRITE_BUFFER_MAX,
    WRITE_TIME,
};
use mailward_core::{AccountId, Address, MailboxId, MailboxName, Peer, Secret, Shutdown, Uid};
use mailward_directory::{Authenticator, Directory, Login, LoginError, Resolution, Sasl, SaslStep};
use mailward_gate::{ConnectionPermit, Gate, SessionEntry, SessionPermit};
use mailward_store::records::UidRange;
use mailward_store::{MailStore, StoreError};
use mailward_tls::{Acceptor, Wire};
use std::sync::Arc;
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
            End::Machine(CloseReason::Http) => "http",
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
                        | CloseReason::Http
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
        opened: None,
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
    opened: Option<Opened>,
    sasl: Option<Sasl>,
    /// Messages and octets sent.
    sent: (u64, u64),
    deleted: usize,
}

/// A maildrop that is ours.
struct Opened {
    account: AccountId,
    address: Address,
    mailbox: MailboxId,
    _lock: Lock,
    _permit: SessionPermit,
}

impl Session {
    async fn run(&mut self, mut wire: Wire) -> End {
        self.secured(&wire);
        let mut buffer = vec![0u8; READ_BUFFER];
        loop {
            match self.machine.advance() {
                Intent::Read => {
                    if let Err(end) = self.write_out(&mut wire).await {
                        return end;
                    }
                    match self.read(&mut wire, &mut buffer).await {
                        Ok(bytes) => {
                            self.entry.works();
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
                    match auth.password(&user, &password, wire.is_tls(), &self.peer).await {
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
                Intent::Send { .. } | Intent::Update(_) if !self.is_welcome() => {
                    return self.close(wire, End::Unwelcome).await;
                }
                Intent::Send { entry, lines } => {
                    if let Err(end) = self.send(&mut wire, entry, lines).await {
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
        let Some(lock) = self.context.locks.take(account) else {
            return self.machine.deny(Denial::InUse);
        };
        let Ok(permit) = self.context.gate.session(account) else {
            return self.machine.deny(Denial::InUse);
        };
        match load(&*self.context.store, account, POP3_MESSAGES_MAX).await {
            Ok((mailbox, maildrop)) => {
                let (messages, octets) = maildrop.left();
                self.context.events.emit(
                    Event::info("pop3.opened")
                        .with_peer(&self.peer)
                        .with("user", login.address())
                        .with("messages", messages)
                        .with("octets", octets),
                );
                self.opened =
                    Some(Opened { account, address: login.address().clone(), mailbox, _lock: lock, _permit: permit });
                // The last thing before: see there.
                if self.entry.logged_in(login, &self.context.directory) {
                    self.machine.welcome(maildrop);
                } else {
                    self.opened = None;
                    self.machine.deny(Denial::Refused);
                }
            }
            Err(error) => {
                self.tell_store(&error);
                self.machine.deny(Denial::Temporary);
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
        let Some(opened) = &self.opened else { return false };
        match self.context.directory.resolve(&opened.address) {
            Resolution::Disabled | Resolution::UnknownUser => false,
            // Somebody else has the address now.
            Resolution::Deliver { local, .. } => local.iter().any(|target| target.account == opened.account),
            Resolution::NotLocal | Resolution::Loop => false,
        }
    }

    // ---- messages ------------------------------------------------------------------------------------------

    /// Sends a message piece by piece: at most one piece waits for a client that reads slowly.
    async fn send(&mut self, wire: &mut Wire, entry: Entry, lines: Option<u64>) -> Result<(), End> {
        let piece_max = u64::try_from(WRITE_BUFFER_MAX).unwrap_or(u64::MAX);
        let store = Arc::clone(&self.context.store);
        let mut dots = DotWriter::new(lines);
        let mut at = 0u64;
        loop {
            let piece = store.read(entry.blob, at, at.saturating_add(piece_max).min(entry.size)).await;
            let piece = match piece {
                Ok(piece) if !piece.is_empty() || at >= entry.size => piece,
                Err(StoreError::NotFound(_)) if at == 0 => {
                    self.machine.message_gone(false);
                    return Ok(());
                }
                Err(error) if at == 0 => {
                    self.tell_store(&error);
                    self.machine.message_gone(true);
                    return Ok(());
                }
                Err(error) => {
                    self.tell_store(&error);
                    return Err(End::Store);
                }
                Ok(_) => return Err(End::Store),
            };
            if at == 0 {
                self.machine.message_follows(lines.is_none().then_some(entry.size));
            }
            dots.push(&piece, self.machine.output());
            at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if at >= entry.size || dots.is_enough() {
                dots.finish(self.machine.output());
                self.sent = (self.sent.0.saturating_add(1), self.sent.1.saturating_add(at));
                return Ok(());
            }
            self.write_out(wire).await?;
            if self.shutdown.is_fired() {
                return Err(End::Cut);
            }
        }
    }

    /// Deletes what was marked; false if some is left.
    async fn update(&mut self, ranges: Vec<UidRange>) -> bool {
        let Some(opened) = &self.opened else { return true };
        for part in ranges.chunks(PAGE_ROWS_MAX) {
            match self.context.store.expunge(opened.mailbox, part.to_vec(), true).await {
                Ok(expunged) => self.deleted = self.deleted.saturating_add(expunged.uids.len()),
                Err(error) => {
                    self.tell_store(&error);
                    return false;
                }
            }
        }
        true
    }

    // ---- the wire ------------------------------------------------------------------------------------------

    async fn read(&mut self, wire: &mut Wire, buffer: &mut [u8]) -> Result<usize, End> {
        // Before login the deadline stands; after it every whole line moves it (attacks H1).
        if self.machine.is_logged_in() && self.lines != self.machine.lines() {
            self.lines = self.machine.lines();
            self.deadline = Instant::now().checked_add(POP3_IDLE_TIME).unwrap_or_else(Instant::now);
        }
        self.entry.waits();
        tokio::select! {
            biased;
            () = self.shutdown.fired() => Err(End::Stopping),
            read = timeout_at(self.deadline, wire.read(buffer)) => match read {
                Ok(Ok(0) | Err(_)) => Err(End::Gone),
                Ok(Ok(bytes)) => Ok(bytes),
                Err(_) => Err(End::Idle),
            },
        }
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
        let event = if end.is_odd() { Event::warn("pop3.closed") } else { Event::info("pop3.closed") };
        let mut event = event.with_peer(&self.peer).with("why", self.why(end));
        if let Some(opened) = &self.opened {
            event = event
                .with("account", opened.account)
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

/// The messages of INBOX, oldest first, `most` of them.
async fn load(store: &dyn MailStore, account: AccountId, most: usize) -> Result<(MailboxId, Maildrop), StoreError> {
    let mailbox = store.mailbox(account, MailboxName::inbox()).await?;
    let mut messages = Vec::new();
    let mut first = Uid(1);
    while messages.len() < most {
        let limit = most.saturating_sub(messages.len()).min(PAGE_ROWS_MAX);
        let range = UidRange { first, last: UidRange::ALL.last };
        let page = store.messages(mailbox.id, vec![range], limit).await?;
        let Some(last) = page.last().map(|message| message.uid) else { break };
        messages.extend(page.iter().map(|message| (message.uid, message.blob, message.size)));
        match last.0.checked_add(1) {
            Some(next) => first = Uid(next),
            None => break,
        }
    }
    Ok((mailbox.id, Maildrop::new(mailbox.uid_validity, messages)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use mailward_core::Domain;
    use mailward_store::records::{AccountChange, Content, Delivery, DomainChange, Flags, Target};
    use mailward_store::{DirectoryStore as _, LocalStore, Options};

    #[tokio::test]
    async fn a_session_is_shown_the_oldest_messages_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let domain = DomainChange::Add { name: Domain::parse("example.test").unwrap() };
        let domain = store.change_domain(domain).await.unwrap().id;
        let account = AccountChange::Add {
            domain,
            local: "alice".to_owned(),
            display_name: String::new(),
            credential: Arc::from([]),
            quota_bytes: 0,
            quota_messages: 0,
        };
        let account = store.change_account(account).await.unwrap().id;
        for n in 0..5u8 {
            let content = Content::new(Bytes::from(vec![b'a' + n]), Bytes::new());
            let target = Target { account, mailbox: None, flags: Flags::NONE };
            store.deliver(Delivery { content, targets: vec![target] }).await.unwrap();
        }
        for (most, shown) in [(0, 0), (3, 3), (5, 5), (6, 5)] {
            let (_, maildrop) = load(&*store, account, most).await.unwrap();
            assert_eq!(maildrop.left().0, shown, "at most {most}");
            assert_eq!(maildrop.get(1).map(|entry| entry.uid), (shown > 0).then_some(Uid(1)), "the oldest comes first");
        }
    }
}
