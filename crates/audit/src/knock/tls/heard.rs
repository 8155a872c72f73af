//! A server's first flight, read: records, handshake messages, alerts. What comes is hostile.

use super::suites::{self, Suite};
use super::{KnockError, Version};

/// How much of a flight is wanted before it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The server's first message.
    Hello,
    /// Up to its part of the key exchange, where there is one in clear: before TLS 1.3.
    Exchange,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An alert, by its number (RFC 8446 §6); none if the connection was closed without one.
    Refused(Option<u8>),
    /// It agrees.
    Agreed(Box<ServerHello>),
}

/// What a server picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The version, its extension counted.
    pub version: u16,
    /// The suite.
    pub suite: u16,
    /// The way of compression; 0 is none.
    pub compression: u8,
    /// Of TLS 1.3: the group that it wants a share of.
    pub group: Option<u16>,
    /// Whether it knows secure renegotiation (RFC 5746).
    pub secure_renegotiation: bool,
    /// Whether the master secret is bound to the handshake (RFC 7627).
    pub extended_master_secret: bool,
    /// Its certificates, DER, where they come in clear.
    pub certificates: Vec<Vec<u8>>,
    /// Its part of the key exchange, where it comes in clear.
    pub exchange: Option<Exchange>,
    /// Whether it has said all that it says now.
    pub is_done: bool,
}

/// A server's part of a key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// On a curve or hybrid group, signed so (`None` before TLS 1.2).
    Curve {
        /// The group.
        group: u16,
        /// RFC 8446 §4.2.3.
        signature: Option<u16>,
    },
    /// With a prime of so many bits.
    Prime {
        /// Its length.
        bits: usize,
        /// RFC 8446 §4.2.3.
        signature: Option<u16>,
    },
}

impl ServerHello {
    /// Whether more of the flight is to come that is wanted.
    pub(super) fn is_partial(&self, want: Want) -> bool {
        let in_clear = self.version < Version::TLS13.0;
        want == Want::Exchange && in_clear && self.exchange.is_none() && !self.is_done
    }
}

impl Heard {
    /// What was agreed on, if it is this version.
    pub fn agreed(self, version: Version) -> Option<ServerHello> {
        match self {
            Heard::Agreed(hello) if hello.version == version.0 => Some(*hello),
            _ => None,
        }
    }
}

const ODD: KnockError = KnockError::Odd("what it says is no TLS");

/// Bytes of which parts are taken.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number: usize, byte| number.wrapping_shl(8) | usize::from(*byte)))
    }
    fn word(&mut self) -> Option<u16> {
        self.number(2).and_then(|word| u16::try_from(word).ok())
    }
    /// What a length of so many bytes stands before.
    fn counted(&mut self, bytes: usize) -> Option<Reader<'a>> {
        let count = self.number(bytes)?;
        self.take(count).map(Reader)
    }
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads what has come so far of a flight; `None`: nothing can be told yet. What comes after encryption begins isn't read.
///
/// # Errors
/// [`KnockError::Odd`] if it is no TLS.
pub fn read(bytes: &[u8]) -> Result<Option<Heard>, KnockError> {
    let mut reader = Reader(bytes);
    let mut handshake = Vec::new();
    let mut alert = None;
    while let Some((kind, body)) = record(&mut reader)? {
        match kind {
            // A warning (level 1) about a name that isn't known is no refusal (RFC 6066 §3).
            21 if body.first() == Some(&2) || body.get(1) == Some(&0) => {
                alert = body.get(1).copied();
                break;
            }
            21 => {}
            22 => handshake.extend_from_slice(body),
            // From here on it is encrypted.
            _ => break,
        }
    }
    let hello = flight(&handshake)?;
    Ok(match (hello, alert) {
        (Some(hello), None) => Some(Heard::Agreed(Box::new(hello))),
        (Some(hello), Some(_)) if hello.is_done => Some(Heard::Agreed(Box::new(hello))),
        (_, Some(alert)) => Some(Heard::Refused(Some(alert))),
        (None, None) => None,
    })
}

