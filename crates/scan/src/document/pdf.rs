//! PDF (ISO 32000-2), read from the beginning to the end without its table of references, which is often damaged on purpose:
//! every object and every stream is met that is there, whether anything leads to it or not.

mod filters;
mod tokens;

use super::Look;
use crate::bytes::{find, from, has, head, holds, tail, upto};
use crate::contents::{Trait, Wrapping};
use mailward_core::limits::PDF_OBJECTS_MAX;
use std::collections::HashMap;
use tokens::{Names, Token, string_text, tokens};

/// Bytes before a stream in which its dictionary is looked for.
const DICTIONARY_MAX: usize = 16 * 1024;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let mut reader = Reader { names: HashMap::new(), files: Vec::new(), encrypted: holds(bytes, b"/Encrypt") };
    let mut at = 0_usize;
    for number in 0.. {
        if number >= PDF_OBJECTS_MAX {
            look.room.short = true;
            break;
        }
        let Some(start) = next_stream(bytes, at) else { break };
        let before = upto(bytes, at, start.saturating_sub(at));
        reader.objects(before, look);
        let dictionary = tail(before, DICTIONARY_MAX);
        let begin = memchr::memmem::rfind(dictionary, b" obj").unwrap_or_default();
        let own = object_number(head(dictionary, begin));
        let dictionary = from(dictionary, begin);
        let data = from(bytes, data_start(bytes, start));
        let data = head(data, data_len(dictionary, data));
        reader.stream(own, dictionary, data, look);
        at = data_start(bytes, start).saturating_add(data.len()).max(start.saturating_add(6));
    }
    reader.objects(from(bytes, at), look);
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
    let said = find(dictionary, b"/Length ").and_then(|at| {
        let digits: Vec<u8> =
            from(dictionary, at.saturating_add(8)).iter().copied().take_while(u8::is_ascii_digit).take(10).collect();
        std::str::from_utf8(&digits).ok()?.parse::<usize>().ok()
    });
    if let Some(len) = said
        && crate::bytes::trim_start(upto(data, len, 16)).starts_with(b"endstr")
    {
        return len;
    }
    find(data, b"endstream").unwrap_or(data.len())
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
}

impl Reader {
    /// What objects say that aren't streams.
    fn objects(&mut self, bytes: &[u8], look: &mut Look<'_>) {
        let (mut depth, mut names, mut file) = (0_usize, Vec::new(), None);
        let mut last = Vec::new();
        for token in tokens(bytes) {
            match token {
                Token::Open => depth = depth.saturating_add(1),
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
                }
            }
            last.clear();
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
            self.objects(&decoded, look);
        } else {
            // A form in XML has scripts of its own.
            look.remark_if(holds(&decoded, b"application/x-javascript"), Trait::Script);
            if look.text_room() > 0 {
                let text = tokens::shown(&decoded);
                look.text(&text);
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
