//! The whole of it: what comes of a message.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may stop at what it didn't expect")]

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use mailward_core::config::{self, Config, ContentLine};
use mailward_core::event::Events;
use mailward_core::limits::{BLOCKING_PREPARE_BYTES, INSPECT_END_TIME, INSPECT_TIME};
use mailward_core::{AccountId, Domain, Secret, SystemClock, Timestamp};
use mailward_dns::NoDns;
use mailward_inspect::antivirus::Antivirus;
use mailward_inspect::policy::{Dictionaries, Rulebook};
use mailward_inspect::spam::{LinkListed, LinkLists, Spam, SpamParts, token_key};
use mailward_inspect::{Action, Direction, Inspector, Parts, Recipient, Subject};
use mailward_message::Structure;
use mailward_scan::pool::{Launch, Launched};
use mailward_scan::worker::{Hello, hello, serve};
use mailward_scan::{Contents, Pool, Shown};
use mailward_store::{LocalStore, Options};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Workers that find nothing, and say so when they may; a worker may never.
struct Blind {
    may_answer: Arc<Gate>,
}

/// Shut until it is opened, once for all.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }
}

/// Lists that list nothing, and open a gate when they are asked.
struct Asked(Arc<Gate>);

impl LinkLists for Asked {
    fn listed<'a>(&'a self, _client: Option<IpAddr>, _domains: &'a [Domain]) -> BoxFuture<'a, Vec<LinkListed>> {
        self.0.open();
        Box::pin(async { Vec::new() })
    }
}

impl Launch for Blind {
    fn launch(&self) -> std::io::Result<Launched> {
        let (socket, mut theirs) = UnixStream::pair()?;
        let may_answer = Arc::clone(&self.may_answer);
        std::thread::spawn(move || {
            hello(&mut theirs, &Hello::default()).unwrap();
            let open = |_: &[u8], _, _| {
                may_answer.wait();
                (Contents::default(), Shown::default())
            };
            let _gone = serve(&mut theirs, open, || false);
        });
        Ok(Launched { socket, child: None })
    }
}

async fn inspector(answers: bool) -> (Arc<Inspector>, tempfile::TempDir) {
    let gate = Arc::new(Gate::default());
    if answers {
        gate.open();
    }
    inspector_with(gate, None).await
}

async fn inspector_with(
    may_answer: Arc<Gate>,
    links: Option<Arc<dyn LinkLists>>,
) -> (Arc<Inspector>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), Options::default()).unwrap();
    let mut config = Config::default();
    config.content.rules = vec![ContentLine::parse("subject=bad reject").unwrap()];
    let spam = SpamParts {
        store: store.clone(),
        mail: store,
        key: token_key(&Secret::new("server secret")).unwrap(),
        names: Arc::new(|_| None),
        links,
        settings: config::Spam::default(),
        clock: Arc::new(SystemClock),
        events: Events::nowhere(),
    };
    let inspector = Inspector::new(Parts {
        lookup: Some(Arc::new(NoDns)),
        scanner: Pool::new(Blind { may_answer }, 1, Events::nowhere()),
        antivirus: Antivirus::new(&config::Antivirus::default(), None, Arc::new(SystemClock), Events::nowhere()),
        rules: Rulebook::new(&config, Dictionaries::new()).unwrap(),
        spam: Spam::open(spam).await.unwrap(),
        settings: Arc::new(ArcSwap::default()),
    });
    (inspector, dir)
}

fn subject(bytes: usize) -> Subject {
    let lines = "http://a.example/\r\n".repeat(bytes.div_ceil(19));
    let bytes = Bytes::from(format!("From: x@a.example\r\nSubject: bad\r\n\r\n{lines}"));
    let structure = Arc::new(Structure::parse(&bytes));
    Subject {
        bytes,
        trace: 0,
        structure,
        id: "M1".into(),
        direction: Direction::Incoming,
        client: None,
        hello: "mx.a.example".into(),
        reverse: None,
        stranger: false,
        sender: None,
        recipients: vec![Recipient { address: None, accounts: vec![AccountId(1)] }].into(),
        login: None,
        spf: None,
        signs: Arc::new([]),
        correspondent: false,
        now: Timestamp::from_secs(1_800_000_000),
    }
}

#[tokio::test]
async fn large_messages_are_judged_as_small_ones_are() {
    let (inspector, _dir) = inspector(true).await;
    for size in [100, BLOCKING_PREPARE_BYTES + 100] {
        let inspected = inspector.inspect(&subject(size), Instant::now() + INSPECT_TIME).await;
        assert_eq!(inspected.verdict.action_for(0), Action::Reject, "{size}: {:?}", inspected.verdict);
    }
}

#[tokio::test]
async fn a_message_that_isn_t_judged_in_time_comes_again() {
    assert!(INSPECT_TIME < INSPECT_END_TIME && INSPECT_END_TIME < Duration::from_secs(600), "RFC 5321 4.5.3.2.6");
    let (inspector, _dir) = inspector(false).await;
    let inspected = inspector.inspect(&subject(100), Instant::now() + Duration::from_millis(50)).await;
    assert_eq!(inspected.verdict.action_for(0), Action::Defer, "and not refused, as its subject would have it");
    let rules: Vec<&str> = inspected.verdict.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["not-judged"]);
}

/// A worker takes its time, and others' answers do: a message waits for the longest of them, not for one after the other.
#[tokio::test]
async fn while_a_worker_looks_at_a_message_all_others_are_asked_that_do_not_need_its_answer() {
    for size in [100, BLOCKING_PREPARE_BYTES + 100] {
        let gate = Arc::new(Gate::default());
        // The worker answers once the lists of links were asked, and not before.
        let (inspector, _dir) = inspector_with(gate.clone(), Some(Arc::new(Asked(gate)))).await;
        let inspected = inspector.inspect(&subject(size), Instant::now() + INSPECT_TIME).await;
        // A worker that was given up would have left another finding.
        let found = inspected.verdict.findings.iter().filter(|finding| finding.action != Action::Deliver);
        let rules: Vec<&str> = found.map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["content.rules-1"], "{size}");
    }
}
