//! SORT and THREAD (RFC 5256; RFC 5267 §3 for RETURN): what a search finds, what is needed of each message, a page at a
//! time, and the order of all. Only numbers and folded texts are kept of a message.

use super::Session;
use super::fetch::{blobs_of, structure_of};
use super::progress::Progress;
use super::reply::{Done, Stop};
use super::results::{Found, Hit};
use super::search::asks_mod_seq;
use crate::SortMemory;
use crate::command::{Sort, Thread};
use crate::sort::{SortInput, Sorter, sent_date};
use crate::thread::{Messages, ThreadAlgorithm, ThreadInput, ordered_subject, references};
use bytes::Bytes;
use mailward_core::limits::{
    HEADER_BYTES_MAX, IMAP_SORT_BYTES_FREE, IMAP_SORT_BYTES_MAX, IMAP_SORT_ROWS, PAGE_ROWS_MAX,
};
use mailward_message::decode::header_text;
use mailward_message::references::{Ancestry, ancestry};
use mailward_message::subject::base_subject;
use mailward_message::{Section, Structure};
use mailward_store::records::{MessageRecord, UidRange};
use mailward_store::{MailStore, StoreError};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

impl Session {
    pub(super) async fn sort(&mut self, tag: &str, sort: Sort) -> Result<Done, Stop> {
        let sorted = self.sorted(tag, &sort).await;
        let found = sorted.map(|hits| Found { hits, uid: sort.uid, mod_seq: asks_mod_seq(&sort.program) });
        self.tell_found(tag, b"* SORT", found, sort.returns).await?;
        Ok(Done::ok("sorted"))
    }

    async fn sorted(&mut self, tag: &str, sort: &Sort) -> Result<Vec<Hit>, Stop> {
        let hits = self.find(tag, &sort.program).await?;
        let mut budget = Budget::of(&self.context.sort_memory);
        let mut sorter = Sorter::new(&sort.criteria);
        let need = if sorter.needs_envelope() { Need::Structure } else { Need::Row };
        self.gather(tag, &hits, need, |place, message| {
            sorter.add(&SortInput {
                number: place,
                internal_date: message.row.internal_date,
                size: message.row.size,
                envelope: message.structure.map(Structure::envelope),
            });
            budget.cover(sorter.bytes())
        })
        .await?;
        let order = in_the_background(move || sorter.ordered()).await?;
        Ok(order.iter().filter_map(|place| hits.get(usize::try_from(*place).ok()?).copied()).collect())
    }

    pub(super) async fn thread(&mut self, tag: &str, thread: Thread) -> Result<Done, Stop> {
        let hits = self.find(tag, &thread.program).await?;
        let mut budget = Budget::of(&self.context.sort_memory);
        let mut messages = Messages::default();
        let by_references = thread.algorithm == ThreadAlgorithm::References;
        let need = if by_references { Need::Header } else { Need::Structure };
        self.gather(tag, &hits, need, |place, message| {
            let envelope = message.structure.map(Structure::envelope);
            let subject = envelope.and_then(|e| e.subject.as_ref()).map(|raw| header_text(raw.as_bytes()));
            let Ancestry { id, references } = ancestry(&message.header);
            let hit = usize::try_from(place).ok().and_then(|place| hits.get(place));
            messages.add(&ThreadInput {
                number: hit.map_or(0, |hit| hit.number(thread.uid)),
                sent: sent_date(envelope, message.row.internal_date),
                subject: &base_subject(&subject.unwrap_or_default()),
                id: id.as_deref(),
                references: &references,
            });
            budget.cover(messages.bytes())
        })
        .await?;
        let algorithm = if by_references { references } else { ordered_subject };
        let threads = in_the_background(move || algorithm(&messages)).await?;
        let (_, io) = self.selected()?;
        io.out.extend_from_slice(b"* THREAD");
        if !threads.tops().is_empty() {
            io.out.push(b' ');
        }
        let mut writer = threads.writer();
        while writer.step(&mut io.out) {
            io.spill().await?;
        }
        io.out.extend_from_slice(b"\r\n");
        Ok(Done::ok("threaded"))
    }

