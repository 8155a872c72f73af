//! The load program against small servers made for the purpose: what isn't whole is no result.

use super::*;
use crate::bench::wire::Tls;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

/// A server that answers the commands of one session with what `answer` says before `OK`.
fn server(answer: impl Fn(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"* OK hello\r\n").unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap_or(0) > 0 {
            let (tag, command) = line.trim_end().split_once(' ').unwrap();
            if stream.write_all(format!("{}{tag} OK done\r\n", answer(command)).as_bytes()).is_err() {
                return;
            }
            line.clear();
        }
    });
    port
}

fn bench(port: u16, case: Case) -> Result<Report, BenchError> {
    let timeout = Duration::from_secs(20);
    run(&Options {
        target: Target { host: "127.0.0.1".to_owned(), port, tls: Tls::Off, ca: None, tls_name: None, timeout },
        user: "user".to_owned(),
        password: Secret::new("quiet lantern"),
        mailbox: "INBOX".to_owned(),
        case,
        rounds: 2,
        time: Duration::from_millis(1),
        word: "mill".to_owned(),
        expect: Some(2),
        size: 100,
        sessions: 1,
    })
}

/// A mailbox of three messages whose bodies are three bytes each, one of them as this.
fn three(last: &'static str) -> impl Fn(&str) -> String {
    move |command| match command.split(' ').next().unwrap_or_default() {
        "SELECT" => "* 3 EXISTS\r\n* OK [UIDNEXT 4] so it is\r\n".to_owned(),
        "FETCH" if command.contains("SIZE") => {
            (1..=3).map(|n| format!("* {n} FETCH (RFC822.SIZE 3)\r\n")).collect::<String>()
        }
        "FETCH" => format!("* 1 FETCH (BODY[] {{3}}\r\na\r\n)\r\n* 2 FETCH (BODY[] {{3}}\r\na1 )\r\n{last}"),
        "SEARCH" => "* SEARCH 1 3\r\n".to_owned(),
        _ => String::new(),
    }
}

#[test]
fn a_whole_answer_is_measured() {
    let report = bench(server(three("* 3 FETCH (BODY[] {3}\r\nb\r\n)\r\n")), Case::Bodies).unwrap();
    assert_eq!((report.messages, report.measured.len()), (3, 1));
    let rounds = &report.measured[0].rounds;
    assert_eq!((rounds.len(), rounds[0].responses, rounds[0].bytes), (2, 3, 9));
    assert!(report.text().contains("bodies"));
    let report = bench(server(three("")), Case::SearchText).unwrap();
    assert_eq!(report.measured[0].rounds[0].found, Some(2));
}

#[test]
fn a_missing_message_is_no_result() {
    let error = bench(server(three("")), Case::Bodies).unwrap_err().to_string();
    assert_eq!(error, "FETCH BODY.PEEK[]: 2 bodies where 3 must be");
}

#[test]
fn a_missing_byte_is_no_result() {
    let error = bench(server(three("* 3 FETCH (BODY[] {2}\r\nb\n)\r\n")), Case::Bodies).unwrap_err().to_string();
    assert_eq!(error, "FETCH BODY.PEEK[]: 8 bytes where 9 must be");
}

#[test]
fn a_search_that_finds_something_else_is_no_result() {
    let finds = |command: &str| match command.split(' ').next() {
        Some("SELECT") => "* 3 EXISTS\r\n".to_owned(),
        _ => "* SEARCH 1\r\n".to_owned(),
    };
    let error = bench(server(finds), Case::SearchSubject).unwrap_err().to_string();
    assert_eq!(error, "SEARCH: 1 messages found where 2 must be");
}

#[test]
fn a_refusal_is_told_in_the_server_s_words() {
    let port = server(|command| match command {
        c if c.starts_with("LOGIN") => "a1 NO [AUTHENTICATIONFAILED] not you\r\n".to_owned(),
        _ => String::new(),
    });
    let error = bench(port, Case::Select).unwrap_err().to_string();
    assert_eq!(error, "LOGIN: NO [AUTHENTICATIONFAILED] not you");
}

#[test]
fn nobody_listening_is_told_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(bench(port, Case::Select).unwrap_err().to_string().starts_with("connecting: "));
}
