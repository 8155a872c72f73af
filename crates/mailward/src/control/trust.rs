//! What is demanded of TLS with other domains, and how it went.

use super::desk::Desk;
use crate::failure::Failure;
use mailward_core::limits::{PAGE_ROWS_MAX, TLS_REPORT_PAGE};
use mailward_core::{Clock as _, Domain, SystemClock};
use mailward_store::ShelfStore as _;
use mailward_store::records::Shelf;
use mailward_sts::Daily as _;
use mailward_sts::{Day, Kept, Required, RequiredError, Results, Sent, TlsPolicy, Whom, kept, key};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Sets what the administrator demands.
    Set(TlsPolicy),
    /// All that the administrator demands.
    List,
    /// Demands nothing any more.
    Remove(Whom),
    /// What is demanded of one domain, by whom.
    Show(Domain),
    /// Days and domains after one, as many as fit: see [`Reports`].
    Reports { after: Option<String> },
    /// How it went with a domain, on a day or the last one: see [`Report`].
    Report { domain: Domain, day: Option<String> },
}

/// Some days of some domains.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reports {
    pub(crate) rows: Vec<Row>,
    /// What to ask for next.
    pub(crate) next: Option<String>,
}

/// A domain's day in short.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) day: String,
    pub(crate) domain: Domain,
    pub(crate) success: u64,
    pub(crate) failure: u64,
    pub(crate) sent: Vec<Sent>,
}

/// A domain's day.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) day: String,
    pub(crate) domain: Domain,
    pub(crate) results: Results,
}

impl From<RequiredError> for Failure {
    fn from(error: RequiredError) -> Self {
        match error {
            RequiredError::Store(error) => Failure::Store(error),
            error => Failure::Refused(error.to_string()),
        }
    }
}

fn shown(value: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::Bug(error.to_string()))
}

impl Desk {
    /// Does it.
    pub(super) async fn trust(&self, ask: Ask) -> Result<Value, Failure> {
        let required = Required::new(self.store.clone());
        match ask {
            Ask::Set(policy) => {
                required.set(&policy).await?;
                shown(policy)
            }
            Ask::List => shown(required.list().await?),
            Ask::Remove(whom) => {
                required.remove(&whom).await?;
                Ok(Value::Null)
            }
            Ask::Show(domain) => {
                let sts: Option<Kept> = kept(&*self.store, &domain, SystemClock.now()).await?;
                let expires = sts.as_ref().map(Kept::expires);
                let ours = required.demand(&domain).await?;
                Ok(json!({ "domain": domain, "mta_sts": sts, "mta_sts_until": expires, "ours": ours }))
            }
            Ask::Reports { after } => shown(self.tls_reports(after).await?),
            Ask::Report { domain, day } => shown(self.tls_report(domain, day).await?),
        }
    }

    async fn tls_reports(&self, after: Option<String>) -> Result<Reports, Failure> {
        let page = self.store.shelf(Shelf::TlsReports, after, TLS_REPORT_PAGE).await?;
        let next = page.last().filter(|_| page.len() >= TLS_REPORT_PAGE).map(|last| last.key.clone());
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
        let rows = page.iter().filter_map(Results::read).map(|(day, domain, results)| Row {
            day: day.to_string(),
            domain,
            success: sum(&mut results.policies.iter().map(|counted| counted.success)),
            failure: sum(&mut results.policies.iter().map(|counted| counted.failure)),
            sent: results.sent,
        });
        Ok(Reports { rows: rows.collect(), next })
    }

    async fn tls_report(&self, domain: Domain, day: Option<String>) -> Result<Report, Failure> {
        let nothing = |when: &str| {
            Failure::Refused(format!(
                "nothing is known of TLS with {domain}{when}; `mailward tls-report list` tells of whom"
            ))
        };
        let (day, results) = if let Some(text) = day {
            let day = Day::parse(&text).ok_or_else(|| Failure::Usage(format!("{text} is no day: write YYYY-MM-DD")))?;
            let record = self.store.shelved(Shelf::TlsReports, key(day, &domain)).await?;
            let found = record.as_ref().and_then(Results::read).map(|(day, _, results)| (day, results));
            found.ok_or_else(|| nothing(&format!(" on {day}")))?
        } else {
            self.last_day(&domain).await?.ok_or_else(|| nothing(""))?
        };
        Ok(Report { day: day.to_string(), domain, results })
    }

    async fn last_day(&self, domain: &Domain) -> Result<Option<(Day, Results)>, Failure> {
        let (mut found, mut after) = (None, None);
        loop {
            let page = self.store.shelf(Shelf::TlsReports, after, PAGE_ROWS_MAX).await?;
            let of_domain = page
                .iter()
                .rev()
                .find(|record| record.key.split_once('/').is_some_and(|(_, of)| of == domain.as_str()));
            found = of_domain.and_then(Results::read).map(|(day, _, results)| (day, results)).or(found);
            match page.last() {
                Some(last) if page.len() >= PAGE_ROWS_MAX => after = Some(last.key.clone()),
                _ => return Ok(found),
            }
        }
    }
}
