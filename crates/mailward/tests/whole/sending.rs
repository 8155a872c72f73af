//! What users may send, and what becomes of mail that isn't wanted any more: with a running server and without one.

use crate::support::*;
use bytes::Bytes;
use mailward_core::limits::{BOUNCE_STEP, BOUNCE_WORDS_MAX};
use mailward_core::{AccountId, Address, Clock as _, SystemClock, Timestamp};
use mailward_message::Structure;
use mailward_store::records::{Content, Delivery, Envelope, Lane, Meter, Metered, Needs, NewRecipient, Queued};
use mailward_store::{DirectoryStore as _, LocalStore, Options, QueueStore as _, SendingStore as _};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::path::Path;

const JOE: &str = "joe@example.test";

/// Joe submits a message to each of these, with a limit of two an hour; nothing is sent.
fn joe_sends(data: &str, to: &[&str]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = LocalStore::open(Path::new(data), Options::default()).unwrap();
        store.pause(None, true).await.unwrap();
        let joe = store.accounts().await.unwrap().into_iter().find(|account| account.local == "joe").unwrap().id;
        for to in to {
            let user = mailward_core::SendLimits { messages_per_hour: 2, ..mailward_core::SendLimits::default() };
            let meter = Meter { who: Metered::Account(joe), user, domain: mailward_core::SendLimits::default() };
            store.accept(message(joe, to), Vec::new(), Some(meter)).await.unwrap();
        }
        store.close().await;
    });
}

fn message(joe: AccountId, to: &str) -> Delivery {
    let bytes = b"From: joe@example.test\r\nSubject: hello\r\n\r\nhello\r\n";
    let structure = Bytes::from(Structure::parse(bytes).to_bytes());
    let now = SystemClock.now();
    let address: Address = to.parse().unwrap();
    let envelope = Envelope {
        sender: Some(JOE.parse().unwrap()),
        give_back: None,
        envid: None,
        needs: Needs::default(),
        submitter: Some(joe),
        forwarded: None,
        arrived: now,
        warn: None,
        expires: Timestamp(now.0 + 86_400_000),
    };
    let lane = Lane::from(address.domain().unwrap());
    let recipients = vec![NewRecipient { address, notify: None, original: None, lane, due: now, held: None }];
    Delivery {
        content: Content::new(Bytes::from_static(bytes), structure),
        targets: vec![],
        queued: vec![Queued { envelope, recipients }],
        kept: None,
    }
}

fn on(data: &str, words: &str) -> Vec<String> {
    words.split(' ').chain(["--data", data]).map(str::to_owned).collect()
}

