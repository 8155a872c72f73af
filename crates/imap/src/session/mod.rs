//! A session: its states, and the way from a command to its answer.

mod access;
mod append;
mod auth;
mod binary;
mod deflate;
mod fetch;
mod id;
mod idle;
mod io;
mod item;
mod list;
mod mailbox;
mod metadata;
mod notify;
mod program;
mod progress;
mod reply;
mod results;
mod rights;
mod search;
mod section;
mod select;
mod sort;
mod store;
mod view;

use crate::Context;
use crate::command::{Command, Tagged};
use crate::frame::{Bounds, Framer, Refusal, Step};
use crate::parse::{Fault, ParseError, parse};
use bytes::Bytes;
use io::{End, Io};
use mailward_core::event::Event;
use mailward_core::foreign;
use mailward_core::limits::{
    DATA_GRACE_TIME, DATA_IDLE_TIME, GUEST_COMMANDS_MAX, IMAP_COMMAND_TIME, IMAP_ERRORS_MAX, IMAP_IDLE_TIME,
    IMAP_PREAUTH_ERRORS_MAX, IMAP_PREAUTH_TIME, MIN_DATA_RATE, STRESS_COMMAND_TIME, STRESS_ERRORS_MAX,
};
use mailward_core::{AccountId, Peer};
use mailward_directory::{Login, Resolution};
use mailward_gate::{SessionEntry, SessionPermit};
use mailward_store::records::{FlagAction, Rights};
use mailward_tls::Wire;
use notify::Notifier;
use reply::{Done, Stop};
use search::names_numbers;
use select::Enabled;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use view::{Expunges, View};

/// The states of RFC 3501 §3; each owns what belongs to it. The fourth, Logout, is the end of the session.
enum State {
    /// Nobody yet.
    NotAuthenticated {
        /// When it is too late.
        deadline: Instant,
    },
    /// Somebody.
    Authenticated(User),
    /// Somebody who looks into a mailbox.
    Selected(User, View),
}

/// Somebody who logged in; the permit counts the session.
struct User {
    login: Login,
    _permit: SessionPermit,
}

impl User {
    const fn account(&self) -> AccountId {
        self.login.account()
    }
}

pub(crate) struct Session {
    context: Arc<Context>,
    peer: Peer,
    /// Where administrators see it.
    entry: SessionEntry,
    io: Io,
    state: State,
    enabled: Enabled,
    notify: Option<Box<Notifier>>,
    /// Logins that failed.
    failures: usize,
    errors: usize,
    /// Commands said before a login.
    guest_commands: usize,
}

impl Session {
    pub(crate) fn new(wire: Wire, peer: Peer, entry: SessionEntry, context: Arc<Context>) -> Self {
        if let Some(tls) = wire.tls() {
            entry.secured(tls.version, tls.cipher);
        }
        let io = Io::new(wire, entry.shutdown());
        let deadline = later(IMAP_PREAUTH_TIME);
        let state = State::NotAuthenticated { deadline };
        Self {
            context,
            peer,
            entry,
            io,
            state,
            enabled: Enabled::default(),
            notify: None,
            failures: 0,
            errors: 0,
            guest_commands: 0,
        }
    }

