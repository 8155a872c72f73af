//! Keys of messages that can be read in two ways.

use super::Key;
use crate::config::value::quoted;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[Key {
    path: "structure.ambiguous",
    form: "\"quarantine\", \"mark\" or \"reject\"",
    unit: "action",
    help: "What becomes of mail that mail programs read in two ways so that something can hide from scanners, as no\n\
           honest program writes it; docs/ambiguous-mail.md has the list. Every reading is scanned all the same.",
    reloads: true,
    read: |c, v| v.ambiguous_care().map(|care| c.structure.ambiguous = care),
    write: |c| quoted(c.structure.ambiguous.name()),
}];
