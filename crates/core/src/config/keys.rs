//! The one table of keys. Add a key here and a field in the types; the tests tell if one is missing.

use super::Config;
use super::value::{
    Refusal, Value, quoted, quoted_addresses, quoted_path, quoted_servers, quoted_socket, quoted_texts, write_size,
};
use crate::domain::Domain;
use crate::limits::{
    CONNECTIONS_CONFIG_MAX, DNS_CACHE_CONFIG_MAX, MESSAGE_SIZE_CONFIG_MAX, MESSAGE_SIZE_CONFIG_MIN,
    SEND_LIMIT_CONFIG_MAX, SMTP_RECIPIENTS_CONFIG_MAX, SMTP_RECIPIENTS_CONFIG_MIN,
};

/// One key of `mailward.toml`.
pub struct Key {
    /// Section and name with a dot between, or a name alone.
    pub path: &'static str,
    /// What the value looks like.
    pub form: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What it does and why one would change it. Lines of at most 100 characters.
    pub help: &'static str,
    /// Whether `mailward reload` takes a new value; else it needs a restart.
    pub reloads: bool,
    pub(super) read: fn(&mut Config, &Value<'_>) -> Result<(), Refusal>,
    pub(super) write: fn(&Config) -> String,
}

impl Key {
    /// The section, empty for keys that stand before the first.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }
    /// The name without its section.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
    /// The value in a configuration, as TOML.
    #[must_use]
    pub fn value(&self, config: &Config) -> String {
        (self.write)(config)
    }
    /// The default, as TOML.
    #[must_use]
    pub fn default(&self) -> String {
        (self.write)(&Config::default())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.path)
    }
}

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

macro_rules! count {
    ($name:ident, $unit:literal, $range:expr, $form:literal, $help:literal) => {
        Key {
            path: concat!("limits.", stringify!($name)),
            form: $form,
            unit: $unit,
            help: $help,
            reloads: true,
            read: |c, v| v.count($range.0, $range.1).map(|n| c.limits.$name = n),
            write: |c| c.limits.$name.to_string(),
        }
    };
}

/// How much may be sent in some time, by a user or by all of a domain.
macro_rules! sent {
    ($section:ident, $name:ident, $unit:literal, $help:literal) => {
        Key {
            path: concat!(stringify!($section), ".", stringify!($name)),
            form: "0 to 1000000000; 0: no limit",
            unit: $unit,
            help: $help,
            reloads: true,
            read: |c, v| {
                v.count(0, SEND_LIMIT_CONFIG_MAX).map(|n| c.$section.$name = u64::try_from(n).unwrap_or(u64::MAX))
            },
            write: |c| c.$section.$name.to_string(),
        }
    };
}

