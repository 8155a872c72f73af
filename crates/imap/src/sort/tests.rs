use super::*;
use proptest::prelude::*;
use std::cmp::Ordering;

/// A message with these fields, received and sized as told.
fn message(header: &str, secs: i64, size: u64) -> (Envelope, Timestamp, u64) {
    let structure = mailward_message::Structure::parse(format!("{header}\r\n\r\n").as_bytes());
    (structure.envelope().clone(), Timestamp::from_secs(secs), size)
}

fn program(text: &str) -> Vec<SortCriterion> {
    let mut reverse = false;
    let mut criteria = Vec::new();
    for word in text.split(' ') {
        let key = match word {
            "REVERSE" => {
                reverse = true;
                continue;
            }
            "ARRIVAL" => SortKey::Arrival,
            "CC" => SortKey::Cc,
            "DATE" => SortKey::Date,
            "DISPLAYFROM" => SortKey::DisplayFrom,
            "DISPLAYTO" => SortKey::DisplayTo,
            "FROM" => SortKey::From,
            "SIZE" => SortKey::Size,
            "SUBJECT" => SortKey::Subject,
            "TO" => SortKey::To,
            other => panic!("{other}"),
        };
        criteria.push(SortCriterion { key, reverse });
        reverse = false;
    }
    criteria
}

fn order(messages: &[(Envelope, Timestamp, u64)], by: &str) -> Vec<u32> {
    let mut sorter = Sorter::new(&program(by));
    for ((envelope, internal_date, size), number) in messages.iter().zip(1..) {
        let envelope = sorter.needs_envelope().then_some(envelope);
        sorter.add(&SortInput { number, internal_date: *internal_date, size: *size, envelope });
    }
    sorter.ordered()
}

#[test]
fn messages_are_ordered_by_each_criterion() {
    let messages = [
        message(
            "From: Zoe <adam@x>\r\nTo: b@x\r\nCc: q@x\r\nSubject: Re: beta\r\nDate: 3 Jan 2020 00:00:00 +0000",
            50,
            30,
        ),
        message(
            "From: =?utf-8?q?=C3=84nne?= <eve@x>\r\nTo: B@a\r\nSubject: [list] Alpha\r\nDate: 1 Jan 2020 23:00:00 -0500",
            40,
            10,
        ),
        message(
            "From: bob@x\r\nTo: Team: a@x;\r\nCc: p@x\r\nSubject: Beta (fwd)\r\nDate: 2 Jan 2020 03:00:00 +0000",
            60,
            20,
        ),
        message("Subject: alpha", 1_577_900_000, 40),
    ];
    for (by, expected) in [
        ("ARRIVAL", [2, 1, 3, 4]),
        ("SIZE", [2, 3, 1, 4]),
        // 4 has no date: it is as old as it is here.
        ("DATE", [4, 3, 2, 1]),
        // Local parts; nothing comes before something.
        ("FROM", [4, 1, 3, 2]),
        ("CC", [2, 4, 3, 1]),
        // `b` and `B` are the same; the group is an address by its name.
        ("TO", [4, 1, 2, 3]),
        ("SUBJECT", [2, 4, 1, 3]),
        // Ä comes after A and before B.
        ("DISPLAYFROM", [4, 2, 3, 1]),
        ("DISPLAYTO", [4, 2, 1, 3]),
        // What is the same stays in the mailbox's order, also reversed.
        ("REVERSE SUBJECT", [1, 3, 2, 4]),
        ("SUBJECT REVERSE SIZE", [4, 2, 1, 3]),
        ("REVERSE SUBJECT DATE", [3, 1, 4, 2]),
        ("REVERSE ARRIVAL", [4, 3, 1, 2]),
        // Named again, a key has nothing left to decide.
        ("SUBJECT REVERSE SUBJECT SIZE", [2, 4, 3, 1]),
    ] {
        assert_eq!(order(&messages, by), expected, "{by}");
    }
}

#[test]
fn names_are_shown_and_sorted_as_rfc_5957_says() {
    for (from, shown) in [
        ("Bob <b@x>", "Bob"),
        ("=?utf-8?q?J=C3=B6rg?= <j@x>", "J\u{f6}rg"),
        ("=?utf-8?q??= <j@x>", "j@x"),
        ("\"\" <j@x>", "j@x"),
        ("j@x (Comment)", "Comment"),
        ("j@x", "j@x"),
        ("<j>", "j"),
        ("Team: a@x;", "Team"),
        ("", ""),
    ] {
        let (envelope, ..) = message(&format!("From: {from}"), 0, 0);
        assert_eq!(display(envelope.from.first()), shown, "{from}");
    }
}

