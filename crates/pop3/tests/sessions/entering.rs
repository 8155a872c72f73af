//! Until the login.

use crate::harness::*;
use mailward_core::limits::*;
use mailward_core::{Listener, Peer, Secret};
use mailward_directory::{NewPassword, NewUser};
use mailward_gate::Caps;
use mailward_pop3::serve;
use mailward_store::StoreError;
use mailward_tls::Wire;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

#[tokio::test]
async fn an_account_with_too_many_sessions_waits() {
    let house = House::new().await;
    house.context.gate.set_caps(Caps { per_account: 1, ..Caps::default() });
    let _other = house.context.gate.session(house.account).unwrap();
    let (mut client, _task) = house.tls().await;
    assert!(client.pass(PASSWORD).await.starts_with("-ERR [IN-USE] "));
}

#[tokio::test]
async fn nobody_logs_in_in_clear_even_with_the_right_password() {
    let house = House::new().await;
    let (mut client, _task) = house.clear(4096).await;
    assert!(client.ask(&format!("USER {ALICE}")).await.starts_with("-ERR"));
    assert!(client.ask(&format!("PASS {PASSWORD}")).await.starts_with("-ERR"));
    assert!(client.ask("AUTH PLAIN").await.starts_with("-ERR"));
    assert!(client.ask("STAT").await.starts_with("-ERR"));
}

#[tokio::test]
async fn sasl_plain_logs_in_with_and_without_an_initial_response() {
    use base64::Engine as _;
    let house = House::new().await;
    let encode = |password: &str| base64::engine::general_purpose::STANDARD.encode(format!("\0{ALICE}\0{password}"));
    let (mut client, task) = house.tls().await;
    assert!(client.ask(&format!("AUTH PLAIN {}", encode(PASSWORD))).await.starts_with("+OK 0 messages"));
    client.ask("QUIT").await;
    task.await.unwrap();
    let (mut client, _task) = house.tls().await;
    assert_eq!(client.ask("AUTH PLAIN").await, "+");
    assert!(client.ask(&encode("wrong")).await.starts_with("-ERR [AUTH] "));
    assert_eq!(client.ask("AUTH PLAIN").await, "+");
    assert!(client.ask(&encode(PASSWORD)).await.starts_with("+OK"));
}

#[tokio::test]
async fn every_mechanism_that_is_told_can_be_begun() {
    let house = House::new().await;
    let (mut client, _task) = house.tls().await;
    client.ask("CAPA").await;
    let capabilities = String::from_utf8(client.body().await).unwrap();
    let mechanisms = capabilities.lines().find_map(|line| line.strip_prefix("SASL ")).unwrap();
    assert!(mechanisms.contains("SCRAM-SHA-256-PLUS"), "{mechanisms}");
    for mechanism in mechanisms.split(' ') {
        assert!(client.ask(&format!("AUTH {mechanism}")).await.starts_with('+'), "{mechanism}");
        assert!(client.ask("*").await.starts_with("-ERR"));
    }
    assert!(client.ask("AUTH CRAM-MD5").await.starts_with("-ERR"));
}

#[tokio::test]
async fn three_wrong_passwords_are_enough() {
    let house = House::new().await;
    let (mut client, task) = house.tls().await;
    for _ in 0..3 {
        assert!(client.pass("wrong").await.starts_with("-ERR [AUTH] "));
    }
    assert_eq!(client.rest().await, "");
    task.await.unwrap();
    house.ended("logins");
}

/// Attacks B1.
#[tokio::test]
async fn bytes_behind_stls_end_the_session() {
    let house = House::new().await;
    let (mut client, task) = house.clear(4096).await;
    client.send("STLS\r\nCAPA\r\n").await;
    assert!(client.rest().await.starts_with("-ERR"));
    task.await.unwrap();
    house.ended("stls-injection");
    // A moment later they are no TLS, and the session is over as well.
    let (mut client, task) = house.clear(4096).await;
    assert!(client.ask("STLS").await.starts_with("+OK"));
    client.send("CAPA\r\nNOOP\r\n").await;
    let _alert = client.wire.read_to_end(&mut Vec::new()).await;
    task.await.unwrap();
    house.ended("tls");
}