/// Every key, in the order of the file.
pub const KEYS: &[Key] = &[
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
    Key {
        path: "limits.message_size",
        form: "\"64 KiB\" to \"256 MiB\"",
        unit: "bytes, or a string with B, KiB, MiB, GiB",
        help: "Largest message that is taken, by SMTP and by IMAP.",
        reloads: true,
        read: |c, v| v.size(MESSAGE_SIZE_CONFIG_MIN, MESSAGE_SIZE_CONFIG_MAX).map(|n| c.limits.message_size = n),
        write: |c| quoted(&write_size(c.limits.message_size)),
    },
    count!(
        recipients,
        "recipients",
        (SMTP_RECIPIENTS_CONFIG_MIN, SMTP_RECIPIENTS_CONFIG_MAX),
        "100 to 10000",
        "Recipients of one message; a sender with more sends them in parts (RFC 5321 §4.5.3.1.8)."
    ),
    count!(
        messages_per_session,
        "messages",
        (1, 1_000_000),
        "1 to 1000000",
        "Messages of one SMTP connection; after it the sender connects anew."
    ),
    count!(
        connections,
        "connections",
        (10, CONNECTIONS_CONFIG_MAX),
        "10 to 100000",
        "Connections open at once, all doors together. The limit of open files is raised to fit."
    ),
    count!(
        connections_per_address,
        "connections",
        (1, CONNECTIONS_CONFIG_MAX),
        "1 to 100000",
        "Connections open at once from one IPv4 address or one IPv6 /64. Raise it where a whole office\ncomes from one address."
    ),
    count!(
        sessions_per_account,
        "sessions",
        (1, 10_000),
        "1 to 10000",
        "IMAP and POP3 sessions of one account at once, all its devices together."
    ),
    Key {
        path: "queue.send",
        form: "true or false",
        unit: "yes or no",
        help: "Take mail for other domains from your users, programs and inside hosts, and what aliases lead elsewhere,\nand send it. Off, it is refused, but for gateways; what is queued is still sent (`mailward queue pause`\nstops that). What is switched on by a reload begins to be sent at once.",
        reloads: true,
        read: |c, v| v.boolean().map(|on| c.queue.send = on),
        write: |c| c.queue.send.to_string(),
    },
    Key {
        path: "queue.lifetime",
        form: "1 to 720",
        unit: "hours",
        help: "How long a message is tried before its sender is told that it can't be delivered.",
        reloads: true,
        read: |c, v| v.count(1, 720).map(|n| c.queue.lifetime = n),
        write: |c| c.queue.lifetime.to_string(),
    },
    Key {
        path: "queue.warn_after",
        form: "0 to 720",
        unit: "hours",
        help: "After this time the sender is told once that a message is late. 0: never.",
        reloads: true,
        read: |c, v| v.count(0, 720).map(|n| c.queue.warn_after = n),
        write: |c| c.queue.warn_after.to_string(),
    },
    Key {
        path: "queue.connections",
        form: "1 to 10000",
        unit: "connections",
        help: "Connections to other servers at once, all together.",
        reloads: false,
        read: |c, v| v.count(1, 10_000).map(|n| c.queue.connections = n),
        write: |c| c.queue.connections.to_string(),
    },
    Key {
        path: "queue.connections_per_host",
        form: "1 to 1000",
        unit: "connections",
        help: "Connections of one domain at once, and to one server, whichever domains it serves. There are fewer at first,\nand while they fail.",
        reloads: false,
        read: |c, v| v.count(1, 1_000).map(|n| c.queue.connections_per_host = n),
        write: |c| c.queue.connections_per_host.to_string(),
    },
    Key {
        path: "queue.port",
        form: "1 to 65535",
        unit: "port",
        help: "Port of other servers. Another than 25 is for trials in a network of your own.",
        reloads: false,
        read: |c, v| v.count(1, 65_535).map(|n| c.queue.port = n),
        write: |c| c.queue.port.to_string(),
    },
    Key {
        path: "queue.loopback",
        form: "true or false",
        unit: "yes or no",
        help: "Send to servers on loopback addresses too. For trials only: anybody can write 127.0.0.1 into their\nzone.",
        reloads: false,
        read: |c, v| v.boolean().map(|on| c.queue.loopback = on),
        write: |c| c.queue.loopback.to_string(),
    },
    sent!(
        user_limits,
        messages_per_hour,
        "messages",
        "Messages of one user to other domains in an hour. What goes beyond is accepted and held, and you\nare told. `mailward user limit` sets another for one of them."
    ),
    sent!(user_limits, messages_per_day, "messages", "The same in 24 hours."),
    sent!(
        user_limits,
        recipients_per_hour,
        "recipients",
        "Recipients at other domains in an hour: a message to ten counts ten."
    ),
    sent!(user_limits, recipients_per_day, "recipients", "The same in 24 hours."),
    sent!(
        user_limits,
        new_per_hour,
        "recipients",
        "Recipients in an hour that the user never wrote to before: what a stolen password is used for."
    ),
    sent!(user_limits, new_per_day, "recipients", "The same in 24 hours."),
    sent!(
        domain_limits,
        messages_per_hour,
        "messages",
        "Messages of all users of a domain to other domains in an hour. What goes beyond is accepted and\nheld, and you are told. `mailward domain limit` sets another for one of them."
    ),
    sent!(domain_limits, messages_per_day, "messages", "The same in 24 hours."),
    sent!(
        domain_limits,
        recipients_per_hour,
        "recipients",
        "Recipients at other domains in an hour: a message to ten counts ten."
    ),
    sent!(domain_limits, recipients_per_day, "recipients", "The same in 24 hours."),
    sent!(
        domain_limits,
        new_per_hour,
        "recipients",
        "Recipients in an hour that the users never wrote to before: what a stolen password is used for."
    ),
    sent!(domain_limits, new_per_day, "recipients", "The same in 24 hours."),
    Key {
        path: "tls_reports.send",
        form: "true or false",
        unit: "yes or no",
        help: "Tell domains that ask for it once a day how TLS went with them (RFC 8460). How it went is kept for\n`mailward tls-report` either way. Nothing is sent either where `queue.send` is off.",
        reloads: false,
        read: |c, v| v.boolean().map(|on| c.tls_reports.send = on),
        write: |c| c.tls_reports.send.to_string(),
    },
    Key {
        path: "tls_reports.contact",
        form: "address, or \"postmaster\"",
        unit: "mail address",
        help: "Whom these reports are from, and where questions go. \"postmaster\" is that of this host's name. Its domain,\nor one above it, must have DKIM keys here: reports that aren't signed count nowhere.",
        reloads: false,
        read: |c, v| v.address_or("postmaster").map(|a| c.tls_reports.contact = a),
        write: |c| c.tls_reports.contact.as_ref().map_or_else(|| quoted("postmaster"), |a| quoted(&a.to_string())),
    },
    Key {
        path: "relay.from",
        form: "list of networks, such as [\"192.0.2.0/24\", \"2001:db8::/48\"], or \"none\"",
        unit: "IP networks",
        help: "Hosts that may send out through port 25 without a login, by the address they connect from: printers,\nold programs, an inside mail server. Whoever controls one of them sends as your users. Not even loopback\nis among them unless it stands here. See docs/sendmail.md.",
        reloads: true,
        read: |c, v| v.networks().map(|n| c.relay.from = n),
        write: |c| quoted_texts(&c.relay.from),
    },
    Key {
        path: "relay.any_sender",
        form: "true or false",
        unit: "yes or no",
        help: "Let those hosts send as anybody. Off, they send out as addresses of your domains only.",
        reloads: true,
        read: |c, v| v.boolean().map(|on| c.relay.any_sender = on),
        write: |c| c.relay.any_sender.to_string(),
    },
    Key {
        path: "sendmail.directory",
        form: "path, or \"off\"",
        unit: "directory",
        help: "Where programs on this host hand in mail with `mailward sendmail`: a socket, and a spool for when no server\nruns. Programs of other users than the server's reach it only outside the data directory, in which a\nrelative path starts: `setup` as root makes /var/spool/mailward.",
        reloads: false,
        read: |c, v| v.path_or("off").map(|p| c.sendmail.directory = p),
        write: |c| c.sendmail.directory.as_ref().map_or_else(|| quoted("off"), |p| quoted_path(p)),
    },
    Key {
        path: "sendmail.users",
        form: "list of \"user=address\", \"user=*@domain\" or \"user=*\" (every address of yours), or \"none\"",
        unit: "system users and addresses",
        help: "What programs of a system user may send as, beside user@hostname. Root and the server's own user may use\nevery address of your domains.",
        reloads: true,
        read: |c, v| v.grants().map(|g| c.sendmail.users = g),
        write: |c| quoted_texts(&c.sendmail.users),
    },
    Key {
        path: "queue.maildirs",
        form: "path, or \"off\"",
        unit: "directory",
        help: "Directory that Maildirs of routes are below (`mailward route`); it must be there, and the server's user must\nbe able to write it. Off, no route leads to a Maildir. A relative path starts in the data directory.",
        reloads: false,
        read: |c, v| v.path_or("off").map(|p| c.queue.maildirs = p),
        write: |c| c.queue.maildirs.as_ref().map_or_else(|| quoted("off"), |p| quoted_path(p)),
    },
    Key {
        path: "search.index",
        form: "true or false",
        unit: "yes or no",
        help: "Index the words of messages in the background, so that a search reads only messages that may hold\nwhat is looked for. Off, every search reads all; what it finds is the same.",
        reloads: false,
        read: |c, v| v.boolean().map(|on| c.search.index = on),
        write: |c| c.search.index.to_string(),
    },
    Key {
        path: "dns.servers",
        form: "list of \"address\" or \"address:port\", or \"system\"",
        unit: "IP address and port (53 if none is given)",
        help: "Recursive resolvers to ask. \"system\" takes those of /etc/resolv.conf. A resolver on this host is best:\nit is fast, nobody reads along, and it hands on what DNSSEC needs. See docs/dns.md.",
        reloads: false,
        read: |c, v| v.servers().map(|s| c.dns.servers = s),
        write: |c| quoted_servers(&c.dns.servers),
    },
    Key {
        path: "dns.dnssec",
        form: "true or false",
        unit: "yes or no",
        help: "Check every answer by DNSSEC, from the root's keys down. Off, forged answers are believed and DANE is\nnot used: only for networks whose resolvers take the signatures out.",
        reloads: false,
        read: |c, v| v.boolean().map(|on| c.dns.dnssec = on),
        write: |c| c.dns.dnssec.to_string(),
    },
    Key {
        path: "dns.trust_anchor",
        form: "path, or \"root\"",
        unit: "file of DNSKEY records",
        help: "Keys that DNSSEC starts from. \"root\" are the root's own, built in. Another file is for networks with\na root of their own. A relative path starts in the data directory.",
        reloads: false,
        read: |c, v| v.path_or("root").map(|p| c.dns.trust_anchor = p),
        write: |c| c.dns.trust_anchor.as_ref().map_or_else(|| quoted("root"), |p| quoted_path(p)),
    },
    Key {
        path: "dns.timeout",
        form: "1 to 20",
        unit: "seconds",
        help: "Wait for a resolver's answer before the question is asked anew.",
        reloads: false,
        read: |c, v| v.count(1, 20).map(|n| c.dns.timeout = n),
        write: |c| c.dns.timeout.to_string(),
    },
    Key {
        path: "dns.cache",
        form: "0 to 1000000",
        unit: "answers",
        help: "Answers kept in memory, some 500 bytes each. 0 keeps none.",
        reloads: false,
        read: |c, v| v.count(0, DNS_CACHE_CONFIG_MAX).map(|n| c.dns.cache = n),
        write: |c| c.dns.cache.to_string(),
    },
    Key {
        path: "log.level",
        form: "\"debug\", \"info\", \"warn\" or \"alert\"",
        unit: "level",
        help: "Least important events that are written. \"info\" has a line for every message and login.",
        reloads: true,
        read: |c, v| v.level().map(|l| c.log.level = l),
        write: |c| quoted(c.log.level.name()),
    },
    Key {
        path: "log.file",
        form: "path, or \"stderr\"",
        unit: "file",
        help: "Where events go. \"stderr\" is the journal under systemd. A relative path starts in the data\ndirectory; the file is opened anew on SIGHUP, so logrotate may move it.",
        reloads: false,
        read: |c, v| v.path_or("stderr").map(|p| c.log.file = p),
        write: |c| c.log.file.as_ref().map_or_else(|| quoted("stderr"), |p| quoted_path(p)),
    },
];
