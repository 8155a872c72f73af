//! How TLS went with other domains, counted by day, domain and policy (RFC 8460 §4).
//!
//! Counting costs a lock and an addition; what was counted is written now and then ([`Ledger::write`]), not for each
//! message. What a crash takes is at most what was counted since.

use crate::book::{Book, Daily};
use mailward_core::limits::{
    SHELF_VALUE_MAX, TLS_REPORT_DETAILS_MAX, TLS_REPORT_LINES_MAX, TLS_REPORT_POLICIES_MAX, TLS_REPORT_TEXT_MAX,
    TLS_RESULTS_BATCH, TLS_RESULTS_DAYS, TLS_RESULTS_KEPT,
};
use mailward_core::{Clock, Domain, Timestamp};
use mailward_message::date;
use mailward_store::StoreError;
use mailward_store::api::ShelfStore;
use mailward_store::records::Shelf;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What went wrong (RFC 8460 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultType {
    /// TLS wasn't offered.
    StarttlsNotSupported,
    /// The certificate is for other names.
    CertificateHostMismatch,
    /// The certificate's time is over.
    CertificateExpired,
    /// Nobody who is trusted has signed it.
    CertificateNotTrusted,
    /// Anything else.
    ValidationFailure,
    /// TLSA records can't be used, or the certificate fits none.
    TlsaInvalid,
    /// DNSSEC proves nothing, where it should.
    DnssecInvalid,
    /// The policy can't be fetched.
    StsPolicyFetchError,
    /// The policy isn't one.
    StsPolicyInvalid,
    /// The policy's host doesn't prove who it is.
    StsWebpkiInvalid,
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        })
    }
}

/// Where a policy comes from (RFC 8460 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// The domain demands nothing.
    NoPolicyFound,
}

/// A policy, as a report tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Where it comes from.
    pub kind: PolicyKind,
    /// What it says; cut to `limits::TLS_REPORT_LINES_MAX`.
    pub lines: Vec<String>,
    /// Hosts that it names; cut to `limits::TLS_REPORT_LINES_MAX`.
    pub hosts: Vec<String>,
}

impl Told {
    /// Cut and cleaned: what comes from outside is printable ASCII here.
    pub fn new(
        kind: PolicyKind,
        lines: impl IntoIterator<Item = String>,
        hosts: impl IntoIterator<Item = String>,
    ) -> Self {
        let cut = |texts: &mut dyn Iterator<Item = String>| {
            texts.take(TLS_REPORT_LINES_MAX).map(|text| clean(&text)).collect()
        };
        Self { kind, lines: cut(&mut lines.into_iter()), hosts: cut(&mut hosts.into_iter()) }
    }
    /// That there is none.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { kind: PolicyKind::NoPolicyFound, lines: Vec::new(), hosts: Vec::new() }
    }
}

/// One kind of failure. Equal ones are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What went wrong.
    pub result: ResultType,
    /// Our address, if there was a connection.
    pub sending_ip: Option<IpAddr>,
    /// The host, if it came that far.
    pub host: Option<String>,
    /// Its address, if there was a connection.
    pub receiving_ip: Option<IpAddr>,
    /// In words.
    pub reason: Option<String>,
}

impl Failure {
    /// That a domain's policy itself failed.
    #[must_use]
    pub fn of_policy(result: ResultType, why: &str) -> Self {
        Self { result, sending_ip: None, host: None, receiving_ip: None, reason: Some(clean(why)) }
    }
}

/// Printable ASCII of bounded length.
pub(crate) fn clean(text: &str) -> String {
    let plain = |c: char| if (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\') { c } else { '?' };
    text.chars().take(TLS_REPORT_TEXT_MAX).map(plain).collect()
}

/// A day by UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

const DAY_SECONDS: i64 = 86_400;

impl Day {
    /// The day of a time.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.secs().div_euclid(DAY_SECONDS))
    }
    /// Its first moment.
    #[must_use]
    pub const fn begin(self) -> Timestamp {
        Timestamp::from_secs(self.0.saturating_mul(DAY_SECONDS))
    }
    /// The first moment of the day after it.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Self(self.0.saturating_add(1)).begin()
    }
    /// By its name, `2026-11-26`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) =
            (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let found = Self::of(date::day_start(year, month, day)?);
        (found.to_string() == text).then_some(found)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date::civil(self.begin());
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What is known of a domain's day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// By policy, at most `limits::TLS_REPORT_POLICIES_MAX`.
    pub policies: Vec<Counted>,
    /// Sessions under more policies than are told apart.
    pub uncounted: u64,
    /// What became of the report, by place; empty before anything was tried.
    pub sent: Vec<Sent>,
}

/// How it went under one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Under which.
    pub policy: Told,
    /// Sessions that were as it demands.
    pub success: u64,
    /// Sessions that weren't.
    pub failure: u64,
    /// The failures by kind, at most `limits::TLS_REPORT_DETAILS_MAX`.
    pub details: Vec<(Failure, u64)>,
}

