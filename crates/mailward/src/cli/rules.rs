//! `mailward rules`: who may do what, by address, name, sender and recipient.

use super::content;
use super::route::text;
use crate::compose::checks;
use crate::control::queue::Sender;
use crate::control::rules::{Ask, Named, Question};
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::rule::Rule;
use mailward_core::{Address, Domain, Listener};
use mailward_gate::rules::RulePlace;
use mailward_inspect::Direction;
use serde_json::Value;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Rules that were walked past and that are shown; more are counted.
const PASSED_SHOWN: usize = 30;

/// Refuse, let relay or trust clients by address, name, sender and recipient
#[derive(Debug, Args)]
#[command(
    after_help = "The first rule that fits decides. These are asked first, then rules.list of the configuration, then
relay.from; last, this host is asked for no reputation. A change is in force at once.

A rule: WHO [at LISTENER] [from PATTERN] [to PATTERN] ACTION [OPTION]    docs/rules.md tells more.

Examples:
  mailward rules add 192.0.2.0/24 refuse
  mailward rules add any from @spam.example refuse
  mailward rules list
  mailward rules test 192.0.2.7 --from x@spam.example --to joe@example.org"
)]
pub(crate) struct RulesVerb {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a rule; it goes behind the others unless you say where
    #[command(after_help = "WHO      192.0.2.7, 192.0.2.0/24, host.example.net, *.example.net, unnamed, local or any
LISTENER smtp, submission, submissions, imap, imaps, pop3, pop3s, lmtp; several with commas
PATTERN  user@domain, @domain, @*.domain, or <> for the empty sender
ACTION   allow, refuse [\"words\"], relay (may send through us), skip (no reputation checks)
OPTION   connections=N at once from one address, recipients=N of one message, messages=N an hour

Examples:
  mailward rules add 192.0.2.0/24 at imap,imaps refuse
  mailward rules add '*.dialin.example at smtp refuse \"use the server of your provider\"'
  mailward rules add 10.1.2.3 to @partner.example relay --comment 'the fax'
  mailward rules add mx.friend.example skip --first")]
    Add {
        /// The rule, in one word or many
        #[arg(value_name = "RULE", required = true)]
        rule: Vec<String>,
        #[command(flatten)]
        at: At,
        /// Why; for others who administer
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// Also if it refuses everybody
        #[arg(long)]
        force: bool,
    },
    /// Remove a rule
    #[command(after_help = "Examples:\n  mailward rules list\n  mailward rules remove 12")]
    Remove {
        /// Its number, as `mailward rules list` has it
        number: u32,
    },
    /// Move a rule
    #[command(after_help = "Examples:\n  mailward rules move 12 --first\n  mailward rules move 12 --before 7")]
    Move {
        /// Its number
        number: u32,
        #[command(flatten)]
        at: At,
    },
    /// List all rules in the order in which they are asked
    #[command(after_help = "Examples:\n  mailward rules list\n  mailward rules list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what is wrong with rules by address and with those by content, of the configuration and made here
    #[command(after_help = "Examples:\n  mailward rules check\n  mailward rules check --config /tmp/new.toml")]
    Check,
    /// Show which rule decides about a client, and why none before it does; or what rules say of a message
    #[command(
        after_help = "What you don't say isn't known yet, as when somebody has just connected. Nothing is looked up.
Of a message it tells what `mailward content test` does, which takes more options.

Examples:
  mailward rules test 192.0.2.7
  mailward rules test 192.0.2.7 --name mx.a.example --from a@a.example --to joe@example.org
  mailward rules test 2001:db8::1 --listener imaps --json
  mailward rules test 192.0.2.7 --unnamed --from '<>'
  mailward rules test message.eml --from a@a.example --to joe@example.org"
    )]
    Test {
        /// Address of the client, or `local` for a Unix socket; or the file of a message
        #[arg(value_name = "ADDRESS|FILE", value_parser = about)]
        about: About,
        /// The door
        #[arg(long, value_name = "LISTENER", default_value = "smtp", value_parser = listener)]
        listener: Listener,
        /// Its confirmed name
        #[arg(long, value_name = "NAME", conflicts_with_all = ["unnamed", "name_fails"])]
        name: Option<Domain>,
        /// It has no confirmed name
        #[arg(long, conflicts_with = "name_fails")]
        unnamed: bool,
        /// Its name can't be looked up
        #[arg(long)]
        name_fails: bool,
        /// Envelope sender; '<>' is the empty one
        #[arg(long, value_name = "ADDRESS", value_parser = sender)]
        from: Option<Sender>,
        /// Recipient
        #[arg(long, value_name = "ADDRESS")]
        to: Option<Address>,
        /// Show every rule that was walked past, however many
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where a rule goes.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct At {
    /// Before all others
    #[arg(long)]
    first: bool,
    /// Behind all others
    #[arg(long)]
    last: bool,
    /// Before this one
    #[arg(long, value_name = "NUMBER")]
    before: Option<u32>,
    /// Behind this one
    #[arg(long, value_name = "NUMBER")]
    after: Option<u32>,
}

impl At {
    pub(super) fn place(&self) -> Option<RulePlace> {
        match (self.before, self.after) {
            (Some(id), _) => Some(RulePlace::Before(id)),
            (None, Some(id)) => Some(RulePlace::After(id)),
            (None, None) if self.first => Some(RulePlace::First),
            (None, None) => self.last.then_some(RulePlace::Last),
        }
    }
}

/// What rules are asked about.
#[derive(Clone, Debug)]
enum About {
    /// The other end; none: a Unix socket.
    Client(Option<IpAddr>),
    /// What it brings.
    Message(PathBuf),
}

fn about(text: &str) -> Result<About, String> {
    match (text, text.parse()) {
        ("local", _) => Ok(About::Client(None)),
        (_, Ok(ip)) => Ok(About::Client(Some(ip))),
        (file, Err(_)) if Path::new(file).is_file() => Ok(About::Message(file.into())),
        _ => Err("an IP address, local, or the file of a message".to_owned()),
    }
}

pub(super) fn listener(text: &str) -> Result<Listener, String> {
    let found = Listener::ALL.into_iter().find(|listener| listener.name() == text);
    found.ok_or_else(|| "smtp, submission, submissions, imap, imaps, pop3, pop3s or lmtp".to_owned())
}

pub(super) fn sender(text: &str) -> Result<Sender, String> {
    match text {
        "<>" => Ok(Sender::Null),
        text => text.parse().map(Sender::Address).map_err(|e: mailward_core::AddressError| e.to_string()),
    }
}

/// A rule of words that a shell took the quotation marks off: what follows `refuse` and is no option is what is said.
fn rule_of(words: &[String]) -> Result<Rule, Failure> {
    let line = match words {
        [line] => line.clone(),
        [before @ .., refuse, said] if refuse == "refuse" && !said.starts_with('"') => {
            let said = said.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{} refuse \"{said}\"", before.join(" "))
        }
        words => words.join(" "),
    };
    Rule::parse(&line).map_err(|e| Failure::Usage(format!("{}: {e}", print::tame(&line))))
}

