//! Operating system privileges.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
