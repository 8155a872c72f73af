//! What the sender of a message wants to hear of it (RFC 3461): the same on the wire, in the queue and in reports.

use serde::{Deserialize, Serialize};

/// RET: how much of the message a DSN gives back (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GiveBack {
    /// The whole message.
    Full,
    /// Its header.
    Headers,
}

/// NOTIFY: when the sender wants a DSN (RFC 3461 §4.1). None of the three: NEVER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyOn {
    /// SUCCESS
    pub success: bool,
    /// FAILURE
    pub failure: bool,
    /// DELAY
    pub delay: bool,
}
