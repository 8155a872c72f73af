//! `mailward dmarc`: what others report of domains here, what they are told, and what a domain's record says.

use crate::control::dmarc::{Ask, Day, Page, Report, Source};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::Domain;
use mailward_sts::SentState;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Show who sends mail in the names of your domains, as other servers report
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Reports come to the address that a domain's own DMARC record names (rua), and are kept for 90 days.
A source that isn't yours and fails is somebody who forges; one that is yours and fails has to be
mended before the policy gets stricter. See docs/dmarc-reports.md.

Examples:
  mailward dmarc
  mailward dmarc --domain example.org --json
  mailward dmarc record example.org
  mailward dmarc sent"
)]
pub(crate) struct Dmarc {
    #[command(subcommand)]
    what: Option<What>,
    /// Of one domain only
    #[arg(long)]
    domain: Option<Domain>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what a domain's DMARC record says now
    #[command(after_help = "The record is looked for as for mail that comes in (RFC 9989).

Examples:
  mailward dmarc record example.org
  mailward dmarc record mail.example.net --json")]
    Record {
        /// Which domain
        domain: Domain,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List what was counted for other domains, and what they were told
    #[command(after_help = "Examples:\n  mailward dmarc sent\n  mailward dmarc sent --json")]
    Sent {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Dmarc {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            None => heard(&place, self.domain.as_ref(), self.json),
            Some(What::Record { domain, json }) => {
                let found = client::run(&place, &Request::Dmarc { ask: Ask::Record { domain } })?;
                if json { print::json(&found) } else { record(&found) }
            }
            Some(What::Sent { json }) => sent(&place, json),
        }
    }
}

fn heard(place: &Place, domain: Option<&Domain>, json: bool) -> Result<(), Failure> {
    let mut errand = client::Errand::on(place)?;
    let mut sums: BTreeMap<String, (BTreeMap<IpAddr, Source>, u64, u64)> = BTreeMap::new();
    let mut after = None;
    loop {
        let page: Page<Report> = errand.run(&Request::Dmarc { ask: Ask::Heard { after } })?;
        for report in page.rows.into_iter().filter(|row| domain.is_none_or(|domain| row.domain == domain.as_str())) {
            let (sources, more, reports) = sums.entry(report.domain).or_default();
            (*more, *reports) = (more.saturating_add(report.more), reports.saturating_add(1));
            for source in &report.sources {
                sources.entry(source.ip).or_insert_with(|| Source::new(source.ip)).add(source);
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if json {
        let domains = sums.iter().map(|(domain, (sources, more, reports))| {
            json!({ "domain": domain, "reports": reports, "sources": most(sources), "more": more })
        });
        return print::json(&domains.collect::<Vec<Value>>());
    }
    if sums.is_empty() {
        return print::line(
            "nobody has reported yet; `mailward dmarc record DOMAIN` shows where reports are asked for",
        );
    }
    let mut rows = Vec::new();
    for (domain, (sources, more, _)) in &sums {
        for source in most(sources) {
            let numbers = [source.messages, source.passed, source.dkim, source.spf, source.stopped];
            rows.push(
                [domain.clone(), source.ip.to_string()].into_iter().chain(numbers.map(|n| n.to_string())).collect(),
            );
        }
        if *more > 0 {
            let none = || "-".to_owned();
            rows.push(vec![domain.clone(), "others".to_owned(), more.to_string(), none(), none(), none(), none()]);
        }
    }
    print::table(&["DOMAIN", "SOURCE", "MESSAGES", "PASSED", "DKIM", "SPF", "STOPPED"], &rows)
}

/// Those with the most messages first.
fn most(sources: &BTreeMap<IpAddr, Source>) -> Vec<&Source> {
    let mut all: Vec<&Source> = sources.values().collect();
    all.sort_by_key(|source| std::cmp::Reverse(source.messages));
    all
}

fn sent(place: &Place, json: bool) -> Result<(), Failure> {
    let mut errand = client::Errand::on(place)?;
    let (mut after, mut elements, mut rows) = (None, print::JsonList::default(), Vec::new());
    loop {
        let page: Page<Day> = errand.run(&Request::Dmarc { ask: Ask::Told { after } })?;
        for row in &page.rows {
            if !json {
                let states: Vec<&str> = row.sent.iter().map(|sent| state(sent.state)).collect();
                let report = if states.is_empty() { "-".to_owned() } else { states.join(", ") };
                let counts = [row.messages.to_string(), row.passed.to_string()];
                rows.push(
                    [row.day.clone(), row.domain.to_string()].into_iter().chain(counts).chain([report]).collect(),
                );
            } else if !elements.element(row)? {
                return Ok(());
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None if json => return elements.end(),
            None => return print::table(&["DAY", "DOMAIN", "MESSAGES", "PASSED", "REPORT"], &rows),
        }
    }
}

const fn state(state: SentState) -> &'static str {
    match state {
        SentState::Unwanted => "not taken",
        SentState::Begun | SentState::Sent => "sent",
        SentState::Failed => "to be sent",
        SentState::Dropped => "dropped",
    }
}

fn record(found: &Value) -> Result<(), Failure> {
    let text = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), print::tame);
    let domain = text(found.field("domain"));
    let policy = found.field("policy");
    if policy.is_null() {
        print::line(format!(
            "{domain} has no DMARC policy: whoever gets mail in its name can't tell whether it is from there"
        ))?;
        if found.field("ours").as_bool() == Some(true) {
            print::line("begin with a TXT record, and read what others report (docs/dmarc-reports.md):")?;
            print::line(print::txt_record(
                &format!("_dmarc.{domain}"),
                &[&format!("v=DMARC1; p=none; rua=mailto:postmaster@{domain}")],
            ))?;
        }
        return Ok(());
    }
    let asks = match policy.field("request").as_str() {
        Some("reject") => "not to be taken",
        Some("quarantine") => "suspicious",
        _ => "to be handled as any other",
    };
    let (of, tag) = (text(policy.field("of")), text(policy.field("tag")));
    print::line(format!(
        "{domain}: mail that isn't from there is {asks} ({tag}={} of {of})",
        text(policy.field("request"))
    ))?;
    if policy.field("test").as_bool() == Some(true) {
        print::line("the policy is only tried out (t=y): one step less is done")?;
    }
    for (name, key) in [("its domain", "p"), ("names below", "sp"), ("names below that don't exist", "np")] {
        if policy.field(key).is_string() {
            print::line(format!("{key}={}: {name}", text(policy.field(key))))?;
        }
    }
    print::line(format!("DKIM {}, SPF {}", text(policy.field("dkim")), text(policy.field("spf"))))?;
    for place in policy.field("reports").as_array().into_iter().flatten() {
        let takes = if place.field("takes").as_bool() == Some(true) {
            ""
        } else {
            " (whose domain doesn't say that it takes them: none are sent)"
        };
        print::line(format!("reports go to {}{takes}", text(place.field("address"))))?;
    }
    Ok(())
}
