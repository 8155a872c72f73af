//! A message that milters change: its fields and its body.

use crate::changes::Edit;
use mailward_core::limits::MILTER_FIELD_LINE_MAX;
use mailward_message::header;
use std::borrow::Cow;

/// A message as the next milter sees it.
#[derive(Clone, Debug)]
pub(crate) struct Draft<'m> {
    fields: Vec<Field<'m>>,
    /// The empty line, or nothing where the message ends without one.
    divider: &'m [u8],
    body: Cow<'m, [u8]>,
}

/// One field, or a line that is none.
#[derive(Clone, Debug)]
struct Field<'m> {
    /// Empty: no field, which no milter hears of.
    name: Cow<'m, [u8]>,
    /// With its line end.
    whole: Cow<'m, [u8]>,
    /// Taken away: it counts until the milter that did it is done, as with sendmail.
    is_gone: bool,
}

impl<'m> Draft<'m> {
    pub(crate) fn of(message: &'m [u8]) -> Self {
        let (head, body) = message.split_at_checked(header::header_end(message)).unwrap_or((&[], message));
        let mut end = 0;
        let fields = header::fields(head).map(|field| {
            end = field.whole.end;
            Field {
                name: Cow::Borrowed(field.name),
                whole: Cow::Borrowed(head.get(field.whole).unwrap_or_default()),
                is_gone: false,
            }
        });
        let fields = fields.collect();
        Self { fields, divider: head.get(end..).unwrap_or_default(), body: Cow::Borrowed(body) }
    }

    /// Names and values of the fields; a value is all behind the colon, lines of it divided by LF.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
        let fields = self.fields.iter().filter(|field| !field.is_gone && !field.name.is_empty());
        fields.map(|field| {
            let colon = memchr::memchr(b':', &field.whole).unwrap_or(0);
            let value = field.whole.get(colon.saturating_add(1)..).unwrap_or_default();
            let mut told = Vec::with_capacity(value.len());
            // A NUL would end it; a CR alone is a letter, which no milter should take for a line end.
            told.extend(value.iter().filter(|byte| !matches!(byte, b'\r' | 0)));
            while told.ends_with(b"\n") {
                told.pop();
            }
            (field.name.as_ref(), told)
        })
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn replace_body(&mut self, body: Vec<u8>) {
        self.body = Cow::Owned(body);
    }

    /// Makes a change. A field to be changed that isn't there is added; one to be taken away that isn't there isn't missed.
    pub(crate) fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Add { name, value } => self.put(self.fields.len(), name, value),
            Edit::Insert { at, name, value } => {
                // What is first for a milter stands behind the trace that the server wrote: 0 is before that trace, 1 is
                // behind it, which is the same place here.
                let at = usize::try_from(at.saturating_sub(1)).unwrap_or(usize::MAX);
                let mut named = self.fields.iter().enumerate().filter(|(_, field)| !field.name.is_empty());
                let place = named.nth(at).map_or(self.fields.len(), |(place, _)| place);
                self.put(place, name, value);
            }
            Edit::Change { nth, name, value } => match self.nth(*nth, name) {
                Some(place) => {
                    if let Some(field) = self.fields.get_mut(place) {
                        *field = Field::new(name, value);
                    }
                }
                None => self.put(self.fields.len(), name, value),
            },
            Edit::Remove { nth, name } => {
                if let Some(field) = self.nth(*nth, name).and_then(|place| self.fields.get_mut(place)) {
                    field.is_gone = true;
                }
            }
        }
    }

    /// A milter is done: what it took away isn't counted any more.
    pub(crate) fn settle(&mut self) {
        self.fields.retain(|field| !field.is_gone);
    }

    /// The whole message.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let fields = self.fields.iter().filter(|field| !field.is_gone);
        let size = fields.clone().map(|field| field.whole.len()).fold(0, usize::saturating_add);
        let mut bytes = Vec::with_capacity(size.saturating_add(self.body.len()).saturating_add(8));
        for field in fields {
            bytes.extend_from_slice(&field.whole);
            if !field.whole.ends_with(b"\n") {
                bytes.extend_from_slice(b"\r\n");
            }
        }
        match self.divider {
            // There is a body now, or there was nothing but one and now there are fields.
            [] if !self.body.is_empty() && !bytes.is_empty() => bytes.extend_from_slice(b"\r\n"),
            divider => bytes.extend_from_slice(divider),
        }
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn put(&mut self, place: usize, name: &str, value: &[u8]) {
        self.fields.insert(place.min(self.fields.len()), Field::new(name, value));
    }

    /// The place of the nth field of a name, from 1.
    fn nth(&self, nth: u32, name: &str) -> Option<usize> {
        let nth = usize::try_from(nth.saturating_sub(1)).unwrap_or(usize::MAX);
        let named = self.fields.iter().enumerate();
        named.filter(|(_, field)| field.name.eq_ignore_ascii_case(name.as_bytes())).nth(nth).map(|(place, _)| place)
    }
}

