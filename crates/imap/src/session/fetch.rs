//! FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4): rows a page at a time, bytes in pieces.

use super::Session;
use super::io::{End, Io};
use super::reply::{Done, Stop};
use super::section::{locate, needs_structure, sets_seen, structure_of, write_name, write_range, write_value};
use super::view::View;
use crate::command::{Fetch, FetchItem};
use crate::respond;
use mailward_core::limits::{IMAP_FETCH_BLOBS, IMAP_FETCH_ROWS};
use mailward_core::{BlobId, Uid};
use mailward_message::{Section, Structure};
use mailward_store::records::{Blob, FlagAction, FlagChange, Flags, MessageRecord, UidRange};
use mailward_store::{MailStore, StoreError};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a FETCH needs beside its items.
struct Plan {
    items: Vec<FetchItem>,
    /// Their `\Seen` is set.
    seen: bool,
    /// Structures are needed.
    structure: bool,
    page: usize,
}

impl Plan {
    fn new(mut items: Vec<FetchItem>, uid: bool, read_only: bool, modseq: bool) -> Self {
        if uid {
            items.insert(0, FetchItem::Uid);
        }
        if modseq {
            items.push(FetchItem::ModSeq);
        }
        // Each once. MODSEQ comes last, and a UID first.
        let mut once = Vec::with_capacity(items.len());
        for item in items {
            if !once.contains(&item) {
                once.push(item);
            }
        }
        let structure = once.iter().any(needs_structure);
        let bytes = structure || once.iter().any(|i| matches!(i, FetchItem::Section(_) | FetchItem::Rfc822));
        Self {
            seen: !read_only && once.iter().any(sets_seen),
            structure,
            page: if bytes { IMAP_FETCH_BLOBS } else { IMAP_FETCH_ROWS },
            items: once,
        }
    }
}

impl Session {
    pub(super) async fn fetch(&mut self, fetch: Fetch) -> Result<Done, Stop> {
        if fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq) {
            self.use_condstore();
        }
        let store = Arc::clone(&self.context.store);
        let (_, view, io) = self.selected()?;
        let mut ranges = view.resolve(&fetch.set, fetch.uid)?;
        let known = view.map.count(&ranges);
        let plan = Plan::new(fetch.items, fetch.uid, view.read_only, fetch.changed_since.is_some());
        let mut met = 0u32;
        while !ranges.is_empty() {
            let rows = store.messages(view.mailbox, ranges.clone(), plan.page).await?;
            let Some(last) = rows.last().map(|row| row.uid) else { break };
            ranges = after(&ranges, last);
            let mut rows: Vec<MessageRecord> =
                rows.into_iter().filter(|row| view.map.sequence_of(row.uid).is_some()).collect();
            met = met.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
            if let Some(since) = fetch.changed_since {
                rows.retain(|row| row.mod_seq > since);
            }
            met = met.saturating_sub(write_page(io, &*store, view, &plan, rows).await?);
        }
        if !fetch.uid && met < known {
            return Ok(Done::no("[EXPUNGEISSUED] some of the messages are gone"));
        }
        Ok(Done::ok("fetched"))
    }
}

/// What is left of ranges above a UID.
pub(super) fn after(ranges: &[UidRange], last: Uid) -> Vec<UidRange> {
    let Some(next) = last.0.checked_add(1) else { return Vec::new() };
    ranges
        .iter()
        .filter(|range| range.last.0 >= next)
        .map(|range| UidRange { first: Uid(range.first.0.max(next)), last: range.last })
        .collect()
}

