//! What each rule says of a message.

use super::super::rules::label;
use crate::control::content::placed_shown;
use crate::control::queue::Sender;
use crate::failure::Failure;
use crate::migrate::files::read_at_most;
use crate::place::Place;
use crate::print::{self, Field as _};
use bytes::Bytes;
use clap::Args;
use mailward_core::{AccountId, Address, Clock as _, Domain, SystemClock};
use mailward_inspect::policy::Told;
use mailward_inspect::{Direction, Finding, Recipient, Subject, Verdict};
use mailward_message::Structure;
use mailward_scan::{Budget, Contents, Item};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Files that are shown; more are counted.
const FILES_SHOWN: usize = 30;

/// A message, and what is known of its envelope.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// The message
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where it comes from and goes
    #[arg(long, value_name = "DIRECTION", default_value = "incoming", value_parser = direction)]
    pub(crate) direction: Direction,
    /// Envelope sender; '<>' is the empty one
    #[arg(long, value_name = "ADDRESS", value_parser = super::super::rules::sender)]
    pub(crate) from: Option<Sender>,
    /// Recipient; may be said more than once
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Vec<Address>,
    /// Address of the client
    #[arg(long, value_name = "IP")]
    pub(crate) client: Option<IpAddr>,
    /// Domain that the message proves to be from
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) proven: Vec<Domain>,
    /// Show every rule, not only those that fit
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn direction(text: &str) -> Result<Direction, String> {
    let found = Direction::ALL.into_iter().find(|direction| direction.name() == text);
    found.ok_or_else(|| "incoming, outgoing or internal".to_owned())
}

/// Tells it.
pub(crate) fn message(place: &Place, question: &Question) -> Result<(), Failure> {
    let book = super::book(place)?;
    let most = usize::try_from(place.config().limits.message_size).unwrap_or(usize::MAX);
    let bytes = read_at_most(&question.file, most)?;
    if bytes.len() > most {
        let shown = print::tame(&question.file.display().to_string());
        return Err(Failure::Refused(format!("{shown} is larger than messages are here (limits.message_size)")));
    }
    let subject = subject(question, bytes);
    let start = Instant::now();
    let contents = mailward_scan::open(subject.message(), Budget::within_limits(&|| start.elapsed()));
    let told = book.explain(&subject, &contents, &question.proven);
    let findings = book.judge(&subject, &contents, &question.proven);
    let answer = answer(&subject, &contents, &told, findings);
    if question.json { print::json(&answer) } else { tell(&answer, question.all) }
}

fn subject(question: &Question, bytes: Vec<u8>) -> Subject {
    let bytes = Bytes::from(bytes);
    let structure = Arc::new(Structure::parse(&bytes));
    // Whoever gets mail that doesn't go out has an account.
    let here = question.direction != Direction::Outgoing;
    let accounts = if here { vec![AccountId(0)] } else { Vec::new() };
    let recipients = question.to.iter().map(|to| Recipient { address: Some(to.clone()), accounts: accounts.clone() });
    Subject {
        trace: 0,
        structure,
        id: "test".into(),
        direction: question.direction,
        client: question.client,
        hello: "".into(),
        reverse: None,
        stranger: question.direction == Direction::Incoming,
        sender: match &question.from {
            Some(Sender::Address(address)) => Some(address.clone()),
            Some(Sender::Null) | None => None,
        },
        recipients: recipients.collect(),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: false,
        now: SystemClock.now(),
        bytes,
    }
}

