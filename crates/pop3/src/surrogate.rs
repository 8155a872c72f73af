//! The form of a message for clients that haven't said UTF8 (RFC 6856 §2.1): RFC 6858's, whose rules are in
//! [`mailward_message::downgrade`]. Header sections with UTF-8 in them, those of parts too, are replaced; bodies stay to
//! the byte, 8-bit ones as well, which POP3 clients have read for as long as there has been MIME.
//!
//! The other way that RFC 6856 §5 leaves, an error, is for what is past a limit only: a client that knows no UTF8 can't
//! be told to use it, and would stop at the same message every day.

use mailward_core::BlobId;
use mailward_core::limits::{HEADER_BYTES_MAX, POP3_SURROGATE_MAX, WRITE_BUFFER_MAX};
use mailward_message::{Structure, downgrade};
use mailward_store::{MailStore, StoreError};
use std::ops::Range;

/// What is replaced of a message; nothing of most.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Surrogate {
    /// Ascending, not overlapping.
    edits: Vec<(Range<u64>, Vec<u8>)>,
    /// Bytes of all of them.
    held: usize,
}

/// A piece of the form that is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'s> {
    /// These bytes of the message.
    Kept(Range<u64>),
    /// These instead of some.
    New(&'s [u8]),
}

impl Surrogate {
    /// Of a message in memory; `None` if it would be past the limit.
    pub(crate) fn of(message: &[u8]) -> Option<Self> {
        let mut surrogate = Self::default();
        if message.is_ascii() {
            return Some(surrogate);
        }
        for part in Structure::parse(message).parts() {
            let header = bytes_of(message, &part.header);
            if !surrogate.edit(part.header.clone(), header) {
                return None;
            }
        }
        Some(surrogate)
    }

    /// Of a message in the store: reads its headers, no more than [`HEADER_BYTES_MAX`] bytes at a time. `None` if it would be
    /// past the limit.
    pub(crate) async fn of_stored(store: &dyn MailStore, blob: BlobId) -> Result<Option<Self>, StoreError> {
        let found = store.blobs(vec![blob]).await?.pop().ok_or(StoreError::NotFound("message"))?;
        let structure = match Structure::from_bytes(&found.structure) {
            Ok(structure) => structure,
            // Made by another version: as it was at delivery, anew.
            Err(_) => {
                let bytes = store.read(blob, 0, found.size).await?;
                let parsed = tokio::task::spawn_blocking(move || Structure::parse(&bytes)).await;
                parsed.map_err(|_| StoreError::Damaged("a message's structure".to_owned()))?
            }
        };
        drop(found);
        let places: Vec<Range<u64>> =
            structure.parts().map(|part| part.header.clone()).filter(|place| !place.is_empty()).collect();
        drop(structure);
        let most = HEADER_BYTES_MAX as u64;
        let is_long = |place: &Range<u64>| place.end.saturating_sub(place.start) > most;
        let mut surrogate = Self::default();
        let mut left = places.as_slice();
        while let Some((first, after)) = left.split_first() {
            if is_long(first) {
                if !is_ascii(store, blob, first.clone()).await? {
                    return Ok(None);
                }
                left = after;
                continue;
            }
            let wanted = left.iter().take_while(|place| !is_long(place)).map(|place| (blob, place.clone())).collect();
            let headers = store.read_parts(wanted, most).await?;
            if headers.is_empty() {
                return Err(StoreError::Damaged("a message's header".to_owned()));
            }
            let (read, after) = left.split_at_checked(headers.len()).unwrap_or((left, &[]));
            for (place, header) in read.iter().zip(&headers) {
                let header = header.as_ref().ok_or(StoreError::NotFound("message"))?;
                if !surrogate.edit(place.clone(), header) {
                    return Ok(None);
                }
            }
            left = after;
        }
        Ok(Some(surrogate))
    }

    /// Takes a header section in; false past the limit.
    fn edit(&mut self, place: Range<u64>, header: &[u8]) -> bool {
        if let Some(new) = downgrade::header(header) {
            self.held = self.held.saturating_add(new.len());
            self.edits.push((place, new));
        }
        self.held <= POP3_SURROGATE_MAX
    }

