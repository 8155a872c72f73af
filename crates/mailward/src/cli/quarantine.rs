//! `mailward quarantine`: messages that were accepted and that nobody sees.

use super::queue::time;
use crate::control::Request;
use crate::control::client::Errand;
use crate::control::quarantine::{Ask, Entry, Page, Piece, Shown};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use mailward_core::limits::QUARANTINE_LISTED;
use mailward_core::{Address, Clock as _, QuarantineId, SystemClock};
use mailward_delivery::digest::Told;
use mailward_inspect::quarantine::Look;
use mailward_inspect::{Action, Finding};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Messages of a table if nobody says how many.
const LISTED: usize = 1_000;

/// Look at messages that are kept from their recipients, and let them go
#[derive(Debug, Args)]
#[command(
    after_help = "A message is kept where a virus, an attachment, or a rule of yours wants it: its recipients don't
see it, its sender was told that it arrived. See docs/quarantine.md.

Examples:
  mailward quarantine list
  mailward quarantine show 17
  mailward quarantine release 17
  mailward quarantine discard 18 19"
)]
pub(crate) struct QuarantineVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what is kept, the newest first
    #[command(after_help = "Examples:
  mailward quarantine list
  mailward quarantine list --user joe@example.org --json")]
    List {
        /// Kept for this user
        #[arg(long, value_name = "ADDRESS")]
        user: Option<Address>,
        /// Messages at most; 0: all [usual: 1000 in a table, all in JSON]
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one message: from whom to whom, why it is kept, and its first words
    #[command(
        after_help = "What it shows can't act on a terminal. A file made by --raw is the message as it came: it may
hold a virus.

Examples:
  mailward quarantine show 17
  mailward quarantine show 17 --text
  mailward quarantine show 17 --raw /root/kept.eml"
    )]
    Show {
        /// Number of the message
        #[arg(value_parser = id)]
        id: QuarantineId,
        /// All of its text, HTML as text
        #[arg(long)]
        text: bool,
        /// Write the message as it is into a new file
        #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "json"])]
        raw: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let messages go where they would have gone
    #[command(after_help = "They come into INBOX, also what would be junk; what was for others is sent.

Examples:
  mailward quarantine release 17 18
  mailward quarantine release 17 --user joe@example.org")]
    Release {
        #[command(flatten)]
        ids: Ids,
        /// For this user alone; it stays for all others
        #[arg(long, value_name = "ADDRESS")]
        user: Option<Address>,
    },
    /// Take messages out for good; nobody is told, nothing brings them back
    #[command(after_help = "Examples:
  mailward quarantine discard 17
  mailward quarantine discard 17 18 19 --json")]
    Discard {
        #[command(flatten)]
        ids: Ids,
    },
    /// Say that messages are kept by a false alarm: they are released
    #[command(after_help = "What the spam filter found it learns as ham, for everybody.

Example:
  mailward quarantine report 17")]
    Report {
        #[command(flatten)]
        ids: Ids,
    },
    /// Send digests now: to users and administrators who weren't told of what is new
    #[command(
        after_help = "Digests go out by themselves at an hour of the day, see quarantine.digest. Who gets none by the
configuration gets none now.

Example:
  mailward quarantine digest"
    )]
    Digest {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a message out of a mailbox into the quarantine
    #[command(after_help = "Only an administrator can release it; it then comes back into that mailbox.

Example:
  mailward quarantine withdraw joe@example.org INBOX 4711")]
    Withdraw {
        /// Whose mailbox
        user: Address,
        /// Its name
        mailbox: String,
        /// Number of the message in the mailbox (its UID)
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        uid: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Ids {
    /// Numbers of messages, as `mailward quarantine list` tells them
    #[arg(required = true, value_name = "ID", value_parser = id)]
    ids: Vec<QuarantineId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn id(text: &str) -> Result<QuarantineId, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(QuarantineId).ok_or_else(|| "a number, as `mailward quarantine list` tells it".to_owned())
}

fn ask<T: DeserializeOwned>(errand: &mut Errand<'_>, ask: Ask) -> Result<T, Failure> {
    errand.run(&Request::Quarantine { ask })
}

impl QuarantineVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = &place.find()?;
        match self.what {
            What::List { user, limit, json } => list(place, user.as_ref(), limit, json),
            What::Show { id, raw: Some(file), .. } => write_raw(place, id, &file),
            What::Show { id, text, json, raw: None } => show(place, id, text, json),
            What::Release { ids, user } => {
                each(place, &ids, "released", |id| Ask::Release { id, user: user.clone() }).map(|_| ())
            }
            What::Discard { ids } => each(place, &ids, "discarded", |id| Ask::Discard { id }),
            What::Report { ids } => each(place, &ids, "released", |id| Ask::Report { id }),
            What::Digest { json } => {
                let told: Told = ask(&mut Errand::on(place)?, Ask::Digest)?;
                if json {
                    return print::json(&told);
                }
                let administrators = if told.administrators { "; administrators were told" } else { "" };
                print::line(format!("users who were told: {}{administrators}", told.users))
            }
            What::Withdraw { user, mailbox, uid, json } => {
                let done: Value = ask(&mut Errand::on(place)?, Ask::Withdraw { user, mailbox, uid })?;
                if json {
                    return print::json(&done);
                }
                let id = done.get("id").and_then(Value::as_i64).unwrap_or_default();
                print::line(format!("it is message {id} of the quarantine now"))
            }
        }
    }
}

