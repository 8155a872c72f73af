//! Keys of sending to other servers.

use super::Key;
use crate::config::value::{quoted, quoted_path};

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
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
    Key {
        path: "queue.maildirs",
        form: "path, or \"off\"",
        unit: "directory",
        help: "Directory that Maildirs of routes are below (`mailward route`); it must be there, and the server's user must\nbe able to write it. Off, no route leads to a Maildir. A relative path starts in the data directory.",
        reloads: false,
        read: |c, v| v.path_or("off").map(|p| c.queue.maildirs = p),
        write: |c| c.queue.maildirs.as_ref().map_or_else(|| quoted("off"), |p| quoted_path(p)),
    },
];
