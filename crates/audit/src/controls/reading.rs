//! Secure POP3 and IMAP.

mod doors;
mod injection;
mod others;

pub(super) use doors::DOORS;
pub(super) use injection::INJECTION;
pub(super) use others::OTHERS;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
