//! Conversations: whatever ids and references say, every message is in one thread, once.

use mailward_imap::thread::{Messages, ThreadInput, Threads, ordered_subject, references};
use mailward_message::subject::base_subject;

const SUBJECTS: [&str; 8] = ["", "a", "Re: a", "[x] A (fwd)", "b", "Re: b", "c", "\u{e4}"];

pub fn run(data: &[u8]) {
    let mut rest = data;
    let mut messages = Messages::default();
    let mut count = 0;
    // A message: its id (0 is none), then subject, date and how many references in one byte, then these.
    while let Some((id, after)) = super::steered(rest) {
        let Some((kind, after)) = super::steered(after) else { break };
        let (told, after) = after.split_at(usize::from(kind & 7).min(after.len()));
        let told: Vec<String> = told.iter().map(u8::to_string).collect();
        let id = id.to_string();
        count += 1;
        messages.add(&ThreadInput {
            number: count,
            sent: i64::from(kind >> 6),
            subject: &base_subject(SUBJECTS[usize::from((kind >> 3) & 7)]),
            id: Some(&*id).filter(|id| *id != "0"),
            references: &told,
        });
        rest = after;
    }
    assert!(messages.bytes() <= 4_096 + 512 * data.len(), "{} bytes of {}", messages.bytes(), data.len());
    check(&references(&messages), count);
    let by_subject = ordered_subject(&messages);
    check(&by_subject, count);
    for top in by_subject.tops() {
        assert!(by_subject.number(*top).is_some(), "a subject's first message is its thread's top");
        assert!(
            by_subject.children(*top).iter().all(|child| by_subject.children(*child).is_empty()),
            "no grandchildren"
        );
    }
}

fn check(threads: &Threads, count: u32) {
    let mut met: Vec<u32> = Vec::new();
    let mut nodes: Vec<(u32, bool)> = threads.tops().iter().map(|top| (*top, true)).collect();
    while let Some((node, is_top)) = nodes.pop() {
        let children = threads.children(node);
        match threads.number(node) {
            Some(number) => met.push(number),
            None => assert!(is_top && children.len() > 1, "only at the top several are held together by none"),
        }
        assert!(met.len() + nodes.len() <= 2 * count as usize, "a node is met once");
        nodes.extend(children.iter().map(|child| (*child, false)));
    }
    met.sort_unstable();
    assert_eq!(met, (1..=count).collect::<Vec<_>>(), "every message once");
    written(threads, &met);
}

/// What is written holds the same numbers, and its brackets are pairs.
fn written(threads: &Threads, met: &[u32]) {
    let mut out = Vec::new();
    threads.write(&mut out);
    let text = String::from_utf8(out).expect("ASCII");
    assert!(text.is_empty() == met.is_empty() && !text.contains("()") && !text.contains("  ") && !text.contains(" )"));
    let mut depth = 0_usize;
    for byte in text.bytes().skip(1) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).expect("a bracket that was opened"),
            _ => assert!(depth > 0, "numbers stand in lists"),
        }
    }
    assert_eq!(depth, 0, "{text}");
    let mut numbers: Vec<u32> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|n| !n.is_empty())
        .map(|n| n.parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, met, "{text}");
}
