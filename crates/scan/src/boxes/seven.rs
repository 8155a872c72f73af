use crate::holder::Holder;use crate::meter::Meter; use bytes::Bytes; pub(super) fn open(_: &Bytes, _: usize, _: &mut Meter<'_>) -> Option<Box<dyn Holder>> { None }
