//! Files that a page brings along in letters and puts together for its reader (HTML smuggling): `data:` URLs, base64,
//! digits, numbers, escapes.

use crate::bytes::{find, from, head, holds};
use crate::contents::{Trait, Wrapping};
use crate::document::Look;
use crate::kind::{self, Family, Kind};
use mailward_core::limits::{PAGE_BASE64_MIN, PAGE_NUMBERS_MIN};
use mailward_message::decode;

/// Bytes before a `data:` URL's comma.
const DATA_HEAD_MAX: usize = 200;
/// Bytes between two pieces of a string that are joined.
const JOINT_MAX: usize = 32;
/// Shortest line of base64 that the next one continues.
const LINE_MIN: usize = 40;
/// Shortest run of escapes that is looked at.
const ESCAPES_MIN: usize = 64;

pub(super) fn look(text: &str, has_script: bool, look: &mut Look<'_>) {
    let bytes = text.as_bytes();
    let lower = bytes.to_ascii_lowercase();
    if has_script && hands_over(&lower) {
        look.remark(Trait::Smuggles);
    }
    let is_reversed = has_script && holds(&lower, b"reverse(");
    data_urls(bytes, &lower, look);
    base64_runs(bytes, is_reversed, look);
    if has_script {
        numbers(bytes, look);
        for (start, escape) in [(&b"%3c"[..], &b"%"[..]), (b"\\x3c", b"\\x"), (b"\\u003c", b"\\u00")] {
            escapes(bytes, &lower, start, escape, look);
        }
    }
}

/// Whether a script makes a file and hands it over.
fn hands_over(lower: &[u8]) -> bool {
    let any = |words: &[&[u8]]| words.iter().any(|w| holds(lower, w));
    if any(&[b"mssaveblob", b"mssaveoropenblob"]) {
        return true;
    }
    let makes = any(&[b"new blob", b"blob([", b"new file(", b"\"blob\"", b"'blob'", b"uint8array"]);
    let addresses = any(&[b"createobjecturl", b"readasdataurl", b"data:application/", b"filesaver"]);
    let hands = any(&[b"download", b".click(", b"location", b"saveas("]);
    makes && addresses && hands
}

/// What bytes that were found in a page are: nothing, a file, or a file that nobody puts into a page without intent.
fn give(bytes: Vec<u8>, look: &mut Look<'_>) -> bool {
    let kind = kind::of(&bytes);
    let is_file = match kind.family() {
        Family::Media => !kind::others_of(kind, &bytes).is_empty(),
        Family::Text | Family::Other => false,
        // A drawing is a picture, unless it acts.
        Family::Page if kind == Kind::Svg => is_active(&bytes),
        Family::Crypto => kind == Kind::Pkcs7,
        _ => true,
    };
    if is_file {
        look.remark(Trait::Smuggles);
        look.inner(Vec::new(), bytes, Wrapping::Inline);
    }
    is_file
}

fn is_active(drawing: &[u8]) -> bool {
    let lower = drawing.to_ascii_lowercase();
    [&b"<script"[..], b"onload", b"onclick", b"onbegin", b"javascript:", b"foreignobject"]
        .iter()
        .any(|word| holds(&lower, word))
}

fn data_urls(bytes: &[u8], lower: &[u8], look: &mut Look<'_>) {
    // Those without base64 end where nothing says so: what one has taken isn't taken again.
    let mut done = 0_usize;
    for at in memchr::memmem::find_iter(lower, b"data:") {
        let rest = from(lower, at.saturating_add(5));
        let near = head(rest, DATA_HEAD_MAX);
        let Some(comma) = memchr::memchr(b',', near) else { continue };
        let kind = head(near, comma);
        if !kind.iter().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'/' | b'+' | b'-' | b'.' | b';' | b'=' | b'"' | b' ' | b'_' | b'%')
        }) {
            continue;
        }
        // A type has a slash; without base64 one must be there: people write `data:` before other things.
        let essence = kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        let is_type = essence.contains(&b'/') && !essence.contains(&b' ');
        if !is_type && !holds(kind, b"base64") {
            continue;
        }
        let data = from(bytes, at.saturating_add(6).saturating_add(comma));
        if holds(kind, b"base64") {
            let (letters, _) = base64_run(data);
            if letters.len() >= 16 {
                let decoded = decode::base64(&letters);
                look.count(decoded.len());
                give(decoded, look);
            }
        } else if at >= done {
            let end = data.iter().position(|b| matches!(b, b'"' | b'\'' | b'`' | b'>' | b' ')).unwrap_or(data.len());
            done = bytes.len().saturating_sub(data.len()).saturating_add(end);
            let decoded = percent_decoded(head(data, end), b"%");
            look.count(decoded.len());
            // A page as an address: whoever opens it runs its scripts.
            if holds(kind, b"html") || holds(kind, b"xml") && is_active(&decoded) {
                look.remark_if(is_active(&decoded), Trait::Smuggles);
                look.inner(Vec::new(), decoded, Wrapping::Inline);
            } else {
                give(decoded, look);
            }
        }
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Letters of base64 from here on, pieces of strings joined, and how many bytes they took.
fn base64_run(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut letters = Vec::new();
    let (mut at, mut line) = (0_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b if is_letter(*b) => {
                letters.push(match b {
                    b'-' => b'+',
                    b'_' => b'/',
                    other => *other,
                });
                line = line.saturating_add(1);
                at = at.saturating_add(1);
            }
            b'=' => {
                letters.push(b'=');
                at = at.saturating_add(1);
            }
            b'\r' | b'\n' | b'\\' | b' ' | b'\t' if line >= LINE_MIN => {
                let blanks = from(bytes, at)
                    .iter()
                    .take(JOINT_MAX)
                    .take_while(|b| b.is_ascii_whitespace() || **b == b'\\')
                    .count();
                let piece = head(from(bytes, at), blanks);
                // A blank alone parts words, a line's end doesn't.
                if !piece.contains(&b'\n') && !piece.contains(&b'\r')
                    || !bytes.get(at.saturating_add(blanks)).is_some_and(|b| is_letter(*b) || *b == b'=')
                {
                    break;
                }
                at = at.saturating_add(blanks);
                line = 0;
            }
            b'"' | b'\'' | b'`' => match joint(from(bytes, at)) {
                Some(len) => at = at.saturating_add(len),
                None => break,
            },
            _ => break,
        }
    }
    (letters, at)
}

