//! Other filters.

use crate::world::*;
use mailward_core::config::{self, SpamPeer};
use mailward_core::limits::{SPAM_PEER_LATE_MAX, SPAM_PEER_TIME, SPAM_READ_MAX};
use mailward_inspect::Finding;
use mailward_inspect::spam::Lesson;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers each connection the same, once all of the message was read; counts them.
async fn peer(answer: &'static str, asked: Arc<AtomicUsize>) -> std::net::SocketAddr {
    listening(answer, asked, Arc::default()).await
}

/// The same; `heard` is all that the last one brought.
async fn listening(answer: &'static str, asked: Arc<AtomicUsize>, heard: Arc<Mutex<String>>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            asked.fetch_add(1, Ordering::SeqCst);
            let mut read = Vec::new();
            let mut some = [0u8; 4096];
            while !is_whole(&read) {
                let count = stream.read(&mut some).await.unwrap();
                read.extend_from_slice(&some[..count]);
            }
            *heard.lock().unwrap() = String::from_utf8_lossy(&read).into_owned();
            if !answer.is_empty() {
                stream.write_all(answer.as_bytes()).await.unwrap();
            } else {
                std::future::pending::<()>().await;
            }
        }
    });
    address
}

/// Whether a request has all the bytes that its head tells of.
fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

const SPAMD: &str = "SPAMD/1.1 0 EX_OK\r\nContent-length: 9\r\nSpam: True ; 8.0 / 5.0\r\n\r\nBAYES_99\r\n";
const RSPAMD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"score\":-2.0,\"symbols\":{\"GOOD\":{}}}";

#[tokio::test]
async fn other_filters_are_asked_and_their_points_count() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let (spamd, rspamd) = (peer(SPAMD, asked.clone()).await, peer(RSPAMD, asked.clone()).await);
    let lines = [format!("spamd tcp:{spamd} 0.5"), format!("rspamd tcp:{rspamd} 1")];
    let peers = lines.iter().map(|line| SpamPeer::parse(line).unwrap()).collect();
    let w = world(dir.path(), config::Spam { peers, ..config::Spam::default() }).await;
    let message = subject(&mail(Lesson::Spam, 1), &[w.alice]);
    let found = w.spam.score(&message, None, &[]).await;
    let of = |rule: &str| -> &Finding { found.iter().find(|one| one.rule == rule).unwrap() };
    assert_eq!((of("spamd").points, of("rspamd").points), (400, -200));
    assert_eq!(of("spamd").evidence, "8.0 points there: BAYES_99");
    // What is too large isn't shown to them.
    let large = subject(&[mail(Lesson::Spam, 1), vec![b'x'; SPAM_READ_MAX]].concat(), &[w.alice]);
    let _found = w.spam.score(&large, None, &[]).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_silent_costs_some_messages_its_time_and_the_next_ones_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let silent = peer("", asked.clone()).await;
    let peers = vec![SpamPeer::parse(&format!("spamd tcp:{silent}")).unwrap()];
    let w = world(dir.path(), config::Spam { peers, ..config::Spam::default() }).await;
    let message = subject(&mail(Lesson::Spam, 1), &[w.alice]);
    let began = tokio::time::Instant::now();
    let times = SPAM_PEER_LATE_MAX;
    for _ in 0..times + 2 {
        assert!(w.spam.score(&message, None, &[]).await.iter().all(|one| one.rule != "spamd"));
    }
    assert_eq!(began.elapsed().as_secs(), SPAM_PEER_TIME.as_secs() * u64::from(times));
    assert!(asked.load(Ordering::SeqCst) <= times as usize);
}

#[tokio::test]
async fn each_filter_hears_who_brings_a_message_as_it_expects_it() {
    let dir = tempfile::tempdir().unwrap();
    let (by_spamd, by_rspamd): (Arc<Mutex<String>>, Arc<Mutex<String>>) = Default::default();
    let spamd = listening(SPAMD, Arc::default(), by_spamd.clone()).await;
    let rspamd = listening(RSPAMD, Arc::default(), by_rspamd.clone()).await;
    let lines = [format!("spamd tcp:{spamd}"), format!("rspamd tcp:{rspamd}")];
    let peers = lines.iter().map(|line| SpamPeer::parse(line).unwrap()).collect();
    let w = world(dir.path(), config::Spam { peers, ..config::Spam::default() }).await;
    let trace =
        "Return-Path: <somebody@else.example>\r\nReceived: from mx.example ([192.0.2.1])\r\n\tby us;\r\n\tdate\r\n";
    let mut message = subject(&[trace.as_bytes(), b"Subject: one\r\n\r\nhello\r\n"].concat(), &[w.alice]);
    message.trace = trace.len();
    message.reverse = Some("mx.else.example".into());
    let _found = w.spam.score(&message, None, &[]).await;
    let (head, brought) = heard(&by_spamd);
    assert!(head.ends_with(&format!("Content-length: {}", brought.len())), "{head}");
    let wanted =
        "Return-Path: <somebody@else.example>\r\nReceived: from mx.example (mx.else.example [192.0.2.1])\r\n\tby ";
    assert!(brought.starts_with(wanted) && brought.contains(" with ESMTP id 1;\r\n\tMon, 2 Nov 2026"), "{brought}");
    assert!(brought.ends_with("+0000\r\nSubject: one\r\n\r\nhello\r\n") && !brought.contains("by us"), "{brought}");
    let (head, brought) = heard(&by_rspamd);
    assert_eq!(brought, "Subject: one\r\n\r\nhello\r\n", "a trace of ours would be one more host on the way");
    assert!(head.contains("\r\nIP: 192.0.2.1\r\nHelo: mx.example\r\nHostname: mx.else.example\r\n"), "{head}");

    // What a client says of itself stays in its place.
    message.hello = "laptop\r\nX: y".into();
    let _found = w.spam.score(&message, None, &[]).await;
    assert!(heard(&by_spamd).1.contains("Received: from laptopX:y (mx.else.example [192.0.2.1])"));
    assert!(heard(&by_rspamd).0.contains("\r\nHelo: laptopX:y\r\n"));

    // Where no host is there is none to ask about.
    message.client = None;
    let _found = w.spam.score(&message, None, &[]).await;
    assert!(heard(&by_spamd).1.starts_with("Return-Path: <somebody@else.example>\r\nSubject: one"));
    assert!(!heard(&by_rspamd).0.contains("IP:"));
}

fn heard(by: &Mutex<String>) -> (String, String) {
    let all = by.lock().unwrap();
    let (head, message) = all.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), message.to_owned())
}
