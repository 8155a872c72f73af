//! Reading what an ICAP server answers (RFC 3507), as data: heads, what is in them, and bodies in chunks.

use mailward_core::limits::{ANTIVIRUS_NAME_MAX, ANTIVIRUS_NAMES_MAX, ICAP_FIELDS_MAX, ICAP_HEAD_MAX};

/// A status line and its fields: of ICAP, or of the HTTP answer within.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Three digits.
    pub status: u16,
    /// Names in lower case, and values without the blanks around them; lines that go on are joined with a blank.
    pub fields: Vec<(String, String)>,
}

/// What can't be an answer, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonsense(pub &'static str);

impl Head {
    /// Reads a head that begins with `protocol` and a version, and says how many bytes it has; `None`: more has to come.
    ///
    /// # Errors
    /// It is none, or longer than `limits::ICAP_HEAD_MAX`.
    pub fn read(bytes: &[u8], protocol: &str) -> Result<Option<(Self, usize)>, Nonsense> {
        let Some(end) = bytes.windows(4).take(ICAP_HEAD_MAX).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > ICAP_HEAD_MAX { Err(Nonsense("its head is too long")) } else { Ok(None) };
        };
        let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| status(line, protocol)).ok_or(Nonsense("it has no status line"))?;
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                let (_, value) = fields.last_mut().ok_or(Nonsense("a line goes on that never began"))?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(Nonsense("a line of its head is no field"))?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Nonsense("a field of its head has no name"));
            }
            if fields.len() >= ICAP_FIELDS_MAX {
                return Err(Nonsense("its head has too many fields"));
            }
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Some((Self { status, fields }, end.saturating_add(4))))
    }

    /// The first field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(named, _)| named == name).map(|(_, value)| value.as_str())
    }

    /// Names of what the server says it has found, in whichever way it says so; empty: nothing of the kind.
    ///
    /// `X-Infection-Found: Type=0; Resolution=2; Threat=Eicar;`, `X-Virus-ID: Eicar`, `X-Virus-Name: Eicar`, and
    /// `X-Violations-Found: 1`, behind which come four lines for each: file, threat, problem, resolution.
    #[must_use]
    pub fn found(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut add = |name: &str| {
            let name: String = name.trim().chars().take(ANTIVIRUS_NAME_MAX).collect();
            if !name.is_empty() && !names.contains(&name) && names.len() < ANTIVIRUS_NAMES_MAX {
                names.push(name);
            }
        };
        for (name, value) in &self.fields {
            match name.as_str() {
                "x-infection-found" => {
                    let threat = value.split(';').find_map(|part| {
                        let (key, value) = part.trim().split_once('=')?;
                        key.trim().eq_ignore_ascii_case("threat").then_some(value)
                    });
                    add(threat.map(str::trim).filter(|threat| !threat.is_empty()).unwrap_or(UNNAMED));
                }
                // Some send it empty, or as "no threats", of what is clean: a name has no blanks.
                "x-virus-id" | "x-virus-name" if !value.contains(' ') => add(value),
                "x-violations-found" if value.trim_start().starts_with(|c: char| ('1'..='9').contains(&c)) => {
                    add(UNNAMED)
                }
                _ => {}
            }
        }
        // A name is better than none.
        if names.len() > 1 {
            names.retain(|name| name != UNNAMED);
        }
        names
    }

    /// Whether the server closes the connection behind its answer.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.field("connection")
            .is_some_and(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close")))
    }

    /// What `Encapsulated` says of what follows: RFC 3507 §4.4.1.
    ///
    /// # Errors
    /// It says nothing that can be.
    pub fn encapsulated(&self) -> Result<Encapsulated, Nonsense> {
        let wrong = Nonsense("it doesn't say what is in its answer");
        let mut all = Encapsulated::default();
        let mut last = None;
        let Some(field) = self.field("encapsulated") else { return Ok(all) };
        for part in field.split(',') {
            let (name, at) = part.trim().split_once('=').ok_or(wrong)?;
            let at: usize = at.trim().parse().ok().filter(|at| *at <= ICAP_HEAD_MAX).ok_or(wrong)?;
            if last.is_none() && at != 0 || last.is_some_and(|last| at < last) || all.body.is_some() {
                return Err(wrong);
            }
            last = Some(at);
            match name.trim() {
                "res-hdr" if !all.http => all.http = true,
                "res-body" | "opt-body" => all.body = Some(at),
                "null-body" => all.nothing = Some(at),
                _ => return Err(wrong),
            }
        }
        Ok(all)
    }
}

/// What is found where no name is given.
pub(in crate::antivirus) const UNNAMED: &str = "unnamed";

/// What follows a head of ICAP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encapsulated {
    /// A head of HTTP.
    pub http: bool,
    /// A body in chunks, behind so many bytes of heads.
    pub body: Option<usize>,
    /// None, behind so many bytes of heads.
    pub nothing: Option<usize>,
}

