//! One session: the loop between the wire and the protocol, which knows no protocol itself.

mod gateway;
mod told;

use crate::Context;
use crate::budget::Share;
use crate::deadlines::Deadlines;
use crate::forward;
use crate::program::Program;
use crate::replies;
use crate::submission::{inside, mended};
use crate::watch::Watch;
use mailward_core::event::Event;
use mailward_core::limits::{
    BLOCKING_PREPARE_BYTES, DEADLINE_TICK, MESSAGE_RESERVE_MAX, READ_BUFFER, STOP_GRACE, TLS_HANDSHAKE_TIME, WRITE_TIME,
};
use mailward_core::{AccountId, Address, Peer, Protocol, Shutdown};
use mailward_delivery::care::Given;
use mailward_delivery::{Addressed, HeaderFault, Inside, Trace, Transaction, With};
use mailward_directory::routes::RouteTable;
use mailward_directory::{Login, LoginError, Sasl, SaslStep};
use mailward_gate::{
    Offers, Recipient, Refusal, RelayPermit, SenderPermit, Sending, SessionEntry, decide_inside, decide_sender,
};
use mailward_smtp::Reply;
use mailward_smtp::body::Fault;
use mailward_smtp::input::Input;
use mailward_smtp::params::RecipientParameters;
use mailward_smtp::path::ForwardPath;
use mailward_smtp::server::{
    AuthTicket, Closing, DataTicket, Dialect, MailGiven, MailTicket, MessageTicket, RecipientTicket, Rights, Session,
    Settings, Step,
};
use mailward_store::StoreError;
use mailward_store::records::{Content, Insider};
use mailward_tls::Wire;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

/// What policy keeps in a session.
pub(crate) struct House;

impl Rights for House {
    type Login = Login;
    type Sasl = Sasl;
    type Sender = SenderPermit;
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
}