    /// From the greeting to the end.
    pub(crate) async fn run(mut self) {
        let end = match self.talk().await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        self.io.close(end).await;
        self.context.events.emit(Event::debug("imap.closed").with_peer(&self.peer));
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, End> {
        let capabilities = self.capabilities();
        self.io.line(&["* OK [CAPABILITY ", &capabilities, "] ", self.context.hostname.as_str(), " Mailward ready"]);
        loop {
            let Some(frame) = Box::pin(self.next_command()).await? else { continue };
            // The memory permit of a message lives until its command is done.
            let (command, _memory) = frame;
            self.count_guest()?;
            match parse(&command, self.enabled.utf8_names()) {
                Ok(tagged) => {
                    drop(command);
                    Box::pin(self.answer(tagged)).await?;
                }
                Err(error) => self.answer_fault(error)?,
            }
        }
    }

    fn bounds(&self) -> Bounds {
        match self.state {
            State::NotAuthenticated { .. } => Bounds::BEFORE_LOGIN,
            _ => Bounds::after_login(self.context.settings.load().message_size),
        }
    }

    /// When the next byte has to be there.
    fn patience(&self, idle: Duration) -> Instant {
        match self.state {
            State::NotAuthenticated { deadline } if self.context.gate.is_under_stress() => {
                deadline.min(later(idle.min(STRESS_COMMAND_TIME)))
            }
            State::NotAuthenticated { deadline } => deadline.min(later(idle)),
            _ => later(idle),
        }
    }

    /// Reads until a command is whole; `None` if one was refused and answered.
    async fn next_command(&mut self) -> Result<Option<(Bytes, Option<OwnedSemaphorePermit>)>, End> {
        let mut framer = Framer::default();
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let mut began: Option<Instant> = None;
        let mut message: Option<(Instant, u64)> = None;
        loop {
            let before = self.io.input.len();
            let bounds = self.bounds();
            if !framer.is_within() {
                self.refuse_other_protocols(&self.io.input)?;
            }
            let step = framer.step(&mut self.io.input, bounds);
            self.refuse_other_protocols(framer.begun())?;
            let used = before.saturating_sub(self.io.input.len());
            match step {
                Step::More => {
                    let deadline = match (&mut message, began) {
                        // The message has its own pace (attacks H1): silence and average rate are bounded.
                        (Some((since, bytes)), _) if framer.is_within_message() => {
                            *bytes = bytes.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
                            let earned = bytes.checked_div(MIN_DATA_RATE).unwrap_or(0);
                            let budget = DATA_GRACE_TIME.saturating_add(Duration::from_secs(earned));
                            since.checked_add(budget).unwrap_or(*since).min(later(DATA_IDLE_TIME))
                        }
                        (_, Some(began)) => {
                            began.checked_add(IMAP_COMMAND_TIME).unwrap_or(began).min(self.patience(IMAP_COMMAND_TIME))
                        }
                        (_, None) => self.patience(IMAP_IDLE_TIME),
                    };
                    let within = framer.is_within();
                    if within {
                        self.io.read(deadline, true).await?;
                    } else {
                        self.wait(deadline).await?;
                        self.entry.works();
                    }
                    // A message's time is its own; what follows it has a command's again.
                    began = if framer.is_within_message() {
                        Some(Instant::now())
                    } else {
                        began.or_else(|| Some(Instant::now()))
                    };
                }
                Step::Literal(announced) => {
                    if announced.message {
                        match self.message_room(announced.size).await {
                            Ok(permit) => match &mut memory {
                                None => memory = Some(permit),
                                // RFC 3502: the messages of one APPEND are held together.
                                Some(held) => OwnedSemaphorePermit::merge(held, permit),
                            },
                            Err(text) => {
                                self.answer_refusal(framer.refuse(text))?;
                                return Ok(None);
                            }
                        }
                        message = Some((Instant::now(), 0));
                    }
                    framer.accept();
                    if announced.waits {
                        self.io.line(&["+ go ahead"]);
                    }
                }
                Step::Command(command) => return Ok(Some((command, memory))),
                Step::Refused(refusal) => {
                    self.answer_refusal(refusal)?;
                    return Ok(None);
                }
            }
        }
    }

    /// Room for a message that is about to come: on the disk and in memory.
    async fn message_room(&self, size: u64) -> Result<OwnedSemaphorePermit, &'static str> {
        self.context.store.admit(size).map_err(|_| "[UNAVAILABLE] the server can't take messages now")?;
        let bytes = u32::try_from(size).map_err(|_| "[TOOBIG] the message is larger than this server takes")?;
        let room = Arc::clone(&self.context.memory.0).acquire_many_owned(bytes);
        let mut shutdown = self.io.shutdown.clone();
        let room = tokio::select! {
            room = tokio::time::timeout(DATA_GRACE_TIME, room) => room.ok().and_then(Result::ok),
            () = shutdown.fired() => None,
        };
        match room {
            Some(permit) => Ok(permit),
            None => Err("[INUSE] too many messages arrive at once; try again later"),
        }
    }

