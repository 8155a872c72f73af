//! `mailward tls-report`: how TLS went with other domains, and what they were told of it.

use crate::control::trust::{Ask, Report, Reports, Row};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print;
use clap::{Args, Subcommand};
use mailward_core::Domain;
use mailward_sts::{PolicyKind, Sent, SentState};

/// Look at how TLS went with other domains, and what they were told
#[derive(Debug, Args)]
#[command(
    after_help = "Sessions are counted by day (UTC), domain and policy; what was counted in the last minute isn't here
yet. Domains that ask for it are told once a day (RFC 8460). See docs/tls-sending.md.

Examples:
  mailward tls-report list
  mailward tls-report show example.net
  mailward tls-report show example.net --day 2026-11-25 --json"
)]
pub(crate) struct TlsReport {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List days and domains
    #[command(
        after_help = "Examples:\n  mailward tls-report list --failed\n  mailward tls-report list --domain example.net --json"
    )]
    List {
        /// Those of one domain only
        #[arg(long)]
        domain: Option<Domain>,
        /// Those with failures only
        #[arg(long)]
        failed: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a domain's day: policies, failures, and where the report went
    #[command(
        after_help = "Examples:\n  mailward tls-report show example.net\n  mailward tls-report show example.net --day 2026-11-25"
    )]
    Show {
        /// Which domain
        domain: Domain,
        /// Which day, by UTC [usual: the last one]
        #[arg(long, value_name = "YYYY-MM-DD")]
        day: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl TlsReport {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::List { domain, failed, json } => {
                let fits = |row: &Row| {
                    domain.as_ref().is_none_or(|domain| row.domain == *domain) && (!failed || row.failure > 0)
                };
                list(&place, fits, json)
            }
            What::Show { domain, day, json } => {
                let request = Request::Trust { ask: Ask::Report { domain, day } };
                let report: Report = client::Errand::on(&place)?.run(&request)?;
                if json { print::json(&report) } else { show(&report) }
            }
        }
    }
}

fn list(place: &Place, fits: impl Fn(&Row) -> bool, json: bool) -> Result<(), Failure> {
    let mut errand = client::Errand::on(place)?;
    let (mut after, mut elements, mut rows) = (None, print::JsonList::default(), Vec::new());
    loop {
        let page: Reports = errand.run(&Request::Trust { ask: Ask::Reports { after } })?;
        for row in page.rows.iter().filter(|row| fits(row)) {
            if !json {
                let report = row.sent.iter().map(|sent| state(sent.state)).collect::<Vec<_>>().join(", ");
                let counts = [row.success.to_string(), row.failure.to_string()];
                let [success, failure] = counts;
                let report = if report.is_empty() { "-".to_owned() } else { report };
                rows.push(vec![row.day.clone(), row.domain.to_string(), success, failure, report]);
            } else if !elements.element(row)? {
                return Ok(());
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None if json => return elements.end(),
            None => return print::table(&["DAY", "DOMAIN", "WELL", "FAILED", "REPORT"], &rows),
        }
    }
}

const fn state(state: SentState) -> &'static str {
    match state {
        SentState::Unwanted => "not wanted",
        SentState::Begun => "maybe sent",
        SentState::Sent => "sent",
        SentState::Failed => "to be sent",
        SentState::Dropped => "dropped",
    }
}

fn show(report: &Report) -> Result<(), Failure> {
    print::line(format!("{} with {}", report.day, report.domain))?;
    for counted in &report.results.policies {
        let kind = match counted.policy.kind {
            PolicyKind::Tlsa => "DANE",
            PolicyKind::Sts => "MTA-STS",
            PolicyKind::NoPolicyFound => "no policy",
        };
        print::line(format!("\n{kind}: {} sessions went well, {} failed", counted.success, counted.failure))?;
        for line in &counted.policy.lines {
            print::line(format!("  {}", print::tame(line)))?;
        }
        for (failure, count) in &counted.details {
            let host = failure.host.as_deref().unwrap_or("-");
            let why = failure.reason.as_deref().unwrap_or("");
            print::line(format!("  {count} x {}, {}: {}", failure.result, print::tame(host), print::tame(why)))?;
        }
    }
    if report.results.uncounted > 0 {
        print::line(format!("\n{} sessions under more policies", report.results.uncounted))?;
    }
    for Sent { place, state: how, why } in &report.results.sent {
        let why = why.as_deref().map(|why| format!(" ({})", print::tame(why))).unwrap_or_default();
        print::line(format!("\nreport: {} {}{why}", state(*how), print::tame(place)))?;
    }
    Ok(())
}
