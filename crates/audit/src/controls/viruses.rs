//! Server virus scanning.

mod injection;

pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
