//! FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4): a page at a time, each page in one question to the store, or two where
//! parts of messages are wanted. A page holds at most one buffer of structures and bytes, whatever is asked for.

use super::Session;
use super::io::{End, Io};
use super::item::{Message, write_item};
use super::reply::{Done, Stop};
use super::section::{Held, Source, cover, needs_bytes, needs_structure, sets_seen};
use super::select::Enabled;
use super::view::{View, write_vanished};
use crate::AppendMemory;
use crate::command::{Fetch, FetchItem};
use crate::respond;
use mailward_core::limits::{IMAP_FETCH_ROWS, WRITE_BUFFER_MAX};
use mailward_core::{BlobId, Uid};
use mailward_message::{Envelope, Structure};
use mailward_store::records::{Blob, Fetched, FlagAction, FlagChange, Flags, MessageRecord, Rights, UidRange, Wanted};
use mailward_store::{MailStore, StoreError};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Bytes of structures and messages that one page holds.
const PAGE_BYTES: u64 = WRITE_BUFFER_MAX as u64;

/// What a FETCH needs beside its items.
pub(super) struct Plan {
    items: Vec<FetchItem>,
    /// Their `\Seen` is set.
    seen: bool,
    /// MODSEQ is told of what is changed by the way (RFC 7162 §3.2.4).
    condstore: bool,
    /// Structures are read.
    structure: bool,
    /// Of these the envelope is enough.
    envelope: bool,
    /// Parts of messages are read when their structures are known.
    parts: bool,
    wanted: Wanted,
}

impl Plan {
    pub(super) fn new(mut items: Vec<FetchItem>, uid: bool, seen: bool, modseq: bool, condstore: bool) -> Self {
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
        // The whole message: known without its structure, so it comes with the row.
        let whole = once.iter().any(|item| needs_bytes(item) && !needs_structure(item));
        Self {
            condstore,
            seen: seen && once.iter().any(sets_seen),
            structure,
            envelope: !once.iter().any(|item| needs_structure(item) && *item != FetchItem::Envelope),
            parts: !whole && once.iter().any(needs_bytes),
            wanted: Wanted {
                blob: structure || once.contains(&FetchItem::EmailId),
                bytes: whole,
                rows: IMAP_FETCH_ROWS,
                most: PAGE_BYTES,
            },
            items: once,
        }
    }

    /// What each page asks of the store.
    pub(super) const fn wanted(&self) -> Wanted {
        self.wanted
    }
}

impl Session {
    pub(super) async fn fetch(&mut self, fetch: Fetch) -> Result<Done, Stop> {
        if fetch.vanished && !self.enabled.qresync {
            return Ok(Done::bad("ENABLE QRESYNC first"));
        }
        if fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq) {
            self.use_condstore();
        }
        let store = Arc::clone(&self.context.store);
        let memory = self.context.memory.clone();
        let Enabled { qresync, condstore, .. } = self.enabled;
        let (view, io) = self.selected()?;
        let mut ranges = view.resolve(&fetch.set, fetch.uid)?;
        if let Some(partial) = fetch.partial {
            ranges = view.map.window(&ranges, partial);
        }
        let known = view.map.count(&ranges);
        if fetch.vanished
            && let Some(since) = fetch.changed_since
        {
            tell_gone(io, &*store, view, &view.requested(&fetch.set), since).await?;
        }
        let seen = !view.read_only && view.rights.contains(Rights::SEEN);
        let plan = Plan::new(fetch.items, fetch.uid || qresync, seen, fetch.changed_since.is_some(), condstore);
        let mut met = 0u32;
        let mailbox = view.mailbox;
        let ask =
            |ranges: &[UidRange]| (!ranges.is_empty()).then(|| store.fetch(mailbox, ranges.to_vec(), plan.wanted));
        let mut asked = ask(&ranges);
        while let Some(coming) = asked.take() {
            let mut page = coming.await?;
            let Some(last) = page.last().map(|fetched| fetched.row.uid) else { break };
            ranges = after(&ranges, last);
            // The next page is read while this one is written.
            asked = ask(&ranges);
            page.retain(|fetched| view.map.sequence_of(fetched.row.uid).is_some());
            met = met.saturating_add(u32::try_from(page.len()).unwrap_or(u32::MAX));
            if let Some(since) = fetch.changed_since {
                page.retain(|fetched| fetched.row.mod_seq > since);
            }
            met = met.saturating_sub(write_page(io, &*store, &memory, view, &plan, page).await?);
        }
        if !fetch.uid && met < known {
            return Ok(Done::no("[EXPUNGEISSUED] some of the messages are gone"));
        }
        Ok(Done::ok("fetched"))
    }
}

