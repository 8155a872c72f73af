//! All milters of a door, and one session with them.

use crate::changes::{Changes, Outcome, Refusal, Verdict};
use crate::draft::Draft;
use crate::facts::{Client, LoggedIn, Party, Secured};
use crate::filter::{Entry, Filter, Heard, Opening, after};
use crate::health::Health;
use crate::macros::Macros;
use crate::step;
use futures_util::future::join_all;
use mailward_core::config::MilterLine;
use mailward_core::event::Events;
use mailward_core::limits::{MILTER_MESSAGE_TIME, MILTER_VALUE_MAX};
use std::net::IpAddr;
use std::sync::Arc;

/// The milters of a door, in their order, as all sessions share them.
#[derive(Debug)]
pub struct Milters {
    entries: Vec<Arc<Entry>>,
    events: Events,
}

impl Milters {
    /// Those of these lines.
    #[must_use]
    pub fn new(lines: &[MilterLine], events: &Events) -> Self {
        Self { entries: Vec::new(), events: events.clone() }.renewed(lines)
    }

    /// Those of other lines; what is known of a milter whose line stays is kept.
    #[must_use]
    pub fn renewed(&self, lines: &[MilterLine]) -> Self {
        let entry = |line: &MilterLine| {
            let known = self.entries.iter().find(|entry| entry.line == *line);
            known.cloned().unwrap_or_else(|| Arc::new(Entry::new(line.clone(), self.events.clone())))
        };
        Self { entries: lines.iter().map(entry).collect(), events: self.events.clone() }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How they are.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.entries.iter().map(|entry| entry.watch.told(&entry.line)).collect()
    }

    /// Connects to each, all at once and without a message, so that [`Self::health`] tells how they are now. Takes up to
    /// `limits::MILTER_CONNECT_TIME` for the connection and as much for the terms.
    pub async fn look_after(&self) {
        join_all(self.entries.iter().map(|entry| entry.look_after())).await;
    }

    /// A session with all of them. Nothing is connected to yet. `size` is the largest message that is taken, bytes.
    #[must_use]
    pub fn open(&self, client: &Client, size: u64) -> Session {
        let most = usize::try_from(size).unwrap_or(usize::MAX);
        Session {
            filters: self.entries.iter().map(|entry| Filter::new(Arc::clone(entry), most)).collect(),
            macros: Macros::client(client),
            client: connection(client),
            hello: None,
            transaction: Transaction::default(),
        }
    }
}

/// A session of a client, as its milters follow it. Commands that were refused before aren't told.
#[derive(Debug)]
pub struct Session {
    filters: Vec<Filter>,
    macros: Macros,
    /// The packet of the connection.
    client: Vec<u8>,
    hello: Option<String>,
    transaction: Transaction,
}

#[derive(Debug, Default)]
struct Transaction {
    /// Those that were taken, without brackets.
    recipients: Vec<String>,
    /// Who wants it thrown away.
    discards: Option<String>,
    /// It was refused at DATA: milters have forgotten it, whatever the client goes on with.
    over: Option<Refusal>,
}

impl Session {
    /// Whether there is no milter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Connects, and tells who is there and how it greeted, wherever that isn't done. Whoever doesn't call this has it done by
    /// the first [`mail`](Self::mail), so that a client that brings nothing costs nothing.
    pub async fn connect(&mut self) -> Outcome {
        let opening = Opening { macros: &self.macros, client: &self.client, hello: self.hello.as_deref() };
        for filter in &mut self.filters {
            if let Heard::Refuse(refusal) = filter.open(&opening).await {
                return Outcome::Refuse(refusal);
            }
        }
        Outcome::Go
    }

    /// A greeting, and by what TLS it came. Told at once where the milter is connected.
    pub async fn hello(&mut self, name: &str, secured: Option<&Secured>) -> Outcome {
        self.abort().await;
        self.macros.secured(secured);
        self.hello = Some(name.to_owned());
        for filter in &mut self.filters {
            filter.renew();
            if let Heard::Refuse(refusal) = filter.hello(&self.macros, name).await {
                return Outcome::Refuse(refusal);
            }
        }
        Outcome::Go
    }

    /// A transaction begins. `id` is the message's name in our log, if it has one yet.
    pub async fn mail(&mut self, sender: &Party<'_>, login: Option<&LoggedIn>, id: Option<&str>) -> Outcome {
        self.abort().await;
        self.transaction = Transaction::default();
        self.macros.mail(sender, login);
        self.macros.set("i", id.unwrap_or_default());
        self.filters.iter_mut().for_each(Filter::renew);
        if let refused @ Outcome::Refuse(_) = self.connect().await {
            return refused;
        }
        let outcome = self.each(&step::MAIL, &sender.texts()).await;
        if matches!(outcome, Outcome::Refuse(_)) {
            self.abort().await;
        }
        outcome
    }

    /// A recipient that we would take.
    pub async fn recipient(&mut self, recipient: &Party<'_>) -> Outcome {
        if let Some(refusal) = &self.transaction.over {
            return Outcome::Refuse(refusal.clone());
        }
        self.macros.recipient(recipient, None);
        let outcome = self.each(&step::RECIPIENT, &recipient.texts()).await;
        if outcome == Outcome::Go {
            self.transaction.recipients.push(recipient.address.to_owned());
        }
        outcome
    }

