//! Care for the reputation of this server: what users and those inside send is counted and held beyond limits, and a user whose
//! pattern breaks is frozen.
//!
//! **In**: accepted messages ([`Care::accept`]), refusals of other hosts ([`Care::look_at`]). **Out**: commits of the store in
//! which messages are counted, held where they are too much, and confirmed where that was asked for; alerts, with words
//! for people.
//!
//! **Freezing** has three rules, each with limits of its own (`limits::FREEZE_*`): many messages beyond a limit in a day, a
//! burst of new recipients far beyond what is usual for the user, many recipients that are refused for good. What a frozen
//! user sends is accepted and held; what waited is held in steps, which a restart goes on with ([`Care::resume`]).
//!
//! **Failure**: a message is accepted and counted or neither. Alerts and freezing come after the commit: if they fail, the
//! log says so, and the next message brings them.

mod alert;
mod confirm;
mod freeze;
mod schedules;
mod telling;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;

pub use freeze::{frozen_words, hold_waiting};
pub use schedules::{Schedule, ScheduleError, ScheduleFor, Schedules, Times};
pub use telling::Telling;

use crate::deliver::accounts;
use crate::fate::{self, Fate, Fated, going};
use crate::queue::chance::Chance;
use crate::queue::notice::Writer;
use crate::send_on::{Addressed, Inside, Transaction};
use arc_swap::ArcSwap;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{DOMAIN_LIMITS, FREEZE_NEW_RECIPIENTS, USER_LIMITS};
use mailward_core::{AccountId, Address, Domain, SendLimits};
use mailward_directory::Directory;
use mailward_gate::Gate;
use mailward_store::api::{MailStore, QueueStore, SendingStore, ShelfStore, StoreError};
use mailward_store::records::{Accepted, Content, Meter, Metered, Shelf, Submitted, Withheld};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// What care is made of.
pub struct CareParts {
    /// Mailboxes.
    pub mail: Arc<dyn MailStore>,
    /// What is owed to other hosts.
    pub queue: Arc<dyn QueueStore>,
    /// What is counted.
    pub sending: Arc<dyn SendingStore>,
    /// Schedules.
    pub shelf: Arc<dyn ShelfStore>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// Who is connected.
    pub gate: Arc<Gate>,
    /// Our name.
    pub hostname: Domain,
    /// Where events go.
    pub events: Events,
    /// How long notices to others are tried.
    pub lifetime: Duration,
}

/// See the [module](self).
pub struct Care {
    mail: Arc<dyn MailStore>,
    queue: Arc<dyn QueueStore>,
    sending: Arc<dyn SendingStore>,
    shelf: Arc<dyn ShelfStore>,
    directory: Arc<Directory>,
    gate: Arc<Gate>,
    events: Events,
    writer: Writer,
    limits: ArcSwap<(SendLimits, SendLimits)>,
    schedules: ArcSwap<Schedules>,
    /// Rises when they change.
    news: Mutex<watch::Receiver<u64>>,
}

/// A recipient that was taken, with the address it was taken by.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// As RCPT had it; `None` is `<postmaster>`.
    pub address: Option<&'a Address>,
    /// Where its mail goes, and what its sender wants to hear.
    pub to: Addressed<'a>,
    /// What becomes of the message for it.
    pub fate: Fate,
}

impl Care {
    /// With limits as they are by default.
    #[must_use]
    pub fn new(parts: CareParts) -> Arc<Self> {
        let CareParts { mail, queue, sending, shelf, directory, gate, hostname, events, lifetime } = parts;
        let mut news = shelf.shelf_version(Shelf::Sending);
        // They haven't been read yet.
        news.mark_changed();
        let writer = Writer {
            mail: Arc::clone(&mail),
            directory: Arc::clone(&directory),
            hostname,
            events: events.clone(),
            lifetime,
            chance: Chance::default(),
        };
        Arc::new(Self {
            mail,
            queue,
            sending,
            shelf,
            directory,
            gate,
            events,
            writer,
            limits: ArcSwap::from_pointee((USER_LIMITS, DOMAIN_LIMITS)),
            schedules: ArcSwap::default(),
            news: Mutex::new(news),
        })
    }

