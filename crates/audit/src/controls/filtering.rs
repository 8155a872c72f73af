//! Mail filtering.

mod alike;
mod injection;
mod learning;

pub(super) use alike::ALIKE;
pub(super) use injection::INJECTION;
pub(super) use learning::LEARNING;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
