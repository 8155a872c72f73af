//! What holds for every message.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests may stop at what isn't as it should be"
)]

use mailward_core::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};
use mailward_message::{Part, Structure, StructureError, accept, decode};
use proptest::prelude::*;

/// Lines that mean something to a walker.
fn mime_soup() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("text\r\n"),
        Just(" folded\r\n"),
        Just("Subject: x\r\n"),
        Just("From: a@b, G: c@d;\r\n"),
        Just("Content-Type: multipart/mixed; boundary=a\r\n"),
        Just("Content-Type: multipart/digest; boundary=b\r\n"),
        Just("Content-Type: multipart/mixed; boundary=a--\r\n"),
        Just("Content-Type: message/rfc822\r\n"),
        Just("Content-Type: text/html; charset=utf-16\r\n"),
        Just("Content-Transfer-Encoding: base64\r\n"),
        Just("Content-Disposition: attachment; filename*0=a; filename*1*=%20\r\n"),
        Just("\r\n--a\r\n"),
        Just("--a\r\n"),
        Just("--a--\r\n"),
        Just("--b\r\n"),
        Just("--b--"),
        Just("--b--\n"),
        Just("--"),
        Just("\u{e4}\0"),
    ];
    proptest::collection::vec(line, 0..60).prop_map(|lines| lines.concat().into_bytes())
}

/// Whether a part and all below it lie in order inside their parents; gives the number of parts and the depth.
fn walk(structure: &Structure) -> (usize, usize) {
    let mut seen = 0;
    let mut deepest = 0;
    let mut rest: Vec<(&Part, usize)> = vec![(structure.root(), 0)];
    while let Some((part, depth)) = rest.pop() {
        seen += 1;
        deepest = deepest.max(depth);
        assert!(part.header.start <= part.header.end && part.header.end == part.body.start);
        assert!(part.body.start <= part.body.end && part.body.end <= structure.size());
        let mut at = part.body.start;
        let mut children = 0;
        for child in structure.children(part) {
            assert!(child.header.start >= at && child.body.end <= part.body.end);
            at = child.body.end;
            children += 1;
            rest.push((child, depth + 1));
        }
        assert_eq!(children > 0, part.is_multipart() || part.is_message());
        assert!(!part.is_message() || children == 1);
        assert!(!part.media_type.is_empty() && !part.subtype.is_empty() && !part.encoding.is_empty());
    }
    (seen, deepest)
}

fn holds(message: &[u8]) {
    let structure = Structure::parse(message);
    assert_eq!(structure.size(), message.len() as u64);
    let (seen, deepest) = walk(&structure);
    assert_eq!(seen, structure.parts().count());
    assert!(seen <= MIME_PARTS_MAX && deepest <= MIME_DEPTH_MAX);
    assert_eq!(Structure::from_bytes(&structure.to_bytes()).as_ref(), Ok(&structure));
    assert_eq!(Structure::parse(message), structure);
    let _ = accept::check(message);
    let text = decode::text_of(message, &structure);
    let mut read = vec![b'?'; message.len()];
    let mut end = 0;
    for range in decode::text_ranges(&structure) {
        assert!(range.start >= end && range.end <= structure.size(), "out of order: {range:?}");
        end = range.end;
        let range = range.start as usize..range.end as usize;
        read[range.clone()].copy_from_slice(&message[range]);
    }
    assert_eq!(decode::text_of(&read, &structure), text, "text of bytes that no range has");
    let _ = decode::searchable(message, &structure);
    for part in structure.parts() {
        let _ = (decode::part_text(message, part), decode::file_name(part));
        if part.is_text() {
            let body = &message[part.body.start as usize..part.body.end as usize];
            assert_eq!(part.lines as usize, body.iter().filter(|b| **b == b'\n').count());
        }
    }
}

/// A tree of MIME entities, and its leaves' bodies in order.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Vec<u8>),
    Multipart(Vec<Tree>),
    Message(Box<Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80).prop_map(Tree::Leaf),
        "[a-z \r\n-]{0,80}".prop_map(|text| Tree::Leaf(text.into_bytes())),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..5).prop_map(Tree::Multipart),
            inner.prop_map(|t| Tree::Message(Box::new(t))),
        ]
    })
}

