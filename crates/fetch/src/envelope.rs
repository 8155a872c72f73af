//! What a message's header tells of its envelope: fields that the provider put before it when it was delivered there.

use mailward_core::Address;
use mailward_core::limits::{FETCH_ADDRESSES_MAX, FETCH_ENVELOPE_FIELDS_MAX};
use mailward_message::header::{fields, header_end, unfold};

/// Fields that name the envelope's recipients, in the order in which they are believed.
pub const FIELDS: [&str; 4] = ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"];

/// Recipients as the envelope fields name them, a list for each field: those of `first` before the usual ones, of one name
/// from the top, where the last server wrote. What is no address is left out.
#[must_use]
pub fn recipients(message: &[u8], first: Option<&str>) -> Vec<Vec<Address>> {
    let header = message.get(..header_end(message)).unwrap_or_default();
    let mut found = Vec::new();
    for name in first.into_iter().chain(FIELDS) {
        for field in fields(header).filter(|field| field.is(name)) {
            if found.len() >= FETCH_ENVELOPE_FIELDS_MAX {
                return found;
            }
            found.push(addresses(&unfold(field.value)));
        }
    }
    found
}

/// The reverse path, as the provider noted it: the first `Return-Path` (RFC 5321 §4.4). `None` is the null path, and
/// also what there is if none was noted.
#[must_use]
pub fn sender(message: &[u8]) -> Option<Address> {
    let header = message.get(..header_end(message)).unwrap_or_default();
    let value = mailward_message::header::first(header, "return-path")?;
    addresses(&unfold(value)).into_iter().next()
}

/// Whether the trace has a field that this server wrote when it fetched for this account: then the message came back.
#[must_use]
pub fn came_back(message: &[u8], mark: &str) -> bool {
    let header = message.get(..header_end(message)).unwrap_or_default();
    fields(header)
        .filter(|field| field.is("received"))
        .any(|field| memchr::memmem::find(&unfold(field.value), mark.as_bytes()).is_some())
}

/// Addresses between commas, in angle brackets or bare. These fields are written by mail servers: they hold addresses and
/// no names of people.
fn addresses(value: &[u8]) -> Vec<Address> {
    let Ok(text) = std::str::from_utf8(value) else { return Vec::new() };
    let each = text.split(',').take(FETCH_ADDRESSES_MAX).filter_map(|one| {
        let one = one.trim();
        let bare = one.strip_prefix('<').and_then(|one| one.strip_suffix('>')).unwrap_or(one);
        Address::parse(bare, true).ok()
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(header: &str, first: Option<&str>) -> Vec<Vec<String>> {
        let all = recipients(format!("{header}\r\n\r\nDelivered-To: body@example.org\r\n").as_bytes(), first);
        all.into_iter().map(|field| field.iter().map(Address::to_string).collect()).collect()
    }

    #[test]
    fn envelope_fields_are_believed_in_order_and_to_never() {
        let header = "To: boss@example.org\r\nX-Original-To: one@example.org\r\nDelivered-To: <two@example.org>\r\n\
                      Cc: cc@example.org\r\nDelivered-To: three@example.org";
        assert_eq!(named(header, None), [["two@example.org"], ["three@example.org"], ["one@example.org"]]);
        assert!(named("To: boss@example.org\r\nApparently-To: boss@example.org", None).is_empty());
    }

    #[test]
    fn a_field_of_ones_own_comes_first_and_may_name_several() {
        let header = "Delivered-To: a@example.org\r\nX-Rcpt: <b@example.org>,\r\n c@example.org, nobody, <d@e";
        assert_eq!(named(header, Some("x-rcpt")), [vec!["b@example.org", "c@example.org"], vec!["a@example.org"]]);
    }

    #[test]
    fn fields_and_addresses_end_at_their_limits() {
        let header = vec!["Delivered-To: a@example.org"; FETCH_ENVELOPE_FIELDS_MAX + 1].join("\r\n");
        assert_eq!(named(&header, None).len(), FETCH_ENVELOPE_FIELDS_MAX);
        let field = format!("Envelope-To: {}", vec!["a@example.org"; FETCH_ADDRESSES_MAX + 1].join(", "));
        assert_eq!(named(&field, None)[0].len(), FETCH_ADDRESSES_MAX);
    }

    #[test]
    fn the_sender_is_whom_the_provider_noted() {
        let sender = |text: &str| sender(text.as_bytes()).map(|address| address.to_string());
        assert_eq!(sender("Return-Path: <a@b.example>\r\n\r\n").as_deref(), Some("a@b.example"));
        assert_eq!(sender("Return-Path: <>\r\n\r\n"), None);
        assert_eq!(sender("From: a@b.example\r\n\r\n"), None);
        assert_eq!(sender("Return-Path: <a\r\n@b.example>\r\n\r\n"), None);
    }

    #[test]
    fn what_this_server_fetched_before_is_known_again() {
        let mark = "by mx.example.org (Mailward) for the account joe";
        let message = "Received: from a.example ([192.0.2.1])\r\n\tby x\r\nReceived: from pop.example ([192.0.2.2])\r\n \
                       by mx.example.org (Mailward) for the account joe;\r\n\tnow\r\n\r\n";
        assert!(came_back(message.as_bytes(), mark));
        assert!(!came_back(b"Subject: by mx.example.org (Mailward) for the account joe\r\n\r\n", mark));
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (recipients(&message, Some("X")), sender(&message), came_back(&message, "x"));
        }
    }
}
