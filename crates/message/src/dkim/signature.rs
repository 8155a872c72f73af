//! Signatures that others made, as they stand in a header: `DKIM-Signature` (RFC 6376 §3.5), `ARC-Message-Signature` and
//! `ARC-Seal` (RFC 8617 §4.1).

use super::tags::{TagFault, Tags};
use super::{Form, relax_field};
use crate::bytes::{sub, without_end};
use crate::header::Field;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_core::Domain;
use mailward_core::limits::{ARC_SETS_MAX, DKIM_NAMES_MAX, DOMAIN_MAX};

/// Which field it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `DKIM-Signature`.
    Dkim,
    /// `ARC-Message-Signature`.
    ArcMessage,
    /// `ARC-Seal`: signs no message, but the sets of a chain.
    ArcSeal,
}

/// What signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `rsa-sha256`.
    RsaSha256,
    /// `ed25519-sha256` (RFC 8463).
    Ed25519Sha256,
}

/// A signature, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `a=`.
    pub scheme: Scheme,
    /// First half of `c=`.
    pub header_form: Form,
    /// Second half of `c=`.
    pub body_form: Form,
    /// `d=`: who answers for it.
    pub domain: Domain,
    /// `s=`: letters, digits, `-`, `_` and dots.
    pub selector: String,
    /// `h=`, lower case: at most `limits::DKIM_NAMES_MAX`. None of a seal.
    pub names: Vec<String>,
    /// `bh=`. Empty of a seal.
    pub body_hash: Vec<u8>,
    /// `b=`.
    pub signature: Vec<u8>,
    /// The first characters of `b=`, which tell signatures apart (RFC 6008 §4).
    pub mark: String,
    /// Whether `i=` names the domain itself rather than one below it.
    pub of_domain_itself: bool,
    /// `l=` is there: only so much of the body is signed.
    pub partial: bool,
    /// `x=`, seconds since 1970.
    pub expires: Option<u64>,
    /// `i=` of ARC: from 1 to `limits::ARC_SETS_MAX`; 0 of DKIM.
    pub instance: u32,
    /// `cv=` of a seal.
    pub chain: Option<ChainStatus>,
}

/// Whether a chain holds (RFC 8617 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainStatus {
    /// There is none.
    None,
    /// It does.
    Pass,
    /// It doesn't.
    Fail,
}

