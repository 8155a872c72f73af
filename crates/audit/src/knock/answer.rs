//! What a server answered, line by line.

/// What an answer amounts to, whatever the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 2yz, `OK`, `+OK`.
    Yes,
    /// 3yz, `+ `: it wants to hear more.
    More,
    /// 4yz: not now.
    Later,
    /// 5yz, `NO`, `BAD`, `-ERR`.
    No,
    /// None of these.
    Odd,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it amounts to.
    pub kind: Kind,
    /// The code of an SMTP reply.
    pub code: Option<u16>,
    /// Its lines, without their ends. Hostile.
    pub lines: Vec<Vec<u8>>,
}

impl Answer {
    /// A reply of SMTP or LMTP (RFC 5321 §4.2), by its lines.
    pub fn smtp(lines: Vec<Vec<u8>>) -> Self {
        let code = lines.last().and_then(|line| smtp_code(line));
        let kind = match code {
            Some(200..=299) => Kind::Yes,
            Some(300..=399) => Kind::More,
            Some(400..=499) => Kind::Later,
            Some(500..=599) => Kind::No,
            _ => Kind::Odd,
        };
        Self { kind, code, lines }
    }

    /// An answer of IMAP (RFC 9051 §7.1), by its lines, the last of which has the tag, a `+`, or is untagged if the server
    /// spoke of itself.
    pub fn imap(lines: Vec<Vec<u8>>) -> Self {
        let last = lines.last().map(Vec::as_slice).unwrap_or_default();
        let kind = if last.first() == Some(&b'+') {
            Kind::More
        } else {
            match last.split(|byte| *byte == b' ').nth(1) {
                Some(word) if word.eq_ignore_ascii_case(b"OK") => Kind::Yes,
                Some(word) if word.eq_ignore_ascii_case(b"PREAUTH") => Kind::Yes,
                Some(word) if [&b"NO"[..], b"BAD", b"BYE"].iter().any(|no| word.eq_ignore_ascii_case(no)) => Kind::No,
                _ => Kind::Odd,
            }
        };
        Self { kind, code: None, lines }
    }

    /// An answer of POP3 (RFC 1939 §3), by its lines.
    pub fn pop3(lines: Vec<Vec<u8>>) -> Self {
        let first = lines.first().map(Vec::as_slice).unwrap_or_default();
        let kind = if first.starts_with(b"+OK") {
            Kind::Yes
        } else if first.starts_with(b"-ERR") {
            Kind::No
        } else if first.starts_with(b"+ ") || first == b"+" {
            Kind::More
        } else {
            Kind::Odd
        };
        Self { kind, code: None, lines }
    }

    /// An answer of ManageSieve (RFC 5804 §1.2), by its lines.
    pub fn sieve(lines: Vec<Vec<u8>>) -> Self {
        let last = lines.last().map(Vec::as_slice).unwrap_or_default();
        let kind = match sieve_word(last).to_ascii_uppercase().as_slice() {
            b"OK" => Kind::Yes,
            b"NO" | b"BYE" => Kind::No,
            _ => Kind::Odd,
        };
        Self { kind, code: None, lines }
    }

    /// Its last line as text, cut to what a sentence has room for. Hostile, but for control characters, which are marked.
    pub fn text(&self) -> String {
        let last = self.lines.last().map(Vec::as_slice).unwrap_or_default();
        let text = String::from_utf8_lossy(last);
        text.chars().take(120).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    }