fn status(line: &str, protocol: &str) -> Option<u16> {
    let rest = line.strip_prefix(protocol)?.strip_prefix("/1.")?;
    let mut words = rest.split(' ');
    let (version, status) = (words.next()?, words.next()?);
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    (digits(version, 1) && digits(status, 3) && status.len() == 3).then(|| status.parse().ok()).flatten()
}

/// A body in chunks (RFC 9112 §7.1) as it comes, compared with what it may be a copy of.
#[derive(Debug)]
pub struct Copy<'a> {
    expected: &'a [u8],
    same: bool,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Within the line that says a chunk's length.
    Length,
    /// Within a chunk, so many bytes before its end.
    Data(usize),
    /// Before the line end behind a chunk.
    Behind,
    /// Within the lines behind the last chunk.
    Trailer,
    /// All of it was there.
    Done,
}

/// Longest line within a body that isn't data, bytes.
const LINE_MAX: usize = 1_024;

impl<'a> Copy<'a> {
    /// What it may be a copy of.
    #[must_use]
    pub const fn of(expected: &'a [u8]) -> Self {
        Self { expected, same: true, bytes: 0, state: State::Length }
    }

    /// Whether all of it has come, and it is the same, byte for byte.
    #[must_use]
    pub const fn is_the_same(&self) -> bool {
        self.same && self.expected.is_empty() && matches!(self.state, State::Done)
    }

