//! Keys of address rules.

use super::Key;
use crate::config::value::quoted_texts;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[Key {
    path: "rules.list",
    form: "list of rules such as [\"192.0.2.0/24 refuse\", \"any from @spam.example refuse\"], or \"none\"",
    unit: "rules",
    help: "Who may do what, by address, network, name, listener, sender and recipient; the first that fits decides.\nThose of `mailward rules` are asked before. WHO [at LISTENER] [from PATTERN] [to PATTERN] ACTION: see\ndocs/rules.md.",
    reloads: true,
    read: |c, v| v.rules().map(|list| c.rules.list = list),
    write: |c| quoted_texts(&c.rules.list),
}];
