//! One session: the loop between the wire and the protocol, which knows no protocol itself.

mod data;
mod door;
mod gateway;
mod inspection;
mod kept;
mod lesson;
mod mail;
mod message;
mod milters;
mod recipient;
mod refused;
mod rules;
mod sender;
mod stranger;
mod told;
mod unknown;

use crate::Context;
use crate::budget::Share;
use crate::deadlines::Deadlines;
use crate::guard::Judged;
use crate::program::Program;
use crate::replies;
use crate::watch::Watch;
use door::Door;
use mailward_core::event::Event;
use mailward_core::limits::{DEADLINE_TICK, READ_BUFFER, STOP_GRACE, TLS_HANDSHAKE_TIME, WRITE_TIME};
use mailward_core::{Address, Peer, Protocol, Shutdown};
use mailward_directory::{Login, LoginError, Sasl, SaslStep};
use mailward_gate::rates::RateHold;
use mailward_gate::{Offers, RelayPermit, SessionEntry};
use mailward_smtp::Reply;
use mailward_smtp::body::Fault;
use mailward_smtp::input::Input;
use mailward_smtp::params::RecipientParameters;
use mailward_smtp::server::{AuthTicket, Closing, Dialect, Rights, Session, Settings, Step};
use mailward_tls::Wire;
use milters::Filtering;
use std::pin::pin;
use std::sync::Arc;
use stranger::{Sender, Stranger};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

/// What policy keeps in a session.
pub(crate) struct House;

impl Rights for House {
    type Login = Login;
    type Sasl = Sasl;
    type Sender = Sender;
    type Recipient = Taken;
}

/// A recipient that was taken.
pub(crate) struct Taken {
    pub(crate) permit: RelayPermit,
    /// `None` is `<postmaster>`.
    address: Option<Address>,
    /// What its sender wants to hear of it (RFC 3461).
    parameters: RecipientParameters,
    /// What the servers take that its mail is passed on to.
    offers: Offers,
}

/// How a session came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By the protocol.
    Closed(Closing),
    /// The peer was gone, or didn't read.
    Lost,
    /// The handshake failed.
    Tls,
}

/// What a session knows beside the protocol's state.
pub(crate) struct Host<'c> {
    context: &'c Context,
    peer: &'c Peer,
    share: Share,
    message: Option<OnItsWay>,
    watch: Watch,
    shutdown: Shutdown,
    /// The program of this host that hands in mail, if one does.
    program: Option<Program>,
    /// What is known of a stranger who brings mail; none: nobody who is weighed.
    stranger: Option<Stranger>,
    /// What was found of the stranger and the sender of this transaction.
    judged: Option<Arc<Judged>>,
    mails: Mails,
    /// The milters, once they were asked.
    filtering: Option<Filtering>,
    /// How whoever is logged in did that.
    mechanism: Option<String>,
}

/// MAIL commands that no recipient followed.
#[derive(Default)]
struct Mails {
    /// The last one, so far.
    is_empty: bool,
    /// Those before it.
    empty: usize,
}

impl Mails {
    /// One more begins; answers how many were for nothing.
    fn one_more(&mut self) -> usize {
        if std::mem::replace(&mut self.is_empty, true) {
            self.empty = self.empty.saturating_add(1);
        }
        self.empty
    }
}

/// A message that was let come.
struct OnItsWay {
    id: String,
    /// Bytes of trace before it.
    trace: usize,
    began: Instant,
    /// What the rate guard counted for it, if it counts its sender; taken back unless it is accepted.
    counted: Option<RateHold>,
}

impl<'c> Host<'c> {
    pub(crate) fn new(context: &'c Context, peer: &'c Peer, entry: SessionEntry, program: Option<Program>) -> Self {
        let shutdown = entry.shutdown();
        Self {
            context,
            peer,
            share: context.budget.share(),
            message: None,
            watch: Watch::new(entry),
            shutdown,
            program,
            stranger: None,
            judged: None,
            mails: Mails::default(),
            filtering: None,
            mechanism: None,
        }
    }

