//! Protection from denial of service.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
