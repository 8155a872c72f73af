//! SEARCH (RFC 3501 §6.4.4): flags, dates and sizes from rows, structures and bytes only for the messages that need
//! them.

use super::Session;
use super::fetch::{after, blobs_of, structure_of};
use super::program::{Need, Program, Text, row_matches, set_matches};
use super::progress::Progress;
use super::reply::{Done, Stop};
use super::results::{Found, Hit, write_extended, write_plain};
use crate::command::{Search, SearchKey, SearchNode, SearchReturn};
use bytes::Bytes;
use mailward_core::limits::{IMAP_FETCH_BLOBS, PAGE_ROWS_MAX};
use mailward_core::{ModSeq, Timestamp, Uid};
use mailward_message::Section;
use mailward_store::records::{Blob, MessageRecord};
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
            let limit = if program.need == Need::Row { PAGE_ROWS_MAX } else { IMAP_FETCH_BLOBS };
            let rows = store.messages(view.mailbox, ranges.clone(), limit).await?;
            let Some(last) = rows.last().map(|row| row.uid) else { break };
            ranges = after(&ranges, last);
            let mut undecided: Vec<MessageRecord> = Vec::new();
            let mut hits: Vec<(Uid, ModSeq)> = Vec::new();
            let mut decided = 0usize;
            for (index, row) in rows.into_iter().enumerate() {
                if index & 255 == 255 {
                    // Many keys times many messages: others of this thread have their turn in between.
                    tokio::task::yield_now().await;
                }
                match program.evaluate(|node| row_matches(node, &row, now)) {
                    Some(true) => {
                        decided = decided.saturating_add(1);
                        hits.push((row.uid, row.mod_seq));
                    }
                    Some(false) => decided = decided.saturating_add(1),
                    None => undecided.push(row),
                }
            }
            progress.step(io, decided).await?;
            if !undecided.is_empty() {
                let blobs = blobs_of(&*store, &undecided).await?;
                for row in undecided {
                    let Some(blob) = blobs.get(&row.blob) else { continue };
                    let (uid, mod_seq) = (row.uid, row.mod_seq);
                    if matches_text(&*store, &program, row, blob, now).await? {
                        hits.push((uid, mod_seq));
                    }
                    progress.step(io, 1).await?;
                }
                hits.sort_unstable();
            }
            for (uid, mod_seq) in hits {
                if let Some(sequence) = view.map.sequence_of(uid) {
                    found.push(Hit { uid, sequence, mod_seq: Some(mod_seq) });
                }
            }
            // A long search is cut short by a stop, not by a client that can't be asked.
            if io.shutdown.is_fired() {
                return Err(super::io::End::STOP.into());
            }
        }
        Ok(found)
    }
}

/// Whether MODSEQ is among the keys: then it is told, too (RFC 7162 §3.1.5).
pub(super) fn asks_mod_seq(program: &[SearchNode]) -> bool {
    program.iter().any(|node| matches!(node, SearchNode::Leaf(SearchKey::ModSeq(_))))
}

/// Whether a message matches whose row doesn't decide it. One that went in the meantime doesn't.
async fn matches_text(
    store: &dyn MailStore,
    program: &Arc<Program>,
    row: MessageRecord,
    blob: &Blob,
    now: Timestamp,
) -> Result<bool, Stop> {
    let structure = structure_of(store, blob).await?;
    let header = structure.section(&[], Section::Header).unwrap_or(0..0);
    let read = match program.need {
        Need::Row | Need::Structure => Ok(Bytes::new()),
        Need::Header => store.read(row.blob, header.start, header.end).await,
        Need::Body => store.read(row.blob, 0, row.size).await,
    };
    let bytes = match read {
        Err(StoreError::NotFound(_)) => return Ok(false),
        other => other?,
    };
    let hash = blob.hash;
    let all_keys = move |program: &Program| {
        let text = Text::new(&bytes, &structure, hash, program.need);
        let matches = program.evaluate(|node| row_matches(node, &row, now).or_else(|| text.matches(node)));
        matches.unwrap_or(false)
    };
    if program.need < Need::Body {
        tokio::task::yield_now().await;
        return Ok(all_keys(program));
    }
    // Decoding a large message takes long; other sessions of the thread must not wait for it.
    let program = Arc::clone(program);
    let searched = tokio::task::spawn_blocking(move || all_keys(&program));
    Ok(searched.await.map_err(|_| Done::no("[SERVERBUG] a message can't be searched"))?)
}
