use super::*;
use crate::Structure;
use crate::header;
use mailward_core::limits::{REPORT_FIELD_MAX, REPORT_TEXT_MAX};
use proptest::prelude::*;
use std::sync::LazyLock;

static HOST: LazyLock<Domain> = LazyLock::new(|| Domain::parse("mx.s.example").unwrap());
static POSTMASTER: LazyLock<Address> = LazyLock::new(|| address("postmaster@s.example"));
static ALICE: LazyLock<Address> = LazyLock::new(|| address("a@s.example"));
static BOB: LazyLock<Address> = LazyLock::new(|| address("b@t.example"));
static UMLAUT: LazyLock<Address> = LazyLock::new(|| address("j\u{f6}rg+x@m\u{fc}nchen.example"));

const ORIGINAL: &[u8] = b"Message-ID: <1@s.example>\r\nSubject: x\r\n\r\nbody\r\n";

fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

fn failed(address: &Address) -> Recipient<'_> {
    Recipient {
        address,
        original: None,
        action: Action::Failed,
        status: EnhancedStatus::of_code(550),
        remote_mta: None,
        diagnostic: None,
        last_attempt: None,
        will_retry_until: None,
    }
}

fn report<'a>(recipients: &'a [Recipient<'a>]) -> Report<'a> {
    Report {
        reporting_mta: &HOST,
        from: &POSTMASTER,
        to: &ALICE,
        id: "abc",
        date: Timestamp(0),
        arrival: Timestamp(0),
        envelope_id: None,
        smtputf8: false,
        recipients,
        text: "It could not be delivered.\n",
        original: ORIGINAL,
        returned: Returned::Whole,
    }
}

/// What the crate's own parser finds in a notification: the types of its three parts, and their bodies.
struct Read {
    kinds: Vec<String>,
    bodies: Vec<Vec<u8>>,
}

fn read(made: &Notification) -> Read {
    let structure = Structure::parse(&made.bytes);
    let root = structure.root();
    assert_eq!((root.media_type.as_str(), root.subtype.as_str()), ("multipart", "report"));
    assert_eq!(root.param("report-type"), Some("delivery-status"));
    let parts: Vec<_> = structure.children(root).collect();
    assert_eq!(parts.len(), 3, "{}", String::from_utf8_lossy(&made.bytes));
    let at = |n: u64| usize::try_from(n).unwrap();
    // Nothing before the first delimiter, nothing behind the last. (The line end before it belongs to a header that
    // has no other.)
    assert!(made.bytes[at(root.body.start)..].starts_with(b"--=_"));
    let last = &made.bytes[at(parts[2].body.end)..];
    let last = last.strip_prefix(b"\r\n").unwrap_or(last);
    assert!(last.starts_with(b"--=_") && last.ends_with(b"--\r\n"));
    assert_eq!(last.iter().filter(|b| **b == b'\n').count(), 1);
    Read {
        kinds: parts.iter().map(|p| format!("{}/{}", p.media_type, p.subtype)).collect(),
        bodies: parts.iter().map(|p| crate::decode::part_bytes(&made.bytes, p).into_owned()).collect(),
    }
}

/// The groups of fields of a delivery-status part: names and unfolded values.
fn groups(body: &[u8]) -> Vec<Vec<(String, String)>> {
    let mut groups = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let end = header::header_end(rest);
        groups.push(
            header::fields(&rest[..end])
                .map(|f| {
                    let value = String::from_utf8(header::unfold(f.value).into_owned()).unwrap();
                    (String::from_utf8(f.name.to_vec()).unwrap(), value.trim_start().to_owned())
                })
                .collect(),
        );
        rest = &rest[end..];
    }
    groups
}

fn field<'g>(group: &'g [(String, String)], name: &str) -> Option<&'g str> {
    let mut found = group.iter().filter(|(n, _)| n == name);
    let value = found.next().map(|(_, v)| v.as_str());
    assert!(found.next().is_none(), "{name} twice");
    value
}

