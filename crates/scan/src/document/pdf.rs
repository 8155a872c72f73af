//! PDF (ISO 32000-2), read from the beginning to the end without its table of references, which is often damaged on purpose:
//! every object and every stream is met that is there, whether anything leads to it or not.

mod filters;
mod glyphs;
mod shown;
mod tokens;

use super::Look;
use crate::bytes::{find, from, has, head, holds, tail, upto};
use crate::contents::{Trait, Wrapping};
use glyphs::Glyphs;
use mailward_core::limits::{PDF_GLYPHS_MAX, PDF_OBJECTS_MAX, PDF_SHOWN_MAX};
use shown::{Fonts, Piece};
use std::collections::HashMap;
use tokens::{Names, Token, string_text, tokens};

/// Bytes before a stream in which its dictionary is looked for.
const DICTIONARY_MAX: usize = 16 * 1024;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let mut reader = Reader {
        names: HashMap::new(),
        files: Vec::new(),
        encrypted: holds(bytes, b"/Encrypt"),
        fonts: Fonts::default(),
        references: 0,
        glyphs_left: PDF_GLYPHS_MAX,
        pages: Vec::new(),
        shown_left: PDF_SHOWN_MAX,
    };
    let mut at = 0_usize;
    for number in 0.. {
        if number >= PDF_OBJECTS_MAX {
            look.room.short = true;
            break;
        }
        let Some(start) = next_stream(bytes, at) else { break };
        let before = upto(bytes, at, start.saturating_sub(at));
        reader.objects(before, None, look);
        let dictionary = tail(before, DICTIONARY_MAX);
        let begin = memchr::memmem::rfind(dictionary, b" obj").unwrap_or_default();
        let own = object_number(head(dictionary, begin));
        let dictionary = from(dictionary, begin);
        let data = from(bytes, data_start(bytes, start));
        let data = head(data, data_len(dictionary, data));
        reader.stream(own, dictionary, data, look);
        at = data_start(bytes, start).saturating_add(data.len()).max(start.saturating_add(6));
    }
    reader.objects(from(bytes, at), None, look);
    let mut named = reader.fonts.named();
    for page in &reader.pages {
        if look.text_room() == 0 {
            break;
        }
        for reading in named.readings(page) {
            look.text(&reading);
        }
    }
    look.remark_if(reader.encrypted, Trait::Encrypted);
    for (number, file) in reader.files {
        let names = number.and_then(|n| reader.names.remove(&n)).unwrap_or_default();
        look.inner(names, file, Wrapping::Entry);
    }
}

/// Where the next `stream` stands that isn't the end of one.
fn next_stream(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from_here = at;
    loop {
        let place = from_here.saturating_add(find(from(bytes, from_here), b"stream")?);
        let is_end = place.checked_sub(3).is_some_and(|p| has(bytes, p, b"end"));
        if !is_end && matches!(bytes.get(place.saturating_add(6)), Some(b'\r' | b'\n' | b' ')) {
            return Some(place);
        }
        from_here = place.saturating_add(6);
    }
}

fn data_start(bytes: &[u8], stream: usize) -> usize {
    let after = stream.saturating_add(6);
    let blanks = from(bytes, after).iter().take(8).take_while(|b| **b == b' ').count();
    let after = after.saturating_add(blanks);
    match upto(bytes, after, 2) {
        b"\r\n" => after.saturating_add(2),
        [b'\r' | b'\n', ..] => after.saturating_add(1),
        _ => after,
    }
}

/// By what the dictionary says if the stream ends there, otherwise up to the next end.
fn data_len(dictionary: &[u8], data: &[u8]) -> usize {
    if let Some(len) = number_of(dictionary, b"/Length ")
        && crate::bytes::trim_start(upto(data, len, 16)).starts_with(b"endstr")
    {
        return len;
    }
    find(data, b"endstream").unwrap_or(data.len())
}

/// The number behind a name and its blank.
fn number_of(dictionary: &[u8], name: &[u8]) -> Option<usize> {
    let at = find(dictionary, name)?.saturating_add(name.len());
    let digits = from(dictionary, at).iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(upto(dictionary, at, digits)).ok()?.parse().ok()
}

