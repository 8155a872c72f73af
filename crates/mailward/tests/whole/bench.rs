//! The load programs against the server: a mailbox filled, and every kind of work done on it once.

use crate::support::*;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

const MESSAGES: u64 = 120;

/// What every reading load program is told: server, user, password, authority.
fn access(server: &Server, ready: &Value, door: &str) -> Vec<String> {
    let password = path(&server.dir, "password");
    std::fs::write(&password, format!("{}\n", ready["users"][0]["password"].as_str().unwrap())).unwrap();
    let pairs = [
        ("--port", port(ready, door).to_string()),
        ("--user", ready["users"][0]["address"].as_str().unwrap().to_owned()),
        ("--password-file", password),
        ("--ca", ready["ca"].as_str().unwrap().to_owned()),
        ("--tls-name", "localhost".to_owned()),
    ];
    pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
}

fn bench(what: &str, access: &[String], more: &[&str]) -> Value {
    let mut arguments = vec!["bench", what];
    arguments.extend(access.iter().map(String::as_str));
    arguments.extend(more);
    arguments.push("--json");
    json(&arguments)
}

/// A demo with alice's mailbox `Archive` filled.
fn filled() -> (Server, Value, Vec<String>, Value) {
    let (server, ready) = Server::demo();
    let access = access(&server, &ready, "imaps");
    let told = bench("imap-fill", &access, &["--messages", &MESSAGES.to_string(), "--mailbox", "Archive"]);
    (server, ready, access, told)
}

#[test]
fn every_kind_of_work_is_done_and_every_answer_is_whole() {
    let (mut server, _ready, access, told) = filled();
    assert_eq!((told["messages"].as_u64(), told["words"]["rare"]["messages"].as_u64()), (Some(MESSAGES), Some(3)));
    for case in
        ["select", "envelope", "bodies", "store", "append", "sessions", "first", "last50", "flag-one", "idle-news"]
    {
        let more = ["--mailbox", "Archive", "--case", case, "--seconds", "0.05", "--rounds", "2"];
        let report = bench("imap", &access, &more);
        for measured in report["measured"].as_array().unwrap() {
            assert!(measured["ms"].as_f64().unwrap() > 0.0, "{case}: {report}");
        }
        if case != "append" {
            assert_eq!(report["messages"], MESSAGES, "{case} leaves the mailbox as it was");
        }
    }
    for (case, which) in [("search-subject", "few"), ("search-subject", "many"), ("search-text", "rare")] {
        let word = &told["words"][which];
        let (expect, word) = (word["messages"].to_string(), word["word"].as_str().unwrap());
        bench("imap", &access, &["--mailbox", "Archive", "--case", case, "--word", word, "--expect", &expect]);
    }
    // A mailbox that has messages isn't filled: they would be somebody's.
    let mut again: Vec<&str> = vec!["bench", "imap-fill", "--mailbox", "Archive"];
    again.extend(access.iter().map(String::as_str));
    let (code, _, err) = run(&again);
    assert!(code == 1 && err.contains("only an empty mailbox is filled"), "{code} {err}");
    server.stop(Signal::SIGTERM);
}

#[test]
fn starttls_works_as_implicit_tls_does() {
    let (mut server, ready) = Server::demo();
    for (what, door, case) in [("imap", "imap", "select"), ("pop3", "pop3", "retr")] {
        bench(what, &access(&server, &ready, door), &["--tls", "starttls", "--case", case]);
    }
    server.stop(Signal::SIGTERM);
}

#[test]
fn a_maildrop_is_fetched_whole_and_stays() {
    let (mut server, ready) = Server::demo();
    let access = access(&server, &ready, "pop3s");
    let there = bench("pop3", &access, &["--case", "retr"])["messages"].as_u64().unwrap();
    assert!(there > 0);
    assert_eq!(bench("pop3", &access, &["--case", "retr-pipelined", "--rounds", "3"])["messages"], there);
    server.stop(Signal::SIGTERM);
}

#[test]
fn idle_connections_are_held_until_standard_input_ends_and_are_alive_then() {
    let (mut server, ready) = Server::demo();
    let access = access(&server, &ready, "imaps");
    let file = path(&server.dir, "idle.json");
    let mut arguments = vec!["bench", "idle", "--connections", "12", "--ready-file", &file, "--json"];
    arguments.extend(access.iter().map(String::as_str));
    let mut child = mailward(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    appeared(Path::new(&file), &mut child);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"still here").unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(input);
    assert_eq!(ended(&mut child).0, Some(0));
    server.stop(Signal::SIGTERM);
}

#[test]
fn a_store_is_filled_while_no_server_uses_it_and_read_afterwards() {
    let (mut server, ready) = Server::demo();
    let (data, user) = (server.data(), ready["users"][0]["address"].as_str().unwrap().to_owned());
    let fill = ["bench", "store-fill", "--data", &data, "--user", &user, "--messages", "1500", "--size", "600"];
    let (code, _, err) = run(&fill);
    assert!(code != 0 && err.contains("in use"), "{code} {err}");
    server.stop(Signal::SIGTERM);
    done(&fill);
    done(&["store", "verify", "--data", &data]);
    let before = ready["users"][0]["password"].as_str().unwrap().to_owned();
    let Server { dir, .. } = &mut server;
    let dir = std::mem::replace(dir, tempfile::tempdir().unwrap());
    let (mut server, ready) = Server::demo_in(dir, port_base(), &["--password", &before]);
    let (_talk, exists) = imap(&ready, 0);
    assert!(exists >= 1_500, "{exists}");
    server.stop(Signal::SIGTERM);
}

#[test]
fn a_decision_of_the_rate_guard_is_timed_with_few_and_many_sources() {
    let told = json(&["bench", "gate", "--sources", "0,1000,20000", "--decisions", "200", "--rounds", "3", "--json"]);
    let sources: Vec<_> = told["measured"].as_array().unwrap().iter().map(|m| m["sources"].as_u64().unwrap()).collect();
    assert_eq!(sources, [0, 1_000, 20_000]);
    let (code, _, err) = run(&["bench", "gate", "--sources", "99999999999"]);
    assert!(code != 0 && err.contains("at most"), "{err}");
}
