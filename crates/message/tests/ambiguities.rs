//! Messages that allow two readings (attacks E1): the one that counts here. `src/lib.rs` states the rules.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    reason = "tests may stop at what isn't as it should be"
)]

use mailward_core::limits::{MIME_BOUNDARY_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX};
use mailward_message::{Part, Structure, decode};

/// Each entity as `type/subtype "body"`, indented by nothing: the order is that of the tree.
fn tree(message: &str) -> Vec<String> {
    let structure = Structure::parse(message.as_bytes());
    structure.parts().map(|p| format!("{}/{} {:?}", p.media_type, p.subtype, body(message, p))).collect()
}

fn body<'m>(message: &'m str, part: &Part) -> &'m str {
    &message[part.body.start as usize..part.body.end as usize]
}

fn root(message: &str) -> Part {
    Structure::parse(message.as_bytes()).root().clone()
}

/// The leaves of a multipart with this Content-Type and this body.
fn leaves(content_type: &str, inside: &str) -> Vec<String> {
    let message = format!("Content-Type: {content_type}\r\n\r\n{inside}");
    let structure = Structure::parse(message.as_bytes());
    structure.parts().filter(|p| !p.is_multipart()).map(|p| body(&message, p).to_owned()).collect()
}

#[test]
fn of_fields_and_parameters_given_twice_the_first_counts() {
    let part = root(
        "Content-Type: text/html; charset=utf-8; charset=utf-7\r\nContent-Type: application/x-evil\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n\
         Content-Disposition: inline; filename=a; filename=b\r\nContent-Disposition: attachment\r\n\r\n",
    );
    assert_eq!((part.media_type.as_str(), part.subtype.as_str(), part.encoding.as_str()), ("text", "html", "base64"));
    assert_eq!(part.params, [("charset".to_owned(), "utf-8".to_owned())]);
    let disposition = part.disposition.unwrap();
    assert_eq!((disposition.kind.as_str(), disposition.params.len()), ("inline", 1));
    assert_eq!(disposition.param("filename"), Some("a"));
    assert_eq!(
        leaves("multipart/mixed; boundary=a; boundary=b", "--b\r\n\r\nno\r\n--a\r\n\r\nyes\r\n--b--\r\n--a--"),
        ["yes\r\n--b--"]
    );
    // A first one that can't be read counts as well.
    assert!(root("Content-Type: ?\r\nContent-Type: text/html\r\n\r\n").subtype == "plain");
}

#[test]
fn to_cc_and_bcc_given_twice_are_joined_and_from_is_not() {
    let structure =
        Structure::parse(b"To: a@x\r\nTo: b@x\r\nFrom: c@x\r\nFrom: d@x\r\nSubject: 1\r\nSubject: 2\r\n\r\n");
    assert_eq!(structure.envelope().to.len(), 2);
    assert_eq!(structure.envelope().from.len(), 1);
    assert_eq!(structure.envelope().subject.as_deref(), Some("1"));
}

#[test]
fn boundaries_are_read_however_they_are_written() {
    let inside = "--b d\r\n\r\nx\r\n--b d--\r\n";
    assert_eq!(leaves("multipart/mixed; boundary=\"b d\"", inside), ["x"]);
    assert_eq!(leaves("multipart/mixed; boundary=\"b d  \"", inside), ["x"]);
    assert_eq!(leaves("multipart/mixed; boundary=\"b\\ d\" (comment)", inside), ["x"]);
    assert_eq!(leaves("multipart/mixed; boundary*0=\"b \"; boundary*1=d", inside), ["x"]);
    assert_eq!(leaves("multipart/mixed; boundary*=us-ascii''b%20d", inside), ["x"]);
    assert_eq!(leaves("multipart/mixed;\r\n\tBOUNDARY = (c) \"b\r\n d\"", inside), ["x"]);
    let inside = "--=_b:1/2?\r\n\r\nx\r\n--=_b:1/2?--\r\n";
    assert_eq!(leaves("multipart/mixed; boundary==_b:1/2? (comment)", inside), ["x"]);
    assert_eq!(leaves("multipart/mixed; boundary=\"=_b:1/2?", inside), ["x"]);
    // Blanks after the delimiter are padding; anything else makes it text.
    assert_eq!(leaves("multipart/mixed; boundary=b", "--b \t\r\n\r\nx\r\n--b--  \r\n--b\r\n\r\ny"), ["x"]);
    assert_eq!(
        leaves("multipart/mixed; boundary=b", "--b\r\n\r\nx\r\n--b x\r\n--b---\r\n --b\r\n--B\r\n--b--"),
        ["x\r\n--b x\r\n--b---\r\n --b\r\n--B"]
    );
}

