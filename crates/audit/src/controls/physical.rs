//! Physical security.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
