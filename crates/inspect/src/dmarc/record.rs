//! DMARC records (RFC 9989 §4.7, §4.8).

use mailward_core::Address;
use mailward_core::limits::{DMARC_PLACES_MAX, DMARC_RECORD_MAX, DMARC_TAGS_MAX};
use std::fmt;

/// What a domain asks for where mail isn't from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Request {
    /// Nothing.
    #[default]
    None,
    /// It is suspicious.
    Quarantine,
    /// It isn't to be taken.
    Reject,
}

impl Request {
    /// As records and reports have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// One step less (RFC 9989 §4.7, `t`).
    #[must_use]
    pub const fn one_less(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject].into_iter().find(|one| text.eq_ignore_ascii_case(one.name()))
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a domain is one below which anybody may have domains (`psd=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Psd {
    /// It is.
    Yes,
    /// It isn't, and it is an organisation of its own.
    No,
    /// It doesn't say.
    #[default]
    Unsaid,
}

/// A record. Of its tags those of RFC 9989 count; `pct`, `rf`, `ri` and what isn't known do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `p`.
    pub policy: Request,
    /// `sp`: for names below.
    pub below: Option<Request>,
    /// `np`: for names below that don't exist at all.
    pub missing: Option<Request>,
    /// `adkim=s`.
    pub strict_dkim: bool,
    /// `aspf=s`.
    pub strict_spf: bool,
    /// `psd`.
    pub psd: Psd,
    /// `t=y`: the policy is only tried out; one step less is to be done.
    pub test: bool,
    /// `rua`: where reports go by mail; at most `limits::DMARC_PLACES_MAX`.
    pub reports: Vec<Address>,
    /// `fo`, as it stands there if it is one; only for reports of reports.
    pub failures: Option<String>,
    /// Its policy means nothing and there is nobody to be told: there is no DMARC for the domain (RFC 9989 §4.10.1).
    pub void: bool,
}

impl Record {
    /// Reads a text; none if it is no DMARC record. What isn't right in it counts as not there, as RFC 9989 §4.7 has it; a
    /// policy that isn't there or isn't right is `none` where reports are wanted, else the record is [`Record::void`] (§4.10.1).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > DMARC_RECORD_MAX {
            return None;
        }
        // What isn't ASCII is in no tag that counts.
        let text = String::from_utf8_lossy(text);
        let mut tags = text.split(';').map(|tag| tag.split_once('=').map(|(name, value)| (name.trim(), value.trim())));
        if tags.next()? != Some(("v", "DMARC1")) {
            return None;
        }
        let tags: Vec<(&str, &str)> = tags.take(DMARC_TAGS_MAX).flatten().collect();
        // Of a tag that stands there twice the first counts.
        let get =
            |wanted: &str| tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
        let is = |name: &str, wanted: &str| get(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted));
        let mut record = Self {
            policy: get("p").and_then(Request::of).unwrap_or_default(),
            below: get("sp").and_then(Request::of),
            missing: get("np").and_then(Request::of),
            strict_dkim: is("adkim", "s"),
            strict_spf: is("aspf", "s"),
            psd: if is("psd", "y") {
                Psd::Yes
            } else if is("psd", "n") {
                Psd::No
            } else {
                Psd::Unsaid
            },
            test: is("t", "y"),
            reports: Vec::new(),
            failures: get("fo")
                .filter(|fo| !fo.is_empty() && fo.chars().all(|c| "01dsDS:".contains(c)))
                .map(str::to_owned),
            void: false,
        };
        let mut told = false;
        for uri in get("rua").unwrap_or_default().split(',').map(str::trim) {
            told |= uri.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
            if let Some(address) = mailbox(uri)
                && record.reports.len() < DMARC_PLACES_MAX
                && !record.reports.contains(&address)
            {
                record.reports.push(address);
            }
        }
        let is_request = |value: &str| Request::of(value).is_some();
        if !get("p").is_some_and(is_request) || ["sp", "np"].into_iter().any(|name| !get(name).is_none_or(is_request)) {
            (record.policy, record.below, record.missing) = (Request::None, None, None);
            record.void = !told;
        }
        Some(record)
    }

    /// The one record among the texts at a name; none if there are several (attacks D8).
    #[must_use]
    pub fn of(texts: &[Vec<u8>]) -> Option<Self> {
        let mut found = texts.iter().filter_map(|text| Self::parse(text));
        let one = found.next()?;
        found.next().is_none().then_some(one)
    }
}

/// The address of a `mailto:` (RFC 6068); what follows a question mark, and the size of RFC 7489, is ignored.
fn mailbox(uri: &str) -> Option<Address> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("mailto") {
        return None;
    }
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    let rest = rest.split_once('!').map_or(rest, |(before, _)| before);
    let address = Address::parse(&percent_decoded(rest)?, false).ok()?;
    address.domain().is_some().then_some(address)
}

/// RFC 3986 §2.1, to visible ASCII.
fn percent_decoded(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let digits = after.get(..2)?;
        out.push(char::from(u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii_graphic)?));
        rest = after.get(2..)?;
    }
    out.push_str(rest);
    Some(out)
}
