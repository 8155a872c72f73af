//! Accounts elsewhere, by the command line: without a server, and with one that fetches.

use crate::support::*;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::Path;

/// Asks until it is so.
fn shown(data: &str, is: impl Fn(&Value) -> bool) -> Value {
    let began = std::time::Instant::now();
    loop {
        let account = json(&["fetch", "show", "old", "--json", "--data", data]);
        if is(&account) {
            return account;
        }
        assert!(began.elapsed() < PATIENCE, "{account}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Subjects of what bob has.
fn bobs(ready: &Value) -> usize {
    let (mut bob, _) = imap(ready, 1);
    let told = bob.ask("s STATUS INBOX (MESSAGES)", "s OK");
    let number = told.split("MESSAGES ").nth(1).unwrap();
    number.split(')').next().unwrap().parse().unwrap()
}

#[test]
fn mail_of_another_account_comes_and_is_steered_with_and_without_a_server() {
    let (mut server, ready) = Server::demo();
    let data = server.data();
    let (ca, imaps) = (ready["ca"].as_str().unwrap().to_owned(), port(&ready, "imaps").to_string());
    let ca = if Path::new(&ca).is_absolute() { ca } else { path(&server.dir, &ca) };
    let alice = &ready["users"][0];
    let secret = path(&server.dir, "secret");
    std::fs::write(&secret, alice["password"].as_str().unwrap()).unwrap();
    let before = bobs(&ready);
    let add = [
        "fetch",
        "add",
        "old",
        "--imap",
        "127.0.0.1",
        "--port",
        &imaps,
        "--user",
        "alice@example.test",
        "--to",
        "bob@example.test",
        "--every",
        "60",
        "--authority",
        &ca,
        "--password-file",
        &secret,
        "--data",
        &data,
    ];
    assert!(done(&add).starts_with("old is added, and visited now"));
    let account = shown(&data, |account| account["due"] == false);
    assert_eq!(account["state"]["error"], Value::Null, "{account}");
    let fetched = usize::try_from(account["state"]["fetched"].as_u64().unwrap()).unwrap();
    assert!(fetched > 0, "alice has mail from the start");
    assert_eq!(bobs(&ready), before + fetched);
    let (mut there, _) = imap(&ready, 0);
    assert!(there.ask("s STATUS INBOX (MESSAGES)", "s OK").contains("MESSAGES 0)"), "gone there");
    assert!(account.get("sealed").is_none() && account["authority"] == Value::Null);

    let list = done(&["fetch", "list", "--data", &data]);
    assert!(list.starts_with("NAME") && list.contains("bob@example.test") && list.contains("min "), "{list}");
    let text = done(&["fetch", "show", "old", "--data", &data]);
    assert!(text.contains("mail is deleted there once it is safe here") && text.contains("own authority"), "{text}");
    let (code, _, err) = run(&add);
    assert!(code == 1 && err.contains("already"), "{err}");

    let (code, _, err) = run_with(&["fetch", "change", "old", "--new-password", "--data", &data], "wrong-lantern-93\n");
    assert_eq!(code, 0, "{err}");
    shown(&data, |account| account["state"]["stopped"] == true);
    let list = done(&["fetch", "list", "--data", &data]);
    assert!(list.contains("stopped: login refused") && !list.contains("wrong-lantern"), "{list}");
    server.stop(Signal::SIGTERM);

    let told = done(&["fetch", "change", "old", "--password-file", &secret, "--keep", "--data", &data]);
    assert!(told.contains("when the server runs"), "{told}");
    assert_eq!(done(&["fetch", "pause", "old", "--data", &data]), "old is paused\n");
    let (code, _, err) = run(&["fetch", "now", "old", "--data", &data]);
    assert!(code == 1 && err.contains("fetch resume old"), "{err}");
    assert_eq!(json(&["fetch", "list", "--json", "--data", &data])[0]["paused"], true);
    done(&["fetch", "resume", "old", "--data", &data]);
    done(&["fetch", "remove", "old", "--data", &data]);
    assert_eq!(json(&["fetch", "list", "--json", "--data", &data]), serde_json::json!([]));
    let (code, _, err) = run(&["fetch", "show", "old", "--data", &data]);
    assert!(code == 1 && err.contains("fetch list"), "{err}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let (mut server, _) = Server::demo();
    let data = server.data();
    let add = |more: &[&str]| {
        let mut words = vec!["fetch", "add", "old", "--user", "x", "--data", &data];
        words.extend(more);
        run_with(&words, "secret-lantern-93\n")
    };
    for (words, what) in [
        (&["--imap", "mail.example.net"][..], "who gets it"),
        (&["--to", "bob@example.test"], "--imap"),
        (&["--imap", "a b", "--to", "bob@example.test"], "is no server"),
        (&["--imap", "mail.example.net", "--to", "stranger@example.net"], "never elsewhere"),
        (&["--imap", "mail.example.net", "--to", "bob@example.test", "--every", "0"], "minutes apart"),
        (&["--pop3", "mail.example.net", "--to", "bob@example.test", "--header", "X"], "--by-envelope"),
    ] {
        let (code, _, err) = add(words);
        assert_ne!(code, 0, "{words:?}");
        assert!(err.contains(what), "{words:?}: {err}");
    }
    assert_eq!(json(&["fetch", "list", "--json", "--data", &data]), serde_json::json!([]));
    server.stop(Signal::SIGTERM);
}
