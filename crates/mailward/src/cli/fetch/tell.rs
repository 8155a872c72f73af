//! Accounts elsewhere, in words.

use crate::failure::Failure;
use crate::print::{self, Field as _};
use mailward_core::{Clock as _, SystemClock};
use serde_json::Value;

/// Words of a server in a table's cell, characters.
const WHY_MAX: usize = 60;

/// One line an account.
pub(super) fn list(all: &Value) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = all
        .as_array()
        .into_iter()
        .flatten()
        .map(|account| {
            let state = account.field("state");
            let why = match state.field("error").as_str().or_else(|| state.field("note").as_str()) {
                Some(why) => print::short(why, WHY_MAX),
                None => "-".to_owned(),
            };
            vec![
                text(account, "name"),
                text(account, "protocol"),
                text(account, "host"),
                to(account),
                standing(account),
                ago(state.field("good")),
                number(state, "fetched"),
                number(state, "left"),
                why,
            ]
        })
        .collect();
    print::table(&["NAME", "BY", "FROM", "TO", "NEXT VISIT", "LAST GOOD", "FETCHED", "LEFT", "WHY"], &rows)
}

/// All about an account.
pub(super) fn account(account: &Value) -> Result<(), Failure> {
    let state = account.field("state");
    let tls = if text(account, "tls") == "starttls" { "TLS after STARTTLS" } else { "TLS" };
    let signed = if account.field("own_authority").as_bool() == Some(true) { ", own authority" } else { "" };
    let place = format!("{}, port {}, {tls}{signed}", text(account, "host"), number(account, "port"));
    print::line(format!("{}: {} at {place}", text(account, "name"), text(account, "protocol")))?;
    print::line(format!("as {}, every {} min", text(account, "user"), number(account, "every")))?;
    if text(account, "protocol") == "imap" {
        print::line(format!("from the mailbox {}", text(account, "mailbox")))?;
    }
    let after = if text(account, "after") == "keep" {
        "mail stays there"
    } else {
        "mail is deleted there once it is safe here"
    };
    print::line(format!("to {}; {after}", to(account)))?;
    print::line(format!("next visit: {}", standing(account)))?;
    print::line(format!("last visit: {}; last good one: {}", ago(state.field("tried")), ago(state.field("good"))))?;
    print::line(format!(
        "fetched so far: {}; left by the last visit: {}",
        number(state, "fetched"),
        number(state, "left")
    ))?;
    for (member, what) in [("error", "failed"), ("note", "note")] {
        if let Some(why) = state.field(member).as_str() {
            print::line(format!("{what}: {}", print::tame(why)))?;
        }
    }
    Ok(())
}

/// When it is visited, or why not.
fn standing(account: &Value) -> String {
    let state = account.field("state");
    let due = account.field("due").as_bool() == Some(true);
    if account.field("paused").as_bool() == Some(true) {
        return "paused".to_owned();
    }
    if !due && state.field("stopped").as_bool() == Some(true) {
        return "stopped: login refused".to_owned();
    }
    let next = state.field("next").as_i64().filter(|_| !due);
    match next.map(|next| next.saturating_sub(SystemClock.now().0)) {
        Some(wait) if wait > 0 => format!("in {}", span(wait)),
        _ => "due".to_owned(),
    }
}

fn to(account: &Value) -> String {
    let to = account.field("to");
    match (to.field("one").as_str(), to.field("envelope").field("otherwise").as_str()) {
        (Some(one), _) => print::tame(one),
        (None, otherwise) => format!("by envelope, else {}", print::tame(otherwise.unwrap_or_default())),
    }
}

fn ago(millis: &Value) -> String {
    match millis.as_i64() {
        Some(then) => format!("{} ago", span(SystemClock.now().0.saturating_sub(then))),
        None => "-".to_owned(),
    }
}

fn span(millis: i64) -> String {
    print::span(u64::try_from(millis.div_euclid(1_000)).unwrap_or(0))
}

fn text(value: &Value, member: &str) -> String {
    print::tame(value.field(member).as_str().unwrap_or_default())
}

fn number(value: &Value, member: &str) -> String {
    value.field(member).as_u64().unwrap_or(0).to_string()
}
