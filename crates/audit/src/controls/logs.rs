//! Auditing of logs.

mod host;
mod injection;
mod shipped;
mod span;

pub(super) use injection::INJECTION;

use crate::control::Control;

pub(super) use host::HOST;
pub(super) use shipped::SHIPPED;
pub(crate) use shipped::{rsyslog, syslog_ng};
pub(super) use span::SPAN;
pub(crate) use span::{first_time, head_time};

pub(super) const CONTROLS: &[Control] = &[];