impl Field<'_> {
    fn new(name: &str, value: &[u8]) -> Self {
        let mut whole = Vec::with_capacity(name.len().saturating_add(value.len()).saturating_add(3));
        whole.extend_from_slice(name.as_bytes());
        whole.push(b':');
        fold(&mut whole, value);
        whole.extend_from_slice(b"\r\n");
        Self { name: Cow::Owned(name.as_bytes().to_vec()), whole: Cow::Owned(whole), is_gone: false }
    }
}

/// Writes a value behind a name and its colon, so that it stays one field: every line after the first begins with a blank and
/// has something in it, none is longer than [`MILTER_FIELD_LINE_MAX`], no NUL stands in it.
fn fold(out: &mut Vec<u8>, value: &[u8]) {
    let clean: Vec<u8> = value.iter().copied().filter(|byte| *byte != 0).collect();
    let mut room = MILTER_FIELD_LINE_MAX.saturating_sub(out.len());
    let mut first = true;
    for line in clean.split(|byte| matches!(byte, b'\r' | b'\n')) {
        let text = line.trim_ascii_end();
        if first {
            first = false;
            wrap(out, text, room);
            continue;
        }
        if text.is_empty() {
            continue;
        }
        out.extend_from_slice(b"\r\n");
        room = MILTER_FIELD_LINE_MAX;
        if !text.starts_with(b" ") && !text.starts_with(b"\t") {
            out.push(b'\t');
            room = room.saturating_sub(1);
        }
        wrap(out, text, room);
    }
}

/// Writes one line that ends with something seen, or nothing, in as many as it needs.
fn wrap(out: &mut Vec<u8>, mut text: &[u8], mut room: usize) {
    // Blanks that would fill a line by themselves are one.
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    if blanks > BLANKS_MAX {
        text = text.get(blanks.saturating_sub(1)..).unwrap_or_default();
    }
    while text.len() > room {
        let window = text.get(..room).unwrap_or_default();
        let ink = window.iter().position(|byte| !is_blank(*byte)).unwrap_or(room);
        let blank = window.iter().rposition(|byte| is_blank(*byte)).filter(|at| *at > ink);
        // Where there is no blank, a cut between characters is the least harm.
        let cut = blank.unwrap_or_else(|| {
            (1..=room).rev().take(4).find(|at| text.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80)).unwrap_or(room)
        });
        let Some((line, rest)) = text.split_at_checked(cut.max(1)) else { break };
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        text = rest;
        room = MILTER_FIELD_LINE_MAX;
        if blank.is_none() {
            out.push(b' ');
            room = room.saturating_sub(1);
        }
    }
    out.extend_from_slice(text);
}

