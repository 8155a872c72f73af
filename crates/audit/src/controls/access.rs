//! Operating system access control.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
