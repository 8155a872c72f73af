//! Protection from denial of service.

mod doors;
mod injection;

pub(super) use doors::{DOORS, counts_connections};
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
