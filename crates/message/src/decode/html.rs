//! Text of HTML, to search in and to show in one line. No page is built: one pass, nothing kept but where it is.

use memchr::{memchr, memchr2, memmem};

/// Longest name of a character reference that is looked for, bytes.
const REFERENCE_MAX: usize = 10;

/// Text of HTML: tags, comments, scripts and styles gone, blocks parted by line ends, character references resolved
/// (the numeric ones and the commonest names), runs of blanks made one.
#[must_use]
pub fn html_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = memchr2(b'<', b'&', rest.as_bytes()) {
        add(&mut text, rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        rest = if rest.starts_with('&') { reference(rest, &mut text) } else { tag(rest, &mut text) };
    }
    add(&mut text, rest);
    text.truncate(text.trim_end().len());
    text
}

/// Adds text, each run of blanks as one space; none at a line's start.
fn add(text: &mut String, more: &str) {
    for character in more.chars() {
        if character.is_ascii_whitespace() || character == '\u{a0}' {
            if !text.ends_with([' ', '\n']) && !text.is_empty() {
                text.push(' ');
            }
        } else {
            text.push(character);
        }
    }
}

fn line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Steps over what starts with `<`.
fn tag<'h>(at: &'h str, text: &mut String) -> &'h str {
    let after = |n: usize| at.get(n..).unwrap_or_default();
    let bytes = at.as_bytes();
    match bytes.get(1) {
        Some(b'!') if at.starts_with("<!--") => {
            // `<!-->` is a whole comment, too. Without an end it lasts to the document's, as for a browser.
            return memmem::find(after(2).as_bytes(), b"-->").map_or("", |end| after(end.saturating_add(5)));
        }
        Some(b'!' | b'?') => return memchr(b'>', bytes).map_or("", |end| after(end.saturating_add(1))),
        Some(b'/') => {}
        Some(byte) if byte.is_ascii_alphabetic() => {}
        _ => {
            text.push('<');
            return after(1);
        }
    }
    let closing = bytes.get(1) == Some(&b'/');
    let name_start = if closing { 2 } else { 1 };
    let name = bytes.get(name_start..).unwrap_or_default();
    let name_len = name.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..name_len).unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name));
    if is(&[
        "p",
        "br",
        "div",
        "tr",
        "li",
        "ul",
        "ol",
        "table",
        "blockquote",
        "pre",
        "hr",
        "title",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    ]) {
        line(text);
    } else if is(&["td", "th"]) {
        add(text, " ");
    }
    let rest = after(tag_end(bytes));
    if !closing && is(&["script", "style"]) {
        return raw_end(rest, name);
    }
    rest
}

/// Where a tag ends: after the first `>` that no quotes hold; at the document's end without one.
fn tag_end(tag: &[u8]) -> usize {
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in tag.iter().enumerate() {
        match (quote, *byte) {
            (None, b'>') => return at.saturating_add(1),
            // A quote opens only a value; elsewhere it is noise.
            (None, b'"' | b'\'') if before == b'=' => quote = Some(*byte),
            (Some(open), byte) if byte == open => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = *byte;
        }
    }
    tag.len()
}

/// What follows a script or a style: its end tag, or nothing.
fn raw_end<'h>(content: &'h str, name: &[u8]) -> &'h str {
    let bytes = content.as_bytes();
    for at in memmem::find_iter(bytes, b"</") {
        let start = at.saturating_add(2);
        if bytes.get(start..start.saturating_add(name.len())).is_some_and(|n| n.eq_ignore_ascii_case(name)) {
            return content.get(at..).unwrap_or_default();
        }
    }
    ""
}

/// Steps over what starts with `&`.
fn reference<'h>(at: &'h str, text: &mut String) -> &'h str {
    let bytes = at.as_bytes();
    let near = bytes.get(1..bytes.len().min(REFERENCE_MAX.saturating_add(2))).unwrap_or_default();
    let resolved = memchr(b';', near).and_then(|end| {
        let name = at.get(1..end.saturating_add(1))?;
        let character = match name.strip_prefix('#') {
            Some(number) => {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code).filter(|c| *c != '\0').unwrap_or('\u{fffd}')
            }
            None => named(name)?,
        };
        Some((character, end.saturating_add(2)))
    });
    match resolved {
        Some((character, len)) => {
            add(text, character.encode_utf8(&mut [0; 4]));
            at.get(len..).unwrap_or_default()
        }
        None => {
            text.push('&');
            at.get(1..).unwrap_or_default()
        }
    }
}

/// The commonest of HTML's two thousand names.
fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "hellip" => '…',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "laquo" => '«',
        "raquo" => '»',
        "bull" => '•',
        "middot" => '·',
        "euro" => '€',
        "pound" => '£',
        "deg" => '°',
        "sect" => '§',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "Uuml" => 'Ü',
        "szlig" => 'ß',
        "eacute" => 'é',
        "egrave" => 'è',
        "ecirc" => 'ê',
        "agrave" => 'à',
        "aacute" => 'á',
        "acirc" => 'â',
        "ccedil" => 'ç',
        "iacute" => 'í',
        "oacute" => 'ó',
        "ocirc" => 'ô',
        "uacute" => 'ú',
        "ugrave" => 'ù',
        "ntilde" => 'ñ',
        "oslash" => 'ø',
        "aring" => 'å',
        "aelig" => 'æ',
        "zwnj" => '\u{200c}',
        "shy" => '\u{ad}',
        _ => return None,
    })
}
