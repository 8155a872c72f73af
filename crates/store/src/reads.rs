//! Questions to the readers that need more than one statement.

use crate::api::StoreError;
use crate::departed::Departed;
use crate::pack::HEADER_LEN;
use crate::pack::files::PackFiles;
use crate::readers::Reader;
use crate::records::{Blob, Fetched, MailboxRecord, MessageRecord, Metadata, Opened, Rights, UidRange, Wanted};
use crate::rows;
use crate::tx::{int, unsigned};
use bytes::Bytes;
use mailward_core::limits::PAGE_ROWS_MAX;
use mailward_core::{AccountId, BlobId, MailboxId, Uid};
use rusqlite::{Row, params};
use std::collections::HashMap;
use std::ops::Range;

pub(crate) fn with_keywords(reader: &Reader, mut mailbox: MailboxRecord) -> Result<MailboxRecord, StoreError> {
    mailbox.keywords = reader.rows(rows::KEYWORDS, params![mailbox.id.0], |row| row.get(1))?;
    Ok(mailbox)
}

/// All mailboxes of an account: two questions, however many there are.
pub(crate) fn mailboxes(reader: &Reader, account: AccountId) -> Result<Vec<MailboxRecord>, StoreError> {
    let mut mailboxes = reader.rows(rows::MAILBOXES_BY_ACCOUNT, params![account.0], rows::mailbox)?;
    let mut keywords: HashMap<MailboxId, Vec<String>> = HashMap::new();
    reader.each(
        "SELECT k.mailbox, k.name FROM mailboxes m JOIN keywords k ON k.mailbox = m.id
         WHERE m.account = ?1 ORDER BY k.mailbox, k.bit",
        params![account.0],
        |row| {
            keywords.entry(MailboxId(row.get(0)?)).or_default().push(row.get(1)?);
            Ok(true)
        },
    )?;
    for mailbox in &mut mailboxes {
        mailbox.keywords = keywords.remove(&mailbox.id).unwrap_or_default();
    }
    Ok(mailboxes)
}

/// A mailbox and the runs of its UIDs: what lies between the runs that are gone.
pub(crate) fn open(reader: &Reader, mailbox: MailboxId) -> Result<Opened, StoreError> {
    let found = reader.row(rows::MAILBOX_BY_ID, params![mailbox.0], rows::mailbox)?;
    let mailbox = with_keywords(reader, found.ok_or(StoreError::NotFound("mailbox"))?)?;
    let mut uids = Vec::new();
    let mut first = 1u32;
    let mut there = |first: u32, end: u32| {
        if first < end {
            uids.push(UidRange { first: Uid(first), last: Uid(end.saturating_sub(1)) });
        }
    };
    reader.each("SELECT first, last FROM gone WHERE mailbox = ?1 ORDER BY first", params![mailbox.id.0], |row| {
        there(first, row.get(0)?);
        first = row.get::<_, u32>(1)?.saturating_add(1);
        Ok(true)
    })?;
    there(first, mailbox.uid_next.0);
    Ok(Opened { mailbox, uids })
}

/// See `MailStore::messages`.
pub(crate) fn messages(
    reader: &Reader,
    mailbox: MailboxId,
    ranges: &[UidRange],
    limit: usize,
) -> Result<Vec<MessageRecord>, StoreError> {
    let limit = limit.min(PAGE_ROWS_MAX);
    let mut found: Vec<MessageRecord> = Vec::new();
    for range in ranges {
        let left = limit.saturating_sub(found.len());
        if left == 0 {
            break;
        }
        let of = params![mailbox.0, range.first.0, range.last.0, int(left as u64)];
        found.extend(reader.rows(rows::MESSAGES_BY_UID, of, rows::message)?);
    }
    Ok(found)
}

/// See `MailStore::blobs`.
pub(crate) fn blobs(reader: &Reader, blobs: &[BlobId]) -> Result<Vec<Blob>, StoreError> {
    let mut found = Vec::with_capacity(blobs.len());
    for id in blobs {
        found.extend(reader.row("SELECT size, hash, structure FROM blobs WHERE id = ?1", params![id.0], |row| {
            Ok(Blob {
                id: *id,
                size: unsigned(row.get(0)?),
                hash: row.get(1)?,
                structure: Bytes::from(row.get::<_, Vec<u8>>(2)?),
            })
        })?);
    }
    Ok(found)
}

