//! Past every limit, through whole sessions: what a peer hears, and that nothing stays behind.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at what it didn't expect"
)]

mod common;

use common::House;
use mailward_core::Listener;
use mailward_core::limits::{
    DATA_GRACE_TIME, DATA_IDLE_TIME, DEADLINE_TICK, HEADER_BYTES_MAX, HEADER_FIELDS_MAX, MESSAGE_BYTES_IN_FLIGHT_MAX,
    RECEIVED_HOPS_MAX, SMTP_COMMAND_TIME, SMTP_ERRORS_MAX, SMTP_RECIPIENTS_MAX, SMTP_SESSION_TIME,
    SMTP_UNKNOWN_RECIPIENTS_MAX, STRESS_COMMAND_TIME, STRESS_SESSION_TIME, WRITE_TIME,
};
use mailward_gate::Caps;
use mailward_receive::Settings;
use mailward_store::StoreError;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ENVELOPE: &str = "MAIL FROM:<a@c.example>\r\nRCPT TO:<alice@s.example>\r\n";

#[tokio::test]
async fn sizes_recipients_and_messages_are_as_configured() {
    let house =
        House::with(Settings { message_size: 1_000, recipients: 2, messages_per_session: 1, ..Settings::default() })
            .await;
    let mut talk = house.connect(Listener::Smtp).await;
    talk.expect("", 220).await;
    let offers = talk.expect("EHLO c\r\n", 250).await;
    assert!(offers.contains("250-SIZE 1000\r\n") && offers.contains("250-LIMITS RCPTMAX=2 MAILMAX=1\r\n"), "{offers}");
    talk.expect("MAIL FROM:<a@c.example> SIZE=1001\r\n", 552).await;
    let reply = talk.deliver("a@c.example", &["alice@s.example"], &"x".repeat(999)).await;
    assert!(reply.starts_with("552 5.3.4 "), "with its last CRLF it has 1,001 bytes: {reply}");
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    assert_eq!(talk.codes("RCPT TO:<alice@s.example>\r\n".repeat(3), 3).await, [250, 250, 452]);
    talk.expect("DATA\r\n", 354).await;
    assert!(talk.say(format!("{}\r\n.\r\n", "x".repeat(998))).await.starts_with("250"));
    talk.expect("MAIL FROM:<a@c.example>\r\n", 421).await;
    assert!(talk.is_over().await);
}

#[tokio::test]
async fn a_message_has_a_thousand_recipients_and_no_more() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    let all: String = (0..=SMTP_RECIPIENTS_MAX).map(|n| format!("RCPT TO:<alice+{n}@s.example>\r\n")).collect();
    let codes = talk.codes(all, SMTP_RECIPIENTS_MAX + 1).await;
    assert!(codes.iter().take(SMTP_RECIPIENTS_MAX).all(|code| *code == 250));
    assert_eq!(codes.last(), Some(&452));
    talk.expect("DATA\r\n", 354).await;
    assert!(talk.say("Subject: x\r\n\r\nx\r\n.\r\n").await.starts_with("250"));
    assert_eq!(house.inbox("alice").await.len(), 1, "one account, one copy");
}

/// Attacks A6.
#[tokio::test]
async fn guessing_recipients_ends_the_session() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    talk.expect("MAIL FROM:<a@c.example>\r\n", 250).await;
    for n in 0..SMTP_UNKNOWN_RECIPIENTS_MAX {
        talk.expect(&format!("RCPT TO:<guess{n}@s.example>\r\n"), 550).await;
    }
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("RCPT TO:<guess@s.example>\r\n", 421).await;
    assert!(talk.is_over().await);
}

/// Attacks H1.
#[tokio::test]
async fn a_peer_that_doesn_t_read_is_left() {
    let house = House::new().await;
    let mut talk = house.connect_through(Listener::Smtp, 64).await;
    talk.expect("", 220).await;
    talk.write("EHLO c.example\r\n").await;
    tokio::time::pause();
    tokio::time::sleep(WRITE_TIME + Duration::from_secs(1)).await;
    talk.task.await.unwrap();
    assert_eq!(house.logged("connection.lost").len(), 1);
    assert_eq!(house.context.gate.open(), 0);
}

