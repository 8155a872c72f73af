//! One milter in one session: what it was told, and what it said.

use crate::Fault;
use crate::answer::Answer;
use crate::changes::{Edit, NewRecipient, NewSender, Outcome, Refusal};
use crate::connection::Connection;
use crate::draft::{Draft, with_line_ends};
use crate::health::Watch;
use crate::macros::{Macros, Stage, plain};
use crate::packet::{Out, command};
use crate::reply::Reply;
use crate::step::{self, Step};
use crate::terms::{Terms, VERSION, steps};
use mailward_core::config::{MilterDefault, MilterLine};
use mailward_core::event::Events;
use mailward_core::limits::{
    MILTER_CONNECT_TIME, MILTER_EDIT_BYTES_MAX, MILTER_EDITS_MAX, MILTER_FAREWELL_TIME, MILTER_IDLE_MAX,
    MILTER_IDLE_TIME, MILTER_PACKETS_MAX, MILTER_RECIPIENTS_MAX, MILTER_WRITE_BUFFER,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// One milter, as all sessions share it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) line: MilterLine,
    pub(crate) watch: Watch,
    pub(crate) events: Events,
    idle: Mutex<Vec<(Link, Instant)>>,
}

/// A connection and what was agreed on it.
#[derive(Debug)]
pub(crate) struct Link {
    connection: Connection,
    terms: Terms,
}

/// What it has to hear before anything else.
pub(crate) struct Opening<'s> {
    pub(crate) macros: &'s Macros,
    /// The packet of the connection, without its letter.
    pub(crate) client: &'s [u8],
    pub(crate) hello: Option<&'s str>,
}

/// How far it is out of it.
#[derive(Debug, Default)]
enum Done {
    #[default]
    No,
    /// It has no more to say of this message.
    Message,
    /// It couldn't be asked about something of this message.
    Failed(Fault),
    /// It has no more to say in this session.
    Session,
    /// It refused the session.
    Refused(Answer),
}

/// One milter in one session.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) entry: Arc<Entry>,
    link: Option<Link>,
    done: Done,
    /// It has heard of a sender, and neither of an end nor of an abort since.
    in_message: bool,
    /// Largest body that it may put in a message's place, bytes.
    body_max: usize,
}

/// What came of one command, to one milter.
pub(crate) enum Heard {
    Go,
    Refuse(Refusal),
    Discard,
}

/// What one milter made of a message.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) edits: Vec<Edit>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) sender: Option<NewSender>,
    pub(crate) added: Vec<NewRecipient>,
    pub(crate) removed: Vec<String>,
    pub(crate) quarantine: Option<String>,
}

impl Entry {
    pub(crate) fn new(line: MilterLine, events: Events) -> Self {
        Self { line, watch: Watch::default(), events, idle: Mutex::default() }
    }

    /// Connects to it, without a message, and takes leave.
    pub(crate) async fn look_after(&self) {
        let line = MilterLine { connect: self.line.connect.min(MILTER_CONNECT_TIME), ..self.line.clone() };
        let found = Link::open(&line).await;
        self.watch.looked_after(&self.line, found.as_ref().map(|link| &link.terms), &self.events);
        if let Ok(mut link) = found {
            // It is looked after, whether it hears this or not.
            let _unheard = link.connection.farewell(command::QUIT, MILTER_FAREWELL_TIME).await;
        }
    }

    fn idle(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < MILTER_IDLE_TIME);
        idle.pop().map(|(link, _)| link)
    }

    fn keep(&self, link: Link) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MILTER_IDLE_MAX {
            idle.push((link, Instant::now()));
        }
    }
}

impl Link {
    /// Connects and comes to terms.
    async fn open(line: &MilterLine) -> Result<Self, Fault> {
        let mut connection = Connection::open(line).await?;
        connection.out.packet(command::NEGOTIATE, &[&Terms::offer()]);
        let until = after(line.connect);
        connection.flush(until, "our terms").await?;
        let packet = connection.packet(until, "our terms").await?;
        if packet.letter != command::NEGOTIATE {
            return Err(Fault::Terms("it doesn't answer to them"));
        }
        let terms = Terms::parse(packet.data)?;
        Ok(Self { connection, terms })
    }

