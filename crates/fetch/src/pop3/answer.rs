//! Answers of a POP3 server, line by line (RFC 1939, RFC 2449, RFC 5034, RFC 3206).

use mailward_core::limits::FETCH_ID_MAX;

/// The first line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status<'l> {
    /// `+OK`, and what followed.
    Ok(&'l [u8]),
    /// `-ERR`: the response code in brackets, if there is one, in capitals; and what followed.
    Err(Option<String>, &'l [u8]),
    /// `+ `: the server waits for more (RFC 5034 §4).
    Go,
}

/// Reads a status line, without its line end. `None`: it is none.
#[must_use]
pub fn status(line: &[u8]) -> Option<Status<'_>> {
    if line == b"+" || line.starts_with(b"+ ") {
        return Some(Status::Go);
    }
    let (word, rest) = word(line);
    if word.eq_ignore_ascii_case(b"+OK") {
        return Some(Status::Ok(rest));
    }
    if !word.eq_ignore_ascii_case(b"-ERR") {
        return None;
    }
    let code = rest
        .strip_prefix(b"[")
        .and_then(|inner| inner.iter().position(|b| *b == b']').and_then(|end| inner.get(..end)))
        .filter(|code| !code.is_empty() && code.iter().all(|b| b.is_ascii_graphic()))
        .map(|code| String::from_utf8_lossy(code).to_ascii_uppercase());
    Some(Status::Err(code, rest))
}

/// What a server says that it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `STLS` (RFC 2595 §4).
    pub stls: bool,
    /// `SASL` with `PLAIN`.
    pub plain: bool,
    /// `AUTH-RESP-CODE` (RFC 3206): a refused login without code isn't the password's fault.
    pub auth_codes: bool,
}

impl Capabilities {
    /// One more line of the answer to CAPA.
    pub fn add(&mut self, line: &[u8]) {
        let (name, rest) = word(line);
        if name.eq_ignore_ascii_case(b"STLS") {
            self.stls = true;
        } else if name.eq_ignore_ascii_case(b"AUTH-RESP-CODE") {
            self.auth_codes = true;
        } else if name.eq_ignore_ascii_case(b"SASL") {
            self.plain |= rest.split(|b| *b == b' ').any(|mechanism| mechanism.eq_ignore_ascii_case(b"PLAIN"));
        }
    }
}

/// A line of the answer to LIST: number and size.
#[must_use]
pub fn size(line: &[u8]) -> Option<(u32, u64)> {
    let (message, rest) = word(line);
    let (size, _more) = word(rest);
    Some((u32::try_from(number(message)?).ok()?, number(size)?))
}

/// A line of the answer to UIDL: number and identification, 1 to `limits::FETCH_ID_MAX` bytes.
#[must_use]
pub fn id(line: &[u8]) -> Option<(u32, &[u8])> {
    let (message, rest) = word(line);
    let (id, _more) = word(rest);
    let good = (1..=FETCH_ID_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
    let message = u32::try_from(number(message)?).ok()?;
    good.then_some((message, id))
}

/// A line of a message or listing that ends with a dot alone: what it is without its stuffing; `None` at the end
/// (RFC 1939 §3).
#[must_use]
pub fn unstuffed(line: &[u8]) -> Option<&[u8]> {
    match line {
        b"." => None,
        [b'.', rest @ ..] => Some(rest),
        line => Some(line),
    }
}

/// The first word, and what follows the blanks behind it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim_ascii_start())
}

fn number(digits: &[u8]) -> Option<u64> {
    let good = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| good)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_status_is_good_or_bad_and_may_say_why() {
        assert_eq!(status(b"+OK"), Some(Status::Ok(b"")));
        assert_eq!(status(b"+ok ready <1@x>"), Some(Status::Ok(b"ready <1@x>")));
        assert_eq!(status(b"-ERR no"), Some(Status::Err(None, b"no")));
        let code = Some("AUTH".to_owned());
        assert_eq!(
            status(b"-ERR [auth] Authentication failed."),
            Some(Status::Err(code, b"[auth] Authentication failed."))
        );
        let code = Some("SYS/TEMP".to_owned());
        assert_eq!(status(b"-ERR [SYS/TEMP] later"), Some(Status::Err(code, b"[SYS/TEMP] later")));
        assert_eq!(status(b"-ERR [] x"), Some(Status::Err(None, b"[] x")));
        assert_eq!(status(b"+ "), Some(Status::Go));
        for none in [&b"* OK"[..], b"220 x", b"", b"+OKAY", b"OK"] {
            assert_eq!(status(none), None);
        }
    }

    #[test]
    fn capabilities_are_known_by_their_names() {
        let mut found = Capabilities::default();
        for line in [&b"TOP"[..], b"stls", b"SASL CRAM-MD5 plain", b"AUTH-RESP-CODE", b"STLSX"] {
            found.add(line);
        }
        assert_eq!(found, Capabilities { stls: true, plain: true, auth_codes: true });
        let mut none = Capabilities::default();
        none.add(b"SASL PLAIN-CLIENTTOKEN");
        assert_eq!(none, Capabilities::default());
    }

    #[test]
    fn listings_have_numbers_and_what_is_no_number_is_no_line() {
        assert_eq!(size(b"1 120"), Some((1, 120)));
        assert_eq!(size(b"2 200 octets"), Some((2, 200)));
        assert_eq!(id(b"1 whqtswO00WBw418f9t5JxYwZ"), Some((1, &b"whqtswO00WBw418f9t5JxYwZ"[..])));
        for none in [&b""[..], b"1", b"1 ", b"x 1", b"-1 5", b"+1 5", b"4294967296 1", b"1 99999999999999999999"] {
            assert_eq!(size(none), None, "{none:?}");
        }
        for none in [&b"1"[..], b"1 ", b"x y", b"1 a\x07b", b"1 \xff"] {
            assert_eq!(id(none), None, "{none:?}");
        }
        assert!(id(format!("1 {}", "x".repeat(FETCH_ID_MAX)).as_bytes()).is_some());
        assert_eq!(id(format!("1 {}", "x".repeat(FETCH_ID_MAX + 1)).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn stuffing_comes_off_as_it_went_on(line in proptest::collection::vec(any::<u8>(), 0..40)) {
            let stuffed = if line.starts_with(b".") { [b".", &line[..]].concat() } else { line.clone() };
            prop_assert_eq!(unstuffed(&stuffed), Some(&line[..]));
        }

        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (status(&line), size(&line), id(&line));
            Capabilities::default().add(&line);
        }

        #[test]
        fn what_is_listed_is_read(message in 1u32.., octets in any::<u64>(), name in "[!-~]{1,70}") {
            prop_assert_eq!(size(format!("{message} {octets}").as_bytes()), Some((message, octets)));
            let line = format!("{message} {name}");
            prop_assert_eq!(id(line.as_bytes()), Some((message, name.as_bytes())));
        }
    }
}
