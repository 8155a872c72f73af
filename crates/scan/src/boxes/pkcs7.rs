use crate::holder::Holder; use bytes::Bytes; pub(super) enum Signed {Content(Box<dyn Holder>), Encrypted, Nothing} pub(super) fn open(_: &Bytes) -> Signed { Signed::Nothing }
