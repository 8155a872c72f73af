//! Before login: TLS, LOGIN, AUTHENTICATE, and who is not let in.

use crate::harness::{House, PASSWORD, Plan};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::limits::{AUTH_ATTEMPTS_MAX, GUEST_COMMANDS_MAX, IMAP_PREAUTH_ERRORS_MAX, STRESS_COMMAND_TIME};
use mailward_gate::Caps;
use std::time::Duration;

fn plain(user: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{user}\0{password}"))
}

#[tokio::test]
async fn nobody_logs_in_without_tls() {
    let house = House::new().await;
    let mut client = house.plain().await;
    let capabilities = client.ask("CAPABILITY").await;
    assert!(
        capabilities[0].contains("STARTTLS LOGINDISABLED") && !capabilities[0].contains("AUTH="),
        "{capabilities:?}"
    );
    let refused = client.ask(&format!("LOGIN alice@example.test {PASSWORD}")).await;
    assert!(refused[0].starts_with("NO [PRIVACYREQUIRED]"), "{refused:?}");
    let refused = client.ask(&format!("AUTHENTICATE PLAIN {}", plain("alice@example.test", PASSWORD))).await;
    assert!(refused[0].starts_with("NO "), "{refused:?}");
}

#[tokio::test]
async fn starttls_then_login_opens_the_house() {
    let house = House::new().await;
    let mut client = house.plain().await;
    client.talk("C: a STARTTLS\nS: a OK …").await;
    house.start_tls(&mut client).await;
    let capabilities = client.ask("CAPABILITY").await;
    assert!(capabilities[0].contains("AUTH=SCRAM-SHA-256-PLUS") && !capabilities[0].contains("LOGINDISABLED"));
    assert!(client.ask("STARTTLS").await[0].starts_with("BAD"));
    client
        .talk(&format!(
            "C: b LOGIN alice@example.test {PASSWORD}
             S: b OK [CAPABILITY IMAP4rev1 … APPENDLIMIT=200000] …
             C: c LOGIN alice@example.test {PASSWORD}
             S: c BAD …
             C: d LOGOUT
             S: * BYE …
             S: d OK …"
        ))
        .await;
    assert!(client.ends().await.is_empty());
}

/// Attacks B1.
#[tokio::test]
async fn what_follows_starttls_in_clear_ends_the_session() {
    let house = House::new().await;
    let mut client = house.plain().await;
    client.send("a STARTTLS\r\nb LOGIN alice@example.test x\r\n").await;
    let lines = client.ends().await;
    assert!(lines.len() == 1 && lines[0].starts_with("* BYE"), "{lines:?}");
    assert!(house.context.events.lines().iter().any(|l| l.contains("imap.dropped") && l.contains("STARTTLS")));
}

