//! The text that pages show: strings in letters, or in numbers of glyphs whose meaning the font tells.

use super::glyphs::Glyphs;
use super::tokens::{self, digits, string};
use crate::bytes::{from, head, holds, tail};
use mailward_core::limits::SCAN_TEXT_MAX;
use std::collections::{BTreeSet, HashMap};

/// How far a string is moved away before a blank is seen, thousandths of the font's size.
const BLANK: u32 = 200;
/// How much higher or lower is still the same line.
const SAME_LINE: f64 = 0.5;
/// Longest number that is read.
const NUMBER_MAX: usize = 32;
/// What a piece counts beside its bytes.
const PIECE: usize = 8;
/// Fonts of one name whose maps are tried on a page: pages may call different fonts by one name.
const READINGS_MAX: usize = 4;
/// Fonts of one name among which these are chosen.
const CANDIDATES_MAX: usize = 16;
/// Bytes of a page's strings that are read with each of them to choose.
const SAMPLE_MAX: usize = 4 * 1024;
/// The same for a whole document, each font counted.
const TRIED_MAX: usize = 1024 * 1024;

/// A page's text, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// From here on a font of this name.
    Font(Vec<u8>),
    /// Another line.
    Line,
    /// So far to the right that it is a blank.
    Blank,
    /// Somewhere else on the line: a blank, or a letter that is put nearer to the one before.
    Along,
    /// A string.
    String(Vec<u8>),
}

/// Takes a page's content apart, as far as it holds text. Reads it once, and strings without an end a few times at most. What is kept
/// is taken from `left`: bytes, and [`PIECE`] for each piece.
pub(super) fn pieces(content: &[u8], left: &mut usize) -> Vec<Piece> {
    let mut out = Vec::new();
    if !holds(content, b"BT") {
        return out;
    }
    let (mut rest, mut name, mut in_array) = (content, Vec::new(), false);
    let mut waste = content.len().saturating_mul(4);
    let matters = |b: &u8| matches!(b, b'(' | b'<' | b'B' | b'T' | b'c' | b'/' | b'[' | b']' | b'-');
    let mut keep = |piece: Piece, len: usize| {
        let enough = left.checked_sub(len.saturating_add(PIECE));
        *left = enough.unwrap_or_default();
        if enough.is_some() {
            out.push(piece);
        }
    };
    let mut place = Place::default();
    while let Some(at) = rest.iter().position(matters) {
        let before = head(content, content.len().saturating_sub(rest.len()).saturating_add(at));
        let after = from(rest, at.saturating_add(1));
        let mut read = None;
        match (rest.get(at), after.first()) {
            (Some(b'('), _) if waste > 0 => {
                read = string(after);
                if read.is_none() {
                    waste = waste.saturating_sub(tokens::STRING_MAX.min(after.len()));
                }
            }
            (Some(b'<'), _) => read = digits(after),
            (Some(b'T'), Some(b'f')) => {
                let name = std::mem::take(&mut name);
                let len = name.len();
                keep(Piece::Font(name), len);
            }
            (Some(b'T'), Some(b'd' | b'D')) => place.moves(place.at + number_before(before)),
            (Some(b'T'), Some(b'm')) => place.moves(number_before(before)),
            (Some(b'T'), Some(b'*')) | (Some(b'c'), Some(b'm')) => place.elsewhere = true,
            (Some(b'B'), Some(b'T')) => place.at = 0.0,
            (Some(b'/'), _) => {
                let len;
                (name, len) = tokens::name(after);
                rest = from(after, len);
                continue;
            }
            (Some(b'['), _) => in_array = true,
            (Some(b']'), _) => in_array = false,
            (Some(b'-'), _) if in_array => {
                let digits = after.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
                let moved = std::str::from_utf8(head(after, digits)).ok().and_then(|n| n.parse::<u32>().ok());
                if moved.is_some_and(|moved| moved >= BLANK) {
                    keep(Piece::Blank, 0);
                }
            }
            _ => {}
        }
        rest = match read {
            Some((raw, len)) => {
                if !raw.is_empty() {
                    if let Some(piece) = place.shows() {
                        keep(piece, 0);
                    }
                    let len = raw.len();
                    keep(Piece::String(raw), len);
                }
                from(after, len)
            }
            None => after,
        };
    }
    out
}

