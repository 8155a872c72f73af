//! Protection from denial of service.

mod doors;
mod injection;

pub(super) use doors::{DOORS, counts_connections};
mod host;
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) use host::HOST;

pub(super) const CONTROLS: &[Control] = &[];
