//! Answers that a milter chooses for a client: checked, so that nothing of them is more than a refusal in one line.

use crate::Fault;
use mailward_core::limits::MILTER_ANSWER_MAX;

/// What a client is told: `550 5.7.1 text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    code: u16,
    enhanced: (u8, u16, u16),
    text: String,
}

impl Answer {
    /// What is told where a milter only says no.
    #[must_use]
    pub fn rejected() -> Self {
        Self { code: 550, enhanced: (5, 7, 1), text: "Not accepted here".to_owned() }
    }
    /// What is told where a milter says no for now.
    #[must_use]
    pub fn deferred() -> Self {
        Self { code: 451, enhanced: (4, 7, 1), text: "Not accepted now; try again later".to_owned() }
    }
    /// What is told where a milter ends the session.
    #[must_use]
    pub fn shut() -> Self {
        Self { code: 421, enhanced: (4, 7, 0), text: "Not accepted now; closing".to_owned() }
    }
    /// What is told where a milter can't be asked.
    #[must_use]
    pub fn unavailable() -> Self {
        Self { code: 451, enhanced: (4, 3, 0), text: "A check isn't available; try again later".to_owned() }
    }
    /// What is told where a message can't be shown to a milter, now or ever.
    #[must_use]
    pub fn unshowable() -> Self {
        Self { code: 554, enhanced: (5, 6, 0), text: "A header field is too long to be examined".to_owned() }
    }

    /// 400 to 599.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }
    /// The enhanced code (RFC 3463), its class that of the code.
    #[must_use]
    pub const fn enhanced(&self) -> (u8, u16, u16) {
        self.enhanced
    }
    /// Printable ASCII, at most `limits::MILTER_ANSWER_MAX` bytes, never empty.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
    /// Whether the client is told never to try again.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }
    /// Whether the session ends with it (RFC 5321 §3.8).
    #[must_use]
    pub const fn closes(&self) -> bool {
        self.code == 421
    }

    /// Reads what a milter wants to be said: `550 5.7.1 text`, or lines of that with the same code, the enhanced code being
    /// left out if it likes. Lines become one; `%%` is a `%`.
    ///
    /// # Errors
    /// [`Fault::Malformed`]: it is no refusal (RFC 5321 §4.2), or its lines disagree.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut found: Option<(u16, (u8, u16, u16))> = None;
        let mut text = String::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() && found.is_some() {
                continue;
            }
            let (code, rest) = code(line).ok_or(Fault::Malformed("a reply code that is none of 4xx or 5xx"))?;
            let (enhanced, words) = match enhanced(rest, code) {
                Enhanced::Given(enhanced, words) => (enhanced, words),
                Enhanced::Absent => (usual(code), rest),
                Enhanced::Contrary => return Err(Fault::Malformed("an enhanced code that contradicts the code")),
            };
            if found.is_some_and(|(first, _)| first != code) {
                return Err(Fault::Malformed("lines of different reply codes"));
            }
            found.get_or_insert((code, enhanced));
            push(&mut text, words);
        }
        let (code, enhanced) = found.ok_or(Fault::Malformed("an empty reply code"))?;
        if text.is_empty() {
            text.push_str(if code >= 500 { "Not accepted here" } else { "Not accepted now" });
        }
        Ok(Self { code, enhanced, text })
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (class, subject, detail) = self.enhanced;
        write!(f, "{} {class}.{subject}.{detail} {}", self.code, self.text)
    }
}

/// The code at the beginning of a line, and what follows the blank or hyphen.
fn code(line: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<3>()?;
    let [class @ b'4'..=b'5', group @ b'0'..=b'5', last @ b'0'..=b'9'] = digits else { return None };
    let number = [class, group, last]
        .iter()
        .fold(0, |sum: u16, digit| sum.saturating_mul(10).saturating_add(u16::from(digit.saturating_sub(b'0'))));
    match rest {
        [] => Some((number, rest)),
        [b' ' | b'-', rest @ ..] => Some((number, rest)),
        _ => None,
    }
}