/// Where text stands, as far as it tells lines.
#[derive(Debug, Default)]
struct Place {
    /// How high, in whatever units the page has.
    at: f64,
    /// How high the string before stood.
    shown_at: f64,
    moved: bool,
    /// It isn't known how far from the string before.
    elsewhere: bool,
}

impl Place {
    fn moves(&mut self, to: f64) {
        (self.at, self.moved) = (to, true);
    }

    /// A string is shown here: what parts it from the one before.
    fn shows(&mut self) -> Option<Piece> {
        let is_line = std::mem::take(&mut self.elsewhere) || (self.at - self.shown_at).abs() > SAME_LINE;
        let moved = std::mem::take(&mut self.moved);
        self.shown_at = self.at;
        if is_line { Some(Piece::Line) } else { moved.then_some(Piece::Along) }
    }
}

/// The number before an operator, its last operand; 0 where none stands.
fn number_before(before: &[u8]) -> f64 {
    let near = tail(before, NUMBER_MAX);
    let word = near.rsplit(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    let digits = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+');
    let word = if word.iter().all(digits) { word } else { b"" };
    std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// The fonts of a document: which objects a name calls, which map a font has, and what the maps say.
#[derive(Debug, Default)]
pub(super) struct Fonts {
    /// Objects by the names that are given them anywhere.
    pub(super) called: HashMap<Vec<u8>, BTreeSet<u64>>,
    /// The map's object, by the font's.
    pub(super) map_of: HashMap<u64, u64>,
    /// Maps by their objects.
    pub(super) maps: HashMap<u64, Glyphs>,
}

impl Fonts {
    /// The maps of each name, once for all pages: the references are gone through once.
    pub(super) fn named(&self) -> Named<'_> {
        let maps = |fonts: &BTreeSet<u64>| {
            let maps = fonts.iter().filter_map(|font| self.maps.get(self.map_of.get(font)?));
            maps.take(CANDIDATES_MAX).collect::<Vec<&Glyphs>>()
        };
        let maps = self.called.iter().map(|(name, fonts)| (name.as_slice(), maps(fonts)));
        Named { maps: maps.filter(|(_, maps)| !maps.is_empty()).collect(), tries: TRIED_MAX }
    }
}

/// The maps that a name may mean.
#[derive(Debug)]
pub(super) struct Named<'f> {
    maps: HashMap<&'f [u8], Vec<&'f Glyphs>>,
    /// Bytes that may still be read to see which map fits best; then their order stays.
    tries: usize,
}