/// Answers how many messages vanished while the page was made.
async fn write_page(
    io: &mut Io,
    store: &dyn MailStore,
    view: &mut View,
    plan: &Plan,
    mut rows: Vec<MessageRecord>,
) -> Result<u32, Stop> {
    let blobs = if plan.structure { blobs_of(store, &rows).await? } else { HashMap::new() };
    let newly_seen = if plan.seen { set_seen(io, store, view, &mut rows).await? } else { HashSet::new() };
    view.name_keywords(io, store, &rows).await?;
    let mut vanished = 0u32;
    for row in &rows {
        let Some(sequence) = view.map.sequence_of(row.uid) else { continue };
        io.between().await?;
        let mark = io.mark();
        let blob = blobs.get(&row.blob);
        let written = if plan.structure && blob.is_none() {
            Err(StoreError::NotFound("message").into())
        } else {
            let seen = newly_seen.contains(&row.uid);
            write_message(io, store, plan, &view.keywords, Row { sequence, row, blob, seen }).await
        };
        match written {
            Ok(()) => {}
            Err(Stop::Store(error)) => {
                // What was written of it is taken back, or, if it was sent, the session ends: never half a reply.
                if !io.take_back(mark) {
                    return Err(End::Gone.into());
                }
                if !matches!(error, StoreError::NotFound(_)) {
                    return Err(error.into());
                }
                vanished = vanished.saturating_add(1);
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(vanished)
}

/// A message of a page, to be told.
struct Row<'a> {
    sequence: u32,
    row: &'a MessageRecord,
    blob: Option<&'a Blob>,
    /// Its `\Seen` was set just now.
    seen: bool,
}

async fn write_message(
    io: &mut Io,
    store: &dyn MailStore,
    plan: &Plan,
    keywords: &[String],
    told: Row<'_>,
) -> Result<(), Stop> {
    let structure = match told.blob {
        Some(blob) => Some(structure_of(store, blob).await?),
        None => None,
    };
    io.out.extend_from_slice(b"* ");
    respond::number(&mut io.out, told.sequence.into());
    io.out.extend_from_slice(b" FETCH (");
    let message = Message { row: told.row, structure: structure.as_ref(), keywords };
    for (index, item) in plan.items.iter().enumerate() {
        if index > 0 {
            io.out.push(b' ');
        }
        write_item(io, store, &message, item).await?;
    }
    if told.seen && !plan.items.contains(&FetchItem::Flags) {
        io.out.push(b' ');
        write_item(io, store, &message, &FetchItem::Flags).await?;
    }
    io.out.extend_from_slice(b")\r\n");
    Ok(())
}

pub(super) async fn blobs_of(store: &dyn MailStore, rows: &[MessageRecord]) -> Result<HashMap<BlobId, Blob>, Stop> {
    let mut ids: Vec<BlobId> = rows.iter().map(|row| row.blob).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(store.blobs(ids).await?.into_iter().map(|blob| (blob.id, blob)).collect())
}

/// Sets `\Seen` where it isn't, durably, before the bytes are sent; answers for which messages.
async fn set_seen(
    io: &mut Io,
    store: &dyn MailStore,
    view: &mut View,
    rows: &mut [MessageRecord],
) -> Result<HashSet<Uid>, Stop> {
    let unseen: Vec<UidRange> =
        rows.iter().filter(|row| !row.flags.contains(Flags::SEEN)).map(|row| UidRange::one(row.uid)).collect();
    if unseen.is_empty() {
        return Ok(HashSet::new());
    }
    let change = FlagChange {
        ranges: unseen,
        action: FlagAction::Add,
        flags: Flags::SEEN,
        keywords: Vec::new(),
        unchanged_since: None,
    };
    let outcome = store.change_flags(view.mailbox, change).await?;
    view.own_change(io, &outcome);
    let changed: HashMap<Uid, &MessageRecord> = outcome.messages.iter().map(|row| (row.uid, row)).collect();
    for row in rows.iter_mut() {
        if let Some(now) = changed.get(&row.uid) {
            *row = (*now).clone();
        }
    }
    Ok(changed.into_keys().collect())
}

/// A message of a page.
struct Message<'a> {
    row: &'a MessageRecord,
    structure: Option<&'a Structure>,
    keywords: &'a [String],
}

async fn write_item(io: &mut Io, store: &dyn MailStore, message: &Message<'_>, item: &FetchItem) -> Result<(), Stop> {
    let row = message.row;
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
        FetchItem::Rfc822Size => {
            out.extend_from_slice(b"RFC822.SIZE ");
            respond::number(out, row.size);
        }
        FetchItem::ModSeq => {
            out.extend_from_slice(b"MODSEQ (");
            respond::number(out, row.mod_seq.0);
            out.push(b')');
        }
        FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => {
            write_structure(out, message.structure, item);
        }
        FetchItem::Rfc822 => {
            out.extend_from_slice(b"RFC822 ");
            write_range(io, store, row.blob, 0..row.size).await?;
        }
        FetchItem::Rfc822Header | FetchItem::Rfc822Text => {
            let header = *item == FetchItem::Rfc822Header;
            out.extend_from_slice(if header { b"RFC822.HEADER " } else { b"RFC822.TEXT " });
            let section = if header { Section::Header } else { Section::Text };
            let range = message.structure.and_then(|s| s.section(&[], section)).unwrap_or(0..0);
            write_range(io, store, row.blob, range).await?;
        }
        FetchItem::Section(section) => {
            write_name(out, section);
            let meant = locate(message.structure, row.size, section);
            write_value(io, store, row.blob, meant, section).await?;
        }
    }
    io.spill().await?;
    Ok(())
}

fn write_structure(out: &mut Vec<u8>, structure: Option<&Structure>, item: &FetchItem) {
    let Some(structure) = structure else { return };
    match item {
        FetchItem::Envelope => {
            out.extend_from_slice(b"ENVELOPE ");
            respond::envelope(out, structure.envelope());
        }
        FetchItem::Body => {
            out.extend_from_slice(b"BODY ");
            respond::body_structure(out, structure, false);
        }
        _ => {
            out.extend_from_slice(b"BODYSTRUCTURE ");
            respond::body_structure(out, structure, true);
        }
    }
}