#[tokio::test]
async fn every_mechanism_s_first_answer_may_come_early_or_late() {
    let house = House::new().await;
    let mut client = house.tls().await;
    client
        .talk(&format!(
            "C: a AUTHENTICATE PLAIN
             S: + …
             C: {}
             S: a OK [CAPABILITY …",
            plain("alice@example.test", PASSWORD)
        ))
        .await;
    let mut client = house.tls().await;
    let answer = client.ask(&format!("AUTHENTICATE plain {}", plain("bob@example.test", PASSWORD))).await;
    assert!(answer[0].starts_with("OK "), "{answer:?}");
    let mut client = house.tls().await;
    client
        .talk(&format!(
            "C: a AUTHENTICATE LOGIN
             S: + …
             C: {}
             S: + …
             C: {}
             S: a OK …",
            STANDARD.encode("alice@example.test"),
            STANDARD.encode(PASSWORD)
        ))
        .await;
}

#[tokio::test]
async fn an_exchange_can_be_cancelled_and_junk_is_bad() {
    let house = House::new().await;
    let mut client = house.tls().await;
    client
        .talk(
            "C: a AUTHENTICATE PLAIN
             S: + …
             C: *
             S: a BAD …
             C: b AUTHENTICATE PLAIN
             S: + …
             C: !!!
             S: b BAD …
             C: c AUTHENTICATE NTLM
             S: c NO …",
        )
        .await;
}

#[tokio::test]
async fn wrong_logins_look_alike_and_end_at_their_limit() {
    let house = House::new().await;
    let mut client = house.tls().await;
    let mut answers = Vec::new();
    for user in ["alice@example.test", "nobody@example.test", "alice@example.test"].iter().take(AUTH_ATTEMPTS_MAX) {
        answers.push(client.ask(&format!("LOGIN {user} wrong")).await);
    }
    assert!(
        answers.iter().all(|a| a[0] == answers[0][0] && a[0].starts_with("NO [AUTHENTICATIONFAILED]")),
        "{answers:?}"
    );
    let lines = client.ends().await;
    assert!(lines.len() == 1 && lines[0].starts_with("* BYE"), "{lines:?}");
}

/// Attacks B8.
#[tokio::test]
async fn other_protocols_are_dropped_without_a_word() {
    let house = House::new().await;
    let first: [(&[&[u8]], &str); 6] = [
        (&[b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], "http"),
        (&[b"POST", b" /"], "http"),
        (&[b"get / http/1.0\n"], "http"),
        (&[b"CONNECT a.example:143 HTTP/1.1\r\n"], "http"),
        (&[b"\x16", b"\x03\x01\x02"], "tls"),
        (&[b"SSH-2.0-x\r\n"], "ssh"),
    ];
    for (pieces, name) in first {
        let mut client = house.plain().await;
        for piece in pieces {
            client.send(piece).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(client.ends().await.is_empty(), "{name}");
        let lines = house.context.events.lines();
        let last = lines.iter().rfind(|line| line.contains("imap.dropped")).unwrap();
        assert!(last.ends_with(&format!("why={name}")), "{last}");
    }
    // Words that are a tag, and nobody's business once somebody is logged in.
    let mut client = house.plain().await;
    client.send("GET NOOP\r\n").await;
    assert_eq!(client.line().await, "GET OK nothing done");
}

/// Attacks H3.
#[tokio::test]
async fn a_guest_who_only_chats_is_sent_away() {
    let house = House::new().await;
    let mut client = house.plain().await;
    for _ in 0..GUEST_COMMANDS_MAX {
        client.send("a NOOP\r\n").await;
        assert!(client.line().await.starts_with("a OK"));
    }
    client.send("a NOOP\r\n").await;
    let lines = client.ends().await;
    assert!(lines.len() == 1 && lines[0].starts_with("* BYE"), "{lines:?}");
}

/// Attacks H1, H3.
#[tokio::test]
async fn under_stress_guests_have_little_time_and_users_have_theirs() {
    let house = House::new().await;
    let mut user = house.login("alice").await;
    let mut idle = house.plain().await;
    let mut silly = house.plain().await;
    let caps = Caps { connections: 20, stress_enter: 10, stress_leave: 1, ..Caps::default() };
    house.context.gate.set_caps(caps);
    assert!(house.context.gate.is_under_stress());
    silly.send("a JUNK\r\n").await;
    assert_eq!(silly.ends().await.len(), 2, "one mistake is enough");
    assert!(idle.ask("NOOP").await[0].starts_with("OK"));
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert!(idle.ends().await[0].starts_with("* BYE"));
    assert!(began.elapsed() <= STRESS_COMMAND_TIME + Duration::from_secs(1), "{:?}", began.elapsed());
    tokio::time::sleep(STRESS_COMMAND_TIME).await;
    assert!(user.ask("NOOP").await[0].starts_with("OK"));
}

#[tokio::test]
async fn a_few_junk_commands_before_login_are_enough() {
    let house = House::new().await;
    let mut client = house.plain().await;
    for n in 0..IMAP_PREAUTH_ERRORS_MAX {
        client.send(format!("EHLO {n}\r\n")).await;
    }
    let lines = client.ends().await;
    assert_eq!(lines.len(), IMAP_PREAUTH_ERRORS_MAX + 1);
    assert!(lines.last().unwrap().starts_with("* BYE"));
}

#[tokio::test]
async fn nothing_else_is_allowed_before_login() {
    let house = House::new().await;
    let mut client = house.plain().await;
    assert!(client.ask("SELECT INBOX").await[0].starts_with("BAD"));
    assert!(client.ask("ID NIL").await[1].starts_with("OK"));
    assert!(client.ask("NOOP").await[0].starts_with("OK"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_who_says_nothing_is_sent_away() {
    let house = House::new().await;
    let client = house.plain().await;
    let started = tokio::time::Instant::now();
    let mut client = client;
    client.send("a ").await;
    let mut stream = client.stream.take().unwrap();
    let mut rest = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut rest).await.unwrap();
    assert!(rest.starts_with("* BYE"), "{rest:?}");
    assert!(started.elapsed() <= mailward_core::limits::IMAP_PREAUTH_TIME * 2);
}

#[tokio::test]
async fn an_account_has_so_many_sessions_and_no_more() {
    let house = House::planned(Plan { caps: Caps { per_account: 2, ..Caps::default() }, ..Plan::default() }).await;
    let first = house.login("alice").await;
    let _second = house.login("alice").await;
    let mut third = house.tls().await;
    let refused = third.ask(&format!("LOGIN alice@example.test {PASSWORD}")).await;
    assert!(refused[0].starts_with("NO [LIMIT]"), "{refused:?}");
    let _bob = house.login("bob").await;
    drop(first.stream);
    first.session.await.unwrap();
    let again = third.ask(&format!("LOGIN alice@example.test {PASSWORD}")).await;
    assert!(again[0].starts_with("OK"), "{again:?}");
}

/// RFC 8437.
#[tokio::test]
async fn one_connection_serves_one_user_after_the_other() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.ask("ENABLE QRESYNC IMAP4rev2").await;
    client.ask("SELECT INBOX").await;
    assert!(client.ask("UNAUTHENTICATE").await[0].starts_with("OK"));
    assert!(client.ask("LIST \"\" *").await[0].starts_with("BAD"), "nobody is logged in");
    assert!(client.ask("CAPABILITY").await[0].contains("AUTH="));
    assert!(client.ask(&format!("LOGIN bob@example.test {PASSWORD}")).await[0].starts_with("OK"));
    assert!(client.ask("SELECT INBOX").await.iter().any(|l| l == "* 0 RECENT"), "rev2 was alice's");
    assert!(client.ask("SELECT INBOX (QRESYNC (1 1))").await[0].starts_with("BAD"), "and so was QRESYNC");
}

#[tokio::test]
async fn passwords_can_t_be_tried_by_leaving_in_between() {
    let house = House::new().await;
    let mut client = house.tls().await;
    for _try in 1..AUTH_ATTEMPTS_MAX {
        assert!(client.ask("LOGIN bob@example.test wrong").await[0].starts_with("NO"));
        assert!(client.ask(&format!("LOGIN alice@example.test {PASSWORD}")).await[0].starts_with("OK"));
        client.ask("UNAUTHENTICATE").await;
    }
    client.send("x LOGIN bob@example.test wrong\r\n").await;
    assert!(client.ends().await.iter().any(|l| l.starts_with("* BYE")));
}

#[tokio::test]
async fn a_client_says_who_it_is() {
    let house = House::new().await;
    let mut client = house.tls().await;
    assert_eq!(client.ask("ID (\"name\" \"Mail\" \"version\" NIL)").await[0], "* ID (\"name\" \"Mailward\")");
    assert!(client.ask("ID NIL").await[1].starts_with("OK"));
}