#[test]
fn a_multipart_without_usable_boundary_is_text_whole() {
    let inside = "--\r\n\r\nx\r\n----\r\n";
    for content_type in [
        "multipart/mixed",
        "multipart/mixed; boundary=",
        "multipart/mixed; boundary=\"\"",
        "multipart/mixed; boundary=\"  \"",
    ] {
        let message = format!("Content-Type: {content_type}\r\n\r\n{inside}");
        assert_eq!(tree(&message), [format!("text/plain {inside:?}")], "{content_type}");
        assert_eq!(root(&message).lines, 4);
        // Nothing in it is encoded, whatever it says.
        assert_eq!(root(&format!("Content-Transfer-Encoding: base64\r\n{message}")).encoding, "7bit");
    }
    let longest = "b".repeat(MIME_BOUNDARY_MAX);
    let inside = format!("--{longest}\r\n\r\nx\r\n--{longest}--");
    assert_eq!(leaves(&format!("multipart/mixed; boundary={longest}"), &inside), ["x"]);
    let longer = "b".repeat(MIME_BOUNDARY_MAX + 1);
    let inside = format!("--{longer}\r\n\r\nx\r\n--{longer}--");
    assert_eq!(leaves(&format!("multipart/mixed; boundary={longer}"), &inside), [inside]);
}

#[test]
fn a_multipart_without_one_part_is_text_whole() {
    for inside in ["", "only preamble", "--b--\r\n", "--b--\r\n--b\r\n\r\nx"] {
        let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{inside}");
        assert_eq!(tree(&message), [format!("text/plain {inside:?}")]);
    }
}

#[test]
fn an_inner_boundary_may_begin_like_an_outer_one() {
    let message = "Content-Type: multipart/mixed; boundary=abc\r\n\r\n--abc\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n\
        --ab\r\n\r\n1\r\n--abc\r\n\r\n2\r\n--ab\r\n--abc--";
    assert_eq!(leaves("x", ""), [""]);
    assert_eq!(tree(message)[2..], ["text/plain \"1\"", "text/plain \"2\\r\\n--ab\""]);
    // A boundary that looks like another's end: the inner one is asked first.
    let message = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=a--\r\n\r\n\
        --a--\r\n\r\n1\r\n--a----\r\n--a--\r\n--a\r\n\r\n2";
    assert_eq!(tree(message)[2..], ["text/plain \"1\""]);
    // The same boundary twice: the inner one until it is closed.
    let message = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n\
        --a\r\n\r\n1\r\n--a--\r\n--a\r\n\r\n2\r\n--a--\r\n";
    assert_eq!(tree(message)[2..], ["text/plain \"1\"", "text/plain \"2\""]);
}

#[test]
fn the_first_delimiter_needs_no_line_before_it() {
    assert_eq!(leaves("multipart/mixed; boundary=b", "--b\r\n\r\nx\r\n--b--"), ["x"]);
    assert_eq!(leaves("multipart/mixed; boundary=b", "\r\n--b\r\n\r\nx\r\n--b--"), ["x"]);
    assert_eq!(leaves("multipart/mixed; boundary=b", "y--b\r\n\r\n\r\n--b\r\n\r\nx"), ["x"]);
}

#[test]
fn preamble_and_epilogue_hold_no_parts() {
    let inside = "Content-Type: text/html\r\n\r\nnot\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\nnot either\r\n--b--\r\n";
    assert_eq!(leaves("multipart/mixed; boundary=b", inside), ["x"]);
}

#[test]
fn a_line_of_blanks_does_not_end_a_header() {
    let part = root("Subject: x\r\n \r\nContent-Type: text/html\r\n\t\r\n\r\nbody");
    assert_eq!((part.subtype.as_str(), part.size()), ("html", 4));
}

