//! A message, or any file as its only part, opened: an answer within the budget, the same every time.

use mailward_scan::{Budget, Contents, open};
use std::time::Duration;

const ITEMS: usize = 100;
const BYTES: u64 = 4 << 20;

pub fn run(data: &[u8]) {
    let Some((steer, data)) = super::steered(data) else { return };
    let head: &[u8] = match steer % 3 {
        0 => b"",
        1 => b"Content-Transfer-Encoding: binary\n\n",
        _ => b"Content-Type: application/octet-stream; name=a.eml\nContent-Transfer-Encoding: binary\n\n",
    };
    let message = [head, data].concat();
    let contents = look(&message);
    assert_eq!(contents, look(&message));
    assert!(contents.items.len() <= ITEMS);
    let mut unwrapped = 0;
    for (at, item) in contents.items.iter().enumerate() {
        assert!(item.parent.is_none_or(|parent| (parent as usize) < at), "what holds comes first");
        if item.hash != [0; 32] {
            unwrapped += item.size;
        }
        let mut traits = item.traits.clone();
        traits.sort();
        traits.dedup();
        assert_eq!(traits.len(), item.traits.len(), "each once");
    }
    assert!(unwrapped <= BYTES, "{unwrapped}");
}

fn look(message: &[u8]) -> Contents {
    let none = || Duration::ZERO;
    open(message, Budget { items: ITEMS, bytes: BYTES, ..Budget::within_limits(&none) })
}
