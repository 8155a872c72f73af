//! Service control.

mod doors;

pub(super) use doors::{DOORS, forgets_what_was_clear};
mod host;

use crate::control::Control;

pub(super) use host::{HOST, expected};

pub(super) const CONTROLS: &[Control] = &[];
