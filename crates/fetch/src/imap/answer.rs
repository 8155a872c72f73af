//! Answers of an IMAP server, each with its literals in place (RFC 3501 §7, RFC 9051 §7), as far as fetching reads them.

use mailward_core::limits::{FETCH_DEPTH_MAX, FETCH_WORDS_MAX};
use std::borrow::Cow;

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done, or nothing to fear.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
    /// The server ends the connection.
    Bye,
    /// Logged in before anybody asked.
    Preauth,
}

/// A response code: its name in capitals, and what follows it within the brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code<'f> {
    /// `UIDVALIDITY`, `CAPABILITY`, …
    pub name: String,
    /// What follows, as it stands there.
    pub value: &'f [u8],
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'f> {
    /// `+`: the server waits for more.
    Go,
    /// The end of a command, or with `tag: None` a word in between.
    Status {
        /// Of which command.
        tag: Option<&'f [u8]>,
        /// How it went.
        status: Status,
        /// What programs are told.
        code: Option<Code<'f>>,
        /// What people are told.
        text: &'f [u8],
    },
    /// What the server can, as it stands there.
    Capability(&'f [u8]),
    /// How many messages the mailbox holds.
    Exists(u32),
    /// A message.
    Fetch(Fetched<'f>),
    /// Something that nobody here asked for.
    Other,
}

/// What an answer tells of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched<'f> {
    /// `UID`.
    pub uid: Option<u32>,
    /// `RFC822.SIZE`.
    pub size: Option<u64>,
    /// Whether `FLAGS` has `\Deleted`.
    pub deleted: bool,
    /// `BODY[]`.
    pub body: Option<Cow<'f, [u8]>>,
}

/// How many bytes of a literal follow behind this line of an answer that began with `first` (which may be the same line).
/// Words for people may end as a literal begins: they have none.
#[must_use]
pub fn literal(first: &[u8], line: &[u8]) -> Option<u64> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|b| *b == b'{')?;
    let digits = inner.get(open.saturating_add(1)..)?;
    let size = number(digits.strip_suffix(b"+").unwrap_or(digits))?;
    let (tag, rest) = split(first);
    let (word, _) = split(rest);
    let data = tag == b"*" && status(word).is_none();
    data.then_some(size)
}

/// Reads an answer, without its last line end. `None`: it is none, or past a limit.
#[must_use]
pub fn answer(frame: &[u8]) -> Option<Answer<'_>> {
    let (tag, rest) = split(frame);
    if tag == b"+" {
        return Some(Answer::Go);
    }
    if tag.is_empty() {
        return None;
    }
    let tag = (tag != b"*").then_some(tag);
    let (word, text) = split(rest);
    if let Some(status) = status(word) {
        let (code, text) = code(text);
        return Some(Answer::Status { tag, status, code, text });
    }
    if tag.is_some() {
        return None;
    }
    if word.eq_ignore_ascii_case(b"CAPABILITY") {
        return Some(Answer::Capability(text));
    }
    let Some(count) = number(word).and_then(|n| u32::try_from(n).ok()) else { return Some(Answer::Other) };
    let (what, text) = split(text);
    if what.eq_ignore_ascii_case(b"EXISTS") {
        return Some(Answer::Exists(count));
    }
    if what.eq_ignore_ascii_case(b"FETCH") {
        return fetched(text).map(Answer::Fetch);
    }
    Some(Answer::Other)
}

/// Whether a list of capabilities has one.
#[must_use]
pub fn can(capabilities: &[u8], name: &str) -> bool {
    capabilities.split(|b| *b == b' ').any(|one| one.eq_ignore_ascii_case(name.as_bytes()))
}

/// A number as a code or an item has it.
#[must_use]
pub fn number(digits: &[u8]) -> Option<u64> {
    let good = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| good)?.parse().ok()
}

fn status(word: &[u8]) -> Option<Status> {
    const ALL: [(&[u8], Status); 5] = [
        (b"OK", Status::Ok),
        (b"NO", Status::No),
        (b"BAD", Status::Bad),
        (b"BYE", Status::Bye),
        (b"PREAUTH", Status::Preauth),
    ];
    ALL.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, status)| *status)
}

/// The first word, and what follows the one blank behind it.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|b| *b == b' ') {
        Some(end) => (text.get(..end).unwrap_or_default(), text.get(end.saturating_add(1)..).unwrap_or_default()),
        None => (text, &[]),
    }
}

fn code(text: &[u8]) -> (Option<Code<'_>>, &[u8]) {
    let Some(inner) = text.strip_prefix(b"[") else { return (None, text) };
    let Some(end) = inner.iter().position(|b| *b == b']') else { return (None, text) };
    let (name, value) = split(inner.get(..end).unwrap_or_default());
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let rest = inner.get(end.saturating_add(1)..).unwrap_or_default();
    (Some(Code { name, value }), rest.trim_ascii_start())
}

