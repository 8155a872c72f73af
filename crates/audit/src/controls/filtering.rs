//! Mail filtering.

mod alike;
mod digest;
mod injection;
mod learning;

pub(super) use alike::ALIKE;
pub(super) use digest::DIGEST;
pub(crate) use digest::linked_host;
pub(super) use injection::INJECTION;
pub(super) use learning::LEARNING;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
