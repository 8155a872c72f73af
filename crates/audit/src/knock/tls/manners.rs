//! What shows only once TLS runs: whether it is begun anew when a client says so, and whether data are taken before it is proven
//! who sends them.

use super::super::certificate::Offer;
use super::super::{KnockError, Talk};
use super::{Hello, Version, suites};
use crate::scene::Door;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use mailward_core::limits::{KNOCK_ANSWER_TIME, KNOCK_CONNECT_TIME};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ConnectionTrafficSecrets};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What became of a client's wish to begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renegotiation {
    /// There is no such thing: the door doesn't speak TLS 1.2, in which it is tried.
    None,
    /// It was refused, or the connection ended.
    Refused,
    /// It was begun.
    Begun,
}

/// Whether a door begins TLS 1.2 anew when a client says so: a first message is sent inside a session that runs, encrypted with its
/// own keys. What comes back is told by the outer type of its record, which isn't encrypted.
///
/// The message proves that it goes on from what was said before (RFC 5746 §3.5), with what our own end of the first handshake was,
/// which is taken from the bytes that were sent.
///
/// # Errors
/// [`KnockError`] where it can't be told.
pub async fn renegotiates(door: &Door) -> Result<Renegotiation, KnockError> {
    if super::takes(door, Version::TLS12).await?.is_none() {
        return Ok(Renegotiation::None);
    }
    let (mut stream, connection, sent) = agreed(door).await?;
    let keys = connection.dangerous_extract_secrets().map_err(|error| KnockError::Tls(error.to_string()))?;
    let proof = our_end(&sent, &keys.tx.1)?;
    let suites = suites::of(Version::TLS12);
    let mut hello = Hello::new(Version::TLS12, &suites);
    hello.goes_on_from = &proof;
    let hello = hello.bytes(&door.name, [7; 32]);
    let message = hello.get(5..).unwrap_or_default();
    let mut records = sealed(22, message, keys.tx.0, &keys.tx.1)?;
    // A server may also go on as if nothing was said: then it takes its leave when it is asked to, and that is an answer.
    let goodbye = door.protocol.goodbye().as_bytes();
    records.extend(sealed(23, goodbye, keys.tx.0.saturating_add(1), &keys.tx.1)?);
    if stream.write_all(&records).await.is_err() {
        return Ok(Renegotiation::Refused);
    }
    tokio::time::timeout(KNOCK_ANSWER_TIME, heard(&mut stream)).await.map_err(|_late| KnockError::Late)?
}

/// TLS 1.2 agreed on, and every byte that we sent for it.
async fn agreed(door: &Door) -> Result<(TcpStream, ClientConnection, Vec<u8>), KnockError> {
    let broken = |why: &dyn std::fmt::Display| KnockError::Tls(why.to_string());
    let mut stream = Talk::up_to_tls(door).await?.into_clear()?;
    let name = ServerName::try_from(door.name.clone()).map_err(|error| broken(&error))?;
    let mut connection =
        ClientConnection::new(Offer::old_with_keys().config()?, name).map_err(|error| broken(&error))?;
    let mut sent = Vec::new();
    let shaking = async {
        loop {
            let mut out = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut out).map_err(|error| broken(&error))?;
            }
            stream.write_all(&out).await.map_err(|_gone| KnockError::Closed)?;
            sent.extend_from_slice(&out);
            if !connection.is_handshaking() {
                return Ok(());
            }
            let mut space = [0; 4096];
            let count = stream.read(&mut space).await.map_err(|_gone| KnockError::Closed)?;
            if count == 0 {
                return Err(KnockError::Closed);
            }
            let mut bytes = space.get(..count).unwrap_or_default();
            while !bytes.is_empty() {
                connection.read_tls(&mut bytes).map_err(|error| broken(&error))?;
                connection.process_new_packets().map_err(|error| broken(&error))?;
            }
        }
    };
    tokio::time::timeout(KNOCK_CONNECT_TIME, shaking).await.map_err(|_late| KnockError::Late)??;
    Ok((stream, connection, sent))
}

