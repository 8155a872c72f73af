//! Tokens of a whole command (RFC 3501 §9). Bounded in depth; never recursive.

use crate::command::{SequenceSet, SetNumber};
use crate::mutf7;
use bytes::Bytes;
use mailward_core::MailboxName;
use mailward_core::limits::{IMAP_DEPTH_MAX, IMAP_SET_RANGES_MAX};

/// Why a command isn't one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Against the grammar, or over a limit: `BAD`.
    Bad(&'static str),
    /// Against what names can be: `NO [CANNOT]`.
    Cannot(&'static str),
    /// RFC 3501 §6.4.4: `NO [BADCHARSET (…)]`.
    BadCharset {
        /// The result was to be saved.
        save: bool,
    },
    /// RFC 5465 §5: `NO [BADEVENT (…)]`.
    BadEvent,
    /// A limit that a client may learn of: `NO [LIMIT]`.
    Limit(&'static str),
}

/// What a step answers.
pub(crate) type Lex<T> = Result<T, Fault>;

/// A place in a command.
#[derive(Debug)]
pub(crate) struct Lexer {
    input: Bytes,
    at: usize,
    depth: usize,
    /// Mailbox names are UTF-8 (RFC 9051 §5.1, RFC 9755 §3), not modified UTF-7.
    utf8: bool,
}

pub(crate) const fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

const fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

const fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || matches!(byte, b'%' | b'*')
}

const fn is_word_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
}

impl Lexer {
    pub(crate) const fn new(input: Bytes, utf8: bool) -> Self {
        Self { input, at: 0, depth: 0, utf8 }
    }

