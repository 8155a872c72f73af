//! `mailward milter`: milters, how they are and what they did.

use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::Args;
use serde_json::Value;

/// Show the milters that are asked about mail: how they are, and what they did
#[derive(Debug, Args)]
#[command(
    after_help = "Each is connected to, so that what is shown holds now. Counts are those since the server started
or the line changed: ASKED messages, REFUSED times, FAILED times it couldn't be asked, and MEAN,
the time it takes for a message. Without a server there are no counts.
Which there are, [milters] in mailward.toml says. docs/milters.md tells more.

Examples:
  mailward milter
  mailward milter --json"
)]
pub(crate) struct MilterVerb {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl MilterVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let all = client::run(&place.find()?, &Request::Milters)?;
        if self.json { print::json(&all) } else { table(&all) }
    }
}

fn table(all: &Value) -> Result<(), Failure> {
    let milters: Vec<&Value> = all.field("milters").as_array().into_iter().flatten().collect();
    if milters.is_empty() {
        return print::line("no milter is asked; [milters] in mailward.toml names them: docs/milters.md");
    }
    let rows: Vec<Vec<String>> = milters.iter().map(|milter| row(milter)).collect();
    let headings = ["DOOR", "MILTER", "STATE", "VERSION", "ASKED", "REFUSED", "FAILED", "MEAN", "AT"];
    print::table(&headings, &rows)?;
    for milter in milters {
        let name = text(milter.field("milter"));
        let actions = milter.field("agreed").field("actions").as_array().into_iter().flatten();
        let actions: Vec<&str> = actions.filter_map(Value::as_str).collect();
        if !actions.is_empty() {
            print::line(format!("{name} ({}) may {}", text(milter.field("door")), actions.join(", ")))?;
        }
        if let Some(why) = milter.field("fault").as_str() {
            let default = text(milter.field("default"));
            print::line(format!("{name}: {}; meanwhile default={default} holds", print::tame(why)))?;
        }
    }
    Ok(())
}

fn row(milter: &Value) -> Vec<String> {
    let number = |name: &str| milter.field(name).as_u64().unwrap_or(0).to_string();
    let mean = milter.field("mean_ms").as_u64().map_or_else(|| "-".to_owned(), |mean| format!("{mean} ms"));
    let version = milter.field("agreed").field("version").as_u64();
    vec![
        text(milter.field("door")),
        text(milter.field("milter")),
        text(milter.field("state")),
        version.map_or_else(|| "-".to_owned(), |version| version.to_string()),
        number("asked"),
        number("refused"),
        number("failed"),
        mean,
        text(milter.field("place")),
    ]
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "-".to_owned(), print::tame)
}
