//! Runs the test suite that SPF implementations share, as JSON: `spf_suite FILE`. Prints each case that isn't as it should
//! be, and at the end `N of M`; the exit code tells whether all were.
//!
//! The file holds the suite's documents in a list, as `tests/scenarios/40-spf-suite` makes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test")]

use mailward_core::{Domain, Timestamp};
use mailward_dns_zone::{Data, Records};
use mailward_inspect::spf::{Given, Identity, Questions, SpfOutcome, judge};
use serde_json::Value;
use std::process::ExitCode;

/// What the suite calls the explanation of a domain that gives none.
const NO_EXPLANATION: &str = "DEFAULT";

fn main() -> ExitCode {
    let file = std::env::args_os().nth(1).expect("usage: spf_suite FILE");
    let documents: Value = serde_json::from_slice(&std::fs::read(&file).expect("the suite")).expect("JSON");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (mut good, mut all) = (0, 0);
    for document in documents.as_array().expect("a list of documents") {
        let records = zone(&document["zonedata"]);
        for (id, test) in document["tests"].as_object().expect("tests") {
            all += 1;
            let outcome = runtime.block_on(check(&records, test));
            match fault(test, &outcome) {
                None => good += 1,
                Some(fault) => println!("{}: {id}: {fault}\n    {outcome:?}", text(&document["description"])),
            }
        }
    }
    println!("{good} of {all}");
    if good == all && all > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn check(records: &Records, test: &Value) -> SpfOutcome {
    let (hello, mail_from) = (text(&test["helo"]), text(&test["mailfrom"]));
    let hostname = Domain::parse("receiver.example").unwrap();
    let (local, domain) = mail_from.rsplit_once('@').unwrap_or(("", hello));
    let identity = if mail_from.is_empty() { Identity::Hello } else { Identity::MailFrom };
    let ip = text(&test["host"]).parse().expect("an address");
    let given = Given { ip, local, domain, hello, hostname: &hostname, now: Timestamp(0), identity };
    judge(records, &given, &Questions::default()).await
}

/// What isn't as the suite allows; a list has results that are all allowed.
fn fault(test: &Value, outcome: &SpfOutcome) -> Option<String> {
    let wanted = &test["result"];
    let allowed: Vec<&str> = wanted.as_array().map_or_else(|| vec![text(wanted)], |all| all.iter().map(text).collect());
    if !allowed.contains(&outcome.result.name()) {
        return Some(format!("{} instead of {}", outcome.result, allowed.join(" or ")));
    }
    let explanation = test["explanation"].as_str()?;
    let given = outcome.explanation.as_deref().unwrap_or(NO_EXPLANATION);
    (given != explanation).then(|| format!("explained by {given:?} instead of {explanation:?}"))
}

/// The suite's zone data: a name's texts of type SPF stand for texts of type TXT unless it has such of its own, of which
/// `NONE` is none; `TIMEOUT` is for what a name doesn't have.
fn zone(data: &Value) -> Records {
    let mut records = Records::default();
    for (name, entries) in data.as_object().expect("zone data") {
        let entries: Vec<(&str, &Value)> = entries
            .as_array()
            .expect("records")
            .iter()
            .flat_map(|entry| match entry {
                Value::Object(typed) => typed.iter().map(|(kind, value)| (kind.as_str(), value)).collect(),
                plain => vec![(text(plain), &Value::Null)],
            })
            .collect();
        let has_texts = entries.iter().any(|(kind, _)| *kind == "TXT");
        let silent = entries.iter().any(|(kind, _)| *kind == "TIMEOUT");
        let mut answered = false;
        for (kind, value) in entries {
            let data = match kind {
                "TXT" if value == "NONE" => continue,
                "SPF" if has_texts => continue,
                "TXT" | "SPF" => {
                    answered = true;
                    Data::Txt(joined(value))
                }
                "A" | "AAAA" => Data::Address(text(value).parse().expect("an address")),
                "MX" => Data::Mx(u16::try_from(value[0].as_u64().unwrap()).unwrap(), text(&value[1]).to_owned()),
                "PTR" => Data::Ptr(text(value).to_owned()),
                "CNAME" => Data::Alias(text(value).to_owned()),
                "TIMEOUT" => continue,
                other => panic!("a record of type {other}"),
            };
            records = records.with(name, data);
        }
        if silent && !answered {
            records = records.failing(name, None);
        }
    }
    records
}

/// A text, or the strings of one.
fn joined(value: &Value) -> Vec<u8> {
    value.as_array().map_or_else(|| text(value).to_owned(), |strings| strings.iter().map(text).collect()).into_bytes()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
