//! `mailward reload`: new certificates and settings without dropping a session.

use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::Args;
use serde_json::Value;

/// Have the running server take new certificates and settings
#[derive(Debug, Args)]
#[command(after_help = "No session is dropped. A bad file keeps the old settings, and says why. The same as SIGHUP.

Examples:
  mailward reload
  mailward config check && mailward reload")]
pub(crate) struct Reload {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Reload {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let answer = client::run_there(&place.find()?, &Request::Reload)?;
        if self.json {
            return print::json(&answer);
        }
        print::line(format!("certificate in use: serial {}", text(answer.field("serial"))))?;
        for (key, words) in [("taken", "taken"), ("needs_restart", "changed, but needs a restart")] {
            for name in answer.field(key).as_array().into_iter().flatten() {
                print::line(format!("{}: {words}", text(name)))?;
            }
        }
        if let Some(note) = answer.field("note").as_str() {
            print::line(format!("note: {}", print::tame(note)))?;
        }
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