/// Does something to each of them; what can't be done is told, and the rest is done all the same.
fn each(place: &Place, ids: &Ids, done: &str, what: impl Fn(QuarantineId) -> Ask) -> Result<(), Failure> {
    let mut errand = Errand::on(place)?;
    let (mut well, mut failed) = (Vec::new(), Vec::new());
    for id in &ids.ids {
        match ask::<Value>(&mut errand, what(*id)) {
            Ok(answer) => {
                let learned = answer.get("learned").and_then(Value::as_bool) == Some(true);
                if !ids.json {
                    print::line(format!("{id}: {done}{}", if learned { ", and learned as ham" } else { "" }))?;
                }
                well.push(*id);
            }
            Err(failure) => {
                print::note(format_args!("{id}: {failure}"));
                failed.push(json!({ "id": id, "why": failure.to_string() }));
            }
        }
    }
    if ids.json {
        print::json(&json!({ "done": well, "failed": failed }))?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(format!("{} of {} couldn't be {done}", failed.len(), ids.ids.len())))
}

fn list(place: &Place, user: Option<&Address>, limit: Option<usize>, json: bool) -> Result<(), Failure> {
    let most = match limit {
        Some(0) => usize::MAX,
        Some(limit) => limit,
        None if json => usize::MAX,
        None => LISTED,
    };
    let mut errand = Errand::on(place)?;
    let mut elements = print::JsonList::default();
    let mut table = print::Table::new(&["ID", "CAME", "SIZE", "FROM", "FOR", "WHY", "SUBJECT"]);
    let (mut listed, mut before) = (0usize, None);
    while listed < most {
        let limit = most.saturating_sub(listed).min(QUARANTINE_LISTED);
        let page: Page = ask(&mut errand, Ask::List { user: user.cloned(), before, limit })?;
        listed = listed.saturating_add(page.messages.len());
        if json {
            for entry in &page.messages {
                if !elements.element(entry)? {
                    return Ok(());
                }
            }
        } else if !page.messages.is_empty() {
            let rows: Vec<Vec<String>> = page.messages.iter().map(row).collect();
            if !table.rows(&rows)? {
                return Ok(());
            }
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    match (json, listed) {
        (true, _) => elements.end(),
        (false, 0) => print::line("nothing is kept"),
        (false, _) if before.is_some() => {
            print::note(format_args!("these are the newest {listed}; there may be more: --limit 0 lists all"));
            Ok(())
        }
        (false, _) => Ok(()),
    }
}

/// What was found that is worst.
fn worst(entry: &Entry) -> Option<&Finding> {
    entry.note.findings.iter().max_by_key(|finding| finding.action)
}

fn row(entry: &Entry) -> Vec<String> {
    let whom = entry.users.iter().chain(&entry.elsewhere).next().map_or_else(String::new, ToString::to_string);
    let more = match entry.recipients.saturating_sub(1) {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    let why = worst(entry).map_or_else(String::new, |found| format!("{}/{}", found.check.name(), found.rule));
    vec![
        entry.id.to_string(),
        time(entry.came),
        print::bytes(entry.size),
        print::short(sender(entry), 32),
        format!("{}{more}", print::short(&whom, 32)),
        print::short(&why, 32),
        print::short(&entry.note.subject, 40),
    ]
}

/// The envelope's sender, or who it says that it is from where that isn't known.
fn sender(entry: &Entry) -> &str {
    match entry.note.sender.as_str() {
        "" if entry.note.direction == "stored" => &entry.note.from,
        "" => "<>",
        sender => sender,
    }
}

fn show(place: &Place, id: QuarantineId, whole: bool, json: bool) -> Result<(), Failure> {
    let shown: Shown = ask(&mut Errand::on(place)?, Ask::Show { id })?;
    if json {
        return print::json(&shown);
    }
    print::text(&told(&shown, whole))
}

/// Lines of others, each tamed, with something before it.
fn lines(text: &mut String, before: &str, theirs: &str) {
    for line in theirs.lines() {
        // Writing to a String can't fail.
        let _infallible = writeln!(text, "{}", format!("{before}{}", print::tame(line)).trim_end());
    }
}

/// A message for people. Whatever somebody else wrote is tamed.
fn told(shown: &Shown, whole: bool) -> String {
    let Shown { entry, look: Look { header, parts, preview, text: theirs, cut } } = shown;
    let note = &entry.note;
    let mut text = String::new();
    let mut say = |name: &str, value: &str| {
        let _infallible = writeln!(text, "{name:<10} {}", print::tame(value).trim_end());
    };
    say("message", &format!("{} of the quarantine, {}", entry.id, print::bytes(entry.size)));
    let left = u64::try_from(entry.expires.secs().saturating_sub(SystemClock.now().secs())).unwrap_or(0);
    say("kept", &format!("since {}; goes in {}", time(entry.came), print::left(left)));
    if !note.id.is_empty() {
        say("id", &note.id);
    }
    say("direction", &note.direction);
    if let Some(client) = &note.client {
        say("by", &format!("{client} ({})", note.hello));
    }
    say("sender", sender(entry));
    for recipient in &note.recipients {
        say("recipient", recipient);
    }
    say("from", &note.from);
    say("subject", &note.subject);
    for (at, finding) in note.findings.iter().filter(|found| found.action > Action::Deliver).enumerate() {
        let why = format!("{}/{}: {}", finding.check.name(), finding.rule, finding.evidence);
        say(if at == 0 { "because" } else { "" }, &format!("{} ({})", why, finding.action.name()));
    }
    for user in &entry.users {
        say("goes to", &format!("the mailbox of {user}"));
    }
    for address in &entry.elsewhere {
        say("goes to", &format!("{address}, by the queue"));
    }
    say("release", if entry.for_administrators { "by an administrator" } else { "by an administrator or its reader" });
    for part in parts {
        let name = part.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        say("part", &format!("{}{name}, {}", part.media_type, print::bytes(part.size)));
    }
    text.push_str("\nheader\n");
    lines(&mut text, "    ", header);
    if whole {
        text.push_str("\ntext\n");
        lines(&mut text, "    ", theirs);
    } else {
        text.push_str("\npreview\n");
        lines(&mut text, "    ", preview);
    }
    if *cut {
        text.push_str("\nsome of it isn't shown: --raw FILE writes all of it into a file\n");
    }
    text
}

/// Writes a message into a new file that nobody else may read.
fn write_raw(place: &Place, id: QuarantineId, file: &Path) -> Result<(), Failure> {
    let mut errand = Errand::on(place)?;
    let failed = |e| Failure::io(file.display(), e);
    let mut piece: Piece = ask(&mut errand, Ask::Read { id, from: 0 })?;
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    let mut from = 0u64;
    loop {
        let bytes = STANDARD.decode(&piece.bytes).map_err(|_| Failure::Bug("the answer isn't base64".to_owned()))?;
        out.write_all(&bytes).map_err(failed)?;
        from = from.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if piece.last || bytes.is_empty() {
            break;
        }
        piece = ask(&mut errand, Ask::Read { id, from })?;
    }
    print::line(format!("{from} bytes are in {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::Timestamp;
    use mailward_inspect::Check;
    use mailward_inspect::quarantine::{LookedPart, Note};

    fn entry() -> Entry {
        let evil = "a\u{1b}[2J\u{202e}\nb";
        let finding = Finding::new(Check::Attachments, "executable", Action::Quarantine, format!("in {evil}"));
        Entry {
            id: QuarantineId(7),
            size: 2_048,
            came: Timestamp(0),
            expires: Timestamp(0),
            users: vec!["joe@example.org".parse().unwrap()],
            elsewhere: vec!["ann@far.example".parse().unwrap()],
            recipients: 2,
            for_administrators: true,
            note: Note {
                id: "3kc1v5y0r0000".to_owned(),
                subject: evil.to_owned(),
                from: evil.to_owned(),
                hello: evil.to_owned(),
                client: Some("192.0.2.7".to_owned()),
                findings: vec![Finding::new(Check::Spam, "bayes", Action::Junk, ""), finding],
                ..Note::default()
            },
        }
    }

    #[test]
    fn what_is_kept_can_t_move_the_terminal_whatever_is_in_it() {
        let row = row(&entry());
        assert_eq!(row[3..6], ["<>", "joe@example.org +1", "attachments/executable"]);
        assert_eq!(row[6], "a\u{fffd}[2J\u{fffd}\u{fffd}b");
        let shown = Shown {
            entry: entry(),
            look: Look {
                header: "Subject: \u{1b}[2J\nX: y\n".to_owned(),
                parts: vec![LookedPart {
                    media_type: "a/b".to_owned(),
                    name: Some("x\u{202e}exe.pdf".to_owned()),
                    size: 3,
                }],
                preview: "first \u{9b}words".to_owned(),
                text: "all\r\nof \u{7}it".to_owned(),
                cut: true,
            },
        };
        for whole in [false, true] {
            let text = told(&shown, whole);
            assert!(!text.chars().any(|c| c != '\n' && print::tame(&c.to_string()) != c.to_string()), "{text}");
            assert!(text.contains("because    spam/bayes:") && text.contains("attachments/executable: in a"), "{text}");
            assert!(text.contains("\"x\u{fffd}exe.pdf\"") && text.contains("some of it isn't shown"), "{text}");
        }
        assert!(told(&shown, false).contains("    first \u{fffd}words\n"));
        assert!(told(&shown, true).contains("    all\n    of \u{fffd}it\n"));
    }
}