/// What SMTP and IMAP ask of every message of ours.
fn well_made(made: &Notification) {
    for line in made.bytes.split_inclusive(|b| *b == b'\n') {
        assert!(line.ends_with(b"\r\n"), "a bare LF or an open line");
        assert_eq!(line.iter().filter(|b| **b == b'\r').count(), 1, "a bare CR");
    }
    assert!(!made.bytes.contains(&0));
    assert_eq!(made.eight_bit, !made.bytes.is_ascii());
    let facts = crate::accept::check(&made.bytes).unwrap();
    assert!((facts.from, facts.date, facts.message_id) == (1, 1, 1) && facts.has_empty_line);
    assert!(!facts.eight_bit_header || made.smtputf8);
}

#[test]
fn a_bounce_has_words_fields_and_the_message() {
    let recipient = Recipient {
        address: &BOB,
        original: Some(("rfc822", "b@t.example")),
        action: Action::Failed,
        status: EnhancedStatus::parse("5.1.1").unwrap(),
        remote_mta: Some("mx.t.example"),
        diagnostic: Some(Diagnostic::Smtp("550 5.1.1 No such user")),
        last_attempt: Some(Timestamp(0)),
        will_retry_until: None,
    };
    let recipients = [recipient];
    let report = Report { envelope_id: Some("QQ1"), ..report(&recipients) };
    let made = report.build().unwrap();
    let epoch = date::format_header(Timestamp(0));
    let expected = format!(
        "From: Mail Delivery System <postmaster@s.example>\r\nTo: <a@s.example>\r\n\
         Subject: Your message could not be delivered\r\nDate: {epoch}\r\nMessage-ID: <abc@mx.s.example>\r\n\
         In-Reply-To: <1@s.example>\r\nReferences: <1@s.example>\r\nAuto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\
         \tboundary=\"=_abc_00000000\"\r\n\
         \r\n--=_abc_00000000\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nIt could not be delivered.\r\n\
         \r\n--=_abc_00000000\r\nContent-Type: message/delivery-status\r\n\r\n\
         Original-Envelope-Id: QQ1\r\nReporting-MTA: dns; mx.s.example\r\nArrival-Date: {epoch}\r\n\r\n\
         Original-Recipient: rfc822; b@t.example\r\nFinal-Recipient: rfc822; b@t.example\r\nAction: failed\r\n\
         Status: 5.1.1\r\nRemote-MTA: dns; mx.t.example\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user\r\n\
         Last-Attempt-Date: {epoch}\r\n\
         \r\n--=_abc_00000000\r\nContent-Type: message/rfc822\r\n\r\n\
         Message-ID: <1@s.example>\r\nSubject: x\r\n\r\nbody\r\n\r\n--=_abc_00000000--\r\n"
    );
    assert_eq!(String::from_utf8(made.bytes).unwrap(), expected);
    assert!(!made.smtputf8 && !made.eight_bit);
}

#[test]
fn an_unkept_word_of_the_caller_is_an_error() {
    assert_eq!(report(&[]).build(), Err(ReportError::Recipients(0)));
    let many = vec![failed(&BOB); REPORT_RECIPIENTS_MAX + 1];
    assert_eq!(report(&many).build(), Err(ReportError::Recipients(REPORT_RECIPIENTS_MAX + 1)));
    assert!(report(&many[1..]).build().is_ok());
    let recipients = [failed(&BOB)];
    assert_eq!(Report { id: "-_", ..report(&recipients) }.build(), Err(ReportError::Id));
    assert_eq!(Report { from: &UMLAUT, ..report(&recipients) }.build(), Err(ReportError::From));
}

#[test]
fn a_notification_is_called_by_the_worst_it_tells() {
    for (actions, subject) in [
        (&[Action::Delivered, Action::Failed, Action::Delayed][..], "Your message could not be delivered"),
        (&[Action::Relayed, Action::Delayed], "Your message is delayed, we keep trying"),
        (&[Action::Delivered, Action::Relayed], "Your message was passed on"),
        (&[Action::Expanded, Action::Delivered], "Your message was sent on to several people"),
        (&[Action::Delivered], "Your message was delivered"),
    ] {
        let recipients: Vec<_> = actions.iter().map(|a| Recipient { action: *a, ..failed(&BOB) }).collect();
        let made = report(&recipients).build().unwrap();
        assert_eq!(Structure::parse(&made.bytes).envelope().subject.as_deref(), Some(subject));
        let told = groups(&read(&made).bodies[1]);
        let named: Vec<_> = told[1..].iter().map(|g| field(g, "Action").unwrap()).collect();
        assert_eq!(named, actions.iter().map(|a| a.name()).collect::<Vec<_>>());
    }
}

