//! Reading one answer: from a DNS message whose records DNSSEC has judged, to what it says about one name. Pure; what it
//! is given may be a lie in every part.

use crate::denial::{self, Verdict};
use crate::lookup::{CaaRecord, Kind, Srv, TlsaRecord};
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
    Srv(Srv),
    Caa(CaaRecord),
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
        Kind::Srv => RecordType::SRV,
        Kind::Caa => RecordType::CAA,
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

/// Reads bytes that claim to be an answer, as if every record in them had been judged by its place: the entry for
/// fuzzing. Returns how many records and aliases were used.
#[must_use]
pub fn look(bytes: &[u8]) -> usize {
    let Ok(mut message) = Message::from_vec(bytes) else { return 0 };
    const PROOFS: [Proof; 4] = [Proof::Secure, Proof::Insecure, Proof::Secure, Proof::Bogus];
    for (record, proof) in message.answers.iter_mut().chain(&mut message.authorities).zip(PROOFS.into_iter().cycle()) {
        record.proof = proof;
    }
    let name = message.queries.first().map_or_else(Name::root, |query| query.name().clone());
    let mut used = 0_usize;
    for kind in Kind::ALL {
        for judged in [None, Some(Verdict::Passed), Some(Verdict::Unproven), Some(Verdict::Refused)] {
            let reading = read(&message, &name, kind, judged);
            used = used.saturating_add(reading.links.len());
            if let End::Records { data, .. } = reading.end {
                used = used.saturating_add(data.len());
                let caa = data
                    .into_iter()
                    .filter_map(|datum| if let Datum::Caa(record) = datum { Some(record) } else { None });
                used = used.saturating_add(crate::caa::allowed(caa).issuers.len());
            }
        }
    }
    used
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
        RData::SRV(srv) => Datum::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_lowercase().to_ascii(),
        }),
        RData::CAA(caa) => Datum::Caa(CaaRecord {
            critical: caa.issuer_critical,
            tag: caa.tag.to_ascii_lowercase(),
            value: caa.value.clone(),
        }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, SOA};
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn record(owner: &str, data: RData, proof: Proof) -> Record {
        let mut record = Record::from_rdata(name(owner), 300, data);
        record.proof = proof;
        record
    }

    fn soa(owner: &str, proof: Proof) -> Record {
        record(owner, RData::SOA(SOA::new(name("ns."), name("hostmaster."), 1, 1, 1, 1, 60)), proof)
    }

    fn a(owner: &str, proof: Proof) -> Record {
        record(owner, RData::A(A::new(192, 0, 2, 1)), proof)
    }

    fn alias(owner: &str, target: &str, proof: Proof) -> Record {
        record(owner, RData::CNAME(CNAME(name(target))), proof)
    }

    fn message(answers: Vec<Record>, authorities: Vec<Record>) -> Message {
        let mut message = Message::query().into_response();
        message.add_answers(answers);
        message.add_authorities(authorities);
        message
    }

    fn end(message: &Message, at: &str) -> End {
        read(message, &name(at), Kind::A, Some(Verdict::Passed)).end
    }

    #[test]
    fn an_unsigned_zone_elsewhere_cant_deny_a_signed_name() {
        // What a forger sends in place of a signed answer, and validation lets pass: all of it is proven to be unsigned.
        let forged = message(vec![], vec![soa("attacker.", Proof::Insecure)]);
        assert!(matches!(end(&forged, "mx.signed."), End::Bogus(_)));
        let below = message(vec![], vec![soa("x.mx.signed.", Proof::Insecure)]);
        assert!(matches!(end(&below, "mx.signed."), End::Bogus(_)));
        let honest = message(vec![], vec![soa("plain.", Proof::Insecure)]);
        assert_eq!(end(&honest, "mx.plain."), End::NoRecords { secure: false, ttl: Some(60) });
    }

    #[test]
    fn one_record_without_a_good_signature_spoils_the_set() {
        for bad in [Proof::Bogus, Proof::Indeterminate] {
            let mixed = message(vec![a("x.", Proof::Secure), a("x.", bad)], vec![]);
            assert!(matches!(end(&mixed, "x."), End::Bogus(_)), "{bad}");
        }
        let mixed = message(vec![a("x.", Proof::Secure), a("x.", Proof::Insecure)], vec![]);
        assert!(matches!(end(&mixed, "x."), End::Records { secure: false, .. }));
    }

    #[test]
    fn a_forged_alias_is_not_followed() {
        let forged = message(vec![alias("x.", "evil.", Proof::Bogus), a("evil.", Proof::Insecure)], vec![]);
        let reading = read(&forged, &name("x."), Kind::A, Some(Verdict::Passed));
        assert!(matches!(reading.end, End::Bogus(_)) && reading.links.is_empty());
    }

    #[test]
    fn a_code_beside_the_two_of_denials_is_no_denial() {
        let mut failed = message(vec![], vec![]);
        failed.metadata.response_code = ResponseCode::from(0, 5);
        assert!(matches!(read(&failed, &name("x."), Kind::A, None).end, End::Nonsense(_)));
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let proof = prop_oneof![
            4 => Just(Proof::Secure),
            2 => Just(Proof::Insecure),
            1 => Just(Proof::Bogus),
            1 => Just(Proof::Indeterminate),
        ];
        (0_u8..5, 0_u8..5, 0_u8..4, proof).prop_map(|(owner, other, kind, proof)| {
            let (owner, other) = (format!("n{owner}."), name(&format!("n{other}.")));
            match kind {
                0 => a(&owner, proof),
                1 => record(&owner, RData::CNAME(CNAME(other)), proof),
                2 => record(&owner, RData::MX(MX::new(10, other)), proof),
                _ => soa(&owner, proof),
            }
        })
    }

    proptest! {
        /// However records and proofs are mixed: what is called secure has a proof for every record on the way, nothing
        /// forged is ever used, and aliases end.
        #[test]
        fn secure_means_proven_all_the_way(
            answers in proptest::collection::vec(any_record(), 0..12),
            authorities in proptest::collection::vec(any_record(), 0..4),
        ) {
            let message = message(answers, authorities);
            let reading = read(&message, &name("n0."), Kind::A, Some(Verdict::Passed));
            prop_assert!(reading.links.len() <= DNS_ALIASES_MAX);
            let mut at = name("n0.");
            let proofs = |at: &Name, kind| {
                let here = message.answers.iter().filter(|r| r.name == *at && r.record_type() == kind);
                here.map(|r| r.proof).collect::<Vec<_>>()
            };
            for link in &reading.links {
                let proofs = proofs(&at, RecordType::CNAME);
                prop_assert!(!link.secure || proofs.iter().all(|proof| *proof == Proof::Secure));
                prop_assert!(proofs.iter().all(|proof| matches!(proof, Proof::Secure | Proof::Insecure)));
                at = link.target.clone();
            }
            if let End::Records { data, secure, .. } = &reading.end {
                let proofs = proofs(&at, RecordType::A);
                prop_assert_eq!(data.len(), proofs.len());
                prop_assert!(!secure || proofs.iter().all(|proof| *proof == Proof::Secure));
                prop_assert!(proofs.iter().all(|proof| matches!(proof, Proof::Secure | Proof::Insecure)));
            }
            // Unjudged, nothing is secure.
            let plain = read(&message, &name("n0."), Kind::A, None);
            let secure = matches!(plain.end, End::Records { secure: true, .. } | End::NoName { secure: true, .. } | End::NoRecords { secure: true, .. });
            prop_assert!(!secure && plain.links.iter().all(|link| !link.secure));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = look(&bytes);
        }
    }
}