/// Who administers, for others who do: the user that this process runs as.
pub(crate) fn who_asks() -> String {
    let uid = nix::unistd::getuid();
    let known = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    known.unwrap_or_else(|| format!("uid {uid}"))
}

pub(super) fn ask(place: &Place, ask: Ask) -> Result<Value, Failure> {
    client::run(place, &Request::Rules { ask })
}

impl RulesVerb {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        match self.what {
            What::Add { rule, at, comment, force } => {
                let rules = vec![rule_of(&rule)?];
                let by = who_asks();
                let place_of = at.place().unwrap_or(RulePlace::Last);
                let done = ask(&place.find()?, Ask::Add { rules, comment, place: place_of, by, force })?;
                let first = done.field("first");
                print::line(format!("rule {} made: {}", first.field("id"), text(first, "rule")))?;
                match done.field("hides") {
                    Value::Null => Ok(()),
                    hides => print::line(format!(
                        "it is never asked: {} stands before it ({}); see `mailward rules move --help`",
                        label(hides),
                        text(hides, "rule")
                    )),
                }
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
            What::List { json } => list(&ask(&place.find()?, Ask::List)?, json),
            What::Check => check(&place.find()?),
            What::Test { about: About::Message(file), from, to, all, json, .. } => {
                let (to, direction) = (to.into_iter().collect(), Direction::Incoming);
                let question =
                    content::Question { file, direction, from, to, client: None, proven: Vec::new(), all, json };
                content::message(&place.find()?, &question)
            }
            What::Test { about: About::Client(address), listener, name, unnamed, name_fails, from, to, all, json } => {
                let name = match name {
                    Some(name) => Named::As(name),
                    None if unnamed => Named::Not,
                    None if name_fails => Named::Failed,
                    None => Named::NotYet,
                };
                let question = Question { address, listener, name, from, to };
                test(&ask(&place.find()?, Ask::Test(question))?, all, json)
            }
        }
    }
}

