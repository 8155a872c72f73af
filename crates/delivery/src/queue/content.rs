//! A stored message on its way to the wire, a piece at a time.

use super::notice::without_return_path;
use bytes::Bytes;
use mailward_core::BlobId;
use mailward_core::limits::QUEUE_PIECE;
use mailward_smtp::client::Content;
use mailward_store::{MailStore, StoreError};
use std::io::{Error, ErrorKind};
use std::sync::Arc;

/// The message as it goes out, with fields before it.
pub(crate) struct Stored {
    store: Arc<dyn MailStore>,
    blob: BlobId,
    /// Bytes that are stored.
    end: u64,
    /// Bytes that go out.
    size: u64,
    /// The fields, and the first piece, once each.
    before: Option<Bytes>,
    first: Option<Bytes>,
    at: u64,
}

impl Stored {
    /// Begins to read it.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn open(
        store: Arc<dyn MailStore>,
        blob: BlobId,
        end: u64,
        before: Bytes,
    ) -> Result<Self, StoreError> {
        let first = store.read(blob, 0, end.min(QUEUE_PIECE)).await?;
        let at = first.len();
        let kept = without_return_path(&first).len();
        let first = first.slice(at.saturating_sub(kept)..);
        let left_out = u64::try_from(at.saturating_sub(kept)).unwrap_or(0);
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        let added = u64::try_from(before.len()).unwrap_or(u64::MAX);
        let size = end.saturating_sub(left_out).saturating_add(added);
        Ok(Self { store, blob, end, size, before: Some(before), first: Some(first), at })
    }
}

impl Content for Stored {
    fn size(&self) -> u64 {
        self.size
    }

    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        if let Some(before) = self.before.take().filter(|before| !before.is_empty()) {
            return Ok(Some(before));
        }
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Ok(Some(first));
        }
        if self.at >= self.end {
            return Ok(None);
        }
        let until = self.end.min(self.at.saturating_add(QUEUE_PIECE));
        let piece = self.store.read(self.blob, self.at, until).await.map_err(|error| match error {
            StoreError::Io(_, error) => error,
            other => Error::other(other.to_string()),
        })?;
        // The store cuts at the message's end: less than asked for means that it isn't whole.
        if u64::try_from(piece.len()).ok() != until.checked_sub(self.at) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.at = until;
        Ok(Some(piece))
    }
}
