//! Service control.

mod doors;
mod injection;

pub(super) use doors::DOORS;
mod host;
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) use host::{HOST, expected};

pub(super) const CONTROLS: &[Control] = &[];
