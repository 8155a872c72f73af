//! Reading one answer: from a DNS message whose records DNSSEC has judged, to what it says about one name. Pure; what it
//! is given may be a lie in every part.

use crate::denial::{self, Verdict};
use crate::lookup::{Kind, TlsaRecord};
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use mailward_core::limits::DNS_ALIASES_MAX;
use std::net::IpAddr;

/// One record's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Datum {
    Mx(u16, String),
    Address(IpAddr),
    Tlsa(TlsaRecord),
    Txt(Vec<u8>),
    Ptr(String),
}

/// What a message says about the name that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Aliases that were followed inside the message.
    pub(crate) links: Vec<Link>,
    pub(crate) end: End,
}

/// One alias.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) target: Name,
    pub(crate) secure: bool,
    pub(crate) ttl: u32,
}

/// What stands at the end of the aliases.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Records {
        data: Vec<Datum>,
        secure: bool,
        /// Seconds.
        ttl: u32,
    },
    /// The last alias leads to a name about which the message says nothing that counts: to be asked for.
    Elsewhere,
    NoName {
        secure: bool,
        ttl: Option<u32>,
    },
    NoRecords {
        secure: bool,
        ttl: Option<u32>,
    },
    Bogus(String),
    /// An answer that makes no sense.
    Nonsense(String),
}

/// The record type of a kind.
pub(crate) const fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Mx => RecordType::MX,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Tlsa => RecordType::TLSA,
        Kind::Txt => RecordType::TXT,
        Kind::Ptr => RecordType::PTR,
    }
}

/// Reads a message that answers the question for `kind` at `name`. `judged`: DNSSEC validation has looked at it, so that
/// what isn't proven has to be proven to need no proof; and what it thought of what the message denies. `None`: it hasn't.
pub(crate) fn read(message: &Message, name: &Name, kind: Kind, judged: Option<Verdict>) -> Reading {
    let mut links: Vec<Link> = Vec::new();
    let mut at = name.clone();
    let end = loop {
        match step(message, &at, kind, judged.is_some()) {
            Step::End(end) => break end,
            Step::Nothing if links.is_empty() => break none(message, name, judged),
            // A denial for the alias's target is told best by an answer of its own: it has its own proof.
            Step::Nothing => break End::Elsewhere,
            Step::Alias(link) => {
                if link.target == *name || links.iter().any(|earlier| earlier.target == link.target) {
                    break End::Nonsense(format!("its aliases (CNAME) go in a circle at {}", link.target));
                }
                if links.len() >= DNS_ALIASES_MAX {
                    break End::Nonsense(format!("more than {DNS_ALIASES_MAX} aliases (CNAME) in a row"));
                }
                at = link.target.clone();
                links.push(link);
            }
        }
    };
    Reading { links, end }
}

enum Step {
    End(End),
    Alias(Link),
    Nothing,
}

/// What the message has at one name.
fn step(message: &Message, at: &Name, kind: Kind, judged: bool) -> Step {
    let wanted = record_type(kind);
    let here = || message.answers.iter().filter(|record| record.name == *at);
    let records: Vec<&Record> = here().filter(|record| record.record_type() == wanted).collect();
    let alias: Vec<&Record> = here().filter(|record| record.record_type() == RecordType::CNAME).collect();
    let set = if records.is_empty() { &alias } else { &records };
    let Some(first) = set.first() else { return Step::Nothing };
    let secure = match proof(set, judged) {
        Ok(true) => denial::own_or_wildcard(message, at, first.record_type()),
        other => other,
    };
    let secure = match secure {
        Ok(secure) => secure,
        Err(why) => return Step::End(End::Bogus(why)),
    };
    let ttl = set.iter().map(|record| record.ttl).min().unwrap_or(0);
    if records.is_empty() {
        return match alias.as_slice() {
            [one] => match &one.data {
                RData::CNAME(target) => Step::Alias(Link { target: target.0.to_lowercase(), secure, ttl }),
                _ => Step::Nothing,
            },
            // RFC 2181 §10.1: one name, one alias.
            _ => Step::End(End::Nonsense(format!("{at} is an alias (CNAME) of several names"))),
        };
    }
    Step::End(End::Records { data: records.iter().filter_map(|record| datum(&record.data)).collect(), secure, ttl })
}

/// Whether a set of records is proven; an error, if it ought to be and isn't.
fn proof(set: &[&Record], judged: bool) -> Result<bool, String> {
    if !judged {
        return Ok(false);
    }
    let mut secure = true;
    for record in set {
        match record.proof {
            Proof::Secure => {}
            Proof::Insecure => secure = false,
            Proof::Bogus | Proof::Indeterminate => {
                let what = record.record_type();
                return Err(format!("the {what} records of {} have no signature that holds", record.name));
            }
        }
    }
    Ok(secure)
}

/// What a message without records and aliases for the name says.
fn none(message: &Message, name: &Name, judged: Option<Verdict>) -> End {
    let ttl = denial::negative_ttl(message, name);
    let secure = match judged.map(|verdict| denial::denied(message, name, verdict)) {
        None => false,
        Some(Ok(secure)) => secure,
        Some(Err(why)) => return End::Bogus(why),
    };
    match message.metadata.response_code {
        ResponseCode::NXDomain => End::NoName { secure, ttl },
        ResponseCode::NoError => End::NoRecords { secure, ttl },
        code => End::Nonsense(format!("the resolver answered {code}")),
    }
}

fn datum(data: &RData) -> Option<Datum> {
    Some(match data {
        RData::MX(mx) => Datum::Mx(mx.preference, mx.exchange.to_lowercase().to_ascii()),
        RData::A(a) => Datum::Address(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Datum::Address(IpAddr::V6(aaaa.0)),
        RData::TLSA(tlsa) => Datum::Tlsa(TlsaRecord {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        }),
        RData::TXT(txt) => Datum::Txt(txt.txt_data.concat()),
        RData::PTR(ptr) => Datum::Ptr(ptr.0.to_lowercase().to_ascii()),
        _ => return None,
    })
}