    /// Writes macros and a command.
    fn write(&mut self, line: &MilterLine, step: &Step, macros: &Macros, packet: impl FnOnce(&mut Out)) {
        let told = told(line, &self.terms, step.stage, macros);
        if !told.is_empty() {
            let letter = [step.letter];
            let texts = told.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
            let mut macros = Out::default();
            macros.texts(command::MACRO, texts);
            // The letter of the command stands before the first name.
            let rest = macros.bytes.get(5..).unwrap_or_default();
            self.connection.out.packet(command::MACRO, &[&letter, rest]);
        }
        packet(&mut self.connection.out);
    }
}

/// The macros that a milter is told at a stage.
fn told<'m>(line: &'m MilterLine, terms: &'m Terms, stage: Stage, macros: &'m Macros) -> Vec<(&'m str, &'m str)> {
    let own = |name: &str| {
        let found = line.macros.iter().find(|(known, _)| plain(known) == plain(name));
        found.map(|(_, value)| value.as_str())
    };
    let names = terms.asked.names(stage);
    let mut told: Vec<_> =
        names.iter().filter_map(|name| Some((*name, own(name).or_else(|| macros.get(name))?))).collect();
    if stage == Stage::Connect && !terms.asked.is_chosen(stage) {
        // What only the administrator knows, it couldn't ask for.
        let more = line.macros.iter().filter(|(name, _)| !names.iter().any(|known| plain(known) == plain(name)));
        told.extend(more.map(|(name, value)| (name.as_str(), value.as_str())));
    }
    told
}

impl Filter {
    pub(crate) fn new(entry: Arc<Entry>, body_max: usize) -> Self {
        Self { entry, link: None, done: Done::No, in_message: false, body_max }
    }

    fn line(&self) -> &MilterLine {
        &self.entry.line
    }

    /// A new transaction: what was wrong in the last one is forgotten.
    pub(crate) fn renew(&mut self) {
        if matches!(self.done, Done::Message | Done::Failed(_)) {
            self.done = Done::No;
        }
    }

    /// What it said to the whole session, or its default, if there is nothing else to be asked.
    fn settled(&self) -> Option<Heard> {
        match &self.done {
            Done::No => None,
            Done::Message | Done::Session => Some(Heard::Go),
            Done::Failed(fault) => Some(self.by_default(fault)),
            Done::Refused(answer) => Some(self.refuse(answer.clone())),
        }
    }

    /// Sees to it that it is connected, and has heard who is there.
    pub(crate) async fn open(&mut self, opening: &Opening<'_>) -> Heard {
        if let Some(heard) = self.settled() {
            return heard;
        }
        if self.link.is_some() {
            return Heard::Go;
        }
        let kept = if self.line().reuse { self.entry.idle() } else { None };
        let was_kept = kept.is_some();
        match self.begin(kept, opening).await {
            // It ended a connection that nobody used.
            Err(Fault::Ended | Fault::Broken(_)) if was_kept => {
                let heard = self.begin(None, opening).await;
                self.heard(heard)
            }
            heard => self.heard(heard),
        }
    }

    async fn begin(&mut self, kept: Option<Link>, opening: &Opening<'_>) -> Result<Heard, Fault> {
        let link = match kept {
            Some(link) => link,
            None if self.entry.watch.rests() => return Err(Fault::Resting),
            None => {
                let link = Link::open(self.line()).await?;
                self.entry.watch.is_there(&link.terms);
                link
            }
        };
        self.link = Some(link);
        let heard =
            self.command(&step::CONNECT, opening.macros, |out| out.packet(command::CONNECT, &[opening.client])).await?;
        if !matches!(heard, Heard::Go) || !matches!(self.done, Done::No) {
            return Ok(heard);
        }
        match opening.hello {
            Some(hello) => self.greet(opening.macros, hello).await,
            None => Ok(heard),
        }
    }

    async fn greet(&mut self, macros: &Macros, hello: &str) -> Result<Heard, Fault> {
        self.command(&step::HELLO, macros, |out| out.texts(command::HELLO, [hello.as_bytes()].into_iter())).await
    }