    /// Attacks B8: a browser that was sent here, or one of other clients. What we say could be read as an answer by it.
    fn refuse_other_protocols(&self, first: &[u8]) -> Result<(), End> {
        if matches!(self.state, State::NotAuthenticated { .. })
            && let Some(what) = foreign::recognise(first)
        {
            self.context.events.emit(Event::info("imap.dropped").with_peer(&self.peer).with("why", what));
            return Err(End::Gone);
        }
        Ok(())
    }

    /// Attacks H3.
    fn count_guest(&mut self) -> Result<(), End> {
        if !matches!(self.state, State::NotAuthenticated { .. }) {
            return Ok(());
        }
        self.guest_commands = self.guest_commands.saturating_add(1);
        if self.guest_commands > GUEST_COMMANDS_MAX {
            let event = Event::info("imap.dropped").with_peer(&self.peer);
            self.context.events.emit(event.with("why", "too many commands before a login"));
            return Err(End::Bye("too many commands before a login"));
        }
        Ok(())
    }

    fn answer_refusal(&mut self, refusal: Refusal) -> Result<(), End> {
        let tag = refusal.tag.as_deref().unwrap_or("*");
        let word = if refusal.too_big && !refusal.close { " NO [TOOBIG] " } else { " BAD " };
        let word = if refusal.text.starts_with('[') && !refusal.close { " NO " } else { word };
        self.io.line(&[tag, word, refusal.text]);
        if refusal.close {
            return Err(End::Bye("what follows can't be told from commands"));
        }
        if word == " BAD " { self.count_error() } else { Ok(()) }
    }

    fn answer_fault(&mut self, error: ParseError) -> Result<(), End> {
        let tag = error.tag.as_deref().unwrap_or("*");
        match error.fault {
            Fault::Bad(text) => {
                self.io.line(&[tag, " BAD ", text]);
                return self.count_error();
            }
            Fault::Cannot(text) => self.io.line(&[tag, " NO [CANNOT] ", text]),
            Fault::Limit(text) => self.io.line(&[tag, " NO [LIMIT] ", text]),
            Fault::BadEvent => self.io.line(&[tag, " NO [BADEVENT (", notify::EVENTS, ")] those are known here"]),
            Fault::BadCharset { save } => {
                // RFC 5182 §2.1: a search that fails leaves nothing of the last.
                if let (true, State::Selected(_, view)) = (save, &mut self.state) {
                    view.saved.clear();
                }
                self.io.line(&[tag, " NO [BADCHARSET (US-ASCII UTF-8)] that charset isn't known here"]);
            }
        }
        Ok(())
    }

    fn count_error(&mut self) -> Result<(), End> {
        self.errors = self.errors.saturating_add(1);
        let max = match self.state {
            State::NotAuthenticated { .. } if self.context.gate.is_under_stress() => STRESS_ERRORS_MAX,
            State::NotAuthenticated { .. } => IMAP_PREAUTH_ERRORS_MAX,
            _ => IMAP_ERRORS_MAX,
        };
        if self.errors >= max {
            self.context.events.emit(Event::info("imap.dropped").with_peer(&self.peer).with("why", "too many errors"));
            return Err(End::Bye("too many bad commands"));
        }
        Ok(())
    }

    /// Whether the account is still there and may be used: a session doesn't outlive the right to it.
    fn check_welcome(&self) -> Result<(), End> {
        let (State::Authenticated(user) | State::Selected(user, _)) = &self.state else { return Ok(()) };
        let resolution = self.context.directory.resolve(user.login.address());
        match resolution {
            Resolution::Disabled | Resolution::UnknownUser => {}
            Resolution::Deliver { local, .. } if local.iter().all(|target| target.account != user.account()) => {}
            _ => return Ok(()),
        }
        let event = Event::info("imap.dropped").with_peer(&self.peer).with("user", user.login.address());
        self.context.events.emit(event.with("why", "account disabled or removed"));
        Err(End::Bye("the account was disabled"))
    }

