//! Encryption and digital signature.

mod doors;

pub(super) use doors::DOORS;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
