//! `mailward audit`: how safe it all is, in a number with the evidence for it.

mod answer;
mod past;
mod report;
mod score;
mod table;

use crate::compose::audit as looking;
use crate::control::audit::{Ask, Known};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print;
use clap::{Args, Subcommand, ValueEnum};
use mailward_audit::evidence::Run;
use mailward_audit::{Area, Control, Host, Probe, Progress, Record, all, find};
use mailward_core::shutdown;
use mailward_dns::{Lookup, Resolver};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Look how safe the mail service is: a score with evidence, and what to mend first
#[derive(Debug, Args)]
#[command(after_help = "A running server audits itself once a day (audit.hour). Run as root it sees more of the host.
docs/audit.md tells what is looked at, and what it is worth.

Examples:
  mailward audit run
  mailward audit show --area network
  mailward audit actions
  mailward audit score --profile classic --answers answers.toml")]
pub(crate) struct AuditVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look at everything now, and keep what is found
    Run(Looking),
    /// Show what an audit found
    Show(past::Show),
    /// Tell what an audit found: a page for whoever decides, or data for others
    Report(report::Reporting),
    /// Count the points, of the last audit or of a checklist that was filled in by hand
    Score(score::Counting),
    /// List past audits
    History(past::History),
    /// Show what changed between two audits
    Compare(past::Compare),
    /// Answer questions that people answer
    Answer(answer::Answering),
    /// List what is to be done, the weightiest first
    Actions(past::Listing),
    /// Prove that nothing was changed since it was found
    Verify(past::Verify),
    /// List what is asked, and why
    Controls(past::Controls),
}

/// Of which to look at how much.
#[derive(Debug, Args)]
#[command(
    after_help = "What needs root, a running server or systemd and hasn't got it is \"not tested\", and worth nothing.
Only a whole audit is kept: with --control, --area, --probe or --root it is shown and forgotten, and
closes no action.

Examples:
  mailward audit run
  mailward audit run --control SVC-04,ENC-16      (look again at what was mended)
  mailward audit run --probe host --root /mnt/other --json
  mailward audit run --area files --area privileges"
)]
pub(crate) struct Looking {
    /// Only these, by their names, with commas between; may be given again
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    control: Vec<String>,
    /// Only this area; may be given again
    #[arg(long, value_name = "AREA")]
    area: Vec<String>,
    /// Only what is found in this way; may be given again
    #[arg(long, value_enum)]
    probe: Vec<Way>,
    /// Look at the files of another host, below this directory
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Don't keep it
    #[arg(long)]
    forget: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where controls look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Host,
    Doors,
    Outside,
    Names,
    State,
    Injection,
    Statement,
}

impl Way {
    const fn probe(self) -> Probe {
        match self {
            Way::Host => Probe::Host,
            Way::Doors => Probe::Doors,
            Way::Outside => Probe::Outside,
            Way::Names => Probe::Names,
            Way::State => Probe::State,
            Way::Injection => Probe::Injection,
            Way::Statement => Probe::Statement,
        }
    }
}

impl AuditVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        match self.what {
            What::Run(looking) => looking.run(place),
            What::Show(show) => show.run(place),
            What::Report(reporting) => reporting.run(place),
            What::Score(counting) => counting.run(place),
            What::History(history) => history.run(place),
            What::Compare(compare) => compare.run(place),
            What::Answer(answering) => answering.run(place),
            What::Actions(listing) => listing.run(place),
            What::Verify(verify) => verify.run(place),
            What::Controls(controls) => controls.run(),
        }
    }
}

/// An area by its name or its code.
fn area(name: &str) -> Result<Area, Failure> {
    let found = Area::ALL.into_iter().find(|area| area.key() == name || area.code().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<&str> = Area::ALL.iter().map(|area| area.key()).collect();
        Failure::Usage(format!("there is no area {}; they are {}", print::tame(name), names.join(", ")))
    })
}

/// A control by its name.
fn control(id: &str) -> Result<&'static Control, Failure> {
    find(id.trim()).ok_or_else(|| {
        Failure::Refused(format!("there is no control {}; `mailward audit controls` lists them", print::tame(id)))
    })
}

