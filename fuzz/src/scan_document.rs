//! What documents hold: the first byte says as which kind the rest is looked at, or that it is looked at as what it is.

use super::steered;
use mailward_core::limits::{DOCUMENT_INNER_MAX, SCAN_NAME_MAX, SCAN_NAMES_MAX, SCAN_TEXT_MAX};
use mailward_scan::document::{Room, look};
use mailward_scan::kind::{self, Kind};

pub fn run(data: &[u8]) {
    let Some((first, rest)) = steered(data) else { return };
    let kind = Kind::ALL.get(usize::from(first)).copied().unwrap_or_else(|| kind::of(rest));
    let bytes = 1 << 20;
    let mut room = Room { bytes, items: 100, short: false };
    let looked = look(kind, rest, &mut room);
    let given: usize = looked.inner.iter().map(|inner| inner.bytes.len()).sum();
    assert!(given as u64 <= bytes - room.bytes, "what is given was taken from the room");
    assert!(looked.inner.len() <= DOCUMENT_INNER_MAX.min(100) && looked.text.len() <= SCAN_TEXT_MAX);
    for inner in &looked.inner {
        assert!(!inner.bytes.is_empty() && inner.names.len() <= SCAN_NAMES_MAX);
        assert!(inner.names.iter().all(|name| !name.is_empty() && name.len() <= SCAN_NAME_MAX));
    }
    for (at, found) in looked.traits.iter().enumerate() {
        assert!(!looked.traits[..at].contains(found), "each once");
    }
    assert_eq!(
        look(kind, rest, &mut Room { bytes, items: 100, short: false }),
        looked,
        "the same bytes, the same answer"
    );
}
