//! Service control.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