/// Whether the rules of the file can be followed, which they are read for, and those that were made here.
fn check(place: &Place) -> Result<(), Failure> {
    let all = ask(place, Ask::List)?;
    let of = |wanted: &str| {
        all.as_array().into_iter().flatten().filter(|rule| rule.field("source").as_str() == Some(wanted)).count()
    };
    checks::notes(&place.loaded).into_iter().for_each(print::note);
    let file = place.config().rules.list.len();
    print::line(format!("rules by address are right: {} made here, {file} in rules.list", of("kept")))?;
    content::check(place)
}

/// What a rule is called: its number, or where it stands.
pub(super) fn label(rule: &Value) -> String {
    match (rule.field("source").as_str().unwrap_or_default(), rule.field("id").as_u64()) {
        ("kept", Some(id)) => format!("rule {id}"),
        (source, Some(place)) => format!("{} {place}", print::tame(source)),
        (source, None) => print::tame(source),
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
        vec![number, text(rule, "rule"), text(rule, "by"), text(rule, "comment")]
    };
    let rows: Vec<Vec<String>> = rules.as_array().into_iter().flatten().map(row).collect();
    print::table(&["NUMBER", "RULE", "BY", "COMMENT"], &rows)
}

fn test(answer: &Value, all: bool, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(answer);
    }
    let passed: Vec<&Value> = answer.field("passed").as_array().into_iter().flatten().collect();
    let is_open = |rule: &Value| rule.field("may_fit").as_bool() == Some(true);
    let many = !all && passed.len() > PASSED_SHOWN;
    let rows: Vec<Vec<String>> = passed
        .iter()
        .filter(|rule| !many || is_open(rule))
        .take(if all { usize::MAX } else { PASSED_SHOWN })
        .map(|rule| vec![format!("  {}", label(rule)), text(rule, "rule"), text(rule, "why")])
        .collect();
    if !rows.is_empty() {
        print::table(&["  PASSED", "RULE", "WHY IT ISN'T IT"], &rows)?;
    }
    let hidden = passed.len().saturating_sub(rows.len());
    if hidden > 0 {
        print::line(format!("  and {hidden} more that don't fit: --all shows them"))?;
    }
    let fits = answer.field("fits");
    let decided = answer.field("decided").as_bool() == Some(true);
    match (decided, fits) {
        (true, Value::Null) => print::line("no rule fits")?,
        (true, fits) => print::line(format!("{} decides: {}", label(fits), text(fits, "rule")))?,
        (false, Value::Null) => print::line("not decided yet; no rule fits if those that may don't")?,
        (false, fits) => {
            print::line(format!(
                "not decided yet; if those that may fit don't: {}: {}",
                label(fits),
                text(fits, "rule")
            ))?;
        }
    }
    print::line(consequence(answer, decided))
}

/// What comes of it, in words.
fn consequence(answer: &Value, decided: bool) -> String {
    let is = |member: &str| answer.field(member).as_bool() == Some(true);
    match answer.field("action").as_str().unwrap_or_default() {
        _ if !decided && !is("checked") => {
            "until then: served, without rights, and without reputation checks".to_owned()
        }
        _ if !decided => "until then: served as any stranger, without rights".to_owned(),
        _ if is("put_off") => "put off until the host's name can be looked up".to_owned(),
        "refuse" => match answer.field("words").as_str() {
            None => "refused".to_owned(),
            Some(words) => format!("refused: {}", print::tame(words)),
        },
        "relay" if is("relays") => "may send through this server; no reputation checks".to_owned(),
        "relay" => "no reputation checks; relaying is for the listener smtp".to_owned(),
        "skip" => "served without reputation checks".to_owned(),
        _ => "served as any stranger, with all checks".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_the_same_in_one_word_or_in_many() {
        let many = |words: &[&str]| rule_of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let one = many(&["any from @s.example refuse \"go away\""]).unwrap();
        assert_eq!(many(&["any", "from", "@s.example", "refuse", "go away"]).unwrap(), one);
        assert_eq!(many(&["any", "from", "@s.example", "refuse", "\"go away\""]).unwrap(), one);
        assert_eq!(many(&["any", "refuse", "say \"no\""]).unwrap().to_string(), "any refuse \"say \\\"no\\\"\"");
        assert!(many(&["any", "refuse", "go", "away"]).is_err());
        assert!(many(&["any", "fly"]).unwrap_err().to_string().contains("any fly: \"fly\" is no action"));
    }
}
