//! `mailward alert`: what the administrator was told, and whether it gets there.

use crate::control::alerts::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use serde_json::Value;

/// List alerts and the ways they go; try every way
#[derive(Debug, Args)]
#[command(after_help = "Where alerts go is said under [alerts] in mailward.toml.

Examples:
  mailward alert list
  mailward alert test")]
pub(crate) struct AlertVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what was told, when and how often, and how each way goes
    #[command(after_help = "Alerts are forgotten 30 days after they came last. --json tells their fields besides.

Examples:
  mailward alert list
  mailward alert list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a trial by every way that is configured, and tell what came of each
    #[command(
        after_help = "Exit code 0 if every way brought it, 1 if one failed or there is none, 69 if no server runs.

Examples:
  mailward alert test
  mailward alert test --json"
    )]
    Test {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl AlertVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::List { json } => {
                let told = client::run(&place, &Request::Alerts { ask: Ask::List })?;
                if json { print::json(&told) } else { list(&told) }
            }
            What::Test { json } => {
                let outcomes = client::run_there(&place, &Request::Alerts { ask: Ask::Test })?;
                if json {
                    print::json(&outcomes)?;
                }
                tried(&outcomes, json)
            }
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => print::tame(text),
        other => print::tame(&other.to_string()),
    }
}

fn list(told: &Value) -> Result<(), Failure> {
    let all = |name| told.field(name).as_array().cloned().unwrap_or_default();
    let over = |alert: &Value| if alert.field("over").as_bool() == Some(true) { "over" } else { "" }.to_owned();
    let row = |alert: &Value| {
        let [key, count, first, last, told] =
            ["key", "count", "first", "last", "told"].map(|name| text(alert.field(name)));
        vec![print::short(&key, 60), count, first, last, told, over(alert)]
    };
    print::table(&["ALERT", "COUNT", "FIRST", "LAST", "TOLD", ""], &all("alerts").iter().map(row).collect::<Vec<_>>())?;
    let row = |way: &Value| {
        ["way", "to", "told", "failing_since", "why", "given_up"].map(|name| text(way.field(name))).to_vec()
    };
    let ways: Vec<_> = all("ways").iter().map(row).collect();
    print::table(&["WAY", "TO", "TOLD LAST", "FAILING SINCE", "WHY", "GIVEN UP"], &ways)?;
    for waiting in all("waiting") {
        let ways: Vec<String> = waiting.field("ways").as_array().into_iter().flatten().map(text).collect();
        print::line(format!("waits for {}: {}", ways.join(", "), text(waiting.field("title"))))?;
    }
    Ok(())
}

fn tried(outcomes: &Value, quiet: bool) -> Result<(), Failure> {
    let outcomes = outcomes.as_array().cloned().unwrap_or_default();
    let mut failed = 0usize;
    for outcome in &outcomes {
        let [way, to] = ["way", "to"].map(|name| text(outcome.field(name)));
        let why = outcome.field("failed");
        if !why.is_null() {
            failed = failed.saturating_add(1);
        }
        if !quiet {
            let came = if why.is_null() { "brought".to_owned() } else { format!("FAILED: {}", text(why)) };
            print::line(format!("{way} to {to}: {came}"))?;
        }
    }
    if outcomes.is_empty() {
        return Err(Failure::Refused(
            "alerts go nowhere: set mail, webhook, syslog or command under [alerts]".to_owned(),
        ));
    }
    if failed > 0 {
        return Err(Failure::Refused(format!("{failed} of {} ways failed", outcomes.len())));
    }
    Ok(())
}
