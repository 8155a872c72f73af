//! Pages, as far as they matter for mail: where plain HTTP leads, and what a domain publishes by HTTPS.
//!
//! HTTP/1.0 is asked, so that an answer ends where the connection does and isn't cut in chunks (RFC 9112 §6.3).

use super::look::plain;
use crate::knock::{Anchors, KnockError, Offer, Wire, judge};
use crate::scene::Door;
use mailward_core::limits::{PROBE_FEATURES_MAX, PROBE_PAGE_MAX};
use mailward_core::{Domain, Timestamp};
use mailward_dns::Lookup;
use std::net::SocketAddr;

/// A web server's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// The program's name, if it says one. Hostile.
    pub server: Option<String>,
    /// Where it leads. Hostile.
    pub location: Option<String>,
    /// The kind of its content, lower case, without parameters. Hostile.
    pub kind: String,
    /// Its content, as far as it was read. Hostile.
    pub body: Vec<u8>,
}

impl Page {
    /// Its first lines in one, for people.
    pub fn banner(&self) -> String {
        let mut text = format!("HTTP {}", self.status);
        for (name, value) in [("Server", &self.server), ("Location", &self.location)] {
            if let Some(value) = value {
                text = format!("{text}; {name}: {value}");
            }
        }
        plain(&text)
    }
}

/// Reads an answer (RFC 9112 §4, §5), at most `limits::PROBE_PAGE_MAX` bytes; of fields the first of each name counts, and
/// `limits::PROBE_FEATURES_MAX` are read.
///
/// # Errors
/// [`KnockError::Odd`] for what is none.
pub fn read(bytes: &[u8]) -> Result<Page, KnockError> {
    const ODD: KnockError = KnockError::Odd("what it says is no answer of HTTP");
    let bytes = bytes.get(..PROBE_PAGE_MAX).unwrap_or(bytes);
    let mut rest = bytes;
    let mut next = || -> Option<&[u8]> {
        let at = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, more) = rest.split_at_checked(at)?;
        rest = more.get(1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    };
    let first = next().ok_or(ODD)?;
    let first = first.strip_prefix(b"HTTP/1.").ok_or(ODD)?;
    let code = first.get(2..5).and_then(|code| std::str::from_utf8(code).ok()).and_then(|code| code.parse().ok());
    let mut page = Page { status: code.filter(|code| (100..600).contains(code)).ok_or(ODD)?, ..Page::default() };
    let (mut server, mut location, mut kind) = (None, None, None);
    for _field in 0..PROBE_FEATURES_MAX {
        let line = match next() {
            Some(b"") | None => break,
            Some(line) => String::from_utf8_lossy(line).into_owned(),
        };
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = plain(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "server" => drop(server.get_or_insert(value)),
            "location" => drop(location.get_or_insert(value)),
            "content-type" => drop(kind.get_or_insert(value)),
            _ => {}
        }
    }
    let kind = kind.unwrap_or_default();
    page.kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (page.server, page.location) = (server, location);
    page.body = rest.to_vec();
    Ok(page)
}

/// Asks a door for HTTPS for its first page.
///
/// # Errors
/// [`KnockError`].
pub(super) async fn first_lines(door: &Door, host: &str) -> Result<Page, KnockError> {
    let mut wire = Wire::connect(door.address).await?;
    let _shown = wire.start_tls(&door.name, Offer::default()).await?;
    asked(wire, host, "/").await
}

/// Asks by plain HTTP.
///
/// # Errors
/// [`KnockError`].
pub(super) async fn in_clear(address: SocketAddr, host: &str) -> Result<Page, KnockError> {
    asked(Wire::connect(address).await?, host, "/").await
}

/// Fetches a page by HTTPS from a host whose certificate is judged.
///
/// # Errors
/// In words.
pub(super) async fn fetch(
    lookup: &dyn Lookup,
    host: &Domain,
    port: u16,
    path: &str,
    anchors: &Anchors,
    now: Timestamp,
) -> Result<Page, String> {
    let found = lookup.addresses(host).await.map_err(|error| error.to_string())?;
    let address = found.records.first().ok_or_else(|| format!("{host} has no address"))?;
    let said = |error: KnockError| format!("{host}: {error}");
    let mut wire = Wire::connect(SocketAddr::new(*address, port)).await.map_err(said)?;
    let chain = wire.start_tls(host.as_str(), Offer::default()).await.map_err(said)?.chain.clone();
    judge(&chain, host.as_str(), anchors, now).map_err(|why| format!("the certificate of {host}: {why}"))?;
    asked(wire, host.as_str(), path).await.map_err(said)
}

async fn asked(mut wire: Wire, host: &str, path: &str) -> Result<Page, KnockError> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    wire.send(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    loop {
        match wire.some().await {
            Ok(more) => bytes.extend_from_slice(&more),
            // Some leave the connection open all the same: what has come is all that there is.
            Err(KnockError::Closed) => break,
            Err(KnockError::Late) if !bytes.is_empty() => break,
            Err(other) => return Err(other),
        }
        if bytes.len() > PROBE_PAGE_MAX {
            break;
        }
    }
    read(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_read_to_its_body() {
        let page = read(
            b"HTTP/1.1 301 Moved\r\nServer: nginx/1.2\r\nLocation: https://x.example/\r\nContent-Type: Text/HTML; charset=x\r\n\r\nbody\r\n",
        )
        .unwrap();
        assert_eq!((page.status, page.server.as_deref()), (301, Some("nginx/1.2")));
        assert_eq!((page.location.as_deref(), page.kind.as_str()), (Some("https://x.example/"), "text/html"));
        assert_eq!(page.body, b"body\r\n");
        assert_eq!(page.banner(), "HTTP 301; Server: nginx/1.2; Location: https://x.example/");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for bytes in [&b""[..], b"220 mx ESMTP\r\n", b"HTTP/1.1 xyz\r\n\r\n", b"HTTP/1.1 99 x\r\n\r\n", b"HTTP/1.1 200"]
        {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn no_more_fields_are_read_than_the_limit_and_no_more_bytes() {
        let fields = "X: 1\r\n".repeat(PROBE_FEATURES_MAX);
        let page = read(format!("HTTP/1.1 200 OK\r\n{fields}Server: late\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(page.server, None);
        let long = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; PROBE_PAGE_MAX]].concat();
        assert!(read(&long).unwrap().body.len() < PROBE_PAGE_MAX);
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_acts_on_no_terminal(said in prop::collection::vec(any::<u8>(), 0..300)) {
            let whole = [b"HTTP/1.1 200 OK\r\nServer: ".to_vec(), said].concat();
            if let Ok(page) = read(&whole) {
                prop_assert!(!page.banner().chars().any(char::is_control));
            }
        }
    }
}
