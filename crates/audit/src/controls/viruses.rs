//! Server virus scanning.

mod host;
mod injection;
mod released;

pub(super) use injection::INJECTION;
pub(super) use released::RELEASED;

use crate::control::Control;

pub(super) use host::{HOST, has_network, status_lines};

pub(super) const CONTROLS: &[Control] = &[];
