//! Pages: where they are found.

use crate::domain::Domain;
use crate::limits::WEB_ORIGIN_MAX;
use serde::{Serialize, Serializer};
use std::fmt;

/// Pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Web {
    /// What links in mail begin with; `None`: there are none.
    #[serde(serialize_with = "origin_or_none")]
    pub origin: Option<Origin>,
}

/// Scheme, host and port of pages (RFC 6454), as a browser writes them: `https://mail.example.org`, without a slash at its
/// end. Clear text goes to this host alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    is_tls: bool,
}

impl Origin {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > WEB_ORIGIN_MAX {
            return Err(format!("has more than {WEB_ORIGIN_MAX} bytes"));
        }
        let form = "must be such as \"https://mail.example.org\", or \"none\"";
        let (scheme, place) = text.split_once("://").ok_or(form)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains(['/', '?', '#', '@']) {
            return Err(format!("{form}: scheme, host and port, and nothing behind them"));
        }
        let (host, port) = match place.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            None => (place, None),
            Some((host, port)) => {
                let number = port.parse::<u16>().ok().filter(|n| *n > 0 && n.to_string() == port);
                (host, Some(number.ok_or("has a port that is none: write https://host:8443")?))
            }
        };
        let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let host = if here {
            host.to_owned()
        } else {
            let named = host.bytes().any(|b| b.is_ascii_alphabetic()) && !host.contains(['[', ']']);
            let host = Domain::parse_utf8(host).ok().filter(|_| named);
            host.ok_or("must name its host: an address has no certificate that anybody trusts")?.to_string()
        };
        let (is_tls, usual) = match scheme {
            "https" => (true, 443),
            "http" if here => (false, 80),
            "http" => return Err("must begin with https://: mail isn't shown in clear text".to_owned()),
            _ => return Err(form.to_owned()),
        };
        let port = port.filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self { text: format!("{scheme}://{host}{port}"), is_tls })
    }

    /// As a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is HTTPS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn origin_or_none<S: Serializer>(origin: &Option<Origin>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(origin.as_ref().map_or("none", Origin::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_as_a_browser_writes_it() {
        for (text, origin) in [
            ("https://mail.example.org", "https://mail.example.org"),
            ("https://Mail.Example.org:443/", "https://mail.example.org"),
            ("https://mail.example.org:8443", "https://mail.example.org:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost:80", "http://localhost"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().as_str(), origin, "{text}");
            assert_eq!(Origin::parse(origin).unwrap().as_str(), origin);
        }
    }

    #[test]
    fn nothing_else_is_one() {
        for text in [
            "",
            "mail.example.org",
            "http://mail.example.org",
            "https://192.0.2.1",
            "https://[2001:db8::1]",
            "https://u:p@mail.example.org",
            "https://mail.example.org/path",
            "https://mail.example.org?x",
            "https://mail.example.org:0",
            "https://mail.example.org:+1",
            "https://mail.example.org:99999",
            "https://a b",
            "javascript://mail.example.org",
            "https://",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
        assert!(Origin::parse(&format!("https://{}example.org", "a.".repeat(WEB_ORIGIN_MAX))).is_err());
    }
}
