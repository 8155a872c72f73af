//! Reports to domains of how mail in their names was authenticated here (RFC 9990): counted, written now and then, and once a
//! day made into a report and sent to those who want it. And what others report of our domains ([`Listener`]).
//!
//! A report is queued in the commit that notes it, so that none comes twice, whenever the server ends. What can't be queued is
//! tried again until a day after the day it is of, then dropped.
//!
//! Who asks for a report says where it goes, and need not be who gets it: a place of another organisation has to say in the
//! DNS that it takes them (RFC 9990 §4), and only so many are brought to one organisation a day (attacks D10).

mod heard;
mod ledger;
mod mail;

pub use heard::{Busy, Due, Heard, Listener, heard_key};
pub use ledger::{Ledger, Told};
pub use mailward_sts::key;

use crate::reporting::{Post, Tried};
use crate::sign::SignError;
use mail::Letter;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    DMARC_DESTINATIONS_MAX, DMARC_REPORT_JITTER, DMARC_REPORT_LATE, DMARC_REPORT_LOOK_TIME, DMARC_REPORT_PAGE,
    DMARC_REPORTS_PER_DESTINATION_MAX, DMARC_TIME, DMARC_WRITE_TIME,
};
use mailward_core::{Address, Clock, Domain, Shutdown, Timestamp};
use mailward_directory::{Directory, Dkim};
use mailward_dns::Lookup;
use mailward_inspect::dmarc;
use mailward_inspect::report::Report;
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::{Needs, Shelf, ShelfChange};
use mailward_sts::{Daily as _, Day, Sent, SentState};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// What a reporter is made of.
pub struct Parts {
    /// What was counted.
    pub ledger: Arc<Ledger>,
    /// Where it is kept, and mail is queued.
    pub shelf: Arc<dyn ShelfStore>,
    /// Whose mail stays here.
    pub directory: Arc<Directory>,
    /// Who signs; none: no report goes out.
    pub dkim: Option<Arc<Dkim>>,
    /// Who knows who takes reports.
    pub lookup: Arc<dyn Lookup>,
    /// Our name.
    pub hostname: Domain,
    /// Whom reports are from, and where questions about them go.
    pub contact: Address,
    /// Whether any are sent.
    pub send: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Events,
}