#[test]
fn only_the_program_s_keys_are_made() {
    let envelope = Envelope { subject: Some("x".repeat(5_000)), ..Envelope::default() };
    let input = SortInput { number: 1, internal_date: Timestamp::from_secs(1), size: 1, envelope: Some(&envelope) };
    let mut rows = Sorter::new(&program("ARRIVAL REVERSE SIZE ARRIVAL"));
    assert!(!rows.needs_envelope());
    rows.add(&input);
    assert_eq!(rows.keys.len(), 16);
    let mut subjects = Sorter::new(&program("SUBJECT"));
    assert!(subjects.needs_envelope());
    subjects.add(&input);
    assert_eq!(subjects.keys.len(), IMAP_SORT_KEY_MAX + 1);
}

/// The order that keys stand for, told by comparing what they are made of.
fn compare(a: &(Envelope, Timestamp, u64), b: &(Envelope, Timestamp, u64), by: &[SortCriterion]) -> Ordering {
    let text = |text: Option<&str>| collate::key(text.unwrap_or_default());
    let of = |list: &[EnvelopeAddress]| text(list.first().and_then(|a| a.mailbox.as_deref()));
    by.iter().fold(Ordering::Equal, |so_far, criterion| {
        let order = match criterion.key {
            SortKey::Arrival => a.1.cmp(&b.1),
            SortKey::Size => a.2.cmp(&b.2),
            SortKey::Date => sent_date(Some(&a.0), a.1).cmp(&sent_date(Some(&b.0), b.1)),
            SortKey::Subject => text(a.0.subject.as_deref()).cmp(&text(b.0.subject.as_deref())),
            SortKey::From => of(&a.0.from).cmp(&of(&b.0.from)),
            SortKey::To => of(&a.0.to).cmp(&of(&b.0.to)),
            SortKey::Cc => of(&a.0.cc).cmp(&of(&b.0.cc)),
            SortKey::DisplayFrom | SortKey::DisplayTo => Ordering::Equal,
        };
        so_far.then(if criterion.reverse { order.reverse() } else { order })
    })
}

proptest! {
    #[test]
    fn rows_compare_as_their_messages_do(
        messages in proptest::collection::vec(
            ("[ab\u{e4}\u{c4}A]{0,3}", "[ab]{0,2}", -3_i64..3, 0_u64..3, proptest::option::of(0_i64..3)),
            0..20,
        ),
        by in proptest::sample::subsequence(
            vec![SortKey::Arrival, SortKey::Size, SortKey::Date, SortKey::Subject, SortKey::From, SortKey::To, SortKey::Cc],
            1..7,
        ).prop_shuffle(),
        reverse in proptest::collection::vec(any::<bool>(), 7),
    ) {
        let by: Vec<SortCriterion> =
            by.into_iter().zip(reverse).map(|(key, reverse)| SortCriterion { key, reverse }).collect();
        let messages: Vec<(Envelope, Timestamp, u64)> = messages.into_iter().map(|(subject, local, secs, size, sent)| {
            let address = || vec![EnvelopeAddress { mailbox: Some(local.clone()), ..EnvelopeAddress::default() }];
            let envelope = Envelope {
                subject: Some(subject),
                from: address(),
                to: address(),
                cc: address(),
                date: sent.map(|s| date::format_header(Timestamp::from_secs(s))),
                ..Envelope::default()
            };
            (envelope, Timestamp::from_secs(secs), size)
        }).collect();
        let mut sorter = Sorter::new(&by);
        for ((envelope, internal_date, size), number) in messages.iter().zip(0..) {
            let envelope = Some(envelope);
            sorter.add(&SortInput { number, internal_date: *internal_date, size: *size, envelope });
        }
        let mut expected: Vec<u32> = (0..).take(messages.len()).collect();
        expected.sort_by(|a, b| compare(&messages[*a as usize], &messages[*b as usize], &by));
        prop_assert_eq!(sorter.ordered(), expected);
    }
}
