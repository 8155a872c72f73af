//! Spooled messages: what is read is written and read again.

use mailward_smtp::client::parcel;

/// One input.
///
/// # Panics
/// On a finding.
pub fn run(data: &[u8]) {
    let marked = [b"mailward parcel 1\n", data].concat();
    for bytes in [data, &marked] {
        let Ok(found) = parcel::parse(bytes) else { continue };
        assert!(!found.transaction.recipients.is_empty());
        let written = parcel::write(&found.transaction, found.message);
        let again = parcel::parse(&written).expect("what was written is read");
        assert_eq!(again.message, found.message);
        assert_eq!(again.transaction.recipients.len(), found.transaction.recipients.len());
        assert_eq!(parcel::write(&again.transaction, again.message), written);
    }
}
