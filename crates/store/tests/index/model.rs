//! Random messages, random texts to look for, and whatever can happen to an index between: what it answers is held
//! against reading everything.

use super::support::*;
use mailward_core::BlobId;
use mailward_message::Structure;
use mailward_message::decode::{fold, searchable, text_of};
use mailward_store::MailStore;
use mailward_store::maintenance::compact;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::sync::Arc;

const WORDS: [&str; 14] = [
    "apple",
    "Äpfel",
    "ΣΊΣΥΦΟΣ",
    "σίσυφος",
    "привет",
    "ﬁsh",
    "한글",
    "日本語",
    "straße",
    "a\"b",
    "\u{1f600}e\u{301}",
    "x=y",
    "ı",
    "İ",
];

#[derive(Clone, Debug)]
enum Part {
    Plain(String),
    QuotedPrintable(String),
    /// UTF-16, each character by its number in HTML.
    Html(String),
    Cyrillic(String),
    File(String),
    Message(String),
}

fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec(select(&WORDS[..]), 0..6).prop_map(|words| words.join(" "))
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        words().prop_map(Part::Plain),
        "[ -~\r\n\u{a0}-\u{24f}]{0,40}".prop_map(Part::Plain),
        words().prop_map(Part::QuotedPrintable),
        words().prop_map(Part::Html),
        words().prop_map(Part::Cyrillic),
        words().prop_map(Part::File),
        words().prop_map(Part::Message),
    ]
}

fn hex(text: &str, sign: &str) -> String {
    text.bytes().map(|b| format!("{sign}{b:02X}")).collect()
}

