use super::Opened;use crate::meter::Meter; use bytes::Bytes; pub(super) fn archives(_: &Bytes, _: usize, _: &mut Meter<'_>, _: &mut Opened) { }
