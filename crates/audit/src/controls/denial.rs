//! Protection from denial of service.

mod doors;

pub(super) use doors::{DOORS, counts_connections};
mod host;

use crate::control::Control;

pub(super) use host::HOST;

pub(super) const CONTROLS: &[Control] = &[];