fn write(subject: &str, parts: &[Part]) -> Vec<u8> {
    let mut message =
        format!("Subject: =?utf-8?q?{}?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", hex(subject, "="))
            .into_bytes();
    for part in parts {
        message.extend_from_slice(b"--b\r\n");
        match part {
            Part::Plain(text) => message.extend_from_slice(format!("\r\n{text}").as_bytes()),
            Part::QuotedPrintable(text) => message.extend_from_slice(
                format!("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}", hex(text, "="))
                    .as_bytes(),
            ),
            Part::Html(text) => {
                message.extend_from_slice(b"Content-Type: text/html; charset=utf-16le\r\n\r\n");
                let html: String = text.chars().map(|c| format!("<b>&#{};</b>", u32::from(c))).collect();
                message.extend(html.encode_utf16().flat_map(u16::to_le_bytes));
            }
            Part::Cyrillic(text) => {
                message.extend_from_slice(b"Content-Type: text/plain; charset=windows-1251\r\n\r\n");
                message.extend(text.chars().map(|c| match u32::from(c) {
                    ascii @ 0..0x80 => ascii as u8,
                    letter @ 0x410..0x450 => (letter - 0x410 + 0xc0) as u8,
                    _ => b'?',
                }));
            }
            Part::File(name) => message.extend_from_slice(
                format!("Content-Type: application/x-y\r\nContent-Disposition: attachment; filename*=utf-8''{}\r\n\r\nbytes", hex(name, "%"))
                    .as_bytes(),
            ),
            Part::Message(subject) => message.extend_from_slice(
                format!("Content-Type: message/rfc822\r\n\r\nSubject: {subject}\r\n\r\ninside").as_bytes(),
            ),
        }
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}

#[derive(Clone, Debug)]
enum Step {
    Deliver(Vec<Vec<u8>>),
    Expunge(Index),
    ExpungeHighest,
    Indexed,
    Compact(bool),
    Restart,
    RestartOff,
    RestartDeleted,
    RestartCut(Index),
    RestartForeign,
    Hold,
    Find { message: Index, at: Index, length: usize, cased: bool },
    FindAnything(String),
}

fn step() -> impl Strategy<Value = Step> {
    let message =
        (words(), proptest::collection::vec(part(), 0..4)).prop_map(|(subject, parts)| write(&subject, &parts));
    prop_oneof![
        4 => proptest::collection::vec(message, 1..5).prop_map(Step::Deliver),
        1 => any::<Index>().prop_map(Step::Expunge),
        1 => Just(Step::ExpungeHighest),
        2 => Just(Step::Indexed),
        1 => any::<bool>().prop_map(Step::Compact),
        1 => Just(Step::Restart),
        1 => Just(Step::RestartOff),
        1 => Just(Step::RestartDeleted),
        1 => any::<Index>().prop_map(Step::RestartCut),
        1 => Just(Step::RestartForeign),
        1 => Just(Step::Hold),
        8 => (any::<Index>(), any::<Index>(), 1..12usize, any::<bool>())
            .prop_map(|(message, at, length, cased)| Step::Find { message, at, length, cased }),
        2 => "[a-z äσп한]{1,5}".prop_map(Step::FindAnything),
    ]
}

/// A piece of a message's text, as it is written or folded.
async fn piece(w: &World, blobs: &[BlobId], message: Index, at: Index, length: usize, cased: bool) -> Option<String> {
    let blob = *blobs.get(message.index(blobs.len().max(1)))?;
    let bytes = w.store().read(blob, 0, u64::MAX).await.unwrap();
    let structure = Structure::parse(&bytes);
    let text = if cased {
        let text = text_of(&bytes, &structure);
        if at.index(2) == 0 { text.header } else { text.body }
    } else {
        searchable(&bytes, &structure).unwrap()
    };
    let characters: Vec<char> = text.chars().collect();
    let start = at.index(characters.len().max(1));
    Some(characters.into_iter().skip(start).take(length).collect())
}

async fn compare(w: &World, text: &str) {
    let holders = w.holders(text).await;
    let found = w.find(text).await;
    if let Some(found) = &found {
        assert!(fold(text).chars().count() >= 3);
        let missed: Vec<_> = holders.iter().filter(|blob| !found.contains(blob)).collect();
        assert!(missed.is_empty(), "{text:?}: the index misses {missed:?} of {holders:?}");
    }
}

async fn run(steps: Vec<Step>, foreign: &std::path::Path) {
    let mut w = World::new().await;
    for step in steps {
        match step {
            Step::Deliver(messages) => {
                for message in messages {
                    w.deliver(message).await;
                }
            }
            Step::Expunge(which) => {
                let rows = w.rows().await;
                if !rows.is_empty() {
                    w.expunge(rows[which.index(rows.len())].uid).await;
                }
            }
            Step::ExpungeHighest => {
                if let Some(blob) = w.blobs().await.last() {
                    w.expunge_blob(*blob).await;
                }
            }
            Step::Indexed => {
                w.gate.open();
                w.indexed().await;
            }
            Step::Compact(all) => {
                w.gate.open();
                compact(w.store(), all).await.unwrap();
            }
            Step::Restart => w.again(true, |_| {}).await,
            Step::RestartOff => w.again(false, |_| {}).await,
            Step::RestartDeleted => w.again(true, |dir| drop(std::fs::remove_file(dir.join("index.db")))).await,
            Step::RestartCut(at) => {
                w.again(true, |dir| {
                    if let Ok(file) = std::fs::OpenOptions::new().write(true).open(dir.join("index.db")) {
                        let length = file.metadata().unwrap().len() as usize;
                        file.set_len(at.index(length.max(1)) as u64).unwrap();
                    }
                })
                .await;
            }
            Step::RestartForeign => {
                w.again(true, |dir| {
                    let _bytes = std::fs::copy(foreign, dir.join("index.db")).unwrap();
                })
                .await;
            }
            Step::Hold => w.gate.shut(),
            Step::Find { message, at, length, cased } => {
                let blobs = w.blobs().await;
                if let Some(text) = piece(&w, &blobs, message, at, length, cased).await {
                    compare(&w, &text).await;
                }
            }
            Step::FindAnything(text) => compare(&w, &text).await,
        }
    }
    // In the end all is indexed, and a word that is nowhere is known to be nowhere.
    w.again(true, |_| {}).await;
    w.indexed().await;
    for word in WORDS {
        compare(&w, word).await;
    }
    if !w.blobs().await.is_empty() {
        assert_eq!(w.find("no such word at all").await, Some(vec![]));
    }
    assert!(w.problems().is_empty(), "{:?}", w.problems());
    w.close().await;
}

#[test]
fn whatever_happens_the_index_misses_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let other = runtime.block_on(async {
        let mut w = World::new().await;
        for n in 0..20 {
            w.deliver(text(&format!("other {n}"))).await;
        }
        w.indexed().await;
        w.close().await;
        Arc::clone(&w.dir)
    });
    let foreign = other.path().join("index.db");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(32));
    let steps = proptest::collection::vec(step(), 1..30);
    runner
        .run(&steps, |steps| {
            runtime.block_on(run(steps, &foreign));
            Ok(())
        })
        .unwrap();
}
