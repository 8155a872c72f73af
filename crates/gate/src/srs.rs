//! Rewritten senders (the Sender Rewriting Scheme, SRS): a message that is forwarded goes out from an address of ours, or
//! the sender's SPF record would refuse it; what comes back to that address goes to the sender.
//!
//! The form is that of the SRS drafts and libsrs2, so that others' tools understand it:
//! `SRS0=HASH=TT=their.example=local@ours`, and `SRS1=HASH=first.example==…@ours` for what somebody rewrote before: a bounce
//! then goes straight to who rewrote it first. The hash covers all of it, our domain too; nobody else can write one. That of
//! SRS1, which has no date in its form, covers the day as well: it is looked for among the days that count. A
//! sender that has no room in a local part is kept in the store under a name that is a hash of it.

use mailward_core::limits::{SRS_HASH_CHARS, SRS_KEPT_CHARS, SRS_TIME};
use mailward_core::{Address, Domain, Host, LocalPart, Secret, Timestamp};
use mailward_vault::{SrsKey, VaultError};

/// Rewrites senders, and reads them back. Made from the server's secret; the same secret reads what it wrote.
#[derive(Debug)]
pub struct Srs(SrsKey);

/// A sender, rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// It stands in the address.
    Whole(Address),
    /// It has no room there: it is to be kept under this name for `limits::SRS_TIME`, before the address is used.
    Kept {
        /// What the message goes out from.
        address: Address,
        /// Letters and digits.
        name: String,
    },
    /// Nothing can come back to it, as it names a host by its number: the null path.
    Null,
}

/// What an address of ours says that [`Srs`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// The sender.
    Original(Address),
    /// The name under which it is kept.
    Kept(String),
}

/// Why an address is none that we wrote, or none that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SrsFault {
    /// The hash isn't ours.
    Forged,
    /// Written longer ago than `limits::SRS_TIME`.
    Expired,
}

/// Stands where the domain would, of a sender that is kept; nobody's (RFC 6761 §6.4).
const KEPT: &str = "kept.invalid";
/// Digits of the day: base 32, two of them, so that days come again after 1,024.
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const DAYS: i64 = 1_024;

impl Srs {
    /// With the server's secret.
    ///
    /// # Errors
    /// [`VaultError::Cipher`], which should not happen.
    pub fn new(server: &Secret) -> Result<Self, VaultError> {
        SrsKey::new(server).map(Self)
    }

    /// The address that a message of `sender` goes out from, at a domain of ours.
    #[must_use]
    pub fn rewrite(&self, sender: &Address, ours: &Domain, now: Timestamp) -> Rewritten {
        let Some(domain) = sender.domain() else { return Rewritten::Null };
        let local = sender.local().as_str();
        let whole = match shape(local) {
            Some(Shape::First(rest)) => self.again(ours, now, domain.as_str(), rest),
            Some(Shape::Again { domain, rest, .. }) => self.again(ours, now, domain, rest),
            None => self.first(ours, now, domain.as_str(), local),
        };
        if let Some(address) = whole {
            return Rewritten::Whole(address);
        }
        let name = self.name(sender);
        match self.first(ours, now, KEPT, &name) {
            Some(address) => Rewritten::Kept { address, name },
            None => Rewritten::Null,
        }
    }

    /// Reads an address of ours back; `None` if it hasn't the form, whoever it is.
    pub(crate) fn read(&self, address: &Address, now: Timestamp) -> Option<Result<Returned, SrsFault>> {
        let ours = address.domain()?;
        let local = address.local().as_str();
        match shape(local)? {
            Shape::First(rest) => {
                let mut parts = rest.get(1..)?.splitn(4, '=');
                let (hash, day, domain, local) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
                let then = day_of(day)?;
                if !self.0.verifies(&["srs0", ours.as_str(), day, domain, local], SRS_HASH_CHARS, hash) {
                    return Some(Err(SrsFault::Forged));
                }
                let age = today(now).saturating_sub(then).rem_euclid(DAYS);
                if age > longest() {
                    return Some(Err(SrsFault::Expired));
                }
                if domain.eq_ignore_ascii_case(KEPT) {
                    return Some(Ok(Returned::Kept(local.to_ascii_uppercase())));
                }
                Some(written(local, domain).map(Returned::Original).ok_or(SrsFault::Forged))
            }
            Shape::Again { hash, domain, rest } => {
                let of = |ago: i64| {
                    let day = day(today(now).saturating_sub(ago).rem_euclid(DAYS));
                    self.0.verifies(&["srs1", ours.as_str(), &day, domain, rest], SRS_HASH_CHARS, hash)
                };
                // Of another day, or by somebody else: it is nobody's either way.
                if !(0..=longest()).any(of) {
                    return Some(Err(SrsFault::Forged));
                }
                Some(written(&format!("SRS0{rest}"), domain).map(Returned::Original).ok_or(SrsFault::Forged))
            }
        }
    }

