//! What a long queue costs: accepting and settling beside an empty queue and beside a million rows, in one run.
//! `cargo bench -p mailward-store --bench queue_scale` prints ratios; it takes some minutes and a gigabyte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::print_stdout)]

use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_store::records::*;
use mailward_store::{LocalStore, MailStore, Options, QueueStore};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROWS: usize = 1_000_000;
const MESSAGES: usize = 10_000;
const AT_ONCE: usize = 64;
const DOMAINS: usize = 500;

fn open(dir: &Path) -> Arc<LocalStore> {
    LocalStore::open(dir, Options { index: false, log_ahead: 20 << 20, ..Options::default() }).unwrap()
}

fn queued(domain: &str, due: i64) -> Queued {
    let recipient = NewRecipient {
        address: format!("somebody@{domain}").parse().unwrap(),
        notify: None,
        original: None,
        lane: Lane::parse(domain).unwrap(),
        due: Timestamp(due),
        held: None,
    };
    let envelope = Envelope {
        sender: "alice@example.test".parse().ok(),
        give_back: None,
        envid: None,
        needs: Needs::default(),
        submitter: None,
        forwarded: None,
        arrived: Timestamp(due),
        warn: Some(Timestamp(due + 1_000_000_000)),
        expires: Timestamp(due + 2_000_000_000),
    };
    Queued { envelope, recipients: vec![recipient] }
}

async fn deliver(store: &LocalStore, n: usize, queued: Vec<Queued>) -> Vec<mailward_core::QueueId> {
    let bytes = Bytes::from(format!("message {n}\r\n\r\n{}", "x".repeat(4_000)));
    let content = Content::new(bytes, Bytes::from_static(b"structure"));
    store.deliver(Delivery { content, targets: vec![], queued, kept: None }).await.unwrap().queued
}

/// Messages a second, accepted and settled as delivered, many at once.
async fn through(store: &Arc<LocalStore>, from: usize, domains: &'static str) -> f64 {
    let begun = Instant::now();
    let workers = (0..AT_ONCE).map(|worker| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in (worker..MESSAGES).step_by(AT_ONCE) {
                let domain = match domains {
                    "one" => "one.test".to_owned(),
                    many => format!("{many}{}.test", n % DOMAINS),
                };
                let ids = deliver(&store, from + n, vec![queued(&domain, 100)]).await;
                let done = Settled {
                    message: ids[0],
                    number: 0,
                    outcome: Outcome::Delivered,
                    attempt: None,
                    refused: false,
                    warned: false,
                };
                store.settle(Settlement { recipients: vec![done], ..Settlement::default() }).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    MESSAGES as f64 / begun.elapsed().as_secs_f64()
}

async fn timed<T>(name: &str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let value = work.await;
    println!("{name}: {:?}", begun.elapsed());
    value
}

#[tokio::main]
async fn main() {
    let (dir, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, empty) = (open(dir.path()), open(beside.path()));
    let begun = Instant::now();
    let mut waiting = Vec::new();
    for n in 0..ROWS / 100 {
        let store = Arc::clone(&store);
        waiting.push(tokio::spawn(async move {
            let lanes = (0..100).map(|k| match (n * 100 + k) % 10 {
                0 => format!("domain{}.test", (n * 10 + k / 10) % (4 * DOMAINS)),
                _ => "stalled.test".to_owned(),
            });
            deliver(&store, 1_000_000 + n, lanes.map(|lane| queued(&lane, 1_000 + n as i64)).collect()).await
        }));
        if waiting.len() >= AT_ONCE {
            for task in std::mem::take(&mut waiting) {
                task.await.unwrap();
            }
        }
    }
    for task in waiting {
        task.await.unwrap();
    }
    println!("{ROWS} rows in {:?}", begun.elapsed());
    store.close().await;
    drop(store);
    let begun = Instant::now();
    let store = open(dir.path());
    println!("opened in {:?}", begun.elapsed());
    let mut from = 0;
    for (name, what) in [
        ("one", "to one lane that is empty"),
        ("domain1x", "to 500 lanes that are empty"),
        ("domain", "to 500 lanes in which others wait"),
    ] {
        // By turns, and the best of each: other work on the machine falls on both.
        let (mut short, mut long) = (0.0f64, 0.0f64);
        for _ in 0..4 {
            short = short.max(through(&empty, from, name).await);
            long = long.max(through(&store, from, name).await);
            from += MESSAGES;
        }
        println!("{what}: {short:.0} messages a second, beside {ROWS} rows {long:.0}: {:.2}", long / short);
    }
    let now = Timestamp(1_000_000);
    let stalled = Lane::parse("stalled.test").unwrap();
    let except = HashSet::from([stalled.clone()]);
    timed("due lanes", store.due_lanes(now, 20, except.clone())).await.unwrap();
    timed("next due", store.next_due(except)).await.unwrap();
    timed("due in the stalled lane", store.due_in_lane(stalled.clone(), now, None, 100)).await.unwrap();
    timed("due in another", store.due_in_lane(Lane::parse("domain7.test").unwrap(), now, None, 100)).await.unwrap();
    timed("totals", store.queue_totals(20)).await.unwrap();
    let filter = QueueFilter { lane: Some(Lane::parse("domain7.test").unwrap()), ..QueueFilter::default() };
    timed("hold a small lane", store.steer(filter, Steer::Hold("stop".into()), None)).await.unwrap();
    let filter = QueueFilter { lane: Some(stalled), ..QueueFilter::default() };
    let begun = Instant::now();
    let (mut after, mut longest) = (None, Duration::ZERO);
    loop {
        let step = Instant::now();
        let done = store.steer(filter.clone(), Steer::Remove, after).await.unwrap();
        longest = longest.max(step.elapsed());
        after = done.next;
        if after.is_none() {
            break;
        }
    }
    println!("remove the stalled lane: {:?}, longest step {longest:?}", begun.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
    store.close().await;
    empty.close().await;
}
