//! Protection from denial of service.

mod doors;

pub(super) use doors::{DOORS, counts_connections};

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