#[tokio::test]
async fn whoever_doesn_t_log_in_goes_however_busy_they_are() {
    let house = House::new().await;
    tokio::time::pause();
    for text in ["", "C", "CAPA\r\n"] {
        let (mut wire, theirs) = tokio::io::duplex(64);
        let peer = Peer { session: 1, address: None, port: None, listener: Listener::Pop3 };
        let permit = house.context.gate.admit(None).unwrap();
        let began = Instant::now();
        let task = tokio::spawn(serve(Wire::memory(theirs), peer, permit, house.context.clone()));
        let mut piece = [0u8; 64];
        loop {
            tokio::select! {
                read = wire.read(&mut piece) => if matches!(read, Ok(0) | Err(_)) { break },
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    if wire.write_all(text.as_bytes()).await.is_err() { break }
                }
            }
        }
        task.await.unwrap();
        assert!(began.elapsed() <= POP3_PREAUTH_TIME + Duration::from_secs(1), "{:?}", began.elapsed());
        house.ended("idle");
    }
}

/// Attacks H1, H3.
#[tokio::test]
async fn under_stress_guests_have_little_time_and_users_have_theirs() {
    let house = House::new().await;
    let (mut user, _task) = house.login().await;
    let (mut idle, task) = house.clear(4096).await;
    let (mut silly, silly_task) = house.clear(4096).await;
    let caps = Caps { connections: 20, stress_enter: 10, stress_leave: 1, ..Caps::default() };
    house.context.gate.set_caps(caps);
    assert!(house.context.gate.is_under_stress());
    assert_eq!(silly.ask("JUNK").await, "-ERR unknown command");
    assert!(silly.rest().await.ends_with("-ERR too many errors\r\n"));
    silly_task.await.unwrap();
    house.ended("errors");
    tokio::time::pause();
    assert!(idle.lines("CAPA").await.contains(&"STLS".to_owned()));
    let began = Instant::now();
    task.await.unwrap();
    assert!(began.elapsed() <= STRESS_COMMAND_TIME + Duration::from_secs(1), "{:?}", began.elapsed());
    house.ended("idle");
    tokio::time::sleep(STRESS_COMMAND_TIME).await;
    assert_eq!(user.ask("STAT").await, "+OK 0 0");
}

/// Attacks B5, G1: also a login that never ends, in either place where a line may be long.
#[tokio::test]
async fn an_endless_login_ends_the_session() {
    let house = House::new().await;
    for before in ["", "AUTH PLAIN\r\n"] {
        let (mut client, task) = house.tls().await;
        client.send(&format!("{before}AUTH PLAIN {}", "A".repeat(SASL_LINE_MAX + 1))).await;
        assert!(client.rest().await.ends_with("-ERR that line is too long\r\n"));
        task.await.unwrap();
        house.ended("line");
    }
}

/// Attacks B5.
#[tokio::test]
async fn an_empty_response_and_a_second_login_are_refused() {
    let house = House::new().await;
    let (mut client, _task) = house.tls().await;
    assert!(client.ask("AUTH PLAIN =").await.starts_with("-ERR"));
    assert!(client.pass(PASSWORD).await.starts_with("+OK"));
    for command in ["AUTH PLAIN =", "AUTH SCRAM-SHA-256", "USER bob@example.test", "PASS x", "STLS", "UTF8"] {
        assert!(client.ask(command).await.starts_with("-ERR"), "{command}");
    }
    assert_eq!(client.ask("STAT").await, "+OK 0 0");
}

