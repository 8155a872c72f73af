//! The load program against small servers made for the purpose.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

fn options(port: u16) -> Options {
    Options {
        host: "127.0.0.1".to_owned(),
        port,
        socket: None,
        sessions: 3,
        size: 1_000,
        message: None,
        hello: None,
        messages: 20,
        keep: true,
        pipeline: false,
        to: "user%d@example.test".to_owned(),
        users: 7,
        from: "bench@bench.invalid".to_owned(),
        lmtp: false,
        starttls: false,
        login: None,
        timeout: Duration::from_secs(10),
    }
}

/// A server that takes every message but those to `refused`, and hands over what it took.
fn server(refused: &'static str) -> (u16, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, tx) = (stream.unwrap(), tx.clone());
            thread::spawn(move || dialogue(&stream, refused, &tx));
        }
    });
    (port, rx)
}

fn dialogue(stream: &std::net::TcpStream, refused: &str, tx: &mpsc::Sender<(String, Vec<u8>)>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let mut to = String::new();
    writer.write_all(b"220 test\r\n").ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let answer: &[u8] = match line.trim_end().split_at(4).0 {
            "EHLO" => b"250-test\r\n250 PIPELINING\r\n",
            "RCPT" if !refused.is_empty() && line.contains(refused) => b"550 5.1.1 nobody of that name\r\n",
            "RCPT" => {
                to = line.trim_end().to_owned();
                b"250 ok\r\n"
            }
            "DATA" => {
                writer.write_all(b"354 go\r\n").ok()?;
                let mut message = Vec::new();
                while message != b".\r\n" && !message.ends_with(b"\r\n.\r\n") {
                    reader.read_until(b'\n', &mut message).ok()?;
                }
                message.truncate(message.len() - 3);
                tx.send((to.clone(), message)).ok()?;
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer).ok()?;
    }
}

#[test]
fn every_message_arrives_once_at_its_recipient_and_at_its_size() {
    for (keep, pipeline) in [(true, false), (false, false), (true, true), (false, true)] {
        let (port, rx) = server("");
        let report = run(&Options { keep, pipeline, ..options(port) }).unwrap();
        assert_eq!((report.accepted, report.failed), (20, 0), "{:?}", report.failures);
        assert_eq!(report.connections, if keep { 3 } else { 20 });
        let taken: Vec<_> = rx.try_iter().collect();
        assert_eq!(taken.len(), 20);
        let mut first_user = 0;
        let mut ids = std::collections::BTreeSet::new();
        for (to, message) in &taken {
            assert_eq!(message.len(), 1_000);
            assert!(!message.windows(2).any(|w| w[1] == b'\n' && w[0] != b'\r'), "a bare LF");
            first_user += usize::from(to == "RCPT TO:<user1@example.test>");
            let text = String::from_utf8(message.clone()).unwrap();
            ids.insert(text.lines().find(|l| l.starts_with("Message-ID")).unwrap().to_owned());
        }
        assert_eq!(first_user, 3, "messages 0, 7 and 14");
        assert_eq!(ids.len(), 20, "each its own Message-ID");
    }
}

#[test]
fn a_message_that_is_given_arrives_as_it_is() {
    let (port, rx) = server("");
    let message = Some(b"Subject: x\n\n.\r\n..b\nend".to_vec());
    let report = run(&Options { message, hello: Some("mx.example".to_owned()), ..options(port) }).unwrap();
    assert_eq!((report.accepted, report.failed), (20, 0), "{:?}", report.failures);
    let taken: Vec<_> = rx.try_iter().collect();
    assert_eq!(taken.len(), 20);
    for (_, message) in taken {
        // The server here leaves dots doubled.
        assert_eq!(message.escape_ascii().to_string(), r"Subject: x\r\n\r\n..\r\n...b\r\nend\r\n");
    }
}

#[test]
fn a_refused_recipient_fails_its_own_messages_only() {
    for pipeline in [false, true] {
        let (port, rx) = server("user2@");
        let report = run(&Options { pipeline, ..options(port) }).unwrap();
        assert_eq!((report.accepted, report.failed), (17, 3));
        assert_eq!(report.failures.get("RCPT: 550 5.1.1 nobody of that name"), Some(&3));
        assert_eq!(report.connections, 3, "the sessions went on");
        assert_eq!(rx.try_iter().filter(|(_, m)| m.len() > 10).count(), 17);
    }
}

#[test]
fn nobody_listening_is_a_failure_of_every_message() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let report = run(&options(port)).unwrap();
    assert_eq!((report.accepted, report.failed), (0, 20));
    assert!(report.failures.keys().next().unwrap().starts_with("connecting:"));
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_forever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let report = run(&Options { messages: 2, timeout: Duration::from_millis(50), ..options(port) }).unwrap();
    assert_eq!(report.failures.get("no answer in time"), Some(&2));
}

#[test]
fn messages_of_every_small_size_are_whole_lines() {
    for size in 0..400 {
        let maker = Maker::new(&Options { size, ..options(1) }, SystemTime::now());
        let mut out = Vec::new();
        maker.message(3, &mut out);
        assert!(out.ends_with(b"\r\n.\r\n"));
        let message = out.len() - 3;
        assert!(message >= size, "{message} for {size}");
        assert!(!out.windows(2).any(|w| (w[1] == b'\n') != (w[0] == b'\r')), "a bare CR or LF at size {size}");
    }
}

#[test]
fn nothing_to_send_is_told_so() {
    assert!(matches!(run(&Options { messages: 0, ..options(1) }), Err(BenchError::Option(_))));
}
