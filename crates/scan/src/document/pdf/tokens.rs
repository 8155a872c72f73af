//! What PDF's text is made of.

use crate::bytes::{from, head, holds};

/// Longest string that is read as one.
pub(super) const STRING_MAX: usize = 64 * 1024;
/// Longest name, bytes; ISO 32000-1 Annex C has 127.
const NAME_MAX: usize = 256;

/// A token that matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `<<`
    Open,
    /// `>>`
    Close,
    /// A name without its slash, escapes resolved.
    Name(Vec<u8>),
    /// A string, escapes resolved.
    String(Vec<u8>),
    /// A number without a sign.
    Number(u64),
}

/// The tokens of bytes. Strings that don't end are passed over as if their parenthesis weren't there, so that none hides what
/// comes after it; as often as costs no more than reading everything a few times.
pub(super) fn tokens(bytes: &[u8]) -> impl Iterator<Item = Token> + '_ {
    let mut at = 0_usize;
    let mut waste = bytes.len().saturating_mul(4);
    std::iter::from_fn(move || {
        loop {
            let byte = *bytes.get(at)?;
            let start = at;
            at = at.saturating_add(1);
            match byte {
                b'/' => {
                    let (name, len) = name(from(bytes, at));
                    at = at.saturating_add(len);
                    return Some(Token::Name(name));
                }
                b'(' if waste > 0 => match string(from(bytes, at)) {
                    Some((text, len)) => {
                        at = at.saturating_add(len);
                        return Some(Token::String(text));
                    }
                    None => waste = waste.saturating_sub(STRING_MAX.min(bytes.len().saturating_sub(start))),
                },
                b'<' if bytes.get(at) == Some(&b'<') => {
                    at = at.saturating_add(1);
                    return Some(Token::Open);
                }
                b'>' if bytes.get(at) == Some(&b'>') => {
                    at = at.saturating_add(1);
                    return Some(Token::Close);
                }
                b'<' => {
                    if let Some((text, len)) = digits(from(bytes, at)) {
                        at = at.saturating_add(len);
                        return Some(Token::String(text));
                    }
                }
                b'%' => {
                    let rest = from(bytes, at);
                    at = at.saturating_add(rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len()));
                }
                b'0'..=b'9' => {
                    let rest = from(bytes, start);
                    let len = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
                    at = start.saturating_add(len);
                    let value = std::str::from_utf8(head(rest, len)).ok().and_then(|n| n.parse().ok());
                    return Some(Token::Number(value.unwrap_or(u64::MAX)));
                }
                _ => {}
            }
        }
    })
}

/// A name behind its slash, escapes resolved, and how long it was.
pub(super) fn name(bytes: &[u8]) -> (Vec<u8>, usize) {
    let len = bytes
        .iter()
        .take(NAME_MAX)
        .position(|b| {
            b.is_ascii_whitespace()
                || matches!(b, 0 | b'/' | b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'%')
        })
        .unwrap_or(bytes.len().min(NAME_MAX));
    let raw = head(bytes, len);
    let mut out = Vec::with_capacity(len);
    let mut at = 0_usize;
    while let Some(byte) = raw.get(at) {
        let code = crate::bytes::part(raw, at.saturating_add(1), 2)
            .filter(|_| *byte == b'#')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(*byte));
        at = at.saturating_add(if code.is_some() { 3 } else { 1 });
    }
    (out, len)
}

/// A string behind its parenthesis, and how long it was. None: it has no end nearby, or an object ends within it.
pub(super) fn string(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let near = head(bytes, STRING_MAX);
    let (mut out, mut depth, mut at) = (Vec::new(), 0_usize, 0_usize);
    loop {
        let byte = *near.get(at)?;
        at = at.saturating_add(1);
        match byte {
            b'(' => depth = depth.saturating_add(1),
            b')' if depth == 0 => break,
            b')' => depth = depth.saturating_sub(1),
            b'\\' => {
                let escaped = *near.get(at)?;
                at = at.saturating_add(1);
                match escaped {
                    b'n' => out.push(b'\n'),
                    b'r' | b'\r' | b'\n' => {}
                    b't' => out.push(b'\t'),
                    b'0'..=b'7' => {
                        let mut code = u32::from(escaped.wrapping_sub(b'0'));
                        for _ in 0..2 {
                            let Some(digit @ b'0'..=b'7') = near.get(at) else { break };
                            code = code.wrapping_mul(8).wrapping_add(u32::from(digit.wrapping_sub(b'0')));
                            at = at.saturating_add(1);
                        }
                        out.push(u8::try_from(code & 0xff).unwrap_or_default());
                    }
                    other => out.push(other),
                }
                continue;
            }
            _ => {}
        }
        out.push(byte);
    }
    (!holds(head(near, at), b"endobj")).then_some((out, at))
}

/// A string in digits behind its `<`.
pub(super) fn digits(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let near = head(bytes, STRING_MAX);
    let (mut out, mut high) = (Vec::new(), None);
    for (at, byte) in near.iter().enumerate() {
        match char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok()) {
            Some(digit) => match high.take() {
                Some(first) => out.push(first << 4_u8 | digit),
                None => high = Some(digit),
            },
            None if *byte == b'>' => return Some((out, at.saturating_add(1))),
            None if byte.is_ascii_whitespace() => {}
            None => return None,
        }
    }
    None
}

/// Text of a string: UTF-16 by its mark, otherwise one byte a character.
pub(super) fn string_text(raw: &[u8]) -> String {
    match raw {
        [0xfe, 0xff, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        _ => crate::bytes::windows(raw),
    }
}

/// The names in a dictionary, in order.
pub(super) struct Names(Vec<Vec<u8>>);

impl Names {
    /// Of a dictionary's bytes.
    pub(super) fn of(dictionary: &[u8]) -> Self {
        Self(
            tokens(dictionary)
                .filter_map(|token| match token {
                    Token::Name(name) => Some(name),
                    _ => None,
                })
                .collect(),
        )
    }

    /// Whether a name is among them.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.0.iter().any(|n| n == name)
    }

    /// Those behind `Filter`.
    pub(super) fn filters(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .skip_while(|n| !matches!(n.as_slice(), b"Filter" | b"F"))
            .skip(1)
            .map(Vec::as_slice)
            .take_while(|n| n.ends_with(b"Decode") || matches!(*n, b"Fl" | b"AHx" | b"A85" | b"LZW" | b"RL" | b"Crypt"))
    }
}