    /// What a user and all of a domain may send, where nothing else is set for them; from now on.
    pub fn set_limits(&self, user: SendLimits, domain: SendLimits) {
        self.limits.store(Arc::new((user, domain)));
    }

    /// What was set last.
    #[must_use]
    pub fn limits(&self) -> (SendLimits, SendLimits) {
        **self.limits.load()
    }

    /// Puts a message where it goes in one commit, as [`crate::deliver`] does: counted if a user, a program or an inside host sent it, with the
    /// schedules that are set, and with the confirmations that its sender asked for if `confirm` says that the sender is known
    /// to be who they say (a DSN to a forged sender is what nobody wants: attacks A6), and with what its sender here is told.
    ///
    /// # Errors
    /// What the store says; then nobody has it.
    pub async fn accept(
        self: &Arc<Self>,
        content: Content,
        transaction: &Transaction<'_>,
        recipients: &[Given<'_>],
        confirm: bool,
    ) -> Result<Accepted, StoreError> {
        let mut notices =
            if confirm { self.confirmations(&content, transaction, &going(recipients)) } else { Vec::new() };
        notices.extend(self.told(transaction));
        let passed_on = confirm::passed_on(recipients);
        let addressed: Vec<Fated<'_>> = recipients
            .iter()
            .enumerate()
            .map(|(place, given)| match passed_on.get(place).and_then(Option::as_ref) {
                Some(parameters) => (Addressed { parameters, ..given.to }, given.fate),
                None => (given.to, given.fate),
            })
            .collect();
        let schedules = self.schedules().await?;
        let message = fate::delivery(content, transaction, &addressed, &schedules, &HashSet::new());
        let meter = self.meter(transaction).filter(|_| !message.queued.is_empty());
        if meter.is_none() && notices.is_empty() {
            return self.mail.deliver(message).await;
        }
        let submitted = if notices.is_empty() {
            self.sending.accept(message, notices, meter.clone()).await?
        } else {
            match self.sending.accept(message.clone(), notices, meter.clone()).await {
                // Maybe it's the notice that has no room: the message is worth more.
                Err(StoreError::OverQuota | StoreError::NotFound(_)) => {
                    let submitted = self.sending.accept(message, Vec::new(), meter.clone()).await?;
                    self.events.emit(Event::warn("notice.dropped").with("reason", "its reader's mailbox is full"));
                    submitted
                }
                submitted => submitted?,
            }
        };
        match (meter.map(|meter| meter.who), transaction.insider) {
            (Some(Metered::Account(account)), _) => self.counted(account, &submitted).await,
            (Some(Metered::Insider(..)), Some(inside)) => self.counted_inside(inside, transaction, &submitted),
            _ => {}
        }
        Ok(submitted.accepted)
    }

    /// The same for LMTP, as [`crate::deliver_each`] does: an answer for each recipient. Nothing is sent on.
    pub async fn accept_each(
        self: &Arc<Self>,
        content: Content,
        transaction: &Transaction<'_>,
        recipients: &[Given<'_>],
        confirm: bool,
    ) -> Vec<Result<(), StoreError>> {
        let asked = |given: &Given<'_>| given.to.parameters.notify.is_some_and(|notify| notify.success);
        let all_go = recipients.iter().all(|given| given.fate == Fate::Goes);
        if all_go && (!confirm || !recipients.iter().any(asked)) {
            let permits: Vec<_> = recipients.iter().map(|given| given.to.permit).collect();
            return crate::deliver_each(&*self.mail, content, &permits).await;
        }
        if self.accept(content.clone(), transaction, recipients, confirm).await.is_ok() {
            return recipients.iter().map(|_| Ok(())).collect();
        }
        // The strictest of an account's counts (see `Fate`), so it comes first; what it couldn't do nobody else does instead.
        let mut order: Vec<(usize, &Given<'_>)> = recipients.iter().enumerate().collect();
        order.sort_by_key(|(_, given)| std::cmp::Reverse(given.fate));
        let (mut done, mut failed) = (HashSet::new(), HashMap::new());
        let mut answers = Vec::with_capacity(recipients.len());
        for (place, given) in order {
            let mut left = accounts([given.to.permit]);
            left.retain(|account| !done.contains(account));
            let is_stricter = |account| failed.get(account).is_some_and(|fate| *fate > given.fate);
            let notices =
                if confirm { self.confirmations(&content, transaction, &going(&[*given])) } else { Vec::new() };
            let one = [(given.to, given.fate)];
            let message = fate::delivery(content.clone(), transaction, &one, &Schedules::default(), &done);
            let outcome = match (left.is_empty(), notices.is_empty()) {
                (true, _) => Ok(()),
                _ if left.iter().any(is_stricter) => Err(StoreError::Refused("what is stricter couldn't be done")),
                (false, true) => self.mail.deliver(message).await.map(|_| ()),
                (false, false) => self.sending.accept(message, notices, None).await.map(|_| ()),
            };
            if outcome.is_ok() {
                done.extend(left);
            } else {
                for account in left {
                    failed.entry(account).or_insert(given.fate);
                }
            }
            answers.push((place, outcome));
        }
        answers.sort_by_key(|(place, _)| *place);
        let answers = answers.into_iter().map(|(_, outcome)| outcome).collect();
        answers
    }

    /// Against whom a message counts; what strangers bring counts against nobody here.
    fn meter(&self, transaction: &Transaction<'_>) -> Option<Meter> {
        let who = match (transaction.submitter, transaction.insider) {
            (Some(account), _) => Metered::Account(account),
            (None, Some(inside)) => {
                let domain = transaction.sender.and_then(Address::domain);
                Metered::Insider(inside.who, domain.filter(|domain| self.directory.is_local_domain(domain)).cloned())
            }
            (None, None) => return None,
        };
        let (user, domain) = **self.limits.load();
        Some(Meter { who, user, domain })
    }

    /// What follows from a message of an insider that was counted. Nobody is frozen: what is beyond a limit waits.
    fn counted_inside(&self, inside: &Inside, transaction: &Transaction<'_>, submitted: &Submitted) {
        for exceeded in &submitted.newly {
            self.tell_inside_limit(&inside.name, transaction.sender, exceeded);
        }
        if let Some(held) = &submitted.held {
            let event = Event::warn("message.withheld").with("insider", &inside.name);
            self.events.emit(event.with("reason", held));
        }
    }

    /// What follows from a message that was counted.
    async fn counted(self: &Arc<Self>, account: AccountId, submitted: &Submitted) {
        for exceeded in &submitted.newly {
            self.tell_limit(account, exceeded);
        }
        if let Some(held) = &submitted.held {
            let event = Event::warn("message.withheld").with("user", self.name(account));
            self.events.emit(event.with("reason", held));
        }
        let is_frozen = matches!(submitted.held, Some(Withheld::Frozen(_)));
        let is_much = submitted.held.is_some() || submitted.sent.new_per_hour >= FREEZE_NEW_RECIPIENTS;
        if is_much && !is_frozen {
            self.look_at(account).await;
        }
    }

    /// The schedules as they are now; one question to the store after they changed.
    async fn schedules(&self) -> Result<Arc<Schedules>, StoreError> {
        let mut news = self.news.lock().await;
        if news.has_changed().unwrap_or(false) {
            // Before the question: what comes meanwhile is asked for once more.
            news.mark_unchanged();
            match Schedules::read(&*self.shelf).await {
                Ok((schedules, unread)) => {
                    for key in unread {
                        self.events.emit(Event::alert("schedule.unreadable").with("key", key));
                    }
                    self.schedules.store(Arc::new(schedules));
                }
                Err(error) => {
                    news.mark_changed();
                    return Err(error);
                }
            }
        }
        Ok(self.schedules.load_full())
    }
}