    /// All of it as text, control characters marked.
    pub fn whole(&self) -> String {
        let lines = self.lines.iter().map(|line| String::from_utf8_lossy(line).replace(char::is_control, "\u{fffd}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The features that an answer to EHLO (RFC 5321 §4.1.1.1), CAPABILITY or CAPA (RFC 2449 §5) names, upper case, each with its
    /// parameters. Of IMAP's capabilities each is one; of ManageSieve's (RFC 5804 §1.7) the quotes are left out.
    pub fn features(&self) -> Vec<String> {
        let upper = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_ascii_uppercase();
        if self.code.is_some() {
            let told = self.lines.iter().skip(1).filter_map(|line| line.get(4..)).map(upper);
            return told.filter(|feature| !feature.is_empty()).collect();
        }
        if self.lines.first().is_some_and(|line| line.starts_with(b"+OK")) {
            let body = self.lines.iter().skip(1).filter(|line| line.as_slice() != b".");
            return body.map(|line| upper(line)).collect();
        }
        if self.lines.first().is_some_and(|line| line.starts_with(b"\"")) {
            let words = |text: String| {
                text.split('"').map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
            };
            return self.lines.iter().filter(|line| !ends_sieve(line)).map(|line| words(upper(line))).collect();
        }
        let told = self.lines.iter().filter_map(|line| {
            let text = upper(line);
            text.strip_prefix("* CAPABILITY ").map(str::to_owned)
        });
        told.flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

/// The code that a line of SMTP begins with.
pub(super) fn smtp_code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What a line of ManageSieve begins with.
fn sieve_word(line: &[u8]) -> &[u8] {
    line.split(|byte| matches!(byte, b' ' | b'(')).next().unwrap_or_default()
}

/// Whether a line ends an answer of ManageSieve.
pub(super) fn ends_sieve(line: &[u8]) -> bool {
    [&b"OK"[..], b"NO", b"BYE"].iter().any(|word| sieve_word(line).eq_ignore_ascii_case(word))
}

/// The length of the literal that a line of IMAP ends with, if it ends with one (RFC 9051 §4.3).
pub(super) fn literal(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let at = inside.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(inside.get(at.checked_add(1)?..)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<Vec<u8>> {
        text.lines().map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn an_answer_is_what_its_protocol_says() {
        for (answer, kind) in [
            (Answer::smtp(lines("250-a\n250 b")), Kind::Yes),
            (Answer::smtp(lines("334 ")), Kind::More),
            (Answer::smtp(lines("451 later")), Kind::Later),
            (Answer::smtp(lines("554 no")), Kind::No),
            (Answer::smtp(lines("hello")), Kind::Odd),
            (Answer::imap(lines("* CAPABILITY X\na1 OK done")), Kind::Yes),
            (Answer::imap(lines("a1 NO done")), Kind::No),
            (Answer::imap(lines("* BYE gone")), Kind::No),
            (Answer::imap(lines("+ ")), Kind::More),
            (Answer::pop3(lines("+OK\nUSER\n.")), Kind::Yes),
            (Answer::pop3(lines("-ERR")), Kind::No),
            (Answer::pop3(lines("+ ")), Kind::More),
            (Answer::pop3(lines("what")), Kind::Odd),
            (Answer::sieve(lines("\"SASL\" \"PLAIN\"\nOK \"ready\"")), Kind::Yes),
            (Answer::sieve(lines("OK(WARNINGS) \"x\"")), Kind::Yes),
            (Answer::sieve(lines("NO \"x\"")), Kind::No),
            (Answer::sieve(lines("bye")), Kind::No),
            (Answer::sieve(lines("what")), Kind::Odd),
        ] {
            assert_eq!(answer.kind, kind, "{answer:?}");
        }
    }

    #[test]
    fn features_are_read_in_each_protocol() {
        let ehlo = Answer::smtp(lines("250-host at your service\n250-size 10\n250 STARTTLS"));
        assert_eq!(ehlo.features(), ["SIZE 10", "STARTTLS"]);
        let imap = Answer::imap(lines("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\na OK"));
        assert_eq!(imap.features(), ["IMAP4REV1", "STARTTLS", "LOGINDISABLED"]);
        let pop3 = Answer::pop3(lines("+OK\nTOP\nSASL PLAIN\n."));
        assert_eq!(pop3.features(), ["TOP", "SASL PLAIN"]);
        let sieve = Answer::sieve(lines("\"IMPLEMENTATION\" \"x 1\"\n\"SASL\" \"\"\n\"STARTTLS\"\nOK"));
        assert_eq!(sieve.features(), ["IMPLEMENTATION X 1", "SASL", "STARTTLS"]);
    }

    #[test]
    fn a_literal_is_told_by_the_end_of_a_line() {
        assert_eq!(literal(b"* LIST () \"/\" {5}"), Some(5));
        assert_eq!((literal(b"{-1}"), literal(b"a}"), literal(b"{5} ")), (None, None, None));
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_an_answer_and_its_text_acts_on_no_terminal(
            said in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        ) {
            let sieve = Answer::sieve(said.clone());
            for answer in [Answer::smtp(said.clone()), Answer::imap(said.clone()), Answer::pop3(said.clone()), sieve] {
                prop_assert!(!answer.text().chars().any(char::is_control));
                prop_assert!(!answer.whole().chars().any(|c| c.is_control() && c != '\n'));
                prop_assert!(answer.text().chars().count() <= 120);
                let _named = answer.features();
            }
        }
    }
}
