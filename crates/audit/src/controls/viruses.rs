//! Server virus scanning.

mod host;
mod injection;

pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) use host::{HOST, has_network, status_lines};

pub(super) const CONTROLS: &[Control] = &[];