    async fn answer(&mut self, tagged: Tagged) -> Result<(), End> {
        let Tagged { tag, command } = tagged;
        self.check_welcome()?;
        // RFC 3501 §7.4.1: sequence numbers must stand while commands that use them are answered.
        let expunges = match &command {
            Command::Fetch(f) if !f.uid => Expunges::Hold,
            Command::Store(s) if !s.uid => Expunges::Hold,
            Command::Search(s) if !s.uid || names_numbers(&s.program) => Expunges::Hold,
            Command::Sort(s) if !s.uid || names_numbers(&s.program) => Expunges::Hold,
            Command::Thread(t) if !t.uid || names_numbers(&t.program) => Expunges::Hold,
            _ => Expunges::Tell,
        };
        let allowed = self.check_rights().await;
        let done = match allowed {
            Ok(()) => Box::pin(self.dispatch(&tag, command)).await,
            Err(stop) => Err(stop),
        };
        let done = match done {
            Err(Stop::Answered) => return Ok(()),
            Err(Stop::Last(done, end)) => {
                self.finish(&tag, &done);
                return Err(end);
            }
            result => self.settle(result)?,
        };
        if let State::Selected(_, view) = &mut self.state
            && view.has_news()
            && self.notify.as_ref().is_none_or(|notify| notify.tells_selected())
        {
            let told = view.tell_news(&mut self.io, &*self.context.store, self.enabled, expunges).await;
            match told {
                Ok(()) => {}
                Err(Stop::Store(mailward_store::StoreError::NotFound(_))) => {
                    // The tagged line first: what was asked has been done.
                    self.finish(&tag, &done);
                    return Err(End::Bye("the selected mailbox was deleted"));
                }
                Err(stop) => {
                    // The command did what it did; the news come with the next.
                    let _told_later = self.settle(Err(stop))?;
                }
            }
        }
        self.finish(&tag, &done);
        if matches!(done, Done::Bad(_)) { self.count_error() } else { Ok(()) }
    }

    fn finish(&mut self, tag: &str, done: &Done) {
        match done {
            Done::Ok(text) => self.io.line(&[tag, " OK ", text]),
            Done::No(text) => self.io.line(&[tag, " NO ", text]),
            Done::Bad(text) => self.io.line(&[tag, " BAD ", text]),
        }
    }

    /// Turns what stopped a command into its answer.
    fn settle(&self, result: Result<Done, Stop>) -> Result<Done, End> {
        match result {
            Ok(done) | Err(Stop::Done(done) | Stop::Last(done, _)) => Ok(done),
            Err(Stop::Answered) => Ok(Done::ok("")),
            Err(Stop::End(end)) => Err(end),
            Err(Stop::Store(error)) => {
                if reply::is_fault(&error) {
                    self.context.events.emit(Event::alert("imap.fault").with_peer(&self.peer).with("error", &error));
                }
                Ok(reply::refused(&error))
            }
        }
    }

    /// A command in the state it needs, or the reason why not.
    async fn dispatch(&mut self, tag: &str, command: Command) -> Result<Done, Stop> {
        match command {
            Command::Capability => {
                let capabilities = self.capabilities();
                self.io.line(&["* CAPABILITY ", &capabilities]);
                Ok(Done::ok("that is what I can"))
            }
            Command::Noop => Ok(Done::ok("nothing done")),
            Command::Id(pairs) => {
                self.client_is(&pairs);
                self.io.line(&["* ID (\"name\" \"Mailward\")"]);
                Ok(Done::ok("pleased to meet you"))
            }
            Command::Logout => {
                self.io.line(&["* BYE until next time"]);
                self.io.line(&[tag, " OK logged out"]);
                Err(End::Logout.into())
            }
            command => match &mut self.state {
                State::NotAuthenticated { .. } => self.dispatch_guest(tag, command).await,
                State::Authenticated(_) => self.dispatch_user(tag, command).await,
                State::Selected(..) => self.dispatch_selected(tag, command).await,
            },
        }
    }

