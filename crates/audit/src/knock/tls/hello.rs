//! The first message of a client, as bytes.

use super::{GROUPS, Version, Want};

/// What is offered.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The only version that is offered.
    pub version: Version,
    /// The suites, in order of preference.
    pub suites: &'a [u16],
    /// The groups; empty: all that we know.
    pub groups: &'a [u16],
    /// Ways of compression (RFC 3749).
    pub compression: &'a [u8],
    /// Ways to sign, in order of preference (RFC 8446 §4.2.3).
    pub signatures: &'a [u16],
    /// What the handshake ended with, on our side, that this one goes on from (RFC 5746 §3.5); nothing in a first one.
    pub goes_on_from: &'a [u8],
    /// How much of the answer is wanted.
    pub want: Want,
}

/// SHA-256 and better with ECDSA, RSA and Ed25519, then what old servers have.
pub(super) const SIGNATURES: [u16; 13] =
    [0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201, 0x0202];

impl<'a> Hello<'a> {
    /// The usual: no compression, everything else.
    pub const fn new(version: Version, suites: &'a [u16]) -> Self {
        Self {
            version,
            suites,
            groups: &[],
            compression: &[0],
            signatures: &SIGNATURES,
            goes_on_from: &[],
            want: Want::Hello,
        }
    }

    /// The record with the message. `name` is asked for (RFC 6066 §3) unless it is an address.
    pub fn bytes(&self, name: &str, random: [u8; 32]) -> Vec<u8> {
        let mut body = Vec::new();
        // RFC 8446 §4.1.2: what is asked for stands in an extension, and the old place has 1.2.
        let legacy = if self.version == Version::TLS13 { Version::TLS12 } else { self.version };
        body.extend_from_slice(&legacy.0.to_be_bytes());
        body.extend_from_slice(&random);
        // A session to resume that nobody has: what goes between expects one (RFC 8446 appendix D.4).
        with_length_8(&mut body, if self.version == Version::TLS13 { &random } else { &[] });
        // RFC 5746 §3.4: among the suites stands the word for secure renegotiation, in a first handshake.
        let is_first = self.version != Version::TLS13 && self.goes_on_from.is_empty();
        with_length_16(&mut body, &words(self.suites.iter().copied().chain(is_first.then_some(0x00ff))));
        with_length_8(&mut body, self.compression);
        // SSL 3.0 has no extensions.
        if self.version != Version::SSL3 {
            with_length_16(&mut body, &self.extensions(name));
        }
        let mut message = vec![1];
        message.extend(u32::try_from(body.len()).unwrap_or(0).to_be_bytes().iter().skip(1));
        message.extend_from_slice(&body);
        // RFC 8446 §5.1: the first record says 1.0, or older servers don't read it.
        let outer = if self.version == Version::SSL3 { Version::SSL3 } else { Version::TLS10 };
        let mut record = vec![22];
        record.extend_from_slice(&outer.0.to_be_bytes());
        with_length_16(&mut record, &message);
        record
    }

    fn extensions(&self, name: &str) -> Vec<u8> {
        let mut all = Vec::new();
        if !name.is_empty() && name.is_ascii() && name.parse::<std::net::IpAddr>().is_err() {
            let mut one = vec![0];
            with_length_16(&mut one, name.as_bytes());
            extension(&mut all, 0, &listed_16(&one));
        }
        let every: Vec<u16> = GROUPS.iter().map(|(id, _)| *id).collect();
        let groups = if self.groups.is_empty() { &every } else { self.groups };
        extension(&mut all, 10, &listed_16(&words(groups.iter().copied())));
        extension(&mut all, 13, &listed_16(&words(self.signatures.iter().copied())));
        if self.version == Version::TLS13 {
            extension(&mut all, 43, &[2, 3, 4]);
            // No share: the server says which group it wants one of.
            extension(&mut all, 51, &[0, 0]);
        } else {
            // RFC 8422 §5.1.2, RFC 7627 §5.1, RFC 5746 §3.4.
            extension(&mut all, 11, &[1, 0]);
            extension(&mut all, 23, &[]);
            let mut proof = Vec::new();
            with_length_8(&mut proof, self.goes_on_from);
            extension(&mut all, 0xff01, &proof);
        }
        all
    }
}

fn words(numbers: impl Iterator<Item = u16>) -> Vec<u8> {
    numbers.flat_map(u16::to_be_bytes).collect()
}

fn listed_16(bytes: &[u8]) -> Vec<u8> {
    let mut list = Vec::new();
    with_length_16(&mut list, bytes);
    list
}

fn extension(to: &mut Vec<u8>, kind: u16, body: &[u8]) {
    to.extend_from_slice(&kind.to_be_bytes());
    with_length_16(to, body);
}

/// Lists of ours are short; one that isn't would be cut.
fn with_length_16(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend(bytes.iter().take(usize::from(length)));
}

fn with_length_8(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    to.push(length);
    to.extend(bytes.iter().take(usize::from(length)));
}
