//! Keys of limits that an administrator may move.

use super::Key;
use crate::config::value::{quoted, write_size};
use crate::limits::{
    CONNECTIONS_CONFIG_MAX, MESSAGE_SIZE_CONFIG_MAX, MESSAGE_SIZE_CONFIG_MIN, SMTP_RECIPIENTS_CONFIG_MAX,
    SMTP_RECIPIENTS_CONFIG_MIN,
};

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

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
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
        connections_per_network,
        "connections",
        (1, CONNECTIONS_CONFIG_MAX),
        "1 to 100000",
        "Connections open at once from one IPv4 /24 or one IPv6 /48, so that no neighbourhood takes all places.\nThis host itself isn't counted. Raise it where many users come from one network of public addresses."
    ),
    count!(
        sessions_per_account,
        "sessions",
        (1, 10_000),
        "1 to 10000",
        "IMAP and POP3 sessions of one account at once, all its devices together."
    ),
];
