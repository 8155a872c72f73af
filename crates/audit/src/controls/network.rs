//! Network security.

mod host;

use crate::control::Control;

pub(super) use host::{HOST, Wanted, is_ours, kernel, shown};

pub(super) const CONTROLS: &[Control] = &[];