/// Writes what was counted, and sends reports.
pub struct Reporter {
    parts: Parts,
    /// Held by whoever changes a record, from reading to writing it.
    records: Mutex<()>,
    /// What was brought where.
    tried: Mutex<Tried>,
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

impl Reporter {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, records: Mutex::default(), tried: Mutex::new(new_tried(None)) }
    }

    /// Where it is counted.
    #[must_use]
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.parts.ledger)
    }

    /// Runs until the word to stop; then what was counted is written once more.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::join!(self.keep_writing(shutdown.clone()), self.keep_sending(shutdown));
        self.write().await;
    }

    async fn keep_writing(&self, mut shutdown: Shutdown) {
        loop {
            self.write().await;
            tokio::select! {
                () = shutdown.fired() => return,
                () = tokio::time::sleep(DMARC_WRITE_TIME) => {}
            }
        }
    }

    async fn keep_sending(&self, mut shutdown: Shutdown) {
        if !self.parts.send {
            return;
        }
        loop {
            let looked = tokio::select! {
                looked = self.send_due() => looked,
                () = shutdown.fired() => return,
            };
            if let Err(error) = looked {
                self.parts.events.emit(Event::warn("dmarc_report.stuck").with("reason", error));
            }
            tokio::select! {
                () = shutdown.fired() => return,
                () = tokio::time::sleep(DMARC_REPORT_LOOK_TIME) => {}
            }
        }
    }

    /// Writes what was counted.
    pub(crate) async fn write(&self) {
        let _alone = self.records.lock().await;
        match self.parts.ledger.write(&*self.parts.shelf).await {
            Ok(0) => {}
            Ok(overlooked) => {
                self.parts.events.emit(Event::warn("dmarc_report.overlooked").with("messages", overlooked));
            }
            Err(error) => self.parts.events.emit(Event::warn("dmarc_report.stuck").with("reason", error)),
        }
    }

    /// Sends what is to be sent now, one report after the other.
    ///
    /// # Errors
    /// What the store says; what was done stays done.
    pub(crate) async fn send_due(&self) -> Result<(), StoreError> {
        let today = Day::of(self.parts.clock.now());
        self.look_back(today).await?;
        let mut after = first(today);
        while let Some(from) = after {
            let now = self.parts.clock.now();
            let page = self.parts.shelf.shelf(Shelf::DmarcReports, Some(from), DMARC_REPORT_PAGE).await?;
            after = page.last().filter(|_| page.len() >= DMARC_REPORT_PAGE).map(|last| last.key.clone());
            for (day, domain, told) in page.iter().filter_map(Told::read) {
                if day >= today {
                    return Ok(());
                }
                if now.0 >= self.moment(day, &domain).0 {
                    self.send(day, &domain, told, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Counts, once a day and after a start, what was brought where before.
    async fn look_back(&self, today: Day) -> Result<(), StoreError> {
        let mut tried = self.tried.lock().await;
        if tried.today == Some(today) {
            return Ok(());
        }
        let mut found = new_tried(Some(today));
        let mut after = first(today);
        while let Some(from) = after {
            let page = self.parts.shelf.shelf(Shelf::DmarcReports, Some(from), DMARC_REPORT_PAGE).await?;
            after = page.last().filter(|_| page.len() >= DMARC_REPORT_PAGE).map(|last| last.key.clone());
            for (day, _, told) in page.iter().filter_map(Told::read) {
                for sent in told.sent.iter().filter(|sent| sent.state == SentState::Sent) {
                    let Some(to) = address(&sent.place) else { continue };
                    // One that can't be looked up now counts for itself.
                    let whose = self.destination(&to).await.unwrap_or_else(|_| to.domain().cloned());
                    let _enough = found.count(day, whose.as_ref());
                }
            }
        }
        *tried = found;
        Ok(())
    }

    /// When a report is sent first: always the same, and for each domain another. Not before the last rows of the day are
    /// written.
    fn moment(&self, day: Day, domain: &Domain) -> Timestamp {
        let jitter = u64::try_from(DMARC_REPORT_JITTER.as_millis()).unwrap_or(u64::MAX);
        let chance = self.hash(day, domain, 0).checked_rem(jitter).unwrap_or(0);
        let written = DMARC_WRITE_TIME.saturating_mul(2).as_millis();
        let wait = i64::try_from(written.saturating_add(u128::from(chance))).unwrap_or(i64::MAX);
        Timestamp(day.end().0.saturating_add(wait))
    }

    /// A number that goes with a report.
    fn hash(&self, day: Day, domain: &Domain, salt: u8) -> u64 {
        let mut hasher = DefaultHasher::new();
        (day, domain, &self.parts.hostname, salt).hash(&mut hasher);
        hasher.finish()
    }

    async fn send(&self, day: Day, domain: &Domain, mut told: Told, now: Timestamp) -> Result<(), StoreError> {
        let late =
            now.0 >= day.end().0.saturating_add(i64::try_from(DMARC_REPORT_LATE.as_millis()).unwrap_or(i64::MAX));
        if told.sent.is_empty() {
            let Some(sent) = self.places(domain, &told, late).await else { return Ok(()) };
            told.sent = sent;
            self.keep(day, domain, &told).await?;
        }
        for at in 0..told.sent.len() {
            let Some(sent) = told.sent.get(at).filter(|sent| sent.state == SentState::Failed) else { continue };
            let (place, why) = (sent.place.clone(), sent.why.clone());
            if late {
                self.tell("dmarc_report.dropped", day, domain, &place, why.as_deref());
                set(&mut told, at, SentState::Dropped, why);
                self.keep(day, domain, &told).await?;
                continue;
            }
            let Some(to) = address(&place) else { continue };
            let queued = match self.destination(&to).await {
                Err(why) => Err(why),
                Ok(whose) if self.tried.lock().await.count(day, whose.as_ref()) => {
                    let queued = self.mail(day, domain, &mut told, at, &to, now).await?;
                    if queued.is_err() {
                        self.tried.lock().await.count_back(day, whose.as_ref());
                    }
                    queued
                }
                Ok(_) => Err(format!(
                    "{DMARC_REPORTS_PER_DESTINATION_MAX} reports of that day went to its organisation, or others to too many"
                )),
            };
            match queued {
                Ok(()) => self.tell("dmarc_report.sent", day, domain, &place, None),
                // It is said once.
                Err(new) if why.as_ref() == Some(&new) => {}
                Err(new) => {
                    self.tell("dmarc_report.failed", day, domain, &place, Some(&new));
                    set(&mut told, at, SentState::Failed, Some(new));
                    self.keep(day, domain, &told).await?;
                }
            }
        }
        Ok(())
    }

    /// For whom a report counts that goes to an address: the organisation, which has as many names as it likes.
    async fn destination(&self, to: &Address) -> Result<Option<Domain>, String> {
        let Some(host) = to.domain() else { return Ok(None) };
        match timeout(DMARC_TIME, dmarc::organization(&*self.parts.lookup, host)).await {
            Ok(Ok(organization)) => Ok(organization.domain().or_else(|| Some(host.clone()))),
            Ok(Err(name)) => Err(format!("{name} can't be looked up now")),
            Err(_) => Err(format!("the organisation of {host} can't be looked up now")),
        }
    }

    /// Where the report goes; none if that isn't known now.
    async fn places(&self, domain: &Domain, told: &Told, late: bool) -> Option<Vec<Sent>> {
        let mut all = Vec::new();
        for to in told.places.iter().filter_map(|place| address(place)) {
            match dmarc::takes_reports(&*self.parts.lookup, domain, &to).await {
                Ok(Some(to)) => {
                    let sent = Sent { place: to.to_string(), state: SentState::Failed, why: None };
                    if !all.contains(&sent) {
                        all.push(sent);
                    }
                }
                Ok(None) => {
                    let why = Some("its domain doesn't say that it takes reports of this one".to_owned());
                    all.push(Sent { place: to.to_string(), state: SentState::Unwanted, why });
                }
                Err(name) if late => {
                    let why = Some(format!("{name} can't be looked up"));
                    all.push(Sent { place: to.to_string(), state: SentState::Dropped, why });
                }
                Err(_) => return None,
            }
        }
        if all.is_empty() {
            all.push(Sent { place: String::new(), state: SentState::Unwanted, why: None });
        }
        Some(all)
    }

    async fn keep(&self, day: Day, domain: &Domain, told: &Told) -> Result<(), StoreError> {
        let _alone = self.records.lock().await;
        let put = self.note(day, domain, told).await?;
        self.parts.shelf.change_shelf(vec![put]).await
    }

    /// The record, with what became of the report; what was counted meanwhile stays in it.
    async fn note(&self, day: Day, domain: &Domain, told: &Told) -> Result<ShelfChange, StoreError> {
        let known = self.parts.shelf.shelved(Shelf::DmarcReports, key(day, domain)).await?;
        let mut known = known.as_ref().and_then(Told::read).map_or_else(|| told.clone(), |(_, _, known)| known);
        known.sent.clone_from(&told.sent);
        Ok(ShelfChange::Put(Shelf::DmarcReports, known.record(day, domain)))
    }

    /// Queues the report, and notes that it is, in one commit; the inner error says why it isn't.
    async fn mail(
        &self,
        day: Day,
        domain: &Domain,
        told: &mut Told,
        at: usize,
        to: &Address,
        now: Timestamp,
    ) -> Result<Result<(), String>, StoreError> {
        let id = format!("{:016x}{:016x}", self.hash(day, domain, 1), self.hash(day, domain, 2));
        let Parts { hostname, contact, .. } = &self.parts;
        let report = Report {
            organization: hostname.to_string(),
            email: contact.to_string(),
            id: format!("{id}.{day}@{hostname}"),
            begin: day.begin().secs(),
            end: day.end().secs().saturating_sub(1),
            error: (told.more > 0).then(|| format!("{} messages more aren't told one by one", told.more)),
            published: told.published.clone(),
            rows: told.rows.clone(),
            more: told.more,
        };
        let letter = Letter { day, domain, hostname, contact, id: &id };
        let message = match letter.written(&report, to, now) {
            Ok(message) => message,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let post = Post {
            directory: &self.parts.directory,
            dkim: self.parts.dkim.as_deref(),
            contact,
            needs: Needs::default(),
            lifetime: DMARC_REPORT_LATE,
        };
        let delivery = match post.delivery(&message, to, now).await {
            Ok(Ok(delivery)) => delivery,
            Ok(Err(why)) => return Ok(Err(why)),
            Err(SignError::Store(error)) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let before = told.clone();
        set(told, at, SentState::Sent, None);
        let _alone = self.records.lock().await;
        let note = self.note(day, domain, told).await?;
        match self.parts.shelf.deliver_noted(delivery, vec![note]).await {
            Ok(_) => Ok(Ok(())),
            Err(StoreError::OverQuota) => {
                *told = before;
                Ok(Err(format!("{to} has no room")))
            }
            Err(error) => Err(error),
        }
    }

    fn tell(&self, name: &'static str, day: Day, domain: &Domain, place: &str, why: Option<&str>) {
        let event = Event::info(name).with("domain", domain).with("day", day).with("place", place);
        self.parts.events.emit(match why {
            Some(why) => event.with("reason", why),
            None => event,
        });
    }
}

/// Nothing was brought yet.
fn new_tried(today: Option<Day>) -> Tried {
    Tried::new(today, DMARC_REPORTS_PER_DESTINATION_MAX, DMARC_DESTINATIONS_MAX)
}

fn address(place: &str) -> Option<Address> {
    Address::parse(place, false).ok().filter(|address| address.domain().is_some())
}

/// What lies before is older than is looked at: it was sent or dropped, see `DMARC_REPORT_LATE`.
fn first(today: Day) -> Option<String> {
    Some(Day(today.0.saturating_sub(2)).to_string())
}

fn set(told: &mut Told, at: usize, state: SentState, why: Option<String>) {
    if let Some(sent) = told.sent.get_mut(at) {
        (sent.state, sent.why) = (state, why);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;
