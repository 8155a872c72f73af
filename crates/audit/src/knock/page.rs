//! One request and its answer by HTTP/1.1 (RFC 9112), over a connection of its own.

use super::certificate::Offer;
use super::{KnockError, Wire};
use crate::scene::Door;
use mailward_core::limits::KNOCK_LINES_MAX;

/// An answer: status, fields and content as they came, not judged. Hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// `404`.
    pub status: u16,
    /// Names in lower case, and values without blanks around them, in their order.
    pub fields: Vec<(String, String)>,
    /// What came after the head, up to the end of the connection; not unwrapped.
    pub content: Vec<u8>,
}

impl Page {
    /// Reads what came until the connection was closed; `None`: it is no answer of HTTP/1.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, rest) = bytes.split_at_checked(at)?;
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let (version, after) = lines.next()?.split_once(' ')?;
        if !matches!(version, "HTTP/1.0" | "HTTP/1.1") {
            return None;
        }
        let status = after.split(' ').next().filter(|digits| digits.len() == 3)?.parse().ok()?;
        let mut fields = Vec::new();
        for line in lines {
            if fields.len() >= KNOCK_LINES_MAX {
                return None;
            }
            let (name, value) = line.split_once(':')?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Self { status, fields, content: rest.get(4..)?.to_vec() })
    }

    /// Values of a field, by its name in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a text is anywhere in it, in any case of letters.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let content = String::from_utf8_lossy(&self.content).to_ascii_lowercase();
        content.contains(&text) || self.fields.iter().any(|(_, value)| value.to_ascii_lowercase().contains(&text))
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// `GET`.
    pub method: &'a str,
    /// `/path`, or what else stands there.
    pub target: &'a str,
    /// The host that is named.
    pub host: &'a str,
    /// More fields, each with its line end.
    pub fields: &'a str,
    /// What the transcript has in their place, where they have a secret.
    pub shown: Option<&'a str>,
}

/// Asks one thing at a door and reads all that comes; with what was said.
///
/// # Errors
/// [`KnockError`]; [`KnockError::Odd`] if the answer is none of HTTP/1.
pub async fn page(door: &Door, asking: &Asking<'_>) -> Result<(Page, Vec<u8>), KnockError> {
    let mut wire = Wire::connect(door.address).await?;
    wire.start_tls(&door.name, Offer::default()).await?;
    let Asking { method, target, host, fields, shown } = asking;
    let length = if *method == "POST" { "Content-Length: 0\r\n" } else { "" };
    let request = |fields: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}{length}Connection: close\r\n\r\n")
    };
    match shown {
        Some(shown) => wire.send_hidden(request(fields).as_bytes(), &request(shown)).await?,
        None => wire.send(request(fields).as_bytes()).await?,
    }
    loop {
        match wire.fill().await {
            Ok(()) => {}
            Err(KnockError::Closed) => break,
            Err(error) => return Err(error),
        }
    }
    let page = Page::read(wire.pending()).ok_or(KnockError::Odd("it doesn't answer in HTTP"))?;
    let mut transcript = wire.transcript().to_vec();
    transcript.extend(wire.pending().iter().take(SHOWN));
    Ok((page, transcript))
}

/// So much of an answer is kept as evidence.
const SHOWN: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_read_as_it_stands_and_nothing_else_is() {
        let page = Page::read(b"HTTP/1.1 404 Not Found\r\nX-A: b\r\nx-a:  c \r\n\r\nhello").unwrap();
        assert_eq!((page.status, page.content.as_slice()), (404, &b"hello"[..]));
        assert_eq!(page.all("x-a").collect::<Vec<_>>(), ["b", "c"]);
        assert!(page.has("HELLO") && page.has("C") && !page.has("d"));
        for bad in
            ["", "220 hello\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 200 OK\r\nnone\r\n\r\n"]
        {
            assert_eq!(Page::read(bad.as_bytes()), None, "{bad:?}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(KNOCK_LINES_MAX + 1));
        assert_eq!(Page::read(many.as_bytes()), None, "more fields than anybody reads");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reading(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let head = b"HTTP/1.1 200 OK\r\n".to_vec();
            let (_one, _other) = (Page::read(&bytes), Page::read(&[head, bytes.clone()].concat()));
        }
    }
}
