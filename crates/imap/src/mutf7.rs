//! Modified UTF-7 (RFC 3501 §5.1.3): how mailbox names look on an IMAP4rev1 wire. Decoding is strict: exactly one
//! wire form for each name (attacks G9), so that two spellings can't be two mailboxes.

/// Why a name isn't modified UTF-7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mutf7Error {
    /// A byte outside printable ASCII.
    #[error("mailbox names are sent in modified UTF-7; a byte outside printable ASCII stands in it")]
    Byte,
    /// A shift that doesn't end, doesn't decode to UTF-16, or has stray bits.
    #[error("the mailbox name isn't modified UTF-7")]
    Shift,
    /// A shift that needn't be there.
    #[error("the mailbox name isn't in the shortest modified UTF-7")]
    NotCanonical,
}

/// Decodes a name or a pattern. What it answers, [`encode`] turns into the same bytes again.
///
/// # Errors
/// [`Mutf7Error`].
pub fn decode(wire: &[u8]) -> Result<String, Mutf7Error> {
    let mut out = String::with_capacity(wire.len());
    let mut bytes = wire.iter().copied();
    // Two shifts side by side could be one.
    let mut after_shift = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'&' => {
                let shifted: Vec<u8> = take_shift(&mut bytes)?;
                if shifted.is_empty() {
                    out.push('&');
                    after_shift = false;
                    continue;
                }
                if after_shift {
                    return Err(Mutf7Error::NotCanonical);
                }
                push_utf16(&mut out, &shifted)?;
                after_shift = true;
            }
            b' '..=b'~' => {
                out.push(char::from(byte));
                after_shift = false;
            }
            _ => return Err(Mutf7Error::Byte),
        }
    }
    Ok(out)
}

/// The 6-bit values up to the `-` that ends the shift.
fn take_shift(bytes: &mut impl Iterator<Item = u8>) -> Result<Vec<u8>, Mutf7Error> {
    let mut values = Vec::new();
    for byte in bytes {
        values.push(match byte {
            b'-' => return Ok(values),
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b',' => 63,
            _ => return Err(Mutf7Error::Shift),
        });
    }
    Err(Mutf7Error::Shift)
}

fn push_utf16(out: &mut String, values: &[u8]) -> Result<(), Mutf7Error> {
    let mut units = Vec::with_capacity(values.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for value in values {
        bits = (bits << 6) | u32::from(*value);
        held = held.saturating_add(6);
        if held >= 16 {
            held = held.saturating_sub(16);
            // The lowest 16 bits of the shifted value are meant.
            units.push(u16::try_from((bits >> held) & 0xffff).unwrap_or(0));
            bits &= (1u32 << held).saturating_sub(1);
        }
    }
    // Up to 5 bits of zero fill the last 6-bit value.
    if held >= 6 || bits != 0 {
        return Err(Mutf7Error::Shift);
    }
    for c in char::decode_utf16(units) {
        match c {
            Ok(' '..='~') => return Err(Mutf7Error::NotCanonical),
            Ok(c) => out.push(c),
            Err(_) => return Err(Mutf7Error::Shift),
        }
    }
    Ok(())
}

/// Encodes a name.
#[must_use]
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted = String::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            end_shift(&mut out, &mut shifted);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            shifted.push(c);
        }
    }
    end_shift(&mut out, &mut shifted);
    out
}

fn end_shift(out: &mut String, shifted: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    if shifted.is_empty() {
        return;
    }
    let symbol =
        |value: u32| usize::try_from(value & 63).ok().and_then(|v| ALPHABET.get(v)).map_or('A', |b| char::from(*b));
    out.push('&');
    let (mut bits, mut held) = (0u32, 0u32);
    for unit in shifted.encode_utf16() {
        bits = (bits << 16) | u32::from(unit);
        held = held.saturating_add(16);
        while held >= 6 {
            held = held.saturating_sub(6);
            out.push(symbol(bits >> held));
        }
        bits &= (1u32 << held).saturating_sub(1);
    }
    if held > 0 {
        out.push(symbol(bits << 6u32.saturating_sub(held)));
    }
    out.push('-');
    shifted.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rfc_s_example_decodes() {
        assert_eq!(decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-").as_deref(), Ok("~peter/mail/台北/日本語"));
        assert_eq!(decode(b"Entw&APw-rfe").as_deref(), Ok("Entwürfe"));
        assert_eq!(decode(b"R&-D").as_deref(), Ok("R&D"));
        assert_eq!(encode("R&D"), "R&-D");
        assert_eq!(encode("😀"), "&2D3eAA-");
        assert_eq!(decode(b"&2D3eAA-").as_deref(), Ok("😀"));
    }

    #[test]
    fn every_name_has_one_wire_form_only() {
        for (wire, why) in [
            (&b"&"[..], Mutf7Error::Shift),
            (b"&AOQ", Mutf7Error::Shift),
            (b"&AO-", Mutf7Error::Shift),
            (b"&AOR-", Mutf7Error::Shift),
            (b"&AAAA-", Mutf7Error::Shift),
            (b"&2D0-", Mutf7Error::Shift),
            (b"&3gDYPQ-", Mutf7Error::Shift),
            (b"&A/Q-", Mutf7Error::Shift),
            (b"&AGE-", Mutf7Error::NotCanonical),
            (b"&AC8-", Mutf7Error::NotCanonical),
            (b"&AOQ-&AOQ-", Mutf7Error::NotCanonical),
            (b"a\r\nb", Mutf7Error::Byte),
            (b"a\0", Mutf7Error::Byte),
            ("ä".as_bytes(), Mutf7Error::Byte),
        ] {
            assert_eq!(decode(wire), Err(why), "{:?}", String::from_utf8_lossy(wire));
        }
    }

    proptest! {
        #[test]
        fn names_come_back_the_same(name in "\\PC{0,40}") {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Ok(name));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(wire in "[&A-Za-z0-9+,\\- /]{0,30}") {
            if let Ok(name) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&name), wire);
            }
        }

        #[test]
        fn nothing_makes_it_panic(wire in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&wire);
        }
    }
}