impl Looking {
    fn run(self, place: &Where) -> Result<(), Failure> {
        let named = self.control.iter().map(|id| Ok(control(id)?.id)).collect::<Result<Vec<&str>, Failure>>()?;
        let areas = self.area.iter().map(|name| area(name)).collect::<Result<Vec<Area>, Failure>>()?;
        let probes: Vec<Probe> = self.probe.iter().map(|way| way.probe()).collect();
        let controls: Vec<&'static Control> = all()
            .into_iter()
            .filter(|control| named.is_empty() || named.contains(&control.id))
            .filter(|control| areas.is_empty() || areas.contains(&control.area))
            .filter(|control| probes.is_empty() || probes.contains(&control.probe))
            .collect();
        if controls.is_empty() {
            return Err(Failure::Usage("there is no control of which all of that is true".to_owned()));
        }
        let is_whole = named.is_empty() && areas.is_empty() && probes.is_empty() && self.root.is_none();
        let (place, host) = match &self.root {
            // Another host's files: nothing of the server here belongs to it.
            Some(root) => (None, Host::at(root, false, Box::new(BTreeMap::new()))),
            None => {
                let place = place.find()?;
                let host = looking::host(&place);
                (Some(place), host)
            }
        };
        let run = look(place.as_ref(), host, &controls)?;
        let run = match &place {
            Some(place) if is_whole && !self.forget => keep(place, run)?,
            _ => run,
        };
        match run.records.as_slice() {
            _ if self.json => print::json(&run),
            [record] if !named.is_empty() => table::whole(record),
            records if !named.is_empty() => table::records(records.iter()),
            records => {
                table::summary(&run)?;
                // What is forgotten can't be asked for later.
                let is_gone = run.number == 0;
                table::records(records.iter().filter(|record| is_gone && record.verdict.is_failure()))
            }
        }
    }
}

/// Runs controls here, with what the server says where one runs.
fn look(place: Option<&Place>, host: Host, controls: &[&'static Control]) -> Result<Run, Failure> {
    let config = place.map(|place| place.config().audit.clone()).unwrap_or_default();
    let known: Option<Known> = match place.filter(|place| place.data().is_dir()) {
        None => None,
        Some(place) => match client::run_there(place, &Request::Audit { ask: Ask::Known }) {
            Ok(known) => Some(read(known)?),
            // What it would say isn't tested then.
            Err(Failure::NoServer(_)) => None,
            Err(other) => return Err(other),
        },
    };
    let names = place.and_then(|place| Resolver::new(&place.config().dns).ok());
    let names = names.map(|resolver| Arc::new(resolver) as Arc<dyn Lookup>);
    let data = place.map_or(Path::new("/"), Place::data);
    let scene = looking::scene(&config, host, known, names, data);
    looking::give_way(true);
    let failed = |e| Failure::io("threads can't be started", e);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (_never, stop) = shutdown::channel();
    let mut telling = Telling(print::Progress::new(), false);
    let weights = looking::weights(&config);
    match place.filter(|_| scene.state.is_some()) {
        Some(place) => {
            let server = looking::Server::There(Arc::new(place.clone()));
            runtime.block_on(looking::look_within(server, place.data(), controls, scene, weights, &stop, &mut telling))
        }
        None => Ok(runtime.block_on(looking::look(controls, scene, weights, &stop, &mut telling))),
    }
}

/// Keeps a run, in the server or here; what it is worth is counted where it is kept.
fn keep(place: &Place, run: Run) -> Result<Run, Failure> {
    let text = serde_json::to_string(&run).map_err(|error| Failure::Bug(error.to_string()))?;
    let owners = looking::people(&place.config().audit.owners);
    let kept = client::run(place, &Request::Audit { ask: Ask::Keep { run: text, owners } })?;
    #[derive(serde::Deserialize)]
    struct Kept {
        number: u64,
        score: mailward_audit::Score,
        overdue: Vec<String>,
    }
    let kept: Kept = read(kept)?;
    Ok(Run { number: kept.number, score: kept.score, overdue: kept.overdue, ..run })
}

/// Reads what the server answered.
fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::Bug(format!("the answer can't be read: {error}")))
}

/// How far it is; and whether it was told that it waits.
struct Telling(print::Progress, bool);

impl Progress for Telling {
    fn begins(&mut self, control: &Control, number: usize, of: usize) {
        self.0.show(format_args!("{number} of {of}: {}", control.id));
    }
    fn ended(&mut self, _: &Record) {}
    fn waits(&mut self, why: &str) {
        if !std::mem::replace(&mut self.1, true) {
            self.0.clear();
            print::note(why);
        }
    }
    fn rests(&mut self, time: Duration) {
        self.0.show(format_args!("rests for {} s, so that mail has the processor", time.as_secs().saturating_add(1)));
    }
}
