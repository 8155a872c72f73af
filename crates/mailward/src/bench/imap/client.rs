//! One IMAP session of a load program: commands out, answers counted.
//!
//! It parses as little as tells a whole answer from a torn one: lines, literals by their size, the number of a message
//! response and its word, the tagged line.

use super::super::BenchError;
use super::super::wire::{Dialler, Wire, shown};
use memchr::memmem;

/// What an answer held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Untagged responses.
    pub(crate) responses: u64,
    /// `* n FETCH`, and of these how many have the words asked for.
    pub(crate) fetches: u64,
    pub(crate) fetches_as_wanted: u64,
    /// The last `* n EXISTS`.
    pub(crate) exists: Option<u32>,
    /// Numbers in `* SEARCH`.
    pub(crate) found: u64,
    pub(crate) literals: u64,
    pub(crate) literal_bytes: u64,
    /// Bytes of everything, as IMAP has them.
    pub(crate) bytes: u64,
    /// Sum of the RFC822.SIZE told.
    pub(crate) sizes: u64,
    /// The tagged line behind its tag.
    pub(crate) end: String,
}

/// An untagged response, as far as anybody here wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    Exists(u32),
    Expunge,
    /// A FETCH; whether it has the word asked for.
    Fetch(bool),
    Other,
}

/// A session past its greeting.
pub(crate) struct Client {
    wire: Wire,
    tags: u32,
    out: Vec<u8>,
}

impl Client {
    /// Connects, starts TLS and logs in.
    pub(crate) fn open(dialler: &Dialler, user: &str, password: &[u8]) -> Result<Self, BenchError> {
        let mut wire = dialler.connect()?;
        let greeting = wire.line()?;
        if !greeting.starts_with(b"* OK") {
            return Err(BenchError::server("greeting", shown(greeting)));
        }
        if dialler.starts_tls() {
            wire.send(b"s STARTTLS\r\n")?;
            let answer = wire.line()?;
            if !answer.starts_with(b"s OK") {
                return Err(BenchError::server("STARTTLS", shown(answer)));
            }
            wire = dialler.secure(wire)?;
        }
        let mut client = Self { wire, tags: 0, out: Vec::new() };
        let tag = client.begin();
        client.out.extend_from_slice(b"LOGIN ");
        quote(user.as_bytes(), &mut client.out)?;
        client.out.push(b' ');
        quote(password, &mut client.out)?;
        client.out.extend_from_slice(b"\r\n");
        client.flush()?;
        client.answer(tag, "LOGIN", b"")?;
        Ok(client)
    }

    /// One command and its whole answer.
    pub(crate) fn ask(&mut self, command: &str) -> Result<Answer, BenchError> {
        self.ask_for(command, b"")
    }

    /// The same; FETCH responses that have `wanted` in their first line are counted.
    pub(crate) fn ask_for(&mut self, command: &str, wanted: &[u8]) -> Result<Answer, BenchError> {
        let tag = self.say(command)?;
        self.answer(tag, command, wanted)
    }

