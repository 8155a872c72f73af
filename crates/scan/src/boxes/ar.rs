use crate::holder::Holder; use bytes::Bytes; pub(super) fn open(_: &Bytes, _: usize) -> Option<Box<dyn Holder>> { None }
