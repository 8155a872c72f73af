//! Auditing of logs.

mod injection;

pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
