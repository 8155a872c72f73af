//! Reverse and forward paths, RFC 5321 §4.1.2.

use mailward_core::limits::SOURCE_ROUTE_MAX;
use mailward_core::{Address, AddressError, Host};

/// Where errors go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversePath {
    /// `<>`: nowhere; bounces and the like.
    Null,
    /// Somebody.
    Address(Address),
}

impl ReversePath {
    /// The address, if there is one.
    #[must_use]
    pub const fn address(&self) -> Option<&Address> {
        match self {
            ReversePath::Null => None,
            ReversePath::Address(address) => Some(address),
        }
    }
}

/// As it stands between the brackets; nothing for the null path.
impl std::fmt::Display for ReversePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReversePath::Null => Ok(()),
            ReversePath::Address(address) => address.fmt(f),
        }
    }
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain: must always be taken (RFC 5321 §4.5.1).
    Postmaster,
    /// Somebody.
    Address(Address),
}

impl std::fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("postmaster"),
            ForwardPath::Address(address) => address.fmt(f),
        }
    }
}

/// Reads what stands between the brackets of `MAIL FROM:<…>`.
///
/// # Errors
/// [`AddressError`] says what can't stand.
pub fn reverse(inner: &str, utf8: bool) -> Result<ReversePath, AddressError> {
    if inner.is_empty() {
        return Ok(ReversePath::Null);
    }
    Address::parse(without_route(inner, utf8)?, utf8).map(ReversePath::Address)
}

/// Reads what stands between the brackets of `RCPT TO:<…>`.
///
/// # Errors
/// [`AddressError`] says what can't stand.
pub fn forward(inner: &str, utf8: bool) -> Result<ForwardPath, AddressError> {
    if inner.eq_ignore_ascii_case("postmaster") {
        return Ok(ForwardPath::Postmaster);
    }
    Address::parse(without_route(inner, utf8)?, utf8).map(ForwardPath::Address)
}

/// Takes off a source route, `@one,@two:`, which must be well formed and means nothing (RFC 5321 §3.6.1 and
/// appendix C): policy is applied to the mailbox behind it.
fn without_route(inner: &str, utf8: bool) -> Result<&str, AddressError> {
    let Some(mut rest) = inner.strip_prefix('@') else { return Ok(inner) };
    for _ in 0..SOURCE_ROUTE_MAX {
        let end = host_end(rest);
        let (host, after) = rest.split_at_checked(end).ok_or(AddressError::Incomplete)?;
        Host::parse(host, utf8)?;
        if let Some(mailbox) = after.strip_prefix(':') {
            return Ok(mailbox);
        }
        rest = after.strip_prefix(",@").ok_or(AddressError::Incomplete)?;
    }
    Err(AddressError::TooLong)
}

/// Where a host of a route ends: at the first `,` or `:` that isn't inside the brackets of an address literal.
fn host_end(text: &str) -> usize {
    let from = if text.starts_with('[') { text.find(']').unwrap_or(0) } else { 0 };
    let rest = text.get(from..).unwrap_or_default();
    rest.find([',', ':']).map_or(text.len(), |at| at.saturating_add(from))
}

/// Splits `<inner>` and what follows it, minding quoted strings (`<"a>b"@c>`). `None` if there are no brackets.
#[must_use]
pub fn bracketed(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => {
                let (path, rest) = inner.split_at_checked(index)?;
                return Some((path, rest.get(1..)?));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to(inner: &str) -> Option<String> {
        forward(inner, false).ok().map(|path| path.to_string())
    }

    #[test]
    fn a_source_route_is_read_and_means_nothing() {
        assert_eq!(to("@[192.0.2.1]:u@t.example").as_deref(), Some("u@t.example"));
        assert_eq!(to("@[IPv6:2001:db8::1]:u@t.example").as_deref(), Some("u@t.example"));
        assert_eq!(to("@a.example,@b.example:u@t.example").as_deref(), Some("u@t.example"));
        for bad in ["@:u@t.example", "@a.example", "@a.example,b.example:u@t", "@a.example:", "@a b:u@t", "@[1:u@t"] {
            assert_eq!(to(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_source_route_ends_at_its_limit() {
        let route = |hosts: usize| format!("@{}:u@t.example", vec!["a.example"; hosts].join(",@"));
        assert!(to(&route(SOURCE_ROUTE_MAX)).is_some());
        assert_eq!(to(&route(SOURCE_ROUTE_MAX + 1)), None);
    }

    #[test]
    fn the_null_path_is_a_sender_only() {
        assert_eq!(reverse("", false), Ok(ReversePath::Null));
        assert!(forward("", false).is_err());
    }

    #[test]
    fn postmaster_needs_no_domain_and_nobody_else_does_without() {
        assert_eq!(forward("PostMaster", false), Ok(ForwardPath::Postmaster));
        assert!(forward("abuse", false).is_err());
    }

    #[test]
    fn brackets_in_quotes_are_letters() {
        assert_eq!(bracketed("<\"a>b\"@c> SIZE=1"), Some(("\"a>b\"@c", " SIZE=1")));
        assert_eq!(bracketed("<\"a\\\">b\"@c>"), Some(("\"a\\\">b\"@c", "")));
        assert_eq!(bracketed("a@b"), None);
        assert_eq!(bracketed("<a@b"), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,200}", utf8 in any::<bool>()) {
            let _ = reverse(&text, utf8);
            let _ = forward(&text, utf8);
            let _ = bracketed(&text);
        }
    }
}
