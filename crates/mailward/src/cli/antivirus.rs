//! `mailward antivirus`: virus scanners, how they are and what they say; stored mail, looked at again.

mod rescan;

use crate::compose::{privilege, scanning};
use crate::control::antivirus::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use crate::scanner;
use crate::supervisor::ByHand;
use bytes::Bytes;
use clap::{Args, Subcommand};
use mailward_core::event::Events;
use mailward_core::{Clock as _, SystemClock};
use mailward_inspect::antivirus::Scanned;
use mailward_scan::{Pool, Shown};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Show the virus scanners that are asked of each message, and what they say
#[derive(Debug, Args)]
#[command(after_help = "Which there are, antivirus.engines in mailward.toml says. docs/antivirus.md tells more.

Examples:
  mailward antivirus
  mailward antivirus --json
  mailward antivirus test message.eml
  mailward antivirus rescan --all --newer 30d")]
pub(crate) struct AntivirusVerb {
    #[command(subcommand)]
    what: Option<What>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Ask every engine about a message in a file
    #[command(
        after_help = "The file is brought to each engine by this command itself, with the rights of the server's user, so
that an engine that the server can't reach isn't reached here either. Exit code 65: something was
found; 69: an engine failed.

Examples:
  mailward antivirus test message.eml
  mailward antivirus test --json - < message.eml"
    )]
    Test {
        /// The file; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have stored mail looked at again, and what is found put into the quarantine
    #[command(
        after_help = "A running server does it, one message at a time, beside its other work; a restart doesn't end it.
What is found leaves its mailbox; only an administrator can let it back. Who stops waiting for it
(Ctrl-C) doesn't end it. Exit code 65: something was found; 69: it broke off.

Examples:
  mailward antivirus rescan --all
  mailward antivirus rescan joe@example.org --folder INBOX
  mailward antivirus rescan --domain example.org --newer 30d --no-wait
  mailward antivirus rescan --stop"
    )]
    Rescan(rescan::RescanVerb),
}

impl AntivirusVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            Some(What::Test { file, json }) => return test(&place, &file, json || self.json),
            Some(What::Rescan(verb)) => return verb.run(&place, self.json),
            None => {}
        }
        let all = client::run(&place, &Request::Antivirus { ask: Ask::List })?;
        if self.json { print::json(&all) } else { table(&all) }
    }
}

fn test(place: &Place, file: &std::path::Path, as_json: bool) -> Result<(), Failure> {
    let message = message(place, file)?;
    place.must_exist()?;
    privilege::become_owner_of(place.data())?;
    let commands = Arc::new(ByHand::of(place)?);
    let antivirus = scanning::antivirus(place.config(), Some(commands), &Events::nowhere());
    if antivirus.is_empty() {
        let what = "no virus scanner is asked; antivirus.engines in mailward.toml names them: docs/antivirus.md";
        return Err(Failure::Refused(what.to_owned()));
    }
    let failed = |e| Failure::io("threads can't be started", e);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let scanned = runtime.block_on(async {
        let pool = Pool::new(scanner::program(), 1, Events::nowhere());
        let readings = [message.clone()];
        let (scanned, looked) = tokio::join!(antivirus.look(&readings, None), pool.look_and_show(message, None));
        let (_, shown) = looked.map_err(|e| Failure::NoServer(e.to_string()))?;
        let is_enough = shown == Shown::default() || !scanned.found.is_empty();
        Ok::<_, Failure>(if is_enough { scanned } else { scanned.and(antivirus.look_shown(&shown, None).await) })
    })?;
    if as_json {
        print::json(&told(&scanned))?
    } else {
        trial(&scanned)?
    }
    if let Some(found) = scanned.found.first() {
        return Err(Failure::Found(format!("{} was found", print::tame(&found.name))));
    }
    if !scanned.failed.is_empty() || !scanned.busy.is_empty() {
        return Err(Failure::NoServer("not every engine could look at it".to_owned()));
    }
    Ok(())
}

/// A message as it would come, no larger than one may be.
fn message(place: &Place, file: &std::path::Path) -> Result<Bytes, Failure> {
    let failed = |e| Failure::io(file.display(), e);
    let most = place.config().limits.message_size;
    let from: Box<dyn std::io::Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(Failure::Refused(format!("{}: a message has at most {most} bytes", file.display())));
    }
    Ok(bytes.into())
}

/// Each engine with what it says.
fn told(scanned: &Scanned) -> Value {
    let found = scanned.found.iter().map(|one| json!({ "engine": &*one.engine, "says": "found", "name": one.name }));
    let clean = scanned.clean.iter().map(|engine| json!({ "engine": &**engine, "says": "clean" }));
    let trouble = |says: &'static str| move |(engine, why): &(Arc<str>, String)| json!({ "engine": &**engine, "says": says, "why": why });
    let unscannable = scanned.unscannable.iter().map(trouble("unscannable"));
    let failed = scanned.failed.iter().chain(&scanned.busy).map(trouble("failed"));
    found.chain(clean).chain(unscannable).chain(failed).collect()
}

fn trial(scanned: &Scanned) -> Result<(), Failure> {
    let all = told(scanned);
    let rows: Vec<Vec<String>> =
        all.as_array().into_iter().flatten().map(|one| row(one, &["engine", "says"])).collect();
    print::table(&["ENGINE", "SAYS", "WHAT"], &rows)
}

fn row(one: &Value, fields: &[&str]) -> Vec<String> {
    let mut row: Vec<String> = fields.iter().map(|name| text(one.field(name))).collect();
    let what = one.field("name").as_str().or_else(|| one.field("why").as_str());
    row.push(what.map_or_else(|| "-".to_owned(), print::tame));
    row
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "-".to_owned(), print::tame)
}

fn table(all: &Value) -> Result<(), Failure> {
    let engines: Vec<&Value> = all.field("engines").as_array().into_iter().flatten().collect();
    if engines.is_empty() {
        return print::line(
            "no virus scanner is asked; antivirus.engines in mailward.toml names them: docs/antivirus.md",
        );
    }
    let now = SystemClock.now();
    let rows: Vec<Vec<String>> = engines
        .iter()
        .map(|engine| {
            let number = |name: &str| engine.field(name).as_u64().unwrap_or(0).to_string();
            let age = engine.field("made").as_i64().map_or_else(
                || "-".to_owned(),
                |made| print::span(u64::try_from(now.0.saturating_sub(made).div_euclid(1_000)).unwrap_or(0)),
            );
            vec![
                text(engine.field("engine")),
                text(engine.field("health")),
                text(engine.field("version")),
                engine.field("signatures").as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string()),
                age,
                number("asked"),
                number("found"),
                number("failed"),
            ]
        })
        .collect();
    print::table(&["ENGINE", "HEALTH", "VERSION", "SIGNATURES", "AGE", "ASKED", "FOUND", "FAILED"], &rows)?;
    for engine in engines {
        if let Some(why) = engine.field("why").as_str() {
            print::line(format!("{}: {}", text(engine.field("engine")), print::tame(why)))?;
        }
    }
    rescan::lines(all.field("rescan"))?.into_iter().try_for_each(print::line)
}