/// `(UID 5 RFC822.SIZE 120 …)`.
fn fetched(text: &[u8]) -> Option<Fetched<'_>> {
    let mut words = Words { rest: text, left: FETCH_WORDS_MAX };
    if words.next()? != Word::Open {
        return None;
    }
    let mut fetched = Fetched::default();
    loop {
        let name = match words.next()? {
            Word::Close => break,
            Word::Atom(name) => name,
            Word::Open | Word::Text(_) => return None,
        };
        let value = words.next()?;
        match value {
            Word::Close => return None,
            Word::Open => {
                let flags = name.eq_ignore_ascii_case(b"FLAGS");
                fetched.deleted |= words.list(|word| flags && word.eq_ignore_ascii_case(b"\\Deleted"))?;
            }
            Word::Atom(atom) if name.eq_ignore_ascii_case(b"UID") => {
                fetched.uid = Some(u32::try_from(number(atom)?).ok()?);
            }
            Word::Atom(atom) if name.eq_ignore_ascii_case(b"RFC822.SIZE") => fetched.size = Some(number(atom)?),
            Word::Text(text) if name.eq_ignore_ascii_case(b"BODY[]") => fetched.body = Some(text),
            Word::Atom(_) | Word::Text(_) => {}
        }
    }
    words.rest.is_empty().then_some(fetched)
}

#[derive(Debug, PartialEq, Eq)]
enum Word<'f> {
    Open,
    Close,
    Atom(&'f [u8]),
    Text(Cow<'f, [u8]>),
}

struct Words<'f> {
    rest: &'f [u8],
    left: usize,
}

