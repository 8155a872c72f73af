//! DNS: an answer, whatever its records are proven to be, and names that are asked for.

use mailward_core::limits::{DNS_ALIASES_MAX, DOMAIN_MAX};
use mailward_dns::{Issuer, Name, look};

/// Questions that `look` asks of one message: eight kinds, four ways each; and who may certify is counted once more.
const READINGS: usize = 36;

pub fn run(data: &[u8]) {
    // A record has eleven bytes at least.
    assert!(look(data) <= READINGS * (DNS_ALIASES_MAX + data.len() / 11 + 1));
    if let Some(name) = Issuer::read(data).name {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(name) = Name::parse(text)
    {
        assert!(name.as_str().len() <= DOMAIN_MAX && !name.as_str().contains(['\r', '\n', '\0', ' ']));
        assert_eq!(Name::parse(name.as_str()), Ok(name.clone()), "one form");
        if let Some(domain) = name.domain() {
            assert_eq!(Name::from(&domain), name);
        }
    }
}
