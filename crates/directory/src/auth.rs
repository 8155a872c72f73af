//! Who may log in.

use crate::directory::Directory;
use crate::error::LoginError;
use crate::sasl::{Mechanism, Sasl};
use crate::snapshot::AccountEntry;
use crate::watch::{Attempt, Before, Failed, LoginWatch, NobodyWatches};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{AUTH_FAILURE_DELAY, LOGIN_WAIT_MAX};
use mailward_core::{AccountId, Address, Peer, Secret};
use mailward_vault::{
    Agreed, Asked, ChannelBindings, Credential, Decoy, ScramKeys, VaultError, VerifiedCache, WrongMark, WrongMarks,
    new_server_secret,
};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Instant;

/// Proof that somebody logged in. Only [`Authenticator`] makes one.
#[derive(Clone, Debug)]
pub struct Login {
    account: AccountId,
    address: Address,
    /// Of the credential that was proved; see [`Directory::stands`].
    credential: u64,
}

impl Login {
    /// Whose.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }
    /// The account's own address, folded.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
    /// Whether it would be given for the account as it is now.
    pub(crate) fn is_of(&self, account: &AccountEntry) -> bool {
        account.record.enabled
            && account.address == self.address
            && fingerprint(&account.record.credential) == self.credential
    }
}

/// Tells one credential of an account from its next: each has a salt of its own. Never leaves the process.
fn fingerprint(credential: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    credential.hash(&mut hasher);
    hasher.finish()
}

/// Decides who logs in, for every protocol, and tells of it.
pub struct Authenticator {
    directory: Arc<Directory>,
    /// `None` only if the system gave no randomness for its key; then every login is hashed.
    verified: Option<VerifiedCache>,
    /// `None` for the same reason; then every wrong password is another.
    marks: Option<WrongMarks>,
    decoy: Decoy,
    watch: Arc<dyn LoginWatch>,
    events: Events,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator")
    }
}

/// Why a login failed: for the log alone, never for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    UnknownUser,
    Disabled,
    NoPassword,
    Wrong,
    OtherIdentity,
    /// Also what a client says that was lied to about our mechanisms: somebody may sit between us.
    Binding,
    Malformed,
    /// The watch refused it; the secret was not looked at.
    Guard,
    /// The account changed while the secret was looked at.
    Changed,
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Why::UnknownUser => "unknown_user",
            Why::Disabled => "disabled",
            Why::NoPassword => "no_password",
            Why::Wrong => "wrong",
            Why::OtherIdentity => "other_identity",
            Why::Binding => "channel_binding",
            Why::Malformed => "malformed",
            Why::Guard => "guard",
            Why::Changed => "changed",
        }
    }
}

/// How somebody logs in: for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    /// The SASL mechanism, or `password`.
    pub(crate) mechanism: &'static str,
    /// What carries it.
    pub(crate) tls: Option<Agreed>,
}

impl How {
    /// Adds it to an event.
    fn told(self, event: Event) -> Event {
        let event = event.with("mechanism", self.mechanism);
        match self.tls {
            Some(tls) => event.with("tls", tls.version).with("cipher", tls.cipher),
            None => event,
        }
    }
}

/// A user name as a client gave it, looked up.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Canonical, whether or not it is anybody's. From outside.
    pub(crate) user: String,
    account: Option<Arc<AccountEntry>>,
}

impl Authenticator {
    /// An authenticator over this directory, with a secret for [`Decoy`]s that lives as long as the process. A
    /// server that restarts gives [`Authenticator::with_secret`] the one it has kept.
    #[must_use]
    pub fn new(directory: Arc<Directory>, events: Events) -> Arc<Self> {
        // Without randomness every SCRAM exchange ends before the decoy is asked: there is no nonce either.
        let secret = new_server_secret().unwrap_or_else(|_| Secret::new("no randomness"));
        Self::with_secret(directory, events, secret)
    }

