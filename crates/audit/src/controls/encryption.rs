//! Encryption and digital signature.

mod doors;

pub(super) use doors::{DOORS, good_ciphers, good_versions};

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
