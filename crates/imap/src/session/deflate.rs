//! COMPRESS=DEFLATE (RFC 4978): both directions packed, each bounded by what the session takes and gives anyway. What
//! comes out of a packed byte is no more than one read's worth at a time, and the reader of commands has its limits on
//! that as on plain bytes (attacks G6): a bomb costs its sender the connection, not the server its memory.

use super::io::End;
use super::reply::{Done, Stop};
use super::{Session, State};
use bytes::BytesMut;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use mailward_core::limits::READ_BUFFER;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Packed bytes that are made at once: no larger than what goes into one write.
const PACKED_STEP: usize = 16 * 1024;

/// Both directions' state.
pub(super) struct Deflate {
    pack: Compress,
    unpack: Decompress,
    /// Packed, as it came.
    pub(super) raw: BytesMut,
    /// How many sessions may have such a thing.
    _place: OwnedSemaphorePermit,
}

impl Deflate {
    fn new(place: OwnedSemaphorePermit) -> Self {
        Self {
            // Raw deflate without a zlib header (RFC 4978 §3); the fastest level already takes mail to a third.
            pack: Compress::new(Compression::fast(), false),
            unpack: Decompress::new(false),
            raw: BytesMut::new(),
            _place: place,
        }
    }

    /// Unpacks what has come, one buffer at most; whether anything came out.
    pub(super) fn unpack(&mut self, input: &mut BytesMut) -> Result<bool, End> {
        let mut unpacked = Vec::with_capacity(READ_BUFFER);
        let before = self.unpack.total_in();
        let status = self.unpack.decompress_vec(&self.raw, &mut unpacked, FlushDecompress::Sync);
        let used = self.unpack.total_in().saturating_sub(before);
        let used = usize::try_from(used).unwrap_or(usize::MAX).min(self.raw.len());
        drop(self.raw.split_to(used));
        input.extend_from_slice(&unpacked);
        match status {
            Ok(Status::Ok | Status::BufError) => Ok(!unpacked.is_empty()),
            // The stream has ended, and with it what the client can say; or it isn't one.
            Ok(Status::StreamEnd) if !unpacked.is_empty() => Ok(true),
            Ok(Status::StreamEnd) | Err(_) => Err(End::Gone),
        }
    }

    /// Packs replies so that the client can read all of them now.
    pub(super) fn pack(&mut self, mut replies: &[u8]) -> Result<Vec<u8>, End> {
        let mut packed = Vec::new();
        loop {
            packed.reserve(PACKED_STEP);
            let (in_before, room) = (self.pack.total_in(), packed.capacity());
            self.pack.compress_vec(replies, &mut packed, FlushCompress::Sync).map_err(|_| End::Gone)?;
            let used = self.pack.total_in().saturating_sub(in_before);
            replies = replies.get(usize::try_from(used).unwrap_or(usize::MAX)..).unwrap_or_default();
            // Room left means that everything is out, the end of the flush too.
            if replies.is_empty() && packed.len() < room {
                return Ok(packed);
            }
        }
    }
}

impl Session {
    /// The answer still goes plain; everything after it is packed.
    pub(super) async fn compress(&mut self, tag: &str) -> Result<Done, Stop> {
        if self.io.deflate.is_some() {
            return Ok(Done::no("[COMPRESSIONACTIVE] everything is compressed already"));
        }
        if matches!(self.state, State::NotAuthenticated { .. }) {
            return Ok(Done::bad("log in first"));
        }
        let Ok(place) = Arc::clone(&self.context.compressed.0).try_acquire_owned() else {
            return Ok(Done::no("[LIMIT] too many sessions are compressed; go on without"));
        };
        if !self.io.input.is_empty() {
            return Err(End::Bye("nothing may follow COMPRESS before its answer").into());
        }
        self.io.line(&[tag, " OK compressed from here on"]);
        self.io.flush().await?;
        self.io.deflate = Some(Box::new(Deflate::new(place)));
        Err(Stop::Answered)
    }
}