enum Enhanced<'l> {
    Given((u8, u16, u16), &'l [u8]),
    Absent,
    /// Of another class.
    Contrary,
}

fn enhanced(text: &[u8], code: u16) -> Enhanced<'_> {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    let mut numbers = word.split(|byte| *byte == b'.').map(|digits| {
        let plain = (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|digits| digits.parse::<u16>().ok())
    });
    let (Some(Some(class)), Some(Some(subject)), Some(Some(detail)), None) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next())
    else {
        return Enhanced::Absent;
    };
    let wanted = if code >= 500 { 5 } else { 4 };
    match u8::try_from(class) {
        Ok(class) if class == wanted => Enhanced::Given((class, subject, detail), rest),
        _ => Enhanced::Contrary,
    }
}

const fn usual(code: u16) -> (u8, u16, u16) {
    if code >= 500 { (5, 7, 1) } else { (4, 7, 1) }
}

/// Adds words, cleaned and cut.
fn push(text: &mut String, words: &[u8]) {
    let words = words.trim_ascii();
    if !text.is_empty() && !words.is_empty() && text.len() < MILTER_ANSWER_MAX {
        text.push(' ');
    }
    let mut words = words.iter().copied().peekable();
    while let Some(byte) = words.next() {
        if byte == b'%' {
            let _doubled = words.next_if_eq(&b'%');
        }
        if text.len() >= MILTER_ANSWER_MAX {
            return;
        }
        text.push(if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, Fault> {
        Answer::parse(text.as_bytes()).map(|answer| answer.to_string())
    }

    #[test]
    fn a_refusal_in_a_milter_s_own_words_is_read() {
        for (text, answer) in [
            ("550 5.7.1 Spam, 100%% sure", "550 5.7.1 Spam, 100% sure"),
            ("451 4.7.1 Greylisted", "451 4.7.1 Greylisted"),
            ("421 4.3.2 Closing", "421 4.3.2 Closing"),
            ("554 No thanks", "554 5.7.1 No thanks"),
            ("554", "554 5.7.1 Not accepted here"),
            ("450 4.2.0", "450 4.2.0 Not accepted now"),
            ("550-5.7.1 One\r\n550 5.7.1 Two", "550 5.7.1 One Two"),
            ("550 5.7.1 a\u{7}b\u{e9}", "550 5.7.1 a?b??"),
            ("550 5.7.1 50% off", "550 5.7.1 50% off"),
            ("550 5.7 no code", "550 5.7.1 5.7 no code"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(answer), "{text}");
        }
    }

    #[test]
    fn what_is_no_refusal_is_none() {
        for text in [
            "",
            "250 2.0.0 Ok",
            "354 Go on",
            "2",
            "55",
            "560 x",
            "5500 x",
            "550x",
            "abc x",
            "550 4.7.1 x",
            "450 2.0.0 x",
            "550-5.7.1 One\r\n450 4.7.1 Two",
            "550 5.7.1 One\nEHLO x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_is_cut_at_its_limit() {
        let text = format!("550 5.7.1 {}", "x".repeat(MILTER_ANSWER_MAX + 1));
        assert_eq!(Answer::parse(text.as_bytes()).unwrap().text().len(), MILTER_ANSWER_MAX);
    }

    proptest! {
        #[test]
        fn an_answer_is_one_line_of_a_refusal(text in "[45][0-6][0-9][ -](5\\.7\\.1 )?[\\x00-\\x7f]{0,600}") {
            if let Ok(answer) = Answer::parse(text.as_bytes()) {
                prop_assert!((400..600).contains(&answer.code()));
                prop_assert!(answer.text().bytes().all(|b| (b' '..=b'~').contains(&b)) && !answer.text().is_empty());
                prop_assert!(answer.to_string().len() <= 510);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _either = Answer::parse(&bytes);
        }
    }
}