    /// Sends a command; its tag.
    pub(crate) fn say(&mut self, command: &str) -> Result<u32, BenchError> {
        let tag = self.begin();
        self.out.extend_from_slice(command.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.flush()?;
        Ok(tag)
    }

    /// Sends an APPEND in one write: the literal needs no leave (RFC 7888).
    pub(crate) fn say_append(&mut self, mailbox: &str, date: Option<&str>, bytes: &[u8]) -> Result<u32, BenchError> {
        let tag = self.begin();
        self.out.extend_from_slice(b"APPEND ");
        quote(mailbox.as_bytes(), &mut self.out)?;
        if let Some(date) = date {
            self.out.extend_from_slice(b" \"");
            self.out.extend_from_slice(date.as_bytes());
            self.out.push(b'"');
        }
        self.out.extend_from_slice(format!(" {{{}+}}\r\n", bytes.len()).as_bytes());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
        self.flush()?;
        Ok(tag)
    }

    /// What [`Client::say_append`] needs.
    pub(crate) fn must_have_literal_plus(&mut self) -> Result<(), BenchError> {
        let tag = self.say("CAPABILITY")?;
        let mut has = false;
        loop {
            let line = self.wire.line()?;
            has |= memmem::find(line, b" LITERAL+").is_some();
            if tagged(line, tag).is_some() {
                break;
            }
        }
        if has { Ok(()) } else { Err(BenchError::server("CAPABILITY", "the server has no LITERAL+ (RFC 7888)")) }
    }

    /// Everything up to the tagged line, which must be OK.
    pub(crate) fn answer(&mut self, tag: u32, doing: &str, wanted: &[u8]) -> Result<Answer, BenchError> {
        let finder = memmem::Finder::new(wanted);
        let mut answer = Answer::default();
        loop {
            let line = self.wire.line()?;
            answer.bytes = answer.bytes.saturating_add(length(line));
            if let Some(end) = tagged(line, tag) {
                if !end.starts_with(b"OK") {
                    return Err(BenchError::server(verb(doing), shown(end)));
                }
                answer.end = shown(end);
                return Ok(answer);
            }
            if !line.starts_with(b"* ") {
                return Err(BenchError::server(verb(doing), format!("not an answer: {}", shown(line))));
            }
            answer.responses = answer.responses.saturating_add(1);
            match response(line, &finder) {
                Response::Fetch(as_wanted) => {
                    answer.fetches = answer.fetches.saturating_add(1);
                    answer.fetches_as_wanted = answer.fetches_as_wanted.saturating_add(as_wanted.into());
                    answer.sizes = answer.sizes.saturating_add(size_told(line));
                }
                Response::Exists(count) => answer.exists = Some(count),
                Response::Other if line.starts_with(b"* SEARCH") => {
                    answer.found = answer.found.saturating_add(numbers(line));
                }
                _ => {}
            }
            let mut literal = literal_at_end(line);
            while let Some(bytes) = literal {
                self.wire.skip(bytes)?;
                answer.literals = answer.literals.saturating_add(1);
                answer.literal_bytes = answer.literal_bytes.saturating_add(bytes);
                let line = self.wire.line()?;
                answer.bytes = answer.bytes.saturating_add(bytes).saturating_add(length(line));
                literal = literal_at_end(line);
            }
        }
    }

    /// Begins IDLE (RFC 2177); its tag.
    pub(crate) fn idle(&mut self) -> Result<u32, BenchError> {
        let tag = self.say("IDLE")?;
        loop {
            // News may come before the invitation.
            let line = self.wire.line()?;
            match line.first() {
                Some(b'+') => return Ok(tag),
                Some(b'*') => {}
                _ => return Err(BenchError::server("IDLE", shown(line))),
            }
        }
    }

    /// The next untagged response, waited for. Responses with literals are not expected here.
    pub(crate) fn news(&mut self, wanted: &[u8]) -> Result<Response, BenchError> {
        let line = self.wire.line()?;
        if !line.starts_with(b"* ") || line.starts_with(b"* BYE") {
            return Err(BenchError::server("IDLE", shown(line)));
        }
        Ok(response(line, &memmem::Finder::new(wanted)))
    }

    /// Ends IDLE.
    pub(crate) fn done(&mut self, tag: u32) -> Result<Answer, BenchError> {
        self.wire.send(b"DONE\r\n")?;
        self.answer(tag, "DONE", b"")
    }

    /// LOGOUT, to the end.
    pub(crate) fn logout(mut self) -> Result<(), BenchError> {
        self.ask("LOGOUT").map(drop)
    }

    fn begin(&mut self) -> u32 {
        self.tags = self.tags.wrapping_add(1);
        self.out.clear();
        self.out.extend_from_slice(format!("a{} ", self.tags).as_bytes());
        self.tags
    }

    fn flush(&mut self) -> Result<(), BenchError> {
        self.wire.send(&self.out)
    }
}

/// A quoted string (RFC 9051 §4.3).
pub(crate) fn quote(text: &[u8], out: &mut Vec<u8>) -> Result<(), BenchError> {
    out.push(b'"');
    for byte in text {
        match byte {
            b'\r' | b'\n' | 0 => {
                return Err(BenchError::Option("a name or password with a line's end in it".to_owned()));
            }
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    Ok(())
}

/// What stands behind the tag, if this is the tagged line.
fn tagged(line: &[u8], tag: u32) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"a")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    (decimal(number)? == u64::from(tag)).then_some(rest.strip_prefix(b" ")?)
}

fn response(line: &[u8], wanted: &memmem::Finder<'_>) -> Response {
    let rest = line.get(2..).unwrap_or_default();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, word) = rest.split_at_checked(digits).unwrap_or_default();
    match word {
        [b' ', b'F', b'E', b'T', b'C', b'H', ..] => Response::Fetch(wanted.find(word).is_some()),
        [b' ', b'E', b'X', b'I', b'S', b'T', b'S', ..] => {
            Response::Exists(decimal(number).and_then(|n| u32::try_from(n).ok()).unwrap_or(0))
        }
        [b' ', b'E', b'X', b'P', b'U', b'N', b'G', b'E', ..] => Response::Expunge,
        _ => Response::Other,
    }
}

