//! Reports to domains of how TLS went with them (RFC 8460): results are written now and then, and once a day, for
//! domains that want it, made into a report and sent.
//!
//! A report by mail is queued in the commit that notes it; one by HTTPS is noted before it is brought, and again when it
//! was. So none comes twice, whenever the server ends. What can't be brought is tried again until a day after the day it
//! is of, then dropped.
//!
//! Who asks for a report says where it goes, and need not be who gets it: so only so many are brought to one destination a
//! day. And one that lets us wait doesn't hold up the others, nor what is counted meanwhile.

use crate::reporting::{Post, Tried};
use crate::sign::SignError;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    TLS_REPORT_DESTINATIONS_MAX, TLS_REPORT_JITTER, TLS_REPORT_LATE, TLS_REPORT_LOOK_TIME, TLS_REPORT_PAGE,
    TLS_REPORT_PER_DESTINATION_MAX, TLS_REPORTS_AT_ONCE, TLS_RESULTS_WRITE_TIME,
};
use mailward_core::{Address, Clock, Domain, Shutdown, Timestamp};
use mailward_directory::{Directory, Dkim};
use mailward_dns::{Lookup, Name};
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::{Needs, Shelf, ShelfChange};
use mailward_sts::{
    Daily as _, Day, Https, HttpsError, Ledger, Place, Report, Results, Sent, SentState, key, report_places,
};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// What a reporter is made of.
pub struct Parts {
    /// What was counted.
    pub ledger: Arc<Ledger>,
    /// Where results are kept, and mail is queued.
    pub shelf: Arc<dyn ShelfStore>,
    /// Whose mail stays here.
    pub directory: Arc<Directory>,
    /// Who signs; none: no report goes by mail (RFC 8460 §3).
    pub dkim: Option<Arc<Dkim>>,
    /// Who knows where reports go.
    pub lookup: Arc<dyn Lookup>,
    /// Who brings them by HTTPS.
    pub https: Https,
    /// Our name.
    pub hostname: Domain,
    /// Where questions about reports go, and whom they are from.
    pub contact: Address,
    /// Whether any are sent; results are kept either way.
    pub send: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Events,
}

