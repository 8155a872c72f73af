//! Other protocols, known by their first bytes: a browser, a TLS client or an SSH client at a door where they mean
//! nothing (attacks B8). Who speaks so is a scanner, a wrong setting, or a page that makes a browser talk to us; an answer
//! helps none of them.

use std::fmt;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A request of HTTP (RFC 9112 §3).
    Http,
    /// A handshake of TLS where nobody expects one (RFC 8446 §5.1).
    Tls,
    /// The first line of SSH (RFC 4253 §4.2).
    Ssh,
}

impl Foreign {
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Foreign::Http => "http",
            Foreign::Tls => "tls",
            Foreign::Ssh => "ssh",
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// RFC 9110 §9, RFC 5789, and the preface of HTTP/2 (RFC 9113 §3.4).
const METHODS: [&[u8]; 10] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI"];

/// Looks at the first bytes that a client sent, or at those of a later line: whatever came so far, whole lines or not.
/// `None` while they can still be one of our protocols, whose commands never begin so. Time is linear in the first line,
/// which the caller bounds.
#[must_use]
pub fn recognise(bytes: &[u8]) -> Option<Foreign> {
    if bytes.starts_with(&[0x16, 0x03]) {
        return Some(Foreign::Tls);
    }
    if bytes.starts_with(b"SSH-") {
        return Some(Foreign::Ssh);
    }
    // Methods are written in capitals; who writes them otherwise isn't one of our clients either.
    let method = METHODS.iter().find(|m| bytes.get(..m.len()).is_some_and(|b| b.eq_ignore_ascii_case(m)))?;
    let target = bytes.get(method.len()..)?.strip_prefix(b" ")?;
    // A tag of IMAP may be any word, but no command begins with these.
    if matches!(target.first(), Some(b'/' | b'*')) {
        return Some(Foreign::Http);
    }
    let line = target.get(..target.iter().position(|byte| *byte == b'\n')?)?;
    line.windows(6).any(|part| part.eq_ignore_ascii_case(b" HTTP/")).then_some(Foreign::Http)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Attacks B8.
    #[test]
    fn browsers_are_known_by_their_first_line() {
        for line in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"get / http/1.1\r\n",
            b"POST /x",
            b"OPTIONS *",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"CONNECT a.example:25 HTTP/1.1\r\n",
            b"GET http://a.example/ HTTP/1.0\n",
        ] {
            assert_eq!(recognise(line), Some(Foreign::Http), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn tls_and_ssh_are_known_by_a_few_bytes() {
        assert_eq!(recognise(b"\x16\x03\x01\x02\x00\x01"), Some(Foreign::Tls));
        assert_eq!(recognise(b"\x16\x03"), Some(Foreign::Tls));
        assert_eq!(recognise(b"SSH-2.0-OpenSSH_9.6\r\n"), Some(Foreign::Ssh));
    }

    #[test]
    fn our_own_protocols_are_none_of_them() {
        for line in [
            &b"EHLO a\r\n"[..],
            b"a1 LOGIN x y\r\n",
            // A tag may be any word.
            b"GET LOGIN x y\r\n",
            b"POST NOOP\r\n",
            b"GET",
            b"GET x",
            b"CONNECT a.example:25",
            b"USER x\r\n",
            b"\x16",
            b"SSH",
            b"",
        ] {
            assert_eq!(recognise(line), None, "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_known_stays_known_as_more_comes(head in "(GET|get|SSH-|\u{16}\u{3}|HEAD|a1)[ -~\r\n]{0,40}", at in 0_usize..50) {
            let bytes = head.as_bytes();
            let first = recognise(&bytes[..at.min(bytes.len())]);
            if first.is_some() {
                prop_assert_eq!(recognise(bytes), first);
            }
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _whatever = recognise(&bytes);
        }
    }
}
