//! DKIM signatures for what is sent: from a message and the domain of its author to the fields that stand before it.

use bytes::Bytes;
use mailward_core::limits::SIGN_PIECE;
use mailward_core::{BlobId, Domain, Timestamp};
use mailward_directory::{DirectoryError, Dkim};
use mailward_store::api::{MailStore, StoreError};
use mailward_vault::dkim::SignFault;

/// Why a message got no signatures.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The message can't be signed, now or later: it isn't fit to be sent.
    #[error(transparent)]
    Message(#[from] SignFault),
    /// The keys can't be had; temporary, or a matter for the administrator. The message must wait.
    #[error(transparent)]
    Keys(#[from] DirectoryError),
    /// The message can't be read; temporary.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs a stored message, which is sent as it stands: `from` is the domain of its From field, `now` the time. Answers the
/// `DKIM-Signature` fields to be sent before its first byte; `None` if the domain isn't ours or has no keys.
///
/// Reads the message in pieces of `limits::SIGN_PIECE`; takes a few milliseconds a megabyte, and one for the keys.
///
/// # Errors
/// [`SignError`].
pub async fn sign(
    dkim: &Dkim,
    store: &dyn MailStore,
    blob: BlobId,
    from: &Domain,
    now: Timestamp,
) -> Result<Option<Bytes>, SignError> {
    let Some(signer) = dkim.signer(from).await? else { return Ok(None) };
    let mut signing = signer.begin(now);
    let mut at = 0u64;
    loop {
        let piece = store.read(blob, at, at.saturating_add(SIGN_PIECE)).await?;
        signing.push(&piece)?;
        let length = piece.len() as u64;
        at = at.saturating_add(length);
        if length < SIGN_PIECE {
            return Ok(Some(signing.finish()?.into()));
        }
    }
}

/// The same for a message that is at hand, whole or in pieces: one that isn't sent as it is stored.
///
/// # Errors
/// [`SignError::Message`], [`SignError::Keys`].
pub async fn sign_pieces<'m>(
    dkim: &Dkim,
    pieces: impl IntoIterator<Item = &'m [u8]> + Send,
    from: &Domain,
    now: Timestamp,
) -> Result<Option<Bytes>, SignError> {
    let Some(signer) = dkim.signer(from).await? else { return Ok(None) };
    let mut signing = signer.begin(now);
    for piece in pieces {
        signing.push(piece)?;
    }
    Ok(Some(signing.finish()?.into()))
}
