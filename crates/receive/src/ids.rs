//! Names of messages: in the trace, the reply and the log.

use mailward_core::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives names that are unique for this host as long as its clock doesn't go back over a restart: a counter that
/// starts at the time in 1/65,536 of a millisecond.
#[derive(Debug)]
pub struct MessageIds(AtomicU64);

impl From<Timestamp> for MessageIds {
    fn from(start: Timestamp) -> Self {
        Self(AtomicU64::new(u64::try_from(start.0).unwrap_or(0) << 16))
    }
}

impl MessageIds {
    /// The next name: digits and small letters, about 13.
    #[must_use]
    pub fn next(&self) -> String {
        const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut number = self.0.fetch_add(1, Ordering::Relaxed);
        let mut name = String::with_capacity(13);
        while number > 0 {
            let letter = usize::try_from(number & 31).ok().and_then(|index| LETTERS.get(index));
            name.insert(0, char::from(letter.copied().unwrap_or(b'0')));
            number >>= 5;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_rise_with_time() {
        let ids = MessageIds::from(Timestamp(1_700_000_000_000));
        let (one, two) = (ids.next(), ids.next());
        assert!(one < two, "{one} {two}");
        assert!(two < MessageIds::from(Timestamp(1_700_000_000_001)).next());
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}
