//! `mailward content`: what messages may hold.

mod test;

pub(super) use test::{Question, message};

use super::route::text;
use super::rules::{At, label, who_asks};
use crate::compose::content;
use crate::control::content::{Ask, placed_shown};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::line::quoted;
use mailward_inspect::policy::{Placed, Rule, Rulebook, Source};
use mailward_store::kept::KeptPlace;
use serde_json::Value;

/// Forbid, hold, mark or allow by what messages hold: files, text, header
#[derive(Debug, Args)]
#[command(after_help = "Of each file the first rule decides that says which files it is about; over all, the strongest
action wins. These are asked first, then content.rules of the configuration, then what holds by
default. A change is in force at once, for mail that comes in, goes out and stays here.

A rule: CONDITION... ACTION [\"reason\"] [OPTION]...    docs/attachments.md tells more.

Examples:
  mailward content add for=joe@example.org from=ann@friend.test has=macro deliver until=2027-01-31
  mailward content add direction=outgoing anywhere=detect:card hold 'ask accounting' at-least=3
  mailward content list
  mailward content test message.eml --to joe@example.org")]
pub(crate) struct ContentVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a rule; it goes before the others unless you say where
    #[command(after_help = "CONDITION  ext, name, kind, family, has, type, within, size, larger, smaller (of a file);
           direction, for, from, sender, to, client, subject, header, long, message-larger, stopped;
           text, anywhere: a phrase, /expression/, dictionary:NAME, detect:card, detect:iban
ACTION     deliver (an exception), mark, warn, junk, hold, quarantine, reject
OPTION     until=YYYY-MM-DD, as=NAME, at-least=N matches, unproven (whoever says to be the sender)

Examples:
  mailward content add ext=mp4 larger=20MiB hold
  mailward content add for=@example.org kind=iso deliver until=2027-01-31 --comment 'the new CAD'
  mailward content add subject=/invoice.*overdue/ direction=incoming junk")]
    Add {
        /// The rule, in one word or many
        #[arg(value_name = "RULE", required = true)]
        rule: Vec<String>,
        #[command(flatten)]
        at: At,
        /// Why; for others who administer
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
    },
    /// Remove a rule
    #[command(after_help = "Examples:\n  mailward content list\n  mailward content remove 12")]
    Remove {
        /// Its number, as `mailward content list` has it
        number: u32,
    },
    /// Move a rule
    #[command(after_help = "Examples:\n  mailward content move 12 --first\n  mailward content move 12 --before 7")]
    Move {
        /// Its number
        number: u32,
        #[command(flatten)]
        at: At,
    },
    /// List the rules in the order in which they are asked
    #[command(after_help = "Examples:\n  mailward content list\n  mailward content list --all --json")]
    List {
        /// Also those of the configuration, and those that hold by default
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what is wrong with the rules of the configuration and those made here
    #[command(after_help = "Examples:\n  mailward content check\n  mailward content check --config /tmp/new.toml")]
    Check,
    /// Show what each rule says of a message, and what becomes of it
    #[command(
        after_help = "The file is a message as it came. Nothing is sent or kept, and nothing is looked up: what an
exception for a sender needs proved is taken as proved for the domains of --proven.

Examples:
  mailward content test message.eml
  mailward content test message.eml --from ann@friend.test --proven friend.test --to joe@example.org
  mailward content test draft.eml --direction outgoing --from joe@example.org --json"
    )]
    Test(Question),
}

/// A rule of words that a shell took the quotation marks off: values with blanks, and the reason behind the action.
fn rule_of(words: &[String]) -> Result<Rule, Failure> {
    let line = match words {
        [line] => line.clone(),
        words => {
            let mut behind = false;
            let mended = words.iter().map(|word| match word.split_once('=') {
                Some((name, value)) if value.contains([' ', '"']) && !name.contains(' ') && !value.starts_with('"') => {
                    format!("{name}={}", quoted(value))
                }
                None if behind && word != "unproven" && !word.starts_with('"') => quoted(word),
                _ => {
                    behind |= mailward_inspect::Action::of(word).is_some();
                    word.clone()
                }
            });
            mended.collect::<Vec<_>>().join(" ")
        }
    };
    Rule::parse(&line).map_err(|e| Failure::Usage(format!("{}: {e}", print::tame(&line))))
}

