//! Bytes of messages: which ones a FETCH item means, and their way to the client in pieces.

use super::io::Io;
use super::reply::Stop;
use crate::command::{BodySection, FetchItem, SectionText};
use crate::respond;
use bytes::Bytes;
use mailward_core::BlobId;
use mailward_core::limits::WRITE_BUFFER_MAX;
use mailward_message::{Section, Structure, header};
use mailward_store::records::Blob;
use mailward_store::{MailStore, StoreError};
use std::ops::Range;

/// Bytes of a message that are read at once: half the write buffer, so that replies and a piece fit it.
const PIECE: u64 = (WRITE_BUFFER_MAX / 2) as u64;

/// What an item stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// There is no such part.
    Nothing,
    /// Bytes of the message as they stand.
    Range(Range<u64>),
    /// Fields picked from a header.
    Fields(Range<u64>),
}

/// Whether an item needs [`Structure`].
pub(super) fn needs_structure(item: &FetchItem) -> bool {
    match item {
        FetchItem::Envelope
        | FetchItem::Body
        | FetchItem::BodyStructure
        | FetchItem::Rfc822Header
        | FetchItem::Rfc822Text => true,
        FetchItem::Section(section) => !section.path.is_empty() || section.text != SectionText::All,
        _ => false,
    }
}

/// Whether an item sets `\Seen`.
pub(super) const fn sets_seen(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
        FetchItem::Section(section) => !section.peek,
        _ => false,
    }
}

/// What a section of a message means. Without a structure only the whole can be meant.
pub(super) fn locate(structure: Option<&Structure>, size: u64, section: &BodySection) -> Meant {
    let Some(structure) = structure else { return Meant::Range(0..size) };
    let range = |kind| structure.section(&section.path, kind);
    let found = match &section.text {
        SectionText::All => range(Section::Whole),
        SectionText::Header => range(Section::Header),
        SectionText::Text => range(Section::Text),
        SectionText::Mime => range(Section::Mime),
        SectionText::Fields { .. } => return range(Section::Header).map_or(Meant::Nothing, Meant::Fields),
    };
    found.map_or(Meant::Nothing, Meant::Range)
}

/// `BODY[1.HEADER.FIELDS (DATE)]<0>` with a space after it.
pub(super) fn write_name(out: &mut Vec<u8>, section: &BodySection) {
    out.extend_from_slice(b"BODY[");
    for (index, number) in section.path.iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        respond::number(out, (*number).into());
    }
    if !section.path.is_empty() && section.text != SectionText::All {
        out.push(b'.');
    }
    match &section.text {
        SectionText::All => {}
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
        SectionText::Fields { names, negate } => {
            out.extend_from_slice(if *negate { b"HEADER.FIELDS.NOT (" } else { b"HEADER.FIELDS (" });
            for (index, name) in names.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                if !name.is_empty() && name.bytes().all(crate::parse::is_atom_char) {
                    out.extend_from_slice(name.as_bytes());
                } else {
                    respond::string(out, name.as_bytes());
                }
            }
            out.push(b')');
        }
    }
    out.push(b']');
    if let Some((first, _)) = section.partial {
        out.push(b'<');
        respond::number(out, first);
        out.push(b'>');
    }
    out.push(b' ');
}

/// A section's value: NIL or a literal, streamed.
pub(super) async fn write_value(
    io: &mut Io,
    store: &dyn MailStore,
    blob: BlobId,
    meant: Meant,
    section: &BodySection,
) -> Result<(), Stop> {
    match (meant, &section.text) {
        (Meant::Nothing, _) => io.out.extend_from_slice(b"NIL"),
        (Meant::Range(range), _) => write_range(io, store, blob, partial(range, section.partial)).await?,
        (Meant::Fields(range), SectionText::Fields { names, negate }) => {
            let bytes = store.read(blob, range.start, range.end).await?;
            let chosen = header::select(&bytes, names, *negate);
            let part = partial(0..u64::try_from(chosen.len()).unwrap_or(0), section.partial);
            let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let chosen = chosen.get(at(part.start)..at(part.end)).unwrap_or_default();
            respond::literal_start(&mut io.out, u64::try_from(chosen.len()).unwrap_or(0));
            for piece in chosen.chunks(WRITE_BUFFER_MAX / 2) {
                io.spill().await?;
                io.out.extend_from_slice(piece);
            }
        }
        (Meant::Fields(_), _) => io.out.extend_from_slice(b"NIL"),
    }
    Ok(())
}

/// `<first.count>` of a range, cut at its end.
fn partial(range: Range<u64>, partial: Option<(u64, u64)>) -> Range<u64> {
    let Some((first, count)) = partial else { return range };
    let start = range.start.saturating_add(first).min(range.end);
    start..start.saturating_add(count).min(range.end)
}

/// Bytes of a message as a literal, a piece at a time: the client's reading sets the pace.
pub(super) async fn write_range(
    io: &mut Io,
    store: &dyn MailStore,
    blob: BlobId,
    range: Range<u64>,
) -> Result<(), Stop> {
    // The first piece before the size: a message that can't be read is refused while that can be said.
    let mut at = range.start;
    let mut piece = read_piece(store, blob, at, range.end).await?;
    respond::literal_start(&mut io.out, range.end.saturating_sub(range.start));
    loop {
        io.spill().await?;
        io.out.extend_from_slice(&piece);
        at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(0));
        if at >= range.end {
            return Ok(());
        }
        // A literal can't be taken back: the session ends rather than pass off half a message as whole.
        piece = match read_piece(store, blob, at, range.end).await {
            Ok(piece) => piece,
            Err(_) => return Err(super::io::End::Gone.into()),
        };
    }
}

async fn read_piece(store: &dyn MailStore, blob: BlobId, start: u64, end: u64) -> Result<Bytes, StoreError> {
    let upto = end.min(start.saturating_add(PIECE));
    if start >= upto {
        return Ok(Bytes::new());
    }
    let piece = store.read(blob, start, upto).await?;
    if piece.is_empty() { Err(StoreError::Damaged("a message ends early".to_owned())) } else { Ok(piece) }
}

/// The structure as it was made at delivery, or, if it was made by another version, anew.
pub(super) async fn structure_of(store: &dyn MailStore, blob: &Blob) -> Result<Structure, StoreError> {
    match Structure::from_bytes(&blob.structure) {
        Ok(structure) => Ok(structure),
        Err(_) => {
            let bytes = store.read(blob.id, 0, blob.size).await?;
            let parsed = tokio::task::spawn_blocking(move || Structure::parse(&bytes)).await;
            parsed.map_err(|_| StoreError::Damaged("a message's structure".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_end_where_the_section_does() {
        assert_eq!(partial(10..20, Some((0, 5))), 10..15);
        assert_eq!(partial(10..20, Some((5, 100))), 15..20);
        assert_eq!(partial(10..20, Some((50, 5))), 20..20);
        assert_eq!(partial(10..20, Some((u64::MAX, u64::MAX))), 20..20);
    }
}