    /// Shows each message that is still there, with its place among those found.
    async fn gather(
        &mut self,
        tag: &str,
        hits: &[Hit],
        need: Need,
        mut show: impl FnMut(u32, Shown<'_>) -> Result<(), Done> + Send,
    ) -> Result<(), Stop> {
        let store = Arc::clone(&self.context.store);
        let (view, io) = self.selected()?;
        let page = if need == Need::Row { PAGE_ROWS_MAX } else { IMAP_SORT_ROWS };
        let mut progress = Progress::new(tag, u32::try_from(hits.len()).unwrap_or(u32::MAX));
        let mut places = hits.iter().zip(0_u32..).peekable();
        for some in hits.chunks(page) {
            io.between().await?;
            let rows = store.messages(view.mailbox, ranges_of(some), page).await?;
            let blobs = if need == Need::Row { None } else { Some(blobs_of(&*store, &rows).await?) };
            for row in rows {
                while places.next_if(|(hit, _)| hit.uid < row.uid).is_some() {}
                let Some((_, place)) = places.next_if(|(hit, _)| hit.uid == row.uid) else { continue };
                let Some(blobs) = &blobs else {
                    show(place, Shown { row: &row, structure: None, header: Bytes::new() })?;
                    continue;
                };
                let Some(blob) = blobs.get(&row.blob) else { continue };
                let structure = structure_of(&*store, blob).await?;
                let header =
                    if need == Need::Header { read_header(&*store, &row, &structure).await } else { Ok(Bytes::new()) };
                match header {
                    Ok(header) => show(place, Shown { row: &row, structure: Some(&structure), header })?,
                    Err(StoreError::NotFound(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            progress.step(io, some.len()).await?;
            // Others of this thread have their turn in between.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// What is needed of each message, from the cheap to the dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Row,
    Structure,
    Header,
}

/// A message of a page.
struct Shown<'m> {
    row: &'m MessageRecord,
    structure: Option<&'m Structure>,
    /// Empty if it isn't needed.
    header: Bytes,
}

/// Ranges of messages, each without gaps: between two neighbours of the view there is none that the client knows.
fn ranges_of(hits: &[Hit]) -> Vec<UidRange> {
    let mut ranges: Vec<UidRange> = Vec::new();
    let mut before = None;
    for hit in hits {
        match ranges.last_mut() {
            Some(range) if before == hit.sequence.checked_sub(1) => range.last = hit.uid,
            _ => ranges.push(UidRange::one(hit.uid)),
        }
        before = Some(hit.sequence);
    }
    ranges
}

async fn read_header(store: &dyn MailStore, row: &MessageRecord, structure: &Structure) -> Result<Bytes, StoreError> {
    let header = structure.section(&[], Section::Header).unwrap_or(0..0);
    let most = u64::try_from(HEADER_BYTES_MAX).unwrap_or(u64::MAX);
    store.read(row.blob, header.start, header.end.min(header.start.saturating_add(most))).await
}

/// Ordering a million messages takes long; other sessions of the thread must not wait for it.
async fn in_the_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stop> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| Done::no("[SERVERBUG] the messages can't be ordered"))?)
}

/// Memory that a SORT or THREAD takes, asked for as it grows.
struct Budget {
    memory: SortMemory,
    held: Option<OwnedSemaphorePermit>,
    granted: usize,
}

impl Budget {
    fn of(memory: &SortMemory) -> Self {
        Self { memory: memory.clone(), held: None, granted: IMAP_SORT_BYTES_FREE }
    }

    /// Whether so many bytes may be held: by this one, and by all together.
    fn cover(&mut self, bytes: usize) -> Result<(), Done> {
        if bytes > IMAP_SORT_BYTES_MAX {
            return Err(Done::no("[LIMIT] these are more messages than can be ordered at once"));
        }
        while bytes > self.granted {
            let step = u32::try_from(IMAP_SORT_BYTES_FREE).unwrap_or(u32::MAX);
            let Ok(more) = Arc::clone(&self.memory.0).try_acquire_many_owned(step) else {
                return Err(Done::no("[INUSE] too many large mailboxes are being ordered; try again later"));
            };
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
            self.granted = self.granted.saturating_add(IMAP_SORT_BYTES_FREE);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::Uid;

    fn is_refused(covered: Result<(), Done>, code: &str) -> bool {
        matches!(covered, Err(Done::No(text)) if text.starts_with(code))
    }

    /// Attacks G7.
    #[test]
    fn memory_is_bounded_for_one_and_for_all() {
        let memory = SortMemory::new(2 * IMAP_SORT_BYTES_FREE);
        let mut one = Budget::of(&memory);
        assert_eq!(one.cover(3 * IMAP_SORT_BYTES_FREE), Ok(()));
        // Another has what is free, and no more until the first has ended.
        let mut two = Budget::of(&memory);
        assert_eq!(two.cover(IMAP_SORT_BYTES_FREE), Ok(()));
        assert!(is_refused(two.cover(IMAP_SORT_BYTES_FREE + 1), "[INUSE]"));
        drop(one);
        assert_eq!(two.cover(IMAP_SORT_BYTES_FREE + 1), Ok(()));
        assert!(is_refused(Budget::of(&SortMemory::default()).cover(IMAP_SORT_BYTES_MAX + 1), "[LIMIT]"));
        assert_eq!(Budget::of(&SortMemory::default()).cover(IMAP_SORT_BYTES_MAX), Ok(()));
    }

    #[test]
    fn ranges_hold_what_was_found_and_nothing_else_that_is_known() {
        let hit = |uid, sequence| Hit { uid: Uid(uid), sequence, mod_seq: None };
        let range = |first, last| UidRange { first: Uid(first), last: Uid(last) };
        assert_eq!(ranges_of(&[]), []);
        // 6 went before this session came; 9 is there and wasn't found.
        assert_eq!(ranges_of(&[hit(5, 1), hit(7, 2), hit(8, 3), hit(10, 5)]), [range(5, 8), range(10, 10)]);
    }
}
