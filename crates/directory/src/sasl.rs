//! SASL exchanges: PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 and -PLUS.

use crate::auth::{Authenticator, Claim, How, Login, Why};
use crate::error::LoginError;
use mailward_core::limits::SASL_LINE_MAX;
use mailward_core::{Peer, Secret};
use mailward_vault::{ChannelBindings, ClientFinalDue, ScramError, ScramServer};
use std::sync::Arc;

/// What we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    ScramPlus,
    Scram,
    Plain,
    Login,
}

impl Mechanism {
    /// Best first.
    pub(crate) const ALL: [Mechanism; 4] = [Mechanism::ScramPlus, Mechanism::Scram, Mechanism::Plain, Mechanism::Login];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Mechanism::ScramPlus => "SCRAM-SHA-256-PLUS",
            Mechanism::Scram => "SCRAM-SHA-256",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
        }
    }
    /// Advertised and taken, or neither.
    pub(crate) const fn available(self, bindings: &ChannelBindings) -> bool {
        !matches!(self, Mechanism::ScramPlus) || bindings.exporter.is_some()
    }
}

/// One SASL exchange. Decoded bytes in and out: base64 is the protocol's affair. Nothing of it is shared with any
/// other exchange (attacks C8).
#[derive(Debug)]
pub struct Sasl {
    authenticator: Arc<Authenticator>,
    mechanism: Mechanism,
    how: How,
    peer: Peer,
    state: State,
}

/// What comes next in an exchange.
#[derive(Debug)]
pub enum SaslStep {
    /// Send this and bring the answer. SCRAM's server-final message comes this way too; the client answers it with
    /// nothing.
    Challenge(Vec<u8>),
    /// Logged in.
    Done(Login),
}

#[derive(Debug)]
enum State {
    Plain,
    LoginUser,
    LoginPassword(Claim),
    ScramFirst(ScramServer),
    ScramFinal { due: ClientFinalDue, claim: Claim, objection: Option<Why> },
    ScramEnd(Claim),
    Over,
}

/// Prompts of LOGIN; clients look at the order, some at the words.
const USERNAME: &[u8] = b"Username:";
const PASSWORD: &[u8] = b"Password:";

impl Sasl {
    pub(crate) fn new(
        authenticator: Arc<Authenticator>,
        mechanism: Mechanism,
        bindings: &ChannelBindings,
        peer: Peer,
    ) -> Self {
        let plus_advertised = Mechanism::ScramPlus.available(bindings);
        let state = match mechanism {
            Mechanism::ScramPlus => State::ScramFirst(ScramServer::new(true, true, bindings.clone())),
            Mechanism::Scram => State::ScramFirst(ScramServer::new(false, plus_advertised, bindings.clone())),
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
        };
        let how = How { mechanism: mechanism.name(), tls: bindings.agreed };
        Self { authenticator, mechanism, how, peer, state }
    }