#[test]
fn lines_that_are_no_fields_are_passed_over() {
    let message = "Received: x\r\nno colon here\r\nB\u{e4}d: 8 bit\r\nNul\0: x\r\nA\rB: bare\r\n: nameless\r\nContent-Type : text/html\r\n\r\nbody";
    assert_eq!(tree(message), ["text/html \"body\""]);
    // mbox's first line is one of them.
    assert_eq!(tree("From a@b Thu Jan 1 1970\r\nContent-Type: text/html\r\n\r\nbody"), ["text/html \"body\""]);
}

#[test]
fn what_does_not_start_like_a_header_is_all_body() {
    let message = "Hello,\r\nthis: is no header\r\n\r\nAnn\r\n";
    assert_eq!(tree(message), [format!("text/plain {message:?}")]);
    assert_eq!(leaves("multipart/mixed; boundary=b", "--b\r\nno header\r\n\r\nx\r\n--b--"), ["no header\r\n\r\nx"]);
}

#[test]
fn a_header_without_end_ends_with_its_part() {
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n--b\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n--b\r\nContent-Type: message/rfc822\r\n--b--";
    assert_eq!(
        tree(message)[1..],
        ["text/html \"\"", "text/plain \"\"", "application/octet-stream \"\"", "application/octet-stream \"\""]
    );
    assert_eq!(tree("Subject: only"), ["text/plain \"\""]);
}

#[test]
fn lines_end_at_lf_and_a_bare_cr_is_a_character() {
    let message = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\r\n\r\n2\r--b\r--b--\n--b--\n";
    assert_eq!(tree(message)[1..], ["text/plain \"1\"", "text/plain \"2\\r--b\\r--b--\""]);
    let part = root("Subject: x\r\n\r\r\nContent-Type: text/html\r\n\r\n");
    assert_eq!(part.subtype, "html");
}

#[test]
fn transfer_encodings_are_read_however_they_are_written() {
    for written in
        ["base64", "BASE64", " base64 ", "base64 (comment)", "(comment) base64", "\"base64\"", "base64;", "base64\r\n "]
    {
        let part = root(&format!("Content-Transfer-Encoding: {written}\r\n\r\n"));
        assert_eq!(part.encoding, "base64", "{written}");
    }
    assert_eq!(root("Content-Transfer-Encoding:\r\n\r\n").encoding, "7bit");
    // An unknown one stays visible, and its content is served as it is.
    let message = "Content-Transfer-Encoding: base65\r\n\r\naGk=";
    let part = root(message);
    assert_eq!(part.encoding, "base65");
    assert_eq!(&*decode::part_bytes(message.as_bytes(), &part), b"aGk=");
}

#[test]
fn a_multipart_s_transfer_encoding_is_not_heeded() {
    let message =
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\nx\r\n--b--";
    assert_eq!(tree(message)[1..], ["text/plain \"x\""]);
}

#[test]
fn an_encoded_message_inside_is_not_walked() {
    let message = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQo=";
    let structure = Structure::parse(message.as_bytes());
    assert_eq!((structure.parts().count(), structure.root().subtype.as_str()), (1, "octet-stream"));
    assert_eq!(&*decode::part_bytes(message.as_bytes(), structure.root()), b"Subject: x\r\n\r\n");
}

#[test]
fn encoded_texts_in_old_clothes_are_text() {
    let uuencoded = "begin 644 evil.exe\r\n#0V%T\r\n`\r\nend\r\n";
    assert_eq!(tree(&format!("Subject: x\r\n\r\n{uuencoded}")), [format!("text/plain {uuencoded:?}")]);
}