const FETCH: &str = "SELECT m.uid, m.blob, m.size, m.flags, m.keywords, m.mod_seq, m.internal_date, m.saved_date,
     b.hash, b.structure, b.pack, b.place FROM messages m JOIN blobs b ON b.id = m.blob
     WHERE m.mailbox = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid LIMIT ?4";

/// Messages with what is wanted of them; see `MailStore::fetch`.
pub(crate) fn fetch(
    reader: &Reader,
    files: &PackFiles,
    mailbox: MailboxId,
    ranges: &[UidRange],
    wanted: Wanted,
) -> Result<Vec<Fetched>, StoreError> {
    let rows_max = wanted.rows.min(PAGE_ROWS_MAX);
    let (mut found, mut places, mut held) = (Vec::new(), Vec::new(), 0u64);
    let mut full = false;
    for range in ranges {
        let left = rows_max.saturating_sub(found.len());
        if left == 0 || full {
            break;
        }
        let sql = if wanted.blob || wanted.bytes { FETCH } else { rows::MESSAGES_BY_UID };
        reader.each(sql, params![mailbox.0, range.first.0, range.last.0, int(left as u64)], |row| {
            match fetched(row, wanted, held)? {
                // It would make the answer too large: it comes with the next.
                None => full = true,
                Some((fetched, place, size)) => {
                    held = held.saturating_add(size);
                    found.push(fetched);
                    places.extend(place);
                    full = (wanted.blob || wanted.bytes) && held >= wanted.most;
                }
            }
            Ok(!full)
        })?;
    }
    let mut bytes = contents(files, &places)?.into_iter();
    for fetched in &mut found {
        if wanted.bytes && fetched.row.size <= wanted.most {
            fetched.bytes = bytes.next();
        }
    }
    Ok(found)
}

/// Where the content of a message is.
#[derive(Clone, Copy, Debug)]
struct Place {
    pack: u32,
    /// Its first byte.
    at: u64,
    size: u64,
}

/// The bytes of several messages. Those that stand one after the other in a pack, as those of a mailbox that came
/// together do, are read at once.
fn contents(files: &PackFiles, places: &[Place]) -> Result<Vec<Bytes>, StoreError> {
    let mut found = Vec::with_capacity(places.len());
    let follows =
        |a: &Place, b: &Place| a.pack == b.pack && b.at == a.at.saturating_add(a.size).saturating_add(HEADER_LEN);
    for run in places.chunk_by(follows) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let length = last.at.saturating_add(last.size).saturating_sub(first.at);
        let bytes = Bytes::from(files.read(first.pack, first.at, length)?);
        let offset = |n: u64| usize::try_from(n.saturating_sub(first.at)).unwrap_or(usize::MAX);
        found
            .extend(run.iter().map(|place| bytes.slice(offset(place.at)..offset(place.at.saturating_add(place.size)))));
    }
    Ok(found)
}

/// One row, where its bytes are if they are wanted, and how much it adds to the answer; `None` if that would be too much
/// beside what it holds.
fn fetched(row: &Row<'_>, wanted: Wanted, held: u64) -> Result<Option<(Fetched, Option<Place>, u64)>, StoreError> {
    let message = rows::message(row)?;
    let (mut added, mut place) = (0u64, None);
    let mut fetched = Fetched { row: message, blob: None, bytes: None };
    if wanted.bytes {
        let size = fetched.row.size;
        if held > 0 && held.saturating_add(size) > wanted.most {
            return Ok(None);
        }
        if size <= wanted.most {
            place = Some(Place { pack: row.get(10)?, at: unsigned(row.get(11)?).saturating_add(HEADER_LEN), size });
            added = size;
        }
    }
    if wanted.blob {
        let structure = row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?;
        added = added.saturating_add(structure.len() as u64);
        fetched.blob = Some(Blob {
            id: fetched.row.blob,
            size: fetched.row.size,
            hash: row.get(8)?,
            structure: Bytes::copy_from_slice(structure),
        });
    }
    Ok(Some((fetched, place, added)))
}

