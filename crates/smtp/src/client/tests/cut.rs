//! The connection is cut behind every single byte that the server says; and the server says anything at all.
use super::*;
use proptest::prelude::*;

/// How a session goes: what the server waits for, and what it says then.
type Script = Vec<(String, &'static str)>;

fn script(dialect: Dialect, offer: &str) -> Script {
    let hello = if dialect == Dialect::Lmtp { "LHLO c.example\r\n" } else { "EHLO c.example\r\n" };
    let offered = match offer {
        "PIPELINING" => "250-x\r\n250 PIPELINING\r\n",
        "CHUNKING" => "250-x\r\n250 CHUNKING\r\n",
        _ => "250 x\r\n",
    };
    let (mail, a, b) = ("MAIL FROM:<>\r\n", "RCPT TO:<a@s.example>\r\n", "RCPT TO:<b@s.example>\r\n");
    let end = if dialect == Dialect::Lmtp { "250 2.1.5 a\r\n250-2.1.5\r\n250 b\r\n" } else { "250 2.0.0 Ok\r\n" };
    let mut script: Script = vec![(String::new(), "220 x\r\n"), (hello.to_owned(), offered)];
    let envelope = match offer {
        "PIPELINING" => vec![(format!("{mail}{a}{b}DATA\r\n"), "250 a\r\n250 b\r\n250 c\r\n354 d\r\n")],
        "CHUNKING" => vec![(mail.into(), "250 a\r\n"), (a.into(), "250 b\r\n"), (b.into(), "250 c\r\n")],
        _ => vec![
            (mail.into(), "250 a\r\n"),
            (a.into(), "250 b\r\n"),
            (b.into(), "250 c\r\n"),
            ("DATA\r\n".into(), "354 d\r\n"),
        ],
    };
    script.extend(envelope);
    let message = if offer == "CHUNKING" { format!("BDAT 20 LAST\r\n{MESSAGE}") } else { DOTTED.to_owned() };
    script.push((message, end));
    script
}

/// The server hears what it waits for as long as it has something left to say, and closes after so many bytes.
async fn cut_after(dialect: Dialect, script: &Script, mut left: usize) -> Option<Report> {
    let (ours, mut peer) = pair();
    let server = async move {
        for (hear, say) in script {
            peer.hear(hear).await;
            let some = &say[..left.min(say.len())];
            peer.say(some).await;
            left -= some.len();
            if some.len() < say.len() {
                break;
            }
        }
        // It closes, having read all it was sent.
    };
    let client = async {
        let mut connection = Connection::greet(ours, dialect, "c.example", Security::Clear).await.ok()?;
        let report = connection.send(&to("a b"), &mut content(MESSAGE)).await;
        assert_eq!(report.broken.is_none(), connection.is_usable());
        Some(report)
    };
    tokio::join!(client, server).0
}

#[tokio::test(start_paused = true)]
async fn wherever_the_connection_is_cut_nobody_is_told_what_isn_t_known() {
    for (dialect, offer) in [
        (Dialect::Smtp, ""),
        (Dialect::Smtp, "PIPELINING"),
        (Dialect::Smtp, "CHUNKING"),
        (Dialect::Lmtp, ""),
        (Dialect::Lmtp, "PIPELINING"),
    ] {
        let script = script(dialect, offer);
        let said: usize = script.iter().map(|(_, say)| say.len()).sum();
        let greeted = script[0].1.len() + script[1].1.len();
        let last = script.last().unwrap().1;
        let (end, first) = (said - last.len(), last.find('\n').unwrap() + 1);
        for left in 0..=said {
            let report = cut_after(dialect, &script, left).await;
            let at = format!("{dialect:?} {offer} cut behind {left} bytes: {report:?}");
            let Some(report) = report else {
                assert!(left < greeted, "{at}");
                continue;
            };
            // The last exchange of the script is the message; once all before it was said, it was heard whole.
            let expected = if left < end {
                ["4 4.4.2"; 2]
            } else if left == said {
                ["+250"; 2]
            } else if dialect == Dialect::Lmtp && left >= end + first {
                ["+250", "?"]
            } else {
                ["?"; 2]
            };
            assert_eq!(brief(&report), expected, "{at}");
            assert_eq!(report.broken.is_some(), left < said, "{at}");
        }
    }
}

/// A server that has an answer for each command, whatever it is, and reads a message if it said 354.
async fn answering(wire: DuplexStream, offer: &str, mail: &str, recipients: &[&str], data: &str, end: &[&str]) {
    let (mut peer, mut held) = (Peer { wire }, Vec::new());
    let mut recipients = recipients.iter();
    peer.say("220 x\r\n").await;
    loop {
        let Some(at) = held.windows(2).position(|two| two == b"\r\n") else {
            if !matches!(peer.wire.read_buf(&mut held).await, Ok(1..)) {
                return;
            }
            continue;
        };
        let line = String::from_utf8(held.drain(..at + 2).collect()).unwrap();
        let answer = match line.get(..4).unwrap() {
            "EHLO" | "LHLO" => format!("250-x\r\n250 {offer}\r\n"),
            "MAIL" => mail.to_owned(),
            "RCPT" => recipients.next().unwrap().to_string(),
            "DATA" => data.to_owned(),
            "QUIT" => return,
            "RSET" => "250 x\r\n".to_owned(),
            other => panic!("{other}"),
        };
        let closes = answer.starts_with("421");
        if peer.wire.write_all(answer.as_bytes()).await.is_err() || closes {
            return;
        }
        if line.starts_with("DATA") && answer.starts_with("354") {
            while !(held.ends_with(b"\r\n.\r\n") || held == b".\r\n") {
                if !matches!(peer.wire.read_buf(&mut held).await, Ok(1..)) {
                    return;
                }
            }
            held.clear();
            if peer.wire.write_all(end.concat().as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

fn any_answer() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => Just("250 2.1.0 yes\r\n"),
        1 => Just("252-perhaps\r\n252 yes\r\n"),
        2 => Just("450 4.2.1 later\r\n"),
        2 => Just("550 5.1.1 no\r\n"),
        1 => Just("552 too many\r\n"),
        1 => Just("354 what?\r\n"),
        1 => Just("421 4.3.2 bye\r\n"),
        1 => Just("junk\r\n"),
    ]
}

fn data_answer() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just("354 go\r\n"), 2 => any_answer()]
}

/// Runs on a clock of its own, so that no wait takes time.
fn run<T>(future: impl Future<Output = T>) -> T {
    let builder = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    builder.unwrap().block_on(future)
}

proptest! {
    #[test]
    fn together_and_one_by_one_commands_have_the_same_outcomes(
        mail in any_answer(),
        recipients in proptest::collection::vec(any_answer(), 1..5),
        data in data_answer(),
        end in proptest::collection::vec(any_answer(), 5),
        lmtp in any::<bool>(),
    ) {
        let dialect = if lmtp { Dialect::Lmtp } else { Dialect::Smtp };
        let names: Vec<_> = (0..recipients.len()).map(|index| format!("r{index}")).collect();
        let count = if lmtp { recipients.iter().filter(|answer| answer.starts_with("25")).count() } else { 1 };
        let one = |offer: &'static str| run(async {
            let (ours, wire) = tokio::io::duplex(4096);
            let client = async {
                let mut connection = Connection::greet(ours, dialect, "c.example", Security::Clear).await.unwrap();
                connection.send(&to(&names.join(" ")), &mut content(MESSAGE)).await
            };
            tokio::join!(client, answering(wire, offer, mail, &recipients, data, &end[..count])).0
        });
        let (together, singly) = (one("PIPELINING"), one("HELP"));
        prop_assert_eq!(&together.outcomes, &singly.outcomes);
        // Nobody is told that the message arrived, or may have, unless its end was sent.
        let delivered = together.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Accepted(_) | Outcome::Unknown(_)));
        prop_assert!(!delivered || (data.starts_with("354") && mail.starts_with("25")));
        for (outcome, answer) in together.outcomes.iter().zip(&recipients) {
            prop_assert!(!outcome.is_accepted() || answer.starts_with("25"), "{:?} {}", outcome, answer);
        }
    }

    /// Attacks H6.
    #[test]
    fn whatever_a_server_says_every_recipient_has_an_outcome(
        said in proptest::collection::vec(prop_oneof![
            any_answer().prop_map(|answer| answer.as_bytes().to_vec()),
            any_answer().prop_map(|answer| answer.repeat(2).into_bytes()),
            Just(b"250-x\r\n250 PIPELINING\r\n".to_vec()),
            Just(b"354 go\r\n".to_vec()),
            Just(b"250-".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..9),
        ], 0..12),
        lmtp in any::<bool>(),
    ) {
        let dialect = if lmtp { Dialect::Lmtp } else { Dialect::Smtp };
        let report = run(async {
            let (ours, mut wire) = tokio::io::duplex(1 << 16);
            wire.write_all(b"220 x\r\n").await.unwrap();
            let server = async move {
                let mut heard = vec![0; 4096];
                for piece in said {
                    // Each after something was heard, so that not all are early.
                    if !matches!(wire.read(&mut heard).await, Ok(1..)) || wire.write_all(&piece).await.is_err() {
                        return;
                    }
                }
            };
            let client = async {
                let mut connection = Connection::greet(ours, dialect, "c.example", Security::Clear).await.ok()?;
                let report = connection.send(&to("a b"), &mut content(MESSAGE)).await;
                assert_eq!(report.broken.is_none(), connection.is_usable());
                connection.quit().await;
                Some(report)
            };
            tokio::join!(client, server).0
        });
        prop_assert!(report.is_none_or(|report| report.outcomes.len() == 2));
    }
}
