//! Standby mail server.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
