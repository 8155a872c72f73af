//! Pages, as far as they matter for mail: where plain HTTP leads, and what a domain publishes by HTTPS.
//!
//! HTTP/1.0 is asked, so that an answer ends where the connection does and isn't cut in chunks (RFC 9112 §6.3).

pub(crate) use super::look::plain;
use crate::knock::{Anchors, KnockError, Offer, Wire, judge};
use crate::scene::Door;
use mailward_core::limits::{PROBE_FEATURES_MAX, PROBE_PAGE_MAX};
use mailward_core::{Domain, Timestamp};
use mailward_dns::{Lookup, LookupError};
use std::fmt;
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

/// By whom pages are fetched by HTTPS.
#[derive(Clone, Copy)]
pub(crate) struct Web<'a> {
    pub(crate) lookup: &'a dyn Lookup,
    /// 443 but for trials.
    pub(crate) port: u16,
    pub(crate) anchors: &'a Anchors,
    pub(crate) now: Timestamp,
}

/// Why a page can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfetched {
    /// The DNS has no such host.
    NoHost(String),
    /// The host doesn't hand it out: no connection, a certificate that proves nothing, no answer.
    Failed(String),
    /// Nobody knows where the host is now.
    Unknown(String),
}

impl fmt::Display for Unfetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NoHost(why) | Self::Failed(why) | Self::Unknown(why)) = self;
        f.write_str(&plain(why))
    }
}

impl Web<'_> {
    /// A page of a host, whose certificate is judged.
    ///
    /// # Errors
    /// [`Unfetched`].
    pub(crate) async fn get(&self, host: &str, path: &str) -> Result<Page, Unfetched> {
        let request = format!("GET {path} HTTP/1.0\r\n{}\r\n", fields(host));
        Box::pin(self.asked(host, &request)).await
    }

    /// The same, asked with XML.
    ///
    /// # Errors
    /// [`Unfetched`].
    pub(crate) async fn post(&self, host: &str, path: &str, xml: &str) -> Result<Page, Unfetched> {
        let about = format!("Content-Type: text/xml; charset=utf-8\r\nContent-Length: {}\r\n", xml.len());
        let request = format!("POST {path} HTTP/1.0\r\n{}{about}\r\n{xml}", fields(host));
        Box::pin(self.asked(host, &request)).await
    }

    async fn asked(&self, host: &str, request: &str) -> Result<Page, Unfetched> {
        let host = Domain::parse(host).map_err(|error| Unfetched::Failed(format!("{host}: {error}")))?;
        let found = match self.lookup.addresses(&host).await {
            Ok(found) => found,
            Err(error @ (LookupError::NoName { .. } | LookupError::NoRecords { .. })) => {
                return Err(Unfetched::NoHost(error.to_string()));
            }
            Err(error) if error.is_temporary() => return Err(Unfetched::Unknown(error.to_string())),
            Err(error) => return Err(Unfetched::Failed(error.to_string())),
        };
        let address = found.records.first().ok_or_else(|| Unfetched::NoHost(format!("{host} has no address")))?;
        let said = |error: KnockError| Unfetched::Failed(format!("{host}: {error}"));
        let mut wire = Wire::connect(SocketAddr::new(*address, self.port)).await.map_err(said)?;
        let chain = wire.start_tls(host.as_str(), Offer::default()).await.map_err(said)?.chain.clone();
        let untrusted = |why| Unfetched::Failed(format!("the certificate of {host}: {why}"));
        judge(&chain, host.as_str(), self.anchors, self.now).map_err(untrusted)?;
        said_to(wire, request).await.map_err(said)
    }
}

fn fields(host: &str) -> String {
    format!("Host: {host}\r\nAccept: */*\r\nConnection: close\r\n")
}

async fn asked(wire: Wire, host: &str, path: &str) -> Result<Page, KnockError> {
    said_to(wire, &format!("GET {path} HTTP/1.0\r\n{}\r\n", fields(host))).await
}

async fn said_to(mut wire: Wire, request: &str) -> Result<Page, KnockError> {
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
