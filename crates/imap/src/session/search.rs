//! SEARCH (RFC 3501 §6.4.4): flags, dates and sizes from rows, envelopes and bytes only for the messages that need them.
//! Which ones can't hold a text the store's index tells; the others are read, a page at a time.

use super::Session;
use super::fetch::{after, structure_of};
use super::io::End;
use super::program::{Need, Node, Program, Text, row_matches, set_matches, subject_matches};
use super::progress::Progress;
use super::reply::{Done, Stop};
use super::results::{Found, Hit, write_extended, write_plain};
use crate::command::{Search, SearchKey, SearchNode, SearchReturn};
use crate::seq::ranges_of;
use bytes::Bytes;
use mailward_core::limits::{
    IMAP_FETCH_ROWS, IMAP_SEARCH_INDEXED_FROM, IMAP_SEARCH_INDEXED_MAX, IMAP_SEARCH_PAGE_BYTES, PAGE_ROWS_MAX,
    WRITE_BUFFER_MAX,
};
use mailward_core::{BlobId, ModSeq, Timestamp, Uid};
use mailward_message::decode::folded_subject;
use mailward_message::{Section, Structure};
use mailward_store::records::{Fetched, MessageRecord, Wanted};
use mailward_store::{MailStore, StoreError};
use std::sync::Arc;

impl Session {
    pub(super) async fn search(&mut self, tag: &str, search: Search) -> Result<Done, Stop> {
        let hits = self.find(tag, &search.program).await;
        let returns = match search.returns {
            // RFC 9051 §6.4.4: rev2 has no other answer.
            None if self.enabled.rev2 => Some(SearchReturn { all: true, ..SearchReturn::default() }),
            returns => returns,
        };
        let found = hits.map(|hits| Found { hits, uid: search.uid, mod_seq: asks_mod_seq(&search.program) });
        self.tell_found(tag, b"* SEARCH", found, returns).await?;
        Ok(Done::ok("searched"))
    }

    /// Saves and tells what was found, as it was asked for.
    pub(super) async fn tell_found(
        &mut self,
        tag: &str,
        name: &[u8],
        found: Result<Found, Stop>,
        returns: Option<SearchReturn>,
    ) -> Result<(), Stop> {
        let (view, io) = self.selected()?;
        let saves = returns.is_some_and(|returns| returns.save);
        let found = match found {
            Ok(found) => found,
            Err(stop) => {
                // RFC 5182 §2.1: one that fails leaves nothing of the last.
                if saves {
                    view.saved.clear();
                }
                return Err(stop);
            }
        };
        let Some(returns) = returns else { return write_plain(io, name, &found).await };
        if saves {
            view.saved = found.saved(returns);
        }
        // SAVE alone is answered by the tagged line.
        if returns != (SearchReturn { save: true, ..SearchReturn::default() }) {
            write_extended(io, &found, returns, tag);
        }
        Ok(())
    }

