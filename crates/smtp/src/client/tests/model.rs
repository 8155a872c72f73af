//! The client against the server's side of this crate: what one means the other understands, whatever the message, the
//! recipients, the language and the extensions.
use super::*;
use crate::input::Input;
use crate::reply::Reply;
use crate::server::{self, Rights, Session, Settings, Step as Does};
use proptest::prelude::*;

struct Test;
impl Rights for Test {
    type Login = ();
    type Sasl = ();
    type Sender = ();
    type Recipient = String;
}

/// What a server has taken, and every byte that it heard.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    messages: Vec<(String, Vec<String>, Vec<u8>)>,
    heard: Vec<u8>,
}

/// A server of ours, whose policy is in the names: `no` isn't known, `later` not now, `full` fails in LMTP's end.
async fn serve(mut wire: DuplexStream, dialect: server::Dialect) -> Seen {
    let settings = Settings {
        hostname: "mx.s.example".to_owned(),
        dialect,
        message_size: 1_000_000,
        recipients: 100,
        messages: 100,
        tls_available: false,
        tls: None,
    };
    let (mut session, mut input, mut seen) = (Session::<Test>::new(settings), Input::new(16 * 1024), Seen::default());
    loop {
        let closing = loop {
            match session.step(&mut input) {
                Does::Read => break false,
                Does::Close(_) => break true,
                Does::Mail(ticket) if ticket.path().to_string().starts_with("no") => {
                    ticket.refuse(&Reply::SENDER_DENIED);
                }
                Does::Mail(ticket) => ticket.accept(()),
                Does::Recipient(ticket) => {
                    let path = ticket.path().to_string();
                    if path.starts_with("no") {
                        ticket.refuse(&Reply::UNKNOWN_USER);
                    } else if path.starts_with("later") {
                        ticket.refuse(&Reply::MAILBOX_FULL);
                    } else {
                        ticket.accept(path);
                    }
                }
                Does::Data(ticket) if ticket.mail().path.to_string().starts_with("disk") => {
                    ticket.refuse(&Reply::NO_SPACE);
                }
                Does::Data(ticket) => ticket.accept(Vec::new()),
                Does::Message(mut ticket) => {
                    let bytes = ticket.take_bytes();
                    let (path, recipients) = (ticket.mail().path.to_string(), ticket.mail().recipients.clone());
                    if ticket.is_per_recipient() {
                        let full = |name: &&String| name.starts_with("full");
                        let answers: Vec<_> = recipients
                            .iter()
                            .map(|name| if full(&name) { Reply::MAILBOX_FULL } else { Reply::OK })
                            .collect();
                        ticket.answer_each(&answers);
                        let taken = recipients.iter().filter(|name| !full(name)).cloned().collect();
                        seen.messages.push((path, taken, bytes));
                    } else if path.starts_with("spam") {
                        ticket.answer(Reply::BAD_HEADER);
                    } else {
                        ticket.answer(Reply::OK);
                        seen.messages.push((path, recipients, bytes));
                    }
                }
                Does::Refused(..) => {}
                Does::Auth(..) | Does::AuthResponse(..) | Does::StartTls(_) | Does::Unknown(_) => {
                    panic!("not asked for")
                }
            }
        };
        let out = std::mem::take(session.output());
        if wire.write_all(&out).await.is_err() || closing {
            return seen;
        }
        let space = input.space();
        let Ok(count @ 1..) = wire.read(space).await else { return seen };
        seen.heard.extend_from_slice(&space[..count]);
        input.filled(count);
    }
}

#[derive(Clone, Debug)]
struct Case {
    sender: &'static str,
    recipients: Vec<&'static str>,
    message: Vec<u8>,
    cut: usize,
    buffer: usize,
}

/// Sends all cases over one connection, one after the other.
fn deliver(cases: &[Case], dialect: Dialect, pipelining: bool, chunking: bool) -> (Vec<Report>, Seen) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(cases.first().map_or(1, |case| case.buffer));
        let client = async {
            let mut connection = Connection::greet(ours, dialect, "c.example", Security::Clear).await.unwrap();
            assert!(connection.extensions().pipelining && connection.extensions().chunking);
            if !pipelining {
                connection.forgo_pipelining();
            }
            if !chunking {
                connection.forgo_chunking();
            }
            let mut reports = Vec::new();
            for case in cases {
                let mut transaction = to("x");
                transaction.sender = ReversePath::Address(address(&format!("{}@c.example", case.sender)));
                transaction.recipients =
                    case.recipients.iter().map(|name| address(&format!("{name}@s.example")).into()).collect();
                transaction.eight_bit = !case.message.is_ascii();
                let pieces = case.message.chunks(case.cut).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
                let mut content = Pieces { size: case.message.len() as u64, pieces };
                reports.push(connection.send(&transaction, &mut content).await);
            }
            connection.quit().await;
            reports
        };
        let theirs_dialect = if dialect == Dialect::Lmtp { server::Dialect::Lmtp } else { server::Dialect::Smtp };
        tokio::join!(client, serve(theirs, theirs_dialect))
    })
}

