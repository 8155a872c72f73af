//! Rules for what messages hold, by the command line: the same with a running server and without one.

use crate::support::*;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::Path;

/// A message with a script in a file that is called a text.
const MESSAGE: &str = "From: a@a.example\r\nSubject: card 4111 1111 1111 1111\r\nMIME-Version: 1.0\r\n\
     Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n\
     --b\r\nContent-Disposition: attachment; filename=\"a.vbs\"\r\n\r\nCreateObject(\"x\")\r\n--b--\r\n";

fn everything(data: &str, dir: &Path) {
    let run_at = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().copied().chain(["--data", data]).collect();
        run(&all)
    };
    let at = |arguments: &[&str]| -> String {
        let (code, out, err) = run_at(arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    };
    let refused = |arguments: &[&str], part: &str| {
        let (code, _, err) = run_at(arguments);
        assert!(code != 0 && err.contains(part), "{arguments:?}: {code} {err}");
    };
    let json_at = |arguments: &[&str]| -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&at(&all)).unwrap()
    };
    let file = dir.join("message.eml");
    std::fs::write(&file, MESSAGE).unwrap();
    let file = file.to_str().unwrap();
    let becomes = |more: &[&str]| -> Vec<String> {
        let all: Vec<&str> = ["content", "test", file].iter().chain(more).copied().collect();
        let told = json_at(&all);
        told["becomes"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap().to_owned()).collect()
    };

    assert_eq!(becomes(&[]), ["quarantine"]);
    at(&["content", "add", "for=joe@example.test", "ext=vbs", "deliver", "until=2099-12-31"]);
    assert_eq!(becomes(&["--to", "joe@example.test", "--to", "ann@example.test"]), ["deliver", "quarantine"]);
    at(&["content", "add", "direction=outgoing", "anywhere=detect:card", "reject", "ask us", "--first"]);
    assert_eq!(becomes(&["--direction", "outgoing", "--from", "joe@example.test"]), ["reject"]);
    let listed = json_at(&["content", "list"]);
    assert_eq!(listed[0]["rule"], "direction=outgoing anywhere=detect:card reject \"ask us\"");
    let (first, second) = (listed[0]["id"].to_string(), listed[1]["id"].to_string());
    at(&["content", "move", &first, "--last"]);
    assert_eq!(json_at(&["content", "list"])[0]["id"].to_string(), second);
    assert!(json_at(&["content", "list", "--all"]).as_array().unwrap().len() > 60);

    refused(&["content", "add", "ext=vbs", "fly"], "\"fly\" is neither");
    refused(&["content", "add", "text=dictionary:none", "hold"], "no dictionary \"none\"");
    refused(&["content", "add", "ext=a", "mark", "until=2001-01-01"], "it has expired");
    refused(&["content", "add", "direction=outgoing anywhere=detect:card reject \"ask us\""], "says the same");
    refused(&["content", "remove", "999"], "no rule 999");
    refused(&["rules", "test", "no-such-file"], "the file of a message");
    assert!(at(&["rules", "check"]).contains("2 made here"));
    assert!(at(&["rules", "test", file]).ends_with("quarantine\n"));

    let old = dir.join("quarantine-attachments.txt");
    std::fs::write(&old, ".xyz\t0\tOdd (.xyz)\n(a|b)@.*\tVirus-RCPTTO:\tSpam\n").unwrap();
    let told = at(&["migrate", "qmail-scanner", old.to_str().unwrap()]);
    assert!(told.contains("mailward content add --last 'ext=xyz") && told.contains("to=@domain"), "{told}");
    assert_eq!(json_at(&["content", "list"]).as_array().unwrap().len(), 2, "nothing was changed");
    at(&["migrate", "qmail-scanner", old.to_str().unwrap(), "--apply"]);
    let listed = json_at(&["content", "list"]);
    assert_eq!(listed[2]["comment"], "from quarantine-attachments.txt");
    for rule in listed.as_array().unwrap() {
        at(&["content", "remove", &rule["id"].to_string()]);
    }
}

#[test]
fn rules_for_contents_are_made_told_tried_and_removed_with_a_server_and_without() {
    let (mut server, _) = Server::demo();
    let (data, dir) = (server.data(), tempfile::tempdir().unwrap());
    everything(&data, dir.path());
    server.stop(Signal::SIGTERM);
    everything(&data, dir.path());
}

#[test]
fn a_rule_that_isn_t_one_is_told_with_its_line_and_keeps_a_server_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mailward.toml");
    let check = |text: &str| {
        std::fs::write(&file, format!("hostname = \"mail.example.org\"\ndata = \"{}\"\n{text}", dir.path().display()))
            .unwrap();
        let (code, _, err) = run(&["content", "check", "--config", file.to_str().unwrap()]);
        assert_ne!(code, 0);
        err
    };
    let told = check("[content]\nrules = [\"ext=a mark\", \"ext=b fly\"]\n");
    assert!(told.contains("line 4: content.rules") && told.contains("rule 2: \"fly\" is neither"), "{told}");
    let told = check("[content]\nrules = [\"text=dictionary:x hold\"]\n");
    assert!(told.contains("no dictionary \"x\""), "{told}");
    let told = check("[content]\ndictionaries = [\"x=/nowhere/x\"]\n");
    assert!(told.contains("content.dictionaries") && told.contains("/nowhere/x"), "{told}");
}
