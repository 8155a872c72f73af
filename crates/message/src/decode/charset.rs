//! Charsets, by the WHATWG's tables: what browsers and mail programs mean by a name.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Text of bytes in a charset; what the charset lacks becomes U+FFFD. US-ASCII, no name and unknown names (UTF-7 is
/// one) mean UTF-8 if the bytes are that, otherwise windows-1252.
#[must_use]
pub fn charset(name: Option<&str>, bytes: &[u8]) -> String {
    if bytes.is_ascii()
        && name.is_none_or(is_ascii_superset)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return text.to_owned();
    }
    let named = name.filter(|n| !is_ascii(n)).and_then(|n| Encoding::for_label_no_replacement(n.trim().as_bytes()));
    let encoding = match named {
        Some(encoding) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    };
    encoding.decode_with_bom_removal(bytes).0.into_owned()
}

fn is_ascii(name: &str) -> bool {
    let name = name.trim();
    name.eq_ignore_ascii_case("us-ascii") || name.eq_ignore_ascii_case("ascii")
}

/// Whether ASCII bytes mean themselves in it, for the charsets that nearly all mail is in.
fn is_ascii_superset(name: &str) -> bool {
    let name = name.trim();
    is_ascii(name)
        || name.eq_ignore_ascii_case("utf-8")
        || name.get(..9).is_some_and(|n| n.eq_ignore_ascii_case("iso-8859-"))
        || name.get(..8).is_some_and(|n| n.eq_ignore_ascii_case("windows-"))
}