impl<'f> Named<'f> {
    /// The maps of fonts of a name, those first that explain most of how the page's strings begin.
    fn fitting(&mut self, name: &[u8], strings: &[&[u8]]) -> Vec<&'f Glyphs> {
        let Some(maps) = self.maps.get(name) else { return Vec::new() };
        let mut maps = maps.clone();
        if maps.len() > 1 {
            let (mut tried, mut left) =
                (Vec::new(), SAMPLE_MAX.min(self.tries.checked_div(maps.len()).unwrap_or_default()));
            for string in strings {
                let string = head(string, left);
                left = left.saturating_sub(string.len());
                self.tries = self.tries.saturating_sub(string.len().saturating_mul(maps.len()));
                tried.push(string);
                if left == 0 {
                    break;
                }
            }
            maps.sort_by_cached_key(|map| {
                tried.iter().map(|string| map.read(string, &mut String::new())).fold(0, usize::saturating_add)
            });
        }
        maps.truncate(READINGS_MAX);
        maps
    }

    /// What a page says, in every reading: where one name may be several fonts, each gives one, and where it isn't known whether
    /// there is a blank, there is one and there is none. None is longer than `limits::SCAN_TEXT_MAX` and a string.
    pub(super) fn readings(&mut self, page: &[Piece]) -> Vec<String> {
        let mut by_font: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        let mut font: &[u8] = b"";
        for piece in page {
            match piece {
                Piece::Font(name) => font = name,
                Piece::String(raw) => by_font.entry(font).or_default().push(raw),
                Piece::Line | Piece::Blank | Piece::Along => {}
            }
        }
        let maps: HashMap<&[u8], Vec<&Glyphs>> =
            by_font.iter().map(|(name, strings)| (*name, self.fitting(name, strings))).collect();
        let most = maps.values().map(Vec::len).max().unwrap_or_default().max(1);
        let along = if page.contains(&Piece::Along) { &[false, true][..] } else { &[false] };
        let mut readings: Vec<String> = Vec::new();
        for number in 0..most {
            for along_is_blank in along {
                let reading = one_reading(page, *along_is_blank, |name| {
                    let maps = maps.get(name)?;
                    maps.get(number).or_else(|| maps.last()).copied()
                });
                if !readings.contains(&reading) {
                    readings.push(reading);
                }
            }
        }
        readings
    }
}

fn one_reading<'f>(page: &[Piece], along_is_blank: bool, map: impl Fn(&[u8]) -> Option<&'f Glyphs>) -> String {
    let (mut out, mut line, mut blank, mut glyphs) = (String::new(), false, false, None);
    for piece in page {
        if out.len() >= SCAN_TEXT_MAX {
            break;
        }
        let text = match piece {
            Piece::Font(name) => {
                glyphs = map(name);
                continue;
            }
            Piece::Line => {
                line = true;
                continue;
            }
            Piece::Blank | Piece::Along => {
                blank |= along_is_blank || *piece == Piece::Blank;
                continue;
            }
            Piece::String(raw) => match glyphs {
                Some(glyphs) => {
                    let mut text = String::new();
                    glyphs.read(raw, &mut text);
                    text
                }
                None if in_letters(raw) => crate::bytes::windows(raw),
                None => continue,
            },
        };
        if text.is_empty() {
            continue;
        }
        let (line, blank) = (std::mem::take(&mut line), std::mem::take(&mut blank));
        if line && !out.is_empty() {
            out.push('\n');
        } else if blank
            && !out.is_empty()
            && !out.ends_with(char::is_whitespace)
            && !text.starts_with(char::is_whitespace)
        {
            out.push(' ');
        }
        out.push_str(&text);
    }
    out
}

fn in_letters(raw: &[u8]) -> bool {
    raw.iter().all(|b| matches!(b, 9 | 10 | 13 | 0x20..=0x7e | 0xa0..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::PDF_SHOWN_MAX;

    #[test]
    fn no_reading_is_longer_than_text_may_be_and_one_string() {
        // Each code means 32 letters.
        let map = format!("begincmap beginbfchar <01> <{}> endbfchar endcmap", "0041".repeat(32));
        let mut fonts = Fonts::default();
        fonts.called.insert(b"F1".to_vec(), [3].into());
        fonts.map_of.insert(3, 4);
        fonts.maps.insert(4, Glyphs::of(map.as_bytes(), &mut 10));
        let shown = format!("BT /F1 9 Tf {} ET", "(\u{1}\u{1}\u{1}\u{1}) Tj ".repeat(PDF_SHOWN_MAX / 16));
        let page = pieces(shown.as_bytes(), &mut PDF_SHOWN_MAX.clone());
        let longest = fonts.named().readings(&page).iter().map(String::len).max().unwrap();
        assert!((SCAN_TEXT_MAX..SCAN_TEXT_MAX + 4 * 32).contains(&longest), "{longest}");
    }
}
