//! `mailward audit answer`: what only people know.

use super::read;
use crate::control::audit::{Ask, Known};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print;
use clap::Args;
use mailward_audit::{Control, Probe, Statement, all, sha256_of};
use mailward_core::{Address, Clock as _, SystemClock, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "Without anything else it asks one question after the other that nobody has answered, on a
terminal. A file has a table for each control:

  [PHY-15]
  answer = \"yes\"              # yes, no, 0 to 100, or \"not applicable\"
  says = \"rack 4, list of 2026-03\"
  file = \"access-list.pdf\"     # its hash is kept, not the file
  until = \"2027-03-01\"

Examples:
  mailward audit answer --who ada@example.org
  mailward audit answer --who ada@example.org PHY-15 yes --says 'rack 4' --file access.pdf
  mailward audit answer --who ada@example.org --answers answers.toml")]
pub(crate) struct Answering {
    /// Who answers: an address
    #[arg(long)]
    who: String,
    /// Which question
    #[arg(value_name = "ID", requires = "answer")]
    id: Option<String>,
    /// yes, no, 0 to 100, or na
    #[arg(value_name = "ANSWER")]
    answer: Option<String>,
    /// What there is to say
    #[arg(long, default_value = "")]
    says: String,
    /// A file that shows it: its hash is kept
    #[arg(long)]
    file: Option<PathBuf>,
    /// The last day on which it holds, such as 2027-03-01
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// Many answers, in a TOML file
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    answers: Option<PathBuf>,
}

/// One answer of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    answer: toml::Value,
    #[serde(default)]
    says: String,
    file: Option<PathBuf>,
    until: Option<String>,
}

impl Answering {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        // Before the first question is asked.
        if Address::parse(&self.who, true).is_err() {
            return Err(Failure::Usage("--who is the address of who answers, such as ada@example.org".to_owned()));
        }
        match (&self.id, &self.answer, &self.answers) {
            (Some(id), Some(answer), _) => {
                let given = Given {
                    answer: toml::Value::String(answer.clone()),
                    says: self.says.clone(),
                    file: self.file.clone(),
                    until: self.until.clone(),
                };
                keep(&place, &self.who, &[(question(id)?, given)])
            }
            (_, _, Some(file)) => {
                let text = std::fs::read_to_string(file).map_err(|error| Failure::io(file.display(), error))?;
                let wrong = |what: String| Failure::Refused(format!("{}: {}", file.display(), print::tame(&what)));
                let given: BTreeMap<String, Given> =
                    toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
                let given = given.into_iter().map(|(id, given)| Ok((question(&id)?, given)));
                keep(&place, &self.who, &given.collect::<Result<Vec<_>, Failure>>()?)
            }
            _ => self.one_by_one(&place),
        }
    }

    /// Asks on a terminal.
    fn one_by_one(&self, place: &Place) -> Result<(), Failure> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Err(Failure::Usage("questions are asked on a terminal; give --answers FILE elsewhere".to_owned()));
        }
        let known: Known = read(client::run(place, &Request::Audit { ask: Ask::Known })?)?;
        let open = all().into_iter().filter(|control| control.probe == Probe::Statement);
        for control in open.filter(|control| known.statements.of(control.id).is_none()) {
            print::line(format_args!(
                "\n{} {}\n  {}\n  {}",
                control.id, control.question, control.why, control.verified
            ))?;
            let answer = ask("yes, no, 0 to 100, na; nothing leaves it open; . ends: ")?;
            match answer.as_str() {
                "" => continue,
                "." => break,
                _ => {}
            }
            let says = ask("in a few words: ")?;
            let file =
                Some(ask("a file that shows it, or nothing: ")?).filter(|file| !file.is_empty()).map(PathBuf::from);
            let until = Some(ask("the last day on which it holds, or nothing: ")?).filter(|day| !day.is_empty());
            let given = Given { answer: toml::Value::String(answer), says, file, until };
            if let Err(failure) = keep(place, &self.who, &[(control, given)]) {
                print::complain(&failure);
            }
        }
        Ok(())
    }
}

fn ask(what: &str) -> Result<String, Failure> {
    let failed = |error| Failure::io("terminal", error);
    let mut out = std::io::stdout().lock();
    out.write_all(what.as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    let mut line = String::new();
    if std::io::stdin().lock().take(8_192).read_line(&mut line).map_err(failed)? == 0 {
        return Ok(".".to_owned());
    }
    Ok(line.trim().to_owned())
}

/// A question that people answer.
fn question(id: &str) -> Result<&'static Control, Failure> {
    match super::control(id)? {
        control if control.probe == Probe::Statement => Ok(control),
        control => Err(Failure::Refused(format!("{} isn't answered by people, but by looking", control.id))),
    }
}

/// Keeps answers: all of them are read before the first is kept.
fn keep(place: &Place, who: &str, given: &[(&'static Control, Given)]) -> Result<(), Failure> {
    let said: Vec<(&Control, Statement)> = given
        .iter()
        .map(|(control, given)| Ok((*control, statement(control, who, given)?)))
        .collect::<Result<_, Failure>>()?;
    let mut errand = client::Errand::on(place)?;
    for (control, statement) in said {
        let ask = Ask::Answer { control: control.id.to_owned(), statement };
        errand.run::<serde_json::Value>(&Request::Audit { ask })?;
        print::line(format_args!("{} is answered", control.id))?;
    }
    Ok(())
}

fn statement(control: &Control, who: &str, given: &Given) -> Result<Statement, Failure> {
    let wrong = |what: &str| Failure::Refused(format!("{}: {what}", control.id));
    let answer = given.answer.as_str().map_or_else(|| given.answer.to_string(), str::to_owned);
    let share = match answer.as_str() {
        "yes" => Some(100),
        "no" => Some(0),
        "na" | "not applicable" => None,
        number => match number.parse::<u8>() {
            Ok(share) if share <= 100 => Some(share),
            _ => return Err(wrong("an answer is yes, no, 0 to 100, or na")),
        },
    };
    let until = match &given.until {
        None => None,
        Some(day) => Some(Timestamp::of_day(day).ok_or_else(|| wrong("until is a day such as 2027-03-01"))?),
    };
    let file = match given.file.as_deref() {
        None => None,
        Some(file) => Some((file.display().to_string(), hash(file)?)),
    };
    let (who, says) = (who.to_owned(), given.says.trim().to_owned());
    let statement = Statement { share, says, who, at: SystemClock.now(), until, file };
    statement.check(control).map_err(|error| wrong(&error.to_string()))?;
    Ok(statement)
}

/// SHA-256 of a file, in hexadecimal.
fn hash(file: &Path) -> Result<String, Failure> {
    let hash = std::fs::File::open(file).and_then(sha256_of);
    hash.map_err(|error| Failure::io(file.display(), error))
}
