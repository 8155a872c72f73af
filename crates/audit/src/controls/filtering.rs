//! Mail filtering.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
