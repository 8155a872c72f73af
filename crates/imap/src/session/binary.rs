//! BINARY and BINARY.SIZE (RFC 3516): parts with their transfer encoding undone.

use super::io::Io;
use super::item::Message;
use super::reply::{Done, Stop};
use super::section::{partial, write_name};
use crate::command::BodySection;
use crate::respond;
use bytes::Bytes;
use mailward_core::limits::{BLOCKING_PREPARE_BYTES, WRITE_BUFFER_MAX};
use mailward_message::{Part, decode};
use tokio::sync::OwnedSemaphorePermit;

/// A part decoded, with the right to hold it in memory.
struct Decoded {
    bytes: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
}

/// `BINARY[1.2]<0> …`
pub(super) async fn write(io: &mut Io, message: &Message<'_>, section: &BodySection) -> Result<(), Stop> {
    let decoded = decoded(message, &section.path).await?;
    write_name(&mut io.out, "BINARY", section);
    let Some(decoded) = decoded else {
        io.out.extend_from_slice(b"NIL");
        return Ok(());
    };
    let range = partial(0..decoded.bytes.len() as u64, section.partial);
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let bytes = decoded.bytes.get(at(range.start)..at(range.end)).unwrap_or_default();
    if memchr::memchr(0, bytes).is_some() {
        io.out.push(b'~');
    }
    respond::literal_start(&mut io.out, bytes.len() as u64);
    for piece in bytes.chunks(WRITE_BUFFER_MAX / 2) {
        io.spill().await?;
        io.out.extend_from_slice(piece);
    }
    Ok(())
}

/// `BINARY.SIZE[1.2] 4197`
pub(super) async fn write_size(io: &mut Io, message: &Message<'_>, path: &[u32]) -> Result<(), Stop> {
    let size = decoded(message, path).await?.map_or(0, |decoded| decoded.bytes.len() as u64);
    let section =
        BodySection { peek: true, path: path.to_vec(), text: crate::command::SectionText::All, partial: None };
    write_name(&mut io.out, "BINARY.SIZE", &section);
    respond::number(&mut io.out, size);
    Ok(())
}

/// `None`: there is no such part.
async fn decoded(message: &Message<'_>, path: &[u32]) -> Result<Option<Decoded>, Stop> {
    let Some(structure) = message.structure() else { return Ok(None) };
    if path.is_empty() {
        // The whole message has no transfer encoding of its own.
        return plain(message, 0..message.row.size).await.map(Some);
    }
    let Some(part) = structure.part(path) else { return Ok(None) };
    let encoded = match part.encoding.as_str() {
        "7bit" | "8bit" | "binary" => false,
        "base64" | "quoted-printable" => true,
        // RFC 3516 §4.3: what can't be decoded is said, not served as it stands.
        _ => return Err(Done::no("[UNKNOWN-CTE] a part is in an encoding that isn't known here").into()),
    };
    // Parts that hold parts are not encoded themselves (RFC 2045 §6.4).
    if !encoded || part.is_multipart() || part.is_message() {
        return plain(message, part.body.clone()).await.map(Some);
    }
    let held = plain(message, part.body.clone()).await?;
    let mut part: Part = part.clone();
    part.body = 0..held.bytes.len() as u64;
    let undo = move || Bytes::from(decode::part_bytes(&held.bytes, &part).into_owned());
    let size = message.row.size;
    let bytes = if size < BLOCKING_PREPARE_BYTES as u64 {
        undo()
    } else {
        let undone = tokio::task::spawn_blocking(undo).await;
        undone.map_err(|_| Done::no("[SERVERBUG] a part can't be decoded"))?
    };
    let _memory = message.source.memory_for(bytes.len() as u64).await?;
    Ok(Some(Decoded { bytes, _memory }))
}

async fn plain(message: &Message<'_>, range: std::ops::Range<u64>) -> Result<Decoded, Stop> {
    let _memory = message.source.memory_for(range.end.saturating_sub(range.start)).await?;
    Ok(Decoded { bytes: message.source.read(range).await?, _memory })
}
