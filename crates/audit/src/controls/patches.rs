//! Hot fixes and security patches.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
