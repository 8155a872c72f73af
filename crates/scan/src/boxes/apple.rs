use crate::holder::Holder; use bytes::Bytes; pub(super) fn open(_: &Bytes) -> Option<Box<dyn Holder>> { None }
