//! The queue seen and steered: the same with a running server and without one.

use crate::support::*;
use bytes::Bytes;
use mailward_core::{AccountId, Address, Clock as _, QueueId, SystemClock, Timestamp};
use mailward_message::Structure;
use mailward_store::records::{
    Attempt, Content, Delivery, EnhancedStatus, Envelope, GiveBack, Lane, LaneNews, Needs, NewRecipient, NotifyOn,
    Outcome, Queued, Settled, Settlement,
};
use mailward_store::{DirectoryStore as _, LocalStore, MailStore as _, Options, QueueStore as _};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

/// What a host said that wants to be more than words.
const HOSTILE: &str = "4.7.1 try \u{1b}]0;owned\u{7}\u{9b}2J\r\nroot# \u{202e}later";

fn hours(count: i64) -> Timestamp {
    Timestamp(SystemClock.now().0 + count * 3_600_000)
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn envelope(sender: Option<&str>, arrived: Timestamp) -> Envelope {
    Envelope {
        sender: sender.map(address),
        give_back: None,
        envid: None,
        needs: Needs::default(),
        submitter: None,
        forwarded: None,
        arrived,
        warn: Some(hours(50)),
        expires: hours(100),
    }
}

fn recipient(to: &str, lane: &str) -> NewRecipient {
    let lane = Lane::parse(lane).unwrap();
    NewRecipient { address: address(to), notify: None, original: None, lane, due: Timestamp(0), held: None }
}

/// A store that no server has open, and what fills it.
struct Filling {
    runtime: tokio::runtime::Runtime,
    store: Arc<LocalStore>,
}

impl Filling {
    fn of(data: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime.block_on(async { LocalStore::open(Path::new(data), Options::default()).unwrap() });
        Self { runtime, store }
    }
    fn queue(&self, queued: Vec<Queued>) -> Vec<QueueId> {
        let message = b"Subject: hello\r\n\r\nhello\r\n";
        let structure = Bytes::from(Structure::parse(message).to_bytes());
        let content = Content::new(Bytes::from_static(message), structure);
        self.runtime
            .block_on(self.store.deliver(Delivery { content, targets: vec![], queued, kept: None }))
            .unwrap()
            .queued
    }
    fn joe(&self) -> AccountId {
        let accounts = self.runtime.block_on(self.store.accounts()).unwrap();
        accounts.iter().find(|account| account.local == "joe").unwrap().id
    }
    /// A host answered, and more is tried in an hour.
    fn answered(&self, message: QueueId, number: u32, code: u16, text: &str) {
        let attempt = Attempt {
            at: SystemClock.now(),
            host: "mx.example.net".to_owned(),
            code,
            status: Some(EnhancedStatus::of(4, 7, 1)),
            text: text.to_owned(),
        };
        let outcome = Outcome::Deferred(hours(1));
        let recipients =
            vec![Settled { message, number, outcome, attempt: Some(attempt), refused: false, warned: false }];
        let settlement = Settlement { recipients, ..Settlement::default() };
        self.runtime.block_on(self.store.settle(settlement)).unwrap();
    }
    /// Nothing is sent by a server that starts on this later.
    fn pause(&self) {
        self.runtime.block_on(self.store.pause(None, true)).unwrap();
    }
    fn done(self) {
        self.runtime.block_on(self.store.close());
    }
}

/// Three messages of the kinds there are; all is paused.
fn fill(data: &str) -> [String; 3] {
    let filling = Filling::of(data);
    let mut first = envelope(Some("joe@example.test"), hours(-3));
    first.submitter = Some(filling.joe());
    first.envid = Some("QQ\u{202e}314159".to_owned());
    first.give_back = Some(GiveBack::Headers);
    first.needs = Needs { smtputf8: true, require_tls: true, eight_bit: false, tls_optional: false, signature: false };
    let mut ann = recipient("ann@example.net", "example.net");
    ann.notify = Some(NotifyOn { success: false, failure: true, delay: true });
    ann.original = Some("rfc822;ann@old.example".to_owned());
    let mut victim = recipient("victim@example.net", "example.net");
    victim.held = Some("pattern \u{1b}[31m broke".to_owned());
    let ids = filling.queue(vec![
        Queued { envelope: first, recipients: vec![ann, recipient("bob@example.com", "example.com")] },
        Queued { envelope: envelope(None, hours(-1)), recipients: vec![victim] },
        Queued {
            envelope: envelope(Some("news@example.test"), hours(0)),
            recipients: vec![recipient("cy@example.org", "smart.example:587")],
        },
    ]);
    filling.answered(ids[0], 0, 421, "busy");
    filling.answered(ids[0], 0, 451, HOSTILE);
    filling.pause();
    filling.done();
    [ids[0].to_string(), ids[1].to_string(), ids[2].to_string()]
}

/// Adds the user who submits.
fn add_joe(data: &str) {
    done(&["user", "add", "joe@example.test", "--no-password", "--data", data]);
}

/// The verbs on a data directory.
struct On<'a>(&'a str);

