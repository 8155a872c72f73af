//! Keys of the quarantine.

use super::{Key, name_of, one_of};
use crate::config::value::{quoted, quoted_texts};
use crate::config::{DigestPace, KeptClass};

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "quarantine.days",
        form: "integer",
        unit: "days, 1 to 365",
        help: "How long messages are kept that were taken and that nobody sees. See docs/quarantine.md.",
        reloads: true,
        read: |c, v| v.count(1, 365).map(|days| c.quarantine.days = days),
        write: |c| c.quarantine.days.to_string(),
    },
    Key {
        path: "quarantine.alert",
        form: "boolean",
        unit: "whether you hear of it",
        help: "Whether you are alerted when a message is kept for a virus, an attachment or as ambiguous, never for spam,\nand when one is refused for a virus.",
        reloads: true,
        read: |c, v| v.boolean().map(|alert| c.quarantine.alert = alert),
        write: |c| c.quarantine.alert.to_string(),
    },
    Key {
        path: "quarantine.digest",
        form: "\"never\", \"daily\" or \"weekly\"",
        unit: "how often",
        help: "Mail to each user for whom something new is kept that they may release, with links to look at it, release\nit or have it removed. It wants `web.origin` and a door for pages. Weekly is each Monday.",
        reloads: true,
        read: |c, v| one_of(v, &DigestPace::NAMES).map(|pace| c.quarantine.digest = pace),
        write: |c| quoted(name_of(&DigestPace::NAMES, c.quarantine.digest)),
    },
    Key {
        path: "quarantine.administrator_digest",
        form: "\"never\", \"daily\" or \"weekly\"",
        unit: "how often",
        help: "Mail to those whom `alerts.mail` names, with all that is kept and that they weren't told of, without links.",
        reloads: true,
        read: |c, v| one_of(v, &DigestPace::NAMES).map(|pace| c.quarantine.administrator_digest = pace),
        write: |c| quoted(name_of(&DigestPace::NAMES, c.quarantine.administrator_digest)),
    },
    Key {
        path: "quarantine.digest_hour",
        form: "integer",
        unit: "hour of the day, UTC, 0 to 23",
        help: "When digests go out. A server that was down then sends them when it starts.",
        reloads: true,
        read: |c, v| v.count(0, 23).map(|hour| c.quarantine.digest_hour = hour),
        write: |c| c.quarantine.digest_hour.to_string(),
    },
    Key {
        path: "quarantine.users_release",
        form: "list of \"spam\", \"attachments\", \"structure\" and \"content\", or \"none\"",
        unit: "why something is kept",
        help: "What users are told of and may release: messages that are kept for nothing else. Viruses, forged senders,\nwhat waits for approval and what you took out of mailboxes are never among them.",
        reloads: true,
        read: |c, v| {
            let what = "reasons such as [\"spam\"]";
            v.each(what, KeptClass::ALL.len(), KeptClass::parse).map(|all| c.quarantine.users_release = all)
        },
        write: |c| quoted_texts(&c.quarantine.users_release),
    },
];