#[test]
fn only_what_failed_gives_back_the_whole_message_and_only_a_small_one() {
    let bounce = [failed(&BOB)];
    let delay = [Recipient { action: Action::Delayed, will_retry_until: Some(Timestamp(0)), ..failed(&BOB) }];
    let header = &ORIGINAL[..ORIGINAL.len() - 8];
    let made = read(&report(&bounce).build().unwrap());
    assert_eq!((made.kinds[2].as_str(), made.bodies[2].as_slice()), ("message/rfc822", ORIGINAL));
    let made = read(&Report { returned: Returned::Header, ..report(&bounce) }.build().unwrap());
    assert_eq!((made.kinds[2].as_str(), made.bodies[2].as_slice()), ("text/rfc822-headers", header));
    let made = read(&report(&delay).build().unwrap());
    assert_eq!((made.kinds[2].as_str(), made.bodies[2].as_slice()), ("text/rfc822-headers", header));
    assert!(field(&groups(&made.bodies[1])[1], "Will-Retry-Until").is_some());

    let size = |n: usize| [ORIGINAL, "x".repeat(n - ORIGINAL.len()).as_bytes()].concat();
    let small = read(&Report { original: &size(REPORT_RETURNED_MAX), ..report(&bounce) }.build().unwrap());
    assert_eq!(small.kinds[2], "message/rfc822");
    let large = read(&Report { original: &size(REPORT_RETURNED_MAX + 1), ..report(&bounce) }.build().unwrap());
    assert_eq!((large.kinds[2].as_str(), large.bodies[2].as_slice()), ("text/rfc822-headers", header));
}

#[test]
fn a_long_header_is_cut_after_a_line() {
    let line = "X-Long: 0123456789\r\n";
    let original = format!("{}\r\nbody\r\n", line.repeat(REPORT_RETURNED_MAX / line.len() + 10));
    let bounce = [failed(&BOB)];
    let made = Report { original: original.as_bytes(), returned: Returned::Header, ..report(&bounce) }.build().unwrap();
    let given = &read(&made).bodies[2];
    assert_eq!(given.len(), REPORT_RETURNED_MAX / line.len() * line.len());
    let one = format!("X: {}\r\n\r\n", "x".repeat(REPORT_RETURNED_MAX));
    let made = Report { original: one.as_bytes(), ..report(&bounce) }.build().unwrap();
    assert!(read(&made).bodies[2].is_empty(), "a line that doesn't fit isn't cut in two");
}

#[test]
fn a_message_without_a_header_or_with_nothing_at_all_is_given_back_too() {
    for original in [&b""[..], b"just a line\r\n", b"\r\n", b"\r\nbody", b"A: b", b"A: b\r\n\r\n"] {
        for returned in [Returned::Whole, Returned::Header] {
            let bounce = [failed(&BOB)];
            let made = Report { original, returned, ..report(&bounce) }.build().unwrap();
            well_made(&made);
            read(&made);
        }
    }
}

/// RFC 6533 §3, §4.
#[test]
fn addresses_that_are_not_ascii_are_told_in_the_form_that_their_sender_can_read() {
    let bounce = [failed(&UMLAUT)];
    let made = report(&bounce).build().unwrap();
    let told = read(&made);
    assert_eq!(told.kinds[1], "message/delivery-status");
    let groups_told = groups(&told.bodies[1]);
    assert_eq!(field(&groups_told[1], "Final-Recipient"), Some("utf-8; j\\x{F6}rg\\x{2B}x@xn--mnchen-3ya.example"));
    assert!(!made.smtputf8 && !made.eight_bit);

    let made = Report { smtputf8: true, ..report(&bounce) }.build().unwrap();
    let told = read(&made);
    assert_eq!(told.kinds[1], "message/global-delivery-status");
    let groups_told = groups(&told.bodies[1]);
    assert_eq!(field(&groups_told[1], "Final-Recipient"), Some("utf-8; j\u{f6}rg+x@xn--mnchen-3ya.example"));
    assert!(made.smtputf8 && made.eight_bit);
    well_made(&made);

    let plain = [failed(&BOB)];
    let made = Report { to: &UMLAUT, ..report(&plain) }.build().unwrap();
    assert_eq!(read(&made).kinds[1], "message/delivery-status");
    assert!(made.smtputf8, "the address it goes to needs it");
    well_made(&made);
}

