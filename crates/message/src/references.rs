//! Message ids of Message-ID, References and In-Reply-To, in one form each (RFC 5322 §3.6.4 with §4.5.4; RFC 5256 §3,
//! REFERENCES). Each byte is looked at a bounded number of times.
//!
//! Lenient where a reader loses nothing: what stands between ids is skipped, blanks and comments within one are
//! dropped, and any bytes may be in it. An id has an `@` with something on both sides, or it is none.

use crate::header::{first, unfold};
use mailward_core::limits::{MESSAGE_ID_MAX, REFERENCES_MAX};

/// What a header says of a message's place in a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ancestry {
    /// Its own id; see [`message_ids`] for the form.
    pub id: Option<String>,
    /// Ids of those it follows, the oldest first, its parent last. At most `limits::REFERENCES_MAX`: of more the
    /// first and the last ones (RFC 5537 §3.4.4 says the same to who shortens them).
    pub references: Vec<String>,
}

/// Reads a header section by the rules of RFC 5256 §3: References, or, if that names nobody, the first id of
/// In-Reply-To (addresses often follow it). Of a field given twice the first counts.
#[must_use]
pub fn ancestry(header: &[u8]) -> Ancestry {
    let first_id = |name| first(header, name).and_then(|value| message_ids(value).into_iter().next());
    let mut references = first(header, "References").map(message_ids).unwrap_or_default();
    if references.is_empty() {
        references.extend(first_id("In-Reply-To"));
    }
    Ancestry { id: first_id("Message-ID"), references }
}

/// The ids of a field's value, in order, without angle brackets, comments and blanks; a local part is quoted only
/// where it must be, so that `<"a"@b>` and `<a@b>` are the same. At most `limits::REFERENCES_MAX` (of more the first
/// and the last), none longer than `limits::MESSAGE_ID_MAX`.
#[must_use]
pub fn message_ids(value: &[u8]) -> Vec<String> {
    let value = unfold(value);
    let mut reader = Reader { value: &value, at: 0, quotes: true, comments: true };
    let mut ids: Vec<String> = Vec::new();
    while let Some(id) = reader.next_id() {
        if ids.len() >= REFERENCES_MAX {
            ids.remove(1);
        }
        ids.push(id);
    }
    ids
}

struct Reader<'v> {
    value: &'v [u8],
    at: usize,
    /// Whether a quote may yet find its end, and a comment: once one hasn't, they are bytes like others.
    quotes: bool,
    comments: bool,
}

impl Reader<'_> {
    /// Skips to the next id and over it.
    fn next_id(&mut self) -> Option<String> {
        loop {
            match self.value.get(self.at)? {
                b'"' if self.quotes => self.quotes = self.skip(quoted_end),
                b'(' if self.comments => self.comments = self.skip(comment_end),
                b'<' => {
                    self.at = self.at.saturating_add(1);
                    if let Some(id) = self.id() {
                        return Some(id);
                    }
                    continue;
                }
                _ => {}
            }
            self.at = self.at.saturating_add(1);
        }
    }

    /// Goes to the last byte of what starts here; answers whether it has an end.
    fn skip(&mut self, end: fn(&[u8]) -> Option<usize>) -> bool {
        let length = self.value.get(self.at..).and_then(end);
        self.at = self.at.saturating_add(length.unwrap_or(1).saturating_sub(1));
        length.is_some()
    }

    /// An id after its `<`, up to its `>`. If another `<` comes first, this was none, and that may be one.
    fn id(&mut self) -> Option<String> {
        let mut id: Vec<u8> = Vec::new();
        // Where the last `@` outside quotes is.
        let mut at_sign = None;
        let mut comments = true;
        // Where the id ends if no quotes hold it up.
        let mut bracket = self.at;
        while let Some(byte) = self.value.get(self.at).copied() {
            match byte {
                b'<' => return None,
                b'>' => {
                    self.at = self.at.saturating_add(1);
                    let whole = at_sign.is_some_and(|at: usize| at > 0 && at.saturating_add(1) < id.len());
                    let whole = whole && id.len() <= MESSAGE_ID_MAX;
                    return whole.then(|| String::from_utf8_lossy(&id).into_owned());
                }
                b' ' | b'\t' | b'\r' | b'\n' | 0 => {}
                b'(' if comments => {
                    // A comment that runs over the id's end isn't meant as one.
                    if bracket <= self.at {
                        let rest = self.value.get(self.at..).unwrap_or_default();
                        let length = memchr::memchr2(b'<', b'>', rest).unwrap_or(rest.len());
                        bracket = self.at.saturating_add(length);
                    }
                    comments = match self.value.get(self.at..bracket).and_then(comment_end) {
                        Some(length) => {
                            self.at = self.at.saturating_add(length);
                            continue;
                        }
                        None => false,
                    };
                    id.push(byte);
                }
                b'"' if self.quotes => match self.value.get(self.at..).and_then(quoted_end) {
                    Some(length) => {
                        let end = self.at.saturating_add(length);
                        let inside = self.at.saturating_add(1)..end.saturating_sub(1);
                        push_quoted(self.value.get(inside).unwrap_or_default(), &mut id);
                        self.at = end;
                        continue;
                    }
                    None => {
                        self.quotes = false;
                        id.push(byte);
                    }
                },
                _ => {
                    if byte == b'@' {
                        at_sign = Some(id.len());
                    }
                    id.push(byte);
                }
            }
            self.at = self.at.saturating_add(1);
        }
        None
    }
}