    /// Whether all of it has come.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes of the body so far.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what has come; answers how much of it it needs no more. What is left has to be there when more comes.
    ///
    /// # Errors
    /// It isn't in chunks.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Nonsense> {
        let mut rest = bytes;
        while self.state != State::Done {
            if let State::Data(left) = self.state {
                let (data, behind) = rest.split_at(left.min(rest.len()));
                self.compare(data);
                rest = behind;
                let left = left.saturating_sub(data.len());
                self.state = if left == 0 { State::Behind } else { State::Data(left) };
                if left > 0 {
                    break;
                }
                continue;
            }
            let Some(end) = rest.windows(2).take(LINE_MAX).position(|two| two == b"\r\n") else {
                if rest.len() > LINE_MAX {
                    return Err(Nonsense("a line in its body is too long"));
                }
                break;
            };
            let (line, behind) = rest.split_at(end);
            rest = behind.get(2..).unwrap_or_default();
            self.state = match self.state {
                State::Length => match length(line)? {
                    0 => State::Trailer,
                    length => State::Data(length),
                },
                State::Behind if line.is_empty() => State::Length,
                State::Behind => return Err(Nonsense("a chunk of its body is longer than it says")),
                _ if line.is_empty() => State::Done,
                state => state,
            };
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    fn compare(&mut self, data: &[u8]) {
        self.bytes = self.bytes.saturating_add(data.len());
        match self.expected.strip_prefix(data) {
            Some(rest) => self.expected = rest,
            None => self.same = false,
        }
    }
}

fn length(line: &[u8]) -> Result<usize, Nonsense> {
    let wrong = Nonsense("a chunk of its body has no length");
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(wrong);
    }
    str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok()).ok_or(wrong)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::type_complexity,
    clippy::unnecessary_unwrap,
    reason = "tests may stop at what isn't as it should be"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(text: &str) -> Head {
        let bytes = text.replace('\n', "\r\n") + "\r\n\r\n";
        let (head, length) = Head::read(bytes.as_bytes(), "ICAP").unwrap().unwrap();
        assert_eq!(length, bytes.len());
        head
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"ICAP/1.0 204 No Content\r\nISTag: \"x\"\r\nConnection: keep-alive\r\n\r\nmore";
        for cut in 0..text.len() - 4 {
            assert_eq!(Head::read(&text[..cut], "ICAP"), Ok(None), "{cut}");
        }
        let (head, length) = Head::read(text, "ICAP").unwrap().unwrap();
        assert_eq!((head.status, head.field("istag"), &text[length..]), (204, Some("\"x\""), &b"more"[..]));
        assert!(!head.closes() && head.found().is_empty());
        for wrong in ["HTTP/1.1 200 OK", "ICAP/1.0 20 OK", "ICAP/1.0 2000 OK", "ICAP/1.0", "ICAP/2.0 200 OK", ""] {
            assert!(Head::read(format!("{wrong}\r\n\r\n").as_bytes(), "ICAP").is_err(), "{wrong}");
        }
        for wrong in ["no field", ": none", " goes on", "a b: c"] {
            assert!(Head::read(format!("ICAP/1.0 200 OK\r\n{wrong}\r\n\r\n").as_bytes(), "ICAP").is_err(), "{wrong}");
        }
        assert!(Head::read(&vec![b'x'; ICAP_HEAD_MAX + 1], "ICAP").is_err());
        let many = format!("ICAP/1.0 200 OK\r\n{}\r\n", "a: b\r\n".repeat(ICAP_FIELDS_MAX + 1));
        assert!(Head::read(many.as_bytes(), "ICAP").is_err());
    }

    #[test]
    fn what_was_found_is_told_in_several_ways() {
        for (fields, names) in [
            ("X-Infection-Found: Type=0; Resolution=2; Threat=Eicar-Test;", vec!["Eicar-Test"]),
            ("X-Infection-Found: Type=0;", vec![UNNAMED]),
            ("X-Virus-ID: Eicar", vec!["Eicar"]),
            ("X-Virus-Name: Eicar\nX-Virus-ID: Eicar", vec!["Eicar"]),
            ("X-Violations-Found: 1\n -\n Eicar\n 0\n 0", vec![UNNAMED]),
            ("X-Violations-Found: 1\n -\n Eicar\n 0\n 0\nX-Virus-ID: Eicar", vec!["Eicar"]),
            ("X-Violations-Found: 0", vec![]),
            ("X-Virus-ID: no threats", vec![]),
            ("X-Virus-ID:", vec![]),
        ] {
            assert_eq!(head(&format!("ICAP/1.0 200 OK\n{fields}")).found(), names, "{fields}");
        }
        let many = "X-Virus-ID: a".to_owned() + &(0..20).map(|n| format!("\nX-Virus-ID: {n}")).collect::<String>();
        assert_eq!(head(&format!("ICAP/1.0 200 OK\n{many}")).found().len(), ANTIVIRUS_NAMES_MAX);
    }

    #[test]
    fn what_follows_a_head_is_said_in_it() {
        let of = |value: &str| head(&format!("ICAP/1.0 200 OK\nEncapsulated: {value}")).encapsulated();
        assert_eq!(of("res-hdr=0, res-body=137"), Ok(Encapsulated { http: true, body: Some(137), nothing: None }));
        assert_eq!(of("null-body=0"), Ok(Encapsulated { http: false, body: None, nothing: Some(0) }));
        assert_eq!(head("ICAP/1.0 204 -").encapsulated(), Ok(Encapsulated::default()));
        for wrong in
            ["res-hdr", "res-hdr=9", "res-hdr=0, res-hdr=1", "res-body=0, null-body=1", "x=0", "res-hdr=0, res-body=-1"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_copy_is_known_byte_for_byte_however_it_comes() {
        let body = b"4\r\nMail\r\n5; ext=1\r\nward!\r\n0\r\nTrailer: x\r\n\r\nnext";
        for (expected, same) in [("Mailward!", true), ("Mailward?", false), ("Mailward", false), ("Mailward!!", false)]
        {
            for step in [1, 2, 3, 7, 100] {
                let mut copy = Copy::of(expected.as_bytes());
                let (mut held, mut left) = (Vec::new(), &body[..]);
                while !copy.is_done() {
                    let (piece, rest) = left.split_at(step.min(left.len()));
                    left = rest;
                    held.extend_from_slice(piece);
                    let taken = copy.take(&held).unwrap();
                    held.drain(..taken);
                }
                assert_eq!((copy.is_the_same(), copy.bytes()), (same, 9), "{expected} {step}");
                held.extend_from_slice(left);
                assert_eq!(held, b"next");
            }
        }
        for wrong in [&b"x\r\n"[..], b"\r\n", b"2\r\nabc\r\n", b"123456789\r\n", b"-1\r\n"] {
            assert!(Copy::of(b"").take(wrong).is_err(), "{wrong:?}");
        }
        assert!(Copy::of(b"").take(&[b'0'; LINE_MAX + 2]).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes: Vec<u8>, text in "ICAP/1.0 200 OK\r\n([A-Za-z-]{0,20}: ?[ -~]{0,40}\r\n){0,4}\r\n") {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(Some((head, length))) = Head::read(bytes, "ICAP") {
                    prop_assert!(length <= bytes.len());
                    let (_names, _inside, _end) = (head.found(), head.encapsulated(), head.closes());
                }
            }
        }
        #[test]
        fn what_is_in_chunks_comes_out_alike(data: Vec<u8>, sizes in proptest::collection::vec(1_usize..50, 1..20)) {
            let (mut wire, mut rest) = (Vec::new(), &data[..]);
            for size in sizes {
                let (chunk, behind) = rest.split_at(size.min(rest.len()));
                rest = behind;
                if !chunk.is_empty() {
                    wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    wire.extend_from_slice(chunk);
                    wire.extend(b"\r\n");
                }
            }
            wire.extend(b"0\r\n\r\n");
            let sent = &data[..data.len() - rest.len()];
            let mut copy = Copy::of(sent);
            prop_assert_eq!(copy.take(&wire), Ok(wire.len()));
            prop_assert!(copy.is_the_same());
        }
        #[test]
        fn any_body_is_read_or_refused(bytes: Vec<u8>) {
            let mut copy = Copy::of(b"");
            if let Ok(taken) = copy.take(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
        }
    }
}
