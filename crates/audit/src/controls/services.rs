//! Service control.

mod doors;
mod injection;

pub(super) use doors::{DOORS, forgets_what_was_clear};
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
