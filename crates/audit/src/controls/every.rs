//! What every area is asked (Who and Why).

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