#[test]
fn headers_that_are_not_ascii_are_given_back_in_a_form_that_can_be_sent() {
    let original = "Subject: \u{e4}\r\n\r\n\u{f6}\r\n".as_bytes();
    let bounce = [failed(&BOB)];
    for (smtputf8, returned, kind) in [
        (false, Returned::Whole, "message/rfc822"),
        (true, Returned::Whole, "message/global"),
        (false, Returned::Header, "text/rfc822-headers"),
        (true, Returned::Header, "message/global-headers"),
    ] {
        let made = Report { original, smtputf8, returned, ..report(&bounce) }.build().unwrap();
        well_made(&made);
        let told = read(&made);
        assert_eq!(told.kinds[2], kind);
        let expected = if returned == Returned::Whole { original } else { &original[..13] };
        assert_eq!(told.bodies[2], expected, "{kind}");
        assert_eq!(made.smtputf8, smtputf8, "{kind}");
    }
    let body = "Subject: x\r\n\r\n\u{f6}\r\n".as_bytes();
    let made = Report { original: body, smtputf8: true, ..report(&bounce) }.build().unwrap();
    assert_eq!(read(&made).kinds[2], "message/rfc822", "only the body is 8-bit");
    assert!(made.eight_bit && !made.smtputf8);
}

#[test]
fn words_for_people_survive_in_any_language() {
    let bounce = [failed(&BOB)];
    let long = "w ".repeat(2_000);
    for text in ["It's =3D gone. \n\n  \tbye \n", "Unzustellbar: \u{fc}\u{1f600} =\n", "no end", "", &long] {
        let made = Report { text, ..report(&bounce) }.build().unwrap();
        well_made(&made);
        let expected: String = text.lines().map(|l| format!("{l}\r\n")).collect();
        assert_eq!(String::from_utf8(read(&made).bodies[0].clone()).unwrap(), expected);
        assert!(made.bytes.split(|b| *b == b'\n').all(|line| line.len() < 1_000));
    }
    let made = Report { text: "a\u{1b}[2J\u{202e}b\0\r\nc", ..report(&bounce) }.build().unwrap();
    assert_eq!(read(&made).bodies[0], b"a[2Jb\r\nc\r\n", "nothing that moves or hides text");
}

#[test]
fn texts_and_fields_are_cut_at_their_limits() {
    let text = "0123456\n".repeat(REPORT_TEXT_MAX / 8 + 100);
    let said = "word ".repeat(REPORT_FIELD_MAX);
    let bounce = [Recipient { diagnostic: Some(Diagnostic::Smtp(&said)), ..failed(&BOB) }];
    let made = Report { text: &text, ..report(&bounce) }.build().unwrap();
    well_made(&made);
    let told = read(&made);
    assert!(told.bodies[0].ends_with(b"\r\n[...]\r\n") && told.bodies[0].len() <= REPORT_TEXT_MAX + 20);
    let groups_told = groups(&told.bodies[1]);
    let cut = field(&groups_told[1], "Diagnostic-Code").unwrap();
    assert!(cut.ends_with(" [...]") && cut.len() <= REPORT_FIELD_MAX + 20);
}

