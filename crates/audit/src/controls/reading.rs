//! Secure POP3 and IMAP.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
