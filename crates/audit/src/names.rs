//! What the DNS says of one domain, one host or one address, and whether that is good: for controls and for looks from outside.

use crate::finding::{Exhibit, Finding};
use crate::knock::{Shown, certificate};
use mailward_core::{Domain, SpfResult};
use mailward_dns::{Issuer, Lookup, LookupError, Name, Tlsa, caa};
use mailward_inspect::dmarc::{Request, discover};
use mailward_inspect::spf::{Mechanism, Record, select};
use mailward_sts::{is_public, report_places, sts_id};
use std::net::IpAddr;

/// What one domain, host or address is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    /// As it should be, and how.
    Good(String),
    /// Not so, and why.
    Bad(String),
    /// Nobody knows now.
    Unknown(String),
}

/// Puts together what was found of several: one that is bad makes all bad; one that nobody knows about, unknown.
pub(crate) fn worst(found: Vec<(String, Is)>, none: &str) -> Finding {
    if found.is_empty() {
        return Finding::not_applicable(none);
    }
    let all = found.len();
    let mut shown = Vec::new();
    let (mut bad, mut unknown) = (Vec::new(), Vec::new());
    for (name, is) in found {
        let (what, list) = match is {
            Is::Good(what) => (what, None),
            Is::Bad(what) => (what, Some(&mut bad)),
            Is::Unknown(what) => (what, Some(&mut unknown)),
        };
        if let Some(list) = list {
            list.push(format!("{name}: {what}"));
        }
        shown.push(Exhibit { input: name, output: what.into_bytes() });
    }
    match (bad.as_slice(), unknown.as_slice()) {
        ([], []) => Finding::pass(format!("so it is for {all}")),
        ([], unknown) => Finding::not_tested(unknown.join("; ")),
        (bad, _) => Finding::fail(bad.join("; ")),
    }
    .showing_all(shown)
}

/// The widest networks that a record may let send: a /16 and a /32.
const WIDEST_V4: u8 = 16;
/// As above.
const WIDEST_V6: u8 = 32;

/// Texts at a name below a domain; none if there are none.
pub(crate) async fn texts(lookup: &dyn Lookup, below: &str, domain: &Domain) -> Result<Vec<Vec<u8>>, Is> {
    let text = if below.is_empty() { domain.to_string() } else { format!("{below}.{domain}") };
    let name = Name::parse(&text).map_err(|error| Is::Bad(format!("{text}: {error}")))?;
    match lookup.txt(&name).await {
        Ok(found) => Ok(found.records),
        Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => Ok(Vec::new()),
        Err(error @ LookupError::Bogus { .. }) => Err(Is::Bad(error.to_string())),
        Err(error) => Err(Is::Unknown(error.to_string())),
    }
}

/// What an answer that isn't there says of a name.
pub(crate) fn missing(error: &LookupError) -> Is {
    match error {
        LookupError::NoName { .. } | LookupError::NoRecords { .. } | LookupError::Bogus { .. } => {
            Is::Bad(error.to_string())
        }
        _ => Is::Unknown(error.to_string()),
    }
}

/// NET-09: a domain's zone is signed.
pub(crate) async fn signed(lookup: &dyn Lookup, domain: &Domain) -> Is {
    match lookup.mx(domain).await {
        Ok(found) if found.secure => Is::Good("signed".to_owned()),
        Ok(_) => Is::Bad("its zone isn't signed".to_owned()),
        Err(error) => missing(&error),
    }
}

/// NET-10: a host's zone is signed.
pub(crate) async fn host_signed(lookup: &dyn Lookup, host: &Domain) -> Is {
    match lookup.addresses(host).await {
        Ok(found) if found.secure => Is::Good("signed".to_owned()),
        Ok(_) => Is::Bad("its zone isn't signed".to_owned()),
        Err(error) => missing(&error),
    }
}

