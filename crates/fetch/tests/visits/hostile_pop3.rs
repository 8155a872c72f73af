//! POP3 servers that don't keep their word.

use crate::house::{House, PASSWORD, message};
use crate::scripted::{Pop, Scripted, Then, say, sent};
use mailward_core::limits::{FETCH_CAPABILITIES_MAX, FETCH_LISTED_MAX};
use mailward_fetch::{Protocol, Settings, State, Tls};

const GREETING: &str = "+OK\r\n";

async fn tls(house: &House, answer: impl FnMut(usize, &str) -> Then + Send + 'static) -> Scripted {
    Scripted::start(&house.acceptor, true, GREETING, answer).await
}

async fn fetched(house: &House, server: &Scripted) -> State {
    house.fetch(house.settings(Protocol::Pop3, server.port)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_within_a_message_delivers_none_of_it() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("one")), ("b", &message("two"))]);
    let server = tls(&house, move |connection, line| match (connection, line) {
        (1, "RETR 2") => Then::Close(b"+OK\r\nSubject: two\r\n\r\nhalf a l".to_vec()),
        _ => pop.answer(line),
    })
    .await;
    let state = fetched(&house, &server).await;
    assert!(state.error.unwrap().contains("closed"));
    assert_eq!(house.subjects().await, ["one"]);
    let state = house.again().await;
    assert_eq!((state.error, state.fetched), (None, 2));
    assert_eq!(house.subjects().await, ["one", "two"]);
    house.again().await;
    let last: Vec<String> = server.heard().into_iter().rev().take_while(|line| line != "CAPA").collect();
    assert!(!last.iter().any(|line| line.starts_with("RETR")), "all is deleted there: {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_didn_t_happen_is_made_up_for_and_brings_nothing_twice() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("one"))]);
    let server = tls(&house, move |connection, line| match (connection, line) {
        (1, "QUIT") => Then::Close(Vec::new()),
        _ => pop.answer(line),
    })
    .await;
    assert!(fetched(&house, &server).await.error.is_some());
    assert_eq!(house.again().await.error, None);
    assert_eq!(house.subjects().await, ["one"]);
    assert_eq!(server.heard().iter().filter(|line| *line == "DELE 1").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_far_larger_than_said_is_left_and_the_next_visit_passes_it() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("endless")), ("b", &message("two"))]);
    let server = tls(&house, move |_, line| match line {
        "RETR 1" => Then::Forever(b"+OK\r\n".to_vec(), b"more and more\r\n".to_vec()),
        _ => pop.answer(line),
    })
    .await;
    let state = fetched(&house, &server).await;
    assert!(state.error.unwrap().contains("larger than"));
    assert!(house.told("far larger than the server says"));
    assert!(house.subjects().await.is_empty());
    let state = house.after_hours(2).await;
    assert_eq!((state.error, state.left), (None, 1));
    assert_eq!(house.subjects().await, ["two"]);
    assert!(!server.heard_any("DELE 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_within_a_message_ends_at_its_size() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("one line"))]);
    let server = tls(&house, move |_, line| match line {
        "RETR 1" => Then::Forever(b"+OK\r\n".to_vec(), vec![b'x'; 4096]),
        _ => pop.answer(line),
    })
    .await;
    assert!(fetched(&house, &server).await.error.unwrap().contains("larger than"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_messages_of_one_name_are_told_apart_by_what_they_are() {
    let house = House::new().await;
    let all = [("same", message("one")), ("same", message("two")), ("same", message("one"))];
    let mut pop = Pop::of(&all.iter().map(|(id, text)| (*id, text.as_str())).collect::<Vec<_>>());
    let server = tls(&house, move |_, line| pop.answer(line)).await;
    let state = house.fetch_and_keep(house.settings(Protocol::Pop3, server.port)).await;
    assert_eq!((state.error, state.fetched), (None, 2));
    house.again().await;
    assert_eq!(house.subjects().await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_given_to_another_message_loses_none() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("1", &message("one"))]);
    let server = tls(&house, move |connection, line| {
        if connection == 2 && line == "CAPA" {
            // What was there is gone, and numbers begin anew.
            pop = Pop::of(&[("1", &message("two"))]);
        }
        match line {
            "QUIT" if connection == 1 => Then::Close(b"+OK\r\n".to_vec()),
            _ => pop.answer(line),
        }
    })
    .await;
    fetched(&house, &server).await;
    assert_eq!(house.again().await.error, None);
    assert_eq!(house.subjects().await, ["one", "two"]);
    assert_eq!(house.again().await.error, None);
    assert_eq!(house.subjects().await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_like_one_that_was_deleted_is_another() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("one"))]);
    let server = tls(&house, move |connection, line| {
        if connection == 2 && line == "CAPA" {
            pop = Pop::of(&[("b", &message("one"))]);
        }
        pop.answer(line)
    })
    .await;
    fetched(&house, &server).await;
    house.again().await;
    assert_eq!(house.subjects().await, ["one", "one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lists_what_it_deleted_brings_nothing_twice() {
    let house = House::new().await;
    let pop = Pop::of(&[("a", &message("one"))]);
    let server = tls(&house, move |_, line| pop.clone().answer(line)).await;
    fetched(&house, &server).await;
    house.again().await;
    assert_eq!(house.again().await.error, None);
    assert_eq!(house.subjects().await, ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_names_for_what_was_left_there_bring_nothing_twice() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("one")), ("b", &message("two"))]);
    let server = tls(&house, move |connection, line| {
        match (connection, line) {
            // For a while it seems empty, then everything has another name, and something is new.
            (2, "CAPA") => pop = Pop::default(),
            (3, "CAPA") => {
                pop = Pop::of(&[("c", &message("one")), ("d", &message("two")), ("e", &message("three"))]);
            }
            _ => {}
        }
        pop.answer(line)
    })
    .await;
    house.fetch_and_keep(house.settings(Protocol::Pop3, server.port)).await;
    house.again().await;
    let state = house.again().await;
    assert_eq!((state.error, state.fetched), (None, 3));
    house.again().await;
    assert_eq!(house.subjects().await, ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn line_ends_of_unix_are_mended_and_what_nobody_reads_alike_is_left() {
    let house = House::new().await;
    let (bare, nul, cr) = ("Subject: bare\n\nbody\n.\nstill body", "Subject: nul\r\n\r\n\0", "Subject: a\rb\r\n\r\n");
    let mut pop = Pop::of(&[("a", bare), ("b", nul), ("c", cr), ("d", &message("good"))]);
    let server = tls(&house, move |_, line| pop.answer(line)).await;
    let state = fetched(&house, &server).await;
    assert_eq!((state.error, state.fetched, state.left), (None, 2, 2));
    let inbox = house.inbox("joe").await;
    assert!(inbox[0].ends_with("Subject: bare\r\n\r\nbody\r\n.\r\nstill body\r\n"), "{}", inbox[0]);
    assert_eq!(house.subjects().await[1], "good");
    assert!(!server.heard_any("DELE 2") && !server.heard_any("DELE 3"));
    assert!(house.told("NUL") && house.told("CR without LF"));
    let before = server.heard().iter().filter(|line| line.starts_with("RETR")).count();
    assert_eq!(house.after_hours(2).await.left, 2, "still there");
    let after = server.heard().iter().filter(|line| line.starts_with("RETR")).count();
    assert_eq!(before, after, "but not tried again at each visit");
    assert_eq!(house.again().await.left, 2);
    assert_eq!(
        server.heard().iter().filter(|line| line.starts_with("RETR")).count(),
        after + 2,
        "unless somebody asks"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_said_without_tls_and_what_came_before_it_counts_for_nothing() {
    for (capabilities, stls, what) in [
        ("+OK\r\nUIDL\r\n.\r\n", Then::Close(b"-ERR\r\n".to_vec()), "offers no TLS"),
        ("-ERR what?\r\n", Then::Close(b"-ERR\r\n".to_vec()), "offers no TLS"),
        ("+OK\r\nSTLS\r\n.\r\n", Then::Close(b"-ERR not today\r\n".to_vec()), "STLS refused"),
        ("+OK\r\nSTLS\r\n.\r\n", Then::Close(b"+OK\r\n+OK logged in\r\n".to_vec()), "behind its answer"),
    ] {
        let house = House::new().await;
        let mut stls = Some(stls);
        let server = Scripted::start(&house.acceptor, false, GREETING, move |_, line| match line {
            "CAPA" => say(capabilities),
            "STLS" => stls.take().unwrap_or(Then::Close(Vec::new())),
            _ => say("+OK\r\n"),
        })
        .await;
        let settings = Settings { tls: Tls::Starttls, ..house.settings(Protocol::Pop3, server.port) };
        let error = house.fetch(settings).await.error.unwrap();
        assert!(error.contains(what), "{error}");
        let heard = server.heard();
        assert!(heard.iter().all(|line| ["CAPA", "STLS"].contains(&line.as_str())), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_starttls_everything_is_asked_anew() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("one"))]);
    let server = Scripted::start(&house.acceptor, false, GREETING, move |_, line| match line {
        "STLS" => Then::Tls(b"+OK\r\n".to_vec()),
        "CAPA" => {
            let _kept = pop.answer(line);
            say("+OK\r\nSTLS\r\nUIDL\r\nSASL PLAIN\r\n.\r\n")
        }
        _ => pop.answer(line),
    })
    .await;
    let settings = Settings { tls: Tls::Starttls, ..house.settings(Protocol::Pop3, server.port) };
    assert_eq!(house.fetch(settings).await.error, None);
    let heard = server.heard();
    assert_eq!(&heard[..3], ["CAPA", "STLS", "CAPA"]);
    assert!(heard[3].starts_with("AUTH PLAIN "));
    assert!(!server.heard_any(PASSWORD), "it is in Base64");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_answers_end_at_their_limits() {
    let pour = |again: &str| Then::Forever(b"+OK\r\n".to_vec(), again.repeat(1_000).into_bytes());
    for (command, again, what) in [
        ("CAPA", "X\r\n", format!("more than {FETCH_CAPABILITIES_MAX} capabilities")),
        ("CAPA", "x", "a line of more than".to_owned()),
        ("LIST", "1 1\r\n", format!("more than {FETCH_LISTED_MAX} messages")),
        ("UIDL", "1 a\r\n", format!("more than {FETCH_LISTED_MAX} messages")),
        ("LIST", "one two\r\n", "nonsense".to_owned()),
        ("USER joe", "", "nonsense".to_owned()),
    ] {
        let house = House::new().await;
        let mut pop = Pop::of(&[("a", &message("one"))]);
        let server = tls(&house, move |_, line| match line {
            line if line == command => pour(again),
            line if line.starts_with("USER") && command.starts_with("USER") => say("* OK this is IMAP\r\n"),
            line => pop.answer(line),
        })
        .await;
        let error = fetched(&house, &server).await.error.unwrap();
        assert!(error.contains(&what), "{command}: {error}");
        assert!(house.subjects().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_for_now_is_no_reason_to_stop() {
    let house = House::new().await;
    let mut pop = Pop::of(&[("a", &message("one"))]);
    let server = tls(&house, move |connection, line| match line {
        line if line.starts_with("PASS") && connection == 1 => say("-ERR [IN-USE] another session\r\n"),
        line if line.starts_with("PASS") && connection == 2 => say("-ERR try later\r\n"),
        line => pop.answer(line),
    })
    .await;
    let state = fetched(&house, &server).await;
    assert!(!state.stopped && state.error.unwrap().contains("another session"));
    let state = house.again().await;
    assert!(!state.stopped && state.error.unwrap().contains("try later"));
    assert_eq!(house.again().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuffed_dot_is_unstuffed_and_ends_nothing() {
    let house = House::new().await;
    let text = "Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n";
    let mut pop = Pop::of(&[("a", text)]);
    assert!(sent(text.as_bytes()).ends_with(b"\r\n\r\n..\r\n...\r\n..x\r\n.\r\n"));
    let server = tls(&house, move |_, line| pop.answer(line)).await;
    fetched(&house, &server).await;
    assert!(house.inbox("joe").await[0].ends_with(text));
}
