//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, RFC 5802 and 7677: a struct for each state, no I/O.
//!
//! ```text
//! ScramServer ──client-first──► ClientFirst ──keys──► server-first, ClientFinalDue ──client-final──► server-final
//! ```

mod message;
#[cfg(test)]
mod tests;

use crate::bindings::ChannelBindings;
use crate::credential::{ScramKeys, sha256, sign};
use crate::error::ScramError;
use crate::random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use message::{BindingFlag, FinalMessage, FirstMessage};
use subtle::ConstantTimeEq;

/// Waits for the client's first message.
#[derive(Debug)]
pub struct ScramServer {
    plus: bool,
    plus_advertised: bool,
    bindings: ChannelBindings,
}

/// Has the client's first message: knows who wants to log in, not yet whether they may.
#[derive(Debug)]
pub struct ClientFirst {
    /// From outside.
    user: String,
    authorize: Option<String>,
    /// What the client-final message must repeat: the GS2 header and, with PLUS, the channel's own bytes.
    bound: Vec<u8>,
    bare: String,
    client_nonce: String,
}

/// Waits for the client's proof.
#[derive(Debug)]
pub struct ClientFinalDue {
    keys: ScramKeys,
    bound: Vec<u8>,
    nonce: String,
    /// `client-first-message-bare "," server-first-message ","`.
    auth_message: String,
}

impl ScramServer {
    /// For SCRAM-SHA-256-PLUS if `plus`. `plus_advertised` tells whether the client saw PLUS among the mechanisms:
    /// a client that could bind and says it saw no PLUS has been lied to (RFC 5802 §6).
    #[must_use]
    pub const fn new(plus: bool, plus_advertised: bool, bindings: ChannelBindings) -> Self {
        Self { plus, plus_advertised, bindings }
    }

    /// Takes the client-first message (RFC 5802 §7).
    ///
    /// # Errors
    /// [`ScramError::Malformed`]; [`ScramError::Refused`] if the channel binding asked for is not one of this
    /// channel, is missing with PLUS or there without, or was hidden from the client on the way (attacks B10).
    pub fn client_first(self, message: &[u8]) -> Result<ClientFirst, ScramError> {
        let first = FirstMessage::parse(message)?;
        let bound_to: &[u8] = match (&first.binding, self.plus) {
            (BindingFlag::NotSupported, false) => &[],
            (BindingFlag::NotOffered, false) if !self.plus_advertised => &[],
            (BindingFlag::Used("tls-exporter"), true) => {
                self.bindings.exporter.as_ref().ok_or(ScramError::Refused)?.as_slice()
            }
            (BindingFlag::Used("tls-server-end-point"), true) => {
                self.bindings.server_end_point.as_deref().ok_or(ScramError::Refused)?
            }
            _ => return Err(ScramError::Refused),
        };
        let mut bound = first.gs2_header.as_bytes().to_vec();
        bound.extend_from_slice(bound_to);
        Ok(ClientFirst {
            user: first.user,
            authorize: first.authorize,
            bound,
            bare: first.bare.to_owned(),
            client_nonce: first.nonce.to_owned(),
        })
    }
}

impl ClientFirst {
    /// Who wants to log in, unescaped. From outside.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
    /// As whom they want to act, if they said so. From outside.
    #[must_use]
    pub fn authorize(&self) -> Option<&str> {
        self.authorize.as_deref()
    }
    /// Answers with the salt of the user's keys (or a [`crate::Decoy`]'s): the server-first message.
    ///
    /// # Errors
    /// [`ScramError::Randomness`].
    pub fn challenge(self, keys: ScramKeys) -> Result<(Vec<u8>, ClientFinalDue), ScramError> {
        // 18 bytes are 24 characters of base64 without padding, none of them a comma.
        let ours = random::<18>().map_err(|_| ScramError::Randomness)?;
        Ok(self.challenge_with(keys, &STANDARD.encode(ours)))
    }

    fn challenge_with(self, keys: ScramKeys, server_nonce: &str) -> (Vec<u8>, ClientFinalDue) {
        let nonce = format!("{}{server_nonce}", self.client_nonce);
        let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&keys.salt), keys.iterations);
        let auth_message = format!("{},{server_first},", self.bare);
        (server_first.into_bytes(), ClientFinalDue { keys, bound: self.bound, nonce, auth_message })
    }
}

impl ClientFinalDue {
    /// Checks the client-final message: binding, nonce and proof, all three whatever the first ones gave, and gives
    /// the server-final message, which proves to the client that we know its keys.
    ///
    /// # Errors
    /// [`ScramError::Malformed`]; [`ScramError::Refused`].
    pub fn verify(self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        let last = FinalMessage::parse(message)?;
        let auth_message = format!("{}{}", self.auth_message, last.without_proof);
        let signature = sign(&self.keys.stored_key, auth_message.as_bytes());
        let mut client_key = last.proof;
        client_key.iter_mut().zip(&signature).for_each(|(key, sig)| *key ^= *sig);
        let bound = last.bound.ct_eq(self.bound.as_slice());
        let nonce = last.nonce.as_bytes().ct_eq(self.nonce.as_bytes());
        let proof = sha256(&client_key).ct_eq(&self.keys.stored_key);
        if !bool::from(bound & nonce & proof) {
            return Err(ScramError::Refused);
        }
        let server_signature = sign(&self.keys.server_key, auth_message.as_bytes());
        Ok(format!("v={}", STANDARD.encode(server_signature)).into_bytes())
    }
}

/// Both parsers over one input, for the fuzzer: total over any bytes.
pub fn parse_scram_messages(message: &[u8]) {
    let _parsed = FirstMessage::parse(message).map(|m| m.user);
    let _parsed = FinalMessage::parse(message).map(|m| m.proof);
}
