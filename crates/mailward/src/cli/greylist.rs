//! `mailward greylist`: who was put off and who came back.

use crate::control::greylist::{Ask, Entry, Page};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print;
use clap::{Args, Subcommand};
use mailward_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

/// Look at who was put off because it looks bad, and forget it
#[derive(Debug, Args)]
#[command(
    after_help = "Which messages were put off, and why, tells `mailward trace --put-off`. To put somebody off no more,
see `mailward rules` (skip); for nobody, gate.greylist_wait = 0. See docs/gate.md.

Examples:
  mailward greylist list
  mailward greylist remove 192.0.2.0/24"
)]
pub(crate) struct GreylistVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List who was put off and hasn't come back yet
    #[command(
        after_help = "One line for each sender and recipient, whose addresses aren't kept: of a network that is put off
often, `mailward trace` tells them.

Examples:
  mailward greylist list
  mailward greylist list --all --json"
    )]
    List {
        /// Those too that came back
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget what is remembered of a network
    #[command(after_help = "Whoever was put off, or came back, is a stranger again. An address stands for its network.

Examples:
  mailward greylist remove 192.0.2.7
  mailward greylist remove 2001:db8::/32
  mailward greylist remove --all")]
    Remove {
        /// Address, or address/bits
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        network: Option<String>,
        /// Of everybody
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl GreylistVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::List { all, json } => list(&place, all, json),
            What::Remove { network, all: _, json } => {
                let removed = client::run(&place, &Request::Greylist { ask: Ask::Remove { network } })?;
                if json {
                    return print::json(&removed);
                }
                match removed.get("removed").and_then(Value::as_u64) {
                    Some(0) | None => print::line("nothing is remembered of it"),
                    Some(count) => print::line(format!("forgotten: {count}")),
                }
            }
        }
    }
}

fn list(place: &Place, all: bool, json: bool) -> Result<(), Failure> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let page = client::run(place, &Request::Greylist { ask: Ask::List { all, after } })?;
        let page: Page = serde_json::from_value(page).map_err(|e| Failure::Bug(e.to_string()))?;
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if json {
        return print::json(&json!(entries));
    }
    if entries.is_empty() {
        return print::line(if all { "nothing is remembered" } else { "nobody waits" });
    }
    let now = SystemClock.now().secs();
    let rows: Vec<Vec<String>> = entries.iter().map(|entry| row(entry, now)).collect();
    print::table(&["NETWORK", "STATE", "SINCE", "FORGOTTEN IN"], &rows)
}

fn row(entry: &Entry, now: i64) -> Vec<String> {
    let span = |seconds: i64| print::span(u64::try_from(seconds).unwrap_or(0));
    vec![
        entry.network.clone(),
        entry.state.clone(),
        span(now.saturating_sub(entry.since.secs())),
        print::left(u64::try_from(entry.expires.secs().saturating_sub(now)).unwrap_or(0)),
    ]
}
