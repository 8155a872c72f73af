//! The audit sends messages of its own to a real server and follows them.

use crate::support::*;
use nix::sys::signal::Signal;
use serde_json::Value;

/// What each control found.
fn found(run: &Value) -> Vec<(String, Value, String)> {
    let records = run["records"].as_array().unwrap();
    records
        .iter()
        .map(|one| (one["id"].as_str().unwrap().to_owned(), one["verdict"].clone(), one["said"].to_string()))
        .collect()
}

/// Addresses of users: what they hold may change, as an administrator is told of what was found.
fn users(data: &str) -> Vec<Value> {
    let users = json(&["user", "list", "--json", "--data", data]);
    users.as_array().unwrap().iter().map(|user| user["address"].clone()).collect()
}

#[test]
fn what_becomes_of_the_audit_s_own_mail_is_found_out_and_nothing_of_it_is_left() {
    let (mut server, _ready) = Server::demo();
    let data = server.data();
    let before = users(&data);
    let rules = json(&["rules", "list", "--json", "--data", &data]);
    let run = json(&["audit", "run", "--probe", "injection", "--json", "--data", &data]);
    let found = found(&run);
    let told: String = found.iter().map(|(id, verdict, said)| format!("{id} {verdict} {said}\n")).collect();
    println!("{told}");
    assert!(found.len() >= 25, "{told}");
    let verdict = |id: &str| &found.iter().find(|(other, ..)| other == id).unwrap().1;
    // The demo has no virus scanner: whatever else is found, a virus isn't stopped as one.
    assert_ne!(*verdict("AVS-03"), "pass", "{told}");
    for id in PASS {
        assert_eq!(*verdict(id), "pass", "{id}\n{told}");
    }
    for (id, verdict, _) in &found {
        assert_ne!(*verdict, "error", "{id}\n{told}");
    }
    // No user sees it, and it is gone, with the rule that made an address a stranger's.
    assert_eq!(json(&["rules", "list", "--json", "--data", &data]), rules);
    assert_eq!(users(&data), before);
    assert_eq!(json(&["quarantine", "list", "--json", "--data", &data])["messages"].as_array().map_or(0, Vec::len), 0);
    server.stop(Signal::SIGTERM);
    assert_eq!(users(&data), before);
}

/// What a server passes as it comes, also where nobody answers for the DNS, so that strangers' mail waits.
/// `tests/scenarios/68-audit-inside` tells of the others, with a scanner and names.
const PASS: &[&str] = &["SVC-07", "SVC-14", "LOG-09", "LOG-10", "POP-07", "POP-08", "POP-09", "POP-15"];