pub(super) fn ask(place: &Place, ask: Ask) -> Result<Value, Failure> {
    client::run(place, &Request::Content { ask })
}

impl ContentVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        match self.what {
            What::Add { rule, at, comment } => {
                let rules = vec![rule_of(&rule)?];
                let place_of = at.place().unwrap_or(KeptPlace::First);
                let done = ask(&place.find()?, Ask::Add { rules, comment, place: place_of, by: who_asks() })?;
                let first = done.field("first");
                print::line(format!("rule {} made: {}", first.field("id"), text(first, "rule")))
            }
            What::Remove { number } => {
                let done = ask(&place.find()?, Ask::Remove { id: number })?;
                print::line(format!("rule {number} removed: {}", text(&done, "rule")))
            }
            What::Move { number, at } => {
                let to = at.place().ok_or_else(|| {
                    Failure::Usage("say where to: --first, --last, --before NUMBER or --after NUMBER".to_owned())
                })?;
                let done = ask(&place.find()?, Ask::Move { id: number, place: to })?;
                print::line(format!("rule {number} moved: {}", text(&done, "rule")))
            }
            What::List { all, json } => list(&ask(&place.find()?, Ask::List { all })?, json),
            What::Check => check(&place.find()?),
            What::Test(question) => message(&place.find()?, &question),
        }
    }
}

fn list(rules: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(rules);
    }
    let row = |rule: &Value| {
        let number = match rule.field("source").as_str() {
            Some("kept") => rule.field("id").to_string(),
            _ => label(rule),
        };
        let expired = if rule.field("expired").as_bool() == Some(true) { "(expired) " } else { "" };
        vec![number, format!("{expired}{}", text(rule, "rule")), text(rule, "by"), text(rule, "comment")]
    };
    let rows: Vec<Vec<String>> = rules.as_array().into_iter().flatten().map(row).collect();
    print::table(&["NUMBER", "RULE", "BY", "COMMENT"], &rows)
}

/// The rules as they would be asked by this configuration; what is wrong with them is told.
pub(super) fn book(place: &Place) -> Result<Rulebook, Failure> {
    let book = content::book(&place.loaded)?;
    let kept = ask(place, Ask::List { all: false })?;
    let mut placed = Vec::new();
    for rule in kept.as_array().into_iter().flatten() {
        let id = rule.field("id").as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
        let read: Rule = serde_json::from_value(rule.field("rule").clone())
            .map_err(|error| Failure::Found(format!("rule {id}: {error}")))?;
        placed.push(Placed { source: Source::Kept(id), rule: read });
    }
    book.set_kept(placed);
    content::can_be_followed(&place.loaded, &book)?;
    Ok(book)
}

/// Whether all rules can be followed, and how many there are.
pub(super) fn check(place: &Place) -> Result<(), Failure> {
    let all = book(place)?.all();
    let of = |wanted: &str| all.iter().filter(|placed| placed_shown(placed).field("source") == wanted).count();
    let expired = all.iter().filter(|placed| placed_shown(placed).field("expired").as_bool() == Some(true)).count();
    let (kept, file, built_in) = (of("kept"), of("content.rules"), of("built-in"));
    let over = if expired == 0 { String::new() } else { format!("; {expired} expired") };
    print::line(format!(
        "rules for contents are right: {kept} made here, {file} in content.rules, {built_in} by default{over}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_the_same_in_one_word_or_in_many() {
        let many = |words: &[&str]| rule_of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let one = many(&["subject=\"two words\" hold \"ask us\" until=2027-01-31"]).unwrap();
        assert_eq!(many(&["subject=two words", "hold", "ask us", "until=2027-01-31"]).unwrap(), one);
        assert_eq!(many(&["subject=\"two words\"", "hold", "\"ask us\"", "until=2027-01-31"]).unwrap(), one);
        assert_eq!(many(&["ext=exe", "deliver"]).unwrap().to_string(), "ext=exe deliver");
        assert!(many(&["from=a@b.example", "deliver", "unproven"]).is_ok());
        assert!(many(&["ext=exe", "fly"]).unwrap_err().to_string().contains("\"fly\" is neither"));
    }
}