#[tokio::test]
async fn headers_and_hops_end_at_their_limits() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    let hops = |count: usize| format!("{}\r\nbody", "Received: from a by b; now\r\n".repeat(count));
    assert!(talk.deliver("a@c.example", &["alice@s.example"], &hops(RECEIVED_HOPS_MAX)).await.starts_with("250"));
    let reply = talk.deliver("a@c.example", &["alice@s.example"], &hops(RECEIVED_HOPS_MAX + 1)).await;
    assert!(reply.starts_with("554 5.4.6 "), "{reply}");
    let fields = format!("{}\r\nbody", "X: y\r\n".repeat(HEADER_FIELDS_MAX + 1));
    let reply = talk.deliver("a@c.example", &["alice@s.example"], &fields).await;
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
    let large = format!("{}\r\nbody", "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n ".repeat(HEADER_BYTES_MAX / 38 + 1));
    let reply = talk.deliver("a@c.example", &["alice@s.example"], &large).await;
    assert!(reply.starts_with("552 5.3.4 "), "{reply}");
    assert_eq!(house.inbox("alice").await.len(), 1);
    assert_eq!(house.logged("message.refused").len(), 3);
}

/// Attacks H4.
#[tokio::test]
async fn a_nearly_full_disk_refuses_before_the_data() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    house.store.disk_full.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(talk.codes(ENVELOPE, 2).await, [250, 250]);
        let reply = talk.expect("DATA\r\n", 452).await;
        assert!(reply.starts_with("452 4.3.1 "), "{reply}");
        assert_eq!(talk.codes("BDAT 6 LAST\r\nQUIT\r\nRSET\r\n", 2).await, [452, 250]);
    }
    assert_eq!(house.logged("alert store.refuses").len(), 1, "told once, not for everyone who asks");
    house.store.disk_full.store(false, Ordering::Relaxed);
    assert!(talk.deliver("a@c.example", &["alice@s.example"], "x").await.starts_with("250"));
}

#[tokio::test]
async fn what_the_store_can_t_do_is_said_as_it_is() {
    let house = House::new().await;
    type Failure = fn() -> StoreError;
    let cases: [(Failure, &str); 7] = [
        (|| StoreError::OverQuota, "452 4.2.2 "),
        (|| StoreError::DiskFull, "452 4.3.1 "),
        (|| StoreError::QuarantineFull, "452 4.3.1 "),
        (|| StoreError::QuarantineShare("192.0.2.0/24".to_owned()), "452 4.3.1 "),
        (|| StoreError::Closed, "421 4.3.2 "),
        (|| StoreError::Database("gone".to_owned()), "451 4.3.0 "),
        (|| StoreError::NotFound("account"), "451 4.3.0 "),
    ];
    for (error, answer) in cases {
        *house.store.refuse.lock().unwrap() = Some(error);
        let mut talk = house.greeted(Listener::Smtp).await;
        let reply = talk.deliver("a@c.example", &["alice@s.example"], "x").await;
        assert!(reply.starts_with(answer), "{reply}");
        assert!(!reply.contains("gone"), "what is wrong inside is for the log");
        assert!(!answer.starts_with("421") || talk.is_over().await);
    }
    assert!(house.nothing_stored().await);
    assert!(house.logged("alert message.deferred").iter().any(|line| line.contains("gone")));
    let crowded = house.logged("alert quarantine.crowded");
    assert!(crowded.len() == 1 && crowded[0].contains("network=192.0.2.0/24"), "{crowded:?}");
}