/// The next record, whole: its type and its content.
fn record<'a>(reader: &mut Reader<'a>) -> Result<Option<(u8, &'a [u8])>, KnockError> {
    let start = reader.0;
    let Some(&[kind, major, _, high, low]) = reader.take(5) else {
        // What has come of it must look like one.
        let looks =
            start.first().is_none_or(|kind| (20..=24).contains(kind)) && start.get(1).is_none_or(|major| *major == 3);
        return if looks { Ok(None) } else { Err(ODD) };
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    // RFC 8446 §5.2: 2^14 + 256 at most; older ones may have 2048 more.
    if !(20..=24).contains(&kind) || major != 3 || length > 18_432 {
        return Err(ODD);
    }
    Ok(reader.take(length).map(|body| (kind, body)))
}

/// The messages of a flight that are whole.
fn flight(bytes: &[u8]) -> Result<Option<ServerHello>, KnockError> {
    let mut reader = Reader(bytes);
    let mut found: Option<ServerHello> = None;
    while let Some(kind) = reader.take(1).and_then(<[u8]>::first).copied() {
        let Some(body) = reader.counted(3) else { break };
        match (kind, &mut found) {
            (2, None) => found = Some(server_hello(body).ok_or(ODD)?),
            (11, Some(hello)) => hello.certificates = certificates(body).ok_or(ODD)?,
            (12, Some(hello)) => {
                let suite = suites::find(hello.suite);
                hello.exchange = suite.and_then(|suite| exchange(body, suite, hello.version));
            }
            (14, Some(hello)) => hello.is_done = true,
            (_, None) => return Err(ODD),
            _ => {}
        }
    }
    Ok(found)
}

fn server_hello(mut reader: Reader<'_>) -> Option<ServerHello> {
    let mut hello = ServerHello { version: reader.word()?, ..ServerHello::default() };
    let _random = reader.take(32)?;
    let _session = reader.counted(1)?;
    hello.suite = reader.word()?;
    hello.compression = u8::try_from(reader.number(1)?).ok()?;
    if reader.is_empty() {
        return Some(hello);
    }
    let mut extensions = reader.counted(2)?;
    while !extensions.is_empty() {
        let kind = extensions.word()?;
        let mut body = extensions.counted(2)?;
        match kind {
            43 => hello.version = body.word()?,
            51 => hello.group = Some(body.word()?),
            23 => hello.extended_master_secret = true,
            0xff01 => hello.secure_renegotiation = true,
            _ => {}
        }
    }
    Some(hello)
}

fn certificates(mut reader: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = reader.counted(3)?;
    let mut all = Vec::new();
    while !list.is_empty() && all.len() < mailward_core::limits::KNOCK_CHAIN_MAX {
        all.push(list.counted(3)?.0.to_vec());
    }
    Some(all)
}

fn exchange(mut reader: Reader<'_>, suite: &Suite, version: u16) -> Option<Exchange> {
    let signed = suite.is_signed() && version == Version::TLS12.0;
    if suite.has_curve() {
        // RFC 8422 §5.4: a named curve.
        if reader.number(1)? != 3 {
            return None;
        }
        let group = reader.word()?;
        let _point = reader.counted(1)?;
        let signature = if signed { Some(reader.word()?) } else { None };
        return Some(Exchange::Curve { group, signature });
    }
    let prime = reader.counted(2)?.0;
    let _generator = reader.counted(2)?;
    let _public = reader.counted(2)?;
    let significant = prime.iter().skip_while(|byte| **byte == 0).count();
    let leading = prime.iter().find(|byte| **byte != 0).map_or(0, |byte| byte.leading_zeros());
    let bits = significant.saturating_mul(8).saturating_sub(usize::try_from(leading).unwrap_or(0));
    let signature = if signed { Some(reader.word()?) } else { None };
    Some(Exchange::Prime { bits, signature })
}
