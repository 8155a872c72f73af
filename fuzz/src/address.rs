//! Addresses, domains, paths, xtext and the address lists of header fields.

use mailward_core::limits::{DOMAIN_MAX, ENVELOPE_ADDRESSES_MAX, LOCAL_PART_MAX, PATH_MAX};
use mailward_core::{Address, Domain, Host, LocalPart};
use mailward_message::address_list;
use mailward_smtp::{path, xtext};

pub fn run(data: &[u8]) {
    let listed = address_list::parse(data);
    // Group marks count apart: a start and an end each.
    assert!(listed.len() <= 3 * ENVELOPE_ADDRESSES_MAX, "{} addresses", listed.len());
    let Ok(text) = std::str::from_utf8(data) else { return };
    for utf8 in [false, true] {
        if let Ok(address) = Address::parse(text, utf8) {
            check_address(&address, utf8);
            if !utf8 {
                assert_eq!(Address::parse(text, true).as_ref(), Ok(&address), "SMTPUTF8 reads it otherwise");
            }
        }
        if let Ok(local) = LocalPart::parse(text, utf8) {
            assert!(!local.as_str().is_empty() && local.as_str().len() <= LOCAL_PART_MAX);
            assert!(!local.as_str().chars().any(char::is_control), "{local:?}");
            assert_eq!(LocalPart::parse(&local.to_string(), utf8), Ok(local));
        }
        if let Ok(host) = Host::parse(text, utf8) {
            assert_eq!(Host::parse(&host.to_string(), utf8), Ok(host));
        }
        if let Ok(found) = path::forward(text, utf8) {
            assert_eq!(path::forward(&found.to_string(), utf8), Ok(found));
        }
        if let Ok(found) = path::reverse(text, utf8) {
            assert_eq!(path::reverse(&found.to_string(), utf8), Ok(found));
        }
    }
    if let Ok(domain) = Domain::parse_utf8(text) {
        let name = domain.as_str();
        assert!(!name.is_empty() && name.len() <= DOMAIN_MAX, "{name}");
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.')),
            "{name}"
        );
        assert_eq!(Domain::parse(name).as_ref(), Ok(&domain), "canonical once, canonical ever");
    }
    if let Some((inner, rest)) = path::bracketed(text) {
        assert_eq!(inner.len() + rest.len() + 2, text.len());
    }
    if let Some(decoded) = xtext::decode(text) {
        assert_eq!(xtext::decode(&xtext::encode(&decoded)), Some(decoded));
    }
}

fn check_address(address: &Address, utf8: bool) {
    let written = address.to_string();
    assert!(written.len() <= PATH_MAX);
    assert!(!written.chars().any(char::is_control), "{written:?}");
    assert_eq!(Address::parse(&written, utf8).as_ref(), Ok(address), "what we write we read the same: {written}");
    let in_path =
        path::bracketed(&format!("<{written}> SIZE=1")).map(|(inner, rest)| (inner.to_owned(), rest.to_owned()));
    assert_eq!(in_path, Some((written, " SIZE=1".to_owned())), "an address ends where its path ends");
}
