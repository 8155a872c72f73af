//! Bytes to whole commands: lines and the literals between them, each bounded before memory is given for it
//! (RFC 3501 §4.3, §7.5; RFC 7888; attacks G1, G3, G4). One reader for every state of a session.

use bytes::{Bytes, BytesMut};
use mailward_core::limits::{
    IMAP_LINE_MAX, IMAP_LITERAL_MAX, IMAP_LITERAL_PREAUTH_MAX, IMAP_LITERALS_MAX, IMAP_LITERALS_SUM_MAX, IMAP_TAG_MAX,
    SASL_LINE_MAX,
};

/// What a session may send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// One line, bytes with its end.
    pub line: usize,
    /// One literal, bytes.
    pub literal: u64,
    /// APPEND's message, bytes; `None` before login.
    pub message: Option<u64>,
}

impl Bounds {
    /// Before login.
    pub const BEFORE_LOGIN: Bounds =
        Bounds { line: SASL_LINE_MAX, literal: IMAP_LITERAL_PREAUTH_MAX as u64, message: None };

    /// After login.
    #[must_use]
    pub const fn after_login(message: u64) -> Self {
        Self { line: IMAP_LINE_MAX, literal: IMAP_LITERAL_MAX as u64, message: Some(message) }
    }
}

/// A literal that a client announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Bytes.
    pub size: u64,
    /// The client waits for our `+`.
    pub waits: bool,
    /// It is APPEND's message.
    pub message: bool,
}

/// Why a command can't be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The tag, if there was one.
    pub tag: Option<String>,
    /// `NO [TOOBIG]` rather than `BAD`.
    pub too_big: bool,
    /// For the client's user.
    pub text: &'static str,
    /// What follows can't be told from commands: the session must end.
    pub close: bool,
}

/// What came of the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes are needed.
    More,
    /// A literal within its bounds: call [`Framer::accept`] (and send `+` if the client waits) or
    /// [`Framer::refuse`].
    Literal(Announced),
    /// A whole command without its last line end: lines and literals as they came.
    Command(Bytes),
    /// A command that was dropped.
    Refused(Refusal),
}

/// Collects one command after the other.
#[derive(Debug, Default)]
pub struct Framer {
    command: BytesMut,
    /// Where the line that is being read begins in `command`.
    line: usize,
    announced: Option<Announced>,
    /// Bytes of a literal still to come.
    missing: u64,
    literals: usize,
    /// Bytes of the command, its messages apart.
    sum: u64,
    /// Bytes of its messages.
    messages: u64,
}

impl Framer {
    /// Whether a command has begun and isn't whole.
    #[must_use]
    pub fn is_within(&self) -> bool {
        !self.command.is_empty() || self.announced.is_some()
    }

    /// What has come of a command's first line; nothing once a literal has been announced in it.
    #[must_use]
    pub fn begun(&self) -> &[u8] {
        if self.literals == 0 { &self.command } else { &[] }
    }