/// `"+"`, `', '` and the like: how long what joins two strings is.
fn joint(bytes: &[u8]) -> Option<usize> {
    let near = head(bytes, JOINT_MAX);
    let quote = near.first()?;
    let rest = from(near, 1);
    let blanks = |from_here: usize| from(rest, from_here).iter().take_while(|b| b.is_ascii_whitespace()).count();
    let sign = blanks(0);
    if !matches!(rest.get(sign), Some(b'+' | b',')) {
        return None;
    }
    let next = sign.saturating_add(1);
    let next = next.saturating_add(blanks(next));
    (rest.get(next) == Some(quote)).then(|| next.saturating_add(2))
}

fn base64_runs(bytes: &[u8], is_reversed: bool, look: &mut Look<'_>) {
    let mut at = 0_usize;
    while at < bytes.len() {
        let rest = from(bytes, at);
        let Some(start) = rest.iter().position(|b| is_letter(*b)) else { return };
        // Most words are short: they are passed over without a copy.
        let word = from(rest, start).iter().take_while(|b| is_letter(**b)).count();
        at = at.saturating_add(start);
        if word < 16 {
            at = at.saturating_add(word);
            continue;
        }
        let (letters, len) = base64_run(from(bytes, at));
        let is_data = bytes.get(..at).is_some_and(|before| before.ends_with(b"base64,"));
        at = at.saturating_add(len.max(1));
        if letters.len() < PAGE_BASE64_MIN || is_data {
            continue;
        }
        if letters.iter().all(u8::is_ascii_hexdigit) {
            let decoded = digits(&letters);
            look.count(decoded.len());
            if give(decoded, look) {
                continue;
            }
        }
        let decoded = decode::base64(&letters);
        look.count(decoded.len());
        if !give(decoded, look) && is_reversed {
            let turned: Vec<u8> = letters.iter().rev().copied().skip_while(|b| *b == b'=').collect();
            give(decode::base64(&turned), look);
        }
    }
}

fn digits(letters: &[u8]) -> Vec<u8> {
    letters
        .chunks_exact(2)
        .filter_map(|pair| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()))
        .collect()
}

/// Numbers below 256 with commas between, in tens or in sixteens.
fn numbers(bytes: &[u8], look: &mut Look<'_>) {
    let mut found: Vec<u8> = Vec::new();
    let mut at = 0_usize;
    while at < bytes.len() {
        let rest = from(bytes, at);
        let is_hex = crate::bytes::has_any_case(rest, 0, b"0x");
        let start = if is_hex { 2 } else { 0 };
        let len = from(rest, start)
            .iter()
            .take(4)
            .take_while(|b| if is_hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() })
            .count();
        let number = std::str::from_utf8(head(from(rest, start), len)).ok().filter(|_| (1..4).contains(&len));
        let number = number.and_then(|n| u8::from_str_radix(n, if is_hex { 16 } else { 10 }).ok());
        if let Some(number) = number {
            found.push(number);
            let after = from(rest, start.saturating_add(len));
            let blanks = after.iter().take(JOINT_MAX).take_while(|b| b.is_ascii_whitespace() || **b == b',').count();
            let is_comma = head(after, blanks).contains(&b',');
            at = at.saturating_add(start).saturating_add(len).saturating_add(blanks);
            if is_comma {
                continue;
            }
        } else {
            at = at.saturating_add(start.saturating_add(len).max(1));
        }
        if found.len() >= PAGE_NUMBERS_MIN {
            look.count(found.len());
            give(std::mem::take(&mut found), look);
        }
        found.clear();
    }
    if found.len() >= PAGE_NUMBERS_MIN {
        give(found, look);
    }
}

/// A page in escapes, as `unescape` and scripts' strings have it: from its first `<` to the end of the string.
fn escapes(bytes: &[u8], lower: &[u8], start: &[u8], escape: &[u8], look: &mut Look<'_>) {
    let mut at = 0_usize;
    while let Some(found) = find(from(lower, at), start) {
        let begin = at.saturating_add(found);
        let rest = from(bytes, begin);
        let end = rest.iter().position(|b| matches!(b, b'"' | b'\'' | b'`')).unwrap_or(rest.len());
        at = begin.saturating_add(end).saturating_add(1);
        if end < ESCAPES_MIN {
            continue;
        }
        let decoded = percent_decoded(head(rest, end), escape);
        if kind::of(&decoded).family() == Family::Page {
            look.inner(Vec::new(), decoded, Wrapping::Inline);
        }
    }
}

/// Bytes with escapes of two digits, resolved.
fn percent_decoded(bytes: &[u8], escape: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0_usize;
    while let Some(byte) = bytes.get(at) {
        let code = Some(at.saturating_add(escape.len()))
            .filter(|_| crate::bytes::has_any_case(bytes, at, escape))
            .and_then(|place| crate::bytes::part(bytes, place, 2))
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(*byte));
        at = at.saturating_add(if code.is_some() { escape.len().saturating_add(2) } else { 1 });
    }
    out
}
