//! What milters change.

use crate::milter::{Milter, packet, terms};
use crate::{MESSAGE, envelope, session, to, transaction};
use mailward_core::Address;
use mailward_core::limits::{MILTER_EDIT_BYTES_MAX, MILTER_EDITS_MAX, MILTER_RECIPIENTS_MAX};
use mailward_milter::terms::{actions, steps};
use mailward_milter::{Changes, Edit, Fault, NewRecipient, NewSender, Verdict};

/// A milter that says this at the end of a message.
fn at_end(name: &str, packets: &[(u8, &[u8])], last: u8) -> Milter {
    let mut end: Vec<u8> = packets.iter().flat_map(|(letter, data)| packet(*letter, data)).collect();
    end.extend(packet(last, b""));
    Milter::new(name, move |letter, _| Some(if letter == b'E' { end.clone() } else { packet(b'c', b"") }))
}

async fn changed(milters: &[&Milter]) -> Changes {
    let lines: Vec<_> = milters.iter().map(|milter| &milter.line).collect();
    let (mut session, ..) = session(&lines);
    transaction(&mut session).await
}

fn too_much(changes: &Changes) -> bool {
    matches!(&changes.verdict, Verdict::Refuse(refusal) if matches!(refusal.fault, Some(Fault::TooMuch(_))))
}

#[tokio::test]
async fn every_change_is_told() {
    let milter = at_end(
        "m",
        &[
            (b'h', b"X-One\0a\n\tb\0"),
            (b'i', b"\0\0\0\x01X-Two\0c\0"),
            (b'm', b"\0\0\0\x01Subject\0new\0"),
            (b'm', b"\0\0\0\x01To\0\0"),
            (b'b', b"Other\n"),
            (b'b', b"body\r\n"),
            (b'+', b"<d@b.example>\0"),
            (b'2', b"<e@b.example>\0NOTIFY=NEVER\0"),
            (b'-', b"<C@B.example>\0"),
            (b'-', b"<unknown@b.example>\0"),
            (b'e', b"<new@a.example>\0"),
            (b'q', b"suspicious\0"),
            (b'p', b""),
        ],
        b'c',
    );
    let changes = changed(&[&milter]).await;
    assert_eq!(changes.verdict, Verdict::Take);
    assert_eq!(
        String::from_utf8(changes.apply(MESSAGE)).unwrap(),
        "X-Two: c\r\nFrom: a@a.example\r\nSubject: new\r\nMessage-ID: <m@a.example>\r\nX-One: a\r\n\tb\r\n\r\n\
         Other\r\nbody\r\n"
    );
    assert!(changes.changes_bytes());
    let address = |text| Address::parse(text, false).unwrap();
    let added = |text, arguments: &str| NewRecipient {
        milter: "m".into(),
        address: address(text),
        arguments: arguments.into(),
    };
    assert_eq!(changes.added, [added("d@b.example", ""), added("e@b.example", "NOTIFY=NEVER")]);
    assert_eq!(changes.removed, [1]);
    let sender = NewSender { address: Some(address("new@a.example")), arguments: String::new() };
    assert_eq!(changes.sender, Some(("m".into(), sender)));
    assert_eq!(changes.quarantine, Some(("m".into(), "suspicious".into())));
}

#[tokio::test]
async fn each_milter_sees_what_those_before_it_changed() {
    let first = at_end(
        "one",
        &[(b'h', b"X-One\0a\0"), (b'm', b"\0\0\0\x01Subject\0\0"), (b'b', b"new body\r\n"), (b'q', b"first\0")],
        b'a',
    );
    let second = at_end("two", &[(b'm', b"\0\0\0\x01x-one\0b\0"), (b'q', b"second\0")], b'c');
    let third = at_end("three", &[], b'c');
    let changes = changed(&[&first, &second, &third]).await;
    let heard = |milter: &Milter| {
        let all = milter.heard().into_iter().filter(|line| line.starts_with("L ") || line.starts_with("B "));
        all.collect::<Vec<_>>().join("|")
    };
    assert_eq!(
        heard(&second),
        "L From\0a@a.example\0|L To\0b@b.example\0|L Message-ID\0<m@a.example>\0|L X-One\0a\0|B new body\r\n"
    );
    assert!(heard(&third).contains("|L x-one\0b\0|"));
    assert!(String::from_utf8(changes.apply(MESSAGE)).unwrap().ends_with("x-one: b\r\n\r\nnew body\r\n"));
    let names: Vec<_> = changes.edits.iter().map(|(name, edits)| (name.as_str(), edits.len())).collect();
    assert_eq!(names, [("one", 2), ("two", 1)]);
    assert_eq!(changes.quarantine, Some(("one".into(), "first".into())));
}

#[tokio::test]
async fn nothing_is_changed_in_a_message_that_is_refused() {
    let first = at_end("one", &[(b'h', b"X-One\0a\0")], b'c');
    let second = at_end("two", &[(b'h', b"X-Two\0a\0")], b'r');
    let changes = changed(&[&first, &second]).await;
    assert!(matches!(&changes.verdict, Verdict::Refuse(refusal) if refusal.milter == "two"));
    assert!(changes.edits.is_empty() && !changes.changes_bytes());
}