#[tokio::test]
async fn when_memory_for_messages_is_used_up_the_message_is_read_and_put_off() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert_eq!(talk.codes(format!("{ENVELOPE}DATA\r\n"), 3).await, [250, 250, 354]);
    let mut others = house.context.budget.share();
    let left = house.context.budget.left();
    assert!(MESSAGE_BYTES_IN_FLIGHT_MAX - left < 10_000, "nothing announced: only the trace is taken");
    assert!(others.resize(left));
    let body = format!("{}\r\n", "x".repeat(60_000)).repeat(4);
    let reply = talk.say(format!("{body}.\r\n")).await;
    assert!(reply.starts_with("452 4.3.1 "), "{reply}");
    // One that says so beforehand is told at once.
    talk.expect("MAIL FROM:<a@c.example> SIZE=100000\r\n", 250).await;
    talk.expect("RCPT TO:<alice@s.example>\r\n", 250).await;
    talk.expect("DATA\r\n", 452).await;
    talk.expect("RSET\r\n", 250).await;
    drop(others);
    assert!(talk.deliver("a@c.example", &["alice@s.example"], &body).await.starts_with("250"));
    assert_eq!(house.inbox("alice").await.len(), 1);
}

/// Attacks H3.
#[tokio::test]
async fn errors_end_the_session() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    for _ in 0..SMTP_ERRORS_MAX {
        talk.expect("DATA\r\n", 503).await;
    }
    talk.expect("DATA\r\n", 421).await;
    assert!(talk.is_over().await);
    assert_eq!(house.logged("connection.dropped").len(), 1);
}

/// Attacks H1.
#[tokio::test]
async fn a_command_that_drips_ends_the_session() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    tokio::time::pause();
    talk.drip("x", SMTP_COMMAND_TIME.as_secs() / 10 + 2, Duration::from_secs(10)).await;
    assert_eq!(talk.code().await, 421);
    assert!(talk.is_over().await);
}

/// Attacks H1.
#[tokio::test]
async fn a_message_that_drips_ends_the_session() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert_eq!(talk.codes(format!("{ENVELOPE}DATA\r\n"), 3).await, [250, 250, 354]);
    tokio::time::pause();
    let enough = DATA_GRACE_TIME + 3 * DEADLINE_TICK;
    talk.drip("not quite enough\r\n", enough.as_secs(), Duration::from_secs(1)).await;
    assert_eq!(talk.code().await, 421);
    tokio::time::resume();
    assert!(talk.is_over().await);
    assert!(house.nothing_stored().await);
}

/// Attacks H1: a chunk has no time of its own.
#[tokio::test]
async fn a_message_of_chunks_that_drip_ends_the_session() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    assert_eq!(talk.codes(ENVELOPE, 2).await, [250, 250]);
    tokio::time::pause();
    let enough = DATA_GRACE_TIME + 3 * DEADLINE_TICK;
    talk.drip("BDAT 1\r\nx", enough.as_secs(), Duration::from_secs(1)).await;
    let mut code = 250;
    while code == 250 {
        code = talk.code().await;
    }
    assert_eq!(code, 421);
    tokio::time::resume();
    assert!(house.nothing_stored().await);
}

/// Attacks H1, H3.
#[tokio::test]
async fn under_stress_who_brought_nothing_has_little_time_and_who_did_has_theirs() {
    let house = House::new().await;
    let mut useful = house.greeted(Listener::Smtp).await;
    assert!(useful.deliver("a@c.example", &["alice@s.example"], "x").await.starts_with("250"));
    let mut user = house.logged_in().await;
    let mut idle = house.greeted(Listener::Smtp).await;
    let mut busy = house.greeted(Listener::Smtp).await;
    let mut silly = house.greeted(Listener::Smtp).await;
    house.context.gate.set_caps(Caps { connections: 20, stress_enter: 10, stress_leave: 1, ..Caps::default() });
    assert!(house.context.gate.is_under_stress());
    assert_eq!(silly.codes("NOOP\r\nNOOP\r\n", 2).await, [250, 421]);
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert_eq!(idle.code().await, 421);
    assert!(began.elapsed() <= STRESS_COMMAND_TIME + 2 * DEADLINE_TICK, "{:?}", began.elapsed());
    // Greetings are answered, and bring nobody more time than there is.
    busy.drip(
        "HELO c.example\r\n",
        STRESS_SESSION_TIME.as_secs() + 3 * DEADLINE_TICK.as_secs(),
        Duration::from_secs(1),
    )
    .await;
    let mut code = 250;
    while code == 250 {
        code = busy.code().await;
    }
    assert_eq!(code, 421);
    useful.expect("NOOP\r\n", 250).await;
    user.expect("NOOP\r\n", 250).await;
    useful.expect("NOOP\r\n", 250).await;
    user.expect("NOOP\r\n", 250).await;
}

