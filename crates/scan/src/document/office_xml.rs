//! Documents of Office in one XML file: Word and Excel 2003, flat packages, flat OpenDocument.

use super::xml::{self, Piece};
use super::{Look, open_document, package};
use crate::bytes::holds;
use crate::contents::{Trait, Wrapping};
use mailward_message::decode;

pub(super) fn look(bytes: &[u8], look: &mut Look<'_>) {
    package::read(bytes, &mut package::Signs::default(), look);
    let xml = xml::utf8(bytes);
    if holds(&xml, b"opendocument") {
        let mut state = open_document::State::default();
        open_document::read(&xml, true, &mut state, look);
        state.finish(look);
    }
    let mut name = None;
    let mut is_data = false;
    for piece in xml::pieces(&xml) {
        match piece {
            Piece::Tag(tag) => {
                is_data =
                    !tag.closes && matches!(tag.name, b"binData" | b"binaryData" | b"docOleData" | b"binary-data");
                if tag.name == b"docOleData" || tag.name == b"docSuppData" {
                    look.remark(Trait::Object);
                }
                if !tag.closes && matches!(tag.name, b"binData" | b"part") {
                    name = tag.attribute("name").map(|name| super::base_name(&name));
                }
            }
            Piece::Text(raw) if is_data => {
                let bytes = decode::base64(raw);
                look.count(bytes.len());
                look.inner(name.take().into_iter().collect(), bytes, Wrapping::Inline);
            }
            Piece::Text(_) => {}
        }
    }
}
