//! Service control.

mod doors;
mod injection;
mod sent;
mod web;
mod wide;

pub(super) use doors::DOORS;
mod host;
pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) use host::{HOST, expected};
pub(super) use sent::{SENT, message};
pub(super) use web::WEB;
pub(super) use wide::WIDE_ALIASES;

pub(super) const CONTROLS: &[Control] = &[];
