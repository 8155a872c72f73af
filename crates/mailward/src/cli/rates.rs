//! `mailward rates`: how much comes from whom.

use crate::control::watch::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print;
use clap::{Args, Subcommand};
use mailward_core::{Clock as _, RateStep, SystemClock};
use mailward_gate::rates::{RateInfo, RateReset};
use serde_json::Value;

/// Look at who sends much, and forget what was counted of somebody
#[derive(Debug, Args)]
#[command(after_help = "Steps are configured under [rates]: beyond warn it is told, beyond block more is put off,
beyond alarm everything is refused for an hour. See docs/rates.md.

Examples:
  mailward rates list
  mailward rates list --over block
  mailward rates reset 192.0.2.7")]
pub(crate) struct Rates {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List sources that went beyond warn
    #[command(
        after_help = "Counts are those of the last hour. TURNED AWAY are messages that were put off or refused for it.
Without a running server, what it wrote last is listed: at most 30 seconds old when it ended.

Examples:
  mailward rates list
  mailward rates list --over warn --json"
    )]
    List {
        /// Those only that are beyond this step now: warn, block or alarm
        #[arg(long, value_name = "STEP", value_parser = step)]
        over: Option<RateStep>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget what was counted of a source, and end its alarm
    #[command(
        after_help = "SOURCE is an address (as sender and as user), a domain (of senders elsewhere, and of users), an IP
address or a network.
To let it send more for good, see rates.ignore and [rates] in mailward.toml, or a rule with limits
of its own.

Examples:
  mailward rates reset 192.0.2.7
  mailward rates reset 192.0.2.0/24
  mailward rates reset news@example.org"
    )]
    Reset {
        /// Which
        source: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn step(text: &str) -> Result<RateStep, String> {
    let step = RateStep::ALL.into_iter().find(|step| step.name() == text);
    step.ok_or_else(|| "warn, block or alarm".to_owned())
}

impl Rates {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        let ask = |ask| client::run(&place, &Request::Watch { ask });
        match self.what {
            What::List { over, json } => {
                let all = ask(Ask::Rates { over })?;
                if json {
                    return print::json(&all);
                }
                let all: Vec<RateInfo> = read(all)?;
                if all.is_empty() {
                    return print::line("nobody sends much: no source is beyond warn, as far as is known");
                }
                let now = SystemClock.now().secs();
                let rows: Vec<Vec<String>> = all.iter().map(|info| row(info, now)).collect();
                let headings = ["KIND", "SOURCE", "MESSAGES", "RECIPIENTS", "REFUSED", "TURNED AWAY", "NOW", "SINCE"];
                print::table(&headings, &rows)
            }
            What::Reset { source, json } => {
                let reset = ask(Ask::ResetRate { source: source.clone() })?;
                if json {
                    return print::json(&reset);
                }
                let reset: RateReset = read(reset)?;
                let kinds: Vec<&str> = reset.kinds.iter().map(|kind| kind.name()).collect();
                print::line(format!("{source}: forgotten what was counted of it as {}", kinds.join(", ")))
            }
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|e| Failure::Bug(format!("the answer can't be read: {e}")))
}

fn row(info: &RateInfo, now: i64) -> Vec<String> {
    let span = |seconds: i64| print::span(u64::try_from(seconds).unwrap_or(0));
    let state = match (info.step, info.alarm_until) {
        (None, _) => "below".to_owned(),
        (Some(RateStep::Alarm), Some(until)) => format!("alarm, for {}", span(until.secs().saturating_sub(now))),
        (Some(step), _) => step.name().to_owned(),
    };
    vec![
        info.kind.name().to_owned(),
        print::short(&info.name, 60),
        info.messages.to_string(),
        info.recipients.to_string(),
        info.refused.to_string(),
        info.turned_away.to_string(),
        state,
        span(now.saturating_sub(info.since.secs())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::Timestamp;
    use mailward_gate::rates::RateKind;

    #[test]
    fn a_row_says_what_is_the_matter_and_can_t_move_the_terminal() {
        let info = RateInfo {
            kind: RateKind::Address,
            name: "\"a\u{1b}[2J\"@b.example (not proven)".to_owned(),
            messages: 10,
            recipients: 20,
            refused: 0,
            turned_away: 7,
            step: Some(RateStep::Alarm),
            since: Timestamp::from_secs(1_000),
            alarm_until: Some(Timestamp::from_secs(4_600)),
        };
        let row = row(&info, 1_060);
        assert_eq!(row[1], "\"a\u{fffd}[2J\"@b.example (not proven)");
        assert_eq!(row[6..], ["alarm, for 59 min", "60 s"]);
        assert!(step("loud").is_err());
    }
}