    /// The same, with a secret of 32 random bytes that outlives the process, so that the salts of users who don't
    /// exist stay the same over restarts, as those of users who do.
    #[must_use]
    pub fn with_secret(directory: Arc<Directory>, events: Events, secret: Secret) -> Arc<Self> {
        Self::watched(directory, events, secret, Arc::new(NobodyWatches))
    }

    /// The same, with somebody who watches every login.
    #[must_use]
    pub fn watched(directory: Arc<Directory>, events: Events, secret: Secret, watch: Arc<dyn LoginWatch>) -> Arc<Self> {
        directory.report_to(events.clone());
        let (verified, marks) = (VerifiedCache::new().ok(), WrongMarks::new().ok());
        Arc::new(Self { directory, verified, marks, decoy: Decoy::new(secret), watch, events })
    }

    /// Mechanisms to advertise, best first; none without TLS. PLUS only under TLS 1.3: under 1.2 RFC 5802 §6 would
    /// oblige us to offer `tls-unique`, which is unsafe without conditions that the client can't see.
    #[must_use]
    pub fn mechanisms(&self, tls: Option<&ChannelBindings>) -> Vec<&'static str> {
        let Some(bindings) = tls else {
            return Vec::new();
        };
        Mechanism::ALL.into_iter().filter(|m| m.available(bindings)).map(Mechanism::name).collect()
    }

    /// Begins a SASL exchange (RFC 4422). The name's case doesn't matter.
    ///
    /// # Errors
    /// [`LoginError::NeedsTls`] or [`LoginError::UnknownMechanism`].
    pub fn begin(
        self: &Arc<Self>,
        mechanism: &str,
        tls: Option<&ChannelBindings>,
        peer: &Peer,
    ) -> Result<Sasl, LoginError> {
        let bindings = tls.ok_or(LoginError::NeedsTls)?;
        let mechanism = Mechanism::ALL
            .into_iter()
            .find(|m| m.name().eq_ignore_ascii_case(mechanism) && m.available(bindings))
            .ok_or(LoginError::UnknownMechanism)?;
        Ok(Sasl::new(Arc::clone(self), mechanism, bindings, peer.clone()))
    }

    /// Logs in by name and password (IMAP LOGIN, POP3 USER and PASS). `tls`: of the connection, if it has it.
    ///
    /// # Errors
    /// [`LoginError`]; [`LoginError::Refused`] comes after `limits::AUTH_FAILURE_DELAY`.
    pub async fn password(
        &self,
        user: &str,
        password: &Secret,
        tls: Option<&ChannelBindings>,
        peer: &Peer,
    ) -> Result<Login, LoginError> {
        let bindings = tls.ok_or(LoginError::NeedsTls)?;
        let claim = self.claim(user);
        let how = How { mechanism: "password", tls: bindings.agreed };
        self.verify_password(&claim, password, None, how, peer).await
    }

    /// Looks a user name up.
    pub(crate) fn claim(&self, user: &str) -> Claim {
        let (user, account) = self.directory.named(user);
        Claim { user, account }
    }

    /// One way for everybody whom the watch lets try: the hash is computed whether or not there is a user, a password or a
    /// reason to refuse (attacks C4).
    pub(crate) async fn verify_password(
        &self,
        claim: &Claim,
        password: &Secret,
        objection: Option<Why>,
        how: How,
        peer: &Peer,
    ) -> Result<Login, LoginError> {
        let account = claim.account.as_deref();
        let stored: &[u8] = account.map_or(&[], |a| &a.record.credential);
        // What is wrong today may be right once the account has another password, or is enabled again.
        let open: &[u8] = if claim.is_open() { stored } else { &[] };
        let mark = self.marks.as_ref().map(|marks| marks.of(&claim.user, open, password));
        let asked =
            account.map(|a| Asked { account: a.record.id, user: &claim.user, credential: stored, secret: password });
        let known = asked.zip(self.verified.as_ref()).is_some_and(|(asked, cache)| cache.knows(asked, Instant::now()));
        let known = known && objection.is_none() && claim.is_open();
        let tried = self.tried(claim, (mark.as_ref(), known), how, peer).await?;
        if known {
            return self.succeed(claim, tried).await;
        }
        let credential = account.and_then(|account| self.credential(account));
        let same = match self.directory.hasher().verify(credential, password).await {
            Ok(same) => same,
            Err(VaultError::Busy) => return Err(tried.undecided("busy", LoginError::Busy)),
            Err(_) => return Err(tried.undecided("unavailable", LoginError::Unavailable)),
        };
        if let Some(why) = claim.objection().or(objection) {
            return Err(tried.fail(why).await);
        }
        if !same {
            return Err(tried.fail(Why::Wrong).await);
        }
        if let Some((asked, cache)) = asked.zip(self.verified.as_ref()) {
            cache.remember(asked, Instant::now());
        }
        self.succeed(claim, tried).await
    }

    /// Asks the watch, and waits as it says. No place for hashing is held meanwhile.
    pub(crate) async fn tried<'a>(
        &'a self,
        claim: &'a Claim,
        (mark, remembered): (Option<&'a WrongMark>, bool),
        how: How,
        peer: &'a Peer,
    ) -> Result<Tried<'a>, LoginError> {
        let account = claim.account.as_deref().map(|account| (account.record.id, &account.address));
        let tls = how.tls.map(|agreed| agreed.version);
        let attempt = Attempt { user: &claim.user, account, peer, mark, remembered, tls };
        let mut word = self.watch.before(&attempt);
        // From here on the watch is told what came of it, also if this is dropped.
        let began = tokio::time::Instant::now();
        let mut tried = Tried { auth: self, attempt, how, began, dropped: Some(Failed::Left) };
        if let Before::Wait(time) = word {
            tokio::time::sleep(time.min(LOGIN_WAIT_MAX)).await;
            tried.began = tokio::time::Instant::now();
            word = self.watch.again(&attempt);
        }
        match word {
            Before::Go => {
                tried.dropped = Some(Failed::Abandoned);
                Ok(tried)
            }
            Before::Refuse | Before::Wait(_) => Err(tried.fail(Why::Guard).await),
        }
    }

    /// The keys for a SCRAM exchange: the account's, or a decoy's.
    pub(crate) fn scram_keys(&self, claim: &Claim) -> ScramKeys {
        let credential = claim.account.as_deref().and_then(|account| self.credential(account));
        credential.map_or_else(|| self.decoy.scram(&claim.user), |credential| credential.scram().clone())
    }

    fn credential(&self, account: &AccountEntry) -> Option<Credential> {
        if account.record.credential.is_empty() {
            return None;
        }
        Credential::from_bytes(&account.record.credential)
            .inspect_err(|error| {
                self.events
                    .emit(Event::alert("credential.damaged").with("user", &account.address).with("error", error));
            })
            .ok()
    }

    /// The secret was right: makes the proof.
    pub(crate) async fn succeed(&self, claim: &Claim, tried: Tried<'_>) -> Result<Login, LoginError> {
        let (how, peer) = (tried.how, tried.attempt.peer);
        match self.proof(claim, how, peer) {
            Some(login) => {
                tried.succeeded();
                Ok(login)
            }
            None => Err(tried.fail(Why::Changed).await),
        }
    }

    /// Makes the proof, if the account is now what it was when the credential was taken: hashing takes time, and a
    /// SCRAM exchange as long as the client likes.
    pub(crate) fn proof(&self, claim: &Claim, how: How, peer: &Peer) -> Option<Login> {
        let now = claim.account.as_ref().and_then(|account| self.directory.account_now(account.record.id));
        let same = now.as_ref().zip(claim.account.as_ref()).is_some_and(|(now, then)| {
            now.record.enabled && now.record.credential == then.record.credential && now.address == then.address
        });
        let account = now.filter(|_| same)?;
        let event = Event::info("login.succeeded").with_peer(peer).with("user", &account.address);
        self.events.emit(how.told(event));
        let credential = fingerprint(&account.record.credential);
        Some(Login { account: account.record.id, address: account.address.clone(), credential })
    }

    /// An exchange that fails for what nobody's secret has to do with: tells the log why, waits, and gives the client the one
    /// answer. The watch counts it as it counts malformed ones.
    pub(crate) async fn fail_unnamed(&self, user: &str, why: Why, how: How, peer: &Peer) -> LoginError {
        self.watch.malformed(peer);
        self.tell_failure(user, why.name(), how, peer);
        tokio::time::sleep(AUTH_FAILURE_DELAY).await;
        LoginError::Refused
    }

    /// A message that is no message of the mechanism tells nothing of any user: the answer needs no delay.
    pub(crate) fn malformed(&self, how: How, peer: &Peer) -> LoginError {
        self.watch.malformed(peer);
        self.tell_failure("", Why::Malformed.name(), how, peer);
        LoginError::Malformed
    }

    fn tell_failure(&self, user: &str, why: &'static str, how: How, peer: &Peer) {
        let event = Event::warn("login.failed").with_peer(peer).with("user", user);
        self.events.emit(how.told(event).with("reason", why));
    }
}

