//! What a message is learned and judged by: its words and their neighbours, its header, its pages' marks, its files.
//!
//! Everything is taken from the one parsed object. A word of the body is a token, and so is each pair of a word with one of the two
//! before it (orthogonal sparse bigrams): what stands together tells more than what occurs. What says who it is for, or what a filter
//! said before, is left out: it would tell mailboxes apart, not messages. Each token tells whose it is ([`Witness`]).
//!
//! What was tried and didn't help on messages that weren't learned is left out as well: words written in capitals, names of fields
//! without their order, triples, pairs at a distance of three, tags in their order and how many there are of each, four letters in a
//! row of texts and of other fields, whole lines, whole paths of links, how `Received` is worded, whether hosts of sender, links and
//! Message-ID are the same.

mod form;
mod header;
pub(super) mod page;
mod words;

use super::hash::TokenKey;
use super::reading::{Reading, Text};
use super::witness::Witness;
use mailward_core::limits::{SPAM_LETTERS_MAX, SPAM_TOKENS_MAX};
use mailward_message::decode::file_name;
use mailward_message::{Part, Structure};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

pub(super) use header::is_trace;
pub(super) use page::hosts;
pub(super) use words::is_invisible;

/// By which tokens are made: what was learned by another isn't undone by this.
pub const TOKENS_VERSION: u8 = 3;

/// Where a token was found: the same word means something else elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Word = 1,
    Letters,
    Subject,
    Name,
    Address,
    Domain,
    Field,
    Order,
    Value,
    Route,
    Host,
    Path,
    Tag,
    Part,
    File,
    Shape,
    Form,
    NameLetters,
}

impl Kind {
    const fn witness(self) -> Witness {
        match self {
            Self::Word => Witness::Text,
            Self::Subject | Self::Letters => Witness::Subject,
            Self::Name | Self::Address | Self::Domain | Self::NameLetters => Witness::Author,
            Self::Order => Witness::Order,
            Self::Route => Witness::Route,
            Self::Shape => Witness::Shape,
            Self::Host | Self::Path => Witness::Links,
            Self::Field | Self::Value | Self::Tag | Self::Part | Self::File | Self::Form => Witness::Rest,
        }
    }
}

/// The tokens of a message, each once, at most `limits::SPAM_TOKENS_MAX`, the header's first. Structure and reading must be the
/// message's own.
#[must_use]
pub fn tokens(message: &[u8], structure: &Structure, reading: &Reading, key: &TokenKey) -> Vec<u64> {
    let mut sink = Sink::new(key);
    header::header(message, structure, &mut sink);
    for part in structure.parts() {
        described(part, &mut sink);
    }
    form::form(structure, reading, &mut sink);
    for one in &reading.texts {
        if sink.is_full() {
            break;
        }
        text(one, &mut sink);
    }
    sink.tokens
}

/// What a part says of itself.
fn described(part: &Part, sink: &mut Sink<'_>) {
    sink.text(Kind::Part, &[&part.media_type, "/", &part.subtype]);
    sink.text(Kind::Part, &["encoding ", &part.encoding]);
    if let Some(charset) = part.param("charset") {
        sink.text(Kind::Part, &["charset ", charset]);
    }
    if let Some(disposition) = &part.disposition {
        sink.text(Kind::Part, &["disposition ", &disposition.kind]);
    }
    if let Some(name) = file_name(part) {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        sink.text(Kind::File, &["extension ", extension]);
        words::each(&name, |word| sink.word(Kind::File, word));
    }
}

/// A text's words, and what a page is made of.
fn text(text: &Text, sink: &mut Sink<'_>) {
    if text.page.is_some() {
        page::marks(&text.written, sink);
    } else {
        page::links(&text.written, sink);
    }
    running(text.shown(), sink);
}

/// Words one after the other, with their pairs.
fn running(text: &str, sink: &mut Sink<'_>) {
    let (mut before, mut earlier) = (0u64, 0u64);
    let mut full = false;
    words::each(text, |word| {
        if full {
            return;
        }
        let number = sink.number(Kind::Word, word.lower());
        sink.put(Kind::Word, number);
        if before != 0 {
            sink.put(Kind::Word, TokenKey::pair(before, number, 1));
        }
        if earlier != 0 {
            sink.put(Kind::Word, TokenKey::pair(earlier, number, 2));
        }
        (earlier, before) = (before, number);
        full = sink.is_full();
    });
}

/// Takes what is random already as it is.
#[derive(Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Where tokens are put.
struct Sink<'k> {
    key: &'k TokenKey,
    seen: HashSet<u64, BuildHasherDefault<Identity>>,
    tokens: Vec<u64>,
    scratch: Vec<u8>,
}

impl<'k> Sink<'k> {
    fn new(key: &'k TokenKey) -> Self {
        let seen = HashSet::with_capacity_and_hasher(2_048, BuildHasherDefault::default());
        Self { key, seen, tokens: Vec::with_capacity(2_048), scratch: Vec::new() }
    }
    fn is_full(&self) -> bool {
        self.tokens.len() >= SPAM_TOKENS_MAX
    }
    fn number(&self, kind: Kind, bytes: &[u8]) -> u64 {
        self.key.hash(kind as u8, bytes)
    }
    fn put(&mut self, kind: Kind, token: u64) {
        let token = kind.witness().sign(token);
        if !self.is_full() && self.seen.insert(token) {
            self.tokens.push(token);
        }
    }
    fn word(&mut self, kind: Kind, word: words::Word<'_>) {
        let number = self.number(kind, word.lower());
        self.put(kind, number);
    }
    /// Each four letters in a row, at most `limits::SPAM_LETTERS_MAX`: they hold where words are written in ever other ways.
    fn letters(&mut self, kind: Kind, text: &str) {
        for letters in text.to_lowercase().as_bytes().windows(4).take(SPAM_LETTERS_MAX) {
            let number = self.number(kind, letters);
            self.put(kind, number);
        }
    }
    /// Pieces as one, small letters.
    fn text(&mut self, kind: Kind, pieces: &[&str]) {
        self.scratch.clear();
        for piece in pieces {
            let piece = piece.as_bytes();
            // Whoever wrote it may have written much.
            let piece = piece.get(..128).unwrap_or(piece);
            self.scratch.extend(piece.iter().map(u8::to_ascii_lowercase));
        }
        let number = self.key.hash(kind as u8, &self.scratch);
        self.put(kind, number);
    }
}
