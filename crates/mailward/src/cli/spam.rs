//! `mailward spam`: what the spam filter learned, and how well it would do.

mod corpus;
mod evaluate;
mod plot;

use crate::control::client::{self, Errand};
use crate::control::spam::{Ask, Told, What as Lesson};
use crate::control::{Request, client as control};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand, ValueEnum};
use mailward_core::Address;
use mailward_core::limits::{SPAM_PENDING_MAX, SPAM_READ_MAX};
use mailward_message::{Structure, date};
use serde_json::json;
use std::path::PathBuf;

/// Teach the spam filter, and see what it knows
#[derive(Debug, Args)]
#[command(
    after_help = "Users teach it by moving mail into Junk and out of it; what they say is learned for them alone.
What is learned here is learned for everybody. See docs/spam.md.

Examples:
  mailward spam train --as spam /srv/corpus/spam
  mailward spam train --as ham --user joe@example.org mail.mbox
  mailward spam status
  mailward spam evaluate spam=/srv/corpus/spam ham=/srv/corpus/ham --false-alarms 1/2000"
)]
pub(crate) struct SpamVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    Spam,
    Ham,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Learn messages
    #[command(
        after_help = "A path is a message, a mailbox of the mbox kind, a Maildir, or a directory of messages. A message
that was learned before counts once; learned as the other, what it was is taken back. Without --as,
each path says what it is: spam=PATH, ham=PATH. Give both at once: they are learned by their dates.

Examples:
  mailward spam train --as spam missed.eml
  mailward spam train spam=/srv/corpus/spam ham=/srv/corpus/ham
  mailward spam train --as ham --user joe@example.org ~joe/Maildir"
    )]
    Train {
        /// What they are
        #[arg(long = "as", value_enum, value_name = "SPAM|HAM")]
        lesson: Option<As>,
        /// For this user alone, not for everybody
        #[arg(long, value_name = "ADDRESS")]
        user: Option<Address>,
        /// Messages, mailboxes, directories
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take back what was learned of messages
    #[command(after_help = "What wasn't learned isn't touched.

Examples:
  mailward spam untrain wrong.eml
  mailward spam untrain --user joe@example.org wrong.mbox")]
    Untrain {
        /// Of this user
        #[arg(long, value_name = "ADDRESS")]
        user: Option<Address>,
        /// Messages, mailboxes, directories
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take back everything that the server, or a user, learned
    #[command(after_help = "Examples:
  mailward spam forget --user joe@example.org
  mailward spam forget --server")]
    Forget {
        /// This user
        #[arg(long, value_name = "ADDRESS", required_unless_present = "server", conflicts_with = "server")]
        user: Option<Address>,
        /// The server
        #[arg(long)]
        server: bool,
    },
    /// Show how much was learned, and by whom
    #[command(after_help = "Examples:
  mailward spam status
  mailward spam status --json")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    Evaluate(evaluate::Evaluate),
}

impl SpamVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        match self.what {
            What::Train { lesson, user, paths, json } => train(&place.find()?, lesson, user, &paths, json),
            What::Untrain { user, paths, json } => untrain(&place.find()?, user, &paths, json),
            What::Forget { user, server: _ } => {
                control::run(&place.find()?, &Request::Spam { ask: Ask::Forget { user } })?;
                print::line("forgotten")
            }
            What::Status { json } => status(&place.find()?, json),
            What::Evaluate(verb) => verb.run(),
        }
    }
}

/// Paths with what they are: by `--as`, or by what stands before them.
fn with_lessons(lesson: Option<As>, paths: &[String]) -> Result<Vec<(Lesson, PathBuf)>, Failure> {
    let of = |path: &String| match (lesson, path.split_once('=')) {
        (Some(As::Spam), _) => Ok((Lesson::Spam, PathBuf::from(path))),
        (Some(As::Ham), _) => Ok((Lesson::Ham, PathBuf::from(path))),
        (None, Some(("spam", path))) => Ok((Lesson::Spam, PathBuf::from(path))),
        (None, Some(("ham", path))) => Ok((Lesson::Ham, PathBuf::from(path))),
        (None, _) => Err(Failure::Usage(format!("{path}: write spam={path} or ham={path}, or give --as"))),
    };
    paths.iter().map(of).collect()
}

fn train(
    place: &Place,
    lesson: Option<As>,
    user: Option<Address>,
    paths: &[String],
    json: bool,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    for (lesson, path) in with_lessons(lesson, paths)? {
        for message in corpus::messages(&path)? {
            let structure = Structure::parse(&message.read()?);
            let written = structure.envelope().date.as_ref().and_then(|written| date::parse(written.as_bytes()));
            all.push((written.map(|written| written.timestamp), lesson, message));
        }
    }
    // As they came: what was learned last counts most, and thousands of one kind before the other would teach the order.
    all.sort_by_key(|(written, ..)| *written);
    let all = all.into_iter().map(|(_, lesson, message)| (lesson, message)).collect();
    teach(place, &user, all, json, "learned")
}

fn untrain(place: &Place, user: Option<Address>, paths: &[String], json: bool) -> Result<(), Failure> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(corpus::messages(&PathBuf::from(path))?.into_iter().map(|message| (Lesson::Nothing, message)));
    }
    teach(place, &user, all, json, "taken back")
}

fn teach(
    place: &Place,
    user: &Option<Address>,
    all: Vec<(Lesson, corpus::Message)>,
    json: bool,
    done: &str,
) -> Result<(), Failure> {
    let mut errand = Errand::on(place)?;
    let (mut new, mut known) = (0u64, 0u64);
    for (lesson, message) in all {
        let bytes = message.read()?;
        let message = STANDARD.encode(bytes.get(..SPAM_READ_MAX).unwrap_or(&bytes));
        let ask = Ask::Learn { user: user.clone(), as_: lesson, message };
        if errand.run::<bool>(&Request::Spam { ask })? {
            new = new.saturating_add(1);
            if new.is_multiple_of(SPAM_PENDING_MAX) {
                errand.run::<()>(&Request::Spam { ask: Ask::Settle })?;
            }
        } else {
            known = known.saturating_add(1);
        }
    }
    errand.run::<()>(&Request::Spam { ask: Ask::Settle })?;
    if json {
        return print::json(&json!({ "changed": new, "unchanged": known }));
    }
    print::line(format!("{done}: {new}; nothing to do for {known}"))
}

fn status(place: &Place, json: bool) -> Result<(), Failure> {
    let answer = client::run(place, &Request::Spam { ask: Ask::Status })?;
    if json {
        return print::json(&answer);
    }
    let told: Told =
        serde_json::from_value(answer).map_err(|e| Failure::Bug(format!("the answer can't be read: {e}")))?;
    print::line(format!("mark from {} points, junk from {}, reject from {}", told.mark, told.junk, told.reject))?;
    let mut rows = vec![vec!["everybody".to_owned(), told.server.spam.to_string(), told.server.ham.to_string()]];
    for user in &told.users {
        let name = user.address.as_ref().map_or_else(|| "-".to_owned(), |address| print::tame(&address.to_string()));
        rows.push(vec![name, user.spam.to_string(), user.ham.to_string()]);
    }
    print::table(&["LEARNED BY", "SPAM", "HAM"], &rows)
}