impl ChainStatus {
    /// As `cv=` and `arc=` have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// Why a signature can't be read or isn't looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// The list of tags.
    #[error(transparent)]
    Tags(#[from] TagFault),
    /// A tag that must be there isn't.
    #[error("{0}= is missing")]
    Missing(&'static str),
    /// A tag's value means nothing.
    #[error("{0}= has a value that means nothing")]
    Value(&'static str),
    /// RFC 8301 §3.1 and what isn't known.
    #[error("its algorithm isn't one to believe")]
    Algorithm,
    /// RFC 6376 §5.4.
    #[error("it doesn't sign From")]
    WithoutFrom,
    /// See `limits::DKIM_NAMES_MAX`.
    #[error("it signs more than {DKIM_NAMES_MAX} fields")]
    TooManyNames,
    /// RFC 8617 §4.1.2, §4.1.3: a seal has no `h=`, and a message signature doesn't sign ARC's fields.
    #[error("h= stands where it mustn't, or names what it mustn't")]
    Names,
}

impl Signature {
    /// Reads a field's value, folding and all.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn parse(kind: Kind, value: &[u8]) -> Result<Self, SignatureFault> {
        use SignatureFault::{Missing, Value};
        let tags = Tags::parse(value)?;
        if kind == Kind::Dkim && tags.get("v").ok_or(Missing("v"))? != "1" {
            return Err(Value("v"));
        }
        let scheme = match tags.get("a").ok_or(Missing("a"))?.to_ascii_lowercase().as_str() {
            "rsa-sha256" => Scheme::RsaSha256,
            "ed25519-sha256" => Scheme::Ed25519Sha256,
            _ => return Err(SignatureFault::Algorithm),
        };
        let domain = Domain::parse(tags.get("d").ok_or(Missing("d"))?).map_err(|_| Value("d"))?;
        let selector = tags.get("s").ok_or(Missing("s"))?.to_owned();
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if selector.is_empty() || selector.len() > DOMAIN_MAX || !selector.bytes().all(fits) {
            return Err(Value("s"));
        }
        let (header_form, body_form) = match kind {
            Kind::ArcSeal => (Form::Relaxed, Form::Relaxed),
            Kind::Dkim | Kind::ArcMessage => forms(tags.get("c"))?,
        };
        let (names, body_hash) = match kind {
            Kind::ArcSeal if tags.get("h").is_some() || tags.get("bh").is_some() => return Err(SignatureFault::Names),
            Kind::ArcSeal => (Vec::new(), Vec::new()),
            Kind::Dkim | Kind::ArcMessage => (names(&tags, kind)?, base64(&tags, "bh")?),
        };
        if kind == Kind::Dkim && tags.get("q").is_some_and(|q| !q.split(':').any(|m| m.trim() == "dns/txt")) {
            return Err(Value("q"));
        }
        let (time, expires) = (number(&tags, "t")?, number(&tags, "x")?);
        if let (Some(time), Some(expires)) = (time, expires)
            && expires < time
        {
            return Err(Value("x"));
        }
        let (instance, of_domain_itself) = match kind {
            Kind::Dkim => (0, agent(tags.get("i"), &domain)?),
            Kind::ArcMessage | Kind::ArcSeal => (instance(tags.get("i").ok_or(Missing("i"))?).ok_or(Value("i"))?, true),
        };
        let chain = match (kind, tags.get("cv").map(str::to_ascii_lowercase).as_deref()) {
            (Kind::Dkim | Kind::ArcMessage, _) => None,
            (Kind::ArcSeal, Some("none")) => Some(ChainStatus::None),
            (Kind::ArcSeal, Some("pass")) => Some(ChainStatus::Pass),
            (Kind::ArcSeal, Some("fail")) => Some(ChainStatus::Fail),
            (Kind::ArcSeal, Some(_)) => return Err(Value("cv")),
            (Kind::ArcSeal, None) => return Err(Missing("cv")),
        };
        Ok(Self {
            scheme,
            header_form,
            body_form,
            domain,
            selector,
            names,
            body_hash,
            signature: base64(&tags, "b")?,
            mark: tags.packed("b").unwrap_or_default().chars().take(8).collect(),
            of_domain_itself,
            partial: tags.get("l").is_some(),
            expires,
            instance,
            chain,
        })
    }
}

/// A number of a set, as `i=` has it.
pub(crate) fn instance(text: &str) -> Option<u32> {
    let fits = !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| fits)?;
    (1..=ARC_SETS_MAX).contains(&number).then_some(number)
}

fn forms(value: Option<&str>) -> Result<(Form, Form), SignatureFault> {
    let Some(value) = value else { return Ok((Form::Simple, Form::Simple)) };
    let value = value.to_ascii_lowercase();
    let (header, body) = value.split_once('/').unwrap_or((&value, "simple"));
    let form = |name: &str| match name.trim() {
        "simple" => Ok(Form::Simple),
        "relaxed" => Ok(Form::Relaxed),
        _ => Err(SignatureFault::Value("c")),
    };
    Ok((form(header)?, form(body)?))
}

fn names(tags: &Tags<'_>, kind: Kind) -> Result<Vec<String>, SignatureFault> {
    let list = tags.packed("h").ok_or(SignatureFault::Missing("h"))?;
    let names: Vec<String> =
        list.split(':').take(DKIM_NAMES_MAX.saturating_add(1)).map(str::to_ascii_lowercase).collect();
    if names.len() > DKIM_NAMES_MAX {
        return Err(SignatureFault::TooManyNames);
    }
    if !names.iter().any(|name| name == "from") {
        return Err(SignatureFault::WithoutFrom);
    }
    if names.iter().any(String::is_empty) {
        return Err(SignatureFault::Value("h"));
    }
    if kind == Kind::ArcMessage && names.iter().any(|name| super::super::arc::is_arc(name.as_bytes())) {
        return Err(SignatureFault::Names);
    }
    Ok(names)
}

fn base64(tags: &Tags<'_>, name: &'static str) -> Result<Vec<u8>, SignatureFault> {
    let text = tags.packed(name).ok_or(SignatureFault::Missing(name))?;
    let bytes = STANDARD.decode(text).map_err(|_| SignatureFault::Value(name))?;
    if bytes.is_empty() { Err(SignatureFault::Value(name)) } else { Ok(bytes) }
}

/// RFC 6376 §3.5: at most 12 digits.
fn number(tags: &Tags<'_>, name: &'static str) -> Result<Option<u64>, SignatureFault> {
    let Some(text) = tags.get(name) else { return Ok(None) };
    let fits = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| fits).map(Some).ok_or(SignatureFault::Value(name))
}

/// `i=` of DKIM is of the domain or below it (RFC 6376 §3.5); whether it is the domain itself.
fn agent(value: Option<&str>, domain: &Domain) -> Result<bool, SignatureFault> {
    let Some(value) = value else { return Ok(true) };
    let host = value.rsplit_once('@').map(|(_, host)| host).ok_or(SignatureFault::Value("i"))?;
    let host = Domain::parse(host).map_err(|_| SignatureFault::Value("i"))?;
    match host.as_str().strip_suffix(domain.as_str()) {
        Some("") => Ok(true),
        Some(rest) if rest.ends_with('.') => Ok(false),
        _ => Err(SignatureFault::Value("i")),
    }
}

/// Writes a signature's own field as it is signed: in its form, with nothing behind `b=`, without line end (RFC 6376 §3.7).
/// `header` is what the field was found in. Nothing if it has no `b=`.
pub fn unsigned_field(header: &[u8], field: &Field<'_>, form: Form, out: &mut Vec<u8>) {
    let Some(place) = Tags::parse(field.value).ok().and_then(|tags| tags.place("b")) else { return };
    let whole = without_end(sub(header, field.whole.clone()));
    let start = whole.len().saturating_sub(field.value.len());
    let (from, to) = (start.saturating_add(place.start), start.saturating_add(place.end));
    let stripped = [sub(whole, 0..from), sub(whole, to..whole.len())].concat();
    match form {
        Form::Relaxed => relax_field(&stripped, out),
        Form::Simple => out.extend_from_slice(&stripped),
    }
}