#[test]
fn a_word_that_fits_no_line_is_cut_into_lines() {
    let said = "\u{e4}".repeat(600);
    for smtputf8 in [false, true] {
        let bounce = [Recipient { diagnostic: Some(Diagnostic::Smtp(&said)), ..failed(&BOB) }];
        let made = Report { smtputf8, ..report(&bounce) }.build().unwrap();
        well_made(&made);
        assert!(made.bytes.split(|b| *b == b'\n').all(|line| line.len() <= 998));
        let groups_told = groups(&read(&made).bodies[1]);
        let told = field(&groups_told[1], "Diagnostic-Code").unwrap().replace(' ', "");
        let expected = if smtputf8 { said.clone() } else { "\\x{E4}".repeat(400) };
        let expected = expected.chars().take(900).collect::<String>();
        assert!(told.starts_with(&format!("smtp;{expected}")), "{told}");
    }
    let hidden = [Recipient { diagnostic: Some(Diagnostic::Smtp("a\u{202e}b")), ..failed(&UMLAUT) }];
    let made = Report { smtputf8: true, ..report(&hidden) }.build().unwrap();
    let groups_told = groups(&read(&made).bodies[1]);
    assert_eq!(field(&groups_told[1], "Diagnostic-Code"), Some("smtp; a\\x{202E}b"));
}

/// Attacks A4: everything that another server says, in every place it is put.
#[test]
fn hostile_words_add_no_field_no_part_and_no_line() {
    let said = "550 no\r\nX-Evil: yes\r\n\r\n--=_abc_00000000--\r\n\r\nTo: x\n\rY\u{85}Z\u{2028}\u{202e}\0\u{1b}[31m";
    let bounce = [Recipient {
        original: Some(("rfc822\r\nX-Evil", "a\r\nX-Evil: b")),
        remote_mta: Some("mx\r\n\r\nX-Evil: c"),
        diagnostic: Some(Diagnostic::Smtp(said)),
        ..failed(&BOB)
    }];
    let original = [ORIGINAL, said.as_bytes(), b"\r\n--=_abc_00000001\r\n"].concat();
    let hostile = Report { envelope_id: Some(said), text: said, original: &original, ..report(&bounce) };
    let made = hostile.build().unwrap();
    well_made(&made);
    let told = read(&made);
    let groups_told = groups(&told.bodies[1]);
    assert_eq!(groups_told.len(), 2);
    for (name, value) in groups_told.iter().flatten() {
        assert!(name != "X-Evil" && !value.contains(char::is_control), "{name}: {value}");
    }
    assert_eq!(field(&groups_told[1], "Original-Recipient"), Some("rfc822X-Evil; a X-Evil: b"));
    assert_eq!(field(&groups_told[1], "Remote-MTA"), Some("dns; mx X-Evil: c"));
    assert_eq!(
        field(&groups_told[1], "Diagnostic-Code"),
        Some("smtp; 550 no X-Evil: yes --=_abc_00000000-- To: x Y Z \\x{202E} [31m")
    );
    assert!(String::from_utf8_lossy(&made.bytes).contains("boundary=\"=_abc_00000002\""));
}

#[test]
fn a_message_id_that_isn_t_one_is_not_answered_to() {
    let bounce = [failed(&BOB)];
    for bad in ["<a b@c>", "<>", "x", "<\u{e4}@c>", "<\"a\u{1}\"@c>", &format!("<{}@c>", "x".repeat(1_000))] {
        let original = format!("Message-ID: {bad}\r\n\r\n");
        let made = Report { original: original.as_bytes(), ..report(&bounce) }.build().unwrap();
        well_made(&made);
        let told = Structure::parse(&made.bytes).envelope().in_reply_to.clone();
        assert!(told.as_ref().is_none_or(|t| t == "<ab@c>"), "{bad}: {told:?}");
    }
}

/// Printable words with one blank between them: what a field can hold without a change.
fn plain() -> impl Strategy<Value = String> {
    "[!-~]{1,90}( [!-~]{1,30}){0,12}"
}