fn answer(subject: &Subject, contents: &Contents, told: &[Told], findings: Vec<Finding>) -> Value {
    let verdict = Verdict { findings };
    let to = |place: usize| subject.recipients.get(place).and_then(|recipient| recipient.address.as_ref());
    let becomes: Vec<Value> = (0..subject.recipients.len().max(1))
        .map(|place| json!({ "to": to(place), "action": verdict.action_for(place) }))
        .collect();
    let found: Vec<Value> = verdict
        .findings
        .iter()
        .map(|found| {
            let only = found.only.as_ref().map(|only| only.iter().filter_map(|place| to(*place)).collect::<Vec<_>>());
            json!({
                "check": found.check,
                "rule": found.rule,
                "action": found.action,
                "evidence": found.evidence,
                "only": only,
            })
        })
        .collect();
    let rules = told.iter().map(|one| {
        let mut shown = placed_shown(&one.placed);
        if let Some(members) = shown.as_object_mut() {
            members.insert("fits".to_owned(), json!(one.fits));
            members.insert("out".to_owned(), json!(one.out));
        }
        shown
    });
    json!({
        "files": contents.items.iter().map(item_shown).collect::<Vec<_>>(),
        "stopped": contents.stopped,
        "rules": rules.collect::<Vec<_>>(),
        "findings": found,
        "becomes": becomes,
    })
}

fn item_shown(item: &Item) -> Value {
    json!({
        "names": item.names,
        "within": item.parent,
        "declared": item.declared,
        "kind": item.kind.name(),
        "size": item.size,
        "traits": item.traits.iter().map(|there| there.name()).collect::<Vec<_>>(),
    })
}

fn members<'v>(answer: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    answer.field(name).as_array().into_iter().flatten()
}

fn words(value: &Value) -> String {
    let all: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    print::tame(&all.join(", "))
}

fn tell(answer: &Value, all: bool) -> Result<(), Failure> {
    let field = |value: &Value, name: &str| print::tame(value.field(name).as_str().unwrap_or_default());
    let files: Vec<Vec<String>> = members(answer, "files")
        .take(FILES_SHOWN)
        .map(|file| {
            let within = file.field("within").as_u64().map(|at| at.saturating_add(1).to_string()).unwrap_or_default();
            let size = print::bytes(file.field("size").as_u64().unwrap_or_default());
            let name = print::short(&words(file.field("names")), 60);
            vec![name, within, field(file, "kind"), size, words(file.field("traits"))]
        })
        .enumerate()
        .map(|(at, mut row)| {
            row.insert(0, at.saturating_add(1).to_string());
            row
        })
        .collect();
    print::table(&["FILE", "NAME", "IN", "IS", "SIZE", "REMARKABLE"], &files)?;
    let hidden = members(answer, "files").count().saturating_sub(files.len());
    if hidden > 0 {
        print::line(format!("and {hidden} more files: --json shows them"))?;
    }
    let mut rows = Vec::new();
    for rule in members(answer, "rules") {
        let fits: Vec<&Value> = members(rule, "fits").collect();
        let why = field(rule, "out");
        match fits.as_slice() {
            [] if all && why.is_empty() => rows.push(vec![label(rule), field(rule, "rule"), "-".to_owned()]),
            [] if all => rows.push(vec![label(rule), field(rule, "rule"), why]),
            [] => {}
            fits => rows.extend(
                fits.iter()
                    .map(|fit| vec![label(rule), field(rule, "rule"), print::tame(fit.as_str().unwrap_or_default())]),
            ),
        }
    }
    if rows.is_empty() {
        print::line("\nno rule fits")?;
    } else {
        print::line("")?;
        print::table(&["RULE", "SAYS", "FITS"], &rows)?;
    }
    print::line("")?;
    for found in members(answer, "findings") {
        let only = words(found.field("only"));
        let only = if only.is_empty() { only } else { format!(" for {only}") };
        print::line(format!(
            "{}{only}: {}: {}",
            field(found, "action"),
            field(found, "rule"),
            field(found, "evidence")
        ))?;
    }
    for becomes in members(answer, "becomes") {
        let to = match becomes.field("to").as_str() {
            Some(to) => format!("{}: ", print::tame(to)),
            None => String::new(),
        };
        print::line(format!("{to}{}", field(becomes, "action")))?;
    }
    Ok(())
}