    /// Octets that are sent of a message of so many.
    pub(crate) fn size(&self, original: u64) -> u64 {
        self.edits.iter().fold(original, |size, (place, new)| {
            size.saturating_sub(place.end.saturating_sub(place.start)).saturating_add(new.len() as u64)
        })
    }

    /// What is sent of a message of so many octets, in order.
    pub(crate) fn pieces(&self, original: u64) -> impl Iterator<Item = Piece<'_>> {
        let mut at = 0u64;
        let mut edits = self.edits.iter();
        let mut new: Option<&[u8]> = None;
        std::iter::from_fn(move || {
            if let Some(text) = new.take() {
                return Some(Piece::New(text));
            }
            let Some((place, text)) = edits.next() else {
                let rest = at..original;
                at = original;
                return (!rest.is_empty()).then_some(Piece::Kept(rest));
            };
            let kept = at..place.start;
            at = place.end;
            if kept.is_empty() {
                return Some(Piece::New(text));
            }
            new = Some(text);
            Some(Piece::Kept(kept))
        })
    }
}

/// The bytes of a range, or none of them if it isn't inside.
pub(crate) fn bytes_of<'m>(message: &'m [u8], place: &Range<u64>) -> &'m [u8] {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    message.get(at(place.start)..at(place.end)).unwrap_or_default()
}

async fn is_ascii(store: &dyn MailStore, blob: BlobId, place: Range<u64>) -> Result<bool, StoreError> {
    let mut at = place.start;
    while at < place.end {
        let piece = store.read(blob, at, place.end.min(at.saturating_add(WRITE_BUFFER_MAX as u64))).await?;
        if piece.is_empty() {
            return Err(StoreError::Damaged("a message ends early".to_owned()));
        }
        if !piece.is_ascii() {
            return Ok(false);
        }
        at = at.saturating_add(piece.len() as u64);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(message: &[u8]) -> Vec<u8> {
        let surrogate = Surrogate::of(message).unwrap();
        let size = message.len() as u64;
        let mut out = Vec::new();
        for piece in surrogate.pieces(size) {
            match piece {
                Piece::Kept(place) => out.extend_from_slice(bytes_of(message, &place)),
                Piece::New(text) => out.extend_from_slice(text),
            }
        }
        assert_eq!(surrogate.size(size), out.len() as u64);
        out
    }

    #[test]
    fn a_message_without_utf_8_in_its_headers_is_sent_to_the_byte() {
        for message in ["", "a", "Subject: a\r\n\r\nb", "Subject: a\r\n\r\nbödy ä\r\n", "\r\nä", "ä"] {
            assert_eq!(sent(message.as_bytes()), message.as_bytes());
        }
        let latin = b"Subject: gr\xfc\xdfe\r\n\r\nb\xf6dy";
        assert_eq!(sent(latin), latin);
    }

    #[test]
    fn headers_are_rewritten_those_of_parts_and_messages_inside_too_and_bodies_stay() {
        let message = "Subject: ä\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nprä\r\n--b\r\n\
                       Content-Disposition: attachment; filename=ö\r\n\r\nbödy\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
                       From: a@b.example\r\nSubject: ü\r\n\r\ninnän\r\n--b--\r\nepilög";
        let expected = "Subject: =?utf-8?Q?=C3=A4?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nprä\r\n--b\r\n\
                        Content-Disposition: attachment;\r\n filename*=utf-8''%C3%B6\r\n\r\nbödy\r\n--b\r\n\
                        Content-Type: message/rfc822\r\n\r\n\
                        From: a@b.example\r\nSubject: =?utf-8?Q?=C3=BC?=\r\n\r\ninnän\r\n--b--\r\nepilög";
        assert_eq!(String::from_utf8(sent(message.as_bytes())).unwrap(), expected);
    }

    #[test]
    fn past_the_limit_there_is_none() {
        let fits = format!("Subject: {}\r\n\r\nbody", "ä".repeat(POP3_SURROGATE_MAX / 8));
        assert!(Surrogate::of(fits.as_bytes()).is_some());
        let past = format!("Subject: {}\r\n\r\nbody", "ä".repeat(POP3_SURROGATE_MAX / 6));
        assert!(Surrogate::of(past.as_bytes()).is_none());
    }
}
