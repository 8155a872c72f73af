use super::*;
use mailward_core::limits::{ENVELOPE_STRING_MAX, HEADER_FIELDS_MAX, SUBMISSION_CLAIMS_MAX};
use proptest::prelude::*;
use std::sync::LazyLock;

static HOSTNAME: LazyLock<Domain> = LazyLock::new(|| Domain::parse("mx.s.example").unwrap());
static DOMAIN: LazyLock<Domain> = LazyLock::new(|| Domain::parse("s.example").unwrap());

const TRACE: &[u8] = b"Received: from x by y; now\r\n";

fn facts() -> Facts<'static> {
    Facts { date: Timestamp(0), id: "q1", hostname: &HOSTNAME, domain: Some(&DOMAIN), author: None }
}

/// The message mended, behind a trace that stays as it is.
fn mended(message: &str) -> String {
    let bytes = [TRACE, message.as_bytes()].concat();
    let bytes = mend(bytes, TRACE.len(), &facts()).unwrap();
    assert!(bytes.starts_with(TRACE));
    String::from_utf8(bytes[TRACE.len()..].to_vec()).unwrap()
}

/// A message that lacks nothing but what `fields` has.
fn complete_with(fields: &str) -> String {
    format!("Date: x\r\nMessage-ID: <1@s.example>\r\n{fields}\r\nbody\r\n")
}

fn claimed(fields: &str) -> Result<Vec<String>, ClaimFault> {
    let found = claims(complete_with(fields).as_bytes())?;
    Ok(found
        .into_iter()
        .map(|c| {
            let place = if c.place == ClaimPlace::Name { " (name)" } else { "" };
            format!("{}: {}{place}", c.field, c.address)
        })
        .collect())
}

fn refused(fields: &str) -> ClaimFault {
    claimed(fields).expect_err(fields)
}

#[test]
fn what_is_missing_is_added_before_the_rest() {
    let date = date::format_header(Timestamp(0));
    assert_eq!(
        mended("From: a@s.example\r\n\r\nbody\r\n"),
        format!("Date: {date}\r\nMessage-ID: <q1@mx.s.example>\r\nFrom: a@s.example\r\n\r\nbody\r\n")
    );
    assert_eq!(
        mended("date: whenever\r\nFrom: a@s.example\r\n\r\n"),
        "Message-ID: <q1@mx.s.example>\r\ndate: whenever\r\nFrom: a@s.example\r\n\r\n"
    );
}

#[test]
fn a_message_that_lacks_nothing_is_given_back_as_it_is() {
    // Odd bytes, odd line ends, trailing blanks: none of them ours to touch.
    let message =
        b"Date: x\r\nMESSAGE-ID:y\r\nFrom: \"A\" <a@s.example>\r\nX:  \xff\t \r\n\r\nbody \0\n\r \r\n.\r\n".to_vec();
    let address = message.as_ptr();
    let kept = mend(message.clone(), 0, &facts()).unwrap();
    assert_eq!(kept, message);
    let again = mend(message, 0, &facts()).unwrap();
    assert_eq!(again.as_ptr(), address, "not copied either");
}

#[test]
fn blind_copies_are_removed_however_they_are_written() {
    let message = complete_with("bcc: x@t.example,\r\n y@t.example\r\nTo: z@t.example\r\nResent-Bcc : q@t.example\r\n");
    assert_eq!(mended(&message), complete_with("To: z@t.example\r\n"));
    assert_eq!(mended("Date: x\r\nMessage-ID: y\r\nBcc: x@t.example"), "Date: x\r\nMessage-ID: y\r\n");
    let in_body = complete_with("From: a@s.example\r\n") + "Bcc: not@a.field\r\n";
    assert_eq!(mended(&in_body), in_body);
}

