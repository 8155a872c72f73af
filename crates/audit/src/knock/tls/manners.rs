//! What shows only once TLS runs: whether it is begun anew when a client says so, and whether data are taken before it is proven
//! who sends them.

use super::super::certificate::Offer;
use super::super::{KnockError, Talk};
use super::{Hello, Version, suites};
use crate::scene::Door;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use mailward_core::limits::KNOCK_ANSWER_TIME;
use rustls::ConnectionTrafficSecrets;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What became of a client's wish to begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renegotiation {
    /// There is no such thing: the door doesn't speak TLS 1.2 or older.
    None,
    /// It was refused, or the connection ended.
    Refused,
    /// It was begun.
    Begun,
}

/// Whether a door begins TLS 1.2 anew when a client says so: a first message is sent inside a session that runs, encrypted with its
/// own keys. What comes back is told by the outer type of its record, which isn't encrypted.
///
/// # Errors
/// [`KnockError`] where it can't be told.
pub async fn renegotiates(door: &Door) -> Result<Renegotiation, KnockError> {
    if super::takes(door, Version::TLS12).await?.is_none() {
        return Ok(Renegotiation::None);
    }
    let offer = Offer::old_with_keys();
    let mut wire = Talk::up_to_tls(door).await?;
    wire.start_tls(&door.name, offer).await?;
    let (mut stream, connection) = wire.into_tls()?;
    let keys = connection.dangerous_extract_secrets().map_err(|error| KnockError::Tls(error.to_string()))?;
    let suites = suites::of(Version::TLS12);
    let hello = Hello::new(Version::TLS12, &suites).bytes(&door.name, [7; 32]);
    let message = hello.get(5..).unwrap_or_default();
    let mut records = sealed(22, message, keys.tx.0, &keys.tx.1)?;
    // A server may also go on as if nothing was said: then it takes its leave when it is asked to, and that is an answer.
    let goodbye = door.protocol.goodbye().as_bytes();
    records.extend(sealed(23, goodbye, keys.tx.0.saturating_add(1), &keys.tx.1)?);
    if stream.write_all(&records).await.is_err() {
        return Ok(Renegotiation::Refused);
    }
    // Before it come the greeting and the answer, encrypted as any application data.
    let answer = async {
        loop {
            let mut head = [0; 5];
            if stream.read_exact(&mut head).await.is_err() {
                return Renegotiation::Refused;
            }
            let [kind, _, _, high, low] = head;
            match kind {
                22 => return Renegotiation::Begun,
                23 => {}
                _ => return Renegotiation::Refused,
            }
            let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
            if stream.read_exact(&mut body).await.is_err() {
                return Renegotiation::Refused;
            }
        }
    };
    tokio::time::timeout(KNOCK_ANSWER_TIME, answer).await.map_err(|_late| KnockError::Late)
}

/// A record of TLS 1.2 with AES in GCM (RFC 5288 §3, RFC 5246 §6.2.3.3).
fn sealed(kind: u8, message: &[u8], sequence: u64, keys: &ConnectionTrafficSecrets) -> Result<Vec<u8>, KnockError> {
    const OTHER: KnockError =
        KnockError::Odd("it agrees on another cipher than AES-GCM, with which this can't be tried");
    let (algorithm, key, iv) = match keys {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
        _ => return Err(OTHER),
    };
    let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| OTHER)?;
    let salt = iv.as_ref().get(..4).ok_or(OTHER)?;
    let explicit = sequence.to_be_bytes();
    let nonce: Vec<u8> = salt.iter().chain(&explicit).copied().collect();
    let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| OTHER)?;
    let length = u16::try_from(message.len()).map_err(|_| OTHER)?;
    let mut about = explicit.to_vec();
    about.extend_from_slice(&[kind, 3, 3]);
    about.extend_from_slice(&length.to_be_bytes());
    let mut body = message.to_vec();
    LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::from(about), &mut body).map_err(|_| OTHER)?;
    let all = u16::try_from(body.len().saturating_add(explicit.len())).map_err(|_| OTHER)?;
    let mut record = vec![kind, 3, 3];
    record.extend_from_slice(&all.to_be_bytes());
    record.extend_from_slice(&explicit);
    record.extend_from_slice(&body);
    Ok(record)
}

/// Whether a door takes data before the handshake is over, as its tickets say (RFC 8446 §4.2.10). Such data can be played again by
/// whoever heard them.
///
/// # Errors
/// [`KnockError`] where it can't be told.
pub async fn takes_early_data(door: &Door) -> Result<bool, KnockError> {
    let offer = Offer::resuming();
    let mut first = Talk::secured_offering(door, offer.clone()).await?;
    // Tickets come with the first answer at the latest.
    let _features = first.features().await?;
    let mut second = Talk::secured_offering(door, offer).await?;
    Ok(second.wire().shown().is_some_and(|shown| shown.early_data))
}
