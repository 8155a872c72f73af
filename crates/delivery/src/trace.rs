//! Trace fields: `Return-Path` and our `Received` (RFC 5321 §4.4), written before the message comes, so that the
//! message follows them in the same buffer.

use mailward_core::{Address, Domain, Protocol, Timestamp};
use mailward_message::date;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What our `Received` says, and where errors go.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The reverse path; `None` is the null path.
    pub sender: Option<&'a Address>,
    /// The name the peer gave, already held to letters, digits and `.-_:[]`.
    pub hello: &'a str,
    /// The peer's address; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
    /// Which right of its own the peer has, beside a login: words of ours, without parentheses and line ends.
    pub right: Option<&'a str>,
    /// Our name.
    pub hostname: &'a Domain,
    /// What was spoken.
    pub with: With,
    /// Version and cipher suite of TLS, if it runs.
    pub tls: Option<(&'a str, &'a str)>,
    /// The name of the message.
    pub id: &'a str,
    /// The recipient if there is only one; others must not learn of each other (RFC 5321 §7.6).
    pub recipient: Option<&'a Address>,
    /// Now.
    pub time: Timestamp,
}

/// The protocol as the registry of RFC 3848 and RFC 6531 §4.3 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct With {
    /// SMTP, submission or LMTP.
    pub protocol: Protocol,
    /// EHLO rather than HELO.
    pub extended: bool,
    /// SMTPUTF8 was asked for.
    pub utf8: bool,
    /// Under TLS.
    pub tls: bool,
    /// Logged in.
    pub authenticated: bool,
}

impl With {
    /// `ESMTPSA` and the like.
    #[must_use]
    pub const fn name(self) -> &'static str {
        let lmtp = matches!(self.protocol, Protocol::Lmtp);
        match (lmtp, self.utf8, self.tls, self.authenticated) {
            (false, false, false, false) if !self.extended => "SMTP",
            (false, false, false, false) => "ESMTP",
            (false, false, false, true) => "ESMTPA",
            (false, false, true, false) => "ESMTPS",
            (false, false, true, true) => "ESMTPSA",
            (false, true, false, false) => "UTF8SMTP",
            (false, true, false, true) => "UTF8SMTPA",
            (false, true, true, false) => "UTF8SMTPS",
            (false, true, true, true) => "UTF8SMTPSA",
            (true, false, false, false) => "LMTP",
            (true, false, false, true) => "LMTPA",
            (true, false, true, false) => "LMTPS",
            (true, false, true, true) => "LMTPSA",
            (true, true, false, false) => "UTF8LMTP",
            (true, true, false, true) => "UTF8LMTPA",
            (true, true, true, false) => "UTF8LMTPS",
            (true, true, true, true) => "UTF8LMTPSA",
        }
    }
}

impl Trace<'_> {
    /// The fields, with room behind them for a message of `expected` bytes.
    #[must_use]
    pub fn fields(&self, expected: usize) -> Vec<u8> {
        let mut text = String::with_capacity(expected.saturating_add(512));
        // Writing to a String can't fail.
        let _infallible = self.write(&mut text);
        text.into_bytes()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        match self.sender {
            Some(sender) => write!(out, "Return-Path: <{sender}>\r\n")?,
            None => out.push_str("Return-Path: <>\r\n"),
        }
        write!(out, "Received: from {} (", self.hello)?;
        match self.peer.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => write!(out, "[{ip}]")?,
            Some(IpAddr::V6(ip)) => write!(out, "[IPv6:{ip}]")?,
            None => out.push_str("local"),
        }
        if let Some(right) = self.right {
            write!(out, ", {right}")?;
        }
        write!(out, ")\r\n\tby {} (Mailward) with {}", self.hostname, self.with.name())?;
        if let Some((version, cipher)) = self.tls {
            write!(out, "\r\n\t({version} {cipher})")?;
        }
        write!(out, "\r\n\tid {}", self.id)?;
        if let Some(recipient) = self.recipient {
            write!(out, "\r\n\tfor <{recipient}>")?;
        }
        write!(out, ";\r\n\t{}\r\n", date::format_header(self.time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: With =
        With { protocol: Protocol::Smtp, extended: true, utf8: false, tls: false, authenticated: false };

    fn text<'a>(change: impl FnOnce(&mut Trace<'a>)) -> String {
        static HOSTNAME: std::sync::LazyLock<Domain> =
            std::sync::LazyLock::new(|| Domain::parse("mx.s.example").unwrap());
        let mut trace: Trace<'a> = Trace {
            sender: None,
            hello: "client.example",
            peer: Some("192.0.2.1".parse().unwrap()),
            right: None,
            hostname: &HOSTNAME,
            with: PLAIN,
            tls: None,
            id: "abc",
            recipient: None,
            time: Timestamp(0),
        };
        change(&mut trace);
        String::from_utf8(trace.fields(0)).unwrap()
    }

    #[test]
    fn a_plain_trace_says_who_what_and_when() {
        let date = date::format_header(Timestamp(0));
        assert_eq!(
            text(|_| ()),
            format!(
                "Return-Path: <>\r\nReceived: from client.example ([192.0.2.1])\r\n\tby mx.s.example (Mailward) with \
                 ESMTP\r\n\tid abc;\r\n\t{date}\r\n"
            )
        );
    }

    #[test]
    fn tls_and_the_only_recipient_are_told() {
        let alice = Address::parse("alice@s.example", false).unwrap();
        let all = text(|trace| {
            trace.sender = Some(&alice);
            trace.recipient = Some(&alice);
            trace.tls = Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384"));
            trace.with = With { protocol: Protocol::Submission, tls: true, authenticated: true, ..PLAIN };
            trace.peer = Some("2001:db8::1".parse().unwrap());
        });
        assert!(all.starts_with("Return-Path: <alice@s.example>\r\n"), "{all}");
        assert!(all.contains("([IPv6:2001:db8::1])"), "{all}");
        assert!(all.contains("with ESMTPSA\r\n\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"), "{all}");
        assert!(all.contains("\r\n\tfor <alice@s.example>;\r\n"), "{all}");
    }

    #[test]
    fn a_right_of_the_peer_s_own_is_told() {
        assert!(text(|trace| trace.right = Some("inside")).contains("from client.example ([192.0.2.1], inside)\r\n"));
        let program = text(|trace| (trace.peer, trace.right) = (None, Some("uid 33 www-data")));
        assert!(program.contains("from client.example (local, uid 33 www-data)\r\n"), "{program}");
    }

    #[test]
    fn the_protocol_has_its_registered_name() {
        assert_eq!(With { extended: false, ..PLAIN }.name(), "SMTP");
        assert_eq!(With { utf8: true, tls: true, ..PLAIN }.name(), "UTF8SMTPS");
        assert_eq!(With { protocol: Protocol::Lmtp, ..PLAIN }.name(), "LMTP");
        assert_eq!(With { protocol: Protocol::Lmtp, utf8: true, ..PLAIN }.name(), "UTF8LMTP");
    }
}