impl On<'_> {
    fn all<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["queue"];
        all.extend(arguments);
        all.extend(["--data", self.0]);
        all
    }
    fn says(&self, arguments: &[&str]) -> String {
        done(&self.all(arguments))
    }
    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = self.all(arguments);
        all.push("--json");
        json(&all)
    }
    fn fails(&self, arguments: &[&str], code: i32, part: &str) -> String {
        let (found, out, err) = run(&self.all(arguments));
        assert!(found == code && err.contains(part), "{arguments:?}: {found} {out} {err}");
        out
    }
    /// Addresses of the recipients that fit.
    fn listed(&self, filter: &[&str]) -> Vec<String> {
        let mut arguments = vec!["list"];
        arguments.extend(filter);
        let listed = self.json(&arguments);
        let recipients = |message: &Value| message["recipients"].as_array().unwrap().clone();
        listed
            .as_array()
            .unwrap()
            .iter()
            .flat_map(recipients)
            .map(|r| r["address"].as_str().unwrap().split('@').next().unwrap().to_owned())
            .collect()
    }
}

fn is_tame(shown: &str) -> bool {
    !shown.chars().any(|c| (c != '\n' && c.is_control()) || c == '\u{202e}')
}

/// Looks at what [`fill`] left in every way, then does everything to it.
fn everything(data: &str, [first, second, third]: &[String; 3]) {
    let on = On(data);
    looking(&on, first);
    let [victim, bounce] = ["victim", "<>"];
    assert_eq!(on.listed(&[]), ["ann", "bob", victim, "cy"]);
    assert_eq!(on.listed(&[first, third]), ["ann", "bob", "cy"]);
    assert_eq!(on.listed(&["--older-than", "2h"]), ["ann", "bob"]);
    assert_eq!(on.listed(&["--domain", "Example.NET"]), ["ann", victim]);
    assert_eq!(on.listed(&["--lane", "smart.example:587"]), ["cy"]);
    assert_eq!(on.listed(&["--recipient", "Bob@example.com"]), ["bob"]);
    assert_eq!(on.listed(&["--sender", bounce]), [victim]);
    assert_eq!(on.listed(&["--sender", "news@example.test"]), ["cy"]);
    assert_eq!(on.listed(&["--user", "joe@example.test"]), ["ann", "bob"]);
    assert_eq!(on.listed(&["--held"]), [victim]);
    assert_eq!(on.listed(&["--waiting", "--domain", "example.net"]), ["ann"]);
    assert_eq!(on.listed(&["--answer", "451 4.7.1"]), ["ann"]);
    assert_eq!(on.listed(&["--limit", "1"]), ["ann", "bob"]);
    assert_eq!(on.listed(&["--held", "--answer", "451"]), Vec::<String>::new());
    assert_eq!(on.says(&["list", "--lane", "nowhere.example"]), "nothing of that is queued\n");
    wrong(&on, first);

    // Holding, and letting go.
    assert_eq!(on.says(&["hold", "--user", "joe@example.test", "--reason", "abused"]), "2 recipients held\n");
    let held = on.json(&["list", "--held", "--recipient", "bob@example.com"]);
    assert_eq!(held[0]["recipients"][0]["reason"], "abused");
    assert_eq!(held[0]["recipients"][0]["next_try"], Value::Null);
    assert_eq!(on.says(&["hold", first]), "no recipient held\nnothing that fits waits\n");
    assert!(on.says(&["retry", first]).contains("mailward queue release"));
    let released = on.says(&["release", first]);
    assert!(released.starts_with("2 recipients released\nall is paused: "), "{released}");

    // A lane of its own is paused, and all goes on.
    let paused = on.says(&["pause", "Example.com"]);
    assert!(paused.starts_with("lane example.com paused until `mailward queue resume example.com`\n"), "{paused}");
    assert!(on.says(&["pause", "typo.example"]).contains("nothing is queued there now"));
    assert!(on.says(&["resume", "typo.example"]).contains("but all is paused"));
    assert!(on.says(&["list", "--domain", "example.org"]).contains("paused"));
    // Without a server nothing is sent; with one all stays paused, as nothing here is to leave the host.
    let totals = on.json(&["totals", "--lanes", "1"]);
    assert_eq!((&totals["paused"], &totals["largest"][0]["lane"]), (&json!(true), &json!("example.com")));
    assert_eq!((totals["lanes"].as_u64(), totals["messages"].as_u64()), (Some(3), Some(3)));
    on.says(&["resume", "example.com"]);

    // Another way, and out.
    let moved = on.says(&["reroute", "--lane", "example.net", "--waiting", "--to", "Backup.Example"]);
    assert!(moved.starts_with("1 recipient moved to lane backup.example\n"), "{moved}");
    assert!(on.says(&["list", first]).contains("ann@example.net via backup.example"));
    let removed = on.json(&["remove", "--sender", "<>"]);
    assert_eq!(removed, json!({ "action": "remove", "changed": 1, "missing": [] }));
    assert_eq!(on.listed(&[]), ["ann", "bob", "cy"]);
    let second: i64 = second.parse().unwrap();
    let out = on.fails(&["remove", third, &second.to_string(), "--json"], 1, "isn't in the queue");
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out, json!({ "action": "remove", "changed": 1, "missing": [second] }));
    assert_eq!(on.says(&["remove", "--lane", "nowhere.example"]), "no recipient removed\nnothing fits\n");
    assert_eq!(on.says(&["remove", "--all"]), "2 recipients removed\n");
    assert_eq!(on.listed(&[]), Vec::<String>::new());
    assert!(on.says(&[]).starts_with("queue: empty\nall is paused"));
    assert_eq!(on.says(&["list"]), "nothing of that is queued\n");
}

