//! Who may send out without a login: programs of this host, whose user the kernel names, and hosts of our networks, by
//! the address that they really connect from. Neither proof can be carried in what a client says (attacks A1).

use crate::relay::{Refusal, Right, SenderPermit, Sending};
use crate::rules::Treatment;
use mailward_core::config::{Config, Grant, Granted};
use mailward_core::{Address, Domain, Listener, LocalPart, Peer};
use mailward_directory::Directory;

/// A user of this host, as the kernel names the other end of a Unix socket or the owner of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalUser {
    uid: u32,
    name: String,
    trusted: bool,
}

impl LocalUser {
    /// A user by what the kernel said. `server` is the user that the server runs as; `name` the login name, if the system
    /// knows one.
    #[must_use]
    pub fn of_kernel(uid: u32, server: u32, name: Option<&str>) -> Self {
        // What can't stand before an @ is no name to send as.
        let name = name.filter(|name| LocalPart::parse(name, false).is_ok());
        Self { uid, name: name.map_or_else(|| format!("uid-{uid}"), str::to_owned), trusted: uid == 0 || uid == server }
    }
    /// Its number.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.uid
    }
    /// Its login name; `uid-1000` if it has none that could stand before an `@`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Root or the server's own user: they may send as every address of ours.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        self.trusted
    }
    fn is_named(&self, user: &str) -> bool {
        user == self.name || user.parse() == Ok(self.uid)
    }
    fn is(&self, local: &LocalPart) -> bool {
        let local = local.folded();
        let bare = local.split_once('+').map_or(local.as_str(), |(bare, _)| bare);
        bare == self.name.to_lowercase()
    }
}

impl std::fmt::Display for LocalUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "uid {} {}", self.uid, self.name)
    }
}

/// What this host is called, in addresses of its own users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThisHost {
    /// The name in greetings; addresses get it where nothing else is said.
    pub name: Domain,
    /// Others that programs use: `localhost`, the system's own.
    pub others: Vec<Domain>,
}

impl ThisHost {
    /// This host, as greetings and the rules name it. `localhost` is always this host (RFC 6761 §6.3).
    #[must_use]
    pub fn called(name: &Domain, rules: &InsideRules) -> Self {
        let mut others = rules.names.clone();
        others.extend(Domain::parse("localhost"));
        Self { name: name.clone(), others }
    }
    /// Whether a domain is a name of this host.
    #[must_use]
    pub fn is(&self, domain: &Domain) -> bool {
        *domain == self.name || self.others.contains(domain)
    }
}

/// What an administrator grants to those inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InsideRules {
    /// Whether hosts that may relay send as anybody, not only as addresses of ours. Who they are say the rules
    /// ([`crate::rules`]).
    pub any_sender: bool,
    /// Users of this host.
    pub grants: Vec<Grant>,
    /// Names of this host that its programs use, beside the one in greetings: the system's own.
    pub names: Vec<Domain>,
}

impl From<&Config> for InsideRules {
    fn from(config: &Config) -> Self {
        Self { any_sender: config.relay.any_sender, grants: config.sendmail.users.clone(), names: Vec::new() }
    }
}

/// Decides whether a user of this host may send as `from` (`None` is the null path).
///
/// # Errors
/// [`Refusal::SenderDenied`].
pub fn decide_program(
    directory: &Directory,
    rules: &InsideRules,
    host: &ThisHost,
    user: &LocalUser,
    from: Option<&Address>,
    sending: Sending,
) -> Result<SenderPermit, Refusal> {
    if from.is_some_and(|from| !program_may_be(directory, rules, host, user, from)) {
        return Err(Refusal::SenderDenied);
    }
    Ok(SenderPermit { right: Right::Program(sending) })
}

/// Whether mail of this user may say that it is from an address: the user's own at this host; one that the administrator
/// grants; for root and the server's own user any of ours.
#[must_use]
pub fn program_may_be(
    directory: &Directory,
    rules: &InsideRules,
    host: &ThisHost,
    user: &LocalUser,
    address: &Address,
) -> bool {
    let Some(domain) = address.domain() else { return false };
    let ours = directory.is_local_domain(domain);
    if host.is(domain) && user.is(address.local()) {
        return true;
    }
    if user.trusted && (ours || host.is(domain)) {
        return true;
    }
    rules.grants.iter().filter(|grant| user.is_named(&grant.user)).any(|grant| match &grant.who {
        Granted::Ours => ours,
        Granted::Domain(granted) => granted == domain,
        Granted::Address(granted) => is_same(granted, address),
    })
}

/// The same mailbox, with or without a `+tag`.
fn is_same(granted: &Address, address: &Address) -> bool {
    let (granted_local, local) = (granted.local().folded(), address.local().folded());
    let tagged = local.strip_prefix(&granted_local).is_some_and(|tag| tag.starts_with('+'));
    granted.host() == address.host() && (local == granted_local || tagged)
}

/// Decides whether a peer is a host that may send out as `from`, by what the rules say of it. `None`: it has no more rights
/// than any stranger. Only on the door for other servers. Where the rules wait for the recipient, the right is a stranger's until
/// [`SenderPermit::toward`] one.
#[must_use]
pub fn decide_inside(
    directory: &Directory,
    rules: &InsideRules,
    treatment: &Treatment,
    peer: &Peer,
    from: Option<&Address>,
    sending: Sending,
) -> Option<SenderPermit> {
    let right = match (peer.listener, peer.address) {
        (Listener::Smtp, Some(_)) if treatment.relays() => Right::Inside(sending),
        (Listener::Smtp, Some(_)) if treatment.may_relay() => Right::Perhaps(sending),
        _ => return None,
    };
    from.is_none_or(|from| inside_may_be(directory, rules, from)).then_some(SenderPermit { right })
}

/// Whether mail that hosts of our networks send out may say that it is from an address.
#[must_use]
pub fn inside_may_be(directory: &Directory, rules: &InsideRules, address: &Address) -> bool {
    rules.any_sender || address.domain().is_some_and(|domain| directory.is_local_domain(domain))
}

/// Whom a recipient at this host itself means, where its name is no domain of ours: the same local part in the domain that
/// this host belongs to. `None`: mail for it is for whom it says.
#[must_use]
pub fn at_this_host(directory: &Directory, host: &ThisHost, recipient: &Address) -> Option<Address> {
    let domain = recipient.domain().filter(|domain| host.is(domain))?;
    if directory.is_local_domain(domain) {
        return None;
    }
    let home = directory.home_of(&host.name)?;
    Some(Address::new(recipient.local().clone(), mailward_core::Host::Domain(home)))
}
