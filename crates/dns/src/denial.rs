//! Proofs that something isn't there: behind a denial, and behind records that a wildcard made. Pure.

use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, NSEC, NSEC3, RRSIG};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use mailward_core::limits::DNS_HASH_ROUNDS_MAX;

/// What validation thought of what a message denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It let the message pass.
    Passed,
    /// Not proven, for a reason that is no forgery (RFC 9276 §3.2: more hashing than anyone has to do).
    Unproven,
    /// It doesn't hold.
    Refused,
}

/// Whether a denial about `name` is proven. An error, in words, if it ought to be and isn't.
///
/// Validation lets a message pass whose authority section is all of unsigned zones, whichever those are; so a forger
/// could deny a signed name by the SOA record of an unsigned zone elsewhere. A zone above the name it has to be: one that
/// is proven to be unsigned makes the name so.
pub(crate) fn denied(message: &Message, name: &Name, verdict: Verdict) -> Result<bool, String> {
    if verdict == Verdict::Refused {
        return Err(format!("no proof that {name} has no such record, and none that its zone is unsigned"));
    }
    let proven = message.authorities.iter().any(|record| {
        record.proof == Proof::Secure && matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
    });
    if proven {
        return Ok(verdict == Verdict::Passed);
    }
    let all_unsigned =
        !message.authorities.is_empty() && message.authorities.iter().all(|record| record.proof == Proof::Insecure);
    let above = || {
        message.authorities.iter().any(|record| {
            record.proof == Proof::Insecure && record.record_type() == RecordType::SOA && record.name.zone_of(name)
        })
    };
    if all_unsigned && !above() {
        return Err(format!("no proof that {name} has no such record, and none that its zone is unsigned"));
    }
    // Without any of it, validation itself has proven that the name lies in an unsigned zone, or refused the message.
    Ok(false)
}

/// RFC 2308 §5: the smaller one of the SOA record's TTL and its MINIMUM field, seconds. `None` without a SOA record of a
/// zone above the name.
pub(crate) fn negative_ttl(message: &Message, name: &Name) -> Option<u32> {
    message
        .authorities
        .iter()
        .filter(|record| record.name.zone_of(name))
        .filter_map(|record| match &record.data {
            RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
            _ => None,
        })
        .min()
}

/// Whether proven records at `at` are the name's own, or a wildcard's with proof that the name has none of its own (RFC
/// 4035 §5.3.4, RFC 5155 §8.8). `Ok(false)` if that takes more hashing than anyone has to do; an error, in words, without
/// proof.
///
/// The wildcard is one label above the "next closer" name: that one must not exist, nor anything below it.
pub(crate) fn own_or_wildcard(message: &Message, at: &Name, covered: RecordType) -> Result<bool, String> {
    let signatures = message.answers.iter().filter(|record| record.name == *at).filter_map(|record| rrsig(record));
    let shorter = signatures
        .filter(|rrsig| rrsig.input().type_covered == covered && rrsig.input().num_labels < at.num_labels())
        .min_by_key(|rrsig| rrsig.input().num_labels);
    let Some(rrsig) = shorter else { return Ok(true) };
    let (zone, labels) = (&rrsig.input().signer_name, usize::from(rrsig.input().num_labels));
    let next_closer = at.trim_to(labels.saturating_add(1));
    let mut unproven = false;
    for record in message.authorities.iter().filter(|record| record.proof == Proof::Secure) {
        match &record.data {
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) if nsec_covers(zone, &record.name, nsec, &next_closer) => {
                return Ok(true);
            }
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => match nsec3_covers(zone, &record.name, nsec3, &next_closer) {
                Some(true) => return Ok(true),
                Some(false) => {}
                None => unproven = true,
            },
            _ => {}
        }
    }
    if unproven {
        return Ok(false);
    }
    Err(format!("no proof that {at} has no record of its own beside the wildcard's"))
}

fn rrsig(record: &Record) -> Option<&RRSIG> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => Some(rrsig),
        _ => None,
    }
}

/// Whether neither the name nor anything below it exists, by one NSEC record of the zone.
fn nsec_covers(zone: &Name, owner: &Name, nsec: &NSEC, name: &Name) -> bool {
    let next = nsec.next_domain_name();
    // RFC 6840 §4.1: who delegates, or renames, knows nothing of what is below.
    let elsewhere = nsec.is_ancestor_delegation() || nsec.type_set().contains(RecordType::DNAME);
    if !zone.zone_of(owner) || (elsewhere && owner.zone_of(name)) {
        return false;
    }
    // The zone's last NSEC record leads back to its first name.
    let before_next = name < next || (next <= owner && next == zone);
    // A next name below makes the name exist, empty as it may be (RFC 4592 §2.2.2).
    owner < name && before_next && !name.zone_of(next)
}

