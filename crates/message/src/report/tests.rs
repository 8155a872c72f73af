use super::*;

fn address(text: &str) -> Address {
    Address::parse(text, true).unwrap()
}

#[test]
fn a_bounce_has_words_fields_and_the_message() {
    let (from, to, gone) = (address("postmaster@s.example"), address("a@s.example"), address("b@t.example"));
    let host = Domain::parse("mx.s.example").unwrap();
    let recipient = Recipient {
        address: &gone,
        original: Some(("rfc822", "b@t.example")),
        action: Action::Failed,
        status: Status::parse("5.1.1").unwrap(),
        remote_mta: Some("mx.t.example"),
        diagnostic: Some(Diagnostic::Smtp("550 5.1.1 No such user")),
        last_attempt: Some(Timestamp(0)),
        will_retry_until: None,
    };
    let report = Report {
        reporting_mta: &host,
        from: &from,
        to: &to,
        id: "abc",
        date: Timestamp(0),
        arrival: Timestamp(0),
        envelope_id: Some("QQ1"),
        smtputf8: false,
        recipients: &[recipient],
        text: "It could not be delivered.\n",
        original: b"Message-ID: <1@s.example>\r\nSubject: x\r\n\r\nbody\r\n",
        returned: Returned::Whole,
    };
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