    /// Whether a sender is the one that is kept under this name.
    pub(crate) fn is_kept(&self, name: &str, sender: &Address) -> bool {
        self.0.verifies(&["kept", &sender.to_string()], SRS_KEPT_CHARS, name)
    }

    fn name(&self, sender: &Address) -> String {
        self.0.proof(&["kept", &sender.to_string()], SRS_KEPT_CHARS)
    }

    fn first(&self, ours: &Domain, now: Timestamp, domain: &str, local: &str) -> Option<Address> {
        let day = day(today(now));
        let hash = self.0.proof(&["srs0", ours.as_str(), &day, domain, local], SRS_HASH_CHARS);
        written(&format!("SRS0={hash}={day}={domain}={local}"), ours.as_str())
    }

    fn again(&self, ours: &Domain, now: Timestamp, domain: &str, rest: &str) -> Option<Address> {
        let day = day(today(now));
        let hash = self.0.proof(&["srs1", ours.as_str(), &day, domain, rest], SRS_HASH_CHARS);
        written(&format!("SRS1={hash}={domain}={rest}"), ours.as_str())
    }
}

/// A local part that somebody rewrote.
enum Shape<'a> {
    /// Once: what stands behind `SRS0`, its separator first.
    First(&'a str),
    /// Again: who rewrote it first, and what stood behind `SRS0` there.
    Again { hash: &'a str, domain: &'a str, rest: &'a str },
}

fn shape(local: &str) -> Option<Shape<'_>> {
    let (tag, rest) = local.split_at_checked(4)?;
    if !rest.starts_with(['=', '+', '-']) {
        return None;
    }
    if tag.eq_ignore_ascii_case("SRS0") {
        return Some(Shape::First(rest)).filter(|_| rest.len() > 1);
    }
    if !tag.eq_ignore_ascii_case("SRS1") {
        return None;
    }
    let mut parts = rest.get(1..)?.splitn(3, '=');
    let (hash, domain, rest) = (parts.next()?, parts.next()?, parts.next()?);
    rest.starts_with(['=', '+', '-']).then_some(Shape::Again { hash, domain, rest })
}

/// An address whose local part means this text. None if it is too long or can't be one.
fn written(local: &str, domain: &str) -> Option<Address> {
    let plain = Some(local).filter(|local| !local.starts_with('"')).and_then(|l| LocalPart::parse(l, true).ok());
    let quoted = || {
        let escaped = local.replace('\\', "\\\\").replace('"', "\\\"");
        LocalPart::parse(&format!("\"{escaped}\""), true).ok()
    };
    let address = Address::new(plain.or_else(quoted)?, Host::Domain(Domain::parse(domain).ok()?));
    // Once more as a whole: an address has a limit of its own.
    Address::parse(&address.to_string(), true).ok()
}

/// Days that an address counts.
fn longest() -> i64 {
    i64::try_from(SRS_TIME.as_secs().div_euclid(86_400)).unwrap_or(0)
}

fn today(now: Timestamp) -> i64 {
    now.secs().div_euclid(86_400).rem_euclid(DAYS)
}

fn day(number: i64) -> String {
    let digit = |value: i64| DIGITS.get(usize::try_from(value & 31).unwrap_or(0)).map(|digit| char::from(*digit));
    [digit(number >> 5), digit(number)].into_iter().flatten().collect()
}

fn day_of(text: &str) -> Option<i64> {
    let digit =
        |byte: u8| DIGITS.iter().position(|d| d.eq_ignore_ascii_case(&byte)).and_then(|at| i64::try_from(at).ok());
    match text.as_bytes() {
        [high, low] => Some(digit(*high)? << 5 | digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
