//! Mailbox names as the house knows them and as modified UTF-7 writes them.

use mailward_core::MailboxName;
use mailward_core::limits::{MAILBOX_LEVELS_MAX, MAILBOX_NAME_MAX};
use mailward_imap::mutf7;

pub fn run(data: &[u8]) {
    if let Ok(decoded) = mutf7::decode(data) {
        assert_eq!(mutf7::encode(&decoded).as_bytes(), data, "one wire form for each name");
        check(&decoded);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let wire = mutf7::encode(text);
        assert!(wire.bytes().all(|b| (b' '..=b'~').contains(&b)), "{wire:?}");
        assert_eq!(mutf7::decode(wire.as_bytes()).as_deref(), Ok(text));
        check(text);
    }
}

fn check(text: &str) {
    let Ok(name) = MailboxName::parse(text) else { return };
    let canonical = name.as_str();
    assert!(canonical.len() <= MAILBOX_NAME_MAX && canonical.split('/').count() <= MAILBOX_LEVELS_MAX);
    assert!(!canonical.chars().any(char::is_control));
    assert_eq!(MailboxName::parse(canonical).as_ref(), Ok(&name));
    if let Some(parent) = name.parent() {
        assert!(name.is_under(&parent) && !parent.is_under(&name));
        assert_eq!(MailboxName::parse(parent.as_str()).as_ref(), Ok(&parent));
    }
}
