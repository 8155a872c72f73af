//! Operating system access control.

mod host;
pub(crate) mod ssh;

use crate::control::Control;

pub(super) use host::{HOST, shell_timeout};

pub(super) const CONTROLS: &[Control] = &[];
