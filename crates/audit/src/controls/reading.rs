//! Secure POP3 and IMAP.

mod doors;

pub(super) use doors::DOORS;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
