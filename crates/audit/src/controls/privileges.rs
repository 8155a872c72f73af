//! Operating system privileges.

mod host;

use crate::control::Control;

pub(super) use host::HOST;

pub(super) const CONTROLS: &[Control] = &[];
