//! What milters send: packets, terms and replies; and a message that is changed as they want stays a message.

use mailward_core::limits::{MILTER_ANSWER_MAX, MILTER_FIELD_LINE_MAX};
use mailward_message::header;
use mailward_milter::packet::take;
use mailward_milter::terms::{Terms, actions, steps};
use mailward_milter::{Asked, Changes, Edit, Reply};

const MESSAGE: &[u8] = b"From: a@a.example\r\nX-A: one\r\n two\r\nX-A: three\r\n\r\nbody\r\n";

pub fn run(data: &[u8]) {
    let Some((steer, mut rest)) = super::steered(data) else { return };
    let steps = if steer & 1 == 0 { 0 } else { steps::LEADING_BLANK };
    let agreed = Terms { version: 6, actions: actions::ALL, steps, asked: Asked::default() };
    let mut edits = Vec::new();
    while let Ok(Some((packet, length))) = take(rest, 4_096) {
        assert!(packet.data.len() < 4_096 && length <= rest.len());
        rest = &rest[length..];
        if let Ok(terms) = Terms::parse(packet.data) {
            assert!((2..=6).contains(&terms.version));
            assert!(terms.actions & !actions::ALL == 0 && terms.steps & !steps::ALL == 0 && terms.chunk() >= 65_535);
        }
        match Reply::parse(packet, &agreed) {
            Ok(Reply::Edit(edit)) if edits.len() < 20 => edits.push(edit),
            Ok(Reply::Answer(answer)) => {
                assert!((400..600).contains(&answer.code()) && answer.text().len() <= MILTER_ANSWER_MAX);
                assert!(answer.text().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                let class = u16::from(answer.enhanced().0);
                assert_eq!(class, answer.code() / 100);
            }
            Ok(Reply::RemoveRecipient(text) | Reply::Quarantine(text)) => assert!(text.len() <= packet.data.len() * 3),
            _ => {}
        }
    }
    let more = edits.iter().filter(|edit| matches!(edit, Edit::Add { .. } | Edit::Insert { .. })).count();
    let others = edits.len() - more;
    let changes = Changes { edits: vec![("m".to_owned(), edits)], ..Changes::default() };
    let changed = changes.apply(MESSAGE);
    let head = header::header_end(&changed);
    assert_eq!(&changed[head..], b"body\r\n", "no change of the header gets into the body");
    let count = header::fields(&changed[..head]).count();
    assert!((3 + more).saturating_sub(others) <= count && count <= 3 + more + others, "each is one field");
    for line in changed[..head].split_inclusive(|byte| *byte == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= MILTER_FIELD_LINE_MAX + 2);
        assert!(!line[..line.len() - 2].contains(&b'\r') && !line.contains(&0));
    }
}
