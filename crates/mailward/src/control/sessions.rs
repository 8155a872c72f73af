//! Who is connected, and the end of it.

use crate::compose::Running;
use crate::failure::Failure;
use mailward_core::event::Event;
use mailward_core::{AccountId, Address, Domain, Protocol};
use mailward_directory::Directory;
use mailward_gate::SessionInfo;
use serde_json::{Value, json};

/// Why sessions are ended; the word in the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    Asked,
    Password,
    Disabled,
    Removed,
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Why::Asked => "administrator",
            Why::Password => "password changed",
            Why::Disabled => "disabled",
            Why::Removed => "removed",
        }
    }
}

/// All sessions, or those of one user, or by one protocol.
pub(super) fn list(
    server: &Running,
    directory: &Directory,
    user: Option<&Address>,
    protocol: Option<Protocol>,
) -> Result<Value, Failure> {
    let user = user.map(|user| own_address(directory, user)).transpose()?;
    let wanted = |session: &SessionInfo| {
        user.as_ref().is_none_or(|user| session.user.as_ref() == Some(user))
            && protocol.is_none_or(|protocol| session.peer.listener.protocol() == protocol)
    };
    Ok(server.gate().sessions().iter().filter(|session| wanted(session)).map(told).collect())
}

/// The account's own address, as sessions have it.
fn own_address(directory: &Directory, user: &Address) -> Result<String, Failure> {
    let own = directory.account_id(user).and_then(|account| directory.addresses_of(account).into_iter().next());
    own.map(|own| own.to_string()).ok_or_else(|| no_user(user))
}

pub(super) fn no_user(user: &Address) -> Failure {
    Failure::Refused(format!("there is no user {user}; `mailward user list` tells who there is"))
}

fn told(session: &SessionInfo) -> Value {
    json!({
        "session": session.peer.session,
        "user": session.user,
        "protocol": session.peer.listener.protocol(),
        "listener": session.peer.listener,
        "from": session.peer.address_text(),
        "client": session.client,
        "tls": session.tls.map(|(version, cipher)| json!({ "version": version, "cipher": cipher })),
        "mailbox": session.mailbox,
        "state": session.activity.name(),
        "connected_seconds": session.connected.as_secs(),
        "idle_seconds": session.idle.as_secs(),
    })
}

/// Ends one session.
pub(super) fn end(server: &Running, number: u64) -> Result<Value, Failure> {
    let ended = server.gate().end_session(number);
    let ended = ended.ok_or_else(|| {
        Failure::Refused(format!("there is no session {number} any more; `mailward sessions` lists those there are"))
    })?;
    tell(server, Why::Asked, &ended);
    Ok(told(&ended))
}

/// Ends all sessions of a user.
pub(super) fn end_user(server: &Running, directory: &Directory, user: &Address) -> Result<Value, Failure> {
    let account = directory.account_id(user).ok_or_else(|| no_user(user))?;
    Ok(json!({ "sessions_ended": end_of_account(Some(server), account, Why::Asked) }))
}

/// Ends all sessions of an account, if a server runs; how many there were.
pub(super) fn end_of_account(server: Option<&Running>, account: AccountId, why: Why) -> usize {
    end_of(server, |id, _| id == account, why)
}

/// Ends all sessions of users of a domain, if a server runs; how many there were.
pub(super) fn end_of_domain(server: Option<&Running>, domain: &Domain, why: Why) -> usize {
    let domain = format!("@{domain}");
    end_of(server, |_, address| address.ends_with(&domain), why)
}

fn end_of(server: Option<&Running>, whose: impl Fn(AccountId, &str) -> bool, why: Why) -> usize {
    let Some(server) = server else { return 0 };
    let ended = server.gate().end_sessions(whose);
    for session in &ended {
        tell(server, why, session);
    }
    ended.len()
}

fn tell(server: &Running, why: Why, session: &SessionInfo) {
    let mut event = Event::info("session.ended").with_peer(&session.peer);
    if let Some(user) = &session.user {
        event = event.with("user", user);
    }
    server.events().emit(event.with("why", why.name()));
}