/// Writes a tree; boundaries are numbered and hold a sign that no leaf has at a line's start after dashes.
fn write(tree: &Tree, next: &mut usize, to: &mut Vec<u8>, leaves: &mut Vec<Vec<u8>>) {
    match tree {
        Tree::Leaf(body) => {
            to.extend_from_slice(b"Content-Type: application/x-leaf\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
            to.extend_from_slice(body);
            leaves.push(body.clone());
        }
        Tree::Multipart(parts) => {
            let boundary = format!("=_{next}_boundary");
            *next += 1;
            to.extend_from_slice(
                format!("Content-Type: multipart/mixed;\r\n\tboundary=\"{boundary}\"\r\n\r\n").as_bytes(),
            );
            for part in parts {
                to.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
                write(part, next, to, leaves);
            }
            to.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        }
        Tree::Message(inside) => {
            to.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\nSubject: inside\r\n");
            write(inside, next, to, leaves);
        }
    }
}

proptest! {
    #[test]
    fn the_beginning_of_what_is_kept_is_read_by_itself(
        fields in proptest::collection::vec("(Subject|Date|From|To|X): [ -~\u{e4}]{0,20}\r\n", 0..6),
    ) {
        let structure = Structure::parse(format!("{}\r\nbody", fields.concat()).as_bytes());
        let bytes = structure.to_bytes();
        let (stored, envelope) = (Structure::envelope_from_bytes(&bytes).unwrap(), structure.envelope());
        prop_assert_eq!(format!("{stored:?}"), format!("{envelope:?}"));
        prop_assert_eq!(Structure::subject_from_bytes(&bytes).unwrap(), structure.envelope().subject.as_deref());
        prop_assert_eq!(Structure::subject_from_bytes(&[]), Err(StructureError::Damaged));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_break_it(message in proptest::collection::vec(any::<u8>(), 0..600)) {
        holds(&message);
    }

    #[test]
    fn no_soup_of_mime_breaks_it(message in mime_soup()) {
        holds(&message);
    }

    #[test]
    fn stored_bytes_that_are_none_are_refused_or_are_a_tree(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        message in mime_soup(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for mut bytes in [bytes, Structure::parse(&message).to_bytes()] {
            for (at, byte) in &flips {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
            }
            if let Ok(structure) = Structure::from_bytes(&bytes) {
                walk_stored(&structure);
            }
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_still_a_message(message in mime_soup(), at in any::<prop::sample::Index>()) {
        holds(&message[..at.index(message.len() + 1)]);
    }

    #[test]
    fn well_formed_trees_give_back_their_leaves(tree in tree()) {
        let mut message = b"Subject: tree\r\n".to_vec();
        let mut leaves = Vec::new();
        write(&tree, &mut 0, &mut message, &mut leaves);
        let structure = Structure::parse(&message);
        let read: Vec<Vec<u8>> = structure
            .parts()
            .filter(|p| p.subtype == "x-leaf")
            .map(|p| message[p.body.start as usize..p.body.end as usize].to_vec())
            .collect();
        prop_assert_eq!(read, leaves);
        holds(&message);
    }
}

/// Stored bytes may lie about types and strings; walking must end all the same.
fn walk_stored(structure: &Structure) {
    let mut seen = 0;
    let mut rest = vec![structure.root()];
    while let Some(part) = rest.pop() {
        seen += 1;
        assert!(part.body.end <= structure.size());
        rest.extend(structure.children(part));
    }
    assert_eq!(seen, structure.parts().count());
}

#[test]
fn stored_bytes_of_another_layout_are_refused_by_name() {
    let mut bytes = Structure::parse(b"").to_bytes();
    assert_eq!(Structure::from_bytes(&bytes[..bytes.len() - 1]), Err(StructureError::Damaged));
    bytes.push(0);
    assert_eq!(Structure::from_bytes(&bytes), Err(StructureError::Damaged));
    bytes[0] = 99;
    assert_eq!(Structure::from_bytes(&bytes), Err(StructureError::Version(99)));
    assert_eq!(Structure::from_bytes(&[]), Err(StructureError::Damaged));
}

#[test]
fn a_structure_is_small() {
    let message = b"Received: from a by b; Fri, 21 Nov 1997 09:55:06 -0600\r\nFrom: Ann <ann@example.test>\r\nTo: Bob <bob@example.test>\r\nSubject: hello\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1@example.test>\r\n\r\nhello\r\n";
    assert!(Structure::parse(message).to_bytes().len() < message.len());
}