/// `… {123}` at the end of a line: a literal follows (RFC 9051 §4.3); `~{123}` is one too (RFC 3516).
fn literal_at_end(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let digits = line.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (before, number) = line.split_at_checked(line.len().saturating_sub(digits))?;
    before.ends_with(b"{").then(|| decimal(number))?
}

fn size_told(line: &[u8]) -> u64 {
    let Some(at) = memmem::find(line, b"RFC822.SIZE ") else { return 0 };
    let rest = line.get(at.saturating_add(12)..).unwrap_or_default();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    rest.get(..digits).and_then(decimal).unwrap_or(0)
}

/// Numbers in a line, those in parentheses (`(MODSEQ 7)`) not counted.
fn numbers(line: &[u8]) -> u64 {
    let line = line.split(|b| *b == b'(').next().unwrap_or_default();
    let words = line.split(|b| matches!(b, b' ' | b'\r' | b'\n'));
    let count = words.filter(|w| w.first().is_some_and(u8::is_ascii_digit)).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn length(line: &[u8]) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}

/// The command's first words: an error needs no more of it.
fn verb(command: &str) -> String {
    command.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_known_by_the_end_of_its_line() {
        assert_eq!(literal_at_end(b"* 1 FETCH (BODY[] {4096}\r\n"), Some(4096));
        assert_eq!(literal_at_end(b"* 1 FETCH (BINARY[1] ~{0}\r\n"), Some(0));
        assert_eq!(literal_at_end(b"* OK 12}\r\n"), None);
        assert_eq!(literal_at_end(b"* OK {}\r\n"), None);
        assert_eq!(literal_at_end(b"* OK {1} \r\n"), None);
    }

    #[test]
    fn only_its_own_tag_ends_an_answer() {
        assert_eq!(tagged(b"a12 OK done\r\n", 12), Some(b"OK done\r\n".as_slice()));
        assert_eq!(tagged(b"a1 OK done\r\n", 12), None);
        assert_eq!(tagged(b"a123 OK\r\n", 12), None);
        assert_eq!(tagged(b"* 1 EXISTS\r\n", 12), None);
    }

    #[test]
    fn responses_are_told_apart() {
        let flagged = memmem::Finder::new(b"\\Flagged");
        assert_eq!(response(b"* 12 FETCH (FLAGS (\\Flagged))\r\n", &flagged), Response::Fetch(true));
        assert_eq!(response(b"* 12 FETCH (FLAGS ())\r\n", &flagged), Response::Fetch(false));
        assert_eq!(response(b"* 10000 EXISTS\r\n", &flagged), Response::Exists(10_000));
        assert_eq!(response(b"* 3 EXPUNGE\r\n", &flagged), Response::Expunge);
        assert_eq!(response(b"* FLAGS (\\Flagged)\r\n", &flagged), Response::Other);
        assert_eq!(response(b"* OK still here\r\n", &flagged), Response::Other);
    }

    #[test]
    fn what_a_search_found_is_counted() {
        assert_eq!(numbers(b"* SEARCH\r\n"), 0);
        assert_eq!(numbers(b"* SEARCH 2 84 882\r\n"), 3);
        assert_eq!(numbers(b"* SEARCH 2 5 (MODSEQ 917162500)\r\n"), 2);
        assert_eq!(size_told(b"* 1 FETCH (RFC822.SIZE 44827 UID 3)\r\n"), 44_827);
    }

    #[test]
    fn names_are_quoted_and_can_t_smuggle_a_command() {
        let mut out = Vec::new();
        quote(b"a\"b\\c", &mut out).unwrap();
        assert_eq!(out, b"\"a\\\"b\\\\c\"");
        assert!(quote(b"x\r\na2 DELETE INBOX", &mut out).is_err());
    }
}
