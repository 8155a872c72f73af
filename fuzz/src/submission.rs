//! What users submit: mended, and asked who it is from.

use mailward_core::limits::{HEADER_BYTES_MAX, SUBMISSION_CLAIMS_MAX};
use mailward_core::{Address, Domain, Timestamp};
use mailward_message::submission::{ClaimField, ClaimPlace, Facts, claims, mend};
use mailward_message::{Structure, header};

pub fn run(data: &[u8]) {
    let domain = Domain::parse("s.example").expect("a domain");
    let author = Address::parse("a@s.example", false).expect("an address");
    let facts = Facts { date: Timestamp(0), id: "q1", hostname: &domain, domain: Some(&domain), author: Some(&author) };
    judged(data);
    let Ok(mended) = mend(data.to_vec(), 0, &facts) else { return };
    assert!(mended.len() >= data.len() - header::header_end(data));
    if !judged(&mended) {
        // It is refused, whatever became of it.
        return;
    }
    let end = header::header_end(&mended);
    assert!(end <= HEADER_BYTES_MAX);
    let has = |name: &str| header::fields(&mended[..end]).any(|f| f.is(name));
    assert!(has("date") && has("message-id") && has("from") && !has("bcc") && !has("resent-bcc"));
    let body = &data[header::header_end(data)..];
    assert!(mended.ends_with(body), "the body stays as it is");
    assert_eq!(mend(mended.clone(), 0, &facts).as_ref(), Ok(&mended), "once is enough");
}

/// Whether it passes: who passes is who is shown.
fn judged(message: &[u8]) -> bool {
    let Ok(found) = claims(message) else { return false };
    assert!(!found.is_empty() && found.len() <= SUBMISSION_CLAIMS_MAX);
    let structure = Structure::parse(message);
    let envelope = structure.envelope();
    for (field, shown) in [(ClaimField::From, &envelope.from), (ClaimField::Sender, &envelope.sender)] {
        let claimed: Vec<&str> = found
            .iter()
            .filter(|c| c.field == field && c.place == ClaimPlace::Address)
            .map(|c| c.address.local().as_str())
            .collect();
        for address in shown {
            let mailbox = address.mailbox.as_deref().expect("no end of a group");
            assert!(address.host.is_some(), "no start of a group");
            assert!(claimed.contains(&mailbox), "{mailbox:?} is shown, {claimed:?} are claimed");
        }
    }
    true
}
