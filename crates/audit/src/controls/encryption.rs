//! Encryption and digital signature.

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
