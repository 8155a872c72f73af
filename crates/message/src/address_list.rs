//! Address lists of header fields: RFC 5322 §3.4 with the obsolete forms of §4.4 (comments and blanks anywhere,
//! routes, empty members), and an answer for whatever isn't one. Nothing is decoded. Each byte is looked at a bounded
//! number of times.
//!
//! Where a header allows two readings (attacks A5) this one counts: what stands in the first angle brackets is the
//! address, and what follows them is ignored to the next comma; quoted strings and comments hold no address.

use crate::bytes::{from, string, sub, trim};
use crate::envelope::EnvelopeAddress;
use mailward_core::limits::ENVELOPE_ADDRESSES_MAX;

/// The addresses of an unfolded value, at most `limits::ENVELOPE_ADDRESSES_MAX`, group marks counted (a group that
/// is cut gets its end mark all the same).
#[must_use]
pub fn parse(value: &[u8]) -> Vec<EnvelopeAddress> {
    let mut list = Vec::new();
    parse_into(value, ENVELOPE_ADDRESSES_MAX, &mut list);
    list
}

/// Adds at most `max` addresses and marks.
pub(crate) fn parse_into(value: &[u8], max: usize, list: &mut Vec<EnvelopeAddress>) {
    let end = list.len().saturating_add(max);
    let mut reader = Reader { value, at: 0, words: Vec::new(), scratch: Vec::new() };
    let mut in_group = false;
    while list.len() < end && reader.at < value.len() {
        let member = reader.member(in_group);
        if let Some(address) = member.address {
            list.push(address);
        }
        match member.end {
            Stop::GroupStart => in_group = true,
            Stop::GroupEnd if in_group => {
                in_group = false;
                list.push(EnvelopeAddress::default());
            }
            Stop::Comma | Stop::GroupEnd | Stop::Value => {}
        }
    }
    if in_group {
        list.push(EnvelopeAddress::default());
    }
}

/// A member of a list and what ended it.
struct Member {
    address: Option<EnvelopeAddress>,
    end: Stop,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Comma,
    /// A colon: the member is a group's name.
    GroupStart,
    /// A semicolon. Outside of a group it parts addresses like a comma, as some programs write it.
    GroupEnd,
    Value,
}

/// An atom, a quoted string without its quotes, an `@` or a domain literal.
#[derive(Clone, Copy)]
struct Word<'v> {
    bytes: &'v [u8],
    quoted: bool,
    /// Whether blanks or a comment stand before it.
    spaced: bool,
}

/// How words become one string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    /// A space where there were blanks.
    Phrase,
    /// The same, but none around dots (obs-local-part).
    Local,
    /// No spaces.
    Domain,
}

struct Reader<'v> {
    value: &'v [u8],
    at: usize,
    /// Words of the member that is being read.
    words: Vec<Word<'v>>,
    scratch: Vec<u8>,
}