fn says(data: &str, words: &str) -> String {
    let words = on(data, words);
    done(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn tells(data: &str, words: &str) -> Value {
    serde_json::from_str(&says(data, &format!("{words} --json"))).unwrap()
}

fn fails(data: &str, words: &str, code: i32, part: &str) {
    let words = on(data, words);
    let (found, out, err) = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(found == code && err.contains(part), "{words:?}: {found} {out} {err}");
}

/// Bob's INBOX, as many messages as he has, joe's likewise.
fn holds(data: &str, user: &str) -> u64 {
    tells(data, &format!("user show {user}"))["usage"]["messages"].as_u64().unwrap()
}

fn everything(data: &str) {
    // Limits: of a user, of a domain, as configured again.
    let joe = tells(data, "user limit joe@example.test");
    assert_eq!((&joe["sent"]["messages_per_hour"], &joe["held"]), (&json!(4), &json!(2)));
    assert_eq!((&joe["limits"]["messages_per_day"], &joe["own"]["messages_per_day"]), (&json!(1000), &Value::Null));
    assert_eq!(joe["beyond"], json!(["messages_per_hour"]));
    says(data, "user limit joe@example.test --messages-per-day 50 --new-per-hour 0");
    let joe = tells(data, "user limit joe@example.test");
    assert_eq!((&joe["limits"]["messages_per_day"], &joe["limits"]["new_per_hour"]), (&json!(50), &json!(0)));
    assert_eq!(joe["limits"]["recipients_per_day"], json!(2000));
    let shown = says(data, "user limit joe@example.test");
    assert!(shown.contains("new recipients an hour") && shown.contains("its own") && shown.contains("none"), "{shown}");
    assert_eq!(tells(data, "user list")[0]["send_limits"]["messages_per_day"], Value::Null);
    let users = tells(data, "user list");
    let listed = users.as_array().unwrap().iter().find(|user| user["address"] == JOE).unwrap();
    assert_eq!(listed["send_limits"]["messages_per_day"], json!(50));
    assert_eq!(tells(data, "user limit joe@example.test --usual")["own"]["messages_per_day"], Value::Null);
    let domain = tells(data, "domain limit example.test --messages-per-hour 7");
    assert_eq!((&domain["limits"]["messages_per_hour"], &domain["sent"]["messages_per_hour"]), (&json!(7), &json!(4)));
    assert_eq!(tells(data, "domain list")[0]["send_limits"]["messages_per_hour"], json!(7));
    says(data, "domain limit example.test --messages-per-hour usual");
    assert_eq!(tells(data, "domain list")[0]["send_limits"], json!(null));
    fails(data, "user limit nobody@example.test", 1, "there is no user");
    fails(data, "domain limit nowhere.test", 1, "there is no domain");
    fails(data, "user limit joe@example.test --new-per-day -1", 64, "");
    fails(data, "user limit joe@example.test --new-per-day many", 64, "0 for no limit");

    // Freezing.
    let held = |data| tells(data, "queue list --held").as_array().unwrap().len();
    assert_eq!(held(data), 2);
    let frozen = says(data, "user freeze joe@example.test --why bought\u{a0}addresses");
    assert!(frozen.starts_with("joe@example.test frozen"), "{frozen}");
    while held(data) < 4 {
        std::thread::yield_now();
    }
    fails(data, "user freeze joe@example.test", 1, "frozen already");
    let shown = says(data, "user show joe@example.test");
    assert!(shown.contains(": frozen\n") && shown.contains("frozen: bought\u{a0}addresses"), "{shown}");
    let listed = says(data, "user list");
    assert!(listed.lines().any(|line| line.starts_with(JOE) && line.contains("frozen")), "{listed}");
    says(data, "user unfreeze joe@example.test --release");
    assert_eq!(held(data), 0);
    fails(data, "user unfreeze joe@example.test", 1, "isn't frozen");
    assert_eq!(tells(data, "user show joe@example.test")["frozen"], Value::Null);

    // Giving up.
    fails(data, "queue bounce --domain a.example", 64, "--yes");
    fails(data, "queue bounce --yes", 64, "--all");
    fails(data, "queue bounce --domain a.example --yes --text \u{1b}[2J", 64, "one line");
    let before = holds(data, JOE);
    assert_eq!(says(data, "queue bounce --domain a.example --yes --text enough"), "2 recipients bounced\n");
    assert_eq!(holds(data, JOE), before + 2);
    assert_eq!(says(data, "queue bounce --domain a.example --yes"), "no recipient bounced\nnothing fits\n");
    let (code, out, err) = run(&["queue", "bounce", "999", "--yes", "--json", "--data", data]);
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out, json!({ "action": "bounce", "changed": 0, "busy": [], "missing": [999] }));
    assert!(code == 1 && err.contains("999"), "{code} {err}");
    assert_eq!(tells(data, "queue list").as_array().unwrap().len(), 2);

    // Schedules.
    assert_eq!(tells(data, "queue schedule list"), json!([]));
    says(data, "queue schedule set --to Example.NET --lifetime 10d");
    says(data, "queue schedule set --from Joe@example.test --lifetime 4h --warn-after never");
    assert_eq!(
        tells(data, "queue schedule list"),
        json!([
            { "for": "from joe@example.test", "lifetime": 4, "warn_after": 0 },
            { "for": "to example.net", "lifetime": 240, "warn_after": null },
        ])
    );
    let table = says(data, "queue schedule list");
    assert!(table.contains("to example.net         10 d       -"), "{table}");
    says(data, "queue schedule remove --to example.net");
    says(data, "queue schedule remove --from joe@example.test");
    fails(data, "queue schedule remove --to example.net", 1, "no schedule for mail to example.net");
    fails(data, "queue schedule set --to example.net", 64, "say how long");
    fails(data, "queue schedule set --lifetime 4h", 64, "");
    fails(data, "queue schedule set --to example.net --lifetime 99d", 64, "");
}

/// A data directory with joe's mail in the queue.
fn filled() -> tempfile::TempDir {
    let (mut server, _) = Server::demo();
    let data = server.data();
    done(&["user", "add", JOE, "--no-password", "--data", &data]);
    server.stop(Signal::SIGTERM);
    joe_sends(&data, &["ann@a.example", "bob@a.example", "cy@b.example", "dee@b.example"]);
    let dir = tempfile::tempdir().unwrap();
    std::mem::replace(&mut server.dir, dir)
}

#[test]
fn without_a_server_users_are_limited_and_frozen_and_mail_is_given_up() {
    let dir = filled();
    everything(&path(&dir, "demo"));
}

#[test]
fn what_is_given_up_goes_in_steps_and_with_words_of_bounded_length() {
    let dir = filled();
    let data = path(&dir, "demo");
    let many: Vec<String> = (0..=BOUNCE_STEP).map(|number| format!("r{number}@many.example")).collect();
    joe_sends(&data, &many.iter().map(String::as_str).collect::<Vec<_>>());
    let words = "x".repeat(BOUNCE_WORDS_MAX + 1);
    fails(&data, &format!("queue bounce --domain many.example --yes --text {words}"), 64, "one line");
    let before = holds(&data, JOE);
    let words = "y".repeat(BOUNCE_WORDS_MAX);
    let done = tells(&data, &format!("queue bounce --domain many.example --yes --text {words}"));
    assert_eq!(done, json!({ "action": "bounce", "changed": many.len(), "busy": [], "missing": [] }));
    assert_eq!(holds(&data, JOE), before + many.len() as u64);
    assert_eq!(tells(&data, "queue list").as_array().unwrap().len(), 4);
}

#[test]
fn with_a_running_server_it_is_the_same_and_status_tells_who_is_frozen() {
    let (mut server, _) = Server::demo_in(filled(), port_base(), &[]);
    let data = server.data();
    everything(&data);
    says(&data, "user freeze joe@example.test --why stolen");
    let status = tells(&data, "status");
    assert_eq!((&status["frozen"][0]["user"], &status["frozen"][0]["why"]), (&json!(JOE), &json!("stolen")));
    let shown = says(&data, "status");
    assert!(shown.contains("frozen: joe@example.test: stolen; `mailward user show joe@example.test`"), "{shown}");
    server.stop(Signal::SIGTERM);
}
