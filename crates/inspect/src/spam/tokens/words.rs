//! Words of a text.

/// Longest word that is taken as it is, bytes. Longer ones are no words: of them the beginning and the length are taken.
const WORD_MAX: usize = 40;

/// A word: small letters, and how it was written.
pub(super) struct Word<'t> {
    lower: &'t [u8],
    shouted: bool,
}

impl Word<'_> {
    /// In small letters, UTF-8.
    pub(super) const fn lower(&self) -> &[u8] {
        self.lower
    }
    /// Whether it was written in capitals alone, three at least.
    pub(super) const fn is_shouted(&self) -> bool {
        self.shouted
    }
}

/// What a character is to words.
const fn belongs(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'\'' | b'$' | b'!' | b'%' | b'-' | b'_' | b'#')
}

/// Calls for each word. Writings without blanks (Han, kana, Thai and the like) give each character as a word of its own.
pub(super) fn each(text: &str, mut call: impl FnMut(Word<'_>)) {
    let bytes = text.as_bytes();
    let mut at = 0usize;
    let mut lower = [0u8; WORD_MAX + 4];
    while let Some(start) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| belongs(*byte))) {
        let start = at.saturating_add(start);
        let rest = bytes.get(start..).unwrap_or_default();
        let len = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        at = start.saturating_add(len);
        let word = rest.get(..len).unwrap_or_default();
        if word.is_ascii() {
            ascii(word, &mut lower, &mut call);
        } else {
            // Cut at bytes of ASCII: whole characters.
            other(text.get(start..at).unwrap_or_default(), &mut call);
        }
    }
}

fn ascii(word: &[u8], lower: &mut [u8; WORD_MAX + 4], call: &mut impl FnMut(Word<'_>)) {
    let word = word.trim_ascii_end();
    let word = trim(word);
    if word.is_empty() {
        return;
    }
    let kept = word.get(..WORD_MAX).unwrap_or(word);
    let (mut capitals, mut small) = (0usize, 0usize);
    for (to, from) in lower.iter_mut().zip(kept) {
        capitals = capitals.saturating_add(usize::from(from.is_ascii_uppercase()));
        small = small.saturating_add(usize::from(from.is_ascii_lowercase()));
        *to = from.to_ascii_lowercase();
    }
    let mut len = kept.len();
    if word.len() > WORD_MAX {
        // A beginning and how long: keys, encoded bytes, words without blanks.
        len = 6;
        if let Some(to) = lower.get_mut(len) {
            *to = u8::try_from((word.len() / 16).min(200)).unwrap_or_default();
        }
        len = len.saturating_add(1);
    }
    call(Word { lower: lower.get(..len).unwrap_or_default(), shouted: capitals >= 3 && small == 0 });
}

/// Without dashes and quotes around it.
fn trim(mut word: &[u8]) -> &[u8] {
    while let [b'\'' | b'-' | b'_', rest @ ..] | [rest @ .., b'\'' | b'-' | b'_'] = word {
        word = rest;
    }
    word
}

fn other(text: &str, call: &mut impl FnMut(Word<'_>)) {
    let mut word = String::new();
    let (mut capitals, mut small) = (0usize, 0usize);
    let mut flush = |word: &mut String, capitals: &mut usize, small: &mut usize| {
        if !word.is_empty() {
            call(Word { lower: word.as_bytes(), shouted: *capitals >= 3 && *small == 0 });
        }
        word.clear();
        (*capitals, *small) = (0, 0);
    };
    for character in text.chars() {
        if is_alone(character) {
            flush(&mut word, &mut capitals, &mut small);
            word.push(character);
            flush(&mut word, &mut capitals, &mut small);
        } else if character.is_alphanumeric() || character.is_ascii() {
            if character.is_uppercase() {
                capitals = capitals.saturating_add(1);
            } else if character.is_lowercase() {
                small = small.saturating_add(1);
            }
            if word.len() < WORD_MAX {
                word.extend(character.to_lowercase());
            }
        } else if !is_invisible(character) {
            flush(&mut word, &mut capitals, &mut small);
            // A picture, an arrow, a mark: tells something by itself.
            word.push(character);
            flush(&mut word, &mut capitals, &mut small);
        }
    }
    flush(&mut word, &mut capitals, &mut small);
}

/// Writings that put no blanks between words.
const fn is_alone(character: char) -> bool {
    matches!(character, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// What tears words apart for filters and shows nothing to people.
pub(in crate::spam) const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
