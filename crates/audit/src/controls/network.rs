//! Network security.

mod host;

use crate::control::Control;

pub(super) use host::{HOST, Wanted, is_ours, kernel, our_processes, shown};

pub(super) const CONTROLS: &[Control] = &[];
