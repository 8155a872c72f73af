//! xtext, RFC 3461 §4: printable ASCII in which `+HH` stands for a byte.

/// Decodes xtext. The result is printable ASCII without spaces at most: a decoded control character, which could
/// make lines of its own in a header or a DSN (attacks A4), is no xtext to us, nor is a byte over 126.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'+' => {
                let high = hex(bytes.next()?)?;
                let low = hex(bytes.next()?)?;
                (high << 4) | low
            }
            b'=' => return None,
            other => other,
        };
        if !matches!(plain, b' '..=b'~') || (plain == b' ' && byte != b'+') {
            return None;
        }
        decoded.push(char::from(plain));
    }
    Some(decoded)
}

/// Encodes printable text; what isn't printable ASCII is left out, as [`decode`] would refuse it.
#[must_use]
pub fn encode(text: &str) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '+' | '=' | ' ' => {
                let byte = u32::from(c);
                encoded.push('+');
                for nibble in [byte >> 4, byte & 15] {
                    encoded.extend(usize::try_from(nibble).ok().and_then(|n| HEX.get(n)));
                }
            }
            '!'..='~' => encoded.push(c),
            _ => {}
        }
    }
    encoded
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.saturating_sub(b'0')),
        // Lower case isn't by the letter of RFC 3461, but some write it and it can mean nothing else.
        b'A'..=b'F' => Some(digit.saturating_sub(b'A').saturating_add(10)),
        b'a'..=b'f' => Some(digit.saturating_sub(b'a').saturating_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hidden_line_ends_are_no_xtext() {
        for bad in ["a+0D+0Ab", "+00", "+7F", "+80", "+", "+4", "+4G", "a=b", "a b", "a\r\n", "ä"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        assert_eq!(decode("QQ+2B1+3D+20x").as_deref(), Some("QQ+1= x"));
    }

    proptest! {
        #[test]
        fn printable_text_comes_back_the_same(text in "[ -~]{0,100}") {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,100}") {
            let _ = decode(&text);
        }
    }
}