/// What became of a report at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// `mailto:…` or `https://…`; empty if the domain wants none.
    pub place: String,
    /// How far it came.
    pub state: SentState,
    /// Why it isn't there.
    pub why: Option<String>,
}

/// How far a report came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SentState {
    /// It isn't wanted.
    Unwanted,
    /// It was begun to be sent; if that is all that is known, it may have arrived and isn't sent again.
    Begun,
    /// It is in our queue, or was taken.
    Sent,
    /// It couldn't be sent yet.
    Failed,
    /// It is too late to try again.
    Dropped,
}

impl Results {
    fn count(&mut self, policy: &Told, success: u64, failure: u64, details: &[(Failure, u64)]) {
        let index = match self.policies.iter().position(|counted| counted.policy == *policy) {
            Some(index) => index,
            None if self.policies.len() >= TLS_REPORT_POLICIES_MAX => {
                self.uncounted = self.uncounted.saturating_add(success).saturating_add(failure);
                return;
            }
            None => {
                self.policies.push(Counted { policy: policy.clone(), success: 0, failure: 0, details: Vec::new() });
                self.policies.len().saturating_sub(1)
            }
        };
        let Some(counted) = self.policies.get_mut(index) else { return };
        counted.success = counted.success.saturating_add(success);
        counted.failure = counted.failure.saturating_add(failure);
        for (kind, count) in details {
            if let Some((_, known)) = counted.details.iter_mut().find(|(known, _)| known == kind) {
                *known = known.saturating_add(*count);
            } else if counted.details.len() < TLS_REPORT_DETAILS_MAX {
                counted.details.push((kind.clone(), *count));
            }
        }
    }
}

impl Daily for Results {
    const SHELF: Shelf = Shelf::TlsReports;
    const DAYS: u16 = TLS_RESULTS_DAYS;
    const MOST: usize = TLS_RESULTS_KEPT;
    const BATCH: usize = TLS_RESULTS_BATCH;

    fn merge(&mut self, later: &Self) {
        for counted in &later.policies {
            self.count(&counted.policy, counted.success, counted.failure, &counted.details);
        }
        self.uncounted = self.uncounted.saturating_add(later.uncounted);
    }

    /// Should it be too large, the failures by kind are left out.
    fn value(&self) -> Vec<u8> {
        let value = serde_json::to_vec(self).unwrap_or_default();
        if value.len() <= SHELF_VALUE_MAX {
            return value;
        }
        let mut less = self.clone();
        less.policies.iter_mut().for_each(|counted| counted.details.clear());
        serde_json::to_vec(&less).unwrap_or_default()
    }
}

/// Counts in memory.
pub struct Ledger {
    clock: Arc<dyn Clock>,
    counted: Book<Results>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ledger")
    }
}