/// Attacks G11: the maildrop of somebody who is gone, or slow to go, is theirs again in a moment.
#[tokio::test]
async fn a_second_session_waits_a_moment_for_the_first() {
    let house = House::new().await;
    house.deliver(mail("one", "")).await;
    let (mut first, _task) = house.login().await;
    let (mut second, _task) = house.tls().await;
    assert!(second.ask(&format!("USER {ALICE}")).await.starts_with("+OK"));
    // However slow this machine is.
    tokio::time::pause();
    second.send(&format!("PASS {PASSWORD}\r\n")).await;
    // The second waits by now, or will find it free.
    assert!(first.ask("STAT").await.starts_with("+OK 1 "));
    first.ask("QUIT").await;
    assert_eq!(second.line().await, "+OK 1 messages");
}

/// Attacks G11.
#[tokio::test]
async fn a_second_session_doesn_t_wait_longer_than_a_moment() {
    let house = House::new().await;
    let (_first, _task) = house.login().await;
    let (mut second, _task) = house.tls().await;
    tokio::time::pause();
    let began = Instant::now();
    assert!(second.pass(PASSWORD).await.starts_with("-ERR [IN-USE] "));
    assert!((POP3_LOCK_WAIT..POP3_PREAUTH_TIME).contains(&began.elapsed()), "{:?}", began.elapsed());
}

/// Attacks G11: whoever has the password can't keep more sessions waiting than the account may have.
#[tokio::test]
async fn whoever_waits_for_a_maildrop_counts_as_a_session() {
    let house = House::new().await;
    house.context.gate.set_caps(Caps { per_account: 2, ..Caps::default() });
    let (mut first, _task) = house.login().await;
    let (mut second, _task) = house.tls().await;
    let (mut third, _task) = house.tls().await;
    // However slow this machine is.
    tokio::time::pause();
    second.send(&format!("USER {ALICE}\r\nPASS {PASSWORD}\r\n")).await;
    // Until it waits.
    while house.context.gate.session(house.account).is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(third.pass(PASSWORD).await.starts_with("-ERR [IN-USE] "), "at once");
    first.ask("QUIT").await;
    assert!(second.line().await.starts_with("+OK"));
    assert_eq!(second.line().await, "+OK 0 messages");
}

#[tokio::test]
async fn a_stop_doesn_t_wait_for_a_maildrop() {
    let house = House::new().await;
    let (_first, _task) = house.login().await;
    let (mut second, task) = house.tls().await;
    second.send(&format!("USER {ALICE}\r\nPASS {PASSWORD}\r\n")).await;
    assert!(second.line().await.starts_with("+OK"));
    house.stop.fire();
    assert!(second.rest().await.contains("-ERR [SYS/TEMP] the server stops"));
    task.await.unwrap();
}

#[tokio::test]
async fn a_store_that_doesn_t_answer_lets_nobody_in_and_says_for_how_long() {
    let house = House::new().await;
    let (mut client, _task) = house.tls().await;
    *house.store.fail.lock().unwrap() = Some((0, || StoreError::Closed));
    assert!(client.pass(PASSWORD).await.starts_with("-ERR [SYS/TEMP] "));
    *house.store.fail.lock().unwrap() = Some((0, || StoreError::Damaged("a page".to_owned())));
    assert!(client.pass(PASSWORD).await.starts_with("-ERR [SYS/PERM] "));
    *house.store.fail.lock().unwrap() = None;
    assert!(client.pass(PASSWORD).await.starts_with("+OK 0 messages"), "and the maildrop is free");
}

/// RFC 6856 §2.2.
#[tokio::test]
async fn names_and_passwords_may_be_utf_8() {
    let house = House::new().await;
    let user = NewUser {
        address: "jøran@example.test".parse().unwrap(),
        password: NewPassword::Given(Secret::new("blåbærsyltetøy-93")),
        display_name: String::new(),
        quota_bytes: 0,
        quota_messages: 0,
    };
    house.context.directory.add_user(user).await.unwrap();
    let (mut client, _task) = house.tls().await;
    assert!(client.ask("USER jøran@example.test").await.starts_with("+OK"));
    // SASLprep makes the two ways to write the ring one.
    assert!(client.ask("PASS bla\u{30a}bærsyltetøy-93").await.starts_with("+OK 0 messages"));
}