    /// Holds the session to its end.
    pub(crate) async fn run(&mut self, mut wire: Wire) -> End {
        let mut input = Input::new(READ_BUFFER);
        let door = self.at_the_door(&mut wire, &mut input).await;
        let mut session = match self.let_in(door, &wire) {
            Ok(session) => session,
            Err(end) => return end,
        };
        let mut deadlines = Deadlines::new(Instant::now());
        let mut shutdown = self.shutdown.clone();
        self.watch.secured(&wire);
        let mut stop = pin!(shutdown.fired());
        let mut tick = pin!(sleep(DEADLINE_TICK));
        loop {
            match session.step(&mut input) {
                Step::Read => {
                    if !session.output().is_empty() {
                        if self.flush(&mut wire, session.output()).await.is_err() {
                            return End::Lost;
                        }
                        deadlines.replied(Instant::now());
                    }
                    if !self.share.resize(session.held()) {
                        session.give_up(Fault::NoSpace);
                    }
                    deadlines.expect_data(session.is_receiving(), Instant::now());
                    if self.shutdown.is_fired_alone() {
                        // At once, also if it always has something to say.
                        session.farewell(&Reply::SESSION_ENDED, Closing::Shutdown);
                        continue;
                    }
                    self.watch.waits(session.greeted());
                    tokio::select! {
                        biased;
                        read = wire.read(input.space()) => match read {
                            Ok(count) if count > 0 => {
                                input.filled(count);
                                self.watch.works();
                                deadlines.read(count, Instant::now());
                                session.hurry(self.context.gate.is_under_stress());
                            }
                            _ => return End::Lost,
                        },
                        () = &mut tick => {
                            let now = Instant::now();
                            tick.as_mut().reset(now.checked_add(DEADLINE_TICK).unwrap_or(now));
                            let useful = session.messages() > 0 || session.login().is_some();
                            if deadlines.over(now, useful, self.context.gate.is_under_stress()) {
                                session.farewell(&Reply::TIMEOUT, Closing::Timeout);
                            }
                        }
                        () = &mut stop => session.farewell(self.last_word(), Closing::Shutdown),
                    }
                }
                Step::Mail(ticket) => self.mail(ticket, &wire).await,
                Step::Recipient(ticket) => self.recipient(ticket, &mut wire).await,
                Step::Data(ticket) => self.data(ticket, &wire).await,
                Step::Message(ticket) => self.message(ticket).await,
                Step::Refused(fault, mail) => {
                    // Its reply is given already, without a name: it is found by who sent it.
                    let _noted = self.refer_message(&mail, fault.name(), &fault.reply());
                    self.refused(&mail, fault.name());
                }
                Step::Auth(mechanism, initial, ticket) => {
                    self.mechanism = Some(mechanism.to_string());
                    let bindings = wire.tls().map(|tls| &tls.bindings);
                    match self.context.auth.begin(&mechanism, bindings, self.peer) {
                        Ok(sasl) => self.auth(sasl, initial, ticket).await,
                        Err(error) => ticket.refuse(&replies::login(error)),
                    }
                }
                Step::AuthResponse(sasl, response, ticket) => self.auth(sasl, Some(response), ticket).await,
                Step::StartTls(mut ticket) => {
                    let Some(acceptor) = &self.context.acceptor else { return End::Tls };
                    if self.flush(&mut wire, ticket.output()).await.is_err() {
                        return End::Lost;
                    }
                    let handshake = wire.accept_tls(acceptor);
                    match self.shutdown.patiently(TLS_HANDSHAKE_TIME, STOP_GRACE, handshake).await {
                        Some(Ok(secured)) => wire = secured,
                        None => return End::Tls,
                        Some(Err(error)) => {
                            let event = Event::debug("tls.failed").with_peer(self.peer).with("error", error);
                            self.context.events.emit(event);
                            return End::Tls;
                        }
                    }
                    self.watch.secured(&wire);
                    ticket.started(self.mechanisms(&wire));
                }
                Step::Unknown(ticket) => self.unknown(ticket).await,
                Step::Close(why) => {
                    // Whether the peer still reads it is its own affair.
                    let _unread = self.flush(&mut wire, session.output()).await;
                    let _gone = self.shutdown.patiently(WRITE_TIME, STOP_GRACE, wire.shutdown()).await;
                    return End::Closed(why);
                }
            }
        }
    }

    /// The session that somebody gets who connected.
    fn let_in(&self, door: Door, wire: &Wire) -> Result<Session<House>, End> {
        let settings = self.settings(wire);
        Ok(match door {
            Door::Open => Session::new(settings),
            Door::Silent => {
                let mut session = Session::new(settings);
                session.output().clear();
                session
            }
            Door::Cut(reply, why) => {
                let mut session = Session::new(settings);
                session.output().clear();
                session.farewell(&reply, why);
                session
            }
            Door::Gone(end) => return Err(end),
        })
    }

    /// One step of a login.
    async fn auth(&self, mut sasl: Sasl, response: Option<Vec<u8>>, ticket: AuthTicket<'_, House>) {
        match sasl.step(response.as_deref()).await {
            Ok(SaslStep::Challenge(challenge)) => ticket.challenge(sasl, &challenge),
            Ok(SaslStep::Done(login)) if self.watch.logged_in(&login, &self.context.directory) => ticket.done(login),
            Ok(SaslStep::Done(_)) => ticket.refuse(&replies::login(LoginError::Refused)),
            Err(error) => ticket.refuse(&replies::login(error)),
        }
    }

    /// Writes what is there, in one go, and forgets it.
    async fn flush(&mut self, wire: &mut Wire, out: &mut Vec<u8>) -> Result<(), ()> {
        let write = async {
            wire.write_all(out).await?;
            wire.flush().await
        };
        let outcome: Option<std::io::Result<()>> = self.shutdown.patiently(WRITE_TIME, STOP_GRACE, write).await;
        out.clear();
        outcome.and_then(Result::ok).ok_or(())
    }

    /// Why a session that is told to end does.
    fn last_word(&self) -> &'static Reply {
        if self.shutdown.is_fired_alone() { &Reply::SESSION_ENDED } else { &Reply::SHUTTING_DOWN }
    }

    fn settings(&self, wire: &Wire) -> Settings {
        let moved = self.context.settings.load();
        Settings {
            hostname: self.context.hostname.to_string(),
            dialect: match self.peer.listener.protocol() {
                // The kernel has said who it is: there is nothing to log in for, and nobody on the way.
                Protocol::Submission if self.program.is_some() => Dialect::Smtp,
                Protocol::Submission => Dialect::Submission,
                Protocol::Lmtp => Dialect::Lmtp,
                Protocol::Smtp | Protocol::Imap | Protocol::Pop3 | Protocol::Http => Dialect::Smtp,
            },
            message_size: moved.message_size,
            recipients: self.recipients_max(),
            messages: moved.messages_per_session,
            tls_available: self.context.acceptor.is_some() && self.program.is_none(),
            tls: wire.is_tls().then(|| self.mechanisms(wire)),
        }
    }

    /// How many recipients a message may have.
    fn recipients_max(&self) -> usize {
        let most = self.context.settings.load().recipients;
        self.stranger.as_ref().map_or(most, |stranger| most.min(stranger.settings.recipients))
    }

    fn mechanisms(&self, wire: &Wire) -> Vec<&'static str> {
        self.context.auth.mechanisms(wire.tls().map(|tls| &tls.bindings))
    }
}