    /// Whether bytes of an APPEND's message are awaited.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        self.missing > 0 && self.announced.is_some_and(|a| a.message)
    }

    /// Takes what it can use from the front of `input`.
    pub fn step(&mut self, input: &mut BytesMut, bounds: Bounds) -> Step {
        loop {
            if self.missing > 0 {
                if input.is_empty() {
                    return Step::More;
                }
                let take = usize::try_from(self.missing).unwrap_or(usize::MAX).min(input.len());
                self.command.extend_from_slice(&input.split_to(take));
                self.missing = self.missing.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                if self.missing == 0 {
                    self.announced = None;
                    self.line = self.command.len();
                }
                continue;
            }
            let Some(end) = memchr::memchr(b'\n', input) else {
                // Kept in `input` no longer, so that no byte is looked at twice.
                self.command.extend_from_slice(&input.split());
                if self.line_len() > bounds.line {
                    return self.refused("the line is too long", false, true);
                }
                return Step::More;
            };
            self.command.extend_from_slice(&input.split_to(end.saturating_add(1)));
            let line_len = self.line_len();
            if line_len > bounds.line {
                return self.refused("the line is too long", false, true);
            }
            self.sum = self.sum.saturating_add(u64::try_from(line_len).unwrap_or(u64::MAX));
            if !self.command.ends_with(b"\r\n") {
                return self.refused("a line ends in CRLF", false, false);
            }
            if self.sum > IMAP_LITERALS_SUM_MAX as u64 {
                return self.refused("the command is too long", true, true);
            }
            let line = self.command.get(self.line..).unwrap_or_default();
            let Some((size, waits, width)) = literal_at_end(line) else {
                return self.whole();
            };
            return self.announce(size, waits, width, bounds);
        }
    }

    fn announce(&mut self, size: u64, waits: bool, width: usize, bounds: Bounds) -> Step {
        let before = self.command.get(..self.command.len().saturating_sub(width)).unwrap_or_default();
        let message = is_message_next(before);
        self.literals = self.literals.saturating_add(1);
        if message {
            let Some(max) = bounds.message else {
                return self.refused("log in first", false, !waits);
            };
            self.messages = self.messages.saturating_add(size);
            if size > max {
                return self.refused("the message is larger than this server takes", true, !waits);
            }
            // RFC 3502: those of one APPEND are held together.
            if self.messages > max {
                return self.refused("the messages of one APPEND are larger than this server takes", true, !waits);
            }
        } else {
            self.sum = self.sum.saturating_add(size);
            if size > bounds.literal {
                return self.refused("the literal is too large", true, !waits);
            }
            if self.literals > IMAP_LITERALS_MAX || self.sum > IMAP_LITERALS_SUM_MAX as u64 {
                return self.refused("too many literals", true, !waits);
            }
        }
        let announced = Announced { size, waits, message };
        self.announced = Some(announced);
        Step::Literal(announced)
    }

    /// Takes the literal that was announced; memory for it is given now.
    pub fn accept(&mut self) {
        if let Some(announced) = self.announced {
            self.missing = announced.size;
            self.command.reserve(usize::try_from(announced.size).unwrap_or(0));
            if self.missing == 0 {
                self.announced = None;
                self.line = self.command.len();
            }
        }
    }

    /// Drops the command because of the literal that was announced.
    pub fn refuse(&mut self, text: &'static str) -> Refusal {
        let close = self.announced.is_some_and(|a| !a.waits);
        self.drop_command(text, false, close)
    }

    fn whole(&mut self) -> Step {
        let mut command = self.command.split();
        command.truncate(command.len().saturating_sub(2));
        self.reset();
        Step::Command(command.freeze())
    }

    fn refused(&mut self, text: &'static str, too_big: bool, close: bool) -> Step {
        Step::Refused(self.drop_command(text, too_big, close))
    }

    fn drop_command(&mut self, text: &'static str, too_big: bool, close: bool) -> Refusal {
        let tag = tag_of(&self.command);
        self.reset();
        Refusal { tag, too_big, text, close }
    }

    fn reset(&mut self) {
        // A large message's memory is given back rather than kept for the next command.
        *self = Self::default();
    }

    fn line_len(&self) -> usize {
        self.command.len().saturating_sub(self.line)
    }
}

