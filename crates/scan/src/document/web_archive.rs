//! Pages with what belongs to them in one message (MHTML, RFC 2557), as browsers and Office write them.

use super::{Look, base_name};
use crate::contents::Wrapping;
use mailward_message::{Structure, decode};

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    let structure = Structure::parse(bytes);
    for part in structure.parts().filter(|part| !part.is_multipart()) {
        let content = decode::part_bytes(bytes, part);
        look.count(content.len());
        let names = decode::file_name(part).into_iter().chain(part.location.as_deref().map(base_name)).collect();
        look.inner(names, content.into_owned(), Wrapping::Entry);
    }
}