/// What of the messages asked for is gone since (RFC 7162 §3.2.6).
async fn tell_gone(
    io: &mut Io,
    store: &dyn MailStore,
    view: &View,
    asked: &[UidRange],
    mut since: mailward_core::ModSeq,
) -> Result<(), Stop> {
    loop {
        let changes = store.changes_since(view.mailbox, since).await?;
        let gone = changes.vanished.iter().filter(|uid| {
            let at = asked.partition_point(|range| range.last < **uid);
            asked.get(at).is_some_and(|range| range.first <= **uid) && view.map.sequence_of(**uid).is_none()
        });
        write_vanished(&mut io.out, "VANISHED (EARLIER)", gone.map(|uid| uid.0));
        io.between().await?;
        match changes.mod_seq {
            Some(upto) if changes.more && upto > since => since = upto,
            _ => return Ok(()),
        }
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
pub(super) async fn write_page(
    io: &mut Io,
    store: &dyn MailStore,
    memory: &AppendMemory,
    view: &mut View,
    plan: &Plan,
    mut page: Vec<Fetched>,
) -> Result<u32, Stop> {
    let newly_seen = if plan.seen { set_seen(io, store, view, &mut page).await? } else { HashSet::new() };
    view.name_keywords(io, store, page.iter().map(|fetched| &fetched.row)).await?;
    let mut described = Vec::with_capacity(page.len());
    for fetched in &page {
        described.push(match (&fetched.blob, plan.structure) {
            (Some(blob), true) => Some(Described::of(store, blob, plan.envelope).await?),
            _ => None,
        });
    }
    let parts = if plan.parts { read_parts(store, plan, &page, &described).await? } else { HashMap::new() };
    if let Some(highest) = page.iter().map(|fetched| fetched.row.mod_seq).max() {
        view.has_told(highest);
    }
    let mut vanished = 0u32;
    for (fetched, described) in page.iter().zip(&described) {
        let Some(sequence) = view.map.sequence_of(fetched.row.uid) else { continue };
        io.between().await?;
        let mark = io.mark();
        let held = match &fetched.bytes {
            Some(bytes) => Some(Held { start: 0, bytes: bytes.clone() }),
            None => parts.get(&fetched.row.uid).cloned(),
        };
        let source = Source { store, memory, blob: fetched.row.blob, held };
        let message = Message {
            row: &fetched.row,
            blob: fetched.blob.as_ref(),
            described: described.as_ref(),
            keywords: &view.keywords,
            source,
        };
        match write_message(io, plan, sequence, &message, newly_seen.contains(&fetched.row.uid)).await {
            Ok(()) => {}
            // What was written of it is taken back, or, if it was sent, the session ends: never half a reply.
            Err(Stop::Store(StoreError::NotFound(_))) if io.take_back(mark) => vanished = vanished.saturating_add(1),
            Err(Stop::Store(error)) if io.take_back(mark) => return Err(error.into()),
            Err(Stop::Store(_)) => return Err(End::Gone.into()),
            Err(stop) => {
                let _whole_again = io.take_back(mark);
                return Err(stop);
            }
        }
    }
    Ok(vanished)
}

/// What the items need of each message's bytes, all of a page in one question. What is too large for a page is read
/// piece by piece when its turn comes.
async fn read_parts(
    store: &dyn MailStore,
    plan: &Plan,
    page: &[Fetched],
    described: &[Option<Described<'_>>],
) -> Result<HashMap<Uid, Held>, Stop> {
    let mut wanted = Vec::new();
    for (fetched, described) in page.iter().zip(described) {
        let structure = described.as_ref().and_then(Described::structure);
        if let Some(range) = cover(&plan.items, structure, fetched.row.size)
            && range.end.saturating_sub(range.start) <= PAGE_BYTES
        {
            wanted.push((fetched.row.uid, fetched.row.blob, range));
        }
    }
    let parts: Vec<_> = wanted.iter().map(|(_, blob, range)| (*blob, range.clone())).collect();
    if parts.is_empty() {
        return Ok(HashMap::new());
    }
    let read = store.read_parts(parts, PAGE_BYTES).await?;
    let held = wanted.into_iter().zip(read);
    Ok(held.filter_map(|((uid, _, range), bytes)| Some((uid, Held { start: range.start, bytes: bytes? }))).collect())
}

/// What is known of a message without its bytes, as far as it is needed.
pub(super) enum Described<'a> {
    Envelope(Envelope<&'a str>),
    Whole(Structure),
}

impl<'a> Described<'a> {
    async fn of(store: &dyn MailStore, blob: &'a Blob, envelope: bool) -> Result<Self, StoreError> {
        if envelope && let Ok(found) = Structure::envelope_from_bytes(&blob.structure) {
            return Ok(Self::Envelope(found));
        }
        structure_of(store, blob).await.map(Self::Whole)
    }

    pub(super) fn write_envelope(&self, out: &mut Vec<u8>) {
        match self {
            Self::Envelope(envelope) => respond::envelope(out, envelope),
            Self::Whole(structure) => respond::envelope(out, structure.envelope()),
        }
    }

    pub(super) fn structure(&self) -> Option<&Structure> {
        match self {
            Self::Envelope(_) => None,
            Self::Whole(structure) => Some(structure),
        }
    }
}

async fn write_message(io: &mut Io, plan: &Plan, sequence: u32, message: &Message<'_>, seen: bool) -> Result<(), Stop> {
    io.out.extend_from_slice(b"* ");
    respond::number(&mut io.out, sequence.into());
    io.out.extend_from_slice(b" FETCH (");
    for (index, item) in plan.items.iter().enumerate() {
        if index > 0 {
            io.out.push(b' ');
        }
        write_item(io, message, item).await?;
    }
    if seen {
        // Its `\Seen` was set just now.
        let more = [FetchItem::Flags, FetchItem::Uid, FetchItem::ModSeq];
        let more = more.get(..if plan.condstore { 3 } else { 1 }).unwrap_or_default();
        for item in more.iter().filter(|item| !plan.items.contains(item)) {
            io.out.push(b' ');
            write_item(io, message, item).await?;
        }
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

/// Sets `\Seen` where it isn't, durably, before the bytes are sent; answers for which messages.
async fn set_seen(
    io: &mut Io,
    store: &dyn MailStore,
    view: &mut View,
    page: &mut [Fetched],
) -> Result<HashSet<Uid>, Stop> {
    let unseen: Vec<UidRange> = page
        .iter()
        .filter(|fetched| !fetched.row.flags.contains(Flags::SEEN))
        .map(|fetched| UidRange::one(fetched.row.uid))
        .collect();
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
    for fetched in page.iter_mut() {
        if let Some(now) = changed.get(&fetched.row.uid) {
            fetched.row = (*now).clone();
        }
    }
    Ok(changed.into_keys().collect())
}
