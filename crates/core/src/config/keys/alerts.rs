//! Keys of alerts, and of the firewall's part in bans.

use super::Key;
use crate::config::AlertMail;
use crate::config::value::{quoted, quoted_path, quoted_texts};

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "alerts.mail",
        form: "\"postmaster\", list of addresses such as [\"admin@example.org\"], or \"off\"",
        unit: "mail addresses",
        help: "Who gets mail when you must act. It comes also where the mailbox is full; when this server is ill it\nmay not come at all: have one of the other ways too. See docs/alerts.md.",
        reloads: false,
        read: |c, v| v.alert_mail().map(|mail| c.alerts.mail = mail),
        write: |c| match &c.alerts.mail {
            AlertMail::Off => quoted("off"),
            AlertMail::Postmaster => quoted("postmaster"),
            AlertMail::To(all) => quoted_texts(all),
        },
    },
    Key {
        path: "alerts.webhook",
        form: "\"https://host/path\", or \"off\"",
        unit: "URL",
        help: "Where alerts are posted as JSON, such as a chat's incoming webhook or a pager's. Its path is kept out of\nthe log.",
        reloads: false,
        read: |c, v| v.webhook().map(|webhook| c.alerts.webhook = webhook),
        write: |c| c.alerts.webhook.as_ref().map_or_else(|| quoted("off"), |webhook| quoted(&webhook.written())),
    },
    Key {
        path: "alerts.webhook_private",
        form: "true or false",
        unit: "yes or no",
        help: "Whether that host may have an address of this host or of a network of your own.",
        reloads: false,
        read: |c, v| v.boolean().map(|on| c.alerts.webhook_private = on),
        write: |c| c.alerts.webhook_private.to_string(),
    },
    Key {
        path: "alerts.webhook_secret_file",
        form: "path, or \"none\"",
        unit: "file",
        help: "A secret of 16 bytes or more that only the server's user reads: with it what is posted is signed, by\nHMAC-SHA256, in the field Mailward-Signature. A relative path starts in the data directory.",
        reloads: false,
        read: |c, v| v.path_or("none").map(|path| c.alerts.webhook_secret_file = path),
        write: |c| c.alerts.webhook_secret_file.as_ref().map_or_else(|| quoted("none"), |path| quoted_path(path)),
    },
    Key {
        path: "alerts.syslog",
        form: "path of its socket such as \"/dev/log\", or \"off\"",
        unit: "Unix datagram socket",
        help: "Where alerts are written to the system's log (RFC 5424, facility mail).",
        reloads: false,
        read: |c, v| v.path_or("off").map(|path| c.alerts.syslog = path),
        write: |c| c.alerts.syslog.as_ref().map_or_else(|| quoted("off"), |path| quoted_path(path)),
    },
    Key {
        path: "alerts.command",
        form: "list such as [\"/usr/local/bin/page-me\", \"--now\"], or \"off\"",
        unit: "program and its words",
        help: "A program that gets each message of alerts as JSON on its standard input. The supervisor runs it, a\nprocess beside the server: no shell, no environment, nothing of the alert among its words, 20 seconds.",
        reloads: false,
        read: |c, v| v.command().map(|command| c.alerts.command = command),
        write: |c| if c.alerts.command.is_empty() { quoted("off") } else { quoted_texts(&c.alerts.command) },
    },
    Key {
        path: "alerts.command_user",
        form: "name, or \"\" for the server's own",
        unit: "system user",
        help: "Who runs it. Another than the server's wants a server that is started as root.",
        reloads: false,
        read: |c, v| v.user().map(|user| c.alerts.command_user = user),
        write: |c| quoted(&c.alerts.command_user),
    },
    Key {
        path: "bans.firewall",
        form: "true or false",
        unit: "yes or no",
        help: "Keep banned networks in the host's firewall too (nftables, table inet mailward), so that nothing of theirs\nreaches this server's ports. The supervisor does it, as root or with CAP_NET_ADMIN. See docs/alerts.md.",
        reloads: false,
        read: |c, v| v.boolean().map(|on| c.bans.firewall = on),
        write: |c| c.bans.firewall.to_string(),
    },
];