#[tokio::test]
async fn nothing_is_changed_by_a_milter_that_fails() {
    let mut first = at_end("one", &[(b'h', b"X-One\0a\0")], b'z');
    first.line.default = mailward_core::config::MilterDefault::Accept;
    let second = at_end("two", &[(b'h', b"X-Two\0a\0")], b'c');
    let changes = changed(&[&first, &second]).await;
    assert_eq!(changes.verdict, Verdict::Take);
    assert_eq!(changes.edits.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["two"]);
    assert_eq!(changes.passed_over.len(), 1);
}

#[tokio::test]
async fn the_null_sender_and_a_value_with_its_own_blank() {
    let terms = terms(6, actions::ALL & !actions::CHOOSE_MACROS, steps::LEADING_BLANK, &[]);
    let milter = Milter::on_terms("m", terms, |letter, _| {
        let end = [packet(b'e', b"<>\0"), packet(b'h', b"A\0b\0"), packet(b'h', b"C\0\td\0"), packet(b'c', b"")];
        Some(if letter == b'E' { end.concat() } else { packet(b'c', b"") })
    });
    let changes = changed(&[&milter]).await;
    assert_eq!(changes.sender.as_ref().unwrap().1.address, None);
    let text = String::from_utf8(changes.apply(MESSAGE)).unwrap();
    assert!(text.contains("\r\nA:b\r\nC:\td\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn an_empty_body_is_a_body() {
    let milter = at_end("m", &[(b'b', b"")], b'c');
    let changes = changed(&[&milter]).await;
    assert!(changes.apply(MESSAGE).ends_with(b"<m@a.example>\r\n\r\n"));
}

#[tokio::test]
async fn changes_end_at_their_limits() {
    let edits = |count: usize| vec![(b'h', b"A\0b\0".as_slice()); count];
    assert_eq!(changed(&[&at_end("m", &edits(MILTER_EDITS_MAX), b'c')]).await.edits[0].1.len(), MILTER_EDITS_MAX);
    assert!(too_much(&changed(&[&at_end("m", &edits(MILTER_EDITS_MAX + 1), b'c')]).await));
    let large = |length: usize| [b"A\0", vec![b'b'; length - 2].as_slice(), b"\0"].concat();
    let edit = large(MILTER_EDIT_BYTES_MAX / 2);
    assert!(changed(&[&at_end("m", &[(b'h', &edit), (b'h', &edit)], b'c')]).await.is_taken());
    let over = large(MILTER_EDIT_BYTES_MAX / 2 + 1);
    assert!(too_much(&changed(&[&at_end("m", &[(b'h', &edit), (b'h', &over)], b'c')]).await));
    for (letter, data) in [(b'+', b"<x@b.example>\0".as_slice()), (b'-', b"<x@b.example>\0")] {
        let recipients = |count: usize| vec![(letter, data); count];
        assert!(changed(&[&at_end("m", &recipients(MILTER_RECIPIENTS_MAX), b'c')]).await.is_taken());
        assert!(too_much(&changed(&[&at_end("m", &recipients(MILTER_RECIPIENTS_MAX + 1), b'c')]).await));
    }
    let half = vec![b'x'; usize::try_from(crate::SIZE).unwrap() / 2];
    assert!(changed(&[&at_end("m", &[(b'b', &half), (b'b', &half)], b'c')]).await.is_taken());
    assert!(too_much(&changed(&[&at_end("m", &[(b'b', &half), (b'b', &half), (b'b', b"x")], b'c')]).await));
}

#[tokio::test]
async fn recipients_are_counted_as_they_were_taken() {
    let milter = Milter::new("m", |letter, data| match letter {
        b'R' if data.starts_with(b"<one@") => Some(packet(b'r', b"")),
        b'E' => Some([packet(b'-', b"<three@b.example>\0"), packet(b'c', b"")].concat()),
        _ => Some(packet(b'c', b"")),
    });
    let (mut session, ..) = session(&[&milter.line]);
    session.mail(&to("a@a.example"), None, None).await;
    for address in ["one@b.example", "two@b.example", "three@b.example"] {
        session.recipient(&to(address)).await;
    }
    session.data("id").await;
    assert_eq!(session.message(MESSAGE).await.removed, [1]);
}

#[tokio::test]
async fn edits_are_applied_as_they_were_seen() {
    let milter = at_end("m", &[(b'm', b"\0\0\0\x01From\0\0"), (b'm', b"\0\0\0\x02From\0x\0")], b'c');
    let (mut session, ..) = session(&[&milter.line]);
    envelope(&mut session).await;
    let changes = session.message(b"From: a\r\nFrom: b\r\n\r\nx").await;
    assert_eq!(changes.apply(b"From: a\r\nFrom: b\r\n\r\nx"), b"From: x\r\n\r\nx");
    assert!(matches!(changes.edits[0].1[0], Edit::Remove { nth: 1, .. }));
}
