//! One FETCH item of one message.

use super::binary;
use super::fetch::Described;
use super::io::Io;
use super::reply::Stop;
use super::section::{Source, locate, write_name, write_value};
use crate::command::FetchItem;
use crate::respond;
use mailward_message::{Section, Structure, preview};
use mailward_store::records::{Blob, MessageRecord};

/// A message about to be told, with what its items need.
pub(super) struct Message<'a> {
    pub(super) row: &'a MessageRecord,
    pub(super) blob: Option<&'a Blob>,
    pub(super) described: Option<&'a Described<'a>>,
    pub(super) keywords: &'a [String],
    pub(super) source: Source<'a>,
}

impl Message<'_> {
    pub(super) fn structure(&self) -> Option<&Structure> {
        self.described?.structure()
    }
}

pub(super) async fn write_item(io: &mut Io, message: &Message<'_>, item: &FetchItem) -> Result<(), Stop> {
    let (row, source) = (message.row, &message.source);
    let out = &mut io.out;
    match item {
        FetchItem::Flags => {
            out.extend_from_slice(b"FLAGS ");
            respond::flags(out, row.flags, row.keywords, message.keywords);
        }
        FetchItem::Uid => {
            out.extend_from_slice(b"UID ");
            respond::number(out, row.uid.0.into());
        }
        FetchItem::InternalDate => {
            out.extend_from_slice(b"INTERNALDATE ");
            respond::internal_date(out, row.internal_date);
        }
        FetchItem::SaveDate => {
            out.extend_from_slice(b"SAVEDATE ");
            respond::internal_date(out, row.saved_date);
        }
        FetchItem::Rfc822Size => {
            out.extend_from_slice(b"RFC822.SIZE ");
            respond::number(out, row.size);
        }
        FetchItem::ModSeq => {
            out.extend_from_slice(b"MODSEQ (");
            respond::number(out, row.mod_seq.0);
            out.push(b')');
        }
        FetchItem::EmailId => {
            let id = message.blob.map(|blob| respond::email_id(&blob.hash)).unwrap_or_default();
            out.extend_from_slice(b"EMAILID (");
            out.extend_from_slice(id.as_bytes());
            out.push(b')');
        }
        // RFC 8474 §5.2: a server that doesn't thread says so.
        FetchItem::ThreadId => out.extend_from_slice(b"THREADID NIL"),
        FetchItem::Envelope => {
            if let Some(described) = message.described {
                out.extend_from_slice(b"ENVELOPE ");
                described.write_envelope(out);
            }
        }
        FetchItem::Body | FetchItem::BodyStructure => {
            if let Some(structure) = message.structure() {
                let extended = *item == FetchItem::BodyStructure;
                out.extend_from_slice(if extended { b"BODYSTRUCTURE " } else { b"BODY " });
                respond::body_structure(out, structure, extended);
            }
        }
        FetchItem::Rfc822 => {
            out.extend_from_slice(b"RFC822 ");
            source.write(io, 0..row.size).await?;
        }
        FetchItem::Rfc822Header | FetchItem::Rfc822Text => {
            let header = *item == FetchItem::Rfc822Header;
            out.extend_from_slice(if header { b"RFC822.HEADER " } else { b"RFC822.TEXT " });
            let section = if header { Section::Header } else { Section::Text };
            let range = message.structure().and_then(|s| s.section(&[], section)).unwrap_or(0..0);
            source.write(io, range).await?;
        }
        FetchItem::Section(section) => {
            write_name(out, "BODY", section);
            let meant = locate(message.structure(), row.size, section);
            write_value(io, source, meant, section).await?;
        }
        FetchItem::Binary(section) => binary::write(io, message, section).await?,
        FetchItem::BinarySize(path) => binary::write_size(io, message, path).await?,
        FetchItem::Preview => {
            out.extend_from_slice(b"PREVIEW ");
            let text = preview_of(message).await?;
            respond::string(&mut io.out, text.as_bytes());
        }
    }
    io.spill().await?;
    Ok(())
}

/// RFC 8970: of the first part that has words.
async fn preview_of(message: &Message<'_>) -> Result<String, Stop> {
    let Some(structure) = message.structure() else { return Ok(String::new()) };
    for part in preview::candidates(structure) {
        let body = message.source.read(preview::range(part)).await?;
        let text = preview::of_part(&body, part);
        if !text.is_empty() {
            return Ok(text);
        }
    }
    Ok(String::new())
}
