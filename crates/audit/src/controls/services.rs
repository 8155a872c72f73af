//! Service control.

mod doors;

pub(super) use doors::{DOORS, forgets_what_was_clear};

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