/// The number before ` obj`: `12 0`.
fn object_number(before: &[u8]) -> Option<u64> {
    let mut words = tail(before, 32).rsplit(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
    let _generation = words.next()?;
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}

struct Reader {
    /// Names of files, by the objects their bytes are in.
    names: HashMap<u64, Vec<String>>,
    files: Vec<(Option<u64>, Vec<u8>)>,
    encrypted: bool,
    fonts: Fonts,
    /// How many references to objects are noted in `fonts`.
    references: usize,
    /// Entries of fonts' maps that may still be kept.
    glyphs_left: usize,
    /// What pages show; which glyphs their numbers are is known at the end only.
    pages: Vec<Vec<Piece>>,
    /// What may still be kept in `pages`, as [`shown::pieces`] counts.
    shown_left: usize,
}

impl Reader {
    /// What objects say that aren't streams. `own` is the object they are, where their numbers don't stand before them.
    fn objects(&mut self, bytes: &[u8], own: Option<u64>, look: &mut Look<'_>) {
        let (mut depth, mut names, mut file) = (0_usize, Vec::new(), None);
        let mut last = Vec::new();
        // The two numbers read last, and a name with the first number behind it.
        let (mut numbers, mut reference) = ((None, None), None);
        let mut object = own;
        for token in tokens(bytes) {
            let before = reference.take();
            match token {
                Token::Open => {
                    if depth == 0 && own.is_none() {
                        object = numbers.0;
                    }
                    depth = depth.saturating_add(1);
                }
                Token::Close => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        if let Some(number) = file.take()
                            && !names.is_empty()
                        {
                            self.names.entry(number).or_insert_with(|| std::mem::take(&mut names));
                        }
                        names.clear();
                    }
                }
                Token::Name(name) => {
                    remark(&name, look);
                    last = name;
                    continue;
                }
                Token::String(raw) => {
                    let text = string_text(&raw);
                    match last.as_slice() {
                        b"F" | b"UF" | b"Desc" if names.len() < 4 => {
                            look.remark_if(super::is_elsewhere(&text), Trait::Remote);
                            names.push(super::base_name(&text));
                        }
                        b"URI" | b"JS" | b"Title" | b"Subject" => look.text(&text),
                        _ => {}
                    }
                }
                Token::Number(number) => {
                    // The first reference below a file's name is to its bytes.
                    if matches!(last.as_slice(), b"F" | b"UF") && file.is_none() {
                        file = Some(number);
                    }
                    numbers = (numbers.1, Some(number));
                    match before {
                        Some((name, to)) => self.refers(object, name, to),
                        None if !last.is_empty() => reference = Some((std::mem::take(&mut last), number)),
                        None => {}
                    }
                }
            }
            last.clear();
        }
    }

    /// Notes that an object refers to another one by a name: so fonts are called, and so they tell their maps.
    fn refers(&mut self, object: Option<u64>, name: Vec<u8>, to: u64) {
        if name == b"ToUnicode" {
            if let Some(font) = object {
                self.fonts.map_of.insert(font, to);
            }
        } else if self.references < PDF_OBJECTS_MAX {
            self.references = self.references.saturating_add(1);
            self.fonts.called.entry(name).or_default().insert(to);
        }
    }

    /// Objects that lie in a stream, behind a list of their numbers and places (ISO 32000-2 §7.5.7). Where that list isn't in
    /// order, all is read as one.
    fn packed(&mut self, dictionary: &[u8], decoded: &[u8], look: &mut Look<'_>) {
        let start = number_of(dictionary, b"/First ").unwrap_or_default();
        let list: Vec<u64> = head(decoded, start)
            .split(u8::is_ascii_whitespace)
            .filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
            .take(PDF_OBJECTS_MAX)
            .collect();
        let mut parts = vec![(None, 0)];
        parts.extend(list.chunks_exact(2).filter_map(|pair| match pair {
            [number, place] => Some((Some(*number), start.saturating_add(crate::bytes::longer(*place)))),
            _ => None,
        }));
        if !parts.is_sorted_by_key(|(_, place)| *place) {
            return self.objects(decoded, None, look);
        }
        let ends = parts.iter().skip(1).map(|(_, place)| *place).chain([decoded.len()]);
        for ((number, place), end) in parts.iter().zip(ends) {
            self.objects(upto(decoded, *place, end.saturating_sub(*place)), *number, look);
        }
    }

    fn stream(&mut self, own: Option<u64>, dictionary: &[u8], data: &[u8], look: &mut Look<'_>) {
        let names = Names::of(dictionary);
        let is_file = names.has(b"EmbeddedFile");
        // Pictures, fonts and tables of references are nothing to look into.
        let is_dull = names.has(b"Image")
            || names.has(b"XRef")
            || names.has(b"Length1")
            || names.has(b"Length2")
            || names.has(b"FontFile3")
            || names.has(b"Type1C")
            || names.has(b"CIDFontType0C")
            || names.has(b"ICCBased");
        if self.encrypted || is_dull && !is_file {
            return;
        }
        let Some(decoded) = filters::decode(&names, data, look) else { return };
        if is_file {
            look.remark(Trait::Object);
            self.files.push((own, decoded));
        } else if names.has(b"ObjStm") {
            self.packed(dictionary, &decoded, look);
        } else {
            // A form in XML has scripts of its own.
            look.remark_if(holds(&decoded, b"application/x-javascript"), Trait::Script);
            if glyphs::is_map(&decoded) {
                let map = Glyphs::of(&decoded, &mut self.glyphs_left);
                self.fonts.maps.extend(own.map(|own| (own, map)));
            } else if look.text_room() > 0 {
                self.pages.push(shown::pieces(&decoded, &mut self.shown_left));
            }
        }
    }
}

fn remark(name: &[u8], look: &mut Look<'_>) {
    let found = match name {
        b"JavaScript" | b"JS" => Trait::Script,
        b"Launch" => Trait::Launches,
        b"EmbeddedFile" | b"EmbeddedFiles" | b"RichMedia" | b"GoToE" => Trait::Object,
        b"SubmitForm" => Trait::Form,
        b"ImportData" => Trait::Remote,
        _ => return,
    };
    look.remark(found);
}
