//! Hot fixes and security patches.

mod host;
mod support;

use crate::control::Control;

pub(super) use host::HOST;

pub(super) const CONTROLS: &[Control] = &[];