/// Blanks that a line may begin with.
const BLANKS_MAX: usize = 64;

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A body whose lines all end with CRLF.
pub(crate) fn with_line_ends(body: Vec<u8>) -> Vec<u8> {
    let is_bare = |at: usize| match body.get(at) {
        Some(b'\n') => at.checked_sub(1).and_then(|before| body.get(before)) != Some(&b'\r'),
        Some(b'\r') => body.get(at.saturating_add(1)) != Some(&b'\n'),
        _ => false,
    };
    if !memchr::memchr2_iter(b'\r', b'\n', &body).any(is_bare) {
        return body;
    }
    let mut out = Vec::with_capacity(body.len().saturating_add(64));
    let mut begun = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', &body).filter(|at| is_bare(*at)) {
        out.extend_from_slice(body.get(begun..at).unwrap_or_default());
        out.extend_from_slice(b"\r\n");
        begun = at.saturating_add(1);
    }
    out.extend_from_slice(body.get(begun..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGE: &[u8] = b"Received: one\r\nSubject: a\r\n b\r\nreceived: two\r\nTo: x\r\n\r\nbody\r\n";

    fn edited(message: &[u8], edits: &[Edit]) -> String {
        let mut draft = Draft::of(message);
        edits.iter().for_each(|edit| draft.edit(edit));
        String::from_utf8(draft.to_bytes()).unwrap()
    }
    fn add(name: &str, value: &str) -> Edit {
        Edit::Add { name: name.into(), value: value.into() }
    }
    fn insert(at: u32, name: &str) -> Edit {
        Edit::Insert { at, name: name.into(), value: b" v".to_vec() }
    }
    fn change(nth: u32, name: &str) -> Edit {
        Edit::Change { nth, name: name.into(), value: b" v".to_vec() }
    }
    fn remove(nth: u32, name: &str) -> Edit {
        Edit::Remove { nth, name: name.into() }
    }

    #[test]
    fn a_message_that_nobody_changes_stays_as_it_is() {
        for message in
            [MESSAGE, b"\r\nbody", b"no header at all", b"", b"A: b", b"A: b\r\n", b"A: b\r\n\r\n", b"A: b\n\nc\n"]
        {
            let whole = Draft::of(message).to_bytes();
            assert_eq!(whole.strip_suffix(b"\r\n").unwrap_or(&whole), message.strip_suffix(b"\r\n").unwrap_or(message));
        }
    }

    #[test]
    fn fields_are_told_with_their_folding() {
        let draft = Draft::of(b"A: b\r\n\tc\r\nno field\r\nD:e\r\n\r\nx");
        let told: Vec<_> = draft.fields().map(|(name, value)| (name.to_vec(), value)).collect();
        assert_eq!(told, [(b"A".to_vec(), b" b\n\tc".to_vec()), (b"D".to_vec(), b"e".to_vec())]);
        assert_eq!(draft.body(), b"x");
    }

    #[test]
    fn a_field_is_inserted_where_sendmail_would() {
        let first = |at| edited(MESSAGE, &[insert(at, "N")]).lines().position(|line| line == "N: v").unwrap();
        assert_eq!([0, 1, 2, 3, 4, 5, 99, u32::MAX].map(first), [0, 0, 1, 3, 4, 5, 5, 5]);
        assert!(edited(MESSAGE, &[add("N", " v")]).contains("To: x\r\nN: v\r\n\r\nbody"));
    }

    #[test]
    fn a_field_is_changed_by_its_number_among_those_of_its_name() {
        assert!(
            edited(MESSAGE, &[change(1, "RECEIVED")]).starts_with("RECEIVED: v\r\nSubject: a\r\n b\r\nreceived: two")
        );
        assert!(
            edited(MESSAGE, &[change(2, "received")]).contains("Received: one\r\nSubject: a\r\n b\r\nreceived: v\r\n")
        );
        assert!(edited(MESSAGE, &[change(3, "received")]).contains("To: x\r\nreceived: v\r\n\r\n"));
        assert!(!edited(MESSAGE, &[remove(1, "subject")]).contains("Subject"));
        assert_eq!(edited(MESSAGE, &[remove(2, "subject"), remove(1, "none")]), String::from_utf8_lossy(MESSAGE));
    }

    #[test]
    fn what_a_milter_took_away_counts_until_it_is_done() {
        let both = edited(MESSAGE, &[remove(1, "received"), remove(2, "received")]);
        assert!(!both.to_ascii_lowercase().contains("received"));
        let mut draft = Draft::of(MESSAGE);
        draft.edit(&remove(1, "received"));
        draft.settle();
        draft.edit(&remove(1, "received"));
        assert!(!String::from_utf8(draft.to_bytes()).unwrap().to_ascii_lowercase().contains("received"));
    }

    #[test]
    fn a_value_stays_one_field() {
        let value = "b\r\nBcc: x\r\n\r\nbody\n\tc\r \r\nd\0";
        assert_eq!(
            edited(b"X: y\r\n\r\nz", &[add("A", value)]),
            "X: y\r\nA:b\r\n\tBcc: x\r\n\tbody\r\n\tc\r\n\td\r\n\r\nz"
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_folded() {
        let words = format!(" {}", vec!["word"; 500].join(" "));
        let folded = edited(b"X: y\r\n\r\nz", &[add("A", &words)]);
        assert!(folded.lines().all(|line| line.len() <= MILTER_FIELD_LINE_MAX));
        assert!(folded.replace("\r\n", "").contains(&words));
        let solid = edited(b"X: y\r\n\r\nz", &[add("A", &"é".repeat(2_000))]);
        assert!(solid.lines().all(|line| line.len() <= MILTER_FIELD_LINE_MAX));
        assert_eq!(solid.matches('é').count(), 2_000);
    }

    #[test]
    fn what_has_no_header_gets_one() {
        assert_eq!(edited(b"just text", &[add("A", " b")]), "A: b\r\n\r\njust text");
        assert_eq!(edited(b"\r\ntext", &[add("A", " b")]), "A: b\r\n\r\ntext");
        assert_eq!(edited(b"", &[add("A", " b")]), "A: b\r\n");
        let mut draft = Draft::of(b"A: b");
        draft.replace_body(b"c".to_vec());
        assert_eq!(draft.to_bytes(), b"A: b\r\n\r\nc");
    }

    #[test]
    fn every_line_of_a_body_ends_with_crlf() {
        for (body, whole) in
            [("a\nb", "a\r\nb"), ("a\rb\r", "a\r\nb\r\n"), ("a\r\nb", "a\r\nb"), ("\n\r\n\r\r\n", "\r\n\r\n\r\n\r\n")]
        {
            assert_eq!(with_line_ends(body.into()), whole.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn whatever_a_milter_writes_is_one_field(
            value in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'\t'), any::<u8>()], 0..3000),
            at in 0..4u32,
        ) {
            let before = header::fields(MESSAGE).count();
            let mut draft = Draft::of(MESSAGE);
            draft.edit(&Edit::Insert { at, name: "New".into(), value });
            let bytes = draft.to_bytes();
            let end = header::header_end(&bytes);
            prop_assert_eq!(&bytes[end..], b"body\r\n".as_slice());
            prop_assert_eq!(header::fields(&bytes[..end]).skip(before).count(), 1);
            prop_assert_eq!(header::fields(&bytes[..end]).filter(|field| field.is("new")).count(), 1);
            for line in bytes[..end].split_inclusive(|byte| *byte == b'\n') {
                prop_assert!(line.ends_with(b"\r\n") && line.len() <= MILTER_FIELD_LINE_MAX + 2);
                let text = line.strip_suffix(b"\r\n").unwrap();
                prop_assert!(!text.contains(&b'\r') && !line.contains(&0));
            }
        }

        #[test]
        fn any_edits_of_any_message_end(
            message in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), any::<u8>()], 0..120),
            nth in any::<u32>(), name in "[a-z]{1,3}",
        ) {
            let mut draft = Draft::of(&message);
            prop_assert!(draft.fields().count() <= message.len());
            draft.edit(&insert(nth, &name));
            draft.edit(&change(nth, &name));
            draft.edit(&remove(nth, &name));
            draft.settle();
            prop_assert!(draft.to_bytes().ends_with(draft.body()));
        }
    }
}
