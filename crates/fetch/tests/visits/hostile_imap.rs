//! IMAP servers that don't keep their word.

use crate::house::{House, message};
use crate::scripted::{Scripted, Then, say};
use mailward_core::limits::{FETCH_LITERALS_MAX, FETCH_UIDS_AT_ONCE};
use mailward_fetch::{After, Protocol, Settings, State, Tls};

const GREETING: &str = "* OK ready\r\n";

/// A mailbox that keeps its word.
#[derive(Clone)]
struct Box {
    capabilities: &'static str,
    validity: u32,
    /// UID, flags, message.
    messages: Vec<(u32, &'static str, String)>,
    select: &'static str,
}

impl Box {
    fn of(messages: &[(u32, &'static str, &str)]) -> Self {
        let messages = messages.iter().map(|(uid, flags, subject)| (*uid, *flags, message(subject))).collect();
        Self { capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS", validity: 5, messages, select: "" }
    }

    fn answer(&mut self, line: &str) -> Then {
        let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
        let done = format!("{tag} OK done\r\n");
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["CAPABILITY"] => say(format!("* CAPABILITY {}\r\n{done}", self.capabilities)),
            ["SELECT", ..] => {
                let (count, validity, more) = (self.messages.len(), self.validity, self.select);
                say(format!("* {count} EXISTS\r\n* OK [UIDVALIDITY {validity}] x\r\n{more}{done}"))
            }
            ["UID", "FETCH", "1:*", ..] => {
                let each = self.messages.iter().zip(1..).map(|((uid, flags, text), number)| {
                    format!("* {number} FETCH (UID {uid} RFC822.SIZE {} FLAGS ({flags}))\r\n", text.len())
                });
                say(format!("{}{done}", each.collect::<String>()))
            }
            ["UID", "FETCH", uid, ..] => {
                let found = self.messages.iter().find(|(one, _, _)| one.to_string() == *uid).unwrap();
                let (size, text) = (found.2.len(), &found.2);
                say(format!("* 1 FETCH (UID {uid} BODY[] {{{size}}}\r\n{text})\r\n{done}"))
            }
            ["UID", "EXPUNGE", uids] => {
                let uids: Vec<String> = uids.split(',').map(str::to_owned).collect();
                self.messages.retain(|(uid, _, _)| !uids.contains(&uid.to_string()));
                say(done)
            }
            ["LOGOUT"] => Then::Close(format!("* BYE\r\n{done}").into_bytes()),
            _ => say(done),
        }
    }
}

async fn tls(house: &House, answer: impl FnMut(usize, &str) -> Then + Send + 'static) -> Scripted {
    Scripted::start(&house.acceptor, true, GREETING, answer).await
}

async fn fetched(house: &House, server: &Scripted) -> State {
    house.fetch(house.settings(Protocol::Imap, server.port)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_begin_anew_bring_nothing_twice() {
    let house = House::new().await;
    let mut mailbox = Box::of(&[(1, "", "one"), (2, "", "two")]);
    let server = tls(&house, move |connection, line| {
        if connection == 2 && line.ends_with("CAPABILITY") {
            mailbox = Box { validity: 6, ..Box::of(&[(1, "", "two"), (2, "", "three"), (3, "", "one")]) };
        }
        mailbox.answer(line)
    })
    .await;
    house.fetch_and_keep(house.settings(Protocol::Imap, server.port)).await;
    let state = house.again().await;
    assert_eq!((state.error, state.fetched), (None, 3));
    house.again().await;
    assert_eq!(house.subjects().await, ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_change_within_a_session_end_it() {
    let house = House::new().await;
    let mut mailbox = Box::of(&[(1, "", "one"), (2, "", "two")]);
    let server = tls(&house, move |_, line| match line.split_once(' ').unwrap() {
        (tag, command) if command.starts_with("UID FETCH 2") => {
            say(format!("* OK [UIDVALIDITY 6] new\r\n* 1 FETCH (UID 2 BODY[] \"x\")\r\n{tag} OK\r\n"))
        }
        _ => mailbox.answer(line),
    })
    .await;
    let state = fetched(&house, &server).await;
    assert!(state.error.unwrap().contains("UIDVALIDITY"));
    assert_eq!(house.subjects().await, ["one"]);
    assert!(!server.heard_any("EXPUNGE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_threw_away_is_neither_fetched_nor_deleted_for_them() {
    let house = House::new().await;
    let mut mailbox = Box::of(&[(1, "\\Seen \\Deleted", "thrown away"), (2, "\\Seen", "two")]);
    mailbox.capabilities = "IMAP4rev1";
    let server = tls(&house, move |_, line| mailbox.answer(line)).await;
    let state = fetched(&house, &server).await;
    assert_eq!(state.error, None);
    assert!(state.note.unwrap().contains("UIDPLUS"));
    assert_eq!(house.subjects().await, ["two"]);
    assert!(server.heard_any("UID STORE 2 +FLAGS.SILENT (\\Deleted)") && !server.heard_any("EXPUNGE"));
    assert!(server.heard_any(" LOGIN \"alice@elsewhere.example\" \""));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_uidplus_all_is_expunged_where_all_is_ours() {
    let house = House::new().await;
    let mut mailbox = Box { capabilities: "IMAP4rev1", ..Box::of(&[(2, "", "two")]) };
    let server = tls(&house, move |_, line| mailbox.answer(line)).await;
    assert_eq!(fetched(&house, &server).await.note, None);
    assert!(server.heard().iter().any(|line| line.ends_with(" EXPUNGE")));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deletions_go_in_several_commands() {
    let house = House::new().await;
    let count = u32::try_from(FETCH_UIDS_AT_ONCE).unwrap() + 1;
    let messages: Vec<(u32, &'static str, String)> =
        (1..=count).map(|uid| (uid, "", message(&uid.to_string()))).collect();
    let mut mailbox = Box { messages, ..Box::of(&[]) };
    let server = tls(&house, move |_, line| mailbox.answer(line)).await;
    assert_eq!(fetched(&house, &server).await.fetched, u64::from(count));
    assert_eq!(server.heard().iter().filter(|line| line.contains("UID EXPUNGE")).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_without_lasting_numbers_or_rights_is_left_alone() {
    for (select, what) in
        [("* NO [UIDNOTSTICKY] x\r\n", "no lasting numbers"), ("* OK [UIDVALIDITY x] y\r\n", "no lasting")]
    {
        let house = House::new().await;
        let mut mailbox = Box { select, ..Box::of(&[(1, "", "one")]) };
        let server = tls(&house, move |_, line| mailbox.answer(line)).await;
        let error = fetched(&house, &server).await.error.unwrap();
        assert!(error.contains(what), "{error}");
        assert!(house.subjects().await.is_empty());
    }
    let house = House::new().await;
    let mut mailbox = Box::of(&[(1, "", "one")]);
    let server = tls(&house, move |_, line| match line.split_once(' ').unwrap() {
        (tag, command) if command.starts_with("SELECT") => {
            say(format!("* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n{tag} OK [READ-ONLY] x\r\n"))
        }
        _ => mailbox.answer(line),
    })
    .await;
    assert!(fetched(&house, &server).await.error.unwrap().contains("read-only"));
    let keep = mailward_fetch::SettingsChange { after: Some(After::Keep), ..Default::default() };
    house.accounts.change(&crate::house::x(), keep, None).await.unwrap();
    assert_eq!(house.visited().await.fetched, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_literal_that_lies_or_never_ends_delivers_nothing() {
    let literals = |count: usize| format!("* 1 FETCH (UID 1{})\r\n", " X {1}\r\na".repeat(count));
    for (said, what) in [
        ("* 1 FETCH (UID 1 BODY[] {99999999999}\r\n".to_owned(), "larger than"),
        ("* 1 FETCH (UID 1 BODY[] {18446744073709551616}\r\n".to_owned(), "nonsense"),
        ("* 1 FETCH (UID 1 BODY[] {500}\r\nshort".to_owned(), "closed"),
        ("* 1 FETCH (UID 1 BODY[] {3}\r\nabcd\r\n".to_owned(), "nonsense"),
        (literals(FETCH_LITERALS_MAX + 1), "literals"),
        (format!("* 1 FETCH (UID 1 BODY[] {})\r\n", "(".repeat(1_000)), "nonsense"),
        ("f99 OK not yours\r\n".to_owned(), "nonsense"),
        ("* BYE go away\r\n".to_owned(), "go away"),
    ] {
        let house = House::new().await;
        let mut mailbox = Box::of(&[(1, "", "one")]);
        let sent = said.clone();
        let server = tls(&house, move |_, line| {
            if line.contains("UID FETCH 1 ") { Then::Close(sent.clone().into_bytes()) } else { mailbox.answer(line) }
        })
        .await;
        let error = fetched(&house, &server).await.error.unwrap();
        assert!(error.contains(what), "{said:.60}: {error}");
        assert!(house.subjects().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_end_end_at_their_limits() {
    for (again, what) in [("* 1 EXPUNGE\r\n", "answers to one command"), ("x", "a line of more than")] {
        let house = House::new().await;
        let mut mailbox = Box::of(&[(1, "", "one")]);
        let server = tls(&house, move |_, line| {
            let pour = Then::Forever(Vec::new(), again.repeat(2_000).into_bytes());
            if line.contains("UID FETCH 1 ") { pour } else { mailbox.answer(line) }
        })
        .await;
        let error = fetched(&house, &server).await.error.unwrap();
        assert!(error.contains(what), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_message_than_the_one_asked_for_is_not_it() {
    let house = House::new().await;
    let mut mailbox = Box::of(&[(1, "", "one")]);
    let server = tls(&house, move |_, line| match line.split_once(' ').unwrap() {
        (tag, command) if command.starts_with("UID FETCH 1 ") => {
            say(format!("* 1 FETCH (UID 2 BODY[] {{16}}\r\nSubject: two\r\n\r\n)\r\n{tag} OK\r\n"))
        }
        _ => mailbox.answer(line),
    })
    .await;
    let state = fetched(&house, &server).await;
    assert_eq!((state.error, state.fetched), (None, 0));
    assert!(!server.heard_any("STORE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_said_without_tls_nor_to_a_server_that_has_us_in_already() {
    let starttls = "* CAPABILITY IMAP4rev1 STARTTLS\r\n";
    for (greeting, capability, answer, what) in [
        ("* OK x\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "OK\r\n", "offers no TLS"),
        ("* PREAUTH x\r\n", starttls, "OK\r\n", "greeting"),
        ("* BYE busy\r\n", starttls, "OK\r\n", "busy"),
        ("* OK x\r\n", starttls, "NO not today\r\n", "STARTTLS refused"),
        ("* OK x\r\n", starttls, "OK\r\n* CAPABILITY IMAP4rev1\r\n", "behind its answer"),
    ] {
        let house = House::new().await;
        let server = Scripted::start(&house.acceptor, false, greeting, move |_, line| {
            let (tag, command) = line.split_once(' ').unwrap();
            match command {
                "CAPABILITY" => say(format!("{capability}{tag} OK\r\n")),
                _ => Then::Close(format!("{tag} {answer}").into_bytes()),
            }
        })
        .await;
        let settings = Settings { tls: Tls::Starttls, ..house.settings(Protocol::Imap, server.port) };
        let error = house.fetch(settings).await.error.unwrap();
        assert!(error.contains(what), "{error}");
        assert!(!server.heard_any("LOGIN") && !server.heard_any("AUTHENTICATE"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_said_the_way_the_server_takes_it() {
    for (capabilities, what) in [
        ("IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS", " AUTHENTICATE PLAIN AGFsaWNl"),
        ("IMAP4rev1 AUTH=PLAIN", "AGFsaWNl"),
        ("IMAP4rev1", " LOGIN \"alice@elsewhere.example\" "),
    ] {
        let house = House::new().await;
        let mut mailbox = Box { capabilities, ..Box::of(&[(1, "", "one")]) };
        let mut waiting = None;
        let server = tls(&house, move |_, line| {
            if let Some(tag) = waiting.take() {
                return say(format!("{tag} OK in\r\n"));
            }
            match line.split_once(' ').unwrap() {
                (tag, "AUTHENTICATE PLAIN") => {
                    waiting = Some(tag.to_owned());
                    say("+ \r\n")
                }
                _ => mailbox.answer(line),
            }
        })
        .await;
        assert_eq!(fetched(&house, &server).await.error, None);
        assert!(server.heard_any(what), "{:?}", server.heard());
    }
    let house = House::new().await;
    let mut mailbox = Box { capabilities: "IMAP4rev1 LOGINDISABLED", ..Box::of(&[]) };
    let server = tls(&house, move |_, line| mailbox.answer(line)).await;
    assert!(fetched(&house, &server).await.error.unwrap().contains("LOGINDISABLED"));
}
