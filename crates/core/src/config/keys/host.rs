//! Keys of what a host is: its name, its doors, its certificates.

use super::Key;
use crate::config::value::{quoted, quoted_addresses, quoted_path, quoted_socket};
use crate::domain::Domain;

const ADDRESSES: &str = "list of \"address:port\", or \"off\"";

macro_rules! door {
    ($name:ident, $help:literal) => {
        Key {
            path: concat!("listen.", stringify!($name)),
            form: ADDRESSES,
            unit: "IP address and port",
            help: $help,
            reloads: false,
            read: |c, v| v.addresses().map(|a| c.listen.$name = a),
            write: |c| quoted_addresses(&c.listen.$name),
        }
    };
}

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "hostname",
        form: "domain name, or \"\" for the system's own name",
        unit: "domain",
        help: "Name of this host: in greetings, in Received fields, and in the MX records of your domains.\nIt should resolve to this host and back.",
        reloads: false,
        read: |c, v| v.hostname().map(|h| c.hostname = h),
        write: |c| quoted(c.hostname.as_ref().map_or("", Domain::as_str)),
    },
    Key {
        path: "data",
        form: "path",
        unit: "directory",
        help: "Where mail, accounts and keys are kept. A relative path starts where this file lies.",
        reloads: false,
        read: |c, v| v.path().map(|p| c.data = p),
        write: |c| quoted_path(&c.data),
    },
    Key {
        path: "user",
        form: "name of a system user, or \"\" to stay as started",
        unit: "user",
        help: "Started as root, Mailward binds its ports and then becomes this user for good.\nWith \"\" it stays root if root starts it: only for tests and containers.",
        reloads: false,
        read: |c, v| v.user().map(|u| c.user = u),
        write: |c| quoted(&c.user),
    },
    door!(smtp, "Mail from other servers. No logins here."),
    door!(submission, "Mail from your users with STARTTLS (RFC 6409). Logins under TLS only."),
    door!(submissions, "Mail from your users with TLS from the first byte (RFC 8314): the better choice."),
    door!(imap, "Reading with STARTTLS. Logins under TLS only."),
    door!(imaps, "Reading with TLS from the first byte (RFC 8314): the better choice."),
    door!(pop3, "Fetching with STLS. Off until somebody needs it."),
    door!(pop3s, "Fetching with TLS from the first byte. Off until somebody needs it."),
    door!(
        lmtp,
        "Mail from a relay of yours by LMTP over TCP (RFC 2033). It carries no password: keep it on loopback\nor a network that only the relay reaches."
    ),
    door!(https, "Pages under TLS, such as those that links in the quarantine's digest lead to. See docs/web.md."),
    Key {
        path: "listen.http",
        form: ADDRESSES,
        unit: "loopback address and port",
        help: "The same pages without TLS, for a proxy on this host that does it: loopback addresses alone.",
        reloads: false,
        read: |c, v| v.loopback_addresses().map(|a| c.listen.http = a),
        write: |c| quoted_addresses(&c.listen.http),
    },
    Key {
        path: "lmtp.socket",
        form: "path, or \"off\"",
        unit: "Unix socket",
        help: "Mail from programs on this host by LMTP. A relative path starts in the data directory.",
        reloads: false,
        read: |c, v| v.path_or("off").map(|p| c.lmtp.socket = p),
        write: |c| quoted_socket(&c.lmtp),
    },
    Key {
        path: "tls.certificate",
        form: "path",
        unit: "PEM file",
        help: "Certificate of this host, with those between it and the authority below it.\nA relative path starts in the data directory.",
        reloads: true,
        read: |c, v| v.path().map(|p| c.tls.certificate = p),
        write: |c| quoted_path(&c.tls.certificate),
    },
    Key {
        path: "tls.key",
        form: "path",
        unit: "PEM file",
        help: "Private key of the certificate. Nobody but root and Mailward's user may read it (mode 600).\nA relative path starts in the data directory.",
        reloads: true,
        read: |c, v| v.path().map(|p| c.tls.key = p),
        write: |c| quoted_path(&c.tls.key),
    },
];
