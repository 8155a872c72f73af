//! What the DNS says of our names, asked as another mail server would ask. Of several domains and hosts the worst counts.

mod ask;
mod beside;
mod beyond;
mod hosts;
mod lists;
mod nobody;
mod proofs;
mod told;

pub(super) use beside::BESIDE;
pub(super) use beyond::BEYOND;
pub(super) use told::TOLD;

use crate::area::Area;
use crate::control::{Check, Control, Probe};

/// A question to the DNS. Its words, in order: question, why, how it is verified, mend, source.
const fn asked(id: &'static str, area: Area, weight: u8, check: Check, words: [&'static str; 5]) -> Control {
    Control::new(id, area, weight, Probe::Names, check, words)
}

pub(super) const CONTROLS: &[Control] = &[
    asked(
        "NET-07",
        Area::Network,
        10,
        Check::Ask(|scene| Box::pin(hosts::resolver_validates(scene))),
        [
            "Are answers of the DNS proven by DNSSEC before they are believed?",
            "Whoever can forge an answer of the DNS decides where mail goes and who may send it.",
            "MX of the signed domain org is asked for through the server's own resolver; the answer has to be proven, whatever it is.",
            "Set dns.dnssec = true, restart, and use a resolver that passes signatures on: docs/dns.md.",
            "RFC 4035, RFC 7672",
        ],
    ),
    asked(
        "NET-09",
        Area::Network,
        5,
        Check::Ask(|scene| Box::pin(hosts::domains_signed(scene))),
        [
            "Is the zone of every mail domain signed?",
            "Without it, others can be told that your mail goes elsewhere.",
            "MX of each domain: the answer is proven.",
            "Switch DNSSEC on where your zones are kept, and hand the DS record to the registrar.",
            "RFC 4033",
        ],
    ),
    asked(
        "NET-10",
        Area::Network,
        5,
        Check::Ask(|scene| Box::pin(hosts::hosts_signed(scene))),
        [
            "Is the zone of every mail host signed?",
            "A signed domain that names a host in an unsigned zone proves nothing about the host.",
            "Addresses of each host that an MX names: the answer is proven.",
            "Sign the zone of the host, or name a host in a signed one.",
            "RFC 7672",
        ],
    ),
    asked(
        "NET-11",
        Area::Network,
        10,
        Check::Ask(|scene| Box::pin(hosts::mx_sound(scene))),
        [
            "Does every MX of every domain name a host that exists, by its own name, with public addresses?",
            "Mail to a host that isn't there waits for days and comes back; a name that nobody owns can be bought.",
            "MX of each domain, addresses of each host: no alias, nothing private, nothing missing.",
            "Let each MX name a host with an A or AAAA record of its own: `mailward setup` prints them.",
            "RFC 5321 section 5.1, RFC 2181 section 10.3",
        ],
    ),
    asked(
        "NET-12",
        Area::Network,
        2,
        Check::Ask(|scene| Box::pin(hosts::ipv6(scene))),
        [
            "Can mail hosts be reached by IPv6?",
            "Senders with IPv6 alone exist.",
            "AAAA of each host that an MX names.",
            "Add an AAAA record for a public address on which the server listens.",
            "RFC 5321 section 5.2",
        ],
    ),
    asked(
        "NET-13",
        Area::Network,
        10,
        Check::Ask(|scene| Box::pin(hosts::reverse(scene))),
        [
            "Does every address of this server have a name that leads back to it?",
            "Large providers refuse mail from hosts without one.",
            "Addresses of the server's name, the names of these, and the addresses of those names.",
            "Have the provider of the addresses set their reverse name to the server's name.",
            "sender requirements of large providers, 2024 and 2025",
        ],
    ),
    asked(
        "ENC-01",
        Area::Encryption,
        10,
        Check::Ask(|scene| Box::pin(proofs::spf(scene))),
        [
            "Does every mail domain say who may send in its name, and that nobody else may?",
            "Without SPF anybody sends in your name, and those who receive can't tell.",
            "TXT of each domain: one record, that can be read, ending in -all or ~all, without +all, ptr, or a network larger than a /16 or /32.",
            "Publish what `mailward setup` prints, such as \"v=spf1 mx -all\".",
            "RFC 7208",
        ],
    ),
    asked(
        "ENC-03",
        Area::Encryption,
        10,
        Check::Ask(|scene| Box::pin(proofs::dkim(scene))),
        [
            "Is the public half of every key that signs published?",
            "A signature that nobody can check is worth nothing, and fails DMARC where SPF doesn't hold.",
            "TXT of each active key's name: the same key, not in test, RSA of at least 2,048 bits.",
            "`mailward dkim show` prints the records.",
            "RFC 6376, RFC 8301, RFC 8463",
        ],
    ),
    asked(
        "ENC-05",
        Area::Encryption,
        10,
        Check::Ask(|scene| Box::pin(proofs::dmarc(scene))),
        [
            "Does every mail domain ask others to refuse or quarantine what isn't from it, and to report?",
            "Without DMARC, SPF and DKIM prove something about names that nobody sees.",
            "The record that counts for each domain: quarantine or reject, not in test, reports wanted.",
            "Publish a record at _dmarc such as \"v=DMARC1; p=reject; np=reject; rua=mailto:…\"; begin with p=none until the reports are clean.",
            "RFC 9989",
        ],
    ),
    asked(
        "ENC-08",
        Area::Encryption,
        5,
        Check::Ask(|scene| Box::pin(proofs::mta_sts(scene))),
        [
            "Does every mail domain say that it has a policy for TLS (MTA-STS)?",
            "Without MTA-STS or DANE, whoever stands in the way takes TLS out and reads along.",
            "TXT at _mta-sts of each domain.",
            "Publish the record and the policy's page, or DANE in a signed zone.",
            "RFC 8461",
        ],
    ),
    asked(
        "ENC-09",
        Area::Encryption,
        5,
        Check::Ask(|scene| Box::pin(proofs::tls_reports(scene))),
        [
            "Does every mail domain want to be told when TLS to it fails?",
            "Others see that your certificate is wrong long before you do.",
            "TXT at _smtp._tls of each domain: a place that can be read.",
            "Publish \"v=TLSRPTv1; rua=mailto:…\".",
            "RFC 8460",
        ],
    ),
    asked(
        "ENC-10",
        Area::Encryption,
        5,
        Check::Ask(|scene| Box::pin(proofs::dane(scene))),
        [
            "Does every mail host say which certificate it shows (DANE)?",
            "DANE is the one way to demand TLS that needs no page on the web and can't be stripped.",
            "TLSA of port 25 of each host that an MX names, proven, usage 2 or 3.",
            "In a signed zone, publish \"3 1 1\" of the key.",
            "RFC 7672",
        ],
    ),
];
