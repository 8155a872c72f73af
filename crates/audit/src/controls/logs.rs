//! Auditing of logs.

mod host;
mod injection;

pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) use host::HOST;

pub(super) const CONTROLS: &[Control] = &[];