#[test]
fn names_of_files_that_disagree_have_one_reading() {
    let name = |fields: &str| decode::file_name(&root(&format!("{fields}\r\n\r\n")));
    let all = "Content-Type: application/pdf; name=\"d.pdf\"; name*=utf-8''c.pdf\r\nContent-Disposition: attachment; filename=\"b.pdf\"; filename*=utf-8''a%2Epdf";
    assert_eq!(name(all).as_deref(), Some("a.pdf"));
    assert_eq!(
        name(
            "Content-Disposition: attachment; filename=b; filename*0*=utf-8''a; filename*1=%2Eexe; filename*2*=%2Epdf"
        )
        .as_deref(),
        Some("a%2Eexe.pdf")
    );
    assert_eq!(
        name("Content-Disposition: attachment; filename*1=b; filename*0=a; filename*3=d").as_deref(),
        Some("ab")
    );
    assert_eq!(name("Content-Type: x/y; name=\"=?utf-8?Q?=C3=A4.pdf?=\"").as_deref(), Some("\u{e4}.pdf"));
    assert_eq!(name("Content-Type: x/y; name=J\u{f6}rg").as_deref(), Some("J\u{f6}rg"));
    // Nothing hides: a NUL is seen, marks and separators are left for the reader to refuse.
    assert_eq!(name("Content-Type: x/y; name=\"a.pdf\0.exe\"").as_deref(), Some("a.pdf\u{fffd}.exe"));
    assert_eq!(name("Content-Type: x/y; name*=utf-8''a.pdf%00.exe%0A").as_deref(), Some("a.pdf\u{fffd}.exe"));
    assert_eq!(name("Content-Type: x/y; name*=utf-8''%E2%80%AEfdp.exe").as_deref(), Some("\u{202e}fdp.exe"));
    assert_eq!(name("Content-Type: x/y; name=\"../../etc/passwd. \"").as_deref(), Some("../../etc/passwd."));
    assert_eq!(name(&format!("Content-Type: x/y; name={}", "n".repeat(300))).unwrap().len(), 300);
}

#[test]
fn odd_types_are_leaves_with_their_parameters() {
    for kind in [
        "message/partial; id=x; number=1",
        "message/external-body; access-type=URL",
        "application/ms-tnef",
        "application/pkcs7-mime; smime-type=signed-data",
    ] {
        let message =
            format!("Content-Type: {kind}\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx");
        let structure = Structure::parse(message.as_bytes());
        assert_eq!(structure.parts().count(), 1, "{kind}");
        assert!(kind.starts_with(&structure.root().media_type));
    }
    // Types of multiparts make no difference to the walk.
    for kind in ["related; start=\"<2>\"", "appledouble", "signed", "x-unheard-of"] {
        assert_eq!(
            leaves(&format!("multipart/{kind}; boundary=b"), "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--"),
            ["1", "2"]
        );
    }
}

#[test]
fn messages_inside_messages_end_at_the_depth_limit() {
    let message = "Content-Type: message/rfc822\r\n\r\n".repeat(1_000);
    let structure = Structure::parse(message.as_bytes());
    assert_eq!(structure.parts().count(), MIME_DEPTH_MAX + 1);
    let deepest = structure.parts().last().unwrap();
    assert_eq!(deepest.subtype, "octet-stream");
    assert_eq!(deepest.body.end, message.len() as u64);
    assert_eq!(Structure::from_bytes(&structure.to_bytes()), Ok(structure));
}

#[test]
fn multiparts_inside_multiparts_end_at_the_depth_limit() {
    let message: String =
        (0..200).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
    let structure = Structure::parse(message.as_bytes());
    assert_eq!(structure.parts().count(), MIME_DEPTH_MAX + 1);
    assert_eq!(structure.parts().last().unwrap().subtype, "octet-stream");
    assert_eq!(Structure::from_bytes(&structure.to_bytes()), Ok(structure));
}

#[test]
fn parts_past_the_limit_belong_to_the_last_one() {
    let parts = "--b\r\n\r\nx\r\n".repeat(9_999);
    let message = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\n--b--\r\nepilogue"
    );
    let structure = Structure::parse(message.as_bytes());
    assert_eq!(structure.parts().count(), MIME_PARTS_MAX);
    let last = structure.part(&[u32::try_from(MIME_PARTS_MAX - 1).unwrap()]).unwrap();
    assert!(body(&message, last).starts_with("x\r\n--b\r\n\r\nx") && body(&message, last).ends_with("Subject: y\r\n"));
    assert_eq!(Structure::from_bytes(&structure.to_bytes()), Ok(structure));
}

#[test]
fn a_message_as_the_last_part_allowed_is_not_walked() {
    let parts = "--b\r\n\r\nx\r\n".repeat(MIME_PARTS_MAX - 2);
    for kind in ["message/rfc822", "multipart/mixed; boundary=c"] {
        let message = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b\r\nContent-Type: {kind}\r\n\r\nSubject: y\r\n\r\n--c\r\n\r\nz\r\n--b--\r\n"
        );
        let structure = Structure::parse(message.as_bytes());
        assert_eq!(structure.parts().count(), MIME_PARTS_MAX);
        assert_eq!(structure.parts().last().unwrap().subtype, "octet-stream", "{kind}");
    }
}
