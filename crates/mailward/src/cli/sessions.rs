//! `mailward sessions`: who is connected, and the end of it.

use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::{Address, Protocol};
use serde_json::Value;

/// List who is connected, from where and with what; end sessions
#[derive(Debug, Args)]
#[command(after_help = "CLIENT is what the other side says it is: believe it as much as you believe them.
--json tells mailbox, cipher suite and state besides. Exit code 69 if no server runs.

Examples:
  mailward sessions
  mailward sessions --user joe@example.org --json
  mailward sessions --protocol imap
  mailward sessions end 4711
  mailward sessions end --user joe@example.org")]
pub(crate) struct Sessions {
    #[command(subcommand)]
    what: Option<What>,
    /// Those of one user only
    #[arg(long, value_name = "ADDRESS")]
    user: Option<Address>,
    /// Those of one protocol only: smtp, submission, lmtp, imap, pop3 or http
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol)]
    protocol: Option<Protocol>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// End one session, or all of a user
    #[command(
        after_help = "They are told in their protocol's words. A client may come back at once: to keep a user out, set
another password or `mailward user set ADDRESS --disable`. Both end the user's sessions by
themselves.

Examples:
  mailward sessions end 4711
  mailward sessions end --user joe@example.org"
    )]
    End {
        /// Number of the session, as `mailward sessions` lists it
        #[arg(value_name = "NUMBER", required_unless_present = "user", conflicts_with = "user")]
        session: Option<u64>,
        /// All sessions of this user
        #[arg(long, value_name = "ADDRESS")]
        user: Option<Address>,
    },
}

fn protocol(name: &str) -> Result<Protocol, String> {
    serde_json::from_value(Value::String(name.to_ascii_lowercase()))
        .map_err(|_| "smtp, submission, lmtp, imap, pop3 or http".to_owned())
}

impl Sessions {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let Some(what) = self.what else {
            let request = Request::SessionList { user: self.user, protocol: self.protocol };
            let sessions = client::run_there(&place.find()?, &request)?;
            if self.json {
                return print::json(&sessions);
            }
            let rows: Vec<Vec<String>> = sessions.as_array().into_iter().flatten().map(row).collect();
            return print::table(&["NUMBER", "WHO", "PROTOCOL", "FROM", "CLIENT", "TLS", "SINCE", "IDLE"], &rows);
        };
        if self.user.is_some() || self.protocol.is_some() || self.json {
            return Err(Failure::Usage(
                "options of the list don't go with `end`: see `mailward sessions end --help`".to_owned(),
            ));
        }
        match what {
            What::End { session: Some(session), .. } => {
                let ended = client::run_there(&place.find()?, &Request::SessionEnd { session })?;
                let who = ended.field("user").as_str().map(|user| format!(" of {}", print::tame(user)));
                print::line(format!("session {session}{} told to end", who.unwrap_or_default()))
            }
            What::End { user: Some(address), .. } => {
                let ended = client::run_there(&place.find()?, &Request::SessionEndUser { address: address.clone() })?;
                match ended.field("sessions_ended").as_u64() {
                    None | Some(0) => print::line(format!("{address} has no session")),
                    _ => ended_too(&ended),
                }
            }
            What::End { .. } => Err(Failure::Usage("say which: see `mailward sessions end --help`".to_owned())),
        }
    }
}

/// Says how many sessions a change ended, if any.
pub(super) fn ended_too(answer: &Value) -> Result<(), Failure> {
    match answer.field("sessions_ended").as_u64() {
        None | Some(0) => Ok(()),
        Some(1) => print::line("1 session told to end"),
        Some(count) => print::line(format!("{count} sessions told to end")),
    }
}

fn row(session: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), print::tame);
    let span = |value: &Value| print::span(value.as_u64().unwrap_or(0));
    vec![
        session.field("session").to_string(),
        text(session.field("user")),
        text(session.field("protocol")),
        text(session.field("from")),
        text(session.field("client")),
        text(session.field("tls").field("version")),
        span(session.field("connected_seconds")),
        span(session.field("idle_seconds")),
    ]
}
