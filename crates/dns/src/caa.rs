//! Who may certify a name (CAA, RFC 8659): which records count, and whom they name.

use crate::lookup::{CaaRecord, Lookup, LookupError};
use crate::name::Name;
use mailward_core::Domain;
use mailward_core::limits::{CAA_LABELS_MAX, CAA_PARAMETERS_MAX, CAA_RECORDS_MAX};

/// What records at one name allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Who is named by `issue`; none with a name: nobody may certify. At most `limits::CAA_RECORDS_MAX`.
    pub issuers: Vec<Issuer>,
    /// Whether there is an `issue` at all: without, everybody may certify names that are no wildcards (§4.1).
    pub restricts: bool,
    /// Tags that aren't known and have to be: then nobody may certify (§4.1). Hostile.
    pub critical: Vec<String>,
    /// Records beyond `limits::CAA_RECORDS_MAX`, which aren't looked at.
    pub unread: usize,
}

/// Somebody who may certify (RFC 8659 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuer {
    /// Its name, in lower case; `None`: nobody, also where what stands there can't be read.
    pub name: Option<String>,
    /// The only account that may ask it (RFC 8657 §3). Hostile.
    pub account: Option<String>,
    /// The only ways in which it may have the name proven (RFC 8657 §4), as they stand there. Hostile.
    pub methods: Option<String>,
}

impl Issuer {
    /// Reads the value of an `issue` (RFC 8659 §4.2). What can't be read allows nobody.
    #[must_use]
    pub fn read(value: &[u8]) -> Self {
        Self::parse(value).unwrap_or_default()
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
        let name = name.trim_matches([' ', '\t']).to_ascii_lowercase();
        if name.is_empty() {
            return Some(Self::default());
        }
        if !name.split('.').all(is_label) {
            return None;
        }
        let mut issuer = Self { name: Some(name), ..Self::default() };
        let all = parameters.split(';').map(|one| one.trim_matches([' ', '\t'])).filter(|one| !one.is_empty());
        for (count, parameter) in all.enumerate() {
            if count >= CAA_PARAMETERS_MAX {
                return None;
            }
            let (tag, value) = parameter.split_once('=')?;
            let (tag, value) = (tag.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
            if !is_label(tag) || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                return None;
            }
            let place = match tag.to_ascii_lowercase().as_str() {
                "accounturi" => &mut issuer.account,
                "validationmethods" => &mut issuer.methods,
                _ => continue,
            };
            // Two of a kind contradict each other (RFC 8657 §3).
            if place.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        Some(issuer)
    }
}

/// Letters, digits and hyphens, no hyphen at an end.
fn is_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// What records allow.
#[must_use]
pub fn allowed(records: impl IntoIterator<Item = CaaRecord>) -> Allowed {
    let mut allowed = Allowed::default();
    for (count, record) in records.into_iter().enumerate() {
        if count >= CAA_RECORDS_MAX {
            allowed.unread = allowed.unread.saturating_add(1);
            continue;
        }
        match record.tag.as_str() {
            "issue" => {
                allowed.restricts = true;
                allowed.issuers.push(Issuer::read(&record.value));
            }
            "issuewild" | "issuemail" | "iodef" | "contactemail" | "contactphone" => {}
            _ if record.critical => allowed.critical.push(record.tag),
            _ => {}
        }
    }
    allowed
}

/// The records that count for a name: those at it, or else at the nearest name above it (RFC 8659 §3); with where they stand and
/// whether DNSSEC proved that, what isn't below them included. `None`: there are none, so everybody may certify.
///
/// # Errors
/// [`LookupError`], if one of the names can't be asked for now.
pub async fn caa(lookup: &dyn Lookup, domain: &Domain) -> Result<Option<(Name, Allowed, bool)>, LookupError> {
    let mut proven = true;
    let mut at = Name::from(domain);
    for _label in 0..CAA_LABELS_MAX {
        match lookup.caa(&at).await {
            Ok(found) => return Ok(Some((at, allowed(found.records), proven && found.secure))),
            Err(none @ (LookupError::NoName { .. } | LookupError::NoRecords { .. })) => proven &= none.is_secure(),
            Err(error) => return Err(error),
        }
        let Some((_, above)) = at.as_str().split_once('.') else { return Ok(None) };
        at = Name::parse(above)?;
    }
    let why = format!("more than {CAA_LABELS_MAX} names to ask for");
    Err(LookupError::Temporary { name: domain.into(), kind: crate::Kind::Caa, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(critical: bool, tag: &str, value: &str) -> CaaRecord {
        CaaRecord { critical, tag: tag.to_owned(), value: value.as_bytes().to_vec() }
    }

    #[test]
    fn an_issuer_is_read_with_its_account_and_what_can_t_be_read_is_nobody() {
        let named = |text: &str| Issuer::read(text.as_bytes());
        assert_eq!(named("CA.example.").name, None, "no dot at the end");
        assert_eq!(named(" CA.example\t").name.as_deref(), Some("ca.example"));
        let whole = named("ca.example; accounturi=https://ca.example/acct/1; validationmethods=dns-01,http-01");
        assert_eq!(whole.account.as_deref(), Some("https://ca.example/acct/1"));
        assert_eq!(whole.methods.as_deref(), Some("dns-01,http-01"));
        assert_eq!(named("ca.example;;policy=ev;").name.as_deref(), Some("ca.example"));
        for nobody in
            ["", ";", " ; x=y", "-ca.example", "ca..example", "ca.example; x", "ca.example; a=b c", "c\u{e4}.example"]
        {
            assert_eq!(named(nobody), Issuer::default(), "{nobody:?}");
        }
        let twice = "ca.example; accounturi=https://a; accounturi=https://b";
        assert_eq!(named(twice), Issuer::default(), "two accounts are none");
        let many = format!("ca.example; {}", "x=y; ".repeat(CAA_PARAMETERS_MAX));
        assert!(named(&many).name.is_some());
        assert_eq!(named(&format!("{many}x=y")).name, None, "a parameter too many");
    }

    #[test]
    fn what_isn_t_known_and_has_to_be_is_told_and_no_more_records_are_read_than_the_limit() {
        let found =
            allowed([record(false, "iodef", "mailto:x"), record(true, "strange", "1"), record(false, "odd", "2")]);
        assert_eq!((found.restricts, found.critical), (false, vec!["strange".to_owned()]));
        let found = allowed(vec![record(false, "issue", "ca.example"); CAA_RECORDS_MAX + 3]);
        assert_eq!((found.issuers.len(), found.unread), (CAA_RECORDS_MAX, 3));
    }

    proptest! {
        #[test]
        fn no_bytes_make_an_issuer_of_what_is_no_host_s_name(value in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Some(name) = Issuer::read(&value).name {
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)), "{name}");
                prop_assert!(!name.starts_with(['.', '-']) && !name.ends_with(['.', '-']));
            }
        }
    }
}
