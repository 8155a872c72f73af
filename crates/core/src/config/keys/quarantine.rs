//! Keys of the quarantine.

use super::Key;

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
];
