//! `mailward dkim`: the keys that sign what a domain sends, and what DNS must say of them.

use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::{Place, Where};
use crate::print::{self, Field as _};
use clap::{Args, Subcommand};
use mailward_core::{Domain, Timestamp};
use mailward_message::date;
use serde_json::Value;

/// List, show and turn over the keys that sign what a domain sends
#[derive(Debug, Args)]
#[command(after_help = "A domain has two keys from the start. New ones come in two steps, between which DNS has time:
rotate makes them and prints their records; once these are published, activate lets them sign.

Examples:
  mailward dkim show example.org
  mailward dkim rotate example.org
  mailward dkim activate example.org")]
pub(crate) struct Dkim {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List keys
    #[command(after_help = "Examples:\n  mailward dkim list\n  mailward dkim list example.org --json")]
    List {
        /// Those of one domain only
        domain: Option<Domain>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the DNS records of a domain's keys, for a zone file
    #[command(after_help = "Examples:\n  mailward dkim show example.org\n  mailward dkim show example.org --json")]
    Show {
        /// Whose
        domain: Domain,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a domain's next keys and print their DNS records; they sign nothing yet
    #[command(after_help = "Example:\n  mailward dkim rotate example.org")]
    Rotate {
        /// Whose
        domain: Domain,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a domain's next keys sign, once their records are published
    #[command(after_help = "Example:\n  mailward dkim activate example.org")]
    Activate {
        /// Whose
        domain: Domain,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a key that doesn't sign; its record may go then
    #[command(after_help = "Examples:
  mailward dkim remove example.org mw-20261125-r
  mailward dkim remove example.org mw-20261125-r --now")]
    Remove {
        /// Whose
        domain: Domain,
        /// Which: its name in the list
        selector: String,
        /// Even if mail that it signed may still be verified
        #[arg(long)]
        now: bool,
    },
}

impl Dkim {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = place.find()?;
        match self.what {
            What::List { domain, json } => list(&place, domain, json),
            What::Show { domain, json } => {
                let keys = client::run(&place, &Request::DkimList { domain: Some(domain.clone()) })?;
                if json {
                    return print::json(&keys);
                }
                none_yet(&keys, Some(&domain));
                records(&keys, |_| true)
            }
            What::Rotate { domain, json } => {
                let done = client::run(&place, &Request::DkimRotate { domain: domain.clone() })?;
                if json {
                    return print::json(&done);
                }
                rotated(&done, &domain)
            }
            What::Activate { domain, json } => {
                let keys = client::run(&place, &Request::DkimActivate { domain: domain.clone() })?;
                if json {
                    return print::json(&keys);
                }
                activated(&keys, &domain)
            }
            What::Remove { domain, selector, now } => {
                let key = client::run(&place, &Request::DkimRemove { domain, selector, now })?;
                let name = key.field("record").field("name").as_str().unwrap_or_default();
                print::line(format!(
                    "{} removed; take its record out of DNS: {}",
                    of(&key, "selector"),
                    print::tame(name)
                ))
            }
        }
    }
}

fn list(place: &Place, domain: Option<Domain>, json: bool) -> Result<(), Failure> {
    let keys = client::run(place, &Request::DkimList { domain: domain.clone() })?;
    if json {
        return print::json(&keys);
    }
    none_yet(&keys, domain.as_ref());
    let rows: Vec<Vec<String>> = each(&keys)
        .map(|key| {
            let until = key.field("until");
            vec![
                of(key, "domain"),
                of(key, "selector"),
                of(key, "algorithm"),
                of(key, "state"),
                day(key.field("since")),
                if until.is_null() { "-".to_owned() } else { day(until) },
            ]
        })
        .collect();
    print::table(&["DOMAIN", "SELECTOR", "ALGORITHM", "STATE", "SINCE", "RECORD STAYS UNTIL"], &rows)
}

fn rotated(done: &Value, domain: &Domain) -> Result<(), Failure> {
    let keys = done.field("keys");
    if each(keys).all(|key| is(key, "active")) {
        print::note(format!("{domain}'s first keys sign from now on; publish their records:"));
        return records(keys, |_| true);
    }
    if done.field("made").as_bool() == Some(false) {
        print::note(format!("{domain} has its next keys already:"));
    }
    records(keys, |key| is(key, "next"))?;
    print::note(format!("publish these; an hour after DNS answers them everywhere: mailward dkim activate {domain}"));
    Ok(())
}

fn activated(keys: &Value, domain: &Domain) -> Result<(), Failure> {
    let named = |state: &str| {
        let names: Vec<String> = each(keys).filter(|key| is(key, state)).map(|key| of(key, "selector")).collect();
        names.join(", ")
    };
    print::line(format!("{domain} signs with {}", named("active")))?;
    for key in each(keys).filter(|key| is(key, "retiring")) {
        let until = day(key.field("until"));
        print::line(format!("{} retires: leave its record in DNS until {until}", of(key, "selector")))?;
    }
    Ok(())
}

/// Says so if there are no keys.
fn none_yet(keys: &Value, domain: Option<&Domain>) {
    if each(keys).next().is_none() {
        let whose = domain.map_or("DOMAIN", Domain::as_str);
        print::note(format!("there are no keys; mail goes unsigned; make them: mailward dkim rotate {whose}"));
    }
}

/// Records as a zone file has them, each under a comment.
fn records(keys: &Value, which: impl Fn(&Value) -> bool) -> Result<(), Failure> {
    for key in each(keys).filter(|key| which(key)) {
        let is_now = match key.field("state").as_str().unwrap_or_default() {
            "next" => format!("to come: publish it, then mailward dkim activate {}", of(key, "domain")),
            "active" => format!("signs since {}", day(key.field("since"))),
            _ => format!("retires: leave it until {}", day(key.field("until"))),
        };
        print::line(format!("; {}, {is_now}", of(key, "algorithm")))?;
        let record = key.field("record");
        let strings: Vec<&str> =
            record.field("strings").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        print::line(print::txt_record(&of(record, "name"), &strings))?;
    }
    Ok(())
}

fn each(keys: &Value) -> impl Iterator<Item = &Value> {
    keys.as_array().into_iter().flatten()
}

fn of(value: &Value, member: &str) -> String {
    print::tame(value.field(member).as_str().unwrap_or_default())
}

fn is(key: &Value, state: &str) -> bool {
    key.field("state").as_str() == Some(state)
}

/// The day of a time in milliseconds, by UTC.
fn day(millis: &Value) -> String {
    let (year, month, day) = date::civil(Timestamp(millis.as_i64().unwrap_or(0)));
    format!("{year:04}-{month:02}-{day:02}")
}
