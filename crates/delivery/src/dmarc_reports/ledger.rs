//! How mail in other domains' names was authenticated, counted by day and domain; only of domains that want to be told.
//!
//! Counting costs a lock and a comparison of rows; what was counted is written now and then, not for each message. What a
//! crash takes is at most what was counted since.

use mailward_core::Clock;
use mailward_core::limits::{DMARC_DOMAINS_KEPT, DMARC_ROWS_MAX, DMARC_TOLD_DAYS, DMARC_WRITE_BATCH, SHELF_VALUE_MAX};
use mailward_inspect::authenticate::Authentication;
use mailward_inspect::dmarc::{DmarcResult, Policy, Request};
use mailward_inspect::report::{Published, Row, SignedBy};
use mailward_inspect::{Action, Subject};
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::Shelf;
use mailward_sts::{Book, Daily, Day, Sent};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What is known of a domain's day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// What the domain asked for, as it was seen last.
    pub published: Published,
    /// Where it wants reports; at most `limits::DMARC_PLACES_MAX`.
    pub places: Vec<String>,
    /// What came; at most `limits::DMARC_ROWS_MAX`.
    pub rows: Vec<Row>,
    /// Messages beyond those rows.
    pub more: u64,
    /// What became of the report, by place; empty before anything was tried.
    pub sent: Vec<Sent>,
}

impl Told {
    fn count(&mut self, row: &Row) {
        if let Some(known) = self.rows.iter_mut().find(|known| known.is_like(row)) {
            known.count = known.count.saturating_add(row.count);
        } else if self.rows.len() < DMARC_ROWS_MAX {
            self.rows.push(row.clone());
        } else {
            self.more = self.more.saturating_add(row.count);
        }
    }

    /// Messages, and those of them that pass.
    #[must_use]
    pub fn sums(&self) -> (u64, u64) {
        self.rows.iter().fold((self.more, 0), |(all, passed), row| {
            (all.saturating_add(row.count), passed.saturating_add(if row.passes() { row.count } else { 0 }))
        })
    }
}

impl Daily for Told {
    const SHELF: Shelf = Shelf::DmarcReports;
    const DAYS: u16 = DMARC_TOLD_DAYS;
    const MOST: usize = DMARC_DOMAINS_KEPT;
    const BATCH: usize = DMARC_WRITE_BATCH;

    fn merge(&mut self, later: &Self) {
        // Of a day of which nothing was counted nothing is known.
        if later.places.is_empty() {
            return;
        }
        self.published.clone_from(&later.published);
        self.places.clone_from(&later.places);
        self.more = self.more.saturating_add(later.more);
        for row in &later.rows {
            self.count(row);
        }
    }

    /// Rows that are too much become a number.
    fn value(&self) -> Vec<u8> {
        let mut value = serde_json::to_vec(self).unwrap_or_default();
        let mut less = None;
        while value.len() > SHELF_VALUE_MAX {
            let less = less.get_or_insert_with(|| self.clone());
            let half = less.rows.len().div_euclid(2);
            let gone = less.rows.split_off(half);
            less.more = gone.iter().fold(less.more, |sum, row| sum.saturating_add(row.count));
            value = serde_json::to_vec(less).unwrap_or_default();
            if half == 0 {
                break;
            }
        }
        value
    }
}

/// Counts in memory.
pub struct Ledger {
    clock: Arc<dyn Clock>,
    counted: Book<Told>,
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

    /// Counts a message that was looked at, whatever else was found in it: only strangers', and only if the domain wants to be
    /// told. One whose result isn't known now isn't counted: it comes again, or nothing can be said of it.
    pub fn note(&self, subject: &Subject, found: &Authentication) {
        let Some((policy, row)) = seen(subject, found) else { return };
        let Some(domain) = policy.domain.domain() else { return };
        let day = Day::of(self.clock.now());
        self.counted.count(day, domain, |told| {
            told.published = published(policy);
            told.places = policy.record.reports.iter().map(ToString::to_string).collect();
            told.count(&row);
        });
    }

    /// See [`Book::write`]: how many messages were of domains for which there was no room.
    ///
    /// # Errors
    /// What the store says.
    pub async fn write(&self, shelf: &dyn ShelfStore) -> Result<u64, StoreError> {
        self.counted.write(shelf).await
    }
}

/// What a report tells of a message, and to whose policy it belongs.
fn seen<'a>(subject: &Subject, found: &'a Authentication) -> Option<(&'a Policy, Row)> {
    let dmarc = found.dmarc.as_ref()?;
    let policy = dmarc.policy.as_ref().filter(|policy| !policy.record.reports.is_empty())?;
    let source = subject.client.filter(|_| found.counts)?;
    let (disposition, reason) = match dmarc.result {
        DmarcResult::Pass => ("pass", None),
        DmarcResult::Fail => failed(found, policy),
        DmarcResult::None | DmarcResult::TempError => return None,
    };
    let dkim = found.results.dkim.iter().filter_map(|dkim| {
        let (domain, selector) = dkim.signer.as_ref()?;
        let result = dkim.verdict.name().to_owned();
        Some(SignedBy { domain: domain.to_string(), selector: selector.clone(), result })
    });
    let spf = found.spf.as_ref().and_then(|spf| Some((spf.domain.as_ref()?.to_string(), spf.result.to_string())));
    let row = Row {
        source: source.to_canonical(),
        count: 1,
        disposition: disposition.to_owned(),
        dkim_aligned: dmarc.aligned_dkim,
        spf_aligned: dmarc.aligned_spf,
        reason: reason.map(|(kind, words): (&str, &str)| (kind.to_owned(), words.to_owned())),
        header_from: dmarc.domain.to_string(),
        envelope_from: Some(subject.sender.as_ref().map(|sender| sender.host().to_string()).unwrap_or_default()),
        dkim: dkim.collect(),
        spf,
    };
    Some((policy, row))
}

/// What was done for DMARC's sake, and why if that isn't what the domain asks for (RFC 9990 §3.1.6).
fn failed(found: &Authentication, policy: &Policy) -> (&'static str, Option<(&'static str, &'static str)>) {
    if found.vouched.is_some() {
        return ("none", Some(("trusted_forwarder", "a trusted server sealed that it passed before (ARC)")));
    }
    let done = match found.dmarc_action() {
        Action::Reject => Request::Reject,
        Action::Quarantine | Action::Junk | Action::Hold => Request::Quarantine,
        Action::Deliver | Action::Warn | Action::Mark | Action::Defer => Request::None,
    };
    let reason = if done == policy.request {
        None
    } else if done == policy.wanted() {
        // Only tried out: one step less than asked for.
        Some(("policy_test_mode", ""))
    } else {
        Some(("local_policy", ""))
    };
    (done.name(), reason)
}

fn published(policy: &Policy) -> Published {
    let record = &policy.record;
    let mode = |strict: bool| Some(if strict { "s" } else { "r" }.to_owned());
    Published {
        domain: policy.domain.to_string(),
        p: record.policy.to_string(),
        sp: record.below.map(|request| request.to_string()),
        np: record.missing.map(|request| request.to_string()),
        adkim: mode(record.strict_dkim),
        aspf: mode(record.strict_spf),
        fo: record.failures.clone(),
        testing: Some(if record.test { "y" } else { "n" }.to_owned()),
    }
}
