//! Delivery status notifications with everything in them from outside.

use mailward_core::{Address, Domain, EnhancedStatus, Timestamp};
use mailward_message::report::{Action, Diagnostic, Recipient, Report, Returned};
use mailward_message::{Structure, accept, header};

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    let said = String::from_utf8_lossy(rest);
    let host = Domain::parse("mx.s.example").expect("a domain");
    let postmaster = Address::parse("postmaster@s.example", false).expect("an address");
    let alice = Address::parse("a@s.example", false).expect("an address");
    let gone = Address::parse(&said, true).unwrap_or_else(|_| alice.clone());
    let recipient = Recipient {
        address: &gone,
        original: Some((&said, &said)),
        action: if steer & 1 == 0 { Action::Failed } else { Action::Delayed },
        status: EnhancedStatus::of_code(550),
        remote_mta: Some(&said),
        diagnostic: Some(Diagnostic::Smtp(&said)),
        last_attempt: Some(Timestamp(0)),
        will_retry_until: Some(Timestamp(0)),
    };
    let report = Report {
        reporting_mta: &host,
        from: &postmaster,
        to: if steer & 2 == 0 { &alice } else { &gone },
        id: "abc",
        date: Timestamp(0),
        arrival: Timestamp(0),
        envelope_id: Some(&said),
        smtputf8: steer & 4 != 0,
        recipients: &[recipient, recipient],
        text: &said,
        original: rest,
        returned: if steer & 8 == 0 { Returned::Whole } else { Returned::Header },
    };
    let made = report.build().expect("nothing from outside makes it fail");
    for line in made.bytes.split_inclusive(|b| *b == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.iter().filter(|b| **b == b'\r').count() == 1, "CRLF and nothing else");
    }
    assert!(!made.bytes.contains(&0));
    assert_eq!(made.eight_bit, !made.bytes.is_ascii());
    let facts = accept::check(&made.bytes).expect("within the limits");
    assert!((facts.from, facts.date, facts.message_id) == (1, 1, 1));
    assert!(!facts.eight_bit_header || made.smtputf8);
    let structure = Structure::parse(&made.bytes);
    let parts: Vec<_> = structure.children(structure.root()).collect();
    assert_eq!(parts.len(), 3);
    let at = |n: u64| usize::try_from(n).expect("an offset");
    let mut status = &made.bytes[at(parts[1].body.start)..at(parts[1].body.end)];
    let mut groups = 0;
    while !status.is_empty() {
        let end = header::header_end(status);
        assert!(header::fields(&status[..end]).all(|f| KNOWN.iter().any(|known| f.is(known))), "a field of theirs");
        status = &status[end..];
        groups += 1;
    }
    assert_eq!(groups, 3);
}

const KNOWN: [&str; 11] = [
    "Original-Envelope-Id",
    "Reporting-MTA",
    "Arrival-Date",
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "Will-Retry-Until",
];
