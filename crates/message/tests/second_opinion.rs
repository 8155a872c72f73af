//! What Python's `email` makes of a delivery status notification, where there is a `python3`: another reader's view of
//! the same bytes.
#![allow(clippy::unwrap_used, reason = "tests may stop at what isn't as it should be")]

use mailward_core::{Address, Domain, EnhancedStatus, Timestamp};
use mailward_message::report::{Action, Diagnostic, Recipient, Report, Returned};
use std::io::Write as _;
use std::process::{Command, Stdio};

const SCRIPT: &str = r#"
import email, email.policy, sys
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
assert not message.defects, message.defects
assert message.get_content_type() == "multipart/report"
assert message["auto-submitted"] == "auto-replied"
assert message["to"].addresses[0].addr_spec == "a@s.example"
for part in message.walk():
    assert not part.defects, (part.get_content_type(), part.defects)
text, status, original = message.get_payload()
print(text.get_content_type(), status.get_content_type(), original.get_content_type())
print(ascii(text.get_content()))
for group in status.get_payload():
    print(ascii([(name, " ".join(value.split())) for name, value in group.items()]))
print(ascii(original.get_payload()[0].as_string()))
"#;

#[test]
fn another_reader_finds_the_same_three_parts() {
    let Ok(mut python) =
        Command::new("python3").arg("-c").arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        return;
    };
    let address = |text: &str| Address::parse(text, true).unwrap();
    let (from, to, gone) = (address("postmaster@s.example"), address("a@s.example"), address("b@t.example"));
    let umlaut = address("j\u{f6}rg@t.example");
    let host = Domain::parse("mx.s.example").unwrap();
    let said = format!("550 5.1.1 {} no\r\nX-Evil: 1\r\n\r\n--=_q1_00000000--\r\n\u{e4}", "long ".repeat(40));
    let recipient = Recipient {
        address: &gone,
        original: Some(("rfc822", "b+x@t.example")),
        action: Action::Failed,
        status: EnhancedStatus::parse("5.1.1").unwrap(),
        remote_mta: Some("mx.t.example"),
        diagnostic: Some(Diagnostic::Smtp(&said)),
        last_attempt: Some(Timestamp(0)),
        will_retry_until: None,
    };
    let recipients = [recipient, Recipient { address: &umlaut, diagnostic: None, original: None, ..recipient }];
    let made = Report {
        reporting_mta: &host,
        from: &from,
        to: &to,
        id: "q1",
        date: Timestamp(0),
        arrival: Timestamp(0),
        envelope_id: Some("QQ=1"),
        smtputf8: false,
        recipients: &recipients,
        text: "Nicht zugestellt: \u{fc}\nend",
        original: b"From: a@s.example\r\nSubject: x\r\n\r\n--=_q1_00000001\r\nbody\r\n",
        returned: Returned::Whole,
    }
    .build()
    .unwrap();
    python.stdin.take().unwrap().write_all(&made.bytes).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 says why on its error output");
    let epoch = "Thu, 1 Jan 1970 00:00:00 +0000";
    let long = "long ".repeat(40);
    let diagnostic = format!(r"smtp; 550 5.1.1 {long}no X-Evil: 1 --=_q1_00000000-- \\x{{E4}}");
    let expected = format!(
        r"text/plain message/delivery-status message/rfc822
'Nicht zugestellt: \xfc\r\nend\r\n'
[('Original-Envelope-Id', 'QQ=1'), ('Reporting-MTA', 'dns; mx.s.example'), ('Arrival-Date', '{epoch}')]
[('Original-Recipient', 'rfc822; b+x@t.example'), ('Final-Recipient', 'rfc822; b@t.example'), ('Action', 'failed'), ('Status', '5.1.1'), ('Remote-MTA', 'dns; mx.t.example'), ('Diagnostic-Code', '{diagnostic}'), ('Last-Attempt-Date', '{epoch}')]
[('Final-Recipient', 'utf-8; j\\x{{F6}}rg@t.example'), ('Action', 'failed'), ('Status', '5.1.1'), ('Remote-MTA', 'dns; mx.t.example'), ('Last-Attempt-Date', '{epoch}')]
'From: a@s.example\nSubject: x\n\n--=_q1_00000001\nbody\n'
"
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
