//! Encryption and digital signature.

mod demanded;
mod doors;
mod forwarded;
mod host;
mod injection;

pub(super) use demanded::DEMANDED;
pub(super) use doors::DOORS;
pub(super) use forwarded::FORWARDED;
pub(super) use host::HOST;
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) const CONTROLS: &[Control] = &[];
