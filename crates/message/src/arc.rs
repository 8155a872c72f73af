//! ARC (RFC 8617): the sets that servers on the way put before a message, and how they hang together. Nothing here checks a
//! signature; `inspect` does.

use crate::bytes::{sub, trim};
use crate::dkim::signature::instance;
use crate::dkim::{ChainStatus, Kind, Signature, SignatureFault, Tags, relax_field};
use crate::header::{self, Field};
use mailward_core::limits::ARC_SETS_MAX;

/// A set: what a server found out, its signature of the message, and its seal.
#[derive(Clone, Debug)]
pub struct ArcSet<'h> {
    /// `ARC-Authentication-Results`.
    pub results: Field<'h>,
    /// `ARC-Message-Signature`.
    pub message: Field<'h>,
    /// The same, read.
    pub message_signature: Signature,
    /// `ARC-Seal`.
    pub seal: Field<'h>,
    /// The same, read.
    pub seal_signature: Signature,
}

/// What stands before a message.
#[derive(Clone, Debug)]
pub enum ArcChain<'h> {
    /// Nothing.
    None,
    /// Sets 1 to `limits::ARC_SETS_MAX`, in order, that may hold; none says that it doesn't.
    Sets(Vec<ArcSet<'h>>),
    /// The last seal says that the chain was broken before: nobody seals any more (RFC 8617 §5.1).
    Ended {
        /// The number of the last set.
        highest: u32,
    },
    /// It can't hold.
    Broken {
        /// The highest number that a set has; 0 if none can be read.
        highest: u32,
        /// Why.
        why: ArcFault,
    },
}

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArcFault {
    /// A field of a set has no number, or one past `limits::ARC_SETS_MAX`.
    #[error("a set has no number from 1 to {ARC_SETS_MAX}")]
    Number,
    /// RFC 8617 §5.2: numbers from 1 on without gap, three fields each.
    #[error("a set isn't whole, or is there twice")]
    Sets,
    /// A signature or seal can't be read.
    #[error("set {0}: {1}")]
    Signature(u32, SignatureFault),
    /// The first seal says `none`, the others `pass`.
    #[error("set {0} says of the chain before it what can't be")]
    Status(u32),
}

/// Whether a field is one of ARC's three; `name` in any case.
#[must_use]
pub fn is_arc(name: &[u8]) -> bool {
    ["arc-seal", "arc-message-signature", "arc-authentication-results"]
        .iter()
        .any(|arc| name.eq_ignore_ascii_case(arc.as_bytes()))
}

/// The three fields of a number.
#[derive(Default)]
struct Slot<'h> {
    results: Option<Field<'h>>,
    message: Option<Field<'h>>,
    seal: Option<Field<'h>>,
}

impl<'h> ArcChain<'h> {
    /// Reads the sets of a header of at most `limits::HEADER_BYTES_MAX`, which the caller sees to.
    #[must_use]
    pub fn of(header: &'h [u8]) -> Self {
        let mut slots: Vec<Slot<'h>> = Vec::new();
        let mut fault = None;
        let mut any = false;
        for field in header::fields(header) {
            if !is_arc(field.name) {
                continue;
            }
            any = true;
            let Some(number) = number(&field) else {
                fault = fault.or(Some(ArcFault::Number));
                continue;
            };
            // The number is at most ARC_SETS_MAX.
            let at = usize::try_from(number).unwrap_or(0).saturating_sub(1);
            if slots.len() <= at {
                slots.resize_with(at.saturating_add(1), Slot::default);
            }
            let Some(slot) = slots.get_mut(at) else { continue };
            let place = if field.is("arc-seal") {
                &mut slot.seal
            } else if field.is("arc-message-signature") {
                &mut slot.message
            } else {
                &mut slot.results
            };
            if place.replace(field).is_some() {
                fault = fault.or(Some(ArcFault::Sets));
            }
        }
        if !any {
            return Self::None;
        }
        let highest = u32::try_from(slots.len()).unwrap_or(0);
        let last = slots.last().and_then(|slot| slot.seal.as_ref());
        if last.is_some_and(|seal| says_fail(seal)) {
            return Self::Ended { highest };
        }
        match fault.map_or_else(|| sets(slots), Err) {
            Ok(sets) => Self::Sets(sets),
            Err(why) => Self::Broken { highest, why },
        }
    }

    /// The number of the next set; none if nobody may add one.
    #[must_use]
    pub fn next(&self) -> Option<u32> {
        let highest = match self {
            Self::None => 0,
            Self::Sets(sets) => u32::try_from(sets.len()).unwrap_or(ARC_SETS_MAX),
            Self::Broken { highest, .. } => *highest,
            Self::Ended { .. } => return None,
        };
        Some(highest.saturating_add(1)).filter(|next| *next <= ARC_SETS_MAX)
    }
}

fn sets(slots: Vec<Slot<'_>>) -> Result<Vec<ArcSet<'_>>, ArcFault> {
    let mut sets = Vec::with_capacity(slots.len());
    for (number, slot) in (1u32..).zip(slots) {
        let (Some(results), Some(message), Some(seal)) = (slot.results, slot.message, slot.seal) else {
            return Err(ArcFault::Sets);
        };
        let read = |kind, field: &Field<'_>| {
            Signature::parse(kind, field.value).map_err(|fault| ArcFault::Signature(number, fault))
        };
        let seal_signature = read(Kind::ArcSeal, &seal)?;
        let due = if number == 1 { ChainStatus::None } else { ChainStatus::Pass };
        if seal_signature.chain != Some(due) {
            return Err(ArcFault::Status(number));
        }
        sets.push(ArcSet {
            message_signature: read(Kind::ArcMessage, &message)?,
            results,
            message,
            seal,
            seal_signature,
        });
    }
    Ok(sets)
}

fn says_fail(seal: &Field<'_>) -> bool {
    Tags::parse(seal.value).is_ok_and(|tags| tags.get("cv").is_some_and(|cv| cv.eq_ignore_ascii_case("fail")))
}

/// `i=` of any of the three; the results begin with it (RFC 8617 §4.1.1).
fn number(field: &Field<'_>) -> Option<u32> {
    if field.is("arc-authentication-results") {
        let first = field.value.split(|b| *b == b';').next()?;
        let at = memchr::memchr(b'=', first)?;
        let (name, value) = (trim(sub(first, 0..at)), trim(sub(first, at.saturating_add(1)..first.len())));
        return std::str::from_utf8(value).ok().filter(|_| name == b"i").and_then(instance);
    }
    instance(Tags::parse(field.value).ok()?.get("i")?)
}

/// Writes what a set adds to what seals sign (RFC 8617 §5.1.1): its three fields in the relaxed form, results, message
/// signature, seal, each with CRLF at its end. `header` is what the chain was read from.
pub fn relax_set(header: &[u8], set: &ArcSet<'_>, out: &mut Vec<u8>) {
    for field in [&set.results, &set.message, &set.seal] {
        relax_field(sub(header, field.whole.clone()), out);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
