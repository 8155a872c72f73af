//! Who a message of a stranger is from: one author, whom every reader finds, or nobody (attacks D1).

use mailward_inspect::authenticate::{AuthorFault, author};
use mailward_message::Structure;
use mailward_message::submission::ClaimFault;
use proptest::prelude::*;

fn of(header: &str) -> Result<String, AuthorFault> {
    author(format!("{header}\r\nSubject: x\r\n\r\nFrom: body@b.example\r\n").as_bytes()).map(|a| a.address.to_string())
}

#[test]
fn an_author_is_found_as_mail_programs_write_them() {
    for (header, wanted) in [
        ("From: a@a.example", "a@a.example"),
        ("FROM:<a@a.example>", "a@a.example"),
        ("from: Zo\u{e9} <a@a.example>", "a@a.example"),
        ("From: \"A, B\" <a@a.example>", "a@a.example"),
        ("From: \"x@y.example\" <a@a.example>", "a@a.example"),
        ("From: =?utf-8?q?x=40y.example?= <a@a.example>", "a@a.example"),
        ("From: A [B] <a@a.example>", "a@a.example"),
        ("From: A (Sales: EU) <a@a.example>", "a@a.example"),
        ("From: A (B) <a@a.example> ", "a@a.example"),
        ("From: a@a.example (A B)", "a@a.example"),
        ("From: a@a.example,", "a@a.example"),
        ("From:\r\n A\r\n\t<a@a.example>", "a@a.example"),
        ("From: \"a b\"@a.example", "\"a b\"@a.example"),
        ("From: <a@A.Example>", "a@a.example"),
        ("From: <a@b\u{fc}cher.example>", "a@xn--bcher-kva.example"),
        ("Sender: b@b.example\r\nFrom: a@a.example\r\nResent-From: c@c.example", "a@a.example"),
    ] {
        assert_eq!(of(header).as_deref(), Ok(wanted), "{header}");
    }
    let latin = b"From: Zo\xe9 <a@a.example>\r\n\r\n";
    assert_eq!(author(latin).unwrap().domain.as_str(), "a.example");
}

/// Attacks D1: several From headers, several addresses, groups, nothing.
#[test]
fn more_or_fewer_than_one_author_is_nobody() {
    use mailward_message::submission::ClaimField::From;
    for (header, fault) in [
        ("To: b@b.example", ClaimFault::NoFrom),
        ("From: a@a.example\r\nFrom: a@a.example", ClaimFault::Repeated(From)),
        ("From: a@a.example\r\nX: y\r\nfrom: b@b.example", ClaimFault::Repeated(From)),
        ("From: a@a.example, b@b.example", ClaimFault::Several),
        ("From: a@a.example, a@a.example\r\nSender: a@a.example", ClaimFault::Several),
        ("From: <a@a.example>, b@b.example;", ClaimFault::Several),
        ("From: A: a@a.example;", ClaimFault::Group(From)),
        ("From: A:;", ClaimFault::Group(From)),
        ("From: undisclosed:<a@a.example>", ClaimFault::Group(From)),
        ("From: ", ClaimFault::Empty(From)),
        ("From: <>", ClaimFault::Empty(From)),
        ("From: A <>", ClaimFault::Empty(From)),
        ("From: ,a@a.example", ClaimFault::Empty(From)),
    ] {
        assert_eq!(of(header), Err(fault.into()), "{header}");
    }
    assert_eq!(of("From: a@[192.0.2.1]"), Err(AuthorFault::NoDomain));
    for header in
        ["From: a", "From: A <a>", "From: MAILER-DAEMON", "From: a@", "From: @a.example", "From: a@b c.example"]
    {
        assert!(of(header).is_err(), "{header}: {:?}", of(header));
    }
}

/// Attacks D1: `From :`, folded, NUL, comment tricks.
#[test]
fn what_others_could_read_otherwise_is_nobody() {
    for header in [
        "From : a@a.example",
        "From\t: a@a.example",
        "From : a@a.example\r\nFrom: b@b.example",
        "From: b@b.example\r\nFrom : a@a.example",
        "From: b@b.example\r\nFr\0om: a@a.example",
        "From: b@b.example\r\n\u{200b}From: a@a.example",
        "From: b@b.example\r\nFrom\u{a0}: a@a.example",
        "From: a@a.example\0, b@b.example",
        "From: a@a.example\0",
        "From: a\0@a.example",
        "From: a@a.example\rFrom: b@b.example",
        "From: a@a.example\r\n \r\n b@b.example",
        "From: (<b@b.example>) a@a.example",
        "From: a@a.example (<b@b.example>)",
        "From: a@a.example (\\) b@b.example",
        "From: (b@b.example a@a.example",
        "From: <a@a.example> <b@b.example>",
        "From: <a@a.example> b@b.example",
        "From: b@b.example <a@a.example>",
        "From: <<a@a.example>>",
        "From: <a@a.example",
        "From: a@a.example>",
        "From: a@a.example@b.example",
        "From: <b@b.example:a@a.example>",
        "From: <@b.example:a@a.example>",
        "From: \"<a@a.example>\" b@b.example <c@c.example>",
        "From: \"x <a@a.example>",
        "From: =?utf-8?q?a=40a.example?=",
        "From: <=?utf-8?q?a?=@a.example>",
        "From: a @ a.example",
        "From: a . b@a.example",
        "From: a@a.example(x)b",
        "From: a@a.exam(x)ple",
        "From: <a@a.example>x<b@b.example>",
        "From: a@a.example\u{1}",
    ] {
        assert!(of(header).is_err(), "{header:?}: {:?}", of(header));
    }
}

proptest! {
    /// One parser: whoever is found here is whom IMAP shows.
    #[test]
    fn who_is_found_is_whom_readers_are_shown(value in "([ab\"<>(),:;@\\\\. \\[\\]]|\r\n |=\\?|a@b\\.example){0,24}") {
        let message = format!("From:{value}\r\n\r\n");
        if let Ok(author) = author(message.as_bytes()) {
            let structure = Structure::parse(message.as_bytes());
            let envelope = structure.envelope();
            prop_assert_eq!(envelope.from.len(), 1);
            let shown = &envelope.from[0];
            prop_assert_eq!(shown.mailbox.as_deref(), Some(author.address.local().as_str()));
            prop_assert!(shown.host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case(author.domain.as_str())));
            prop_assert!(value.matches('@').count() >= 1);
        }
    }

    #[test]
    fn no_header_makes_it_stop(header in prop::collection::vec(any::<u8>(), 0..200)) {
        let _found = author(&header);
        let _found = author(&[b"From: ".as_slice(), &header].concat());
    }
}