#[test]
fn addresses_without_a_domain_get_the_login_s() {
    for (before, after) in [
        ("To: bob", "To: bob@s.example"),
        ("To: bob,alice , x@t.example", "To: bob@s.example,alice@s.example , x@t.example"),
        ("Cc: Bob <bob>", "Cc: Bob <bob@s.example>"),
        ("From: bob (Bobby)", "From: bob@s.example (Bobby)"),
        ("Reply-To: \"b b\"", "Reply-To: \"b b\"@s.example"),
        ("Sender: <\"b,b\">", "Sender: <\"b,b\"@s.example>"),
        ("To: friends: bob, al@t.example;, eve", "To: friends: bob@s.example, al@t.example;, eve@s.example"),
        ("To:\r\n bob\r\n\t, alice", "To:\r\n bob@s.example\r\n\t, alice@s.example"),
        ("Resent-To: bob", "Resent-To: bob@s.example"),
        ("To: j\u{f6}rg", "To: j\u{f6}rg@s.example"),
    ] {
        let mended = mended(&complete_with(&format!("{before}\r\n")));
        assert_eq!(mended, complete_with(&format!("{after}\r\n")));
    }
}

#[test]
fn what_may_be_something_else_stays() {
    for field in [
        "To: Bob Smith",
        "To: undisclosed-recipients:;",
        "To: <>",
        "To: ",
        "To: =?utf-8?q?Bob?=",
        "To: bob@",
        "To: @t.example",
        "To: a . b",
        "To: b\u{200b}ob",
        "To: bob)",
        "To: .bob",
        "To: <bob",
        "To: bob [x]",
        "X-To: bob",
        "Subject: bob",
    ] {
        let message = complete_with(&format!("{field}\r\n"));
        assert_eq!(mended(&message), message);
    }
    let nobody = Facts { domain: None, ..facts() };
    let message = complete_with("To: bob\r\n").into_bytes();
    assert_eq!(mend(message.clone(), 0, &nobody).unwrap(), message);
}

#[test]
fn local_programs_may_leave_from_and_the_whole_header_to_us() {
    let author = Address::parse("cron@s.example", false).unwrap();
    let local = Facts { author: Some(&author), ..facts() };
    let made = mend(b"just a line\r\n".to_vec(), 0, &local).unwrap();
    let date = date::format_header(Timestamp(0));
    let header = format!("Date: {date}\r\nMessage-ID: <q1@mx.s.example>\r\nFrom: <cron@s.example>\r\n");
    assert_eq!(String::from_utf8(made.clone()).unwrap(), format!("{header}\r\njust a line\r\n"));
    assert_eq!(claims(&made).unwrap().len(), 1);
    let made = mend(b"\r\nbody\r\n".to_vec(), 0, &local).unwrap();
    assert_eq!(String::from_utf8(made).unwrap(), format!("{header}\r\nbody\r\n"));
    let has = complete_with("From: a@s.example\r\n").into_bytes();
    assert_eq!(mend(has.clone(), 0, &local).unwrap(), has);
}

#[test]
fn an_id_can_t_end_its_field() {
    let odd = Facts { id: "a\r\nX: y>@\u{e4}.b-_", ..facts() };
    let made = mend(b"Date: x\r\n\r\n".to_vec(), 0, &odd).unwrap();
    assert!(made.starts_with(b"Message-ID: <aXy.b-_@mx.s.example>\r\nDate: x\r\n"));
    let long = "a".repeat(1_000);
    let made = mend(b"Date: x\r\n\r\n".to_vec(), 0, &Facts { id: &long, ..facts() }).unwrap();
    assert!(made.len() < 300);
}

/// Two bytes that become two hundred (attacks E2).
#[test]
fn completing_addresses_ends_at_the_header_s_limit() {
    let message = complete_with(&format!("To: {}\r\n", "a,".repeat(HEADER_BYTES_MAX / 4)));
    assert_eq!(mend(message.into_bytes(), 0, &facts()), Err(HeaderFault::TooLarge));
    let long = format!("X: {}\r\n\r\n", "x".repeat(HEADER_BYTES_MAX - 7));
    assert_eq!(mend(long.into_bytes(), 0, &facts()), Err(HeaderFault::TooLarge), "no room for Date");
    let many = format!("{}\r\n", "X: y\r\n".repeat(HEADER_FIELDS_MAX + 1));
    assert_eq!(mend(many.into_bytes(), 0, &facts()), Err(HeaderFault::TooManyFields));
}

