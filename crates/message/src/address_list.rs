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
    let mut members = members(value);
    while list.len() < end {
        let Some(member) = members.next() else { break };
        if let Some(address) = member.address {
            list.push(address);
        }
        if member.end == Stop::GroupEnd && member.grouped {
            list.push(EnvelopeAddress::default());
        }
    }
    if members.in_group {
        list.push(EnvelopeAddress::default());
    }
}

/// The members of a list one by one, with what was seen of each. The value may be folded still: line ends count as
/// blanks.
pub(crate) fn members(value: &[u8]) -> Members<'_> {
    let reader = Reader { value, at: 0, words: Vec::new(), scratch: Vec::new(), doubt: false };
    Members { reader, in_group: false }
}

/// See [`members`].
pub(crate) struct Members<'v> {
    reader: Reader<'v>,
    in_group: bool,
}

impl Iterator for Members<'_> {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        if self.reader.at >= self.reader.value.len() {
            return None;
        }
        self.reader.doubt = false;
        let mut member = self.reader.member(self.in_group);
        member.seen.doubt |= self.reader.doubt;
        member.grouped = self.in_group;
        match member.end {
            Stop::GroupStart => self.in_group = true,
            Stop::GroupEnd => self.in_group = false,
            Stop::Comma | Stop::Value => {}
        }
        Some(member)
    }
}

/// A member of a list and what ended it.
pub(crate) struct Member {
    /// `None` if there is nothing between two commas; only a name if it starts a group.
    pub(crate) address: Option<EnvelopeAddress>,
    pub(crate) end: Stop,
    /// Whether it stands in a group.
    pub(crate) grouped: bool,
    pub(crate) seen: Seen,
}

