//! How much comes from whom, and what was refused: asked of a running server, and without one.

use crate::support::*;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_core::{Listener, Peer, RateLimits, Secret, SystemClock};
use mailward_gate::journal::{Journal, Refused, Stage, Verdict};
use mailward_gate::rates::{Rates, Subjects};
use mailward_store::{LocalStore, Options};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// What a server would have written that was sent too much and refused some; the reference of one refusal.
fn much_came(data: &str) -> String {
    let secret = Secret::new(std::fs::read(Path::new(data).join("server.secret")).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = LocalStore::open(Path::new(data), Options::default()).unwrap();
        let mut config = Config::default().rates;
        config.host = RateLimits::of([[20, 50, 100], [0; 3], [0; 3]]);
        let rates = Rates::new(&config, Arc::new(SystemClock), Events::nowhere(), &secret).unwrap();
        let address = Some("192.0.2.7".parse().unwrap());
        for _ in 0..150 {
            rates.message(&Subjects { ip: address, incoming: true, ..Subjects::default() }, 1);
        }
        rates.save(&*store).await.unwrap();
        let journal = Journal::new(store.clone(), Arc::new(SystemClock), Events::nowhere(), &secret).unwrap();
        let peer = Peer { session: 4, address, port: None, listener: Listener::Smtp };
        let refused = Refused {
            stage: Stage::Recipient,
            peer: &peer,
            hello: Some("a\u{1b}[2J.example"),
            sender: Some("ann@sender.example"),
            recipient: Some("alice@example.test"),
            verdict: Verdict::PutOff,
            reason: "greylisted: never seen",
            code: 450,
            reply: "4.7.1 Try again",
        };
        let reference = journal.note(&refused);
        journal.save().await.unwrap();
        store.close().await;
        reference.to_string()
    })
}

fn listed(data: &str) -> Vec<Value> {
    json(&["rates", "list", "--json", "--data", data]).as_array().unwrap().clone()
}

#[test]
fn what_was_counted_and_refused_is_told_without_a_server_and_with_one() {
    let (mut server, ready) = Server::demo();
    let data = server.data();
    server.stop(Signal::SIGTERM);
    let reference = much_came(&data);

    let look = |what: &[&str]| {
        let mut all = vec!["trace"];
        all.extend(what);
        all.extend(["--data", &data]);
        done(&all)
    };
    let check = || {
        let sources = listed(&data);
        let host = sources.iter().find(|source| source["kind"] == "host").unwrap();
        assert_eq!(
            (&host["name"], &host["messages"], &host["turned_away"]),
            (&"192.0.2.7".into(), &50.into(), &100.into())
        );
        assert_eq!(host["step"], "alarm");
        let shown = done(&["rates", "list", "--over", "alarm", "--data", &data]);
        assert!(shown.starts_with("KIND") && shown.contains("192.0.2.7") && shown.contains("alarm, for "), "{shown}");
        for what in [&[&*reference][..], &["ann@sender.example"], &["192.0.2.0/24", "--put-off"], &["--since", "1h"]] {
            let shown = look(what);
            assert!(shown.contains(&reference) && shown.contains("because: greylisted: never seen"), "{shown}");
            assert!(!shown.contains('\u{1b}'));
        }
        assert!(look(&["bob@example.test"]).starts_with("nothing that was refused fits"));
    };
    check();
    let password = ready["users"][0]["password"].as_str().unwrap().to_owned();
    let dir = std::mem::replace(&mut server.dir, tempfile::tempdir().unwrap());
    let (mut server, _) = Server::demo_in(dir, port_base(), &["--password", &password]);
    check();
    let reset = done(&["rates", "reset", "192.0.2.7", "--data", &data]);
    assert_eq!(reset, "192.0.2.7: forgotten what was counted of it as host\n");
    assert!(listed(&data).iter().all(|source| source["kind"] != "host"));
    // Killed, it has not come back.
    signal(&server.child, Signal::SIGKILL);
    ended(&mut server.child);
    assert!(listed(&data).iter().all(|source| source["kind"] != "host"));
    assert_eq!(json(&["trace", &reference, "--json", "--data", &data])["entries"][0]["code"], 450);
}

#[test]
fn what_names_no_refusal_leads_to_where_it_is_told() {
    let (server, _) = Server::demo();
    let data = server.data();
    for (what, words) in [("4711", "mailward queue show 4711"), ("two words", "is no reference such as 7K2Q-9XMT")] {
        let (code, _, told) = run(&["trace", what, "--data", &data]);
        assert!(code != 0 && told.contains(words), "{code} {told}");
    }
    let (code, told, _) = run(&["trace", "3kc1v5y0r0000", "--data", &data]);
    assert!(code == 0 && told.contains("is the name of a message that was accepted"), "{code} {told}");
    let (code, _, told) = run(&["rates", "reset", "two words", "--data", &data]);
    assert!(code != 0 && told.contains("no address, domain, IP address or network"), "{code} {told}");
}
