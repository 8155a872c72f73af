//! Keys of logins that fail, and of bans.

use super::Key;
use crate::config::value::quoted_texts;
use crate::limits::BAN_MINUTES_CONFIG_MAX;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "logins.guard",
        form: "true or false",
        unit: "yes or no",
        help: "Slow down logins that fail, ban hosts that guess passwords, and let strange devices try seldom while an\naccount is under attack. See docs/logins.md.",
        reloads: true,
        read: |c, v| v.boolean().map(|on| c.logins.guard = on),
        write: |c| c.logins.guard.to_string(),
    },
    Key {
        path: "bans.time",
        form: "1 to 10080",
        unit: "minutes",
        help: "How long a host is banned the first time. Within a week of that it is 6 times as long, then 36, then 144.",
        reloads: true,
        read: |c, v| v.count(1, BAN_MINUTES_CONFIG_MAX).map(|n| c.bans.time = n),
        write: |c| c.bans.time.to_string(),
    },
    Key {
        path: "bans.never",
        form: "list of networks and accounts, such as [\"192.0.2.0/24\", \"boss@example.org\"], or \"none\"",
        unit: "IP networks and mail addresses",
        help: "Who is never banned by itself: hosts of these networks, and hosts that these accounts logged in from within a\nday. Loopback, `relay.from`, and where your own ssh session comes from when you use `mailward`, never are.",
        reloads: true,
        read: |c, v| v.never().map(|n| c.bans.never = n),
        write: |c| quoted_texts(&c.bans.never),
    },
];
