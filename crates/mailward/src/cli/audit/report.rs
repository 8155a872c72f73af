//! `mailward audit report`: what an audit found, for people who decide, and for others to compare with.

use super::past::{ask, newest, run_of};
use super::{read, table};
use crate::control::audit::{Ask, Known};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print;
use clap::Args;
use mailward_audit::evidence::{Run, Seal};
use mailward_audit::report::{Names, Report};
use mailward_audit::{Host, points};
use mailward_core::{Clock as _, SystemClock};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Risks that are told.
const WORST: usize = 3;

#[derive(Debug, Args)]
#[command(after_help = "The page is one file that needs nothing else, for a browser or for paper. It and the JSON have
stand-ins for addresses and names, and of evidence the hashes only, so that others may have them;
--names leaves everything in. `mailward audit compare` takes the JSON.

Examples:
  mailward audit report
  mailward audit report --names --html audit.html
  mailward audit report 12 --json > ours.json")]
pub(crate) struct Reporting {
    /// Which audit [usual: the newest]
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
    /// Write a page of HTML into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// With names, addresses and evidence, for your own use
    #[arg(long)]
    names: bool,
}

impl Reporting {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        let run = match self.number {
            Some(number) => run_of(&place, number)?,
            None => newest(&place)?,
        };
        let history: Vec<Seal> = read(ask(&place, Ask::History)?)?;
        let known: Known = read(ask(&place, Ask::Known)?)?;
        let names = names(&place, &known);
        let before = before(&place, &run, &history)?;
        let report = Report::new(run.clone(), before, history, known.actions.unwrap_or_default(), SystemClock.now());
        if self.html.is_none() && !self.json {
            return text(&run, &report);
        }
        let shown = if self.names { report } else { report.without_names(&names) };
        if let Some(file) = &self.html {
            write(file, &shown.html())?;
        }
        if self.json {
            let data = shown.data().map_err(|error| Failure::Bug(error.to_string()))?;
            return print::json(&data);
        }
        Ok(())
    }
}

/// The run before this one, as long as it is kept.
fn before(place: &Place, run: &Run, history: &[Seal]) -> Result<Option<Run>, Failure> {
    let Some(seal) = history.iter().rfind(|seal| seal.number < run.number) else { return Ok(None) };
    match run_of(place, seal.number) {
        Ok(before) => Ok(Some(before)),
        // Its line is there, its evidence was old enough to go.
        Err(Failure::Refused(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// What gives this organisation away.
fn names(place: &Place, known: &Known) -> Names {
    let config = &place.config().audit;
    let people = config.owners.iter().chain(&config.deputies).map(|owner| owner.address.to_string());
    let peers = config.peers.iter().map(|peer| peer.name.clone());
    Names::of(&known.state, &known.statements, people, peers, &Host::ours(Box::new(BTreeMap::new())))
}

/// The page tells where the holes are: nobody else may read it until somebody lets them.
fn write(file: &Path, page: &str) -> Result<(), Failure> {
    let failed = |error| Failure::io(file.display(), error);
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file).map_err(failed)?;
    out.write_all(page.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)
}

/// The first sheet, for a terminal.
fn text(run: &Run, report: &Report) -> Result<(), Failure> {
    table::summary(run)?;
    match report.change() {
        None => print::line("this is the first audit")?,
        Some((number, change)) => {
            let sign = if change < 0 { "-" } else { "+" };
            let size = points(u32::try_from(change.unsigned_abs()).unwrap_or(u32::MAX));
            print::line(format_args!("{sign}{size} points since audit number {number}"))?;
        }
    }
    let worst = report.worst(WORST);
    if !worst.is_empty() {
        print::line("\nThe worst risks:")?;
    }
    for (number, risk) in (1..).zip(&worst) {
        print::line(format_args!("{number}. {}", risk.why))?;
        if let [record, others @ ..] = risk.records.as_slice() {
            let more = match others.len() {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            print::line(format_args!(
                "   {}: {}{more} ({} points)",
                record.id,
                print::short(&record.said, 200),
                points(risk.gain)
            ))?;
        }
    }
    print::line("\n`mailward audit actions` lists what is to be done; --html FILE writes a page for paper")
}
