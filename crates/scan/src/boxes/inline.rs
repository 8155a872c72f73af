use crate::holder::Holder;use crate::meter::Meter; use bytes::Bytes; pub(super) fn files(_: &Bytes, _: &mut Meter<'_>) -> Option<Box<dyn Holder>> { None }
