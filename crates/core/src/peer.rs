//! Who is at the other end, and by which door they came.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A protocol that users or servers speak to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// SMTP between servers, and LMTP and submission's grammar.
    Smtp,
    /// SMTP for users (RFC 6409).
    Submission,
    /// LMTP (RFC 2033).
    Lmtp,
    /// IMAP (RFC 3501, 9051).
    Imap,
    /// POP3 (RFC 1939).
    Pop3,
    /// HTTP (RFC 9110, 9112): pages.
    Http,
}

/// A door of the server: name, usual port, protocol, and whether TLS starts before the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listener {
    /// Port 25.
    Smtp,
    /// Port 587, STARTTLS.
    Submission,
    /// Port 465, TLS from the first byte (RFC 8314).
    Submissions,
    /// Port 143, STARTTLS.
    Imap,
    /// Port 993, TLS from the first byte.
    Imaps,
    /// Port 110, STLS.
    Pop3,
    /// Port 995, TLS from the first byte.
    Pop3s,
    /// A Unix socket, or TCP port 24 if asked for.
    Lmtp,
    /// Port 443: pages, TLS from the first byte.
    Https,
    /// Pages without TLS, on loopback alone: for a proxy in front.
    Http,
}

impl Listener {
    /// Every door.
    pub const ALL: [Listener; 10] = [
        Listener::Smtp,
        Listener::Submission,
        Listener::Submissions,
        Listener::Imap,
        Listener::Imaps,
        Listener::Pop3,
        Listener::Pop3s,
        Listener::Lmtp,
        Listener::Https,
        Listener::Http,
    ];
    /// Its name in configuration, log and ready file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Listener::Smtp => "smtp",
            Listener::Submission => "submission",
            Listener::Submissions => "submissions",
            Listener::Imap => "imap",
            Listener::Imaps => "imaps",
            Listener::Pop3 => "pop3",
            Listener::Pop3s => "pop3s",
            Listener::Lmtp => "lmtp",
            Listener::Https => "https",
            Listener::Http => "http",
        }
    }
    /// The port that IANA gave it.
    #[must_use]
    pub const fn usual_port(self) -> u16 {
        match self {
            Listener::Smtp => 25,
            Listener::Submission => 587,
            Listener::Submissions => 465,
            Listener::Imap => 143,
            Listener::Imaps => 993,
            Listener::Pop3 => 110,
            Listener::Pop3s => 995,
            Listener::Lmtp => 24,
            Listener::Https => 443,
            Listener::Http => 80,
        }
    }
    /// What is spoken there.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        match self {
            Listener::Smtp => Protocol::Smtp,
            Listener::Submission | Listener::Submissions => Protocol::Submission,
            Listener::Imap | Listener::Imaps => Protocol::Imap,
            Listener::Pop3 | Listener::Pop3s => Protocol::Pop3,
            Listener::Lmtp => Protocol::Lmtp,
            Listener::Https | Listener::Http => Protocol::Http,
        }
    }
    /// Whether users log in here.
    #[must_use]
    pub const fn has_logins(self) -> bool {
        !matches!(self, Listener::Smtp | Listener::Lmtp | Listener::Https | Listener::Http)
    }
    /// Whether TLS starts before the first byte of the protocol.
    #[must_use]
    pub const fn implicit_tls(self) -> bool {
        matches!(self, Listener::Submissions | Listener::Imaps | Listener::Pop3s | Listener::Https)
    }
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Number of the session since the server started; in every event of it.
    pub session: u64,
    /// Address of the peer; `None` on a Unix socket.
    pub address: Option<IpAddr>,
    /// Port of the peer; `None` on a Unix socket.
    pub port: Option<u16>,
    /// The door it came by.
    pub listener: Listener,
}

impl Peer {
    /// The address as a log field: `local` on a Unix socket.
    #[must_use]
    pub fn address_text(&self) -> String {
        self.address.map_or_else(|| "local".to_owned(), |a| a.to_string())
    }
}
