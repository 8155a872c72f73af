//! `mailward store`: looking after the store.

use crate::compose::privilege;
use crate::control::audit::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::{Clock as _, SystemClock, Timestamp};
use mailward_store::maintenance::{self, Problem, Salvaged, Stats, Verified};

/// Check, repair, compact and measure the store
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward store verify && echo whole
  mailward store stats --json
  mailward store compact")]
pub(crate) struct Store {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check every record, reference and counter, and the search index
    #[command(
        after_help = "Reads every message. May run beside the server, which then remembers for its audit when that was.
Exit code 65 if anything is wrong.

Examples:\n  mailward store verify\n  mailward store verify --data /srv/copy --json"
    )]
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Rebuild what can be rebuilt after damage, and report the rest
    #[command(
        after_help = "Only while no server runs. Keeps a damaged database beside the new one. Copy the data directory first.

Examples:\n  mailward store salvage\n  mailward store salvage --data /srv/copy --json"
    )]
    Salvage {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give back the space of deleted mail now
    #[command(
        after_help = "The running server does it by itself where half of a pack is dead; mail comes and goes meanwhile.

Examples:\n  mailward store compact\n  mailward store compact --json"
    )]
    Compact {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell how much there is, and what it takes
    #[command(after_help = "Examples:\n  mailward store stats\n  mailward store stats --json")]
    Stats {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Store {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        place.must_exist()?;
        match self.what {
            What::Verify { json } => verify(&place, json),
            What::Salvage { json } => salvage(&place, json),
            What::Compact { json } => compact(&place, json),
            What::Stats { json } => stats(&place, json),
        }
    }
}

fn verify(place: &Place, json: bool) -> Result<(), Failure> {
    privilege::become_owner_of(place.data())?;
    let mut progress = print::Progress::new();
    let began = SystemClock.now();
    let found = maintenance::verify(place.data(), |done, all| progress.show(format_args!("{done} of {all}")))?;
    drop(progress);
    note(place, began, &found);
    let Verified { contents, bytes, messages, mailboxes, queued, problems } = &found;
    if json {
        print::json(&found)?;
    } else {
        tell_problems(problems)?;
        print::line(format!(
            "{contents} contents ({}), {messages} messages, {mailboxes} mailboxes, {queued} recipients in the queue looked at",
            print::bytes(*bytes)
        ))?;
    }
    whole(problems, "`mailward store salvage` keeps what can be kept")
}

/// Tells the server that runs on it, for audits. A copy that no server runs on stays as it is; that it couldn't be told is no
/// reason to hide what was found.
fn note(place: &Place, began: Timestamp, found: &Verified) {
    let problems = u64::try_from(found.problems.len()).unwrap_or(u64::MAX);
    let verified = mailward_audit::Verified { began: Some(began), contents: found.contents, problems };
    let _untold = client::run_there(place, &Request::Audit { ask: Ask::Verified { verified } });
}

fn salvage(place: &Place, json: bool) -> Result<(), Failure> {
    privilege::become_owner_of(place.data())?;
    let done = maintenance::salvage(place.data())?;
    if json {
        print::json(&done)?;
    } else {
        let Salvaged { damaged_database, rows, lost, found, left } = &done;
        if let Some(kept) = damaged_database {
            print::line(format!(
                "the database was damaged: {rows} rows carried over; the old one is {}",
                kept.display()
            ))?;
        }
        for message in lost {
            print::line(format!("lost: {}", print::tame(message)))?;
        }
        tell_problems(left)?;
        print::line(format!("{} messages lost, {found} found and put into lost-and-found", lost.len()))?;
    }
    whole(&done.left, "see docs/store.md")
}

fn compact(place: &Place, json: bool) -> Result<(), Failure> {
    let done = client::run(place, &Request::StoreCompact { all: true })?;
    if json {
        return print::json(&done);
    }
    let damaged = done.field("damaged").as_array().map_or(0, Vec::len);
    print::line(format!(
        "{} packs rewritten, {} given back",
        done.field("packs"),
        print::bytes(done.field("freed").as_u64().unwrap_or(0))
    ))?;
    if let Some(entries @ 1..) = done.field("index_entries").as_u64() {
        print::line(format!("{entries} entries of deleted mail removed from the search index"))?;
    }
    if damaged > 0 {
        return Err(Failure::Found(format!("{damaged} packs are damaged and were left alone: mailward store verify")));
    }
    Ok(())
}

fn stats(place: &Place, json: bool) -> Result<(), Failure> {
    privilege::become_owner_of(place.data())?;
    let stats = maintenance::stats(place.data())?;
    if json {
        return print::json(&stats);
    }
    let Stats { domains, accounts, mailboxes, messages, message_bytes, .. } = stats;
    let Stats { queued, queued_recipients, .. } = stats;
    let Stats { contents, content_bytes, packs, live_bytes, dead_bytes, database_bytes, .. } = stats;
    let Stats { indexed, index_waiting, unindexed, index_bytes, .. } = stats;
    let row = |name: &str, count: u64, bytes: Option<u64>| {
        vec![name.to_owned(), count.to_string(), bytes.map_or_else(|| "-".to_owned(), print::bytes)]
    };
    print::table(
        &["WHAT", "COUNT", "SIZE"],
        &[
            row("domains", domains, None),
            row("accounts", accounts, None),
            row("mailboxes", mailboxes, None),
            row("messages, in every mailbox", messages, Some(message_bytes)),
            row("messages in the queue", queued, None),
            row("their recipients", queued_recipients, None),
            row("contents, each once", contents, Some(content_bytes)),
            row("packs: in use", packs, Some(live_bytes)),
            row("packs: to be given back", packs, Some(dead_bytes)),
            row("database", 1, Some(database_bytes)),
            row("search index: contents in it", indexed, Some(index_bytes)),
            row("search index: contents that wait", index_waiting, None),
            row("search index: contents it can't take", unindexed, None),
        ],
    )
}

fn tell_problems(problems: &[Problem]) -> Result<(), Failure> {
    problems.iter().try_for_each(|p| print::line(format!("{}: {}", print::tame(&p.place), print::tame(&p.what))))
}

fn whole(problems: &[Problem], mend: &str) -> Result<(), Failure> {
    match problems.len() {
        0 => Ok(()),
        1 => Err(Failure::Found(format!("the store has a problem: {mend}"))),
        n => Err(Failure::Found(format!("the store has {n} problems: {mend}"))),
    }
}