impl<'f> Words<'f> {
    fn next(&mut self) -> Option<Word<'f>> {
        self.left = self.left.checked_sub(1)?;
        self.rest = self.rest.trim_ascii_start();
        let rest = self.rest;
        match rest {
            [] => None,
            [b'(', after @ ..] => self.took(Word::Open, after),
            [b')', after @ ..] => self.took(Word::Close, after),
            [b'"', after @ ..] => self.quoted(after),
            [b'{', after @ ..] | [b'~', b'{', after @ ..] => self.literal(after),
            _ => {
                let (mut end, mut brackets) = (0usize, false);
                for byte in rest {
                    match byte {
                        b'[' => brackets = true,
                        b']' => brackets = false,
                        b' ' | b'(' | b')' | b'"' | b'{' if !brackets => break,
                        b'\r' | b'\n' => return None,
                        _ => {}
                    }
                    end = end.saturating_add(1);
                }
                let (atom, after) = rest.split_at_checked(end).filter(|(atom, _)| !atom.is_empty())?;
                self.took(Word::Atom(atom), after)
            }
        }
    }

    fn took(&mut self, word: Word<'f>, after: &'f [u8]) -> Option<Word<'f>> {
        self.rest = after;
        Some(word)
    }

    fn quoted(&mut self, text: &'f [u8]) -> Option<Word<'f>> {
        let mut decoded = Vec::new();
        let mut bytes = text.iter().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    let after = text.get(at.saturating_add(1)..)?;
                    return self.took(Word::Text(Cow::Owned(decoded)), after);
                }
                b'\\' => decoded.push(*bytes.next()?.1),
                b'\r' | b'\n' => return None,
                byte => decoded.push(*byte),
            }
        }
        None
    }

    fn literal(&mut self, text: &'f [u8]) -> Option<Word<'f>> {
        let close = text.iter().position(|b| *b == b'}')?;
        let digits = text.get(..close)?;
        let size = usize::try_from(number(digits.strip_suffix(b"+").unwrap_or(digits))?).ok()?;
        let bytes = text.get(close.saturating_add(1)..)?.strip_prefix(b"\r\n")?;
        let (literal, after) = bytes.split_at_checked(size)?;
        self.took(Word::Text(Cow::Borrowed(literal)), after)
    }

    /// Goes to the end of a list that is open; whether it has a word that is looked for.
    fn list(&mut self, looked_for: impl Fn(&[u8]) -> bool) -> Option<bool> {
        let (mut depth, mut found) = (1usize, false);
        while depth > 0 {
            match self.next()? {
                Word::Open => depth = depth.saturating_add(1),
                Word::Close => depth = depth.saturating_sub(1),
                Word::Atom(atom) => found |= looked_for(atom),
                Word::Text(_) => {}
            }
            if depth > FETCH_DEPTH_MAX {
                return None;
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn the_code(frame: &[u8]) -> Option<Code<'_>> {
        match answer(frame) {
            Some(Answer::Status { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_between_and_ends_have_their_codes() {
        let code = the_code(b"* OK [UIDVALIDITY 3857529045] UIDs valid").unwrap();
        assert_eq!((code.name.as_str(), code.value), ("UIDVALIDITY", &b"3857529045"[..]));
        let failed = answer(b"a1 no [authenticationfailed] wrong").unwrap();
        let code = Some(Code { name: "AUTHENTICATIONFAILED".to_owned(), value: b"" });
        assert_eq!(failed, Answer::Status { tag: Some(b"a1"), status: Status::No, code, text: b"wrong" });
        assert_eq!(the_code(b"* OK [no end"), None);
        assert_eq!(answer(b"+ go on"), Some(Answer::Go));
        assert_eq!(answer(b"+"), Some(Answer::Go));
        assert_eq!(answer(b"* 23 exists"), Some(Answer::Exists(23)));
        assert_eq!(answer(b"* 23 EXPUNGE"), Some(Answer::Other));
        let Some(Answer::Capability(list)) = answer(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR") else { panic!() };
        assert!(can(list, "auth=plain") && !can(list, "AUTH") && !can(list, "UIDPLUS"));
        for none in [&b""[..], b"a1", b"a1 FETCH", b"+OK", b"* 1 FETCH (UID 1", b"* 1 FETCH UID 1"] {
            assert_eq!(answer(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_message_is_a_literal_or_a_string_among_other_items() {
        let frame =
            b"* 1 FETCH (FLAGS (\\Seen \\Deleted) UID 7 RFC822.SIZE 12 BODY[] {5}\r\na)\r\nb X-GM (a (b \"c\\\"\")))";
        let Some(Answer::Fetch(found)) = answer(frame) else { panic!() };
        assert_eq!((found.uid, found.size, found.deleted), (Some(7), Some(12), true));
        assert_eq!(found.body.as_deref(), Some(&b"a)\r\nb"[..]));
        let Some(Answer::Fetch(found)) = answer(b"* 1 FETCH (BODY[] \"a\\\\b\" UID 7)") else { panic!() };
        assert_eq!(found.body.as_deref(), Some(&b"a\\b"[..]));
        // A part isn't the message, and NIL is none.
        for other in
            [&b"* 1 FETCH (BODY[1] {1}\r\na)"[..], b"* 1 FETCH (BODY[] NIL)", b"* 1 FETCH (BODY[]<0> {1}\r\na)"]
        {
            let Some(Answer::Fetch(found)) = answer(other) else { panic!() };
            assert_eq!(found.body, None);
        }
        for short in [&b"* 1 FETCH (BODY[] {5}\r\na)"[..], b"* 1 FETCH (BODY[] {1}\r\na) more", b"* 1 FETCH (UID x)"] {
            assert_eq!(answer(short), None, "{short:?}");
        }
    }

    #[test]
    fn words_for_people_never_begin_a_literal() {
        let body = b"* 1 FETCH (UID 7 BODY[] {120}";
        assert_eq!(literal(body, body), Some(120));
        assert_eq!(literal(b"* 1 FETCH (X {1}", b" BODY[] {7+}"), Some(7));
        for none in [&b"* OK wait {120}"[..], b"a1 OK {5}", b"+ {5}", b"* 1 FETCH {}", b"* 1 FETCH {-1}", b"* BYE {1}"]
        {
            assert_eq!(literal(none, none), None, "{none:?}");
        }
    }

    #[test]
    fn nesting_and_words_end_at_their_limits() {
        let nested = |depth: usize| format!("* 1 FETCH (X {}{})", "(".repeat(depth), ")".repeat(depth));
        assert!(answer(nested(FETCH_DEPTH_MAX).as_bytes()).is_some());
        assert!(answer(nested(FETCH_DEPTH_MAX + 1).as_bytes()).is_none());
        let many = |words: usize| format!("* 1 FETCH (X ({}))", "a ".repeat(words));
        assert!(answer(many(FETCH_WORDS_MAX - 6).as_bytes()).is_some());
        assert!(answer(many(FETCH_WORDS_MAX).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(frame in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = (answer(&frame), literal(&frame, &frame));
            let _ = answer(&[b"* 1 FETCH (", &frame[..]].concat());
        }

        #[test]
        fn any_bytes_come_out_of_a_literal_as_they_are(uid in 1u32.., bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let head = format!("* 1 FETCH (UID {uid} BODY[] {{{}}}", bytes.len());
            prop_assert_eq!(literal(head.as_bytes(), head.as_bytes()), Some(bytes.len() as u64));
            let frame = [head.as_bytes(), b"\r\n", &bytes, b")"].concat();
            let Some(Answer::Fetch(found)) = answer(&frame) else { panic!() };
            prop_assert_eq!(found.uid, Some(uid));
            prop_assert_eq!(found.body.as_deref(), Some(&bytes[..]));
        }
    }
}
