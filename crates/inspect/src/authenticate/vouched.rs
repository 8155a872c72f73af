//! Whose word of an author counts, though the message doesn't prove it any more: mailing lists and forwarders that change
//! messages, and seal what they found out before (RFC 8617 §7.2.1).

use super::results::Arc;
use mailward_core::Domain;
use mailward_message::dkim::ChainStatus;
use mailward_message::results::{Method, parse_arc};

/// Who vouches for an author's domain: a trusted sealer of a chain that holds, behind nobody but trusted ones, who says that
/// the message proved the author when it came there. Correspondents and anybody else may not (attacks D11).
pub(super) fn by<'a>(arc: &'a Arc, author: &Domain, trusted: &[Domain]) -> Option<&'a Domain> {
    if arc.status != ChainStatus::Pass {
        return None;
    }
    let believed = arc.told.iter().take_while(|told| trusted.contains(&told.sealer));
    believed
        .filter(|told| parse_arc(&told.results).is_ok_and(|stated| proves(&stated.methods, author)))
        .map(|told| &told.sealer)
        .next()
}

/// DMARC's word if there is one; else SPF or DKIM of the very domain.
fn proves(methods: &[Method], author: &Domain) -> bool {
    let mut dmarc = methods.iter().filter(|method| method.name == "dmarc").peekable();
    if dmarc.peek().is_some() {
        return dmarc.all(|method| method.result == "pass" && is(method, "header.from", author));
    }
    methods.iter().filter(|method| method.result == "pass").any(|method| match method.name.as_str() {
        "dkim" => {
            is(method, "header.d", author) || method.property("header.d").is_none() && is(method, "header.i", author)
        }
        "spf" => is(method, "smtp.mailfrom", author),
        _ => false,
    })
}

fn is(method: &Method, property: &str, author: &Domain) -> bool {
    method.domain(property).is_some_and(|domain| domain == *author)
}
