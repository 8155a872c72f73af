//! Stored mail, looked at again: what was clean when it came may have a name today.
//!
//! **In**: the mailboxes that are meant ([`Scope`]), and what virus scanners say of each message in them, by the same way that an
//! arriving one goes ([`Inspector::look_at_stored`]). **Out**: messages that something was found in are in the quarantine, each
//! in one commit in which it leaves its mailbox; a [`Run`] tells what came of all.
//!
//! What isn't known by name stays where it is: a message that no engine can look at to its end is counted, and its reader keeps
//! it. Neither rules on attachments nor the spam filter are asked: readers may keep what they would not be brought. What an
//! administrator released stays released, for as long as nothing else is found in it.
//!
//! **Limits**: `limits::RESCAN_*`. One message at a time, and after each a rest as long as it took.
//!
//! **Failure**: how far it came is noted with what it withdraws, and every so often; a kill makes it go on from there at the next
//! start. Where engines or the scanner can't look at a message it is waited for them; for long, and it breaks off, says where, and
//! tells an alert. So it does where the quarantine is full.

mod keep;
mod record;
mod schedule;
#[cfg(test)]
mod tests;
mod walk;

pub use keep::{Last, last, let_go};
pub use record::{By, End, Place, Run, Scope, Signatures, Whose};

use crate::antivirus::Antivirus;
use crate::inspector::{Inspector, Settings};
use arc_swap::ArcSwap;
use keep::Records;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{ALERT_SUBJECT_MAX, RESCAN_DUE_EVERY};
use mailward_core::{AccountId, Address, Clock, Shutdown, Timestamp};
use mailward_store::StoreError;
use mailward_store::api::{MailStore, QuarantineStore, ShelfStore};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Names the accounts that are meant.
pub type Accounts = dyn Fn(&Whose) -> Vec<(AccountId, Address)> + Send + Sync;

/// What a [`Rescan`] is made of.
pub struct Parts {
    /// Where mail is.
    pub mail: Arc<dyn MailStore>,
    /// Where it goes.
    pub quarantine: Arc<dyn QuarantineStore>,
    /// Where it is noted how far it came.
    pub shelf: Arc<dyn ShelfStore>,
    /// Who looks at it.
    pub inspector: Arc<Inspector>,
    /// Whose signatures count.
    pub antivirus: Antivirus,
    /// The accounts that are meant, with their addresses.
    pub accounts: Arc<Accounts>,
    /// How long what is withdrawn is kept, days, as it is at the moment.
    pub quarantine_days: Arc<dyn Fn() -> usize + Send + Sync>,
    /// How often it is done by itself.
    pub settings: Arc<ArcSwap<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where it is told.
    pub events: Events,
}

/// Why nothing is begun.
#[derive(Debug, thiserror::Error)]
pub enum RescanError {
    /// One is under way.
    #[error("stored mail is being looked at already: `mailward antivirus rescan --stop` ends that")]
    Busy,
    /// Nobody knows viruses.
    #[error("no virus scanner is asked; antivirus.engines in mailward.toml names them: docs/antivirus.md")]
    NoEngine,
    /// What the store says.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks at stored mail, once at a time. See the [module](self).
pub struct Rescan {
    parts: Parts,
    records: Records,
    current: Mutex<Option<Run>>,
    stopping: AtomicBool,
    /// Somebody wants it to begin, or to stop.
    heard: Notify,
}

impl Rescan {
    /// With what a server before didn't bring to its end. Nothing is done before [`Rescan::keep`] runs.
    ///
    /// # Errors
    /// What the store says.
    pub async fn open(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let records = Records(Arc::clone(&parts.shelf));
        let current = Mutex::new(records.unfinished().await?);
        Ok(Arc::new(Self { parts, records, current, stopping: AtomicBool::new(false), heard: Notify::new() }))
    }

    /// Begins. When it answers, it will be done also if the server is killed meanwhile.
    ///
    /// # Errors
    /// See [`RescanError`].
    pub async fn begin(&self, scope: Scope, by: By) -> Result<Run, RescanError> {
        if self.parts.antivirus.is_empty() {
            return Err(RescanError::NoEngine);
        }
        let mut run = Run::new(scope, by, self.parts.clock.now());
        {
            let mut current = self.current();
            if current.is_some() {
                return Err(RescanError::Busy);
            }
            *current = Some(run.clone());
        }
        let prepared = async {
            // What is known of their signatures may be a minute old, or nothing yet.
            self.parts.antivirus.check().await;
            run.engines = self.parts.antivirus.states().iter().map(Signatures::of).collect();
            run.total = self.count(&run.scope).await?;
            self.records.note(&run).await
        };
        if let Err(error) = prepared.await {
            *self.current() = None;
            return Err(error.into());
        }
        self.stopping.store(false, Ordering::Relaxed);
        *self.current() = Some(run.clone());
        self.heard.notify_waiters();
        self.heard.notify_one();
        Ok(run)
    }

