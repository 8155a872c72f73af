//! Addresses as programs write them: whoever is read is read again.

use mailward_message::submission::{recipients, with_author, written};

/// One input.
///
/// # Panics
/// On a finding.
pub fn run(data: &[u8]) {
    for all in [written(data), recipients(data)].into_iter().flatten() {
        for address in all {
            assert_eq!(written(address.to_string().as_bytes()), Ok(vec![address.clone()]));
            // An author is added once.
            if let Ok(message) = with_author(data.to_vec(), "A \"name\"", &address) {
                assert_eq!(with_author(message.clone(), "Another", &address), Ok(message));
            }
        }
    }
}
