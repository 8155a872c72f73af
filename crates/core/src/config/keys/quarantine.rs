//! Keys of the quarantine.

use super::Key;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[Key {
    path: "quarantine.days",
    form: "integer",
    unit: "days, 1 to 365",
    help: "How long messages are kept that were taken and that nobody sees. See docs/quarantine.md.",
    reloads: true,
    read: |c, v| v.count(1, 365).map(|days| c.quarantine.days = days),
    write: |c| c.quarantine.days.to_string(),
}];
