//! Who is connected, and the end of it.

use crate::support::*;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{Read, Write};

/// The session that is told to be so; waited for, because what a session notes comes with its next step.
fn seen(data: &str, more: &[&str], is: impl Fn(&Value) -> bool) -> Value {
    let mut all = vec!["sessions", "--json", "--data", data];
    all.extend(more);
    let began = std::time::Instant::now();
    loop {
        let listed = json(&all);
        if let Some(session) = listed.as_array().unwrap().iter().find(|session| is(session)) {
            return session.clone();
        }
        assert!(began.elapsed() < PATIENCE, "{listed}");
    }
}

fn number(session: &Value) -> String {
    session["session"].to_string()
}

/// Everything up to the end of the connection, which comes.
fn rest<S: Read + Write>(talk: &mut Talk<S>) -> String {
    let mut all = String::new();
    loop {
        match talk.line() {
            line if line.is_empty() => return all,
            line => all.push_str(&line),
        }
    }
}

#[test]
fn a_session_is_listed_with_what_is_known_and_ended_alone() {
    let (mut server, ready) = Server::demo();
    let data = server.data();
    let (mut alice, _) = imap(&ready, 0);
    alice.ask("i ID (\"name\" \"Pigeon\u{1b}[2J Post\" \"version\" \"7.1\")", "i OK");
    let (mut other, _) = imap(&ready, 0);
    let (mut bob, _) = imap(&ready, 1);
    alice.ask("c IDLE", "+ ");
    let session = seen(&data, &["--user", "alice@example.test"], |s| s["state"] == "idle" && s["client"].is_string());
    assert_eq!(session["client"], "Pigeon\u{fffd}[2J Post 7.1");
    assert_eq!((&session["protocol"], &session["listener"]), (&"imap".into(), &"imaps".into()));
    assert_eq!((&session["from"], &session["mailbox"]), (&"127.0.0.1".into(), &"INBOX".into()));
    assert_eq!(session["tls"]["version"], "TLSv1.3");
    assert!(session["tls"]["cipher"].as_str().unwrap().starts_with("TLS_"));
    assert!(session["idle_seconds"].as_u64() <= session["connected_seconds"].as_u64());
    let shown = done(&["sessions", "--protocol", "IMAP", "--data", &data]);
    assert!(shown.starts_with("NUMBER") && shown.contains("Pigeon\u{fffd}[2J Post 7.1"), "{shown}");
    assert_eq!(shown.lines().count(), 4, "{shown}");
    assert_eq!(json(&["sessions", "--protocol", "pop3", "--json", "--data", &data]), serde_json::json!([]));

    let told = done(&["sessions", "end", &number(&session), "--data", &data]);
    assert_eq!(told, format!("session {} of alice@example.test told to end\n", number(&session)));
    assert_eq!(rest(&mut alice), "* BYE this session was ended; log in again\r\n");
    other.ask("c NOOP", "c OK");
    let told = done(&["sessions", "end", "--user", "alice@example.test", "--data", &data]);
    assert_eq!(told, "1 session told to end\n");
    assert!(rest(&mut other).starts_with("* BYE "));
    bob.ask("c NOOP", "c OK");

    let refused = |arguments: &[&str], code: i32, part: &str| {
        let mut all = arguments.to_vec();
        all.extend(["--data", &data]);
        let (found, out, err) = run(&all);
        assert!(found == code && out.is_empty() && err.contains(part), "{arguments:?}: {found} {out} {err}");
    };
    refused(&["sessions", "end", "4711000"], 1, "there is no session 4711000");
    refused(&["sessions", "end", "--user", "nobody@example.test"], 1, "there is no user");
    refused(&["sessions", "--user", "nobody@example.test"], 1, "there is no user");
    refused(&["sessions", "--protocol", "ftp"], 64, "smtp, submission, lmtp, imap, pop3 or http");
    refused(&["sessions", "end"], 64, "");
    refused(&["sessions", "end", "1", "--user", "alice@example.test"], 64, "");
    refused(&["sessions", "--json", "end", "1"], 64, "don't go with");
    server.stop(Signal::SIGTERM);
    refused(&["sessions"], 69, "no server runs");
    refused(&["sessions", "end", "1"], 69, "no server runs");
    let log = std::fs::read_to_string(server.dir.path().join("demo/mailward.log")).unwrap();
    assert_eq!(log.matches(" session.ended ").count(), 2, "{log}");
    assert!(log.contains("user=alice@example.test why=administrator"), "{log}");
}

