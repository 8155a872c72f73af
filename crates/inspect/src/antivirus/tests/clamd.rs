//! `clamd`, honest and not.

use super::*;
use mailward_core::limits::{ANTIVIRUS_TIME, CLAMD_ANSWER_MAX};
use std::sync::Mutex;
use tokio::sync::oneshot;

pub(crate) async fn command(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        match stream.read_u8().await.ok()? {
            0 => return String::from_utf8(bytes).ok(),
            byte => bytes.push(byte),
        }
    }
}

pub(crate) async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let length = stream.read_u32().await.ok()? as usize;
        if length == 0 {
            return Some(all);
        }
        let before = all.len();
        all.resize(before + length, 0);
        stream.read_exact(&mut all[before..]).await.ok()?;
    }
}

/// As ClamAV's is.
pub(crate) async fn honest(mut stream: TcpStream) {
    assert_eq!(command(&mut stream).await.as_deref(), Some("zIDSESSION"));
    let mut number = 0;
    while let Some(command) = command(&mut stream).await {
        number += 1;
        let said = match command.as_str() {
            "zVERSION" => "ClamAV 1.4.3/27456/Thu Jan  1 10:20:30 2026".to_owned(),
            "zINSTREAM" => {
                let Some(message) = message(&mut stream).await else { return };
                if is_bad(&message) { "stream: Test.Bad FOUND".to_owned() } else { "stream: OK".to_owned() }
            }
            other => panic!("{other}"),
        };
        stream.write_all(format!("{number}: {said}\0").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn clamd_is_asked_message_after_message_over_one_connection() {
    let (at, connections) = played(honest).await;
    let (antivirus, _) = of(&[format!("clamd tcp:{at}")], |_| {});
    for _ in 0..5 {
        assert_eq!(look(&antivirus, &vec![b'x'; 300_000]).await.clean.len(), 1);
        let scanned = look(&antivirus, BAD).await;
        assert_eq!(scanned.found[0].name, "Test.Bad");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let state = &antivirus.states()[0];
    assert_eq!((state.asked, state.found, state.failed, state.health), (10, 5, 0, Health::Good));
}

#[tokio::test]
async fn a_connection_that_clamd_closed_meanwhile_is_made_anew_and_nothing_is_lost() {
    let once = |mut stream: TcpStream| async move {
        assert_eq!(command(&mut stream).await.as_deref(), Some("zIDSESSION"));
        command(&mut stream).await.unwrap();
        message(&mut stream).await.unwrap();
        stream.write_all(b"1: stream: OK\0").await.unwrap();
    };
    let (at, connections) = played(once).await;
    let (antivirus, events) = of(&[format!("clamd tcp:{at}")], |_| {});
    for n in 1..=4 {
        assert_eq!(look(&antivirus, b"hello").await.clean.len(), 1);
        assert_eq!(connections.load(Ordering::Relaxed), n);
    }
    assert!(events.lines().is_empty());
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clamd.ctl");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = [0; 34];
        stream.read_exact(&mut all).await.unwrap();
        assert_eq!(&all[..], b"zIDSESSION\0zINSTREAM\0\0\0\0\x05hello\0\0\0\0".as_slice());
        stream.write_all(b"1: stream: OK\0").await.unwrap();
    });
    let (antivirus, _) = of(&[format!("clamd unix:{}", path.display())], |_| {});
    assert_eq!(look(&antivirus, b"hello").await.clean.len(), 1);
}

/// `StreamMaxLength`: what wasn't seen whole isn't clean, and clamd isn't broken.
#[tokio::test]
async fn a_message_that_is_larger_than_clamd_takes_is_unscannable() {
    let small = |mut stream: TcpStream| async move {
        command(&mut stream).await.unwrap();
        command(&mut stream).await.unwrap();
        stream.read_u32().await.unwrap();
        stream.write_all(b"INSTREAM size limit exceeded. ERROR\0").await.unwrap();
    };
    let (at, _) = played(small).await;
    let (antivirus, events) = of(&[format!("clamd tcp:{at}")], |_| {});
    let scanned = look(&antivirus, &vec![b'x'; 8 << 20]).await;
    assert_eq!(scanned.unscannable.len(), 1, "{scanned:?}");
    assert_eq!(strongest(&antivirus, &scanned), Action::Quarantine);
    assert!(events.lines().is_empty());
    // Another engine that has seen all of it is enough.
    let (other, _) = played(honest).await;
    let (antivirus, _) = of(&[format!("clamd tcp:{at}"), format!("clamd tcp:{other}")], |_| {});
    let scanned = look(&antivirus, &vec![b'x'; 8 << 20]).await;
    assert_eq!(strongest(&antivirus, &scanned), Action::Mark);
}

/// Whatever it says, and whenever: without the answer that means clean a message isn't.
#[tokio::test]
async fn lies_garbage_and_broken_answers_of_clamd_are_not_clean_and_hold_up_no_other_mail() {
    let long = vec![b'x'; CLAMD_ANSWER_MAX * 3];
    let answers: Vec<Vec<u8>> = [
        &b""[..],
        b"\0",
        b"1: stream: OK",
        b"stream: OK\0",
        b"2: stream: OK\0",
        b"1: stream: ok\0",
        b"1: OK\0",
        b"1: stream: OK FOUND?\0",
        b"UNKNOWN COMMAND\0",
        b"COMMAND READ TIMED OUT ERROR\0",
        b"1: stream: Can't open file or directory ERROR\0",
        b"\xff\xfe\0",
        &long,
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    for answer in answers {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
        let says = move |mut stream: TcpStream| {
            let answer = answer.clone();
            async move {
                command(&mut stream).await;
                command(&mut stream).await;
                message(&mut stream).await;
                let _gone = stream.write_all(&answer).await;
            }
        };
        let (at, _) = played(says).await;
        let deliver = |settings: &mut Settings| settings.when_down = WhenDown::DeliverWithMark;
        let (antivirus, events) = of(&[format!("clamd tcp:{at}")], deliver);
        let scanned = look(&antivirus, b"hello").await;
        // One without a number says nothing wrong, and yet isn't kept for the next.
        if shown == "stream: OK\0" {
            assert_eq!(scanned.clean.len() + scanned.unscannable.len(), 1);
        } else {
            assert_eq!(scanned.unscannable.len(), 1, "{shown:?}: {scanned:?}");
            assert_eq!(strongest(&antivirus, &scanned), Action::Quarantine);
        }
        // It may be the message's own doing.
        assert!(events.lines().is_empty(), "{shown:?}: {:?}", events.lines());
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_message_was_brought_is_not_believed_to_be_clean() {
    let early = |mut stream: TcpStream| async move {
        stream.write_all(b"1: stream: OK\0").await.unwrap();
        command(&mut stream).await.unwrap();
        // The rest isn't read.
        std::future::pending().await
    };
    let (at, _) = played(early).await;
    let (antivirus, _) = of(&[format!("clamd tcp:{at}")], |_| {});
    let scanned = look(&antivirus, &vec![b'x'; 64 << 20]).await;
    assert_eq!(scanned.unscannable.len(), 1, "{scanned:?}");
}

#[tokio::test]
async fn a_clamd_that_never_answers_is_given_up() {
    let (heard, has_heard) = oneshot::channel();
    let heard = Arc::new(Mutex::new(Some(heard)));
    let silent = move |mut stream: TcpStream| {
        let heard = heard.clone();
        async move {
            command(&mut stream).await.unwrap();
            command(&mut stream).await.unwrap();
            message(&mut stream).await.unwrap();
            heard.lock().unwrap().take().unwrap().send(()).unwrap();
            std::future::pending().await
        }
    };
    let (at, _) = played(silent).await;
    let (antivirus, events) = of(&[format!("clamd tcp:{at}")], |_| {});
    let looking = tokio::spawn({
        let antivirus = antivirus.clone();
        async move { look(&antivirus, b"hello").await }
    });
    has_heard.await.unwrap();
    tokio::time::pause();
    tokio::time::advance(ANTIVIRUS_TIME).await;
    let scanned = looking.await.unwrap();
    assert_eq!(scanned.unscannable[0].1, "it didn't answer in time");
    assert_eq!(strongest(&antivirus, &scanned), Action::Quarantine);
    assert!(events.lines().is_empty(), "{:?}", events.lines());
}

#[tokio::test]
async fn old_signatures_are_told_once_and_so_are_new_ones() {
    let date = Arc::new(Mutex::new("Thu Jan  1 10:20:30 2026".to_owned()));
    let dates = date.clone();
    let versions = move |mut stream: TcpStream| {
        let dates = dates.clone();
        async move {
            command(&mut stream).await;
            let mut number = 0;
            while command(&mut stream).await.is_some() {
                number += 1;
                let date = dates.lock().unwrap().clone();
                stream.write_all(format!("{number}: ClamAV 1.4.3/27456/{date}\0").as_bytes()).await.unwrap();
            }
        }
    };
    let (at, _) = played(versions).await;
    let (antivirus, events) = of(&[format!("clamd tcp:{at}")], |_| {});
    antivirus.check().await;
    antivirus.check().await;
    let state = antivirus.states().remove(0);
    assert_eq!(
        (state.health, state.version.as_deref(), state.signatures),
        (Health::Old, Some("ClamAV 1.4.3"), Some(27_456))
    );
    *date.lock().unwrap() = "Thu Jan  1 10:20:30 2099".to_owned();
    antivirus.check().await;
    assert_eq!(antivirus.states()[0].health, Health::Good);
    assert_eq!((told(&events, "antivirus.old"), told(&events, "antivirus.renewed")), (1, 1), "{:?}", events.lines());
}