/// NET-11: every mail host of a domain is there.
pub(crate) async fn mx(lookup: &dyn Lookup, domain: &Domain) -> Is {
    let found = match lookup.mx(domain).await {
        Ok(found) => found,
        Err(error) => return missing(&error),
    };
    for mx in &found.records {
        let host = match mx.host_name() {
            Ok(host) => host,
            Err(why) => return Is::Bad(format!("{:?}: {why}", mx.host)),
        };
        match lookup.addresses(&host).await {
            Err(error) => return missing(&error),
            Ok(at) if at.alias.is_some() => return Is::Bad(format!("{host} is an alias of another name")),
            Ok(at) => {
                if let Some(address) = at.records.iter().find(|address| !is_public(**address)) {
                    return Is::Bad(format!("{host} has {address}, which nobody outside can reach"));
                }
            }
        }
    }
    Is::Good(format!("{} hosts", found.records.len()))
}

/// NET-12: a host has IPv6.
pub(crate) async fn ipv6(lookup: &dyn Lookup, host: &Domain) -> Is {
    match lookup.addresses(host).await {
        Ok(found) if found.records.iter().any(IpAddr::is_ipv6) => Is::Good("has IPv6".to_owned()),
        Ok(_) => Is::Bad("has no AAAA record".to_owned()),
        Err(error) => missing(&error),
    }
}

/// NET-13: an address's name is the host's, and leads back to the address.
pub(crate) async fn leads_back(lookup: &dyn Lookup, address: IpAddr, host: &Domain) -> Is {
    let names = match lookup.ptr(address).await {
        Ok(names) => names.records,
        Err(error) => return missing(&error),
    };
    let Some(name) = names.iter().find(|name| *name == host).or_else(|| names.first()) else {
        return Is::Bad("has no name".to_owned());
    };
    if name != host {
        return Is::Bad(format!("is named {name}, and the server {host}"));
    }
    match lookup.addresses(name).await {
        Ok(found) if found.records.contains(&address) => Is::Good(format!("is named {name}")),
        Ok(_) => Is::Bad(format!("is named {name}, which has other addresses")),
        Err(error) => missing(&error),
    }
}

/// ENC-01: a domain says who may send.
pub(crate) async fn spf(lookup: &dyn Lookup, domain: &Domain) -> Is {
    match texts(lookup, "", domain).await {
        Err(is) => is,
        Ok(texts) => spf_of(&texts),
    }
}

/// What the texts of a domain say of who may send.
pub(crate) fn spf_of(texts: &[Vec<u8>]) -> Is {
    let terms = match select(texts) {
        Ok(None) => return Is::Bad("has no SPF record".to_owned()),
        Ok(Some(terms)) => terms,
        Err(fault) => return Is::Bad(fault.to_string()),
    };
    let record = match Record::parse(terms) {
        Ok(record) => record,
        Err(fault) => return Is::Bad(fault.to_string()),
    };
    for directive in &record.directives {
        let passes = directive.result == SpfResult::Pass;
        match &directive.mechanism {
            Mechanism::Ptr(_) => return Is::Bad("uses ptr, which nobody should (RFC 7208 section 5.5)".to_owned()),
            Mechanism::All if passes => return Is::Bad("lets everybody send".to_owned()),
            Mechanism::Ip4(_, bits) if passes && *bits < WIDEST_V4 => {
                return Is::Bad(format!("lets too many send: {}", directive.text));
            }
            Mechanism::Ip6(_, bits) if passes && *bits < WIDEST_V6 => {
                return Is::Bad(format!("lets too many send: {}", directive.text));
            }
            _ => {}
        }
    }
    let last = record.directives.iter().find(|directive| directive.mechanism == Mechanism::All);
    match (last.map(|directive| directive.result), &record.redirect) {
        (Some(SpfResult::Fail | SpfResult::SoftFail), _) => Is::Good("ends with a refusal".to_owned()),
        (None, Some(_)) => Is::Good("another domain's record decides".to_owned()),
        _ => Is::Bad("doesn't end with -all or ~all".to_owned()),
    }
}

