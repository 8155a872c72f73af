//! Network security.

mod host;
mod outside;

use crate::control::Control;

pub(super) use host::{HOST, Wanted, is_ours, kernel, our_processes, shown};
pub(super) use outside::OUTSIDE;

pub(super) const CONTROLS: &[Control] = &[];