    /// Has it stop after the message that it looks at. Whether there was something to stop.
    pub fn stop(&self) -> bool {
        let is_running = self.current().is_some();
        if is_running {
            self.stopping.store(true, Ordering::Relaxed);
            self.heard.notify_waiters();
        }
        is_running
    }

    /// What is under way, as far as it came.
    #[must_use]
    pub fn running(&self) -> Option<Run> {
        self.current().clone()
    }

    /// Goes on where a server before broke off, and then does what is wanted and what is due, until the word to stop.
    pub async fn keep(self: Arc<Self>, mut shutdown: Shutdown) {
        let unfinished = self.running().filter(|_| self.parts.antivirus.is_empty());
        if let Some(run) = unfinished {
            // Engines were taken out of the configuration: it would wait for nobody.
            self.ended(run, End::Broken("no virus scanner is asked any more".to_owned())).await;
        }
        while !shutdown.is_fired() {
            let heard = self.heard.notified();
            let ready = self.running().filter(|run| !run.engines.is_empty());
            if let Some(run) = ready {
                if !self.run(run, &mut shutdown).await {
                    return;
                }
                continue;
            }
            self.begin_if_due().await;
            tokio::select! {
                () = shutdown.fired() => return,
                () = heard => {}
                () = tokio::time::sleep(RESCAN_DUE_EVERY) => {}
            }
        }
    }

    /// Whether the server goes on.
    async fn run(&self, mut run: Run, shutdown: &mut Shutdown) -> bool {
        let begins = Event::info("antivirus.rescan_begins").with("by", run.by.name()).with("of", &run.scope);
        self.parts.events.emit(begins.with("messages", run.total).with("looked", run.looked));
        match self.walk(&mut run, shutdown).await {
            Ok(Some(end)) => {
                self.ended(run, end).await;
                true
            }
            // It goes on at the next start.
            Ok(None) | Err(StoreError::Closed) => false,
            Err(error) => {
                self.ended(run, End::Broken(error.to_string())).await;
                true
            }
        }
    }

    async fn begin_if_due(&self) {
        let settings = self.parts.settings.load();
        if self.parts.antivirus.is_empty() {
            return;
        }
        let begun = match self.records.scheduled().await {
            Ok(last) => {
                let Some(since) = schedule::due(settings.rescan, settings.rescan_hour, last, self.parts.clock.now())
                else {
                    return;
                };
                self.begin(Scope { whose: Whose::All, folder: None, since }, By::Schedule).await.map(|_| ())
            }
            Err(error) => Err(error.into()),
        };
        // Whoever was first does it; it is due again after.
        if let Err(error) = begun
            && !matches!(error, RescanError::Busy)
        {
            self.parts.events.emit(Event::warn("antivirus.rescan_unread").with("why", error));
        }
    }

    /// Tells what came of it, and notes that it is over.
    async fn ended(&self, mut run: Run, end: End) {
        run.ended = Some(self.parts.clock.now());
        run.end = Some(end);
        let event = |event: Event| {
            let event = event.with("of", &run.scope).with("looked", run.looked).with("found", run.found);
            event.with("unscannable", run.unscannable)
        };
        let events = &self.parts.events;
        // First: who is killed between tells it once more, and not never.
        if run.found > 0 {
            events.emit(
                event(Event::alert("antivirus.rescan_found").with("finding", run.names.join(", "))).in_words(
                    &format!("{} of stored mail in quarantine: {}", run.found, run.names.join(", "))
                        .chars()
                        .take(ALERT_SUBJECT_MAX)
                        .collect::<String>(),
                    &run.in_words(),
                ),
            );
        }
        events.emit(match &run.end {
            Some(End::Broken(why)) => {
                event(Event::alert("antivirus.rescan_broken").with("why", why).with("where", run.told_place()))
            }
            Some(End::Stopped) => event(Event::info("antivirus.rescan_stopped").with("where", run.told_place())),
            _ => event(Event::info("antivirus.rescan_ended")),
        });
        if let Err(error) = self.records.end(&run).await {
            events.emit(Event::warn("antivirus.rescan_unwritten").with("why", error));
        }
        *self.current() = None;
    }

    fn current(&self) -> MutexGuard<'_, Option<Run>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }
}