/// Writes results, and sends reports.
pub struct Reporter {
    parts: Parts,
    /// How often results are written.
    pause: Duration,
    /// Held by whoever changes a record, from reading to writing it: one counts, others note what became of a report.
    records: Mutex<()>,
    /// What was brought where.
    tried: Mutex<Tried>,
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

/// Why a report isn't at its place.
enum Missed {
    /// It may be brought later.
    Later(String),
    /// It may be there.
    Unknown(String),
}

impl Reporter {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, pause: TLS_RESULTS_WRITE_TIME, records: Mutex::default(), tried: Mutex::new(new_tried(None)) }
    }

    /// Runs until the word to stop; then what was counted is written once more.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::join!(self.keep_writing(shutdown.clone()), self.keep_sending(shutdown));
        self.write().await;
    }

    /// Doesn't wait for anybody's host: a crash takes what wasn't written.
    async fn keep_writing(&self, mut shutdown: Shutdown) {
        loop {
            self.write().await;
            tokio::select! {
                () = shutdown.fired() => return,
                () = tokio::time::sleep(self.pause) => {}
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
                self.parts.events.emit(Event::warn("tls_report.stuck").with("reason", error));
            }
            tokio::select! {
                () = shutdown.fired() => return,
                () = tokio::time::sleep(TLS_REPORT_LOOK_TIME) => {}
            }
        }
    }

    /// Writes what was counted.
    async fn write(&self) {
        let _alone = self.records.lock().await;
        match self.parts.ledger.write(&*self.parts.shelf).await {
            Ok(0) => {}
            Ok(overlooked) => {
                self.parts.events.emit(Event::warn("tls_report.overlooked").with("sessions", overlooked));
            }
            Err(error) => self.parts.events.emit(Event::warn("tls_report.stuck").with("reason", error)),
        }
    }

    /// Sends what is to be sent now.
    ///
    /// # Errors
    /// What the store says; what was done stays done.
    pub(crate) async fn send_due(&self) -> Result<(), StoreError> {
        let today = Day::of(self.parts.clock.now());
        self.look_back(today).await?;
        let mut after = first(today);
        while let Some(from) = after {
            let now = self.parts.clock.now();
            let page = self.parts.shelf.shelf(Shelf::TlsReports, Some(from), TLS_REPORT_PAGE).await?;
            after = page.last().filter(|_| page.len() >= TLS_REPORT_PAGE).map(|last| last.key.clone());
            let (before, counting): (Vec<_>, Vec<_>) =
                page.iter().filter_map(Results::read).partition(|(day, ..)| *day < today);
            if !counting.is_empty() {
                after = None;
            }
            let due: Vec<_> =
                before.into_iter().filter(|(day, domain, _)| now.0 >= self.moment(*day, domain).0).collect();
            let sending = due.into_iter().map(|(day, domain, results)| self.send(day, domain, results, now));
            // What is under way isn't broken off when the store refuses another: it couldn't be told then where it is.
            let mut sending = iter(sending).buffer_unordered(TLS_REPORTS_AT_ONCE);
            let mut done = Ok(());
            while let Some(sent) = sending.next().await {
                done = done.and(sent);
            }
            done?;
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
            let page = self.parts.shelf.shelf(Shelf::TlsReports, Some(from), TLS_REPORT_PAGE).await?;
            after = page.last().filter(|_| page.len() >= TLS_REPORT_PAGE).map(|last| last.key.clone());
            for (day, _, results) in page.iter().filter_map(Results::read) {
                let gone = results.sent.iter().filter(|sent| matches!(sent.state, SentState::Begun | SentState::Sent));
                for place in gone.filter_map(|sent| place_of(&sent.place)) {
                    let _enough = found.count(day, host_of(&place));
                }
            }
        }
        *tried = found;
        Ok(())
    }

    /// When a report is sent first: always the same, and for each domain another. Not before the last results of the day
    /// are written.
    fn moment(&self, day: Day, domain: &Domain) -> Timestamp {
        let jitter = u64::try_from(TLS_REPORT_JITTER.as_millis()).unwrap_or(u64::MAX);
        let chance = self.hash(day, domain, 0).checked_rem(jitter).unwrap_or(0);
        let written = TLS_RESULTS_WRITE_TIME.saturating_mul(2).as_millis();
        let wait = i64::try_from(written.saturating_add(u128::from(chance))).unwrap_or(i64::MAX);
        Timestamp(day.end().0.saturating_add(wait))
    }

    /// A number that goes with a report.
    fn hash(&self, day: Day, domain: &Domain, salt: u8) -> u64 {
        let mut hasher = DefaultHasher::new();
        (day, domain, &self.parts.hostname, salt).hash(&mut hasher);
        hasher.finish()
    }

    async fn send(&self, day: Day, domain: Domain, mut results: Results, now: Timestamp) -> Result<(), StoreError> {
        let domain = &domain;
        let late = i64::try_from(TLS_REPORT_LATE.as_millis()).unwrap_or(i64::MAX);
        let late = now.0 >= day.end().0.saturating_add(late);
        if results.sent.is_empty() {
            results.sent = self.places(domain, &results, late).await;
            if results.sent.is_empty() {
                return Ok(());
            }
            self.keep(day, domain, &results).await?;
        }
        for at in 0..results.sent.len() {
            let Some(sent) = results.sent.get(at).filter(|sent| sent.state == SentState::Failed) else { continue };
            let (place, why) = (sent.place.clone(), sent.why.clone());
            if late {
                self.told("tls_report.dropped", day, domain, &place, why.as_deref());
                set(&mut results, at, SentState::Dropped, why);
                self.keep(day, domain, &results).await?;
                continue;
            }
            let to = place_of(&place);
            if let Some(to) = &to
                && !self.tried.lock().await.count(day, host_of(to))
            {
                let enough = format!(
                    "no more of that day are brought to its host or domain: {TLS_REPORT_PER_DESTINATION_MAX} were, or others to too many"
                );
                if why.as_ref() != Some(&enough) {
                    self.told("tls_report.failed", day, domain, &place, Some(&enough));
                    set(&mut results, at, SentState::Failed, Some(enough));
                    self.keep(day, domain, &results).await?;
                }
                continue;
            }
            let done = match &to {
                Some(by_mail @ Place::Mail(to)) => {
                    let queued = self.mail(day, domain, &mut results, at, to, now).await?;
                    if queued.is_err() {
                        self.tried.lock().await.count_back(day, host_of(by_mail));
                    }
                    queued
                }
                Some(Place::Https(host, port, path)) => {
                    set(&mut results, at, SentState::Begun, None);
                    self.keep(day, domain, &results).await?;
                    self.post(day, domain, &results, (host, *port, path)).await
                }
                None => Err(Missed::Unknown("not a place".to_owned())),
            };
            match done {
                Ok(()) => {
                    self.told("tls_report.sent", day, domain, &place, None);
                    set(&mut results, at, SentState::Sent, None);
                }
                Err(Missed::Later(why)) => {
                    self.told("tls_report.failed", day, domain, &place, Some(&why));
                    set(&mut results, at, SentState::Failed, Some(why));
                }
                Err(Missed::Unknown(why)) => {
                    self.told("tls_report.failed", day, domain, &place, Some(&why));
                    set(&mut results, at, SentState::Begun, Some(why));
                }
            }
            self.keep(day, domain, &results).await?;
        }
        Ok(())
    }

    /// Where the report goes; nothing if that isn't known now.
    async fn places(&self, domain: &Domain, results: &Results, late: bool) -> Vec<Sent> {
        let sent = |place: String, state, why| Sent { place, state, why };
        let nowhere = |state| vec![sent(String::new(), state, None)];
        if results.policies.is_empty() {
            return nowhere(SentState::Unwanted);
        }
        let Ok(name) = Name::under("_smtp._tls", domain) else { return nowhere(SentState::Unwanted) };
        let places = match self.parts.lookup.txt(&name).await {
            Ok(found) => report_places(&found.records),
            Err(error) if error.is_temporary() && !late => return Vec::new(),
            Err(error) if error.is_temporary() => return nowhere(SentState::Dropped),
            Err(_) => Vec::new(),
        };
        if places.is_empty() {
            return nowhere(SentState::Unwanted);
        }
        places.iter().map(|place| sent(place.to_string(), SentState::Failed, None)).collect()
    }

    async fn keep(&self, day: Day, domain: &Domain, results: &Results) -> Result<(), StoreError> {
        let _alone = self.records.lock().await;
        let put = self.note(day, domain, results).await?;
        self.parts.shelf.change_shelf(vec![put]).await
    }

    /// The record, with what became of the report; what was counted meanwhile stays in it.
    async fn note(&self, day: Day, domain: &Domain, results: &Results) -> Result<ShelfChange, StoreError> {
        let known = self.parts.shelf.shelved(Shelf::TlsReports, key(day, domain)).await?;
        let mut known = known.as_ref().and_then(Results::read).map_or_else(|| results.clone(), |(_, _, known)| known);
        known.sent.clone_from(&results.sent);
        Ok(ShelfChange::Put(Shelf::TlsReports, known.record(day, domain)))
    }

    fn report<'a>(&'a self, day: Day, domain: &'a Domain, results: &'a Results, id: &'a str) -> Report<'a> {
        Report { day, domain, results, hostname: &self.parts.hostname, contact: &self.parts.contact, id }
    }

    /// The same for the same report, so that whoever gets it twice can tell.
    fn id(&self, day: Day, domain: &Domain) -> String {
        format!("{:016x}{:016x}", self.hash(day, domain, 1), self.hash(day, domain, 2))
    }

    /// Queues the report, and notes that it is, in one commit.
    async fn mail(
        &self,
        day: Day,
        domain: &Domain,
        results: &mut Results,
        at: usize,
        to: &Address,
        now: Timestamp,
    ) -> Result<Result<(), Missed>, StoreError> {
        let later = |why: String| Ok(Err(Missed::Later(why)));
        let id = self.id(day, domain);
        let message = match self.report(day, domain, results, &id).mail(to, now) {
            Ok(message) => message,
            Err(error) => return later(error.to_string()),
        };
        let post = Post {
            directory: &self.parts.directory,
            dkim: self.parts.dkim.as_deref(),
            contact: &self.parts.contact,
            // It tells of TLS that doesn't work: it mustn't wait for TLS (RFC 8460 §5.3, RFC 8689 §5).
            needs: Needs { tls_optional: true, ..Needs::default() },
            lifetime: TLS_REPORT_LATE,
        };
        let delivery = match post.delivery(&message, to, now).await {
            Ok(Ok(delivery)) => delivery,
            Ok(Err(why)) => return later(why),
            Err(SignError::Store(error)) => return Err(error),
            Err(error) => return later(error.to_string()),
        };
        let before = results.clone();
        set(results, at, SentState::Sent, None);
        let _alone = self.records.lock().await;
        let note = self.note(day, domain, results).await?;
        match self.parts.shelf.deliver_noted(delivery, vec![note]).await {
            Ok(_) => Ok(Ok(())),
            Err(StoreError::OverQuota) => {
                *results = before;
                later(format!("{to} has no room"))
            }
            Err(error) => Err(error),
        }
    }

    async fn post(
        &self,
        day: Day,
        domain: &Domain,
        results: &Results,
        (host, port, path): (&Domain, u16, &str),
    ) -> Result<(), Missed> {
        let id = self.id(day, domain);
        let report = self.report(day, domain, results, &id);
        let content = report.gzip().map_err(|error| Missed::Later(error.to_string()))?;
        let posted = self.parts.https.post(host, port, path, "application/tlsrpt+gzip", content.into()).await;
        posted.map_err(|error| match error {
            // It may have all of it.
            HttpsError::Http(_) | HttpsError::Timeout => Missed::Unknown(error.to_string()),
            error => Missed::Later(error.to_string()),
        })
    }

    fn told(&self, name: &'static str, day: Day, domain: &Domain, place: &str, why: Option<&str>) {
        let event = Event::info(name).with("domain", domain).with("day", day).with("place", place);
        self.parts.events.emit(match why {
            Some(why) => event.with("reason", why),
            None => event,
        });
    }
}

/// Nothing was brought yet.
fn new_tried(today: Option<Day>) -> Tried {
    Tried::new(today, TLS_REPORT_PER_DESTINATION_MAX, TLS_REPORT_DESTINATIONS_MAX)
}

/// Who has to bear it.
fn host_of(place: &Place) -> Option<&Domain> {
    match place {
        Place::Mail(address) => address.domain(),
        Place::Https(host, ..) => Some(host),
    }
}

/// It was read from a record of the domain's, and written by us.
fn place_of(text: &str) -> Option<Place> {
    report_places(&[format!("v=TLSRPTv1;rua={text}").into_bytes()]).into_iter().next()
}

/// What lies before is older than is looked at: it was sent or dropped, see `TLS_REPORT_LATE`.
fn first(today: Day) -> Option<String> {
    Some(Day(today.0.saturating_sub(2)).to_string())
}

fn set(results: &mut Results, at: usize, state: SentState, why: Option<String>) {
    if let Some(sent) = results.sent.get_mut(at) {
        (sent.state, sent.why) = (state, why);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;
