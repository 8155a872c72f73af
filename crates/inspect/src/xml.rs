//! XML of others (XML 1.0), walked through piece by piece: no tree, no document type, no entities but those that need no definition.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// How far it is read.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Beginnings and ends of elements, texts, references and comments, in all.
    pub pieces: usize,
    /// Elements inside one another.
    pub depth: usize,
    /// Characters of an element's name, and bytes of a value times eight.
    pub text: usize,
}

/// Attributes of one element that are read.
const ATTRIBUTES: usize = 16;

/// A piece.
#[derive(Debug)]
pub enum Piece<'a> {
    /// An element begins: the names of all elements around it and its own, without prefixes, and its attributes, as they stand there.
    Begins(&'a [String], &'a [(String, String)]),
    /// It ends: the names, and the text in it, if it has no elements.
    Ends(&'a [String], &'a str),
}

/// Walks through a document; `None` if it is none, has a document type, or passes a bound.
pub fn walk(xml: &[u8], bounds: Bounds, mut tell: impl FnMut(Piece<'_>)) -> Option<()> {
    // Some write Latin letters of one byte.
    let text = String::from_utf8_lossy(xml.strip_prefix(b"\xef\xbb\xbf").unwrap_or(xml));
    let mut reader = Reader::from_str(&text);
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    for _ in 0..=bounds.pieces {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if path.len() >= bounds.depth {
                    return None;
                }
                path.push(cut(start.local_name().as_ref(), bounds));
                value.clear();
                tell(Piece::Begins(&path, &attributes(&start, bounds)));
            }
            Event::End(_) => {
                tell(Piece::Ends(&path, &value));
                value.clear();
                path.pop()?;
            }
            Event::Empty(start) => {
                path.push(cut(start.local_name().as_ref(), bounds));
                tell(Piece::Begins(&path, &attributes(&start, bounds)));
                tell(Piece::Ends(&path, ""));
                path.pop()?;
            }
            Event::Text(text) => add(&mut value, &text.xml10_content(), bounds),
            Event::CData(text) => add(&mut value, &text.xml10_content(), bounds),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(c) => add(&mut value, c.encode_utf8(&mut [0; 4]), bounds),
                None => add(&mut value, known(&reference.into_inner())?, bounds),
            },
            // What it could define costs more than it is worth.
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return path.is_empty().then_some(()),
        }
    }
    None
}

fn attributes(start: &BytesStart<'_>, bounds: Bounds) -> Vec<(String, String)> {
    let mut all = start.attributes();
    let some = all.with_checks(false).take(ATTRIBUTES).filter_map(Result::ok);
    some.map(|one| (cut(one.key.local_name().as_ref(), bounds), cut(&one.value, bounds))).collect()
}

/// The entities that need no definition (XML 1.0 §4.6).
fn known(name: &str) -> Option<&'static str> {
    Some(match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return None,
    })
}

fn cut(name: &str, bounds: Bounds) -> String {
    name.chars().take(bounds.text).collect()
}

/// No more than is ever looked at.
fn add(value: &mut String, text: &str, bounds: Bounds) {
    let room = bounds.text.saturating_mul(8).saturating_sub(value.len());
    value.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
}
