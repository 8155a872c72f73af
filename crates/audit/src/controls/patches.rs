//! Hot fixes and security patches.

mod firmware;
mod host;
mod support;

use crate::control::Control;

pub(super) use firmware::FIRMWARE;
pub(crate) use firmware::outdated;
pub(super) use host::HOST;

pub(super) const CONTROLS: &[Control] = &[];
