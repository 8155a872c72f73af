//! Mail filtering.

mod alike;
mod injection;

pub(super) use alike::ALIKE;
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