    /// Commands of somebody who logged in (RFC 3501 §6.3).
    async fn dispatch_user(&mut self, tag: &str, command: Command) -> Result<Done, Stop> {
        match command {
            Command::Login { .. } | Command::Authenticate { .. } | Command::StartTls => {
                Ok(Done::bad("logged in already"))
            }
            Command::Enable(names) => Ok(self.enable(&names)),
            Command::Namespace => {
                self.io.line(&["* NAMESPACE ((\"\" \"/\")) ((\"Shared/\" \"/\")) NIL"]);
                Ok(Done::ok("that is all there is"))
            }
            Command::Select { mailbox, read_only, condstore, qresync } => {
                self.enabled.condstore |= condstore;
                self.select(mailbox, read_only, qresync).await
            }
            Command::Create { mailbox, special_use } => self.create(mailbox, special_use).await,
            Command::Delete(mailbox) => self.delete(mailbox).await,
            Command::Rename { from, to } => self.rename(from, to).await,
            Command::Subscribe { mailbox, subscribed } => self.subscribe(mailbox, subscribed).await,
            Command::List(list) => self.list(list).await,
            Command::Lsub { pattern } => self.lsub(&pattern).await,
            Command::Status { mailbox, items } => self.status(mailbox, &items).await,
            Command::GetQuotaRoot(mailbox) => self.get_quota_root(mailbox).await,
            Command::GetQuota(root) => self.get_quota(&root).await,
            Command::SetQuota => Ok(Done::no("[NOPERM] quotas are set by the administrator")),
            Command::Append { mailbox, messages } => self.append(&mailbox, messages).await,
            Command::GetAcl(mailbox) => self.get_acl(&mailbox).await,
            Command::SetAcl { mailbox, identifier, action, rights } => {
                self.set_acl(&mailbox, &identifier, action, rights).await
            }
            Command::DeleteAcl { mailbox, identifier } => {
                self.set_acl(&mailbox, &identifier, FlagAction::Replace, Rights::NONE).await
            }
            Command::ListRights { mailbox, identifier } => self.list_rights(&mailbox, &identifier).await,
            Command::MyRights(mailbox) => self.my_rights(&mailbox).await,
            Command::GetMetadata(asked) => self.get_metadata(asked).await,
            Command::SetMetadata { mailbox, entries } => self.set_metadata(mailbox, entries).await,
            Command::Compress => self.compress(tag).await,
            Command::Unauthenticate => Ok(self.unauthenticate()),
            Command::Notify(notify) => self.notify(notify).await,
            Command::Idle => self.idle().await,
            _ => Ok(Done::bad("select a mailbox first")),
        }
    }

    /// Commands in a mailbox (RFC 3501 §6.4).
    async fn dispatch_selected(&mut self, tag: &str, command: Command) -> Result<Done, Stop> {
        match command {
            Command::Check => Ok(Done::ok("everything is safe always")),
            Command::Close => self.close(true).await,
            Command::Unselect => self.close(false).await,
            Command::Expunge(set) => self.expunge(set).await,
            Command::Search(search) => self.search(tag, search).await,
            Command::Sort(sort) => self.sort(tag, sort).await,
            Command::Thread(thread) => self.thread(tag, thread).await,
            Command::Fetch(fetch) => self.fetch(fetch).await,
            Command::Store(store) => self.store(store).await,
            Command::Copy { uid, set, mailbox, remove } => self.copy(uid, set, mailbox, remove).await,
            Command::Replace { uid, number, mailbox, message } => self.replace(uid, number, &mailbox, message).await,
            command => self.dispatch_user(tag, command).await,
        }
    }

    /// The view of a session that has one, with what its commands need beside it.
    fn selected(&mut self) -> Result<(&mut View, &mut Io), Stop> {
        match &mut self.state {
            State::Selected(_, view) => Ok((view, &mut self.io)),
            _ => Err(Done::bad("select a mailbox first").into()),
        }
    }

    /// A mailbox name as the client reads it.
    fn tell_mailbox(&mut self, name: &str) {
        crate::respond::mailbox(&mut self.io.out, name, self.enabled.utf8_names());
    }
}

fn later(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
