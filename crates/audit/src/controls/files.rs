//! Protection of files.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