impl Ledger {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, counted: Book::default() }
    }

    /// One session, or one try at having one.
    pub fn count(&self, domain: &Domain, policy: &Told, failure: Option<Failure>) {
        self.counted.count(Day::of(self.clock.now()), domain.clone(), |results| match failure {
            None => results.count(policy, 1, 0, &[]),
            Some(failure) => results.count(policy, 0, 1, &[(failure, 1)]),
        });
    }

    /// See [`Book::write`]: how many sessions were with domains for which there was no room.
    ///
    /// # Errors
    /// What the store says.
    pub async fn write(&self, shelf: &dyn ShelfStore) -> Result<u64, StoreError> {
        self.counted.write(shelf).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Hand(AtomicI64);
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn failure(host: &str) -> Failure {
        Failure { host: Some(host.to_owned()), ..Failure::of_policy(ResultType::CertificateExpired, "over") }
    }

    async fn kept(store: &dyn ShelfStore) -> Vec<(String, Results)> {
        let all = store.shelf(Shelf::TlsReports, None, 1000).await.unwrap();
        all.iter().map(|one| (one.key.clone(), Results::read(one).unwrap().2)).collect()
    }

    #[tokio::test]
    async fn what_was_counted_is_added_to_what_is_kept_by_day_and_policy() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000)));
        let options = mailward_store::Options { clock: clock.clone(), ..mailward_store::Options::default() };
        let store = mailward_store::LocalStore::open(dir.path(), options).unwrap();
        let ledger = Ledger::new(clock.clone());
        let (a, none) = (domain("a.example"), Told::nothing());
        let sts = Told::new(PolicyKind::Sts, ["mode: enforce".to_owned()], ["mx.a.example".to_owned()]);
        for _ in 0..2 {
            ledger.count(&a, &none, None);
            ledger.count(&a, &sts, Some(failure("mx")));
            ledger.count(&a, &sts, Some(failure("mx")));
            assert_eq!(ledger.write(&*store).await.unwrap(), 0);
        }
        clock.0.fetch_add(86_400_000, Ordering::Relaxed);
        ledger.count(&a, &none, None);
        ledger.write(&*store).await.unwrap();
        let all = kept(&*store).await;
        assert_eq!(
            all.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
            ["2027-01-15/a.example", "2027-01-16/a.example"]
        );
        let first = &all[0].1;
        assert_eq!((first.policies[0].success, first.policies[1].failure), (2, 4));
        assert_eq!(first.policies[1].details, [(failure("mx"), 4)]);
        // Nothing is kept for ever.
        clock.0.fetch_add((i64::from(TLS_RESULTS_DAYS) + 2) * 86_400_000, Ordering::Relaxed);
        assert!(kept(&*store).await.is_empty());
    }

    #[tokio::test]
    async fn what_is_more_than_a_batch_is_written_whole_and_what_can_t_be_written_is_counted_on() {
        let dir = tempfile::tempdir().unwrap();
        let store = mailward_store::LocalStore::open(dir.path(), mailward_store::Options::default()).unwrap();
        let ledger = Ledger::new(Arc::new(mailward_core::SystemClock));
        let count = TLS_RESULTS_BATCH + 1;
        for number in 0..count {
            ledger.count(&domain(&format!("d{number}.example")), &Told::nothing(), None);
        }
        ledger.write(&*store).await.unwrap();
        assert_eq!(kept(&*store).await.len(), count);
        store.close().await;
        ledger.count(&domain("a.example"), &Told::nothing(), None);
        assert!(ledger.write(&*store).await.is_err());
        drop(store);
        ledger.count(&domain("a.example"), &Told::nothing(), None);
        let again = mailward_store::LocalStore::open(dir.path(), mailward_store::Options::default()).unwrap();
        ledger.write(&*again).await.unwrap();
        let all = kept(&*again).await;
        let results = &all.iter().find(|(key, _)| key.ends_with("/a.example")).unwrap().1;
        assert_eq!((all.len(), results.policies[0].success), (count + 1, 2));
    }

    #[test]
    fn counting_ends_at_its_limits() {
        let ledger = Ledger::new(Arc::new(mailward_core::SystemClock));
        let a = domain("a.example");
        for number in 0..=TLS_REPORT_POLICIES_MAX {
            let policy = Told::new(PolicyKind::Sts, [number.to_string()], []);
            for host in 0..=TLS_REPORT_DETAILS_MAX {
                ledger.count(&a, &policy, Some(failure(&host.to_string())));
            }
        }
        for number in 0..TLS_RESULTS_KEPT {
            ledger.count(&domain(&format!("d{number}.example")), &Told::nothing(), None);
        }
        let book = ledger.counted.pages();
        let results = book.days.iter().find(|((_, domain), _)| *domain == a).unwrap().1;
        assert_eq!((book.days.len(), book.overlooked), (TLS_RESULTS_KEPT, 1));
        assert_eq!((results.policies.len(), results.uncounted), (TLS_REPORT_POLICIES_MAX, 11));
        assert_eq!((results.policies[0].details.len(), results.policies[0].failure), (TLS_REPORT_DETAILS_MAX, 11));
        let many = vec!["x".repeat(9_999); TLS_REPORT_LINES_MAX + 1];
        let told = Told::new(PolicyKind::Sts, many.clone(), many);
        assert_eq!((told.lines.len(), told.hosts.len()), (TLS_REPORT_LINES_MAX, TLS_REPORT_LINES_MAX));
        assert!(told.lines.iter().all(|line| line.len() == TLS_REPORT_TEXT_MAX));
    }

    #[test]
    fn the_largest_that_is_kept_has_room() {
        let long = "y".repeat(TLS_REPORT_TEXT_MAX);
        let lines = vec![long.clone(); TLS_REPORT_LINES_MAX];
        let mut results = Results::default();
        for number in 0..TLS_REPORT_POLICIES_MAX {
            let mut policy = Told::new(PolicyKind::Sts, lines.clone(), lines.clone());
            policy.lines[0] = number.to_string();
            let details: Vec<(Failure, u64)> =
                (0..TLS_REPORT_DETAILS_MAX).map(|at| (failure(&format!("{at}{long}")), 1)).collect();
            results.count(&policy, u64::MAX, u64::MAX, &details);
        }
        assert!(results.record(Day(20_000), &domain("a.example")).value.len() <= SHELF_VALUE_MAX);
    }

    proptest! {
        #[test]
        fn days_are_read_as_they_are_written(day in 0_i64..100_000, text in "\\PC{0,12}") {
            prop_assert_eq!(Day::parse(&Day(day).to_string()), Some(Day(day)));
            let _ = Day::parse(&text);
        }

        #[test]
        fn what_outsiders_said_is_plain_and_short(text in "\\PC{0,400}") {
            let clean = clean(&text);
            prop_assert!(clean.len() <= TLS_REPORT_TEXT_MAX && clean.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
        }
    }
}