/// Size, whether the client waits, and the width of the announcement with its line end.
fn literal_at_end(line: &[u8]) -> Option<(u64, bool, usize)> {
    let inner = line.strip_suffix(b"}\r\n")?;
    let open = inner.iter().rposition(|b| *b == b'{')?;
    let mut digits = inner.get(open.saturating_add(1)..)?;
    let mut waits = true;
    if let Some(plain) = digits.strip_suffix(b"+") {
        digits = plain;
        waits = false;
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More than 2^64 is more than anything allowed.
    let size = std::str::from_utf8(digits).ok()?.parse::<u64>().unwrap_or(u64::MAX);
    Some((size, waits, line.len().saturating_sub(open)))
}

/// Whether what comes after these bytes is a message: APPEND's mailbox name is there already, or REPLACE's number and
/// mailbox name.
fn is_message_next(before: &[u8]) -> bool {
    let word = |text: &[u8]| -> (usize, usize) {
        let end = memchr::memchr(b' ', text).unwrap_or(text.len());
        (end, end.saturating_add(1).min(text.len()))
    };
    let mut rest = before;
    let mut next = || {
        let (end, after) = word(rest);
        let (taken, left) = (rest.get(..end).unwrap_or_default(), rest.get(after..).unwrap_or_default());
        rest = left;
        taken
    };
    let _tag = next();
    let mut verb = next();
    if verb.eq_ignore_ascii_case(b"UID") {
        verb = next();
    }
    if verb.eq_ignore_ascii_case(b"REPLACE") {
        let _number = next();
    } else if !verb.eq_ignore_ascii_case(b"APPEND") {
        return false;
    }
    !rest.is_empty()
}

/// The tag at the beginning of a command, if it has one.
#[must_use]
pub fn tag_of(command: &[u8]) -> Option<String> {
    let end = command.iter().position(|b| *b == b' ')?;
    let tag = command.get(..end)?;
    let fits = !tag.is_empty() && tag.len() <= IMAP_TAG_MAX && tag.iter().all(|b| is_tag_char(*b));
    fits.then(|| String::from_utf8_lossy(tag).into_owned())
}

/// RFC 3501 §9: any ASTRING-CHAR except `+`.
pub(crate) const fn is_tag_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b'+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after() -> Bounds {
        Bounds::after_login(1_000_000)
    }

    fn steps(framer: &mut Framer, text: &[u8], bounds: Bounds) -> Vec<Step> {
        let mut input = BytesMut::from(text);
        let mut all = Vec::new();
        loop {
            let step = framer.step(&mut input, bounds);
            match step {
                Step::More => return all,
                Step::Literal(_) => framer.accept(),
                _ => {}
            }
            all.push(step);
        }
    }

    fn refusal(text: &[u8], bounds: Bounds) -> Refusal {
        let all = steps(&mut Framer::default(), text, bounds);
        let refused = all.iter().find_map(|step| match step {
            Step::Refused(refusal) => Some(refusal.clone()),
            _ => None,
        });
        refused.unwrap_or_else(|| panic!("{all:?}"))
    }

    #[test]
    fn a_command_with_literals_comes_as_one() {
        let text = b"a LOGIN {5}\r\nalice {3+}\r\na\r\n\r\nb NOOP\r\n";
        let all = steps(&mut Framer::default(), text, Bounds::BEFORE_LOGIN);
        assert_eq!(
            all,
            [
                Step::Literal(Announced { size: 5, waits: true, message: false }),
                Step::Literal(Announced { size: 3, waits: false, message: false }),
                Step::Command(Bytes::from_static(b"a LOGIN {5}\r\nalice {3+}\r\na\r\n")),
                Step::Command(Bytes::from_static(b"b NOOP")),
            ]
        );
    }

    #[test]
    fn only_the_literal_after_the_mailbox_is_a_message() {
        let all = steps(&mut Framer::default(), b"a append {5}\r\nINBOX (\\Seen) {70000}\r\n", after());
        assert_eq!(
            all,
            [
                Step::Literal(Announced { size: 5, waits: true, message: false }),
                Step::Literal(Announced { size: 70_000, waits: true, message: true }),
            ]
        );
        assert!(refusal(b"a APPEND {70000}\r\n", after()).too_big);
        for before in ["REPLACE 4 INBOX", "UID REPLACE 4 INBOX (\\Seen)", "APPEND INBOX {70000+}\r\n"] {
            let text = format!("a {before} {{70000}}\r\n")
                .replace("{70000+}\r\n ", &format!("{{70000+}}\r\n{} ", "x".repeat(70_000)));
            let all = steps(&mut Framer::default(), text.as_bytes(), after());
            let last = Some(&Step::Literal(Announced { size: 70_000, waits: true, message: true }));
            assert_eq!(all.last(), last, "{before}");
        }
        assert!(refusal(b"a REPLACE 4 {70000}\r\n", after()).too_big);
        assert!(refusal(b"a SELECT {70000}\r\n", after()).too_big);
    }

    /// Attacks G1, G4: refused by its size, before any memory is given for it.
    #[test]
    fn large_literals_are_refused_by_their_announcement() {
        for size in ["4294967296", "18446744073709551616", "99999999999999999999999999", "65537"] {
            let text = format!("a SELECT {{{size}}}\r\n");
            let waiting = refusal(text.as_bytes(), after());
            assert_eq!((waiting.tag.as_deref(), waiting.close), (Some("a"), false), "{size}");
            let text = format!("a SELECT {{{size}+}}\r\n");
            assert!(refusal(text.as_bytes(), after()).close, "{size}");
        }
        let text = format!("a LOGIN {{{}}}\r\n", IMAP_LITERAL_PREAUTH_MAX + 1);
        assert!(refusal(text.as_bytes(), Bounds::BEFORE_LOGIN).too_big);
        assert!(!refusal(b"a APPEND INBOX {10}\r\n", Bounds::BEFORE_LOGIN).close);
        assert!(refusal(b"a APPEND INBOX {1000001}\r\n", after()).too_big);
        let together = format!("a APPEND INBOX {{600000+}}\r\n{} {{600000}}\r\n", "x".repeat(600_000));
        assert!(refusal(together.as_bytes(), after()).too_big, "several messages have one limit");
    }

    #[test]
    fn what_isn_t_a_size_announces_nothing() {
        let all = steps(&mut Framer::default(), b"a X {-1}\r\nb X {}\r\nc X {1 }\r\n", after());
        assert!(all.iter().all(|s| matches!(s, Step::Command(_))));
        assert_eq!(all.len(), 3);
    }

    /// Attacks G3.
    #[test]
    fn literals_are_counted_and_summed() {
        let many = format!("a SEARCH{}", " SUBJECT {1+}\r\nx".repeat(IMAP_LITERALS_MAX + 1));
        assert_eq!(refusal(many.as_bytes(), after()).text, "too many literals");
        let text = format!("{{{IMAP_LITERAL_MAX}+}}\r\n{}", "x".repeat(IMAP_LITERAL_MAX));
        let large = format!("a SEARCH{}", format!(" SUBJECT {text}").repeat(17));
        let refused = refusal(large.as_bytes(), after());
        assert!(refused.too_big && refused.close, "{refused:?}");
    }

    /// Attacks G2, H2: no line end ever.
    #[test]
    fn a_line_without_end_is_cut_at_its_limit() {
        let mut framer = Framer::default();
        let mut seen = 0usize;
        let step = loop {
            let mut input = BytesMut::from(&vec![b'('; 1_000][..]);
            seen += input.len();
            match framer.step(&mut input, after()) {
                Step::More => assert!(seen <= IMAP_LINE_MAX),
                step => break step,
            }
        };
        assert!(matches!(step, Step::Refused(Refusal { close: true, .. })));
        assert!(refusal(&vec![b'x'; SASL_LINE_MAX + 1], Bounds::BEFORE_LOGIN).close);
    }

    #[test]
    fn lines_between_literals_add_up_to_their_limit() {
        let line = "x".repeat(IMAP_LINE_MAX - 100);
        let text = format!("a SEARCH {}", format!("{line} {{1+}}\r\nx").repeat(20));
        assert_eq!(refusal(text.as_bytes(), after()).text, "the command is too long");
    }

    #[test]
    fn a_bare_lf_ends_no_command() {
        let all = steps(&mut Framer::default(), b"a NOOP\nb NOOP\r\n", after());
        let [Step::Refused(refused), Step::Command(next)] = &all[..] else { panic!("{all:?}") };
        assert_eq!((refused.tag.as_deref(), refused.close), (Some("a"), false));
        assert_eq!(&next[..], b"b NOOP");
    }

    proptest! {
        #[test]
        fn pieces_make_the_same_commands(
            text in "([a-c]( [A-Z]{1,5}| APPEND x)?( \\{[0-9]{1,2}\\+?\\})?\r?\n){0,8}",
            cut in 1usize..7,
        ) {
            let whole = steps(&mut Framer::default(), text.as_bytes(), after());
            let mut framer = Framer::default();
            let mut pieces = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                pieces.extend(steps(&mut framer, piece, after()));
            }
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn nothing_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            steps(&mut Framer::default(), &text, after());
            steps(&mut Framer::default(), &text, Bounds::BEFORE_LOGIN);
        }
    }
}
