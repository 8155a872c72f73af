//! What a running server says of itself to an audit.

use crate::support::*;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// What controls of a probe found: the verdict's first word, and what was said.
fn found(data: &str) -> impl Fn(&str) -> (String, String) + use<> {
    let run = json(&["audit", "run", "--probe", "state", "--forget", "--json", "--data", data]);
    let records = run["records"].as_array().unwrap().clone();
    move |id: &str| {
        let record = records.iter().find(|record| record["id"] == id).unwrap_or_else(|| panic!("{id} isn't asked"));
        let verdict = match &record["verdict"] {
            Value::String(word) => word.clone(),
            Value::Object(part) => part.keys().next().unwrap().clone(),
            other => panic!("{other}"),
        };
        (verdict, record["said"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_server_tells_all_that_is_asked_of_it_and_what_is_spoiled_shows() {
    let (mut server, _ready) = Server::demo();
    let data = server.data();
    let of = found(&data);
    for id in [
        "SVC-15", "SVC-23", "OSA-11", "OSA-13", "OSA-14", "LOG-11", "AVS-01", "CLI-06", "CLI-09", "CLI-12", "FLT-09",
        "FLT-11", "FLT-12", "FLT-13", "FLT-14", "FLT-15", "ENC-04", "ENC-06", "ENC-19", "DOS-10", "DOS-14", "STB-08",
        "CAP-01",
    ] {
        let (verdict, said) = of(id);
        assert!(!matches!(verdict.as_str(), "not-tested" | "error"), "{id}: {verdict}: {said}");
    }
    for id in ["SVC-15", "OSA-11", "OSA-13", "CLI-09", "CLI-12", "FLT-12", "FLT-13", "FLT-14", "ENC-19", "STB-08"] {
        assert_eq!(of(id).0, "pass", "{id}: {}", of(id).1);
    }
    // No engine, and nobody but the log hears of alerts.
    assert_eq!((of("AVS-01").0.as_str(), of("AVS-02").0.as_str()), ("fail", "not-run"));
    // There was no audit before.
    assert_eq!((of("CAP-01").0.as_str(), of("LOG-03").0.as_str()), ("fail", "not-tested"));

    done(&["alias", "add", "sales@example.test", "joe@elsewhere.example", "--data", &data]);
    done(&["domain", "set", "example.test", "--catch-all", "alice@example.test", "--data", &data]);
    done(&["user", "limit", "alice@example.test", "--new-per-hour", "0", "--new-per-day", "0", "--data", &data]);
    done(&["rules", "add", "192.0.2.7", "skip", "--data", &data]);
    let of = found(&data);
    for (id, what) in [
        ("CLI-12", "sales@example.test to joe@elsewhere.example"),
        ("SVC-15", "@example.test to alice@example.test"),
        ("FLT-13", "new of alice@example.test"),
        ("FLT-15", "doesn't say why"),
    ] {
        let (verdict, said) = of(id);
        assert!(verdict == "fail" && said.contains(what), "{id}: {verdict}: {said}");
    }

    // In the file and not in force: from here on nobody answers what the audit asks of the DNS.
    let file = Path::new(&data).join("mailward.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replace("\n[dns]\n", "\n[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = 1\n");
    assert_ne!(text, changed);
    std::fs::write(&file, changed).unwrap();
    let (verdict, said) = found(&data)("SVC-23");
    assert!(verdict == "fail" && said.contains("dns.servers"), "{verdict}: {said}");

    // One that is kept is what the next one looks back at.
    done(&["audit", "run", "--data", &data]);
    let of = found(&data);
    for id in ["LOG-03", "CAP-01", "CAP-03", "CAP-08"] {
        assert_eq!(of(id).0, "pass", "{id}: {}", of(id).1);
    }
    assert_eq!(of("CAP-02").0, "fail", "nobody owns what failed");
    server.stop(Signal::SIGTERM);
}

/// Asks the server as an audit asks it of its own account.
fn canary(data: &str, about: &Value) -> Value {
    let mut wire = UnixStream::connect(Path::new(data).join("control.sock")).unwrap();
    let asked = serde_json::json!({ "do": "audit", "ask": { "what": "canary", "about": about } });
    writeln!(wire, "{asked}").unwrap();
    let mut line = String::new();
    BufReader::new(wire).read_line(&mut line).unwrap();
    serde_json::from_str::<Value>(&line).unwrap()["done"].clone()
}

#[test]
fn an_audit_that_waited_for_its_turn_judges_the_server_of_then() {
    let (mut server, _ready) = Server::demo();
    let data = server.data();
    let mine = canary(&data, &serde_json::json!({ "what": "make" }));
    let words = ["audit", "run", "--control", "FLT-15,SVC-07", "--forget", "--json", "--data", &data];
    let mut second = mailward(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("another audit goes on") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it says why it waits");
    }
    done(&["rules", "add", "192.0.2.7", "skip", "--data", &data]);
    let forget = serde_json::json!({ "what": "forget", "address": mine["address"] });
    assert_eq!(canary(&data, &forget), Value::Null);
    let out = second.wait_with_output().unwrap();
    let run: Value = serde_json::from_slice(&out.stdout).unwrap();
    let records = run["records"].as_array().unwrap();
    let of = records.iter().find(|record| record["id"] == "FLT-15").unwrap();
    assert!(of.to_string().contains("192.0.2.7 skip: doesn't say why"), "{of}");
    server.stop(Signal::SIGTERM);
}

/// Another installation's audit, in which one control says this of itself.
fn handed_over(dir: &TempDir, name: &str, id: &str, verdict: &Value, total: u32) -> String {
    let record = serde_json::json!({
        "id": id, "area": "logs", "dimension": "what", "weight": 10, "cap": null, "probe": "host", "began": 0, "ended": 0,
        "verdict": verdict, "said": EVIL, "seen": [],
    });
    let score = serde_json::json!({ "total": total, "uncapped": total, "caps": [], "areas": [] });
    let file = path(dir, name);
    std::fs::write(&file, serde_json::json!({ "score": score, "records": [record], "weights": {} }).to_string())
        .unwrap();
    file
}

/// What clears a screen, turns writing round, ends a page, or is a formula.
const EVIL: &str = "\u{1b}[2J\u{9b}31m\0\r\n\u{202e}</script>=cmd|' /C calc'!A0";

#[test]
fn what_another_installation_hands_over_moves_no_terminal_and_is_counted_again() {
    let dir = TempDir::new().unwrap();
    let fail = serde_json::json!("fail");
    let good = handed_over(&dir, "good", "LOG-07", &serde_json::json!("pass"), 100_000);
    let bad = handed_over(&dir, "bad", EVIL, &fail, 0);
    let flattering = handed_over(&dir, "flattering", "LOG-07", &fail, 100_000);
    let odd = handed_over(&dir, "odd", "LOG-07", &serde_json::json!(EVIL), 0);
    for (words, code, has) in [
        (vec!["audit", "compare", &good, &bad], 0, "1000 points before, 0 after"),
        (vec!["audit", "compare", &good, &bad, "--json"], 0, "\"after\": \"failed\""),
        (vec!["audit", "compare", &good, &flattering], 1, "it says 1000 points, and its answers are worth 0"),
        (vec!["audit", "compare", &odd, &good], 1, "unknown variant"),
    ] {
        let (ended, out, err) = run(&words);
        assert_eq!(ended, code, "{words:?} {err}");
        let told = format!("{out}{err}");
        assert!(told.contains(has), "{words:?}: {told:?}");
        let moves = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!told.chars().any(moves), "{words:?}: {told:?}");
    }
}