    /// The mechanism's name.
    #[must_use]
    pub const fn mechanism(&self) -> &'static str {
        self.mechanism.name()
    }

    /// Takes the client's message; `None` if there was no initial response. After an error the exchange is over.
    ///
    /// # Errors
    /// [`LoginError`]; every further step is [`LoginError::Malformed`].
    pub async fn step(&mut self, response: Option<&[u8]>) -> Result<SaslStep, LoginError> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (how, auth) = (self.how, Arc::clone(&self.authenticator));
        let Some(message) = response else {
            // All our mechanisms let the client begin; without an initial response it is asked to.
            let prompt = match state {
                State::LoginUser => USERNAME,
                State::Plain | State::ScramFirst(_) => b"",
                _ => return Err(auth.malformed(how, &self.peer)),
            };
            self.state = state;
            return Ok(SaslStep::Challenge(prompt.to_vec()));
        };
        if message.len() > SASL_LINE_MAX {
            return Err(auth.malformed(how, &self.peer));
        }
        match state {
            State::Plain => {
                let Some((authorize, user, password)) = parse_sasl_plain(message) else {
                    return Err(auth.malformed(how, &self.peer));
                };
                let claim = auth.claim(user);
                let objection = other_identity(&auth, &claim, authorize);
                let password = Secret::new(password);
                auth.verify_password(&claim, &password, objection, how, &self.peer).await.map(SaslStep::Done)
            }
            State::LoginUser => {
                let Ok(user) = std::str::from_utf8(message) else {
                    return Err(auth.malformed(how, &self.peer));
                };
                self.state = State::LoginPassword(auth.claim(user));
                Ok(SaslStep::Challenge(PASSWORD.to_vec()))
            }
            State::LoginPassword(claim) => {
                let password = Secret::new(message);
                auth.verify_password(&claim, &password, None, how, &self.peer).await.map(SaslStep::Done)
            }
            State::ScramFirst(server) => {
                let first = match server.client_first(message) {
                    Ok(first) => first,
                    Err(error) => return Err(self.scram_error(error, Why::Binding).await),
                };
                let claim = auth.claim(first.user());
                let objection = other_identity(&auth, &claim, first.authorize().unwrap_or_default());
                let (challenge, due) = match first.challenge(auth.scram_keys(&claim)) {
                    Ok(begun) => begun,
                    Err(error) => return Err(self.scram_error(error, Why::Wrong).await),
                };
                self.state = State::ScramFinal { due, claim, objection };
                Ok(SaslStep::Challenge(challenge))
            }
            State::ScramFinal { due, claim, objection } => {
                let tried = auth.tried(&claim, (None, false), how, &self.peer).await?;
                let answer = match due.verify(message) {
                    Ok(answer) => answer,
                    Err(ScramError::Refused) => {
                        return Err(tried.fail(claim.objection().or(objection).unwrap_or(Why::Wrong)).await);
                    }
                    Err(ScramError::Malformed) => return Err(tried.malformed()),
                    Err(ScramError::Randomness) => {
                        return Err(tried.undecided("unavailable", LoginError::Unavailable));
                    }
                };
                if let Some(why) = claim.objection().or(objection) {
                    return Err(tried.fail(why).await);
                }
                // The secret was proved. What the client says to our proof changes nothing of that.
                tried.succeeded();
                self.state = State::ScramEnd(claim);
                Ok(SaslStep::Challenge(answer))
            }
            State::ScramEnd(claim) if message.is_empty() => match auth.proof(&claim, how, &self.peer) {
                Some(login) => Ok(SaslStep::Done(login)),
                None => Err(auth.fail_unnamed(&claim.user, Why::Changed, how, &self.peer).await),
            },
            State::ScramEnd(_) | State::Over => Err(auth.malformed(how, &self.peer)),
        }
    }

    /// Before anybody was named.
    async fn scram_error(&self, error: ScramError, why: Why) -> LoginError {
        match error {
            ScramError::Malformed => self.authenticator.malformed(self.how, &self.peer),
            ScramError::Refused => self.authenticator.fail_unnamed("", why, self.how, &self.peer).await,
            ScramError::Randomness => LoginError::Unavailable,
        }
    }
}

/// Nobody acts as somebody else: an authorization identity is empty or the same user.
fn other_identity(auth: &Authenticator, claim: &Claim, authorize: &str) -> Option<Why> {
    (!authorize.is_empty() && auth.claim(authorize).user != claim.user).then_some(Why::OtherIdentity)
}

/// Reads a PLAIN message (RFC 4616 §2): authorization identity, which may be empty, user and password. Total over
/// any bytes.
#[must_use]
pub fn parse_sasl_plain(message: &[u8]) -> Option<(&str, &str, &[u8])> {
    let mut fields = message.split(|byte| *byte == 0);
    let (authorize, user, password) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() || user.is_empty() || password.is_empty() {
        return None;
    }
    Some((std::str::from_utf8(authorize).ok()?, std::str::from_utf8(user).ok()?, password))
}