/// A message that was let come.
struct OnItsWay {
    id: String,
    /// Bytes of trace before it.
    trace: usize,
    began: Instant,
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
        }
    }

    /// Holds the session to its end.
    pub(crate) async fn run(&mut self, mut wire: Wire) -> End {
        let mut session: Session<House> = Session::new(self.settings(&wire));
        let mut input = Input::new(READ_BUFFER);
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
                Step::Mail(ticket) => self.mail(ticket),
                Step::Recipient(ticket) => self.recipient(ticket).await,
                Step::Data(ticket) => self.data(ticket, &wire),
                Step::Message(ticket) => self.message(ticket).await,
                Step::Refused(fault, mail) => self.refused(&mail, fault.name()),
                Step::Auth(mechanism, initial, ticket) => {
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
                Step::Close(why) => {
                    // Whether the peer still reads it is its own affair.
                    let _unread = self.flush(&mut wire, session.output()).await;
                    let _gone = self.shutdown.patiently(WRITE_TIME, STOP_GRACE, wire.shutdown()).await;
                    return End::Closed(why);
                }
            }
        }
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
                Protocol::Smtp | Protocol::Imap | Protocol::Pop3 => Dialect::Smtp,
            },
            message_size: moved.message_size,
            recipients: moved.recipients,
            messages: moved.messages_per_session,
            tls_available: self.context.acceptor.is_some() && self.program.is_none(),
            tls: wire.is_tls().then(|| self.mechanisms(wire)),
        }
    }

    fn mechanisms(&self, wire: &Wire) -> Vec<&'static str> {
        self.context.auth.mechanisms(wire.tls().map(|tls| &tls.bindings))
    }

    fn mail(&self, ticket: MailTicket<'_, House>) {
        if self.shutdown.is_fired() {
            // A session that always has something to say never waits, and must hear it too.
            return ticket.refuse(self.last_word());
        }
        let from = ticket.path().address();
        match self.decide_sender(ticket.login(), from) {
            Ok(permit) => ticket.accept(permit),
            Err(refusal) => {
                let event = Event::info("sender.refused").with_peer(self.peer).with("sender", ticket.path());
                self.context.events.emit(event.with("reason", refusal));
                ticket.refuse(&replies::refusal(refusal));
            }
        }
    }

    /// Asks for the right of whoever this is.
    fn decide_sender(&self, login: Option<&Login>, from: Option<&Address>) -> Result<SenderPermit, Refusal> {
        let (directory, settings) = (&self.context.directory, self.context.settings.load());
        let (rules, sending) = (&settings.inside, settings.sending);
        if let Some(program) = &self.program {
            return program.decide_sender(directory, rules, from, sending);
        }
        match decide_inside(directory, rules, self.peer, from, sending) {
            Some(permit) => Ok(permit),
            None => decide_sender(directory, login, self.peer.listener, from, sending),
        }
    }

    async fn recipient(&self, ticket: RecipientTicket<'_, House>) {
        let (recipient, address) = match ticket.path() {
            ForwardPath::Postmaster => (Recipient::Postmaster, None),
            ForwardPath::Address(address) => (Recipient::Address(address), Some(address.clone())),
        };
        let decided = forward::decide(self.context, ticket.mail(), self.program.as_ref(), recipient).await;
        let decided = self.behind_gateway(&ticket, address.as_ref(), decided).await;
        let (permit, offers) = match decided {
            Ok((permit, _)) if forward::is_one_too_many(&permit, ticket.mail()) => {
                return ticket.refuse(&Reply::TOO_MANY_RECIPIENTS);
            }
            Ok(decided) => decided,
            Err(refusal) => {
                self.recipient_refused(&ticket, refusal);
                return ticket.refuse(&replies::refusal(refusal));
            }
        };
        if let Some(reply) = self.route_refuses(&ticket, &permit) {
            return ticket.refuse(&reply);
        }
        if let Some(reply) = gateway::unfit(ticket.mail(), &permit, offers) {
            return ticket.refuse(&reply);
        }
        let size = ticket.mail().parameters.size.unwrap_or(1);
        for target in permit.targets() {
            if self.context.full.contains(target.account) && !self.has_room(target.account, size).await {
                return ticket.refuse(&Reply::MAILBOX_FULL);
            }
        }
        let parameters = ticket.parameters().clone();
        ticket.accept(Taken { permit, address, parameters, offers });
    }

    /// Asks whether an account that was full has room again.
    async fn has_room(&self, account: AccountId, size: u64) -> bool {
        let room = self.context.store.usage(account).await.is_ok_and(|usage| usage.admits(size));
        if room {
            self.context.full.remove(account);
        }
        room
    }

    fn data(&mut self, ticket: DataTicket<'_, House>, wire: &Wire) {
        let announced = ticket.announced();
        if let Err(error) = self.context.store.admit(announced) {
            self.disk_alert(&error);
            return ticket.refuse(&replies::store(&error));
        }
        let reserve = usize::try_from(announced).unwrap_or(usize::MAX).min(MESSAGE_RESERVE_MAX);
        if !self.share.resize(reserve) {
            let event = Event::info("message.deferred").with_peer(self.peer).with("sender", &ticket.mail().path);
            self.context.events.emit(event.with("reason", "no memory for messages on their way"));
            return ticket.refuse(&Reply::NO_SPACE);
        }
        let id = self.context.ids.next();
        let mail = ticket.mail();
        let program = self.program.as_ref().map(Program::trace);
        let trace = Trace {
            right: program.as_deref().or_else(|| mail.sender.is_of_inside_host().then_some("inside")),
            sender: mail.path.address(),
            hello: &mail.greeted.name,
            peer: self.peer.address,
            hostname: &self.context.hostname,
            with: With {
                protocol: self.peer.listener.protocol(),
                extended: mail.greeted.extended,
                utf8: mail.parameters.smtputf8,
                tls: wire.is_tls(),
                authenticated: ticket.login().is_some(),
            },
            tls: wire.tls().map(|tls| (tls.version, tls.cipher)),
            id: &id,
            recipient: match mail.recipients.as_slice() {
                [only] => only.address.as_ref(),
                _ => None,
            },
            time: self.context.clock.now(),
        };
        let prefix = trace.fields(reserve);
        self.message = Some(OnItsWay { id, trace: prefix.len(), began: Instant::now() });
        ticket.accept(prefix);
    }

    async fn message(&mut self, mut ticket: MessageTicket<'_, House>) {
        let bytes = ticket.take_bytes();
        if ticket.login().is_some()
            && let Some(message) = self.message.as_ref().and_then(|message| bytes.get(message.trace..))
        {
            self.watch.submitted(message);
        }
        let Some(OnItsWay { id, trace, began }) = self.message.take() else {
            return ticket.answer(Reply::LOCAL_ERROR);
        };
        let bytes = match self.submitted(&ticket, bytes, trace, &id) {
            Ok(bytes) => bytes,
            Err(reply) => {
                self.refused(ticket.mail(), reply.text());
                return ticket.answer(reply);
            }
        };
        let size = bytes.len().saturating_sub(trace);
        let prepared = prepare(bytes, trace).await;
        let recipients = &ticket.mail().recipients;
        if let Some(reply) = prepared.as_ref().ok().and_then(|content| gateway::misfit(recipients, content, size)) {
            self.refused(ticket.mail(), reply.text());
            return ticket.answer(reply);
        }
        match prepared {
            Ok(content) if forward::is_due(ticket.mail()) => {
                match forward::admit(self.context, ticket.mail(), &content).await {
                    Ok(()) => self.deliver(ticket, content, &id, size, began).await,
                    Err(why) => {
                        self.refused(ticket.mail(), &why.to_string());
                        ticket.answer(replies::not_forwarded(&why));
                    }
                }
            }
            Ok(content) if ticket.is_per_recipient() => self.deliver_each(ticket, content, &id, size, began).await,
            Ok(content) => self.deliver(ticket, content, &id, size, began).await,
            Err(Unprepared::Header(fault)) => {
                self.refused(ticket.mail(), &fault.to_string());
                ticket.answer(replies::header(fault));
            }
            Err(Unprepared::Lost) => ticket.answer(Reply::LOCAL_ERROR),
        }
        let _given_back = self.share.resize(0);
    }

    /// What a user submits, or somebody inside sends out, mended; what comes from elsewhere as it is.
    fn submitted(
        &self,
        ticket: &MessageTicket<'_, House>,
        bytes: Vec<u8>,
        trace: usize,
        id: &str,
    ) -> Result<Vec<u8>, Reply> {
        let Context { directory, clock, hostname, .. } = self.context;
        let (mail, now) = (ticket.mail(), clock.now());
        if let Some(program) = &self.program {
            let rules = Arc::clone(&self.context.settings.load().inside);
            return program.mended(bytes, trace, mail.path.address(), directory, &rules, now, id);
        }
        if mail.sender.is_of_inside_host() && mail.recipients.iter().any(|taken| !taken.permit.remote().is_empty()) {
            let rules = Arc::clone(&self.context.settings.load().inside);
            return inside(bytes, trace, directory, &rules, now, id, hostname);
        }
        let Some(login) = ticket.login() else { return Ok(bytes) };
        if self.peer.listener.protocol() != Protocol::Submission {
            return Ok(bytes);
        }
        mended(bytes, trace, login, directory, now, id, hostname)
    }

    async fn deliver(&self, ticket: MessageTicket<'_, House>, content: Content, id: &str, size: usize, began: Instant) {
        let stored = u64::try_from(content.bytes.len()).unwrap_or(u64::MAX);
        let routes = self.context.directory.routes().table();
        let insider = self.insider(ticket.mail());
        let transaction = self.transaction(&ticket, &routes, insider.as_ref());
        let recipients = given(ticket.mail());
        let delivered = match &self.context.care {
            // Of strangers nobody knows whether they are who they say: what they sent confirms nothing (attacks A6).
            Some(care) => {
                let confirm = transaction.submitter.is_some() || self.program.is_some();
                care.accept(content, &transaction, &recipients, confirm).await
            }
            None => {
                let recipients: Vec<_> = recipients.iter().map(|given| given.to).collect();
                mailward_delivery::deliver(&*self.context.store, content, &transaction, &recipients).await
            }
        };
        match delivered {
            Ok(_) => {
                self.accepted(ticket.mail(), id, size, began);
                ticket.answer(Reply::OK.with(id));
            }
            Err(error) => {
                self.store_failed(ticket.mail(), id, &error);
                if matches!(error, StoreError::OverQuota) {
                    let permits = ticket.mail().recipients.iter().map(|taken| &taken.permit);
                    self.remember_full(mailward_delivery::accounts(permits), stored).await;
                }
                ticket.answer(replies::store(&error));
            }
        }
    }

    /// Who sends without a login, if it is a program of this host or an inside host.
    fn insider(&self, mail: &MailGiven<House>) -> Option<Inside> {
        if let Some(program) = &self.program {
            return Some(program.inside());
        }
        let address = self.peer.address.filter(|_| mail.sender.is_of_inside_host())?;
        Some(Inside { who: Insider::host(address), name: address.to_string() })
    }

    fn transaction<'t>(
        &self,
        ticket: &'t MessageTicket<'_, House>,
        routes: &'t RouteTable,
        insider: Option<&'t Inside>,
    ) -> Transaction<'t> {
        let settings = Arc::clone(&self.context.settings.load());
        let mail = ticket.mail();
        Transaction {
            sender: mail.path.address(),
            parameters: &mail.parameters,
            submitter: ticket.login().map(Login::account),
            insider,
            signed: mail.sender.sends_out(),
            now: self.context.clock.now(),
            lifetime: settings.lifetime,
            warn_after: settings.warn_after,
            routes,
        }
    }

    async fn deliver_each(
        &self,
        ticket: MessageTicket<'_, House>,
        content: Content,
        id: &str,
        size: usize,
        began: Instant,
    ) {
        let outcomes = match &self.context.care {
            Some(care) => {
                // It comes from a mail server of this host, and what tells its sender goes to other hosts.
                let confirm = self.context.settings.load().sending == Sending::On;
                let routes = self.context.directory.routes().table();
                care.accept_each(content, &self.transaction(&ticket, &routes, None), &given(ticket.mail()), confirm)
                    .await
            }
            None => {
                let permits: Vec<&RelayPermit> = ticket.mail().recipients.iter().map(|taken| &taken.permit).collect();
                mailward_delivery::deliver_each(&*self.context.store, content, &permits).await
            }
        };
        if outcomes.iter().any(Result::is_ok) {
            self.accepted(ticket.mail(), id, size, began);
        }
        let mut answers = Vec::with_capacity(outcomes.len());
        for outcome in &outcomes {
            answers.push(match outcome {
                Ok(()) => Reply::OK.with(id),
                Err(error) => {
                    self.store_failed(ticket.mail(), id, error);
                    replies::store(error)
                }
            });
        }
        ticket.answer_each(&answers);
    }

    /// Finds which of the accounts have no room for so many bytes.
    async fn remember_full(&self, accounts: Vec<AccountId>, size: u64) {
        for account in accounts {
            if self.context.store.usage(account).await.is_ok_and(|usage| !usage.admits(size)) {
                self.context.full.add(account);
            }
        }
    }
}

/// The recipients of a message, as delivery takes them.
fn given(mail: &MailGiven<House>) -> Vec<Given<'_>> {
    let recipients = mail.recipients.iter();
    recipients
        .map(|taken| Given {
            address: taken.address.as_ref(),
            to: Addressed { permit: &taken.permit, parameters: &taken.parameters },
        })
        .collect()
}

/// Why a message can't be given to the store.
enum Unprepared {
    Header(HeaderFault),
    /// The thread that should have done it is gone: the server stops.
    Lost,
}

/// Checks and describes a message: here if that takes no time to speak of, on a thread of its own if other sessions
/// would feel it.
async fn prepare(bytes: Vec<u8>, trace: usize) -> Result<Content, Unprepared> {
    if bytes.len() < BLOCKING_PREPARE_BYTES {
        return mailward_delivery::prepare(bytes, trace).map_err(Unprepared::Header);
    }
    match tokio::task::spawn_blocking(move || mailward_delivery::prepare(bytes, trace)).await {
        Ok(outcome) => outcome.map_err(Unprepared::Header),
        Err(_) => Err(Unprepared::Lost),
    }
}
