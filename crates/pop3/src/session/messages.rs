//! What a logged-in session asks of the store: sizes, messages, deletions.

use super::{End, Session};
use crate::dots::DotWriter;
use crate::machine::Gone;
use crate::surrogate::{Piece, Surrogate, bytes_of};
use mailward_core::BlobId;
use mailward_core::limits::{PAGE_ROWS_MAX, POP3_LIST_ROWS, POP3_TOP_PIECE, WRITE_BUFFER_MAX};
use mailward_store::StoreError;
use mailward_store::records::{Fetched, UidRange};
use mailward_tls::Wire;
use std::ops::Range;
use std::sync::Arc;

/// The answer that a message is sent in.
struct Answer {
    dots: DotWriter,
    /// Told in its first line, by RETR only.
    size: Option<u64>,
    /// Its first line is written, so that an error can't be said any more.
    begun: bool,
}

impl Session {
    /// A page of sizes.
    pub(super) async fn sizes(&mut self, uids: UidRange) -> Result<(), End> {
        let Some(own) = &self.own else { return Ok(()) };
        match self.context.store.messages(own.mailbox, vec![uids], POP3_LIST_ROWS).await {
            Ok(rows) => {
                self.machine.sizes(rows.iter().map(|row| (row.uid, row.size)));
                Ok(())
            }
            Err(error) => {
                self.tell_store(&error);
                if self.machine.sizes_failed(gone(&error)) { Ok(()) } else { Err(End::Store) }
            }
        }
    }

    /// Sends a message, or says why not.
    pub(super) async fn send(
        &mut self,
        wire: &mut Wire,
        number: u32,
        uids: UidRange,
        lines: Option<u64>,
    ) -> Result<(), End> {
        let Some(own) = &self.own else { return Ok(()) };
        let store = Arc::clone(&self.context.store);
        let found = match self.ahead.message(&*store, own.mailbox, number, uids).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.machine.message_gone(Gone::Elsewhere);
                return Ok(());
            }
            Err(error) => {
                self.refuse(&error);
                return Ok(());
            }
        };
        let surrogate = match &found.bytes {
            _ if self.machine.is_utf8() => Ok(Some(Surrogate::default())),
            Some(bytes) => Ok(Surrogate::of(bytes)),
            None => Surrogate::of_stored(&*store, found.row.blob).await,
        };
        match surrogate {
            Ok(Some(surrogate)) => self.answer(wire, &found, &surrogate, lines).await,
            Ok(None) => {
                self.machine.message_gone(Gone::NeedsUtf8);
                Ok(())
            }
            Err(error) => {
                self.refuse(&error);
                Ok(())
            }
        }
    }

    async fn answer(
        &mut self,
        wire: &mut Wire,
        found: &Fetched,
        surrogate: &Surrogate,
        lines: Option<u64>,
    ) -> Result<(), End> {
        let size = surrogate.size(found.row.size);
        let size = lines.is_none().then_some(size);
        let mut answer = Answer { dots: DotWriter::new(lines), size, begun: false };
        for piece in surrogate.pieces(found.row.size) {
            let done = match (piece, &found.bytes) {
                (Piece::New(text), _) => self.push(wire, &mut answer, text).await,
                (Piece::Kept(place), Some(bytes)) => self.push(wire, &mut answer, bytes_of(bytes, &place)).await,
                (Piece::Kept(place), None) => self.stream(wire, &mut answer, found.row.blob, place).await,
            };
            match done {
                Ok(()) if answer.dots.is_enough() => break,
                Ok(()) => {}
                Err(Broken::Session(end)) => return Err(end),
                Err(Broken::Store(error)) if answer.begun => {
                    self.tell_store(&error);
                    return Err(End::Store);
                }
                Err(Broken::Store(error)) => {
                    self.refuse(&error);
                    return Ok(());
                }
            }
        }
        self.begin(&mut answer);
        answer.dots.finish(self.machine.output());
        self.sent = (self.sent.0.saturating_add(1), self.sent.1.saturating_add(found.row.size));
        Ok(())
    }

    /// Bytes of the store, piece by piece: at most one waits for a client that reads slowly.
    async fn stream(
        &mut self,
        wire: &mut Wire,
        answer: &mut Answer,
        blob: BlobId,
        place: Range<u64>,
    ) -> Result<(), Broken> {
        let store = Arc::clone(&self.context.store);
        let most = WRITE_BUFFER_MAX as u64;
        // Who asks for TOP nearly always wants the header only.
        let mut length = if answer.size.is_some() { most } else { POP3_TOP_PIECE };
        let mut at = place.start;
        while at < place.end && !answer.dots.is_enough() {
            let piece = store.read(blob, at, place.end.min(at.saturating_add(length))).await.map_err(Broken::Store)?;
            if piece.is_empty() {
                return Err(Broken::Store(StoreError::Damaged("a message ends early".to_owned())));
            }
            self.push(wire, answer, &piece).await?;
            at = at.saturating_add(piece.len() as u64);
            length = length.saturating_mul(2).min(most);
        }
        Ok(())
    }

    /// Adds bytes to the answer; the output never holds more than thrice [`WRITE_BUFFER_MAX`].
    async fn push(&mut self, wire: &mut Wire, answer: &mut Answer, bytes: &[u8]) -> Result<(), Broken> {
        for piece in bytes.chunks(WRITE_BUFFER_MAX) {
            if self.machine.output().len() >= WRITE_BUFFER_MAX {
                self.write_out(wire).await.map_err(Broken::Session)?;
                if self.shutdown.is_fired() {
                    return Err(Broken::Session(End::Cut));
                }
            }
            self.begin(answer);
            answer.dots.push(piece, self.machine.output());
        }
        Ok(())
    }

    fn begin(&mut self, answer: &mut Answer) {
        if !answer.begun {
            self.machine.message_follows(answer.size);
            answer.begun = true;
        }
    }

    fn refuse(&mut self, error: &StoreError) {
        if !matches!(error, StoreError::NotFound(_)) {
            self.tell_store(error);
        }
        self.machine.message_gone(gone(error));
    }

    /// Deletes what was marked; false if some is left.
    pub(super) async fn update(&mut self, ranges: Vec<UidRange>) -> bool {
        let Some(own) = &self.own else { return true };
        for part in ranges.chunks(PAGE_ROWS_MAX) {
            match self.context.store.expunge(own.mailbox, part.to_vec(), true).await {
                Ok(expunged) => self.deleted = self.deleted.saturating_add(expunged.uids.len()),
                Err(error) => {
                    self.tell_store(&error);
                    return false;
                }
            }
        }
        true
    }
}

/// What keeps an answer from going on.
enum Broken {
    Store(StoreError),
    Session(End),
}

fn gone(error: &StoreError) -> Gone {
    match error {
        StoreError::NotFound(_) => Gone::Elsewhere,
        StoreError::Damaged(_) | StoreError::Database(_) => Gone::Damaged,
        _ => Gone::Temporary,
    }
}
