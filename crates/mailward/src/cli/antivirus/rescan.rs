//! `mailward antivirus rescan`: stored mail, looked at again.

use crate::cli::queue::{age, time};
use crate::control::antivirus::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Place;
use crate::print;
use clap::{ArgGroup, Args};
use mailward_core::{Address, Clock as _, Domain, MailboxName, SystemClock, Timestamp};
use mailward_inspect::rescan::{End, Run, Scope, Signatures, Whose};
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// How often the server is asked how far it came.
const ASKED_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["user", "domain", "all", "stop"]))]
pub(super) struct RescanVerb {
    /// Mail of this user
    #[arg(value_name = "USER")]
    user: Option<Address>,
    /// Mail of all users of this domain
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    domain: Option<Domain>,
    /// Mail of all users
    #[arg(long)]
    all: bool,
    /// Only mailboxes of this name
    #[arg(long, value_name = "NAME", value_parser = folder, conflicts_with = "stop")]
    folder: Option<MailboxName>,
    /// Only what came into its mailbox since then: 12h, 30d, 4w
    #[arg(long, value_name = "AGE", value_parser = age, conflicts_with = "stop")]
    newer: Option<u64>,
    /// Don't wait for its end
    #[arg(long, conflicts_with = "stop")]
    no_wait: bool,
    /// End what is under way, after the message that is looked at
    #[arg(long)]
    stop: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the server says of it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct State {
    running: Option<Run>,
    last: Option<Run>,
    whole: Option<Run>,
}

fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse_utf8(text).map_err(|e| e.to_string())
}

fn folder(text: &str) -> Result<MailboxName, String> {
    MailboxName::parse(text).map_err(|e| e.to_string())
}

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|e| Failure::Bug(format!("the answer can't be read: {e}")))
}

fn ask<T: for<'de> Deserialize<'de>>(place: &Place, ask: Ask) -> Result<T, Failure> {
    read(client::run_there(place, &Request::Antivirus { ask })?)
}

impl RescanVerb {
    pub(super) fn run(self, place: &Place, json: bool) -> Result<(), Failure> {
        let json = json || self.json;
        if self.stop {
            return stop(place, json);
        }
        let whose = match (self.user, self.domain) {
            (Some(user), _) => Whose::User(user),
            (None, Some(domain)) => Whose::Domain(domain),
            (None, None) => Whose::All,
        };
        let since = self.newer.map(|seconds| {
            let millis = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
            Timestamp(SystemClock.now().0.saturating_sub(millis))
        });
        let begun: Run = ask(place, Ask::Rescan { scope: Scope { whose, folder: self.folder, since } })?;
        if self.no_wait {
            if json {
                return print::json(&begun);
            }
            return print::line(format!(
                "it has begun, with {} messages; `mailward antivirus` tells how far it came",
                begun.total
            ));
        }
        let run = wait(place, &begun)?;
        if json {
            print::json(&run)?;
        } else {
            print::line(told(&run))?;
        }
        match &run.end {
            Some(End::Broken(why)) => {
                let why = print::tame(why);
                Err(Failure::NoServer(format!("it broke off behind {}: {why}", print::tame(run.told_place()))))
            }
            Some(End::Stopped) => {
                Err(Failure::Refused(format!("it was stopped behind {}", print::tame(run.told_place()))))
            }
            _ if run.found > 0 => Err(Failure::Found("something was found: `mailward quarantine list`".to_owned())),
            _ => Ok(()),
        }
    }
}

fn stop(place: &Place, json: bool) -> Result<(), Failure> {
    let answer: Value = ask(place, Ask::RescanStop)?;
    let stops = answer.get("stops").and_then(Value::as_bool) == Some(true);
    if json {
        return print::json(&answer);
    }
    print::line(if stops {
        "it stops after the message that is looked at"
    } else {
        "no stored mail is being looked at"
    })
}

/// Until it is over; what came of it.
fn wait(place: &Place, begun: &Run) -> Result<Run, Failure> {
    let mut progress = print::Progress::new();
    loop {
        let state: State = ask(place, Ask::RescanState).map_err(|failure| match failure {
            Failure::NoServer(why) => {
                Failure::NoServer(format!("{why}; what has begun goes on when the server runs again"))
            }
            other => other,
        })?;
        match (state.running, state.last) {
            (Some(run), _) => progress.show(far(&run)),
            (None, Some(last)) if last.began == begun.began => return Ok(last),
            (None, _) => return Err(Failure::Bug("nobody knows what came of it".to_owned())),
        }
        std::thread::sleep(ASKED_EVERY);
    }
}