#[test]
fn every_protocol_says_goodbye_in_its_own_words() {
    let (mut server, ready) = Server::demo();
    let data = server.data();
    let mut smtp = Talk::plain(port(&ready, "smtp"));
    smtp.until("220 ");
    smtp.ask("EHLO mx.example.net", "250 ");
    let mut pop3 = Talk::plain(port(&ready, "pop3"));
    pop3.until("+OK");
    pop3.ask("CAPA", ".");
    // The handshake that never begins is a session too.
    let mut silent = Talk::plain(port(&ready, "imaps"));
    let session = seen(&data, &[], |s| s["protocol"] == "smtp" && s["client"].is_string());
    assert_eq!(
        (&session["client"], &session["user"], &session["tls"]),
        (&"mx.example.net".into(), &Value::Null, &Value::Null)
    );
    let handshake = seen(&data, &[], |s| s["listener"] == "imaps");
    assert_eq!(handshake["state"], "greeting");
    for session in [&session, &handshake, &seen(&data, &[], |s| s["protocol"] == "pop3" && s["state"] == "idle")] {
        done(&["sessions", "end", &number(session), "--data", &data]);
    }
    assert_eq!(rest(&mut smtp), "421 4.3.2 This session was ended; try again later\r\n");
    assert_eq!(rest(&mut pop3), "-ERR [SYS/TEMP] this session was ended, nothing was deleted\r\n");
    assert_eq!(rest(&mut silent), "");
    server.stop(Signal::SIGTERM);
}

/// Attacks C12: whoever got in with the old password is out, at once, also while they only wait.
#[test]
fn a_new_password_a_disabled_and_a_removed_account_end_its_sessions() {
    let (mut server, ready) = Server::demo();
    let data = server.data();
    let mut ready = ready;
    let set = ["user", "password", "joe@example.test", "--data", &data];
    done(&["user", "add", "joe@example.test", "--no-password", "--data", &data]);
    assert_eq!(run_with(&set, "plum wagon ferry ochre\n").0, 0);
    ready["users"][0] = serde_json::json!({ "address": "joe@example.test", "password": "plum wagon ferry ochre" });
    let (mut bob, _) = imap(&ready, 1);
    let idle = || {
        let (mut talk, _) = imap(&ready, 0);
        talk.ask("c IDLE", "+ ");
        talk
    };

    let mut waiting = [idle(), idle()];
    let (code, out, err) = run_with(&set, "plum wagon ferry ochre\n");
    assert_eq!((code, out.as_str()), (0, "password of joe@example.test set\n2 sessions told to end\n"), "{err}");
    for talk in &mut waiting {
        assert!(rest(talk).starts_with("* BYE "));
    }
    let mut waiting = idle();
    let told = done(&["user", "set", "joe@example.test", "--name", "Joe", "--data", &data]);
    assert_eq!(told, "joe@example.test changed\n", "a name is no reason");
    let told = done(&["user", "set", "joe@example.test", "--disable", "--data", &data]);
    assert_eq!(told, "joe@example.test changed\n1 session told to end\n");
    assert!(rest(&mut waiting).starts_with("* BYE "));
    done(&["user", "set", "joe@example.test", "--enable", "--data", &data]);
    let mut waiting = idle();
    // Who idles may find the mailbox gone before it is told.
    done(&["user", "remove", "joe@example.test", "--yes", "--data", &data]);
    assert!(rest(&mut waiting).contains("* BYE "));

    bob.ask("c IDLE", "+ ");
    let told = done(&["domain", "set", "example.test", "--disable", "--data", &data]);
    assert_eq!(told, "example.test changed\n1 session told to end\n");
    assert!(rest(&mut bob).starts_with("* BYE "));
    server.stop(Signal::SIGTERM);
}