    /// A greeting, if it is connected already.
    pub(crate) async fn hello(&mut self, macros: &Macros, hello: &str) -> Heard {
        if self.link.is_none() || !matches!(self.done, Done::No) {
            return Heard::Go;
        }
        let heard = self.greet(macros, hello).await;
        self.heard(heard)
    }

    /// A command with an answer.
    pub(crate) async fn say(&mut self, step: &Step, macros: &Macros, texts: &[Vec<u8>]) -> Heard {
        if let Some(heard) = self.settled() {
            return heard;
        }
        if step.letter == command::MAIL {
            self.in_message = true;
            self.entry.watch.asked();
        }
        let heard = self.command(step, macros, |out| out.texts(step.letter, texts.iter().map(Vec::as_slice))).await;
        self.heard(heard)
    }

    /// Whether it wants to hear of recipients that we refused.
    pub(crate) fn hears_of_refused(&self) -> bool {
        matches!(self.done, Done::No)
            && self.link.as_ref().is_some_and(|link| link.terms.has(steps::REFUSED_RECIPIENTS))
    }

    /// Whether it has anything to say of the message that is coming.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self.done, Done::No)
    }

    /// Whether it has heard who is there.
    pub(crate) const fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Its part in what comes of the message, if it isn't asked.
    pub(crate) fn unasked(&self) -> Heard {
        self.settled().unwrap_or(Heard::Go)
    }

    /// Shows a message and hears what is to become of it.
    pub(crate) async fn message(&mut self, macros: &Macros, draft: &Draft<'_>, until: Instant) -> (Heard, Made) {
        let mut made = Made::default();
        let began = Instant::now();
        let judged = self.judge(macros, draft, until, &mut made).await;
        match &judged {
            Ok(_) => self.entry.watch.judged(self.line(), began.elapsed(), &self.entry.events),
            Err(_) => made = Made::default(),
        }
        (self.heard(judged), made)
    }

    async fn judge(
        &mut self,
        macros: &Macros,
        draft: &Draft<'_>,
        until: Instant,
        made: &mut Made,
    ) -> Result<Heard, Fault> {
        let within = |time: Duration| after(time).min(until);
        let command_time = self.line().command;
        if let Some(heard) = self.header(macros, draft, until).await? {
            return Ok(heard);
        }
        let packet = |out: &mut Out| out.packet(command::HEADER_END, &[]);
        let reply = self.ask(&step::HEADER_END, macros, packet, within(command_time)).await?;
        if let Some(heard) = self.stops(&step::HEADER_END, reply)? {
            return Ok(heard);
        }
        let chunk = self.link.as_ref().map_or(1, |link| link.terms.chunk());
        for piece in draft.body().chunks(chunk) {
            let packet = |out: &mut Out| out.packet(command::BODY, &[piece]);
            let reply = self.ask(&step::BODY, macros, packet, within(command_time)).await?;
            if reply == Reply::Skip {
                break;
            }
            if let Some(heard) = self.stops(&step::BODY, reply)? {
                return Ok(heard);
            }
        }
        self.end(macros, until, made).await
    }

    /// Shows the header; `Some`: that is enough to decide.
    async fn header(&mut self, macros: &Macros, draft: &Draft<'_>, until: Instant) -> Result<Option<Heard>, Fault> {
        let (blank, chunk) = match &self.link {
            Some(link) => (link.terms.has(steps::LEADING_BLANK), link.terms.chunk()),
            None => return Err(Fault::Ended),
        };
        if self.link.as_ref().is_some_and(|link| link.terms.has(step::HEADER.not)) {
            return Ok(None);
        }
        let command_time = self.line().command;
        for (name, value) in draft.fields() {
            let value = if blank { &value } else { value.strip_prefix(b" ").unwrap_or(&value) };
            let length = name.len().saturating_add(value.len()).saturating_add(2);
            if length > chunk {
                return Err(Fault::Unshowable(length));
            }
            let packet = |out: &mut Out| out.packet(command::HEADER, &[name, b"\0", value, b"\0"]);
            let reply = self.ask(&step::HEADER, macros, packet, after(command_time).min(until)).await?;
            if reply == Reply::Skip {
                break;
            }
            if let Some(heard) = self.stops(&step::HEADER, reply)? {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }

    /// The end of the message: changes, and the last word.
    async fn end(&mut self, macros: &Macros, until: Instant, made: &mut Made) -> Result<Heard, Fault> {
        let (name, patience, command) = (self.line().name.clone(), self.line().timeout, self.line().command);
        let Self { entry, link, body_max, .. } = &mut *self;
        let Some(link) = link else { return Err(Fault::Ended) };
        let what = step::END.name;
        link.connection.quiet().await?;
        link.write(&entry.line, &step::END, macros, |out| out.packet(command::BODY_END, &[]));
        link.connection.flush(after(command).min(until), what).await?;
        let mut soon = after(patience).min(until);
        let (mut size, mut body) = (0_usize, None::<Vec<u8>>);
        for _ in 0..MILTER_PACKETS_MAX {
            let packet = link.connection.packet(soon, what).await?;
            let reply = Reply::parse(packet, &link.terms)?;
            match reply {
                Reply::Progress => soon = after(patience).min(until),
                Reply::Edit(edit) => {
                    size = size.saturating_add(edit.size());
                    if made.edits.len() >= MILTER_EDITS_MAX || size > MILTER_EDIT_BYTES_MAX {
                        return Err(Fault::TooMuch("changes of the header"));
                    }
                    made.edits.push(edit);
                }
                Reply::Body(piece) => {
                    let body = body.get_or_insert_default();
                    if body.len().saturating_add(piece.len()) > *body_max {
                        return Err(Fault::TooMuch("a body larger than a message may be"));
                    }
                    body.extend_from_slice(&piece);
                }
                Reply::AddRecipient(address, arguments) => {
                    if made.added.len() >= MILTER_RECIPIENTS_MAX {
                        return Err(Fault::TooMuch("recipients"));
                    }
                    made.added.push(NewRecipient { milter: name.clone(), address, arguments });
                }
                Reply::RemoveRecipient(address) => {
                    if made.removed.len() >= MILTER_RECIPIENTS_MAX {
                        return Err(Fault::TooMuch("recipients less"));
                    }
                    made.removed.push(address);
                }
                Reply::Sender(sender) => made.sender = Some(sender),
                Reply::Quarantine(reason) => made.quarantine = Some(reason),
                reply => {
                    made.body = body.map(with_line_ends);
                    self.in_message = false;
                    return Ok(self.stops(&step::END, reply)?.unwrap_or(Heard::Go));
                }
            }
        }
        Err(Fault::Endless)
    }

    async fn command(&mut self, step: &Step, macros: &Macros, packet: impl FnOnce(&mut Out)) -> Result<Heard, Fault> {
        let until = after(self.line().command);
        let reply = self.ask(step, macros, packet, until).await?;
        Ok(self.stops(step, reply)?.unwrap_or(Heard::Go))
    }

    /// Says something and waits for the answer, unless it doesn't want to hear of it, or doesn't answer.
    async fn ask(
        &mut self,
        step: &Step,
        macros: &Macros,
        packet: impl FnOnce(&mut Out),
        until: Instant,
    ) -> Result<Reply, Fault> {
        let Self { entry, link, .. } = self;
        let Some(link) = link else { return Err(Fault::Ended) };
        if link.terms.has(step.not) || link.terms.version < step.since {
            return Ok(Reply::Continue);
        }
        if link.terms.has(step.silent) {
            link.write(&entry.line, step, macros, packet);
            if link.connection.out.bytes.len() > MILTER_WRITE_BUFFER {
                link.connection.flush(until, step.name).await?;
            }
            return Ok(Reply::Continue);
        }
        link.connection.quiet().await?;
        link.write(&entry.line, step, macros, packet);
        link.connection.flush(until, step.name).await?;
        // What it says of being at work gives it more time, as much as a verdict may take.
        let most = after(entry.line.timeout).max(until);
        let mut soon = until;
        for _ in 0..MILTER_PACKETS_MAX {
            let packet = link.connection.packet(soon, step.name).await?;
            match Reply::parse(packet, &link.terms)? {
                Reply::Progress => soon = after(entry.line.command).min(most),
                Reply::Skip if !step.skips || !link.terms.has(steps::SKIP) => {
                    return Err(Fault::OutOfPlace(Reply::Skip.name(), step.name));
                }
                reply => return Ok(reply),
            }
        }
        Err(Fault::Endless)
    }

    /// What an answer means: `None`: go on.
    fn stops(&mut self, step: &Step, reply: Reply) -> Result<Option<Heard>, Fault> {
        let answer = match reply {
            Reply::Continue => return Ok(None),
            Reply::Accept => {
                self.done = if step.of_session { Done::Session } else { Done::Message };
                self.in_message = false;
                self.entry.watch.is_well(self.line(), &self.entry.events);
                return Ok(Some(Heard::Go));
            }
            Reply::Discard if step.discards => {
                self.done = Done::Message;
                self.in_message = false;
                return Ok(Some(Heard::Discard));
            }
            Reply::Reject => Answer::rejected(),
            Reply::Tempfail => Answer::deferred(),
            Reply::Answer(answer) => answer,
            Reply::Shutdown => Answer::shut(),
            Reply::Failed => return Err(Fault::Broken("it says that it failed".to_owned())),
            other => return Err(Fault::OutOfPlace(other.name(), step.name)),
        };
        self.entry.watch.is_well(self.line(), &self.entry.events);
        // What nobody knows is refused anyway.
        if step.letter != command::UNKNOWN {
            self.entry.watch.refused();
        }
        if step.of_session {
            self.done = Done::Refused(answer.clone());
        }
        Ok(Some(self.refuse(answer)))
    }

    fn refuse(&self, answer: Answer) -> Heard {
        Heard::Refuse(Refusal { milter: self.line().name.clone(), answer, fault: None })
    }

    /// What holds where it can't be asked.
    fn by_default(&self, fault: &Fault) -> Heard {
        let answer = match self.line().default {
            // Whoever writes a message mustn't choose whether it is looked at; and it won't get better.
            _ if fault.is_of_message() => Answer::unshowable(),
            MilterDefault::Accept => return Heard::Go,
            MilterDefault::Tempfail => Answer::unavailable(),
            MilterDefault::Reject => Answer::rejected(),
        };
        Heard::Refuse(Refusal { milter: self.line().name.clone(), answer, fault: Some(fault.clone()) })
    }

    /// What came of it; after a fault the connection is given up.
    fn heard(&mut self, heard: Result<Heard, Fault>) -> Heard {
        let fault = match heard {
            Ok(heard) => return heard,
            Err(fault) => fault,
        };
        self.entry.watch.failed(self.line(), &fault, &self.entry.events);
        self.link = None;
        self.in_message = false;
        let heard = self.by_default(&fault);
        self.done = Done::Failed(fault);
        heard
    }

    /// The fault for which it is passed over.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match &self.done {
            Done::Failed(fault) => Some(fault),
            _ => None,
        }
    }

    /// The transaction is over before its end.
    pub(crate) async fn abort(&mut self) {
        if std::mem::take(&mut self.in_message)
            && let Some(link) = &mut self.link
            && link.connection.farewell(command::ABORT, MILTER_FAREWELL_TIME).await.is_err()
        {
            // The next transaction connects anew.
            self.link = None;
        }
    }

    /// The session is over.
    pub(crate) async fn quit(mut self) {
        self.abort().await;
        let Some(mut link) = self.link else { return };
        let keeps = self.entry.line.reuse && link.terms.version >= VERSION;
        let letter = if keeps { command::QUIT_NEXT } else { command::QUIT };
        if link.connection.farewell(letter, MILTER_FAREWELL_TIME).await.is_ok() && keeps {
            self.entry.keep(link);
        }
    }
}

impl From<Heard> for Option<Outcome> {
    fn from(heard: Heard) -> Self {
        match heard {
            Heard::Go | Heard::Discard => None,
            Heard::Refuse(refusal) => Some(Outcome::Refuse(refusal)),
        }
    }
}

/// So long from now.
pub(crate) fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
