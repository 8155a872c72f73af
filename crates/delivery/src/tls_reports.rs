//! Reports to domains of how TLS went with them (RFC 8460): results are written now and then, and once a day, for
//! domains that want it, made into a report and sent.
//!
//! A report by mail is queued in the commit that notes it; one by HTTPS is noted before it is brought, and again when it
//! was. So none comes twice, whenever the server ends. What can't be brought is tried again until a day after the day it
//! is of, then dropped.

use crate::prepare;
use crate::sign::{SignError, sign_pieces};
use bytes::Bytes;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    TLS_REPORT_JITTER, TLS_REPORT_LATE, TLS_REPORT_LOOK_TIME, TLS_REPORT_PAGE, TLS_RESULTS_WRITE_TIME,
};
use mailward_core::{Address, Clock, Domain, Shutdown, Timestamp};
use mailward_directory::{Directory, Dkim, Resolution};
use mailward_dns::{Lookup, Name};
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::{
    Delivery, Envelope, Flags, Needs, NewRecipient, NotifyOn, Queued, Shelf, ShelfChange, Target,
};
use mailward_sts::{Day, Https, HttpsError, Ledger, Place, Report, Results, Sent, SentState, report_places};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

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
        Self { parts }
    }

    /// Runs until the word to stop; then what was counted is written once more.
    pub async fn run(self, mut shutdown: Shutdown) {
        let mut since_look = TLS_REPORT_LOOK_TIME;
        loop {
            self.write().await;
            since_look = since_look.saturating_add(TLS_RESULTS_WRITE_TIME);
            if self.parts.send && since_look >= TLS_REPORT_LOOK_TIME {
                since_look = Duration::ZERO;
                let looked = tokio::select! {
                    looked = self.send_due() => looked,
                    () = shutdown.fired() => Ok(()),
                };
                if let Err(error) = looked {
                    self.parts.events.emit(Event::warn("tls_report.stuck").with("reason", error));
                }
            }
            tokio::select! {
                () = shutdown.fired() => break,
                () = tokio::time::sleep(TLS_RESULTS_WRITE_TIME) => {}
            }
        }
        self.write().await;
    }

    /// Writes what was counted.
    async fn write(&self) {
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
        let now = self.parts.clock.now();
        let today = Day::of(now);
        // What is older was sent or dropped: see `TLS_REPORT_LATE`.
        let mut after = Day(today.0.saturating_sub(2)).to_string();
        loop {
            let page = self.parts.shelf.shelf(Shelf::TlsReports, Some(after), TLS_REPORT_PAGE).await?;
            for record in &page {
                let Some((day, domain, results)) = Results::read(record) else { continue };
                if day >= today {
                    return Ok(());
                }
                if now.0 >= self.moment(day, &domain).0 {
                    self.send(day, &domain, results, now).await?;
                }
            }
            match page.last() {
                Some(last) if page.len() >= TLS_REPORT_PAGE => after = last.key.clone(),
                _ => return Ok(()),
            }
        }
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

    async fn send(&self, day: Day, domain: &Domain, mut results: Results, now: Timestamp) -> Result<(), StoreError> {
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
            // It was read from a record of the domain's, and written by us.
            let place = report_places(&[format!("v=TLSRPTv1;rua={place}").into_bytes()]).into_iter().next();
            let done = match place {
                Some(Place::Mail(to)) => self.mail(day, domain, &mut results, at, &to, now).await?,
                Some(Place::Https(host, port, path)) => {
                    set(&mut results, at, SentState::Begun, None);
                    self.keep(day, domain, &results).await?;
                    self.post(day, domain, &results, (&host, port, &path)).await
                }
                None => Err(Missed::Unknown("not a place".to_owned())),
            };
            let place = results.sent.get(at).map(|sent| sent.place.clone()).unwrap_or_default();
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
        let put = ShelfChange::Put(Shelf::TlsReports, results.record(day, domain));
        self.parts.shelf.change_shelf(vec![put]).await
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
        let signatures = match self.signatures(&message, now).await {
            Ok(Some(signatures)) => signatures,
            Ok(None) => {
                return later(format!("{} has no DKIM key: mailward dkim rotate", self.parts.contact));
            }
            Err(SignError::Store(error)) => return Err(error),
            Err(error) => return later(error.to_string()),
        };
        let content = match prepare([&signatures, message.as_slice()].concat(), 0) {
            Ok(content) => content,
            Err(fault) => return later(fault.to_string()),
        };
        let (local, remote) = match self.parts.directory.resolve(to) {
            Resolution::Deliver { local, remote } => (local, remote),
            Resolution::NotLocal => (Vec::new(), vec![to.clone()]),
            Resolution::UnknownUser | Resolution::Disabled | Resolution::Loop => {
                return later(format!("{to} isn't here"));
            }
        };
        let targets =
            local.into_iter().map(|to| Target { account: to.account, mailbox: None, flags: Flags::NONE }).collect();
        let table = self.parts.directory.routes().table();
        let recipients: Vec<NewRecipient> = remote
            .into_iter()
            .filter_map(|address| {
                let lane = table.lane(Some(&self.parts.contact), &address)?;
                // Nobody waits for it, so nobody is told (RFC 8460 §5.3).
                let notify = Some(NotifyOn::default());
                Some(NewRecipient { address, notify, original: None, lane, due: now, held: None })
            })
            .collect();
        let lifetime = i64::try_from(TLS_REPORT_LATE.as_millis()).unwrap_or(i64::MAX);
        let envelope = Envelope {
            sender: Some(self.parts.contact.clone()),
            give_back: None,
            envid: None,
            // It tells of TLS that doesn't work: it mustn't wait for TLS (RFC 8460 §5.3, RFC 8689 §5).
            needs: Needs { tls_optional: true, ..Needs::default() },
            submitter: None,
            forwarded: None,
            arrived: now,
            warn: None,
            expires: Timestamp(now.0.saturating_add(lifetime)),
        };
        let queued = if recipients.is_empty() { Vec::new() } else { vec![Queued { envelope, recipients }] };
        let before = results.clone();
        set(results, at, SentState::Sent, None);
        let note = ShelfChange::Put(Shelf::TlsReports, results.record(day, domain));
        match self.parts.shelf.deliver_noted(Delivery { content, targets, queued }, vec![note]).await {
            Ok(_) => Ok(Ok(())),
            Err(StoreError::OverQuota) => {
                *results = before;
                later(format!("{to} has no room"))
            }
            Err(error) => Err(error),
        }
    }

    /// By the keys of the contact's domain, or of one above it: our host's name is often below.
    async fn signatures(&self, message: &[u8], now: Timestamp) -> Result<Option<Bytes>, SignError> {
        let (Some(dkim), Some(domain)) = (self.parts.dkim.as_deref(), self.parts.contact.domain()) else {
            return Ok(None);
        };
        let mut next = Some(domain.as_str());
        while let Some(name) = next {
            if let Ok(domain) = Domain::parse(name)
                && let Some(signatures) = sign_pieces(dkim, [message], &domain, now).await?
            {
                return Ok(Some(signatures));
            }
            next = name.split_once('.').map(|(_, above)| above);
        }
        Ok(None)
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

fn set(results: &mut Results, at: usize, state: SentState, why: Option<String>) {
    if let Some(sent) = results.sent.get_mut(at) {
        (sent.state, sent.why) = (state, why);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]
mod tests;