/// What our first handshake ended with (RFC 5246 §7.4.9): the one handshake record that was sent encrypted, opened again.
fn our_end(sent: &[u8], keys: &ConnectionTrafficSecrets) -> Result<Vec<u8>, KnockError> {
    const LOST: KnockError = KnockError::Odd("how the handshake ended can't be told");
    let (mut rest, mut is_encrypted) = (sent, false);
    // As many rounds as records, each of which has five bytes at least.
    while let Some((&[kind, _, _, high, low], after)) = rest.split_first_chunk::<5>() {
        let (body, after) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low]))).ok_or(LOST)?;
        match kind {
            20 => is_encrypted = true,
            22 if is_encrypted => {
                let message = opened(kind, body, 0, keys)?;
                return Ok(message.get(4..).ok_or(LOST)?.to_vec());
            }
            _ => {}
        }
        rest = after;
    }
    Err(LOST)
}

/// What a server does about it.
async fn heard(stream: &mut TcpStream) -> Result<Renegotiation, KnockError> {
    loop {
        let mut head = [0; 5];
        if stream.read_exact(&mut head).await.is_err() {
            return Ok(Renegotiation::Refused);
        }
        let [kind, _, _, high, low] = head;
        match kind {
            22 => return Ok(Renegotiation::Begun),
            // "No renegotiation", or the end in other words.
            21 => return Ok(Renegotiation::Refused),
            // A greeting, and what it says to a goodbye.
            23 => {}
            // Some leave TLS at that, and say in clear what went wrong: nothing was begun.
            _ if kind.is_ascii_graphic() => return Ok(Renegotiation::Refused),
            _ => return Err(KnockError::Odd("what comes back under TLS is no record")),
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        if stream.read_exact(&mut body).await.is_err() {
            return Ok(Renegotiation::Refused);
        }
    }
}

/// What AES-GCM takes.
fn cipher(keys: &ConnectionTrafficSecrets) -> Result<(LessSafeKey, &[u8]), KnockError> {
    let (algorithm, key, iv) = match keys {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
        _ => return Err(OTHER),
    };
    let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| OTHER)?;
    Ok((LessSafeKey::new(key), iv.as_ref().get(..4).ok_or(OTHER)?))
}

const OTHER: KnockError = KnockError::Odd("it agrees on another cipher than AES-GCM, with which this can't be tried");

/// What is authenticated beside a record's content.
fn about(kind: u8, sequence: u64, length: usize) -> Result<Aad<Vec<u8>>, KnockError> {
    let mut about = sequence.to_be_bytes().to_vec();
    about.extend_from_slice(&[kind, 3, 3]);
    about.extend_from_slice(&u16::try_from(length).map_err(|_| OTHER)?.to_be_bytes());
    Ok(Aad::from(about))
}

/// The content of a record.
fn opened(kind: u8, body: &[u8], sequence: u64, keys: &ConnectionTrafficSecrets) -> Result<Vec<u8>, KnockError> {
    const BROKEN: KnockError = KnockError::Odd("what it says under TLS can't be opened");
    let (key, salt) = cipher(keys)?;
    let (explicit, encrypted) = body.split_at_checked(8).ok_or(BROKEN)?;
    let nonce = Nonce::try_assume_unique_for_key(&[salt, explicit].concat()).map_err(|_| BROKEN)?;
    let length = encrypted.len().checked_sub(AES_128_GCM.tag_len()).ok_or(BROKEN)?;
    let mut content = encrypted.to_vec();
    let plain = key.open_in_place(nonce, about(kind, sequence, length)?, &mut content).map_err(|_| BROKEN)?;
    Ok(plain.to_vec())
}

/// A record of TLS 1.2 with AES in GCM (RFC 5288 §3, RFC 5246 §6.2.3.3).
fn sealed(kind: u8, message: &[u8], sequence: u64, keys: &ConnectionTrafficSecrets) -> Result<Vec<u8>, KnockError> {
    let (key, salt) = cipher(keys)?;
    let explicit = sequence.to_be_bytes();
    let nonce = Nonce::try_assume_unique_for_key(&[salt, &explicit].concat()).map_err(|_| OTHER)?;
    let mut body = message.to_vec();
    key.seal_in_place_append_tag(nonce, about(kind, sequence, message.len())?, &mut body).map_err(|_| OTHER)?;
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
