//! `mailward status`: what runs.

use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::Args;
use serde_json::Value;

/// Tell whether the server runs, what listens, how many are connected, and what is queued
#[derive(Debug, Args)]
#[command(after_help = "Exit code 69 if no server runs.

Examples:
  mailward status
  mailward status --json --data ./mailward-demo")]
pub(crate) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let status = client::run_there(&place.find()?, &Request::Status)?;
        if self.json {
            return print::json(&status);
        }
        print::line(format!(
            "mailward {} runs as {} (process {}) for {}, {} connections{}",
            plain(status.field("version")),
            plain(status.field("hostname")),
            plain(status.field("pid")),
            print::span(status.field("up_seconds").as_u64().unwrap_or(0)),
            plain(status.field("connections")),
            if status.field("stress").as_bool() == Some(true) { ", under stress" } else { "" },
        ))?;
        print::line(format!("data: {}", plain(status.field("data"))))?;
        print::line(format!("configuration: {}", plain(status.field("config"))))?;
        print::line(format!(
            "certificate: serial {}, {} days left",
            plain(status.field("certificate").field("serial")),
            plain(status.field("certificate").field("days_left"))
        ))?;
        let rows: Vec<Vec<String>> = status
            .field("listeners")
            .as_array()
            .into_iter()
            .flatten()
            .map(|l| vec![plain(l.field("name")), plain(l.field("address")), plain(l.field("for"))])
            .collect();
        print::table(&["LISTENER", "ADDRESS", "FOR"], &rows)?;
        if let Some(note) = status.field("note").as_str() {
            print::line(format!("note: {}", print::tame(note)))?;
        }
        for frozen in status.field("frozen").as_array().into_iter().flatten() {
            let text = |field| print::tame(frozen.field(field).as_str().unwrap_or_default());
            let user = text("user");
            print::line(format!("frozen: {user}: {}; `mailward user show {user}`", text("why")))?;
        }
        queue(status.field("queue"))
    }
}

/// What is queued, if that could be told.
fn queue(status: &Value) -> Result<(), Failure> {
    if let Some(why) = status.field("failed").as_str() {
        return print::line(format!("queue: can't be told: {}", print::tame(why)));
    }
    let totals = serde_json::from_value(status.clone());
    super::queue::tell_totals(&totals.map_err(|e| Failure::Bug(format!("the queue's numbers can't be read: {e}")))?)
}

/// A JSON value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
