//! Service control.

mod host;

use crate::control::Control;

pub(super) use host::{HOST, expected};

pub(super) const CONTROLS: &[Control] = &[];
