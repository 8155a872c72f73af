//! Encryption and digital signature.

mod doors;
mod host;

pub(super) use doors::{DOORS, good_ciphers, good_versions};
pub(super) use host::HOST;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
