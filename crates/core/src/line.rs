//! Lines of words: what rules of every kind are written in.

/// A quotation mark that isn't closed, or that stands where none may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quotation mark isn't closed")]
pub struct Unclosed;

/// Words between spaces; within quotation marks a space is a character as others are, and so is what stands behind a
/// backslash.
///
/// # Errors
/// [`Unclosed`].
pub fn words(text: &str) -> Result<Vec<&str>, Unclosed> {
    let mut words = Vec::new();
    let (mut begin, mut quoted, mut escaped) = (None, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                words.extend(begin.take().and_then(|begin| text.get(begin..at)));
                continue;
            }
            _ => {}
        }
        begin.get_or_insert(at);
    }
    if quoted {
        return Err(Unclosed);
    }
    words.extend(begin.and_then(|begin| text.get(begin..)));
    Ok(words)
}

/// What stands between quotation marks, backslashes taken off.
///
/// # Errors
/// [`Unclosed`].
pub fn unquoted(word: &str) -> Result<String, Unclosed> {
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).ok_or(Unclosed)?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            // Two quoted strings that touch.
            '"' => return Err(Unclosed),
            '\\' => text.push(chars.next().ok_or(Unclosed)?),
            c => text.push(c),
        }
    }
    Ok(text)
}

/// A text in quotation marks, as [`unquoted`] takes it.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}
