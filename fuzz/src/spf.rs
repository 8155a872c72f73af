//! SPF: any bytes as a record, and what its macros make of any client.

use mailward_core::Timestamp;
use mailward_core::limits::{DOMAIN_MAX, SPF_EXPLANATION_MAX, SPF_TERMS_MAX};
use mailward_inspect::spf::{Hosts, MacroString, Mechanism, Place, Record, Values, select};
use std::net::IpAddr;

pub fn run(data: &[u8]) {
    // The record, what the client greets with, its sender's local part.
    let mut parts = data.split(|byte| *byte == b'\n');
    let text = parts.next().unwrap_or_default().to_vec();
    let hello = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let local = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let ips: [IpAddr; 2] =
        [[192, 0, 2, 3].into(), [0xca, 0xfe, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd].into()];
    let values = ips.map(|ip| Values {
        local: &local,
        sender_domain: "email.example.com",
        domain: "example.org",
        ip,
        name: None,
        hello: &hello,
        receiver: "us.example",
        now: Timestamp(0),
    });
    if let Ok(text) = std::str::from_utf8(&text)
        && let Ok(explanation) = MacroString::parse(text, Place::Explanation)
    {
        for said in values.iter().filter_map(|values| explanation.text(values)) {
            assert!(said.len() <= SPF_EXPLANATION_MAX && said.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
    let texts = [text];
    let Ok(Some(terms)) = select(&texts) else { return };
    assert!(texts[0][..6].eq_ignore_ascii_case(b"v=spf1"));
    let Ok(record) = Record::parse(terms) else { return };
    assert!(record.directives.len() <= SPF_TERMS_MAX);
    assert!(terms.iter().all(|byte| (b' '..=b'~').contains(byte)), "nothing else is in the grammar");
    let specs = record.directives.iter().filter_map(|one| spec(&one.mechanism));
    for spec in specs.chain(&record.redirect).chain(&record.explanation) {
        for name in values.iter().filter_map(|values| spec.name(values)) {
            assert!(name.as_str().len() <= DOMAIN_MAX);
        }
    }
    let mut again: Vec<String> = record.directives.iter().map(|one| one.text.clone()).collect();
    again.extend(record.redirect.iter().map(|spec| format!("redirect={spec}")));
    again.extend(record.explanation.iter().map(|spec| format!("exp={spec}")));
    assert_eq!(Record::parse(again.join(" ").as_bytes()), Ok(record), "written again, it is the same");
}

fn spec(mechanism: &Mechanism) -> Option<&MacroString> {
    match mechanism {
        Mechanism::Include(spec) | Mechanism::Exists(spec) => Some(spec),
        Mechanism::A(Hosts { name, .. }) | Mechanism::Mx(Hosts { name, .. }) | Mechanism::Ptr(name) => name.as_ref(),
        Mechanism::All | Mechanism::Ip4(..) | Mechanism::Ip6(..) => None,
    }
}
