//! `mailward lists`: lists in the DNS, how they are and what they say.

use crate::control::lists::Ask;
use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::{Clock as _, Domain, SystemClock};
use serde_json::Value;
use std::net::IpAddr;

/// Show which lists in the DNS are asked about who sends, and what they say
#[derive(Debug, Args)]
#[command(after_help = "Which lists there are, lists.hosts and lists.domains in mailward.toml say. A list that answers
everybody or nobody is switched off, with an alert, until its test points are right again.
docs/lists.md tells more.

Examples:
  mailward lists
  mailward lists --json
  mailward lists test 192.0.2.1
  mailward lists test shop.example")]
pub(crate) struct Lists {
    #[command(subcommand)]
    what: Option<What>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Ask every list about an address or a domain
    #[command(
        after_help = "Every list is asked, also one that is off or rests; what one that is off says doesn't count. Every
list of addresses should have 127.0.0.2, and none 127.0.0.1.

Examples:
  mailward lists test 192.0.2.1
  mailward lists test 2001:db8::1 --json
  mailward lists test shop.example"
    )]
    Test {
        /// IP address of a client, or domain of a sender
        #[arg(value_name = "ADDRESS", value_parser = about)]
        about: About,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Debug)]
enum About {
    Host(IpAddr),
    Domain(Domain),
}

fn about(text: &str) -> Result<About, String> {
    match text.parse() {
        Ok(ip) => Ok(About::Host(ip)),
        Err(_) => Domain::parse_utf8(text)
            .map(About::Domain)
            .map_err(|error| format!("neither an IP address nor a domain: {error}")),
    }
}

impl Lists {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        let Some(What::Test { about, json }) = self.what else {
            let lists = client::run(&place, &Request::Lists { ask: Ask::List })?;
            return if self.json { print::json(&lists) } else { table(&lists) };
        };
        let ask = match about {
            About::Host(ip) => Ask::Host { ip },
            About::Domain(domain) => Ask::Domain { domain },
        };
        let trial = client::run(&place, &Request::Lists { ask })?;
        if json || self.json { print::json(&trial) } else { trial_shown(&trial) }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "-".to_owned(), print::tame)
}

/// Strings of a list, with something between them.
fn joined(list: &Value, between: &str) -> String {
    let all: Vec<String> = list.as_array().into_iter().flatten().map(text).collect();
    all.join(between)
}

fn table(lists: &Value) -> Result<(), Failure> {
    let lists: Vec<&Value> = lists.as_array().into_iter().flatten().collect();
    if lists.is_empty() {
        return print::line(
            "no list is asked; lists.hosts and lists.domains in mailward.toml name them: docs/lists.md",
        );
    }
    let now = SystemClock.now();
    let rows: Vec<Vec<String>> = lists
        .iter()
        .map(|list| {
            let since = list.field("since").as_i64().map_or_else(
                || "-".to_owned(),
                |since| {
                    let seconds = now.0.saturating_sub(since).div_euclid(1_000);
                    print::span(u64::try_from(seconds).unwrap_or(0))
                },
            );
            let weights: Vec<String> = list
                .field("lines")
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|line| line.as_str()?.split(' ').nth(1).map(print::tame))
                .collect();
            let number = |name: &str| list.field(name).as_u64().unwrap_or(0).to_string();
            vec![
                text(list.field("list")),
                text(list.field("kind")),
                weights.join(","),
                health(list).to_owned(),
                since,
                number("asked"),
                number("listed"),
                number("silent"),
            ]
        })
        .collect();
    print::table(&["LIST", "OF", "WEIGHT", "HEALTH", "SINCE", "ASKED", "LISTED", "SILENT"], &rows)?;
    for list in lists {
        if let Some(fault) = list.field("fault").as_str() {
            print::line(format!("{} is off: {}", text(list.field("list")), print::tame(fault)))?;
        }
    }
    Ok(())
}

fn health(list: &Value) -> &'static str {
    match list.field("state").field("is").as_str() {
        Some("on") if list.field("rests").as_bool() == Some(true) => "silent",
        Some("on") if list.field("v6_off").as_bool() == Some(true) => "IPv4 only",
        Some("on") => "good",
        Some("off") => "off",
        _ => "untested",
    }
}

fn trial_shown(trial: &Value) -> Result<(), Failure> {
    let reverse = trial.field("reverse");
    if let Some(is) = reverse.field("is").as_str() {
        let name = text(reverse.field("name"));
        let generated = if trial.field("generated").as_bool() == Some(true) { ", made out of the address" } else { "" };
        print::line(match is {
            "confirmed" => format!("name: {name}, which leads back{generated}"),
            "unconfirmed" => format!("name: {name}, which doesn't lead back{generated}"),
            "none" => "name: none".to_owned(),
            _ => "name: can't be looked up now".to_owned(),
        })?;
    }
    if let Some(domain) = trial.field("domain").as_str() {
        print::line(match domain {
            "exists" => "mail: a host takes it",
            "null-mx" => "mail: it says that it takes none (null MX)",
            "no-domain" => "mail: there is no such domain",
            "nowhere" => "mail: no host that could be reached takes it",
            _ => "mail: can't be looked up now",
        })?;
    }
    let mut rows = Vec::new();
    for list in trial.field("lists").as_array().into_iter().flatten() {
        let weight: i64 = list
            .field("listed")
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one.field("weight").as_i64())
            .fold(0, i64::saturating_add);
        let off = list.field("state").field("is").as_str() == Some("off");
        let codes = joined(list.field("codes"), ", ");
        let silence = list.field("unanswered");
        let says = match silence.field("kind").as_str() {
            Some("trouble") => format!("trouble: {}, which is no listing", text(silence.field("code"))),
            Some("late") => "no answer in time".to_owned(),
            Some("failed") => "the question failed".to_owned(),
            Some(_) => "not asked: too many questions are under way".to_owned(),
            None if codes.is_empty() => "not listed".to_owned(),
            None => format!("listed: {codes}"),
        };
        let counts = match weight {
            _ if off => "0 (off)".to_owned(),
            weight => weight.to_string(),
        };
        rows.push(vec![text(list.field("list")), counts, says]);
    }
    if rows.is_empty() {
        return print::line("no list is asked of it; lists.hosts and lists.domains in mailward.toml name them");
    }
    print::table(&["LIST", "POINTS", "SAYS"], &rows)?;
    print::line(format!("{} points in all", trial.field("weight").as_i64().unwrap_or(0)))
}