/// ENC-03: a key is published as it should be; `ours` is the record that should be there, where it is known.
pub(crate) async fn dkim(lookup: &dyn Lookup, domain: &Domain, selector: &str, ours: Option<&str>) -> Is {
    let texts = match texts(lookup, &format!("{selector}._domainkey"), domain).await {
        Ok(texts) => texts,
        Err(is) => return is,
    };
    let [text] = texts.as_slice() else {
        return Is::Bad(if texts.is_empty() { "isn't published" } else { "there is more than one record" }.to_owned());
    };
    let text = String::from_utf8_lossy(text);
    match (tag(&text, "p"), ours.and_then(|ours| tag(ours, "p"))) {
        (Some(there), Some(ours)) if there != ours => Is::Bad("another key is published".to_owned()),
        (None, _) => Is::Bad("what is published is no key".to_owned()),
        (Some(there), None) if there.is_empty() => Is::Bad("the key is revoked (p=)".to_owned()),
        _ if tag(&text, "t").is_some_and(|flags| flags.split(':').any(|flag| flag == "y")) => {
            Is::Bad("it is published as a test (t=y), so its signatures count for nothing".to_owned())
        }
        _ => Is::Good("published".to_owned()),
    }
}

/// The value of a tag of a list of tags (RFC 6376 §3.2), white space left out.
fn tag(record: &str, name: &str) -> Option<String> {
    let tags = record.split(';').filter_map(|tag| tag.split_once('='));
    let of = tags.map(|(tag, value)| (tag.trim().to_owned(), value.split_ascii_whitespace().collect::<String>()));
    of.into_iter().find(|(tag, _)| tag == name).map(|(_, value)| value)
}

/// ENC-05: a domain asks others to refuse what isn't from it.
pub(crate) async fn dmarc(lookup: &dyn Lookup, domain: &Domain) -> Is {
    match discover(lookup, domain).await {
        Err(name) => Is::Unknown(format!("{name} can't be asked for now")),
        Ok(None) => Is::Bad("has no DMARC record".to_owned()),
        Ok(Some(policy)) if policy.request == Request::None => {
            Is::Bad(format!("asks for nothing ({}=none)", policy.tag))
        }
        Ok(Some(policy)) if policy.record.test => Is::Bad("only tries its policy out (t=y)".to_owned()),
        Ok(Some(policy)) if policy.record.reports.is_empty() => Is::Bad("wants no reports (rua)".to_owned()),
        Ok(Some(policy)) => Is::Good(format!("asks to {}", policy.request)),
    }
}

/// ENC-08: a domain says that it has a policy for TLS.
pub(crate) async fn mta_sts(lookup: &dyn Lookup, domain: &Domain) -> Is {
    match texts(lookup, "_mta-sts", domain).await {
        Err(is) => is,
        Ok(texts) => match sts_id(&texts) {
            Some(id) => Is::Good(format!("policy {id}")),
            None => Is::Bad("has no MTA-STS record".to_owned()),
        },
    }
}

/// ENC-09: a domain wants to be told when TLS to it fails.
pub(crate) async fn tls_reports(lookup: &dyn Lookup, domain: &Domain) -> Is {
    match texts(lookup, "_smtp._tls", domain).await {
        Err(is) => is,
        Ok(texts) => match report_places(&texts).first() {
            Some(place) => Is::Good(format!("to {place}")),
            None => Is::Bad("has no TLS-RPT record".to_owned()),
        },
    }
}