    /// The messages that a program matches, in the order of the mailbox.
    pub(super) async fn find(&mut self, tag: &str, program: &[SearchNode]) -> Result<Vec<Hit>, Stop> {
        if asks_mod_seq(program) {
            self.use_condstore();
        }
        let store = Arc::clone(&self.context.store);
        let now = self.context.clock.now();
        let (view, io) = self.selected()?;
        let keywords = program.iter().filter_map(|node| match node {
            SearchNode::Leaf(SearchKey::Keyword(name, _)) => Some(name.as_str()),
            _ => None,
        });
        view.know_keywords(io, &*store, keywords).await?;
        let program = Arc::new(Program::new(program, view)?);
        let mut found = Vec::new();
        let mut ranges = program.scanned(view);
        if program.is_of_sets() {
            // Answered from what the client knows, without asking the store.
            for (sequence, uid) in view.map.iter() {
                if program.evaluate(|node| set_matches(node, uid)) == Some(true) {
                    found.push(Hit { uid, sequence, mod_seq: None });
                }
            }
            ranges.clear();
        }
        let mut progress = Progress::new(tag, view.map.count(&ranges));
        while !ranges.is_empty() {
            let rows = store.messages(view.mailbox, ranges.clone(), PAGE_ROWS_MAX).await?;
            let Some(last) = rows.last().map(|row| row.uid) else { break };
            ranges = after(&ranges, last);
            let mut undecided: Vec<MessageRecord> = Vec::new();
            let mut hits: Vec<(Uid, ModSeq)> = Vec::new();
            let met = rows.len();
            for (index, row) in rows.into_iter().enumerate() {
                if index & 255 == 255 {
                    // Many keys times many messages: others of this thread have their turn in between.
                    tokio::task::yield_now().await;
                }
                match program.evaluate(|node| row_matches(node, &row, now)) {
                    Some(true) => hits.push((row.uid, row.mod_seq)),
                    Some(false) => {}
                    None => undecided.push(row),
                }
            }
            let undecided = ask_index(&*store, &program, undecided, &mut hits, now).await?;
            progress.step(io, met.saturating_sub(undecided.len())).await?;
            let mut reading = ranges_of(undecided.iter().map(|row| row.uid));
            while !reading.is_empty() {
                // A long search is cut short by a stop, not by a client that can't be asked.
                if io.shutdown.is_fired() {
                    return Err(End::STOP.into());
                }
                let wanted = Wanted {
                    blob: true,
                    bytes: program.need == Need::Body,
                    rows: IMAP_FETCH_ROWS,
                    // No client's reading sets the pace: as much at once as makes the questions few.
                    most: IMAP_SEARCH_PAGE_BYTES as u64,
                };
                let page = store.fetch(view.mailbox, reading.clone(), wanted).await?;
                let Some(last) = page.last().map(|fetched| fetched.row.uid) else { break };
                reading = after(&reading, last);
                let read = page.len();
                hits.extend(read_and_match(&store, &program, page, now).await?);
                progress.step(io, read).await?;
            }
            hits.sort_unstable();
            found.extend(hits.into_iter().filter_map(|(uid, mod_seq)| {
                let sequence = view.map.sequence_of(uid)?;
                Some(Hit { uid, sequence, mod_seq: Some(mod_seq) })
            }));
        }
        if let Some(highest) = found.iter().filter_map(|hit| hit.mod_seq).max() {
            view.has_told(highest);
        }
        Ok(found)
    }
}

/// Whether message numbers are among the keys: they must stand until the answer is told (RFC 7162 §3.2.10.2).
pub(super) fn names_numbers(program: &[SearchNode]) -> bool {
    program.iter().any(|node| matches!(node, SearchNode::Leaf(SearchKey::Sequence(_))))
}

/// Whether MODSEQ is among the keys: then it is told, too (RFC 7162 §3.1.5).
pub(super) fn asks_mod_seq(program: &[SearchNode]) -> bool {
    program.iter().any(|node| matches!(node, SearchNode::Leaf(SearchKey::ModSeq(_))))
}

/// Asks the store's index who may hold the texts, and decides by it what can be; answers who has to be read.
async fn ask_index(
    store: &dyn MailStore,
    program: &Program,
    mut undecided: Vec<MessageRecord>,
    hits: &mut Vec<(Uid, ModSeq)>,
    now: Timestamp,
) -> Result<Vec<MessageRecord>, Stop> {
    let mut holders: Vec<Option<Vec<BlobId>>> = vec![None; program.texts.len()];
    for (number, text) in program.texts.iter().enumerate().take(IMAP_SEARCH_INDEXED_MAX) {
        if undecided.len() < IMAP_SEARCH_INDEXED_FROM {
            break;
        }
        let among = undecided.iter().map(|row| row.blob).collect();
        let found = store.find_text(text.clone(), among).await?;
        if found.is_none() {
            continue;
        }
        if let Some(slot) = holders.get_mut(number) {
            *slot = found;
        }
        undecided.retain(|row| {
            let by_index = |node: &Node| match node {
                Node::Text(_, number) => {
                    let holders = holders.get(*number).and_then(Option::as_ref)?;
                    holders.binary_search(&row.blob).is_err().then_some(false)
                }
                other => row_matches(other, row, now),
            };
            let decided = program.evaluate(by_index);
            if decided == Some(true) {
                hits.push((row.uid, row.mod_seq));
            }
            decided.is_none()
        });
    }
    Ok(undecided)
}