/// Bytes `start..end` of a message, cut at its end; with `departed` also of one that has just gone.
pub(crate) fn read(
    reader: &Reader,
    files: &PackFiles,
    departed: Option<&Departed>,
    blob: BlobId,
    start: u64,
    end: u64,
) -> Result<Bytes, StoreError> {
    if let Some((pack, place, size)) = place(reader, blob)? {
        return bytes_at(files, pack, place, start, end.min(size));
    }
    let (pack, place, size) =
        departed.and_then(|departed| departed.find(blob)).ok_or(StoreError::NotFound("message"))?;
    match bytes_at(files, pack, place, start, end.min(size)) {
        // Its pack went as well.
        Err(StoreError::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(StoreError::NotFound("message"))
        }
        read => read,
    }
}

/// See `MailStore::read_parts`.
pub(crate) fn read_parts(
    reader: &Reader,
    files: &PackFiles,
    parts: &[(BlobId, Range<u64>)],
    most: u64,
) -> Result<Vec<Option<Bytes>>, StoreError> {
    let (mut found, mut held) = (Vec::with_capacity(parts.len()), 0u64);
    for (blob, range) in parts {
        let Some((pack, at, size)) = place(reader, *blob)? else {
            found.push(None);
            continue;
        };
        let end = range.end.min(size);
        held = held.saturating_add(end.saturating_sub(range.start));
        if held > most && !found.is_empty() {
            break;
        }
        found.push(Some(bytes_at(files, pack, at, range.start, end)?));
    }
    Ok(found)
}

/// Pack, offset and size of a message.
fn place(reader: &Reader, blob: BlobId) -> Result<Option<(u32, u64, u64)>, StoreError> {
    reader.row("SELECT pack, place, size FROM blobs WHERE id = ?1", params![blob.0], |row| {
        Ok((row.get(0)?, unsigned(row.get(1)?), unsigned(row.get(2)?)))
    })
}

fn bytes_at(files: &PackFiles, pack: u32, place: u64, start: u64, end: u64) -> Result<Bytes, StoreError> {
    let at = place.saturating_add(HEADER_LEN).saturating_add(start);
    files.read(pack, at, end.saturating_sub(start)).map(Bytes::from)
}

/// Who else may use a mailbox.
pub(crate) fn rights(reader: &Reader, mailbox: MailboxId) -> Result<Vec<(AccountId, Rights)>, StoreError> {
    reader.rows("SELECT account, rights FROM acl WHERE mailbox = ?1 ORDER BY account", params![mailbox.0], |row| {
        Ok((AccountId(row.get(0)?), Rights(row.get(1)?)))
    })
}

/// Mailboxes of others that an account may use.
pub(crate) fn shared_with(reader: &Reader, account: AccountId) -> Result<Vec<(MailboxRecord, Rights)>, StoreError> {
    let shared = reader
        .rows(rows::MAILBOXES_SHARED, params![account.0], |row| Ok((rows::mailbox(row)?, Rights(row.get(12)?))))?;
    shared.into_iter().map(|(mailbox, rights)| Ok((with_keywords(reader, mailbox)?, rights))).collect()
}

/// Annotations that an account sees.
pub(crate) fn metadata(
    reader: &Reader,
    account: AccountId,
    mailbox: Option<MailboxId>,
) -> Result<Vec<Metadata>, StoreError> {
    reader.rows(
        "SELECT account, entry, value FROM metadata WHERE mailbox = ?1 AND account IN (0, ?2) ORDER BY account, entry",
        params![mailbox.map_or(0, |m| m.0), account.0],
        |row| {
            let whose: i64 = row.get(0)?;
            Ok(Metadata {
                account: (whose != 0).then_some(AccountId(whose)),
                entry: row.get(1)?,
                value: Bytes::from(row.get::<_, Vec<u8>>(2)?),
            })
        },
    )
}