/// How far it came.
fn far(run: &Run) -> String {
    let again = if run.again { ", now what was moved meanwhile" } else { "" };
    format!("{} of {} messages{again}, {} found", run.passed, run.total.max(run.passed), run.found)
}

/// What came of it, for people.
fn told(run: &Run) -> String {
    let mut text = format!("{} messages looked at ({})", run.looked, print::bytes(run.bytes));
    let names: Vec<String> = run.names.iter().map(|name| print::tame(name)).collect();
    // Writing to a String can't fail.
    let _infallible = match run.found {
        0 => write!(text, "; nothing was found"),
        found => write!(text, "; {found} in the quarantine now: {}", names.join(", ")),
    };
    if run.let_go > 0 {
        let _infallible = write!(text, "; {} left where an administrator released them", run.let_go);
    }
    if run.unscannable > 0 {
        let _infallible = write!(text, "; {} can't be looked at to their end", run.unscannable);
    }
    text
}

fn known(signatures: &Signatures) -> String {
    let version = signatures.version.as_deref().map(print::tame);
    let number = signatures.signatures.map(|number| format!("signatures {number}"));
    let made = signatures.made.map(|made| format!("of {}", time(made)));
    let all: Vec<String> = version.into_iter().chain(number).chain(made).collect();
    if all.is_empty() { print::tame(&signatures.engine) } else { all.join(", ") }
}

/// Lines of `mailward antivirus` on stored mail.
pub(super) fn lines(value: &Value) -> Result<Vec<String>, Failure> {
    let state: State = read(value.clone())?;
    let mut lines = Vec::new();
    if let Some(run) = &state.running {
        lines.push(format!("stored mail: being looked at ({}): {}", print::tame(&run.scope.to_string()), far(run)));
    }
    let mut say = |run: &Run| {
        let how = match &run.end {
            Some(End::Broken(why)) => format!(", broke off behind {}: {}", run.told_place(), why),
            Some(End::Stopped) => format!(", stopped behind {}", run.told_place()),
            _ => String::new(),
        };
        let engines: Vec<String> = run.engines.iter().map(known).collect();
        lines.push(format!(
            "stored mail: looked at {} ({}{}): {}",
            time(run.ended.unwrap_or(run.began)),
            print::tame(&run.scope.to_string()),
            print::tame(&how),
            told(run)
        ));
        lines.push(format!("             by {}", engines.join("; ")));
    };
    if let Some(run) = &state.last {
        say(run);
    }
    if let Some(run) = state.whole.as_ref().filter(|whole| state.last.as_ref() != Some(*whole)) {
        say(run);
    }
    if lines.is_empty() {
        lines.push("stored mail: never looked at again; `mailward antivirus rescan --all` does".to_owned());
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_inspect::rescan::By;
    use serde_json::json;

    fn run() -> Run {
        let evil = "a\u{1b}[2J\u{202e}b".to_owned();
        Run {
            scope: Scope { whose: Whose::All, folder: None, since: None },
            by: By::Schedule,
            began: Timestamp(0),
            ended: Some(Timestamp(0)),
            end: Some(End::Broken(evil.clone())),
            place: None,
            again: false,
            engines: vec![Signatures {
                engine: "clamd".to_owned(),
                version: Some(evil.clone()),
                signatures: Some(27_456),
                made: Some(Timestamp(0)),
            }],
            total: 9,
            passed: 8,
            looked: 7,
            bytes: 2_048,
            found: 2,
            let_go: 1,
            unscannable: 3,
            names: vec![evil],
        }
    }

    #[test]
    fn it_is_told_when_stored_mail_was_looked_at_and_with_what_and_nothing_moves_the_terminal() {
        let lines = lines(&json!({ "running": run(), "last": run(), "whole": run() })).unwrap();
        assert_eq!(lines.len(), 3, "the last one was of all mail: {lines:?}");
        let all = lines.join("\n");
        assert!(!all.chars().any(|c| c != '\n' && print::tame(&c.to_string()) != c.to_string()), "{all}");
        for part in ["being looked at (all users): 8 of 9", "broke off", "2 in the quarantine now", "signatures 27456"]
        {
            assert!(all.contains(part), "{all}");
        }
        let never = super::lines(&json!({ "running": null, "last": null, "whole": null })).unwrap();
        assert!(never[0].contains("never looked at again"));
    }
}
