//! SASL exchanges.

use crate::auth::Login;
use crate::error::LoginError;

/// One SASL exchange. Decoded bytes in and out: base64 is the protocol's affair.
pub struct Sasl;

/// What comes next in an exchange.
#[derive(Debug)]
pub enum SaslStep {
    /// Send this and bring the answer. SCRAM's server-final message comes this way too; the client answers it with
    /// nothing.
    Challenge(Vec<u8>),
    /// Logged in.
    Done(Login),
}

impl Sasl {
    /// Takes the client's message; `None` if there was no initial response. After an error the exchange is over.
    ///
    /// # Errors
    /// [`LoginError`]; every further step is [`LoginError::Malformed`].
    pub async fn step(&mut self, _response: Option<&[u8]>) -> Result<SaslStep, LoginError> {
        Err(LoginError::Malformed)
    }
}