    /// A recipient that we refused, with the reply, for milters that want to hear of those; what they say doesn't matter.
    pub async fn refused_recipient(&mut self, recipient: &Party<'_>, reply: &str) {
        if self.transaction.over.is_some() {
            return;
        }
        self.macros.recipient(recipient, Some(reply));
        let texts = recipient.texts();
        for filter in self.filters.iter_mut().filter(|filter| filter.hears_of_refused()) {
            let _no_matter = filter.say(&step::RECIPIENT, &self.macros, &texts).await;
        }
    }

    /// The message may come. `id` is its name in our log.
    pub async fn data(&mut self, id: &str) -> Outcome {
        if let Some(refusal) = &self.transaction.over {
            return Outcome::Refuse(refusal.clone());
        }
        self.macros.set("i", id);
        self.macros.set("{nrcpts}", self.transaction.recipients.len().to_string());
        let outcome = self.each(&step::DATA, &[]).await;
        if let Outcome::Refuse(refusal) = &outcome {
            self.transaction.over = Some(refusal.clone());
            self.abort().await;
        }
        outcome
    }

    /// A command that nobody knows, at whatever stage the session is; told to those that are connected. It can't be more
    /// than refused, in which words is theirs to say.
    pub async fn unknown(&mut self, line: &[u8]) -> Outcome {
        let texts = [line.iter().copied().take(MILTER_VALUE_MAX).collect()];
        for filter in self.filters.iter_mut().filter(|filter| filter.is_connected()) {
            if let Heard::Refuse(refusal) = filter.say(&step::UNKNOWN, &self.macros, &texts).await {
                return Outcome::Refuse(refusal);
            }
        }
        Outcome::Go
    }

    /// The whole message, without what we put before it. Each milter sees what those before it changed. With this the
    /// transaction is over.
    pub async fn message(&mut self, message: &[u8]) -> Changes {
        let changes = self.judged(message).await;
        // Who wasn't asked any more has to hear that it is over.
        self.abort().await;
        changes
    }

    async fn judged(&mut self, message: &[u8]) -> Changes {
        let transaction = std::mem::take(&mut self.transaction);
        if let Some(milter) = transaction.discards {
            return Changes::discard(milter);
        }
        let until = after(MILTER_MESSAGE_TIME);
        let mut draft = Draft::of(message);
        let mut changes = Changes::default();
        if let Some(id) = mailward_message::header::first(message, "message-id") {
            let id = String::from_utf8_lossy(id);
            self.macros.set("{msg_id}", id.trim());
        }
        for filter in &mut self.filters {
            let name = filter.entry.line.name.clone();
            let (heard, made) = if filter.is_asked() {
                filter.message(&self.macros, &draft, until).await
            } else {
                (filter.unasked(), Default::default())
            };
            match heard {
                Heard::Go => {}
                Heard::Refuse(refusal) => return Changes::refuse(refusal),
                Heard::Discard => return Changes::discard(name),
            }
            if let Some(fault) = filter.fault() {
                changes.passed_over.push((name.clone(), fault.clone()));
            }
            if !made.edits.is_empty() {
                made.edits.iter().for_each(|edit| draft.edit(edit));
                draft.settle();
                changes.edits.push((name.clone(), made.edits));
            }
            if let Some(body) = made.body {
                draft.replace_body(body.clone());
                changes.body = Some(body);
            }
            if let Some(sender) = made.sender {
                changes.sender = Some((name.clone(), sender));
            }
            changes.added.extend(made.added);
            let places = transaction.recipients.iter().enumerate();
            let removed = |known: &str| made.removed.iter().any(|removed| removed.eq_ignore_ascii_case(known));
            changes.removed.extend(places.filter(|(_, known)| removed(known)).map(|(place, _)| place));
            if let Some(reason) = made.quarantine {
                changes.quarantine.get_or_insert((name, reason));
            }
        }
        changes.removed.sort_unstable();
        changes.removed.dedup();
        changes
    }

    /// The transaction, if there is one, won't come to its end.
    pub async fn abort(&mut self) {
        for filter in &mut self.filters {
            filter.abort().await;
        }
    }

    /// The session is over.
    pub async fn quit(self) {
        for filter in self.filters {
            filter.quit().await;
        }
    }

    /// Tells all of them something, until one refuses.
    async fn each(&mut self, step: &step::Step, texts: &[Vec<u8>]) -> Outcome {
        for filter in &mut self.filters {
            match filter.say(step, &self.macros, texts).await {
                Heard::Go => {}
                Heard::Refuse(refusal) => return Outcome::Refuse(refusal),
                Heard::Discard => {
                    self.transaction.discards.get_or_insert_with(|| filter.entry.line.name.clone());
                }
            }
        }
        Outcome::Go
    }
}

/// The packet of a connection: name, kind of address, port, address.
fn connection(client: &Client) -> Vec<u8> {
    let bracketed = client.address.map(|address| format!("[{address}]"));
    let name = client.name.clone().or(bracketed).unwrap_or_else(|| "localhost".to_owned());
    let mut packet: Vec<u8> = name.bytes().filter(|byte| *byte != 0).collect();
    packet.push(0);
    let Some(address) = client.address else {
        // A Unix socket whose other end has no name.
        packet.push(b'U');
        return packet;
    };
    packet.push(if matches!(address, IpAddr::V4(_)) { b'4' } else { b'6' });
    packet.extend_from_slice(&client.port.to_be_bytes());
    packet.extend_from_slice(address.to_string().as_bytes());
    packet.push(0);
    packet
}

impl Changes {
    /// Whether the message is taken.
    #[must_use]
    pub const fn is_taken(&self) -> bool {
        matches!(self.verdict, Verdict::Take)
    }
}