#[test]
fn everybody_a_message_claims_to_be_from_is_told() {
    assert_eq!(claimed("From: Alice <alice@s.example>\r\n").unwrap(), ["From: alice@s.example"]);
    assert_eq!(claimed("FROM:\r\n alice@S.example (Alice)\r\n").unwrap(), ["From: alice@s.example"]);
    assert_eq!(
        claimed("From: \"Doe, John\" <j@s.example>, k@s.example\r\nSender: l@s.example\r\n").unwrap(),
        ["From: j@s.example", "From: k@s.example", "Sender: l@s.example"]
    );
    assert_eq!(
        claimed("Resent-From: a@s.example\r\nResent-Sender: b@s.example\r\nResent-From: c@s.example\r\nFrom: d@t.example\r\n")
            .unwrap(),
        ["Resent-From: a@s.example", "Resent-Sender: b@s.example", "Resent-From: c@s.example", "From: d@t.example"]
    );
    assert_eq!(claimed("From: =?utf-8?q?J=C3=B6rg?= <j@s.example>\r\n").unwrap(), ["From: j@s.example"]);
    assert_eq!(
        claimed("From: j\u{f6}rg@m\u{fc}nchen.example\r\n").unwrap(),
        ["From: j\u{f6}rg@xn--mnchen-3ya.example"]
    );
    assert_eq!(claimed("From: \"a b\"@s.example\r\n").unwrap(), ["From: \"a b\"@s.example"]);
    assert_eq!(claimed("From: a@[192.0.2.1]\r\n").unwrap(), ["From: a@[192.0.2.1]"]);
}

/// Attacks D1, A2: one answer, or none.
#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    use ClaimFault::{Ambiguous, Characters, Empty, Encoded, Group, Line, LineEnd, NoFrom, NoSender, Repeated};
    use ClaimField::{From, Sender};
    assert_eq!(refused("To: a@s.example\r\n"), NoFrom);
    assert_eq!(refused("From: a@s.example\r\nfrom: b@t.example\r\n"), Repeated(From));
    assert_eq!(refused("From: a@s.example\r\nSender: a@s.example\r\nSENDER: b@t.example\r\n"), Repeated(Sender));
    assert_eq!(refused("From: a@s.example, b@s.example\r\n"), NoSender);
    assert_eq!(refused("From: a@s.example\r\nSender: a@s.example, b@s.example\r\n"), Ambiguous(Sender));
    for empty in
        ["From:", "From: ", "From: <>", "From: (comment)", "From: ,a@s.example", "From: a@s.example,,b@s.example"]
    {
        assert_eq!(refused(&format!("{empty}\r\n")), Empty(From), "{empty}");
    }
    for group in ["From: G: a@s.example;", "From: G:;", "From: a@s.example, G: b@t.example;"] {
        assert_eq!(refused(&format!("{group}\r\n")), Group(From), "{group}");
    }
    for odd in [
        "<a@s.example> <b@t.example>",
        "<a@s.example> b@t.example",
        "a@s.example <b@t.example>",
        "a@s.example@t.example",
        "<a@s.example@t.example>",
        "<@t.example:a@s.example>",
        "<@t.example,@u.example:a@s.example>",
        "a@s.example; b@t.example",
        "<a@s.example",
        "a@s.example>",
        "<<a@s.example>>",
        "a @ s.example",
        "a@s . example",
        "a(x)@s.example",
        "a.(x)b@s.example",
        "\"a@s.example",
        "(a@s.example",
        "a@[s.example",
        "<a,b@s.example>",
        "(b@t.example) a@s.example",
        "a@s.example (<b@t.example>)",
        "a@s.example (x (y) z)",
        "a@s.example (x\\)y)",
        "Bob) <a@s.example>",
        "x\\\" <a@s.example>",
        "<a@s.example> \"x\"",
    ] {
        assert_eq!(refused(&format!("From: {odd}\r\n")), Ambiguous(From), "{odd}");
    }
    for not in [
        "a",
        "a@",
        "@s.example",
        "a..b@s.example",
        "a@s_example",
        "a@s.example.",
        "\"\\\u{e4}\"@s.example",
        "a:b@s.example",
    ] {
        assert!(claimed(&format!("From: {not}\r\n")).is_err(), "{not}");
    }
    for encoded in ["=?utf-8?q?a=40t.example?=@s.example", "<=?utf-8?q?a?=@s.example>", "a@=?utf-8?q?t=2Eexample?="] {
        assert_eq!(refused(&format!("From: {encoded}\r\n")), Encoded(From), "{encoded}");
    }
    assert_eq!(refused("From: a\u{1}b@s.example\r\n"), Characters(From));
    assert_eq!(refused("From: a\u{7f}b@s.example\r\n"), Characters(From));
    assert_eq!(claims(b"From: \xe4 <a@s.example>\r\n\r\n"), Err(Characters(From)));
    for (bad, line) in [
        ("From : a@s.example\r\n", 3),
        ("From\t: a@s.example\r\n", 3),
        ("From: a@s.example\r\nX\u{e4}: y\r\n", 4),
        ("From: a@s.example\r\nno field\r\n", 4),
        ("From: a@s.example\r\n: y\r\n", 4),
        ("From: a@s.example\r\nX: y\r\n \r\nTo: z\r\n", 5),
        ("From: a@s.example\r\nFrom b@t.example: x\r\n", 4),
    ] {
        assert_eq!(refused(bad), Line(line), "{bad:?}");
    }
    for bad in
        ["From: a@s.example\nSubject: x\r\n", "From: a@s.example\rFrom: b@t.example\r\n", "From: a@s.example\0\r\n"]
    {
        assert_eq!(refused(bad), LineEnd, "{bad:?}");
    }
    assert_eq!(claims(b"no header"), Err(NoFrom));
    assert_eq!(claims(b""), Err(NoFrom));
    assert_eq!(claims(b"\r\nFrom: a@s.example\r\n"), Err(NoFrom), "that is the body");
}