/// A login that is tried. However it ends, the watch is told, once.
#[must_use = "dropped, it counts as given up by the client"]
pub(crate) struct Tried<'a> {
    auth: &'a Authenticator,
    attempt: Attempt<'a>,
    how: How,
    /// When it was let try: the answer to a failure comes `AUTH_FAILURE_DELAY` after that, whatever was done meanwhile.
    began: tokio::time::Instant,
    /// What the watch is told if this is dropped; nothing once it was told what came of it.
    dropped: Option<Failed>,
}

impl Tried<'_> {
    fn tell(&mut self, why: Failed) {
        self.dropped = None;
        self.auth.watch.failed(&self.attempt, why);
    }

    /// It was a login.
    pub(crate) fn succeeded(mut self) {
        self.dropped = None;
        self.auth.watch.succeeded(&self.attempt);
    }

    /// Tells the log why, waits, and gives the client the one answer.
    pub(crate) async fn fail(mut self, why: Why) -> LoginError {
        self.tell(match why {
            Why::Guard => Failed::Refused,
            Why::OtherIdentity | Why::Binding | Why::Changed => Failed::Other,
            _ => Failed::Wrong,
        });
        self.auth.tell_failure(self.attempt.user, why.name(), self.how, self.attempt.peer);
        tokio::time::sleep_until(self.due()).await;
        LoginError::Refused
    }

    /// The client's message was none.
    pub(crate) fn malformed(mut self) -> LoginError {
        self.tell(Failed::Malformed);
        self.auth.tell_failure(self.attempt.user, Why::Malformed.name(), self.how, self.attempt.peer);
        LoginError::Malformed
    }

    /// It is not the client's fault.
    pub(crate) fn undecided(mut self, why: &'static str, error: LoginError) -> LoginError {
        self.tell(Failed::Undecided);
        self.auth.tell_failure(self.attempt.user, why, self.how, self.attempt.peer);
        error
    }

    fn due(&self) -> tokio::time::Instant {
        self.began.checked_add(AUTH_FAILURE_DELAY).unwrap_or(self.began)
    }
}

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        if let Some(why) = self.dropped {
            self.auth.watch.failed(&self.attempt, why);
        }
    }
}

impl Claim {
    /// Why this can't become a login, whatever the proof.
    pub(crate) fn objection(&self) -> Option<Why> {
        match &self.account {
            None => Some(Why::UnknownUser),
            Some(account) if !account.record.enabled => Some(Why::Disabled),
            Some(account) if account.record.credential.is_empty() => Some(Why::NoPassword),
            Some(_) => None,
        }
    }
    fn is_open(&self) -> bool {
        self.objection().is_none()
    }
}
