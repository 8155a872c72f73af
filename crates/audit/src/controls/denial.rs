//! Protection from denial of service.

mod doors;
mod injection;
mod slow;

pub(super) use doors::{DOORS, counts_connections};
mod host;
pub(super) use injection::INJECTION;
pub(super) use slow::SLOW_ONES;

use crate::control::Control;

pub(super) use host::HOST;

pub(super) const CONTROLS: &[Control] = &[];
