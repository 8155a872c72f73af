//! Routes and gateways by the command line: the same with a running server and without one.

use crate::support::*;
use nix::sys::signal::Signal;
use serde_json::Value;

/// Makes, tells, changes and removes what there is, on the server of this data directory.
fn everything(data: &str, smtp: u16) {
    let with = |arguments: &[&str]| -> Vec<String> {
        arguments.iter().copied().chain(["--data", data]).map(str::to_owned).collect()
    };
    let run_at = |arguments: &[&str], input: &str| {
        let all = with(arguments);
        run_with(&all.iter().map(String::as_str).collect::<Vec<_>>(), input)
    };
    let at = |arguments: &[&str], input: &str| -> String {
        let (code, out, err) = run_at(arguments, input);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    };
    let json_at = |arguments: &[&str]| -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&at(&all, "")).unwrap()
    };
    let refused = |arguments: &[&str], part: &str| {
        // Who doesn't read it has hung up already.
        let input = if arguments.contains(&"-") { "secret-word\n" } else { "" };
        let (code, _, err) = run_at(arguments, input);
        assert!(code != 0 && err.contains(part) && !err.contains("secret-word"), "{arguments:?}: {code} {err}");
    };

    at(
        &[
            "route",
            "add",
            "out",
            "--from",
            "joe@example.org",
            "--user",
            "joe",
            "--password-file",
            "-",
            "--lifetime",
            "12h",
            "smarthost",
            "192.0.2.7",
        ],
        "secret-word\n",
    );
    at(&["route", "add", "no", "--to", "t.example", "discard"], "");
    let shown = json_at(&["route", "show", "out"]);
    assert_eq!((shown["user"].as_str(), shown["lifetime"].as_u64()), (Some("joe"), Some(43_200)));
    assert!(!shown.to_string().contains("secret-word"));
    assert!(at(&["route", "list"], "").contains("smarthost 192.0.2.7 (starttls, user joe)"));
    let found = json_at(&["route", "test", "--from", "Joe@example.org", "--to", "u@far.example"]);
    assert_eq!((found["by"].as_str(), found["lane"].as_str()), (Some("route:out"), Some("route:out")));
    assert_eq!(found["way"]["hosts"][0]["addresses"][0], "192.0.2.7:587");
    assert_eq!(json_at(&["route", "test", "--to", "u@t.example"])["way"]["way"], "discarded");
    assert!(at(&["route", "test", "--to", "alice@example.test"], "").contains("delivered here"));

    refused(&["route", "add", "out", "--to", "x.example", "mx"], "already");
    refused(&["route", "add", "two", "--to", "T.example", "mx"], "route:no is for the same mail");
    refused(&["route", "add", "two", "--to", "example.test", "mx"], "a domain of this server");
    refused(&["route", "add", "two", "host", &format!("127.0.0.1:{smtp}")], "this server itself");
    refused(&["route", "add", "two", "maildir", "/srv/box"], "queue");
    refused(&["route", "add", "two", "fly"], "smarthost HOST[:PORT]");
    refused(&["route", "add", "two", "smarthost", "a.example", "--user", "joe"], "password");
    refused(&["route", "change", "none", "mx"], "no route none");
    refused(&["route", "change", "out", "--password-file", "-", "mx"], "no user");
    refused(&["route", "change", "no", "--user", "joe"], "belong to a way");

    at(&["route", "change", "out", "--lifetime", "usual", "--to", "far.example"], "");
    let shown = json_at(&["route", "show", "out"]);
    assert_eq!((shown["to"].as_str(), &shown["lifetime"]), (Some("far.example"), &Value::Null));
    at(&["route", "remove", "out"], "");
    at(&["route", "remove", "no"], "");
    refused(&["route", "remove", "no"], "no route no");

    at(&["gateway", "add", "in.example", "--to", "192.0.2.9", "--check", "list"], "");
    refused(&["gateway", "add", "in.example", "--to", "192.0.2.9"], "already");
    refused(&["gateway", "add", "example.test", "--to", "192.0.2.9"], "a domain of this server");
    refused(&["gateway", "add", "x.example", "--to", &format!("localhost:{smtp}")], "this server itself");
    refused(&["gateway", "allow", "in.example", "u@t.example"], "isn't an address of");
    refused(&["domain", "add", "in.example"], "gateway");
    let file = "ann@in.example\n# nobody\n\"b c\"@in.example\n";
    assert!(at(&["gateway", "allow", "in.example", "--file", "-"], file).contains("2 recipients"));
    let listed = json_at(&["gateway", "recipients", "in.example"]);
    assert_eq!(listed, serde_json::json!(["ann@in.example", "\"b c\"@in.example"]));
    let (code, _, err) = run_at(&["gateway", "change", "in.example", "--check", "none"], "");
    assert!(code == 0 && err.contains("WARNING"), "{err}");
    assert!(at(&["gateway", "list"], "").contains("NOT CHECKED"));
    at(&["gateway", "remove", "in.example"], "");
    assert_eq!(json_at(&["gateway", "list"]), serde_json::json!([]));
}

#[test]
fn routes_and_gateways_are_made_told_changed_and_removed_with_a_server_and_without() {
    let (mut server, ready) = Server::demo();
    let (data, smtp) = (server.data(), port(&ready, "smtp"));
    everything(&data, smtp);
    server.stop(Signal::SIGTERM);
    everything(&data, smtp);
}