fn case() -> impl Strategy<Value = Case> {
    let sender = prop_oneof![6 => Just("s"), 1 => Just("no"), 1 => Just("disk"), 1 => Just("spam")];
    let recipient = prop_oneof![4 => Just("a"), 2 => Just("\"b c\""), 1 => Just("no"), 1 => Just("later"), 1 => Just("full"), 1 => Just("ö")];
    let part = prop_oneof![
        8 => Just(&b"\r\n"[..]), 4 => Just(&b"."[..]), 4 => Just(&b"text"[..]), 2 => Just("ü".as_bytes()), 1 => Just(&b"\xff"[..]),
        1 => Just(&b"QUIT"[..]), 1 => Just(&b"\r\n.\r\n"[..]),
    ];
    let stray =
        prop_oneof![9 => Just(&b""[..]), 1 => Just(&b"\n.\n"[..]), 1 => Just(&b"\r.\r"[..]), 1 => Just(&b"\0"[..])];
    let parts = proptest::collection::vec(part, 0..20);
    (
        sender,
        proptest::collection::vec(recipient, 1..6),
        parts,
        stray,
        any::<prop::sample::Index>(),
        1_usize..40,
        1_usize..300,
    )
        .prop_map(|(sender, recipients, mut parts, stray, at, cut, buffer)| {
            parts.insert(at.index(parts.len() + 1), stray);
            Case { sender, recipients, message: parts.concat(), cut, buffer }
        })
}

/// By the rules of [`serve`], without the client.
fn expected(case: &Case, name: &str, dialect: Dialect) -> u16 {
    match (case.sender, name) {
        ("no", _) => 553,
        (_, "no") => 550,
        (_, "later") => 452,
        ("disk", _) => 452,
        (_, "full") if dialect == Dialect::Lmtp => 452,
        ("spam", _) if dialect == Dialect::Smtp => 550,
        _ => 250,
    }
}

fn code(outcome: &Outcome) -> Option<u16> {
    match outcome {
        Outcome::Accepted(answer) => Some(answer.code()),
        other => other.reason().and_then(Reason::answer).map(Answer::code),
    }
}

fn is_bad(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message).replace("\r\n", "");
    text.contains(['\r', '\n', '\0'])
}

/// As it is stored: with its last line ended.
fn ended(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    message
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_the_client_says_was_taken_is_what_the_server_has(
        cases in proptest::collection::vec(case(), 1..4),
        lmtp in any::<bool>(),
    ) {
        let dialect = if lmtp { Dialect::Lmtp } else { Dialect::Smtp };
        let mut all = Vec::new();
        for (pipelining, chunking) in [(false, false), (true, false), (false, true), (true, true)] {
            let (reports, seen) = deliver(&cases, dialect, pipelining, chunking);
            prop_assert_eq!(reports.len(), cases.len());
            // Attacks A3: whatever the message held.
            prop_assert!(!is_bad(&seen.heard), "{:?}", String::from_utf8_lossy(&seen.heard));
            let mut messages = Vec::new();
            for (case, report) in cases.iter().zip(&reports) {
                if report.broken.is_some() {
                    // A bad message breaks it, and so does BDAT that is refused while its bytes are still going out.
                    let refused = chunking && cases.iter().any(|case| case.sender == "disk");
                    prop_assert!(refused || cases.iter().any(|case| is_bad(&case.message)));
                    prop_assert!(report.outcomes.iter().all(|outcome| outcome.reason().is_some()));
                    continue;
                }
                let named: Vec<_> = case.recipients.iter().map(|name| expected(case, name, dialect)).collect();
                if is_bad(&case.message) {
                    // Refused here, or by the server before any of the message was asked for.
                    prop_assert_eq!(report.accepted(), 0);
                    continue;
                }
                let codes: Vec<_> = report.outcomes.iter().map(|outcome| code(outcome).unwrap()).collect();
                prop_assert_eq!(&codes, &named);
                let sent = case.recipients.iter().any(|name| *name != "no" && *name != "later")
                    && !matches!(case.sender, "no" | "disk")
                    && (lmtp || case.sender != "spam");
                if sent {
                    let taken = case.recipients.iter().zip(&codes).filter(|(_, code)| **code == 250);
                    let taken = taken.map(|(name, _)| address(&format!("{name}@s.example")).to_string()).collect();
                    messages.push((format!("{}@c.example", case.sender), taken, ended(&case.message)));
                }
            }
            prop_assert_eq!(&seen.messages, &messages);
            all.push(reports);
        }
        // Together or one by one, as long as the connection lives.
        for (singly, together) in [(&all[0], &all[1]), (&all[2], &all[3])] {
            for (one, other) in singly.iter().zip(together) {
                prop_assert_eq!(&one.outcomes, &other.outcomes);
                if one.broken.is_some() || other.broken.is_some() {
                    break;
                }
            }
        }
    }
}