/// Attacks A2: readers that show only names show an address that nobody looked at.
#[test]
fn an_address_that_is_shown_as_a_name_is_claimed_as_well() {
    for name in [
        "\"boss@t.example\"",
        "=?utf-8?q?boss=40t.example?=",
        "=?utf-8?b?Ym9zc0B0LmV4YW1wbGU=?=",
        "=?utf-8?q?boss?= =?utf-8?q?=40t.example?=",
        "\"The Boss <boss@t.example>\"",
        "\"boss\u{ff20}t.example\"",
        "\"boss@\u{200b}t.example\"",
        "\"boss @ t.example\"",
        "\"write to boss@t.example, please\"",
    ] {
        let found = claimed(&format!("From: {name} <a@s.example>\r\n"));
        assert_eq!(
            found.as_deref(),
            Ok(&["From: a@s.example".to_owned(), "From: boss@t.example (name)".to_owned()][..]),
            "{name}"
        );
    }
    assert_eq!(claimed("From: \"boss@corp\" <a@s.example>\r\n").unwrap().last().unwrap(), "From: boss@corp (name)");
    assert_eq!(refused("From: \"b..@t.example\" <a@s.example>\r\n"), ClaimFault::Name(ClaimField::From));
    for harmless in ["\"Max @ Work\"", "\"@handle\"", "\"a@\"", "A", "\"me (at) home\"", "=?utf-8?q?=40?="] {
        assert_eq!(
            claimed(&format!("From: {harmless} <a@s.example>\r\n")).unwrap(),
            ["From: a@s.example"],
            "{harmless}"
        );
    }
}

#[test]
fn claims_end_at_their_limit() {
    let list = |n: usize| (0..n).map(|i| format!("a{i}@s.example")).collect::<Vec<_>>().join(", ");
    let from = |n| format!("From: {}\r\nSender: a0@s.example\r\n", list(n));
    assert_eq!(claimed(&from(SUBMISSION_CLAIMS_MAX - 1)).map(|c| c.len()), Ok(SUBMISSION_CLAIMS_MAX));
    assert_eq!(refused(&from(SUBMISSION_CLAIMS_MAX + 1)), ClaimFault::TooMany);
    let names = format!("From: \"{}\" <a@s.example>\r\n", "x@y.example ".repeat(500));
    assert_eq!(claimed(&names).map(|c| c.len()), Ok(2), "the same claim counts once");
    let hidden = format!("From: \"{} boss@t.example\" <a@s.example>\r\n", "x ".repeat(ENVELOPE_STRING_MAX));
    assert_eq!(refused(&hidden), ClaimFault::LongName(ClaimField::From));
    let names = format!("From: \"{}\" <a@s.example>\r\n", list(SUBMISSION_CLAIMS_MAX + 1));
    assert_eq!(refused(&names), ClaimFault::TooMany);
}