proptest! {
    #[test]
    fn what_is_given_is_read_back(
        envelope_id in plain(), said in plain(), original in plain(), text in "([ -~]{0,90}\n){0,8}", body in "\\PC{0,60}",
        class in prop_oneof![Just(4_u8), Just(5)], subject in 0_u16..1000, detail in 0_u16..1000, time in 0_i64..4_000_000_000,
        whole in any::<bool>(), smtputf8 in any::<bool>(),
    ) {
        let status = EnhancedStatus::new(class, subject, detail).unwrap();
        let time = Timestamp::from_secs(time);
        let recipients = [
            Recipient {
                original: Some(("rfc822", &original)), status, remote_mta: Some("mx.t.example"), last_attempt: Some(time),
                diagnostic: Some(Diagnostic::Smtp(&said)), ..failed(&BOB)
            },
            Recipient { action: Action::Delayed, will_retry_until: Some(time), diagnostic: Some(Diagnostic::Local(&said)), ..failed(&ALICE) },
        ];
        let message = format!("Subject: {said}\r\n\r\n{body}\r\n");
        let returned = if whole { Returned::Whole } else { Returned::Header };
        let made = Report {
            envelope_id: Some(&envelope_id), text: &text, original: message.as_bytes(), returned, smtputf8, arrival: time,
            ..report(&recipients)
        }.build().unwrap();
        well_made(&made);
        let told = read(&made);
        prop_assert_eq!(String::from_utf8(told.bodies[0].clone()).unwrap(), text.replace('\n', "\r\n"));
        let end = if whole { message.len() } else { message.find("\r\n\r\n").unwrap().saturating_add(2) };
        prop_assert_eq!(&told.bodies[2], &message.as_bytes()[..end]);
        let groups = groups(&told.bodies[1]);
        prop_assert_eq!(groups.len(), 3);
        prop_assert_eq!(field(&groups[0], "Original-Envelope-Id"), Some(envelope_id.as_str()));
        prop_assert_eq!(field(&groups[0], "Reporting-MTA"), Some("dns; mx.s.example"));
        let parsed = |v: Option<&str>| date::parse(v.unwrap().as_bytes()).map(|d| d.timestamp);
        prop_assert_eq!(parsed(field(&groups[0], "Arrival-Date")), Some(time));
        let (first, second) = (&groups[1], &groups[2]);
        let original = format!("rfc822; {original}");
        prop_assert_eq!(field(first, "Original-Recipient"), Some(original.as_str()));
        prop_assert_eq!(field(first, "Final-Recipient"), Some("rfc822; b@t.example"));
        prop_assert_eq!(field(first, "Action"), Some("failed"));
        prop_assert_eq!(field(first, "Status").and_then(EnhancedStatus::parse), Some(status));
        prop_assert_eq!(field(first, "Remote-MTA"), Some("dns; mx.t.example"));
        let smtp = format!("smtp; {said}");
        prop_assert_eq!(field(first, "Diagnostic-Code"), Some(smtp.as_str()));
        prop_assert_eq!(parsed(field(first, "Last-Attempt-Date")), Some(time));
        prop_assert_eq!(field(first, "Will-Retry-Until"), None);
        let local = format!("x-mailward; {said}");
        prop_assert_eq!(field(second, "Diagnostic-Code"), Some(local.as_str()));
        prop_assert_eq!(parsed(field(second, "Will-Retry-Until")), Some(time));
    }

    #[test]
    fn nothing_breaks_out(
        said in "(\\PC|[\0-\u{1f}\u{7f}-\u{9f}]|--=_abc_0000000[0-3]|: ){0,60}", message in proptest::collection::vec(any::<u8>(), 0..300),
        address in "[a-z\u{e4} ]{1,20}", smtputf8 in any::<bool>(), whole in any::<bool>(),
    ) {
        let recipient = Address::parse(&format!("\"{address}\"@t.example"), true);
        let gone = recipient.as_ref().unwrap_or(&BOB);
        let recipients = [Recipient {
            original: Some((&said, &said)), remote_mta: Some(&said), diagnostic: Some(Diagnostic::Smtp(&said)), ..failed(gone)
        }];
        let returned = if whole { Returned::Whole } else { Returned::Header };
        let original = [message.as_slice(), said.as_bytes()].concat();
        let made = Report {
            envelope_id: Some(&said), text: &said, original: &original, returned, smtputf8, ..report(&recipients)
        }.build().unwrap();
        well_made(&made);
        let told = read(&made);
        let groups = groups(&told.bodies[1]);
        prop_assert_eq!(groups.len(), 2);
        for (name, _) in groups.iter().flatten() {
            prop_assert!(KNOWN.contains(&name.as_str()), "{}", name);
        }
    }
}

const KNOWN: [&str; 9] = [
    "Original-Envelope-Id",
    "Reporting-MTA",
    "Arrival-Date",
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
];
