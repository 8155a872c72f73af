//! The first five minutes.

use crate::support::*;
use nix::sys::signal::Signal;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn one_command_makes_a_server_with_mail_in_it() {
    let (mut server, ready) = Server::demo();
    assert_eq!(ready["pid"].as_u64().unwrap(), u64::from(server.child.id()));
    assert!(std::path::Path::new(ready["ca"].as_str().unwrap()).is_file());
    let users: Vec<&str> = (0..2).map(|n| ready["users"][n]["address"].as_str().unwrap()).collect();
    assert_eq!(users, ["alice@example.test", "bob@example.test"]);

    let (mut alice, messages) = imap(&ready, 0);
    assert_eq!(messages, 5, "plain, picture, attachment, beyond ASCII, one of the thread");
    let structure = alice.ask("c FETCH 1:* (ENVELOPE BODYSTRUCTURE)", "c OK");
    for part in ["Welcome to Mailward", "\"RELATED\"", "figures", "sample-thread-2@example.test"] {
        assert!(structure.to_lowercase().contains(&part.to_lowercase()), "{part} in {structure}");
    }
    assert_eq!(imap(&ready, 1).1, 4);
    server.stop(Signal::SIGINT);
}

#[test]
fn a_second_start_keeps_mail_and_passwords_and_brings_no_second_samples() {
    let base = port_base();
    let (mut server, first) = Server::demo_in(tempfile::tempdir().unwrap(), base, &[]);
    assert!(deliver(port(&first, "smtp"), "alice@example.test", "kept").starts_with("250 "));
    server.stop(Signal::SIGTERM);
    let dir = std::mem::replace(&mut server.dir, tempfile::tempdir().unwrap());
    let (mut server, second) = Server::demo_in(dir, base, &[]);
    assert_eq!(first["users"], second["users"]);
    assert_eq!(first["ca"], second["ca"]);
    assert_eq!(imap(&second, 0).1, 6);
    server.stop(Signal::SIGTERM);
    // And a password given later is the one that counts.
    let dir = std::mem::replace(&mut server.dir, tempfile::tempdir().unwrap());
    let (mut server, third) = Server::demo_in(dir, base, &["--password", "test"]);
    assert_eq!(third["users"][1]["password"], "test");
    assert_eq!(imap(&third, 1).1, 4);
    server.stop(Signal::SIGTERM);
}

#[test]
fn a_stop_tells_sessions_and_takes_no_new_ones() {
    let (mut server, ready) = Server::demo();
    let (mut alice, _) = imap(&ready, 0);
    alice.say("c IDLE");
    alice.until("+");
    let mut smtp = Talk::plain(port(&ready, "smtp"));
    smtp.until("220 ");
    let mut pop3 = Talk::plain(port(&ready, "pop3"));
    pop3.until("+OK");
    // A client that connected and never says a word must not hold it up.
    let _silent = std::net::TcpStream::connect(("127.0.0.1", port(&ready, "imaps"))).unwrap();
    server.stop(Signal::SIGTERM);
    assert!(alice.until("* BYE").contains("* BYE"));
    assert!(smtp.line().starts_with("421 "));
    assert!(std::net::TcpStream::connect(("127.0.0.1", port(&ready, "smtp"))).is_err());
    assert!(!server.dir.path().join("demo/control.sock").exists());
}

#[test]
fn its_files_with_secrets_are_its_owner_s_alone() {
    let (mut server, _) = Server::demo();
    for name in [
        "demo",
        "demo/demo.json",
        "demo/tls/key.pem",
        "demo/tls/ca-key.pem",
        "demo/mailward.db",
        "ready.json",
        "demo/control.sock",
    ] {
        let mode = std::fs::metadata(server.dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
    server.stop(Signal::SIGTERM);
}

#[test]
fn a_demo_that_runs_is_not_started_again() {
    let (mut server, _) = Server::demo();
    let (code, _, err) = run(&["demo", "--data", &server.data()]);
    assert_eq!(code, 1);
    assert!(err.contains("a server runs on"), "{err}");
    server.stop(Signal::SIGTERM);
}

#[test]
fn two_demos_live_side_by_side() {
    let (mut one, first) = Server::demo();
    let (mut two, second) = Server::demo();
    assert_ne!(first["ports"], second["ports"]);
    assert_eq!(imap(&second, 0).1, 5);
    one.stop(Signal::SIGTERM);
    two.stop(Signal::SIGTERM);
}
