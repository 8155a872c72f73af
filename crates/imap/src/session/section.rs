//! Bytes of messages: which ones a FETCH item means, and their way to the client in pieces.

use super::io::{End, Io};
use super::reply::{Done, Stop};
use crate::AppendMemory;
use crate::command::{BodySection, FetchItem, SectionText};
use crate::respond;
use bytes::Bytes;
use mailward_core::BlobId;
use mailward_core::limits::{DATA_GRACE_TIME, WRITE_BUFFER_MAX};
use mailward_message::{Section, Structure, header, preview};
use mailward_store::{MailStore, StoreError};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

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
        | FetchItem::Rfc822Text
        | FetchItem::Binary(_)
        | FetchItem::BinarySize(_)
        | FetchItem::Preview => true,
        FetchItem::Section(section) => !section.path.is_empty() || section.text != SectionText::All,
        _ => false,
    }
}

/// Whether an item needs bytes of the message.
pub(super) const fn needs_bytes(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::Section(_)
            | FetchItem::Binary(_)
            | FetchItem::BinarySize(_)
            | FetchItem::Preview
    )
}

/// Whether an item sets `\Seen`.
pub(super) const fn sets_seen(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
        FetchItem::Section(section) | FetchItem::Binary(section) => !section.peek,
        _ => false,
    }
}

/// The bytes of a message from the first to the last that the items need; `None` if they need none.
pub(super) fn cover(items: &[FetchItem], structure: Option<&Structure>, size: u64) -> Option<Range<u64>> {
    let of_part = |path: &[u32]| match path {
        [] => Some(0..size),
        path => structure?.part(path).map(|part| part.body.clone()),
    };
    let of = |item: &FetchItem| match item {
        FetchItem::Rfc822 => Some(0..size),
        FetchItem::Rfc822Header => structure?.section(&[], Section::Header),
        FetchItem::Rfc822Text => structure?.section(&[], Section::Text),
        FetchItem::Preview => preview::candidates(structure?).first().map(|part| preview::range(part)),
        FetchItem::Binary(section) => of_part(&section.path),
        FetchItem::BinarySize(path) => of_part(path),
        FetchItem::Section(section) => match locate(structure, size, section) {
            Meant::Nothing => None,
            Meant::Range(range) => Some(partial(range, section.partial)),
            Meant::Fields(range) => Some(range),
        },
        _ => None,
    };
    items.iter().filter_map(of).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
}

/// Bytes of a message that were read with others.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl Held {
    fn get(&self, range: &Range<u64>) -> Option<Bytes> {
        let at = |n: u64| usize::try_from(n.checked_sub(self.start)?).ok();
        let (from, to) = (at(range.start)?, at(range.end)?);
        (from <= to && to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}

/// Where the bytes of a message come from.
pub(super) struct Source<'a> {
    pub(super) store: &'a dyn MailStore,
    pub(super) memory: &'a AppendMemory,
    pub(super) blob: BlobId,
    pub(super) held: Option<Held>,
}

impl Source<'_> {
    /// Bytes of the message, all at once.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        if let Some(bytes) = self.held.as_ref().and_then(|held| held.get(&range)) {
            return Ok(bytes);
        }
        let bytes = self.store.read_on(self.blob, range.start, range.end).await?;
        if bytes.len() as u64 == range.end.saturating_sub(range.start) {
            Ok(bytes)
        } else {
            Err(StoreError::Damaged("a message ends early".to_owned()))
        }
    }

    /// The right to hold so many bytes of mail, beside what other sessions hold (`MESSAGE_BYTES_IN_FLIGHT_MAX`). Small
    /// ones need none.
    pub(super) async fn memory_for(&self, bytes: u64) -> Result<Option<OwnedSemaphorePermit>, Stop> {
        if bytes <= WRITE_BUFFER_MAX as u64 {
            return Ok(None);
        }
        let busy = || Stop::from(Done::no("[INUSE] too many large messages are being read; try again later"));
        let permits = u32::try_from(bytes).map_err(|_| busy())?;
        let room = Arc::clone(&self.memory.0).acquire_many_owned(permits);
        match tokio::time::timeout(DATA_GRACE_TIME, room).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(busy()),
        }
    }

    /// Bytes of the message as a literal, a piece at a time: the client's reading sets the pace.
    pub(super) async fn write(&self, io: &mut Io, range: Range<u64>) -> Result<(), Stop> {
        // The first piece before the size: a message that can't be read is refused while that can be said.
        let mut at = range.start;
        let mut piece = self.piece(at, range.end).await?;
        respond::literal_start(&mut io.out, range.end.saturating_sub(range.start));
        loop {
            io.spill().await?;
            io.out.extend_from_slice(&piece);
            at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(0));
            if at >= range.end {
                return Ok(());
            }
            // A literal can't be taken back: the session ends rather than pass off half a message as whole.
            piece = match self.piece(at, range.end).await {
                Ok(piece) => piece,
                Err(_) => return Err(End::Gone.into()),
            };
        }
    }

    async fn piece(&self, start: u64, end: u64) -> Result<Bytes, StoreError> {
        self.read(start..end.min(start.saturating_add(PIECE))).await
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
pub(super) fn write_name(out: &mut Vec<u8>, word: &str, section: &BodySection) {
    out.extend_from_slice(word.as_bytes());
    out.push(b'[');
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
    source: &Source<'_>,
    meant: Meant,
    section: &BodySection,
) -> Result<(), Stop> {
    match (meant, &section.text) {
        (Meant::Nothing, _) => io.out.extend_from_slice(b"NIL"),
        (Meant::Range(range), _) => source.write(io, partial(range, section.partial)).await?,
        (Meant::Fields(range), SectionText::Fields { names, negate }) => {
            let bytes = source.read(range).await?;
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
pub(super) fn partial(range: Range<u64>, partial: Option<(u64, u64)>) -> Range<u64> {
    let Some((first, count)) = partial else { return range };
    let start = range.start.saturating_add(first).min(range.end);
    start..start.saturating_add(count).min(range.end)
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
