//! What a domain says in its DNS: that it has a policy (RFC 8461 §3.1), and where reports go (RFC 8460 §3).

use hyper::Uri;
use mailward_core::limits::{STS_ID_MAX, TLS_REPORT_PLACES_MAX, TLS_REPORT_RECORD_MAX};
use mailward_core::{Address, Domain};

/// The id of a domain's policy, by the texts at `_mta-sts`. None, or several that might be meant, or one that can't be
/// read: there is no policy.
#[must_use]
pub fn sts_id(texts: &[Vec<u8>]) -> Option<String> {
    let record = only(texts, "v=STSv1")?;
    let id = field(record, "id")?;
    let fits = (1..=STS_ID_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| id.to_owned())
}

/// Where a report is brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By mail.
    Mail(Address),
    /// By HTTPS, POST: host, port, path with its query.
    Https(Domain, u16, String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Mail(address) => write!(f, "mailto:{address}"),
            Place::Https(host, 443, path) => write!(f, "https://{host}{path}"),
            Place::Https(host, port, path) => write!(f, "https://{host}:{port}{path}"),
        }
    }
}

/// Where a domain wants its reports, by the texts at `_smtp._tls`; at most `limits::TLS_REPORT_PLACES_MAX`, each once.
/// Places that can't be read are left out. None, or several records: it wants none.
#[must_use]
pub fn report_places(texts: &[Vec<u8>]) -> Vec<Place> {
    let mut places = Vec::new();
    let list = only(texts, "v=TLSRPTv1").and_then(|record| field(record, "rua")).unwrap_or_default();
    for place in list.split(',').filter_map(|uri| place(uri.trim_matches([' ', '\t']))) {
        if places.len() < TLS_REPORT_PLACES_MAX && !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// The one record of a version; what stands there for other purposes doesn't count.
fn only<'t>(texts: &'t [Vec<u8>], version: &str) -> Option<&'t str> {
    let mut found = None;
    for text in texts.iter().filter(|text| text.len() <= TLS_REPORT_RECORD_MAX) {
        let Ok(text) = std::str::from_utf8(text) else { continue };
        let Some(rest) = text.strip_prefix(version) else { continue };
        let Some(rest) = rest.trim_start_matches([' ', '\t']).strip_prefix(';') else { continue };
        if found.replace(rest).is_some() {
            return None;
        }
    }
    found
}

/// The first field of this name.
fn field<'r>(record: &'r str, name: &str) -> Option<&'r str> {
    record.split(';').find_map(|field| {
        let (key, value) = field.trim_matches([' ', '\t']).split_once('=')?;
        (key == name).then_some(value)
    })
}

fn place(uri: &str) -> Option<Place> {
    let (scheme, rest) = uri.split_once(':')?;
    if scheme.eq_ignore_ascii_case("mailto") {
        let address = decoded(rest.split('?').next()?)?;
        return Address::parse(&address, false).ok().filter(|address| address.domain().is_some()).map(Place::Mail);
    }
    if !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let uri: Uri = uri.parse().ok()?;
    let authority = uri.authority()?;
    // A name and a password in an address are nobody's business.
    if authority.as_str().contains('@') {
        return None;
    }
    let host = Domain::parse(authority.host()).ok()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some(Place::Https(host, authority.port_u16().unwrap_or(443), path.to_owned()))
}

/// Without percent signs (RFC 6068 §2).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let value = digit()?.checked_mul(16)?.checked_add(digit()?)?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn one_record_says_that_there_is_a_policy_and_anything_else_that_there_is_none() {
        for (given, id) in [
            (&["v=STSv1; id=20160831085700Z;"][..], Some("20160831085700Z")),
            (&["v=STSv1;id=1"], Some("1")),
            (&["v=STSv1 ; x=y ; id=1 "], Some("1")),
            (&["hello", "v=STSv1; id=1;", "v=spf1 -all"], Some("1")),
            (&["v=STSv1; id=1;", "v=STSv1; id=1;"], None),
            (&["v=STSv1"], None),
            (&["v=STSv1;"], None),
            (&["v=STSv1; id=;"], None),
            (&["v=STSv1; id=a-b;"], None),
            (&["v=STSv1; id=123456789012345678901234567890123;"], None),
            (&["V=STSv1; id=1;"], None),
            (&["v=STSv10; id=1;"], None),
            (&[], None),
        ] {
            assert_eq!(sts_id(&texts(given)).as_deref(), id, "{given:?}");
        }
    }

    #[test]
    fn places_for_reports_are_read_and_what_is_none_is_left_out() {
        let of = |text: &str| report_places(&texts(&[text])).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("v=TLSRPTv1; rua=mailto:reports@example.com"), ["mailto:reports@example.com"]);
        assert_eq!(
            of("v=TLSRPTv1;rua=https://r.example/v1/tlsrpt?a=b , mailto:a%2Bb@example.com?subject=x;"),
            ["https://r.example/v1/tlsrpt?a=b", "mailto:a+b@example.com"]
        );
        assert_eq!(of("v=TLSRPTv1;rua=https://r.example:8443"), ["https://r.example:8443/"]);
        for none in [
            "v=TLSRPTv1;rua=http://r.example/",
            "v=TLSRPTv1;rua=https://127.0.0.1/",
            "v=TLSRPTv1;rua=https://user:pw@r.example/",
            "v=TLSRPTv1;rua=mailto:a%0D%0Ab@example.com",
            "v=TLSRPTv1;rua=mailto:a%4",
            "v=TLSRPTv1;rua=",
            "v=TLSRPTv2;rua=mailto:a@example.com",
        ] {
            assert!(of(none).is_empty(), "{none}");
        }
        let two = texts(&["v=TLSRPTv1;rua=mailto:a@b.example", "v=TLSRPTv1;rua=mailto:a@b.example"]);
        assert!(report_places(&two).is_empty());
        let many = (0..=TLS_REPORT_PLACES_MAX).map(|n| format!("mailto:u{n}@b.example")).collect::<Vec<_>>();
        assert_eq!(of(&format!("v=TLSRPTv1;rua={}", many.join(","))).len(), TLS_REPORT_PLACES_MAX);
        assert!(of(&format!("v=TLSRPTv1;x={};rua=mailto:a@b.example", "x".repeat(TLS_REPORT_RECORD_MAX))).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,100}", rua in "[a-z:/@%.,0-9A-F\\[\\]?#!]{0,60}") {
            let _ = sts_id(&[text.clone().into_bytes(), format!("v=STSv1;{text}").into_bytes()]);
            let _ = report_places(&[format!("v=TLSRPTv1;rua={rua}").into_bytes(), text.into_bytes()]);
            let _ = report_places(&[format!("v=TLSRPTv1;rua=https:{rua}").into_bytes()]);
        }
    }
}