/// How an address stands in its value: for those who may not guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Where its first word starts, quotes counted; comments and brackets around it aren't.
    pub(crate) start: usize,
    /// Where its last word ends.
    pub(crate) end: usize,
    /// Atoms, quoted strings, `@` and domain literals that it is made of.
    pub(crate) words: usize,
    /// Whether an `@` outside of quotes is among them.
    pub(crate) at_sign: bool,
    /// Whether another reader could find another address: something isn't closed, stands where nothing may, or is
    /// allowed by the obsolete syntax only.
    pub(crate) doubt: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
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
    /// Where it stands in the value, with its quotes.
    start: usize,
    end: usize,
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
    /// See [`Seen::doubt`].
    doubt: bool,
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
                    self.doubt |= at_sign.is_some();
                    let (mut address, seen) = self.angle(in_group);
                    let (after, end) = self.rest();
                    let mut name = std::mem::take(&mut address.name);
                    if name.as_ref().is_none_or(String::is_empty) {
                        name = after.map(|c| self.comment_text(c)).filter(|n| !n.is_empty());
                    }
                    return Member { address: Some(EnvelopeAddress { name, ..address }), end, grouped: false, seen };
                }
                b',' | b';' => {
                    self.at = self.at.saturating_add(1);
                    let end = if byte == b',' { Stop::Comma } else { Stop::GroupEnd };
                    self.doubt |= byte == b';' && !in_group;
                    return self.bare(at_sign, comment, end);
                }
                b':' if !in_group && at_sign.is_none() => {
                    self.at = self.at.saturating_add(1);
                    let mailbox = Some(self.join(0, self.words.len(), Join::Phrase));
                    return Member {
                        address: Some(EnvelopeAddress { mailbox, ..EnvelopeAddress::default() }),
                        end: Stop::GroupStart,
                        grouped: false,
                        seen: Seen::default(),
                    };
                }
                b'@' => {
                    self.doubt |= at_sign.is_some();
                    at_sign = at_sign.or(Some(self.words.len()));
                    self.push(1, spaced);
                }
                b'"' => self.quoted(spaced),
                b'[' if at_sign.is_some() => self.literal(spaced),
                _ => self.atom(spaced),
            }
            spaced = false;
        }
        self.bare(at_sign, comment, Stop::Value)
    }

    /// An address without angle brackets, of the words so far; none if there are none.
    fn bare(&mut self, at_sign: Option<usize>, comment: Option<&'v [u8]>, end: Stop) -> Member {
        let seen = self.seen(at_sign);
        if self.words.is_empty() {
            return Member { address: None, end, grouped: false, seen };
        }
        let (mailbox, host) = self.split(at_sign, self.words.len());
        let name = comment.map(|c| self.comment_text(c)).filter(|n| !n.is_empty());
        let address = EnvelopeAddress { name, route: None, mailbox: Some(mailbox), host: Some(host) };
        Member { address: Some(address), end, grouped: false, seen }
    }

    /// How the address that the words make stands in the value. Blanks between them are obsolete syntax.
    fn seen(&self, at_sign: Option<usize>) -> Seen {
        Seen {
            start: self.words.first().map_or(self.at, |w| w.start),
            end: self.words.last().map_or(self.at, |w| w.end),
            words: self.words.len(),
            at_sign: at_sign.is_some(),
            doubt: self.words.iter().skip(1).any(|w| w.spaced),
        }
    }

    /// From `<` over `>`; the words before it are the name.
    fn angle(&mut self, in_group: bool) -> (EnvelopeAddress, Seen) {
        let name = self.join(0, self.words.len(), Join::Phrase);
        self.words.clear();
        self.at = self.at.saturating_add(1);
        let mut route = None;
        let mut at_sign = None;
        let mut spaced = false;
        let mut closed = false;
        while let Some(byte) = self.value.get(self.at).copied() {
            match byte {
                b'>' => {
                    self.at = self.at.saturating_add(1);
                    closed = true;
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
                    self.doubt |= at_sign.is_some();
                    at_sign = at_sign.or(Some(self.words.len()));
                    self.push(1, spaced);
                }
                b'"' => self.quoted(spaced),
                b'[' if at_sign.is_some() => self.literal(spaced),
                b',' | b';' | b':' | b'<' => {
                    self.doubt = true;
                    self.push(1, spaced);
                }
                _ => self.atom(spaced),
            }
            spaced = false;
        }
        self.doubt |= !closed || route.is_some();
        let seen = self.seen(at_sign);
        let (mailbox, host) = self.split(at_sign, self.words.len());
        (EnvelopeAddress { name: Some(name), route, mailbox: Some(mailbox), host: Some(host) }, seen)
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
                b'"' => {
                    self.doubt = true;
                    self.quoted(false);
                }
                b',' | b';' => {
                    self.at = self.at.saturating_add(1);
                    return (comment, if byte == b',' { Stop::Comma } else { Stop::GroupEnd });
                }
                _ => {
                    self.doubt |= !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
                    self.at = self.at.saturating_add(1);
                }
            }
        }
        (comment, Stop::Value)
    }

    /// Takes the next `len` bytes as a word.
    fn push(&mut self, len: usize, spaced: bool) {
        let (start, end) = (self.at, self.at.saturating_add(len).min(self.value.len()));
        self.words.push(Word { bytes: sub(self.value, start..end), start, end, quoted: false, spaced });
        self.at = end;
    }

    /// Takes a domain literal; one that isn't closed ends with the value.
    fn literal(&mut self, spaced: bool) {
        let closed = memchr::memchr(b']', from(self.value, self.at));
        self.doubt |= closed.is_none();
        self.push(closed.map_or(usize::MAX, |n| n.saturating_add(1)), spaced);
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
            self.doubt = true;
            self.at = self.at.saturating_add(1);
        } else {
            self.doubt |= sub(rest, 0..len).iter().any(|b| matches!(b, b')' | b']' | b'\\'));
            self.push(len, spaced);
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
        self.doubt |= end == self.value.len();
        let word = Word {
            bytes: sub(self.value, start..end),
            start: self.at,
            end: end.saturating_add(1).min(self.value.len()),
            quoted: true,
            spaced,
        };
        self.words.push(word);
        self.at = end.saturating_add(1);
    }

    /// Steps over a comment with those inside it and gives what is between its brackets.
    fn comment(&mut self) -> &'v [u8] {
        let start = self.at.saturating_add(1);
        let end = comment_end(self.value, self.at);
        self.at = end;
        let closed = self.value.get(end.saturating_sub(1)) == Some(&b')');
        let inside = sub(self.value, start..if closed { end.saturating_sub(1).max(start) } else { end });
        // Readers differ in where comments end, and some don't know them at all: then what means something is found.
        self.doubt |= !closed || inside.iter().any(|b| br#"()<>@,;:\""#.contains(b));
        inside
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
