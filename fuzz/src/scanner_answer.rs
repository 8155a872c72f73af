//! What a scanner's worker says: whoever wrote the message may speak in its place.

use mailward_core::limits::{SCAN_ITEMS_MAX, SCAN_SHOWN_FILES_MAX};
use mailward_scan::worker::{read_answer, read_hello};

pub fn run(data: &[u8]) {
    let _hello = read_hello(data);
    let Some(answer) = read_answer(data) else { return };
    assert!(answer.contents.items.len() <= SCAN_ITEMS_MAX);
    assert!(answer.shown.len() <= SCAN_SHOWN_FILES_MAX);
    for (at, item) in answer.contents.items.iter().enumerate() {
        assert!(item.parent.is_none_or(|parent| (parent as usize) < at), "what holds comes before what it holds");
    }
}