    fn rest(&self) -> &[u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn advance(&mut self, by: usize) {
        self.at = self.at.saturating_add(by).min(self.input.len());
    }

    /// Takes the byte if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        if is {
            self.advance(1);
        }
        is
    }

    /// The byte after the space that is next, if one is.
    pub(crate) fn peek_after_space(&self) -> Option<u8> {
        match self.rest() {
            [b' ', next, ..] => Some(*next),
            _ => None,
        }
    }

    /// Takes these bytes if they are next.
    pub(crate) fn eat_text(&mut self, text: &[u8]) -> bool {
        let is = self.rest().starts_with(text);
        if is {
            self.advance(text.len());
        }
        is
    }

    pub(crate) fn expect(&mut self, byte: u8, otherwise: &'static str) -> Lex<()> {
        if self.eat(byte) { Ok(()) } else { Err(Fault::Bad(otherwise)) }
    }

    /// One space, never more.
    pub(crate) fn space(&mut self) -> Lex<()> {
        self.expect(b' ', "a space is missing")
    }

    /// The end of the command.
    pub(crate) fn end(&self) -> Lex<()> {
        if self.at >= self.input.len() { Ok(()) } else { Err(Fault::Bad("more than the command takes")) }
    }

    /// Opens a parenthesis.
    pub(crate) fn open(&mut self) -> Lex<bool> {
        if !self.eat(b'(') {
            return Ok(false);
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth > IMAP_DEPTH_MAX { Err(Fault::Bad("parentheses too deep")) } else { Ok(true) }
    }

    /// Closes a parenthesis if it is next.
    pub(crate) fn close(&mut self) -> bool {
        let closed = self.eat(b')');
        if closed {
            self.depth = self.depth.saturating_sub(1);
        }
        closed
    }

    fn take(&mut self, is: impl Fn(u8) -> bool) -> Bytes {
        let len = self.rest().iter().position(|b| !is(*b)).unwrap_or(self.rest().len());
        let taken = self.input.slice(self.at..self.at.saturating_add(len).min(self.input.len()));
        self.advance(len);
        taken
    }

    fn text(bytes: &Bytes) -> String {
        // Only ASCII is ever taken for these.
        String::from_utf8_lossy(bytes).into_owned()
    }

    pub(crate) fn tag(&mut self) -> Lex<String> {
        let tag = self.take(crate::frame::is_tag_char);
        if tag.is_empty() || tag.len() > mailward_core::limits::IMAP_TAG_MAX {
            return Err(Fault::Bad("a command begins with a tag"));
        }
        Ok(Self::text(&tag))
    }

    /// Letters, digits, dots and hyphens, in capitals: command names, items, keys.
    pub(crate) fn word(&mut self) -> Lex<String> {
        let word = self.take(is_word_char);
        if word.is_empty() {
            return Err(Fault::Bad("a word is missing"));
        }
        Ok(Self::text(&word).to_ascii_uppercase())
    }

    /// Takes the word if it is next, in any case and as a whole.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let whole = rest.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes()))
            && !rest.get(word.len()).copied().is_some_and(is_word_char);
        if whole {
            self.advance(word.len());
        }
        whole
    }

    pub(crate) fn atom(&mut self) -> Lex<String> {
        let atom = self.take(is_atom_char);
        if atom.is_empty() { Err(Fault::Bad("an atom is missing")) } else { Ok(Self::text(&atom)) }
    }

    pub(crate) fn number64(&mut self) -> Lex<u64> {
        let digits = self.take(|b| b.is_ascii_digit());
        if digits.is_empty() {
            return Err(Fault::Bad("a number is missing"));
        }
        // RFC 7162 §7: 63 bits.
        Self::text(&digits)
            .parse::<u64>()
            .ok()
            .filter(|n| *n <= i64::MAX.unsigned_abs())
            .ok_or(Fault::Bad("the number is too large"))
    }

    pub(crate) fn number(&mut self) -> Lex<u32> {
        u32::try_from(self.number64()?).map_err(|_| Fault::Bad("the number is too large"))
    }

    /// A number from 1 (RFC 3501 §9, `nz-number`).
    pub(crate) fn positive(&mut self) -> Lex<u32> {
        match self.number()? {
            0 => Err(Fault::Bad("the number must not be 0")),
            n => Ok(n),
        }
    }

    pub(crate) fn is_string_next(&self) -> bool {
        matches!(self.peek(), Some(b'"' | b'{'))
    }

    /// Quoted or literal. 8-bit bytes pass; NUL never does (attacks G5).
    pub(crate) fn string(&mut self) -> Lex<Bytes> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => {
                let literal = self.literal()?;
                if literal.contains(&0) { Err(Fault::Bad("a NUL in a literal")) } else { Ok(literal) }
            }
            _ => Err(Fault::Bad("a string is missing")),
        }
    }

    fn quoted(&mut self) -> Lex<Bytes> {
        self.advance(1);
        let plain = self.take(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.eat(b'"') {
            return Ok(plain);
        }
        let mut unescaped = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.advance(1);
                    return Ok(unescaped.into());
                }
                Some(b'\\') => {
                    self.advance(1);
                    let Some(escaped @ (b'"' | b'\\')) = self.peek() else {
                        return Err(Fault::Bad("a backslash stands before \" and \\ only"));
                    };
                    self.advance(1);
                    unescaped.push(escaped);
                }
                Some(0 | b'\r' | b'\n') => return Err(Fault::Bad("a NUL, CR or LF in a quoted string")),
                Some(_) => {
                    unescaped.extend_from_slice(&self.take(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0)));
                }
                None => return Err(Fault::Bad("a quoted string doesn't end")),
            }
        }
    }

    /// A literal with or without the `~` of RFC 3516.
    pub(crate) fn literal8(&mut self) -> Lex<Bytes> {
        let _binary = self.eat(b'~');
        self.literal()
    }

    /// A string, a literal of any bytes, or NIL.
    pub(crate) fn value(&mut self) -> Lex<Option<Bytes>> {
        match self.peek() {
            Some(b'~') => self.literal8().map(Some),
            Some(b'"' | b'{') => self.string().map(Some),
            _ if self.eat_word("NIL") => Ok(None),
            _ => Err(Fault::Bad("a string or NIL is missing")),
        }
    }

    /// `{n}` or `{n+}`, a line end, and n bytes of any kind. The framer has seen to its size.
    pub(crate) fn literal(&mut self) -> Lex<Bytes> {
        self.expect(b'{', "a literal is missing")?;
        let size = usize::try_from(self.number64()?).map_err(|_| Fault::Bad("the number is too large"))?;
        let _non_synchronising = self.eat(b'+');
        self.expect(b'}', "a literal's size ends in }")?;
        self.expect(b'\r', "a literal's size ends its line")?;
        self.expect(b'\n', "a literal's size ends its line")?;
        let end = self.at.checked_add(size).filter(|end| *end <= self.input.len());
        let end = end.ok_or(Fault::Bad("a literal doesn't end"))?;
        let literal = self.input.slice(self.at..end);
        self.at = end;
        Ok(literal)
    }

    pub(crate) fn astring(&mut self) -> Lex<Bytes> {
        if self.is_string_next() {
            return self.string();
        }
        let atom = self.take(is_astring_char);
        if atom.is_empty() { Err(Fault::Bad("a string is missing")) } else { Ok(atom) }
    }

    /// An astring of UTF-8.
    pub(crate) fn text_string(&mut self) -> Lex<String> {
        String::from_utf8(self.astring()?.to_vec()).map_err(|_| Fault::Bad("a string isn't UTF-8"))
    }

    /// A mailbox name.
    pub(crate) fn mailbox(&mut self) -> Lex<MailboxName> {
        let name = self.astring()?;
        mailbox_name(&self.name_text(&name)?)
    }

    /// A LIST pattern or reference, decoded.
    pub(crate) fn pattern(&mut self) -> Lex<String> {
        let utf8 = self.utf8;
        let wire = if self.is_string_next() {
            self.string()?
        } else {
            self.take(|byte| is_list_char(byte) || (utf8 && !byte.is_ascii()))
        };
        self.name_text(&wire)
    }

    fn name_text(&self, wire: &[u8]) -> Lex<String> {
        if self.utf8 {
            return String::from_utf8(wire.to_vec()).map_err(|_| Fault::Cannot("the mailbox name isn't UTF-8"));
        }
        mutf7::decode(wire).map_err(|_| Fault::Cannot("the mailbox name isn't modified UTF-7"))
    }

    pub(crate) fn sequence_set(&mut self) -> Lex<SequenceSet> {
        if self.eat(b'$') {
            return Ok(SequenceSet(vec![(SetNumber::Saved, SetNumber::Saved)]));
        }
        let mut ranges = Vec::new();
        loop {
            let first = self.set_number()?;
            let last = if self.eat(b':') { self.set_number()? } else { first };
            if ranges.len() >= IMAP_SET_RANGES_MAX {
                return Err(Fault::Bad("the set has too many ranges"));
            }
            ranges.push((first, last));
            if !self.eat(b',') {
                return Ok(SequenceSet(ranges));
            }
        }
    }

    pub(crate) fn set_number(&mut self) -> Lex<SetNumber> {
        if self.eat(b'*') { Ok(SetNumber::Star) } else { self.positive().map(SetNumber::Number) }
    }
}

/// A mailbox name, decoded.
fn mailbox_name(name: &str) -> Lex<MailboxName> {
    MailboxName::parse(name).map_err(|error| {
        use mailward_core::MailboxNameError as E;
        Fault::Cannot(match error {
            E::Empty => "a mailbox name has at least one character in each level",
            E::TooLong => "the mailbox name is too long",
            E::TooDeep => "the mailbox name has too many levels",
            E::Dots => "a level of a mailbox name can't be . or ..",
            E::Character(_) => "the mailbox name holds a character that can't stand in one",
        })
    })
}