impl<'v> Reader<'v> {
    /// Reads up to and over the end of a member.
    fn member(&mut self, in_group: bool) -> Member {
        self.words.clear();
        // The first bare `@` among the words, and the comment after it: `pete@silly.test (Pete)`.
        let mut at_sign = None;
        let mut comment = None;
        let mut spaced = false;
        while let Some(byte) = self.value.get(self.at).copied() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.at = self.at.saturating_add(1);
                    spaced = true;
                    continue;
                }
                b'(' => {
                    let inside = self.comment();
                    if at_sign.is_some() {
                        comment = comment.or(Some(inside));
                    }
                    spaced = true;
                    continue;
                }
                b'<' => {
                    let mut address = self.angle(in_group);
                    let (after, end) = self.rest();
                    let mut name = std::mem::take(&mut address.name);
                    if name.as_ref().is_none_or(String::is_empty) {
                        name = after.map(|c| self.comment_text(c)).filter(|n| !n.is_empty());
                    }
                    return Member { address: Some(EnvelopeAddress { name, ..address }), end };
                }
                b',' | b';' => {
                    self.at = self.at.saturating_add(1);
                    let end = if byte == b',' { Stop::Comma } else { Stop::GroupEnd };
                    return Member { address: self.bare(at_sign, comment), end };
                }
                b':' if !in_group && at_sign.is_none() => {
                    self.at = self.at.saturating_add(1);
                    let mailbox = Some(self.join(0, self.words.len(), Join::Phrase));
                    return Member {
                        address: Some(EnvelopeAddress { mailbox, ..EnvelopeAddress::default() }),
                        end: Stop::GroupStart,
                    };
                }
                b'@' => {
                    at_sign = at_sign.or(Some(self.words.len()));
                    self.push(1, false, spaced);
                }
                b'"' => self.quoted(spaced),
                b'[' if at_sign.is_some() => {
                    let len =
                        memchr::memchr(b']', from(self.value, self.at)).map_or(usize::MAX, |n| n.saturating_add(1));
                    self.push(len, false, spaced);
                }
                _ => self.atom(spaced),
            }
            spaced = false;
        }
        Member { address: self.bare(at_sign, comment), end: Stop::Value }
    }

    /// An address without angle brackets, of the words so far; `None` if there are none.
    fn bare(&mut self, at_sign: Option<usize>, comment: Option<&'v [u8]>) -> Option<EnvelopeAddress> {
        if self.words.is_empty() {
            return None;
        }
        let (mailbox, host) = self.split(at_sign, self.words.len());
        let name = comment.map(|c| self.comment_text(c)).filter(|n| !n.is_empty());
        Some(EnvelopeAddress { name, route: None, mailbox: Some(mailbox), host: Some(host) })
    }

    /// From `<` over `>`; the words before it are the name.
    fn angle(&mut self, in_group: bool) -> EnvelopeAddress {
        let name = self.join(0, self.words.len(), Join::Phrase);
        self.words.clear();
        self.at = self.at.saturating_add(1);
        let mut route = None;
        let mut at_sign = None;
        let mut spaced = false;
        while let Some(byte) = self.value.get(self.at).copied() {
            match byte {
                b'>' => {
                    self.at = self.at.saturating_add(1);
                    break;
                }
                // A bracket that was never closed ends with its member. Commas of a route are part of it.
                b',' if at_sign != Some(0) => break,
                b';' if in_group => break,
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.at = self.at.saturating_add(1);
                    spaced = true;
                    continue;
                }
                b'(' => {
                    let _ = self.comment();
                    spaced = true;
                    continue;
                }
                b':' if at_sign == Some(0) && route.is_none() => {
                    route = Some(self.join(0, self.words.len(), Join::Domain));
                    self.words.clear();
                    at_sign = None;
                    self.at = self.at.saturating_add(1);
                    continue;
                }
                b'@' => {
                    at_sign = at_sign.or(Some(self.words.len()));
                    self.push(1, false, spaced);
                }
                b'"' => self.quoted(spaced),
                b'[' if at_sign.is_some() => {
                    let len =
                        memchr::memchr(b']', from(self.value, self.at)).map_or(usize::MAX, |n| n.saturating_add(1));
                    self.push(len, false, spaced);
                }
                b',' | b';' | b':' | b'<' => self.push(1, false, spaced),
                _ => self.atom(spaced),
            }
            spaced = false;
        }
        let (mailbox, host) = self.split(at_sign, self.words.len());
        EnvelopeAddress { name: Some(name), route, mailbox: Some(mailbox), host: Some(host) }
    }

    /// What follows an address to the end of its member: its first comment, and the end.
    fn rest(&mut self) -> (Option<&'v [u8]>, Stop) {
        let mut comment = None;
        while let Some(byte) = self.value.get(self.at).copied() {
            match byte {
                b'(' => {
                    let inside = self.comment();
                    comment = comment.or(Some(inside));
                }
                b'"' => self.quoted(false),
                b',' | b';' => {
                    self.at = self.at.saturating_add(1);
                    return (comment, if byte == b',' { Stop::Comma } else { Stop::GroupEnd });
                }
                _ => self.at = self.at.saturating_add(1),
            }
        }
        (comment, Stop::Value)
    }

    /// Takes the next `len` bytes as a word.
    fn push(&mut self, len: usize, quoted: bool, spaced: bool) {
        let end = self.at.saturating_add(len).min(self.value.len());
        self.words.push(Word { bytes: sub(self.value, self.at..end), quoted, spaced });
        self.at = end;
    }

    /// Takes bytes up to one that means something; at least one.
    fn atom(&mut self, spaced: bool) {
        let special = |b: &u8| {
            matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b'"' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'[')
        };
        let rest = from(self.value, self.at);
        let len = rest.iter().skip(1).position(special).map_or(rest.len(), |n| n.saturating_add(1));
        // A bracket without its partner is noise.
        if rest.first() == Some(&b'>') {
            self.at = self.at.saturating_add(1);
        } else {
            self.push(len, false, spaced);
        }
    }

    /// Takes a quoted string; one that isn't closed ends with the value.
    fn quoted(&mut self, spaced: bool) {
        let start = self.at.saturating_add(1);
        let mut end = start;
        while let Some(byte) = self.value.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end = end.saturating_add(2),
                _ => end = end.saturating_add(1),
            }
        }
        let end = end.min(self.value.len());
        self.words.push(Word { bytes: sub(self.value, start..end), quoted: true, spaced });
        self.at = end.saturating_add(1);
    }

    /// Steps over a comment with those inside it and gives what is between its brackets.
    fn comment(&mut self) -> &'v [u8] {
        let start = self.at.saturating_add(1);
        let end = comment_end(self.value, self.at);
        self.at = end;
        sub(
            self.value,
            start..if self.value.get(end.saturating_sub(1)) == Some(&b')') {
                end.saturating_sub(1).max(start)
            } else {
                end
            },
        )
    }

    fn comment_text(&mut self, comment: &[u8]) -> String {
        self.scratch.clear();
        unescape(comment, &mut self.scratch);
        string(trim(&self.scratch))
    }

    /// Local part and domain of the words up to `end`.
    fn split(&mut self, at_sign: Option<usize>, end: usize) -> (String, String) {
        match at_sign {
            Some(at) => {
                let host = self.join(at.saturating_add(1), end, Join::Domain);
                (self.join(0, at, Join::Local), host)
            }
            None => (self.join(0, end, Join::Local), String::new()),
        }
    }

    /// Some of the words as one string.
    fn join(&mut self, start: usize, end: usize, how: Join) -> String {
        self.scratch.clear();
        let mut after_dot = true;
        for word in self.words.get(start..end).unwrap_or_default() {
            let dot = |b: Option<&u8>| how == Join::Local && !word.quoted && b == Some(&b'.');
            if word.spaced && how != Join::Domain && !after_dot && !dot(word.bytes.first()) {
                self.scratch.push(b' ');
            }
            if word.quoted {
                unescape(word.bytes, &mut self.scratch);
            } else {
                self.scratch.extend_from_slice(word.bytes);
            }
            after_dot = dot(word.bytes.last());
        }
        string(&self.scratch)
    }
}

/// Where the comment that starts at `start` ends: after its bracket, or with the value. Inner comments are counted,
/// not entered.
pub(crate) fn comment_end(value: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(byte) = value.get(at) {
        at = at.saturating_add(1);
        match byte {
            b'\\' => at = at.saturating_add(1),
            b'(' => depth = depth.saturating_add(1),
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    at.min(value.len())
}

/// Adds the content of a quoted string or comment, its quoted pairs resolved.
pub(crate) fn unescape(inside: &[u8], to: &mut Vec<u8>) {
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        to.extend_from_slice(sub(rest, 0..at));
        if let Some(byte) = rest.get(at.saturating_add(1)) {
            to.push(*byte);
        }
        rest = from(rest, at.saturating_add(2));
    }
    to.extend_from_slice(rest);
}
