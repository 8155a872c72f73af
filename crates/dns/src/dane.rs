//! What DANE demands of a mail host (RFC 7672): which TLSA records count, and what is owed to those that don't.

use crate::lookup::{Found, Lookup, LookupError, TlsaRecord};
use crate::route::MailHost;
use mailward_core::Domain;
use mailward_core::limits::TLSA_RECORDS_MAX;
use std::fmt;

/// What DANE demands of a connection to one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dane {
    /// Nothing: no TLSA record that DNSSEC proves, or no proof that the host is the domain's at all. MTA-STS may still
    /// demand something.
    NotOffered,
    /// TLS with a certificate that fits one of the records; without it, not a byte of mail.
    Required {
        /// TLSA base domain: the name to send as SNI, and to look for in the certificate under a [`Usage::Anchor`]
        /// record; the domain that the mail goes to may stand there as well (RFC 7672 §3.2.2). Under
        /// [`Usage::EndEntity`] no name and no date of the certificate counts (§3.1.1).
        name: Domain,
        /// The records: at least one, at most `limits::TLSA_RECORDS_MAX`.
        records: Vec<Tlsa>,
    },
    /// TLS, whatever the certificate: the host promises TLS, by records that can't be used (RFC 7672 §2.2).
    EncryptOnly {
        /// The name to send as SNI.
        name: Domain,
    },
    /// Nobody knows now: this host is not to be used until it is known (RFC 7672 §2.1.2). The reason, in words.
    Unknown(String),
}

/// A TLSA record that can be used for SMTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tlsa {
    /// Which certificate it is about.
    pub usage: Usage,
    /// Which part of it.
    pub selector: Selector,
    /// How it is compared.
    pub matching: Matching,
    /// What it is compared with: 32 bytes, 64 bytes, or the part itself.
    pub data: Vec<u8>,
}

/// Which certificate a TLSA record is about (RFC 6698 §2.1.1, RFC 7218). PKIX-TA(0) and PKIX-EE(1) can't be used for
/// SMTP (RFC 7672 §3.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// DANE-TA(2): an authority above the host's certificate.
    Anchor,
    /// DANE-EE(3): the host's own.
    EndEntity,
}

/// Which part of a certificate is compared (RFC 6698 §2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Cert(0): all of it, DER.
    Certificate,
    /// SPKI(1): its public key with the algorithm, DER SubjectPublicKeyInfo.
    PublicKey,
}

/// How it is compared (RFC 6698 §2.1.3), the weaker digest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matching {
    /// Full(0): byte by byte.
    Exact,
    /// SHA2-256(1).
    Sha256,
    /// SHA2-512(2).
    Sha512,
}

impl fmt::Display for Tlsa {
    /// The record's three numbers, as operators know it: `3 1 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = match self.usage {
            Usage::Anchor => 2,
            Usage::EndEntity => 3,
        };
        let selector = match self.selector {
            Selector::Certificate => 0,
            Selector::PublicKey => 1,
        };
        let matching = match self.matching {
            Matching::Exact => 0,
            Matching::Sha256 => 1,
            Matching::Sha512 => 2,
        };
        write!(f, "{usage} {selector} {matching}")
    }
}

impl Tlsa {
    /// The record, if it can be used for SMTP: usage 2 or 3, known selector and matching type, data of the digest's
    /// length or not empty.
    #[must_use]
    pub fn usable(record: &TlsaRecord) -> Option<Self> {
        let usage = match record.usage {
            2 => Usage::Anchor,
            3 => Usage::EndEntity,
            _ => return None,
        };
        let selector = match record.selector {
            0 => Selector::Certificate,
            1 => Selector::PublicKey,
            _ => return None,
        };
        let (matching, fits) = match record.matching {
            0 => (Matching::Exact, !record.data.is_empty()),
            1 => (Matching::Sha256, record.data.len() == 32),
            2 => (Matching::Sha512, record.data.len() == 64),
            _ => return None,
        };
        fits.then(|| Self { usage, selector, matching, data: record.data.clone() })
    }
}

/// What DANE demands of a connection to a host of a route, on a TCP port (25 for mail to the world).
///
/// A host that isn't proven to be the domain's is not asked for TLSA records: who forges the MX record names a host of
/// their own, with records of their own (RFC 7672 §2.2.1). Where the host's name is an alias, and proven all the way, the
/// name at its end is asked first and its own name after it (§2.2.2).
pub async fn dane(lookup: &dyn Lookup, host: &MailHost, port: u16) -> Dane {
    for name in &host.tlsa_names {
        match judge(name, lookup.tlsa(port, name).await) {
            Dane::NotOffered => {}
            other => return other,
        }
    }
    Dane::NotOffered
}

/// What an answer to the question for TLSA records at a name demands.
#[must_use]
pub(crate) fn judge(name: &Domain, answer: Result<Found<TlsaRecord>, LookupError>) -> Dane {
    match answer {
        // Records without proof are none: opportunistic TLS would have to fail where an attacker writes them.
        Ok(found) if !found.secure => Dane::NotOffered,
        Ok(found) => select(name, &found.records),
        Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => Dane::NotOffered,
        // A host whose name leaves no room for the question has no such records.
        Err(LookupError::Name(_)) => Dane::NotOffered,
        Err(error) => Dane::Unknown(error.to_string()),
    }
}

