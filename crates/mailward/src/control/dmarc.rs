//! DMARC: what others report of domains here, what they are told, and what a domain's record says.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use mailward_core::Domain;
use mailward_core::limits::DMARC_REPORT_PAGE;
use mailward_delivery::dmarc_reports::{Heard, Told};
use mailward_dns::Name;
use mailward_inspect::dmarc::{self, takes_reports};
use mailward_store::ShelfStore as _;
use mailward_store::records::Shelf;
use mailward_sts::Daily as _;
use mailward_sts::Sent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Reports of others after one, as many as fit: see [`Page`] of [`Report`].
    Heard { after: Option<String> },
    /// Days and domains that were counted here: see [`Page`] of [`Day`].
    Told { after: Option<String> },
    /// What a domain's record says.
    Record { domain: Domain },
}

/// Some of them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// What to ask for next.
    pub(crate) next: Option<String>,
}

/// A report of others in short. Its texts are an outsider's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) domain: String,
    pub(crate) day: String,
    /// The domain that it comes from.
    pub(crate) by: Domain,
    pub(crate) organization: String,
    pub(crate) sources: Vec<Source>,
    /// Messages of other sources.
    pub(crate) more: u64,
}

/// Who sent in a domain's name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) ip: IpAddr,
    pub(crate) messages: u64,
    /// Of them, those that pass DMARC.
    pub(crate) passed: u64,
    /// By DKIM.
    pub(crate) dkim: u64,
    /// By SPF.
    pub(crate) spf: u64,
    /// Those that were rejected or quarantined.
    pub(crate) stopped: u64,
}

/// A domain's day, as it was counted here.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Day {
    pub(crate) day: String,
    pub(crate) domain: Domain,
    pub(crate) messages: u64,
    pub(crate) passed: u64,
    pub(crate) sent: Vec<Sent>,
}

impl Source {
    pub(crate) const fn new(ip: IpAddr) -> Self {
        Self { ip, messages: 0, passed: 0, dkim: 0, spf: 0, stopped: 0 }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let (to, from) = (self.numbers(), other);
        for (sum, more) in to.into_iter().zip([from.messages, from.passed, from.dkim, from.spf, from.stopped]) {
            *sum = sum.saturating_add(more);
        }
    }

    fn numbers(&mut self) -> [&mut u64; 5] {
        [&mut self.messages, &mut self.passed, &mut self.dkim, &mut self.spf, &mut self.stopped]
    }
}

fn report(key: &str, heard: Heard) -> Option<Report> {
    let mut key = key.split('/');
    let (domain, day) = (key.next()?.to_owned(), key.next()?.to_owned());
    let mut sources: Vec<Source> = Vec::new();
    for row in &heard.report.rows {
        let count = |yes: bool| if yes { row.count } else { 0 };
        let one = Source {
            ip: row.source,
            messages: row.count,
            passed: count(row.passes()),
            dkim: count(row.dkim_aligned),
            spf: count(row.spf_aligned),
            stopped: count(matches!(row.disposition.as_str(), "reject" | "quarantine")),
        };
        match sources.iter_mut().find(|known| known.ip == row.source) {
            Some(known) => known.add(&one),
            None => sources.push(one),
        }
    }
    let Heard { proven: by, report } = heard;
    Some(Report { domain, day, by, organization: report.organization, sources, more: report.more })
}

impl Desk {
    /// Tells it.
    pub(super) async fn dmarc(&self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::Heard { after } => {
                let page = self.store.shelf(Shelf::DmarcHeard, after, DMARC_REPORT_PAGE).await?;
                let next = page.last().filter(|_| page.len() >= DMARC_REPORT_PAGE).map(|last| last.key.clone());
                let read =
                    |one: &mailward_store::records::Shelved| report(&one.key, serde_json::from_slice(&one.value).ok()?);
                shown(Page { rows: page.iter().filter_map(read).collect(), next })
            }
            Ask::Told { after } => {
                let page = self.store.shelf(Shelf::DmarcReports, after, DMARC_REPORT_PAGE).await?;
                let next = page.last().filter(|_| page.len() >= DMARC_REPORT_PAGE).map(|last| last.key.clone());
                let rows = page.iter().filter_map(Told::read).map(|(day, domain, told)| {
                    let (messages, passed) = told.sums();
                    Day { day: day.to_string(), domain, messages, passed, sent: told.sent }
                });
                shown(Page { rows: rows.collect(), next })
            }
            Ask::Record { domain } => self.dmarc_record(&domain).await,
        }
    }

    async fn dmarc_record(&self, domain: &Domain) -> Result<Value, Failure> {
        let Some(lookup) = &self.lookup else {
            return Err(Failure::Refused(
                "the DNS can't be asked: give servers under [dns] in mailward.toml".to_owned(),
            ));
        };
        let unknown = |name: Name| Failure::Answered { code: 75, text: format!("{name} can't be looked up now") };
        let policy = dmarc::discover(&**lookup, domain).await.map_err(unknown)?;
        let ours = self.directory.is_local_domain(domain);
        let Some(policy) = policy else { return Ok(json!({ "domain": domain, "ours": ours, "policy": null })) };
        let record = &policy.record;
        let mut places = Vec::new();
        for to in &record.reports {
            let taken = match policy.domain.domain() {
                Some(of) => takes_reports(&**lookup, &of, to).await.map_err(unknown)?.is_some(),
                None => false,
            };
            places.push(json!({ "address": to.to_string(), "takes": taken }));
        }
        let mode = |strict: bool| if strict { "strict" } else { "relaxed" };
        Ok(json!({
            "domain": domain,
            "ours": ours,
            "policy": {
                "of": policy.domain.to_string(),
                "request": policy.request.name(),
                "tag": policy.tag,
                "test": record.test,
                "p": record.policy.name(),
                "sp": record.below.map(dmarc::Request::name),
                "np": record.missing.map(dmarc::Request::name),
                "dkim": mode(record.strict_dkim),
                "spf": mode(record.strict_spf),
                "reports": places,
            },
        }))
    }
}