/// Attacks B8: at every door in clear, and the log tells what it was.
#[tokio::test]
async fn other_protocols_are_dropped_without_a_word() {
    let house = House::new().await;
    let first: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n", "http"),
        (b"POST /", "http"),
        (b"CONNECT t.example:25 HTTP/1.1\r\n", "http"),
        (b"\x16\x03\x01\x00", "tls"),
        (b"SSH-2.0-x\r\n", "ssh"),
    ];
    for listener in [Listener::Smtp, Listener::Submission, Listener::Submissions, Listener::Lmtp] {
        for (bytes, name) in first {
            let mut talk = house.connect(listener).await;
            talk.expect("", 220).await;
            talk.write(bytes).await;
            assert!(talk.is_over().await, "{listener} {name}");
            let last = house.logged("connection.dropped").pop().unwrap();
            assert!(last.ends_with(&format!("listener={listener} reason={name}")), "{last}");
        }
    }
}

/// Attacks H1.
#[tokio::test]
async fn silence_ends_the_session() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    let mut data = house.greeted(Listener::Smtp).await;
    assert_eq!(data.codes(format!("{ENVELOPE}DATA\r\n"), 3).await, [250, 250, 354]);
    data.write(vec![b'x'; 200_000]).await;
    tokio::time::pause();
    tokio::time::sleep(DATA_IDLE_TIME + 2 * DEADLINE_TICK).await;
    assert_eq!(data.code().await, 421);
    tokio::time::sleep(SMTP_COMMAND_TIME - DATA_IDLE_TIME).await;
    assert_eq!(talk.code().await, 421);
}

#[tokio::test]
async fn a_session_that_brings_nothing_ends() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    tokio::time::pause();
    for _ in 0..SMTP_SESSION_TIME.as_secs() / 60 {
        talk.expect("NOOP\r\n", 250).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    tokio::time::sleep(2 * DEADLINE_TICK).await;
    assert_eq!(talk.code().await, 421);
}

#[tokio::test]
async fn a_stop_is_told_to_who_waits_and_answers_who_is_being_served() {
    let house = House::new().await;
    let mut idle = house.greeted(Listener::Smtp).await;
    let mut half = house.greeted(Listener::Smtp).await;
    assert_eq!(half.codes(format!("{ENVELOPE}DATA\r\n"), 3).await, [250, 250, 354]);
    let mut served = house.greeted(Listener::Smtp).await;
    assert_eq!(served.codes(format!("{ENVELOPE}DATA\r\n"), 3).await, [250, 250, 354]);
    // The commit is held up while the server stops.
    let door = house.store.door.acquire_many(1_000).await.unwrap();
    served.write("Subject: x\r\n\r\nx\r\n.\r\n").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    house.trigger.fire();
    assert!(idle.reply().await.starts_with("421 4.3.2 "));
    assert!(idle.is_over().await);
    assert!(half.reply().await.starts_with("421 4.3.2 "));
    drop(door);
    assert_eq!(served.code().await, 250);
    assert_eq!(served.code().await, 421);
    assert!(served.is_over().await);
    assert_eq!(house.inbox("alice").await.len(), 1);
}

#[tokio::test]
async fn a_message_that_could_be_held_only_once_is_put_off_rather_than_judged() {
    let house = House::new().await;
    let mut talk = house.greeted(Listener::Smtp).await;
    let message = format!("From: a@c.example\r\nSubject: x\r\n\r\n{}", "line\r\n".repeat(2_000));
    let mut others = house.context.budget.share();
    assert!(others.resize(house.context.budget.left() - message.len() * 3 / 2));
    let reply = talk.deliver("a@c.example", &["alice@s.example"], &message).await;
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    assert!(house.nothing_stored().await);
    drop(others);
    assert!(talk.deliver("a@c.example", &["alice@s.example"], &message).await.starts_with("250"));
    assert_eq!(house.context.budget.left(), mailward_core::limits::MESSAGE_BYTES_IN_FLIGHT_MAX);
}