/// Which messages of a page match whose rows don't decide it: by their envelopes, then by what else is needed. One that
/// went in the meantime doesn't.
async fn read_and_match(
    store: &Arc<dyn MailStore>,
    program: &Arc<Program>,
    page: Vec<Fetched>,
    now: Timestamp,
) -> Result<Vec<(Uid, ModSeq)>, Stop> {
    let mut hits = Vec::new();
    let mut unread = Vec::new();
    for fetched in page {
        let Some(blob) = &fetched.blob else { continue };
        // One that another version described is described anew below.
        let decided = if program.need == Need::Subject {
            Structure::subject_from_bytes(&blob.structure).ok().and_then(|subject| {
                let subject = folded_subject(subject);
                let matches =
                    |node: &Node| row_matches(node, &fetched.row, now).or_else(|| subject_matches(node, &subject));
                program.evaluate(matches)
            })
        } else {
            Structure::envelope_from_bytes(&blob.structure).ok().and_then(|envelope| {
                let text = Text::of_envelope(&envelope, blob.hash);
                program.evaluate(|node| row_matches(node, &fetched.row, now).or_else(|| text.matches(node)))
            })
        };
        match decided {
            Some(true) => hits.push((fetched.row.uid, fetched.row.mod_seq)),
            Some(false) => {}
            None => unread.push(fetched),
        }
    }
    tokio::task::yield_now().await;
    if unread.is_empty() {
        return Ok(hits);
    }
    let read = read_unread(&**store, program.need, unread).await?;
    let program = Arc::clone(program);
    let matching = move || {
        let matches = |Read { row, hash, structure, bytes }: &Read| {
            let header_end = structure.section(&[], Section::Header).map_or(0, |range| range.end);
            let header = bytes.get(..usize::try_from(header_end).unwrap_or(usize::MAX)).unwrap_or(bytes);
            let mut text = Text::of_envelope(structure.envelope(), *hash).with_header(header);
            if program.need == Need::Body {
                text = text.with_body(bytes, structure);
            }
            let matches = program.evaluate(|node| row_matches(node, row, now).or_else(|| text.matches(node)));
            matches.unwrap_or(false)
        };
        read.iter().filter(|one| matches(one)).map(|one| (one.row.uid, one.row.mod_seq)).collect::<Vec<_>>()
    };
    // Decoding a page of messages takes long; other sessions of the thread must not wait for it.
    let searched = tokio::task::spawn_blocking(matching).await;
    hits.extend(searched.map_err(|_| Done::no("[SERVERBUG] a message can't be searched"))?);
    Ok(hits)
}

/// A message with as much of its bytes as a program needs.
struct Read {
    row: MessageRecord,
    hash: [u8; 32],
    structure: Structure,
    bytes: Bytes,
}

/// Reads the headers of messages, or all of those that were too large to come with their rows.
async fn read_unread(store: &dyn MailStore, need: Need, unread: Vec<Fetched>) -> Result<Vec<Read>, Stop> {
    let mut read = Vec::with_capacity(unread.len());
    let mut headers = Vec::new();
    for Fetched { row, blob, bytes } in unread {
        let Some(blob) = blob else { continue };
        let structure = structure_of(store, &blob).await?;
        if need == Need::Body {
            let bytes = match bytes {
                Some(bytes) => Ok(bytes),
                None => store.read(blob.id, 0, blob.size).await,
            };
            match bytes {
                Ok(bytes) => read.push(Read { row, hash: blob.hash, structure, bytes }),
                Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        } else {
            let range = structure.section(&[], Section::Header).unwrap_or(0..0);
            headers.push(((blob.id, range), Read { row, hash: blob.hash, structure, bytes: Bytes::new() }));
        }
    }
    while !headers.is_empty() {
        let parts = headers.iter().map(|(part, _)| part.clone()).collect();
        let bytes = store.read_parts(parts, WRITE_BUFFER_MAX as u64).await?;
        if bytes.is_empty() {
            break;
        }
        let some = headers.drain(..bytes.len().min(headers.len())).zip(bytes);
        read.extend(some.filter_map(|((_, message), bytes)| Some(Read { bytes: bytes?, ..message })));
    }
    Ok(read)
}
