//! What of a host is the mail server's.

use std::fmt;

/// What of a host is the mail server's, as its configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Its data directory.
    pub data: String,
    /// The directory of its configuration.
    pub configuration: String,
    /// The program, where it was installed.
    pub program: String,
    /// Sockets that others may listen at besides the server's own doors: what this host is for besides mail.
    pub allowed: Vec<(Transport, u16)>,
}

impl Default for Ours {
    fn default() -> Self {
        Self {
            data: "/var/lib/mailward".to_owned(),
            configuration: "/etc/mailward".to_owned(),
            program: "/usr/local/bin/mailward".to_owned(),
            // ssh, and the answers to DHCP's clients.
            allowed: vec![(Transport::Tcp, 22), (Transport::Udp, 68), (Transport::Udp, 546)],
        }
    }
}

impl Ours {
    /// A file that whoever answers for the host keeps for the audit: what ought to be, one a line.
    pub(crate) fn expected(&self, name: &str) -> String {
        format!("{}/audit/{name}", self.configuration)
    }
}

/// What a socket is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}
