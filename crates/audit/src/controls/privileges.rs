//! Operating system privileges.

mod host;
mod roles;

use crate::control::Control;

pub(super) use host::HOST;
pub(super) use roles::ROLES_APART;

pub(super) const CONTROLS: &[Control] = &[];