fn soup() -> impl Strategy<Value = String> {
    static PIECES: [&str; 34] = [
        "From: ",
        "From: ",
        "Sender:",
        "To: ",
        "Bcc: x\r\n",
        "Date: x\r\n",
        "Resent-From: ",
        "\r\n",
        "\r\n",
        "\r\n ",
        "\n",
        " ",
        "\t",
        "alice",
        "alice",
        "@s.example",
        "@s.example",
        "@",
        "<",
        ">",
        ",",
        ";",
        ":",
        "\"",
        "\\",
        "(",
        ")",
        "[",
        "]",
        ".",
        "=?utf-8?q?=40?=",
        "\u{e4}",
        "\0",
        "\r",
    ];
    let piece = proptest::sample::select(&PIECES[..]);
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Fields that are not to be changed.
fn others(message: &[u8]) -> Vec<Vec<u8>> {
    let header = sub(message, 0..crate::header::header_end(message));
    let touched = |f: &Field<'_>| {
        f.is("bcc") || f.is("resent-bcc") || f.is("date") || f.is("message-id") || ADDRESSED.iter().any(|n| f.is(n))
    };
    fields(header).filter(|f| !touched(f)).map(|f| sub(header, f.whole.clone()).to_vec()).collect()
}

proptest! {
    #[test]
    fn mending_twice_is_mending_once_and_the_body_is_never_touched(header in soup(), body in "\\PC{0,40}") {
        let header = format!("X: y\r\n{}", header.replace("\r\n\r\n", "\r\n"));
        let message = format!("{header}\r\n\r\n{body}").into_bytes();
        let once = mend(message.clone(), 0, &facts()).unwrap();
        prop_assert_eq!(mend(once.clone(), 0, &facts()).unwrap(), once.clone());
        let body_of = |m: &[u8]| from(m, crate::header::header_end(m)).to_vec();
        prop_assert_eq!(body_of(&once), body_of(&message));
        prop_assert_eq!(others(&once), others(&message));
        let end = crate::header::header_end(&once);
        let blind = fields(sub(&once, 0..end)).any(|f| f.is("bcc"));
        prop_assert!(!blind);
    }

    /// Who passes is who IMAP shows: the claims are the addresses of the envelope, all of them.
    #[test]
    fn claims_are_the_addresses_that_readers_are_shown(header in soup()) {
        let message = format!("{header}\r\n\r\nbody").into_bytes();
        if let Ok(found) = claims(&message) {
            let structure = crate::Structure::parse(&message);
            let envelope = structure.envelope();
            let mut shown: Vec<String> = Vec::new();
            for address in envelope.from.iter().chain(&envelope.sender) {
                prop_assert!(!address.is_group_start() && !address.is_group_end() && address.route.is_none());
                shown.push(address.mailbox.clone().unwrap());
            }
            let claimed: Vec<String> = found.iter()
                .filter(|c| c.place == ClaimPlace::Address && matches!(c.field, ClaimField::From | ClaimField::Sender))
                .map(|c| c.address.local().as_str().to_owned()).collect();
            for name in &shown {
                prop_assert!(claimed.contains(name), "{:?} is shown and not claimed", name);
            }
            prop_assert!(found.len() <= SUBMISSION_CLAIMS_MAX);
        }
    }

    #[test]
    fn nothing_makes_it_panic(message in proptest::collection::vec(any::<u8>(), 0..300), start in 0usize..400) {
        let _ = claims(&message);
        let _ = mend(message, start, &facts());
    }
}
