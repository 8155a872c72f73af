//! Attacks H5, the hard way: a message whose sending ends the process itself. This test starts itself as such a process
//! again and again, as systemd would.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may stop at what it didn't expect"
)]

use mailward_core::event::Events;
use mailward_core::limits::QUEUE_TRIALS_MAX;
use mailward_core::{Address, Domain, SystemClock, Timestamp, shutdown};
use mailward_delivery::prepare;
use mailward_delivery::queue::{Access, Guide, Host, Parts, Runner, Trust, Way};
use mailward_directory::Directory;
use mailward_smtp::client::Dialect;
use mailward_store::records::{Delivery, Envelope, Lane, Needs, NewRecipient, QueueFilter, Queued, RecipientState};
use mailward_store::{LocalStore, MailStore as _, Options, QueueStore as _};
use mailward_tls::outbound::{Outbound, Proof};
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

const DIR: &str = "MAILWARD_TEST_DIES_IN";

/// Other messages; the poison is the first of them all, and its lane the same.
const OTHERS: usize = 12;

struct To(SocketAddr);

impl Guide for To {
    fn way<'a>(&'a self, _lane: &'a Lane) -> Pin<Box<dyn Future<Output = Way> + Send + 'a>> {
        let host = Host {
            name: "mx.t.example".to_owned(),
            tls_name: "mx.t.example".to_owned(),
            addresses: vec![self.0],
            dialect: Dialect::Smtp,
            proof: Proof::Nothing,
            trust: Trust::default(),
            access: Access::default(),
        };
        Box::pin(async move { Way::Hosts(vec![host]) })
    }
}

/// A host that takes everything; at the poison the process dies, as one does by an abort or the kernel's hand.
async fn host(listener: TcpListener, taken: std::path::PathBuf) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let taken = taken.clone();
        tokio::spawn(async move {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 sink\r\n").await.unwrap();
            let mut data = false;
            let mut to = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer: &[u8] = match line.get(..4) {
                    Some("DATA") => {
                        data = true;
                        b"354 go on\r\n"
                    }
                    _ if data && line == "." => {
                        data = false;
                        std::fs::write(taken.join(&to), b"").unwrap();
                        b"250 taken\r\n"
                    }
                    _ if data => continue,
                    Some("RCPT") => {
                        to = line.split(['<', '@']).nth(1).unwrap().to_owned();
                        if to == "poison" {
                            std::process::abort();
                        }
                        b"250 ok\r\n"
                    }
                    _ => b"250 ok\r\n",
                };
                if write.write_all(answer).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// A server's life: until nothing waits any more, or its death.
async fn live(dir: &Path) {
    let store = LocalStore::open(&dir.join("store"), Options::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(host(listener, dir.join("taken")));
    let (_trigger, shutdown) = shutdown::channel();
    let runner = Runner::new(Parts {
        queue: store.clone(),
        mail: store.clone(),
        directory: Directory::open(store.clone()).await.unwrap(),
        guide: Arc::new(To(address)),
        dkim: None,
        forwarder: None,
        outbound: Outbound::trusting_system(),
        hostname: Domain::parse("mx.s.example").unwrap(),
        events: Events::nowhere(),
        clock: Arc::new(SystemClock),
        connections: 10,
        connections_per_lane: 5,
        lifetime: Duration::from_secs(86_400),
        linger: Duration::ZERO,
        ledger: None,
        care: None,
        suspects: store.was_cut_off().then_some(Duration::from_millis(20)),
    });
    tokio::spawn(runner.run(shutdown));
    while store.queue_totals(1).await.unwrap().waiting > 0 {
        tokio::task::yield_now().await;
    }
    store.close().await;
}

async fn queue(store: &LocalStore, to: &str) {
    let now = Timestamp(mailward_core::Clock::now(&SystemClock).0);
    let address = Address::parse(&format!("{to}@t.example"), false).unwrap();
    let lane = Lane::from(address.domain().unwrap());
    let envelope = Envelope {
        sender: None,
        give_back: None,
        envid: None,
        needs: Needs::default(),
        submitter: None,
        forwarded: None,
        arrived: now,
        warn: None,
        expires: Timestamp(now.0 + 86_400_000),
    };
    let recipients = vec![NewRecipient { address, notify: None, original: None, lane, due: now, held: None }];
    let content = prepare(format!("Subject: {to}\r\n\r\n").into_bytes(), 0).unwrap();
    let queued = vec![Queued { envelope, recipients }];
    store.deliver(Delivery { content, targets: Vec::new(), queued, kept: None }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_ends_the_process_again_and_again_is_held_and_all_others_go() {
    if let Some(dir) = std::env::var_os(DIR) {
        return live(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("taken")).unwrap();
    let store = LocalStore::open(&dir.path().join("store"), Options::default()).unwrap();
    queue(&store, "poison").await;
    for number in 0..OTHERS {
        queue(&store, &format!("other{number}")).await;
    }
    store.close().await;
    drop(store);

    let mut deaths = 0;
    loop {
        let mut again = Command::new(std::env::current_exe().unwrap());
        let again =
            again.args(["--exact", "a_message_that_ends_the_process_again_and_again_is_held_and_all_others_go"]);
        let ended = again.env(DIR, dir.path()).output().unwrap();
        if ended.status.success() {
            break;
        }
        deaths += 1;
        assert!(deaths <= QUEUE_TRIALS_MAX, "it dies on: {}", String::from_utf8_lossy(&ended.stderr));
    }
    assert_eq!(deaths, QUEUE_TRIALS_MAX);
    let store = LocalStore::open(&dir.path().join("store"), Options::default()).unwrap();
    assert!(!store.was_cut_off(), "the last life had a clean end");
    let left = store.queue_page(QueueFilter::default(), None, 100).await.unwrap().messages;
    let left: Vec<_> = left.iter().flat_map(|message| &message.recipients).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].address.to_string() == "poison@t.example" && matches!(left[0].state, RecipientState::Held(_)));
    assert_eq!(std::fs::read_dir(dir.path().join("taken")).unwrap().count(), OTHERS);
    store.close().await;
}
