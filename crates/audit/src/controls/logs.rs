//! Auditing of logs.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