/// What proven records demand.
#[must_use]
pub(crate) fn select(name: &Domain, records: &[TlsaRecord]) -> Dane {
    if records.len() > TLSA_RECORDS_MAX {
        // To leave some out could leave out the one that fits.
        return Dane::Unknown(format!(
            "{name} has {} TLSA records; at most {TLSA_RECORDS_MAX} are looked at",
            records.len()
        ));
    }
    let mut usable: Vec<Tlsa> = Vec::with_capacity(records.len());
    for record in records.iter().filter_map(Tlsa::usable) {
        if !usable.contains(&record) {
            usable.push(record);
        }
    }
    if usable.is_empty() {
        return if records.is_empty() { Dane::NotOffered } else { Dane::EncryptOnly { name: name.clone() } };
    }
    // Of two digests of the same thing only the stronger one counts (RFC 7671 §9): a broken digest is to be harmless
    // where a better one stands beside it.
    let weaker = |one: &Tlsa| {
        one.matching == Matching::Sha256
            && usable.iter().any(|other| {
                other.matching == Matching::Sha512 && other.usage == one.usage && other.selector == one.selector
            })
    };
    let records = usable.iter().filter(|one| !weaker(one)).cloned().collect();
    Dane::Required { name: name.clone(), records }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::Kind;
    use crate::name::Name;
    use proptest::prelude::*;
    use std::time::Instant;

    fn host() -> Domain {
        Domain::parse("mx.example.org").unwrap()
    }

    fn record(usage: u8, selector: u8, matching: u8, length: usize) -> TlsaRecord {
        TlsaRecord { usage, selector, matching, data: vec![7; length] }
    }

    fn numbers(dane: &Dane) -> Vec<String> {
        match dane {
            Dane::Required { records, .. } => records.iter().map(Tlsa::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn answered(records: Vec<TlsaRecord>, secure: bool) -> Result<Found<TlsaRecord>, LookupError> {
        Ok(Found { records, secure, alias: None, valid_until: Instant::now() })
    }

    #[test]
    fn records_of_a_host_or_of_an_authority_above_it_are_demanded() {
        let records = [record(3, 1, 1, 32), record(2, 0, 1, 32), record(3, 0, 0, 900)];
        assert_eq!(numbers(&select(&host(), &records)), ["3 1 1", "2 0 1", "3 0 0"]);
    }

    #[test]
    fn records_for_browsers_unknown_numbers_and_torn_digests_can_only_demand_encryption() {
        for bad in [
            record(0, 1, 1, 32),
            record(1, 1, 1, 32),
            record(4, 1, 1, 32),
            record(255, 255, 255, 32),
            record(3, 2, 1, 32),
            record(3, 1, 3, 32),
            record(3, 1, 1, 31),
            record(3, 1, 2, 32),
            record(3, 1, 0, 0),
        ] {
            assert_eq!(select(&host(), std::slice::from_ref(&bad)), Dane::EncryptOnly { name: host() }, "{bad:?}");
            // Beside one that can be used they are nothing.
            assert_eq!(numbers(&select(&host(), &[bad, record(3, 1, 1, 32)])), ["3 1 1"]);
        }
    }

    #[test]
    fn the_stronger_digest_of_the_same_thing_puts_the_weaker_one_out() {
        let records = [record(3, 1, 1, 32), record(3, 1, 2, 64), record(3, 0, 1, 32), record(3, 1, 0, 200)];
        assert_eq!(numbers(&select(&host(), &records)), ["3 1 2", "3 0 1", "3 1 0"]);
    }

    #[test]
    fn a_record_that_stands_there_twice_counts_once() {
        assert_eq!(numbers(&select(&host(), &[record(3, 1, 1, 32), record(3, 1, 1, 32)])), ["3 1 1"]);
    }

    #[test]
    fn records_without_proof_are_none_and_a_failure_is_never_none() {
        assert_eq!(judge(&host(), answered(vec![record(3, 1, 1, 32)], false)), Dane::NotOffered);
        let name = Name::tlsa(25, &host()).unwrap();
        let (kind, why) = (Kind::Tlsa, "no answer within 5 s".to_owned());
        for error in [
            LookupError::Temporary { name: name.clone(), kind, why: why.clone() },
            LookupError::Bogus { name: name.clone(), kind, why },
        ] {
            assert!(matches!(judge(&host(), Err(error)), Dane::Unknown(why) if why.contains("no answer within 5 s")));
        }
        for secure in [true, false] {
            let valid_until = Instant::now();
            let none = LookupError::NoRecords { name: name.clone(), kind, secure, valid_until };
            assert_eq!(judge(&host(), Err(none)), Dane::NotOffered);
            let none = LookupError::NoName { name: name.clone(), secure, valid_until };
            assert_eq!(judge(&host(), Err(none)), Dane::NotOffered);
        }
    }

    #[test]
    fn more_records_than_are_looked_at_hold_the_mail_back_rather_than_let_it_go_unchecked() {
        let mut records: Vec<TlsaRecord> = (0..TLSA_RECORDS_MAX).map(|_| record(3, 1, 1, 32)).collect();
        assert!(matches!(select(&host(), &records), Dane::Required { .. }));
        records.push(record(3, 1, 1, 32));
        assert!(matches!(select(&host(), &records), Dane::Unknown(_)));
    }

    proptest! {
        /// Whatever stands there, proven records never lead to less than encryption, and what is demanded can be met.
        #[test]
        fn proven_records_always_demand_at_least_encryption(
            records in proptest::collection::vec(
                (0_u8..5, 0_u8..3, 0_u8..4, 0_usize..70).prop_map(|(u, s, m, l)| record(u, s, m, l)),
                1..TLSA_RECORDS_MAX,
            )
        ) {
            match select(&host(), &records) {
                Dane::Required { records: chosen, .. } => {
                    prop_assert!(!chosen.is_empty());
                    for one in &chosen {
                        prop_assert!(records.iter().any(|r| Tlsa::usable(r).as_ref() == Some(one)));
                    }
                }
                Dane::EncryptOnly { .. } => prop_assert!(records.iter().all(|r| Tlsa::usable(r).is_none())),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
