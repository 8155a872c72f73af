//! What was found out of a message when it came: it stands in its header, in our name.

use mailward_core::Domain;
use mailward_message::dkim::ChainStatus;
use mailward_message::header::{fields, header_end};
use mailward_message::results::{foreign, parse};

/// What our own `Authentication-Results` field says, behind its colon; none if there is none, or it says otherwise of the
/// chain than what the seal will. `start` is the stored message from its first byte on, with all of its header.
///
/// It stands before the `Received` fields of others, behind at most one of ours; what others wrote in our name was cut when
/// the message came.
pub(super) fn told(start: &[u8], hostname: &Domain, chain: ChainStatus) -> Option<String> {
    let header = start.get(..header_end(start))?;
    let mut hops = 0_usize;
    for field in fields(header) {
        if field.is("received") {
            hops = hops.saturating_add(1);
        }
        if hops > 1 {
            return None;
        }
        if !field.is("authentication-results") {
            continue;
        }
        let whole = header.get(field.whole.clone())?;
        if foreign(whole, hostname).is_empty() {
            return None;
        }
        let stated = parse(field.value).ok()?;
        let arc = stated.methods.iter().find(|method| method.name == "arc")?;
        let text = std::str::from_utf8(field.value).ok()?.trim();
        return (arc.result == chain.name()).then(|| text.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_said_when_it_came_is_found_and_nothing_that_others_said() {
        let ours = Domain::parse("mx.b.example").unwrap();
        let said = |message: &str, chain| told(message.as_bytes(), &ours, chain);
        let own = "Authentication-Results: mx.b.example;\r\n\tspf=pass smtp.mailfrom=a.example;\r\n\tarc=none\r\n";
        let text = own.strip_prefix("Authentication-Results: ").map(|text| text.trim().to_owned());
        assert!(text.is_some());
        for before in ["", "Received: by mx.b.example; now\r\n", "Return-Path: <a@a.example>\r\n"] {
            assert_eq!(said(&format!("{before}{own}From: a@a.example\r\n\r\n"), ChainStatus::None), text);
        }
        assert_eq!(said(&format!("{own}\r\n"), ChainStatus::Pass), None);
        for message in [
            "From: a@a.example\r\n\r\n".to_owned(),
            format!("Received: a\r\nReceived: b\r\n{own}\r\n"),
            format!("{}\r\n", own.replace("mx.b", "mx.c")),
            format!("{}\r\n", own.replace("arc=none", "dkim=none")),
            format!("From: a@a.example\r\n\r\n{own}"),
        ] {
            assert_eq!(said(&message, ChainStatus::None), None, "{message}");
        }
    }
}