/// Nothing that an outsider wrote moves the terminal, and scripts get it as it was.
fn looking(on: &On<'_>, first: &str) {
    for shown in [on.says(&[]), on.says(&["list"]), on.says(&["show", first])] {
        assert!(is_tame(&shown), "{shown:?}");
    }
    let raw = on.says(&["list", "--json"]);
    assert!(is_tame(&raw), "{raw:?}");
    let listed: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(listed[0]["recipients"][0]["answer"]["text"], HOSTILE);
    assert_eq!((&listed[0]["submitter"], &listed[1]["sender"]), (&json!("joe@example.test"), &Value::Null));
    assert_eq!((listed[0]["left"].as_u64(), listed[0]["size"].as_u64()), (Some(2), Some(25)));

    let table = on.says(&["list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert!(lines[0].starts_with("ID") && lines[0].contains("LAST ANSWER"), "{table}");
    assert!(lines[1].contains("3 h") && lines[1].contains("joe@example.test"), "{table}");
    assert!(lines[1].contains("451 4.7.1 mx.example.net: try \u{fffd}]0;owned"), "{table}");
    assert!(lines[3].contains("<>") && lines[3].contains("held: pattern \u{fffd}[31m broke"), "{table}");
    assert!(lines[4].contains("cy@example.org via smart.example:587"), "{table}");

    let shown = on.says(&["show", first]);
    for part in [
        "from <joe@example.test>\nsubmitted by joe@example.test\n",
        "its next host must offer SMTPUTF8, REQUIRETLS\n",
        "envelope id QQ\u{fffd}314159\n",
        "a bounce gives back the header\n",
        "recipient 0 <ann@example.net>, lane example.net\n  waiting: paused\n",
        "  originally rfc822;ann@old.example\n  its sender wants to hear of: failure, delay\n  2 attempts\n",
        "421 4.7.1 mx.example.net: busy\n",
        "recipient 1 <bob@example.com>, lane example.com\n  waiting: paused\n  no attempt yet\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = on.json(&["show", first]);
    let history = shown["recipients"][0]["history"].as_array().unwrap();
    let codes: Vec<_> = history.iter().map(|attempt| attempt["code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [421, 451]);

    let totals = on.says(&[]);
    assert!(totals.starts_with("queue: 3 messages, the oldest 3 h old; recipients: 3 waiting, 1 held\n"), "{totals}");
    assert!(totals.contains("most at fault, 1 recipient: 451 4.7.1 mx.example.net: try"), "{totals}");
    assert!(totals.contains("\nLANE") && totals.contains("\nexample.net"), "{totals}");
    assert!(on.says(&["totals", "--lanes", "2"]).contains("and 1 smaller"));
}

/// What can't be meant is refused, says why, and changes nothing.
fn wrong(on: &On<'_>, first: &str) {
    for verb in ["retry", "hold", "release", "remove"] {
        assert_eq!(on.fails(&[verb], 64, "--all"), "");
    }
    assert_eq!(on.fails(&["reroute", "--to", "a.example"], 64, "--all"), "");
    on.fails(&["reroute", first], 64, "--to");
    on.fails(&["reroute", first, "--to", "a b"], 64, "visible ASCII");
    on.fails(&["show", "4711000"], 1, "message 4711000 isn't in the queue");
    let out = on.fails(&["retry", first, "4711000", "4711001"], 1, "messages 4711000, 4711001 aren't in the queue");
    assert!(out.starts_with("2 recipients to be tried now\n"), "{out}");
    on.fails(&["show", "0"], 64, "a number");
    on.fails(&["remove", "17x"], 64, "a number");
    on.fails(&["list", "--older-than", "yesterday"], 64, "2h");
    on.fails(&["list", "--user", "nobody@example.test"], 1, "there is no user");
    on.fails(&["list", "--held", "--waiting"], 64, "cannot be used with");
    on.fails(&["remove", "--answer", ""], 64, "text");
    on.fails(&["totals", "--lanes", "1001"], 64, "1000");
    on.fails(&["--json", "list"], 64, "after the verb");
    assert_eq!(on.listed(&[]).len(), 4);
}

#[test]
fn the_queue_is_seen_and_steered_while_no_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let data = path(&dir, "data");
    std::fs::create_dir(&data).unwrap();
    done(&["domain", "add", "example.test", "--data", &data]);
    add_joe(&data);
    let ids = fill(&data);
    everything(&data, &ids);
    let resumed = On(&data).says(&["resume"]);
    assert_eq!(resumed, "all lanes resumed\n");
    let (code, _, err) = run(&["queue", "--data", &path(&dir, "nowhere")]);
    assert_eq!(code, 78, "{err}");
}

#[test]
fn the_queue_is_seen_and_steered_while_the_server_runs() {
    let (mut server, _) = Server::demo();
    let data = server.data();
    add_joe(&data);
    server.stop(Signal::SIGTERM);
    let ids = fill(&data);
    let dir = std::mem::replace(&mut server.dir, tempfile::tempdir().unwrap());
    let (mut server, _) = Server::demo_in(dir, port_base(), &[]);

    let status = json(&["status", "--json", "--data", &data]);
    assert_eq!((&status["queue"]["messages"], &status["queue"]["held"]), (&json!(3), &json!(1)));
    assert_eq!(status["queue"]["worst"]["answer"]["code"], 451);
    let status = done(&["status", "--data", &data]);
    assert!(status.contains("queue: 3 messages, the oldest 3 h old; recipients: 3 waiting, 1 held\n"), "{status}");
    assert!(status.contains("most at fault") && is_tame(&status), "{status}");
    everything(&data, &ids);
    server.stop(Signal::SIGTERM);
    let log = std::fs::read_to_string(server.dir.path().join("demo/mailward.log")).unwrap();
    assert!(log.contains(" queue.steered action=remove recipients=2"), "{log}");
    assert!(log.contains(" queue.paused lane=example.com"), "{log}");
}

/// 5,000 messages of one recipient each, in five lanes.
fn fill_much(data: &str) {
    let filling = Filling::of(data);
    for batch in 0..50 {
        let queued = (0..100).map(|n| Queued {
            envelope: envelope(Some("news@example.test"), hours(-1)),
            recipients: vec![recipient(&format!("r{n}@d{}.example", batch % 5), &format!("d{}.example", batch % 5))],
        });
        filling.queue(queued.collect());
    }
    filling.pause();
    filling.done();
}

/// Runs with standard error on a terminal and wants success; standard output, and what the terminal got.
fn on_a_terminal(arguments: &[&str]) -> (String, String) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let child = mailward(arguments).stdout(Stdio::piped()).stderr(Stdio::from(terminal.slave)).spawn().unwrap();
    let reading = std::thread::spawn(move || {
        let mut shown = Vec::new();
        // The end of a terminal is an error: whoever wrote is gone.
        let _gone = std::fs::File::from(terminal.master).read_to_end(&mut shown);
        String::from_utf8(shown).unwrap()
    });
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    (String::from_utf8(output.stdout).unwrap(), reading.join().unwrap())
}

#[test]
fn thousands_are_listed_and_removed_in_steps() {
    let (mut server, _) = Server::demo();
    let data = server.data();
    server.stop(Signal::SIGTERM);
    fill_much(&data);
    let on = On(&data);
    // Without a server.
    assert_eq!(on.json(&["list"]).as_array().unwrap().len(), 5_000);
    assert_eq!(on.json(&["list", "--limit", "1500"]).as_array().unwrap().len(), 1_500);
    let (code, out, err) = run(&on.all(&["list"]));
    assert_eq!((code, out.lines().count()), (0, 1_001), "{err}");
    assert!(err.contains("--limit 0"), "{err}");
    assert_eq!(on.says(&["list", "--limit", "0"]).lines().count(), 5_001);
    let moved = on.json(&["reroute", "--domain", "d0.example", "--to", "backup.example"]);
    assert_eq!(moved["changed"], 1_000);
    // With one.
    let dir = std::mem::replace(&mut server.dir, tempfile::tempdir().unwrap());
    let (mut server, _) = Server::demo_in(dir, port_base(), &[]);
    assert_eq!(on.listed(&["--lane", "backup.example"]).len(), 1_000);
    assert_eq!(on.json(&["remove", "--lane", "d1.example"])["changed"], 1_000);
    let (out, err) = on_a_terminal(&on.all(&["remove", "--all"]));
    assert_eq!(out, "4000 recipients removed\n");
    assert!(err.contains("\r1000 recipients removed, looked up to message "), "{err:?}");
    assert!(err.ends_with("\r\u{1b}[K"), "{err:?}");
    assert_eq!(on.json(&[])["messages"], 0);
    server.stop(Signal::SIGTERM);
    let log = std::fs::read_to_string(server.dir.path().join("demo/mailward.log")).unwrap();
    assert_eq!(log.matches(" queue.steered action=remove recipients=1000").count(), 5, "{log}");
}

#[test]
fn a_message_to_more_than_one_answer_may_have_is_shown_whole() {
    let dir = tempfile::tempdir().unwrap();
    let data = path(&dir, "data");
    std::fs::create_dir(&data).unwrap();
    let filling = Filling::of(&data);
    let count = 2 * mailward_core::limits::QUEUE_SHOW_PAGE + 1;
    let recipients = (0..count).map(|n| recipient(&format!("r{n}@example.net"), "example.net")).collect();
    let ids = filling.queue(vec![Queued { envelope: envelope(None, hours(0)), recipients }]);
    // The host rests, and everybody waits for it.
    let lane = Lane::parse("example.net").unwrap();
    let lanes = vec![LaneNews { lane, blocked: Some(hours(3)) }];
    filling.runtime.block_on(filling.store.settle(Settlement { lanes, ..Settlement::default() })).unwrap();
    filling.done();
    let on = On(&data);
    let shown = on.json(&["show", &ids[0].to_string()]);
    let numbers: Vec<u64> =
        shown["recipients"].as_array().unwrap().iter().map(|r| r["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..count as u64).collect::<Vec<_>>());
    assert!(on.says(&["show", &ids[0].to_string()]).contains("\n  waiting: host rests, in "));
    assert!(on.says(&["list"]).lines().nth(1).unwrap().contains("host rests, in "));
    // Trying again tries the host.
    assert!(on.says(&["retry", "--lane", "example.net"]).starts_with(&format!("{count} recipients to be tried now\n")));
    assert!(on.says(&["list"]).lines().nth(1).unwrap().contains("  due  "));
}
