//! What an IMAP server elsewhere answers.

use mailward_fetch::imap::answer::{Answer, answer, can, literal};

pub fn run(data: &[u8]) {
    let first = data.split(|b| *b == b'\r').next().unwrap_or_default();
    if literal(first, first).is_some() {
        assert!(first.starts_with(b"* ") && first.ends_with(b"}"));
    }
    match answer(data) {
        Some(Answer::Fetch(found)) => {
            if let Some(body) = found.body {
                assert!(body.len() < data.len(), "a message is a part of the answer");
            }
        }
        Some(Answer::Status { tag, .. }) => assert_ne!(tag, Some(&b"*"[..])),
        Some(Answer::Capability(list)) => {
            let _can = can(list, "UIDPLUS");
        }
        _ => {}
    }
    // Most bytes are no FETCH: so that more is looked at, here is one.
    let _fetch = answer(&[b"* 1 FETCH (", data, b")"].concat());
}
