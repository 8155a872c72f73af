//! Secure POP3 and IMAP.

mod doors;
mod injection;

pub(super) use doors::DOORS;
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