/// Whether the name's hash isn't there, by one NSEC3 record of the zone. `None`: not for us to find out.
fn nsec3_covers(zone: &Name, owner: &Name, nsec3: &NSEC3, name: &Name) -> Option<bool> {
    if owner.base_name() != *zone {
        return Some(false);
    }
    if nsec3.iterations() > DNS_HASH_ROUNDS_MAX {
        return None;
    }
    let hash = nsec3.hash_algorithm().hash(nsec3.salt(), name, nsec3.iterations()).ok();
    let first = owner.iter().next().and_then(base32);
    let (Some(hash), Some(first)) = (hash, first) else { return Some(false) };
    let (hash, next) = (hash.as_ref(), nsec3.next_hashed_owner_name());
    let first = first.as_slice();
    let last = next <= first;
    Some(if last { hash > first || hash < next } else { first < hash && hash < next })
}

/// Reads "base32hex" (RFC 4648 §7) without padding, in either case. `None` for anything else.
fn base32(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len()), 0_u32, 0_u32);
    for byte in text {
        let value = (*byte as char).to_digit(32)?;
        bits = (bits << 5 | value) & 0xfff;
        held = held.saturating_add(5);
        if held >= 8 {
            held = held.saturating_sub(8);
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use hickory_resolver::proto::dnssec::Nsec3HashAlgorithm;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn nsec(next: &str, types: &[RecordType]) -> NSEC {
        NSEC::new(name(next), types.iter().copied())
    }

    #[test]
    fn an_nsec_record_covers_what_lies_between_its_names() {
        let zone = name("example.");
        let covers = |owner: &str, next: &str, at: &str| nsec_covers(&zone, &name(owner), &nsec(next, &[]), &name(at));
        assert!(covers("b.example.", "d.example.", "c.example."));
        assert!(!covers("b.example.", "d.example.", "b.example."));
        assert!(!covers("b.example.", "d.example.", "d.example."));
        assert!(!covers("b.example.", "d.example.", "e.example."));
        // The last one of the zone.
        assert!(covers("b.example.", "example.", "c.example."));
        // A name with something below it exists.
        assert!(!covers("b.example.", "x.c.example.", "c.example."));
        // Another zone's record says nothing.
        assert!(!covers("b.other.", "d.other.", "c.example."));
        assert!(!nsec_covers(&name("other."), &name("b.example."), &nsec("d.example.", &[]), &name("c.example.")));
    }

    #[test]
    fn a_delegation_says_nothing_of_what_is_below() {
        let zone = name("example.");
        for types in [&[RecordType::NS][..], &[RecordType::DNAME]] {
            let below = nsec_covers(&zone, &name("b.example."), &nsec("d.example.", types), &name("x.b.example."));
            assert!(!below);
        }
        assert!(nsec_covers(&zone, &name("b.example."), &nsec("d.example.", &[RecordType::NS]), &name("c.example.")));
    }

    #[test]
    fn hashes_that_take_too_long_are_not_worked_out() {
        let made = |rounds| NSEC3::new(Nsec3HashAlgorithm::SHA1, false, rounds, Vec::new(), vec![0xff; 20], []);
        let owner = name("00000000000000000000000000000000.example.");
        let covers = |rounds| nsec3_covers(&name("example."), &owner, &made(rounds), &name("c.example."));
        assert_eq!(covers(DNS_HASH_ROUNDS_MAX), Some(true));
        assert_eq!(covers(DNS_HASH_ROUNDS_MAX + 1), None);
        let elsewhere = nsec3_covers(&name("other."), &owner, &made(0), &name("c.example."));
        assert_eq!(elsewhere, Some(false));
    }

    #[test]
    fn base32_is_read_as_written() {
        assert_eq!(base32(b"CPNMUOG").as_deref(), Some(&b"foob"[..]));
        assert_eq!(base32(b"cpnmuoj1").as_deref(), Some(&b"fooba"[..]));
        assert_eq!(base32(b"w0"), None);
        assert_eq!(base32(b"0=").as_deref(), None);
    }

    proptest! {
        #[test]
        fn base32_takes_any_bytes(text in proptest::collection::vec(any::<u8>(), 0..70)) {
            if let Some(bytes) = base32(&text) {
                prop_assert_eq!(bytes.len(), text.len() * 5 / 8);
            }
        }
    }
}