/// ENC-10: a host says which certificate it shows.
pub(crate) async fn dane(lookup: &dyn Lookup, host: &Domain) -> Is {
    match lookup.tlsa(25, host).await {
        Err(error) => missing(&error),
        Ok(found) if !found.secure => Is::Bad("its TLSA records aren't proven, so nobody uses them".to_owned()),
        Ok(found) => match found.records.iter().find_map(Tlsa::usable) {
            Some(tlsa) => Is::Good(tlsa.to_string()),
            None => Is::Bad("none of its TLSA records can be used for mail".to_owned()),
        },
    }
}

/// An authority in words.
pub(crate) fn issuer(one: &Issuer) -> String {
    let name = one.name.as_deref().unwrap_or("nobody");
    match &one.account {
        Some(account) => format!("{name} for the account {account}"),
        None => name.to_owned(),
    }
}

/// What authorities call themselves in certificates, and the names by which CAA records know them, by their own words.
const AUTHORITIES: [(&str, &[&str]); 12] = [
    ("Let's Encrypt", &["letsencrypt.org"]),
    ("Google Trust Services", &["pki.goog"]),
    ("DigiCert", &["digicert.com"]),
    ("Sectigo", &["sectigo.com"]),
    ("ZeroSSL", &["sectigo.com"]),
    ("GlobalSign", &["globalsign.com"]),
    ("Amazon", &["amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com", "aws.amazon.com"]),
    ("Buypass", &["buypass.com", "buypass.no"]),
    ("Actalis", &["actalis.it"]),
    ("SSL Corp", &["ssl.com"]),
    ("HARICA", &["harica.gr"]),
    ("Hellenic Academic and Research Institutions", &["harica.gr"]),
];

/// NET-15: only the authority that certified what is shown may certify a host, and only for an account of ours.
pub(crate) async fn certified_by(lookup: &dyn Lookup, host: &Domain, shown: Option<&Shown>) -> Is {
    let (at, allowed, secure) = match caa(lookup, host).await {
        Ok(Some(found)) => found,
        Ok(None) => return Is::Bad("everybody may certify it: there is no CAA record".to_owned()),
        Err(error) => return missing(&error),
    };
    if !allowed.restricts {
        return Is::Bad(format!("everybody may certify it: the CAA records at {at} name no issuer"));
    }
    if allowed.unread > 0 {
        return Is::Unknown(format!("{at} has {} CAA records more than are read", allowed.unread));
    }
    let named: Vec<&Issuer> = allowed.issuers.iter().filter(|one| one.name.is_some()).collect();
    let told = named.iter().map(|one| issuer(one)).collect::<Vec<_>>().join(", ");
    if named.is_empty() || !allowed.critical.is_empty() {
        return Is::Bad(format!("nobody may certify it, so its certificate can't be renewed (CAA at {at})"));
    }
    let own = shown.and_then(|shown| certificate(shown.chain.first()?).ok());
    let Some(own) = own else {
        return Is::Unknown(format!(
            "{told} may certify it (CAA at {at}); no certificate was shown to compare that with"
        ));
    };
    let known = AUTHORITIES.iter().find(|(name, _)| own.issuer.contains(name));
    let Some((name, names)) = known else {
        let issuer = own.issuer;
        return Is::Unknown(format!(
            "{told} may certify it (CAA at {at}); whether that is {issuer:?}, isn't known here"
        ));
    };
    let ours = named.iter().filter(|one| one.name.as_deref().is_some_and(|one| names.contains(&one)));
    let ours: Vec<&&Issuer> = ours.collect();
    if ours.is_empty() {
        return Is::Bad(format!("{told} may certify it (CAA at {at}), and {name} did: renewing will fail"));
    }
    if ours.iter().any(|one| one.account.is_none()) {
        return Is::Bad(format!("{name} may certify it for whoever asks: no accounturi (CAA at {at})"));
    }
    if named.len() > ours.len() {
        return Is::Bad(format!("others than {name} may certify it, too: {told} (CAA at {at})"));
    }
    let proven = if secure { ", proven" } else { "" };
    Is::Good(format!("{told} alone may certify it (CAA at {at}{proven})"))
}