/// Adds what a quoted string means: bare if it could have been written so, else in quotes with no escape too many.
fn push_quoted(inside: &[u8], id: &mut Vec<u8>) {
    let mut meant = Vec::with_capacity(inside.len());
    crate::address_list::unescape(inside, &mut meant);
    meant.retain(|b| !matches!(b, b'\r' | b'\n' | 0));
    let plain = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80 || b"!#$%&'*+-/=?^_`{|}~.".contains(b);
    if !meant.is_empty() && meant.iter().all(plain) {
        id.extend_from_slice(&meant);
        return;
    }
    id.push(b'"');
    for byte in meant {
        if matches!(byte, b'"' | b'\\') {
            id.push(b'\\');
        }
        id.push(byte);
    }
    id.push(b'"');
}

/// Length of the quoted string at the start; `None` if it has no end.
fn quoted_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1_usize;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at.saturating_add(1)),
            b'\\' => at = at.saturating_add(2),
            _ => at = at.saturating_add(1),
        }
    }
}

/// Length of the comment at the start, those inside it counted; `None` if it has no end.
fn comment_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0_usize, 0_usize);
    loop {
        match bytes.get(at)? {
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            b'\\' => at = at.saturating_add(1),
            _ => {}
        }
        at = at.saturating_add(1);
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(value: &str) -> Vec<String> {
        message_ids(value.as_bytes())
    }

    #[test]
    fn an_id_has_one_form_however_it_is_written() {
        for (value, id) in [
            // RFC 5256 §3.
            ("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com"),
            ("<01KF8JCEOCBS0045PS@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com"),
            // RFC 5322 appendix A.
            ("<1234@local.machine.example>", "1234@local.machine.example"),
            ("              <testabcd.1234@silly.test>", "testabcd.1234@silly.test"),
            ("<1234   @   local(blah)  .machine .example>", "1234@local.machine.example"),
            // Quotes where they must be, and each quoted pair as what it means.
            ("<\"a b\"@c>", "\"a b\"@c"),
            ("<\"a\\ \\b\"@c>", "\"a b\"@c"),
            ("<\"\\a\\b\"@c>", "ab@c"),
            ("<\"a\\\"b\"@c>", "\"a\\\"b\"@c"),
            ("<a.\"b\".c@d>", "a.b.c@d"),
            ("<\"\"@c>", "\"\"@c"),
            ("<\"a>b\"@c>", "\"a>b\"@c"),
            ("<a@[127.0.0.1]>", "a@[127.0.0.1]"),
            // What the grammar doesn't know and people write.
            ("<a@b@c>", "a@b@c"),
            ("<a\r\n b@c>", "ab@c"),
            ("<\u{e4}@c>", "\u{e4}@c"),
            ("<a(b@c>", "a(b@c"),
            ("<a\"b@c>", "a\"b@c"),
            ("<<a@b>", "a@b"),
        ] {
            assert_eq!(ids(value), [id], "{value}");
        }
        // Message ids are compared as they are cased.
        assert_ne!(ids("<A@b>"), ids("<a@b>"));
    }

    #[test]
    fn what_is_no_id_is_skipped() {
        for value in ["", "a@b", "<a@b", "<>", "<@>", "<@b>", "<a@>", "<a>", "< >", "(<a@b>)", "\"<a@b>\"", "<\"a@b\">"]
        {
            assert_eq!(ids(value), [""; 0], "{value}");
        }
        let long = format!("<{}@b>", "a".repeat(MESSAGE_ID_MAX - 2));
        assert_eq!(ids(&long).len(), 1);
        assert_eq!(ids(&long.replace('@', "a@")).len(), 0);
    }

    #[test]
    fn ids_come_in_order_whatever_stands_between() {
        for value in [
            "<a@b> <c@d>",
            "<a@b><c@d>",
            "<a@b>,\r\n\t<c@d>",
            "Message of today <a@b> from \"x <n@o>\" (<p@q>) <c@d> x@y",
            "<a@b> < <c@d> <e",
            "it's 5\" <a@b> ) ( <c@d>",
            "\\ <a@b> <c>d@e> <c@d>",
        ] {
            assert_eq!(ids(value), ["a@b", "c@d"], "{value}");
        }
    }

    #[test]
    fn a_message_follows_its_references_or_the_first_it_answers() {
        let ancestry = |header: &str| {
            let found = ancestry(header.as_bytes());
            (found.id.unwrap_or_default(), found.references.join(" "))
        };
        let told = |id: &str, references: &str| (id.to_owned(), references.to_owned());
        assert_eq!(
            ancestry("Message-ID: <m@x>\r\nIn-Reply-To: <p@x>\r\nReferences: <o@x>\r\n <p@x>\r\n\r\n"),
            told("m@x", "o@x p@x")
        );
        assert_eq!(ancestry("In-Reply-To: <p@x> <bob@x>\r\nmessage-id: <m@x>\r\n"), told("m@x", "p@x"));
        assert_eq!(ancestry("References: none\r\nIn-Reply-To: Bob <p@x>\r\n"), told("", "p@x"));
        assert_eq!(ancestry("In-Reply-To: your message of today\r\n"), told("", ""));
        assert_eq!(ancestry("Message-ID: <a@x>\r\nMessage-ID: <b@x>\r\n\r\nReferences: <c@x>\r\n"), told("a@x", ""));
        assert_eq!(ancestry(""), told("", ""));
    }

    #[test]
    fn of_too_many_the_first_and_the_last_are_kept() {
        let value: String = (0..REFERENCES_MAX + 100).map(|n| format!("<{n}@x>")).collect();
        let ids = ids(&value);
        assert_eq!(ids.len(), REFERENCES_MAX);
        assert_eq!((ids[0].as_str(), ids[1].as_str()), ("0@x", "101@x"));
        assert_eq!(ids.last().unwrap(), &format!("{}@x", REFERENCES_MAX + 99));
    }

    /// Attacks H11: what a reader that goes back would choke on.
    #[test]
    fn long_rows_of_openings_are_read_once() {
        for opening in ["<", "(", "\"", "<(", "<a(", "(a)", "\"\\", "<\"\\\"", "<a@b", "(<a@b>", "<a@(", "\\\"("] {
            for value in [opening.repeat(200_000), format!("<{}", opening.repeat(200_000))] {
                assert!(ids(&value).len() <= REFERENCES_MAX);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_the_same_again(
            value in proptest::collection::vec(
                proptest::sample::select(vec!["<", ">", "@", "a", "\"", "\\", "(", ")", " ", ".", "\u{e4}", "\r\n ", "<a@b>"]),
                0..40,
            ),
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            for value in [value.concat().as_bytes(), &bytes] {
                for id in message_ids(value) {
                    prop_assert!(id.len() <= 3 * MESSAGE_ID_MAX && id.contains('@'));
                    prop_assert!(!id.contains(['\r', '\n']));
                }
            }
        }

        #[test]
        fn quotes_and_blanks_change_nothing(local in "[a-z.+]{1,20}", host in "[a-z.]{1,20}") {
            let plain = ids(&format!("<{local}@{host}>"));
            prop_assert_eq!(&plain, &ids(&format!("( x ) < \"{local}\" @ {host} (y)>")));
            prop_assert_eq!(plain, [format!("{local}@{host}")]);
        }
    }
}
