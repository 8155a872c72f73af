//! What can go wrong.

use crate::routes::Malformed;
use mailward_core::limits::{
    ALIAS_DEPTH_MAX, ALIAS_TARGETS_MAX, DKIM_KEYS_MAX, GATEWAY_LISTED_MAX, GATEWAY_LISTED_STEP, GATEWAYS_MAX,
    ROUTE_LIFETIME_MAX, ROUTES_MAX,
};
use mailward_store::StoreError;

/// Why an administrative function did nothing. Shown to administrators.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such domain.
    #[error("there is no domain {0}; add it first: mailward domain add {0}")]
    NoDomain(String),
    /// No such account.
    #[error("there is no user {0}")]
    NoUser(String),
    /// No such alias.
    #[error("there is no alias {0}")]
    NoAlias(String),
    /// The name is taken by a domain, an account or an alias; the words say which.
    #[error("{0} is taken already: it is {1}")]
    Taken(String, &'static str),
    /// Still in use.
    #[error("{0} still has {1}; remove them first")]
    InUse(String, &'static str),
    /// A local part that no account or alias of ours may have.
    #[error("{0} can't be the name of {1}: {2}")]
    LocalPart(String, &'static str, &'static str),
    /// An address literal where a domain is needed.
    #[error("{0}: an address of ours has a domain, not an IP address")]
    Literal(String),
    /// An alias with no target.
    #[error("the alias {0} needs at least one target")]
    NoTarget(String),
    /// Too many targets, direct or once followed through.
    #[error("the alias {0} leads to more than {ALIAS_TARGETS_MAX} addresses")]
    TooManyTargets(String),
    /// Aliases in a circle, or too many in a row.
    #[error("the alias {0} leads back to itself, or through more than {ALIAS_DEPTH_MAX} aliases")]
    Loop(String),
    /// A target in one of our domains that is neither user nor alias.
    #[error("{0} is in a domain of ours, but there is no such user or alias")]
    NoTargetUser(String),
    /// Something still leads there; the words say what.
    #[error("{0} is still a target of {1}; change that first")]
    StillTarget(String, String),
    /// A DKIM key doesn't open: domain, selector, why.
    #[error("DKIM key {1} of {0}: {2} (mailward dkim rotate {0}, then mailward dkim activate {0})")]
    DkimKey(String, String, mailward_vault::VaultError),
    /// No such DKIM key.
    #[error("there is no DKIM key {0} of {1}; see mailward dkim list {1}")]
    NoDkimKey(String, String),
    /// No DKIM keys wait to be activated.
    #[error("{0} has no next DKIM keys; make them first: mailward dkim rotate {0}")]
    NoNextKey(String),
    /// The DKIM key signs.
    #[error("the DKIM key {0} signs; make others first: mailward dkim rotate {1}, then mailward dkim activate {1}")]
    DkimSigns(String, String),
    /// The DKIM key retires; its day is to come.
    #[error("mail that the DKIM key {0} signed may be verified until {1}; to remove it all the same, add --now")]
    DkimStillVerified(String, String),
    /// See `limits::DKIM_KEYS_MAX`.
    #[error("{0} has {DKIM_KEYS_MAX} DKIM keys, as many as it may; remove retired ones first: mailward dkim list {0}")]
    DkimFull(String),
    /// Words that are no route.
    #[error(transparent)]
    Route(Malformed),
    /// No such route.
    #[error("there is no route {0}; see mailward route list")]
    NoRoute(String),
    /// The name is taken.
    #[error("there is a route {0} already; change it: mailward route change {0}")]
    RouteTaken(String),
    /// Another one is for exactly the same mail.
    #[error("{0} is for the same mail already: change or remove that one")]
    RouteSame(String),
    /// See `limits::ROUTES_MAX`.
    #[error("there are {ROUTES_MAX} routes, as many as there may be; remove some first")]
    RoutesFull,
    /// See `limits::ROUTE_LIFETIME_MAX`.
    #[error("mail is tried for 1 to {ROUTE_LIFETIME_MAX} seconds, and warned of within that time")]
    RouteLifetime,
    /// A smart host's user without a password.
    #[error("a user at a smart host needs the password: --password-file FILE, or - for standard input")]
    RoutePasswordMissing,
    /// A password without a smart host's user.
    #[error("there is no user that the password is for: smarthost HOST --user NAME")]
    RoutePasswordUnused,
    /// A smart host's password doesn't open.
    #[error("the password of route {0} can't be opened; give it again: mailward route change {0} --password-file FILE")]
    RoutePassword(String),
    /// A record of the shelf can't be read.
    #[error("{0} in the store can't be read: is it from a newer version?")]
    RouteDamaged(String),
    /// No such gateway.
    #[error("there is no gateway for {0}; see mailward gateway list")]
    NoGateway(String),
    /// See `limits::GATEWAYS_MAX`.
    #[error("there are {GATEWAYS_MAX} gateways, as many as there may be; remove some first")]
    GatewaysFull,
    /// An address that isn't of the gateway's domain.
    #[error("{0} isn't an address of {1}")]
    GatewayRecipient(String, String),
    /// See `limits::GATEWAY_LISTED_MAX`, `limits::GATEWAY_LISTED_STEP`.
    #[error("all gateways together list at most {GATEWAY_LISTED_MAX} recipients, {GATEWAY_LISTED_STEP} in one step")]
    GatewayListFull,
    /// Over a limit of text.
    #[error("{0} has at most {1} characters")]
    TooLong(&'static str, usize),
    /// A control character in a text.
    #[error("{0} can't hold control characters")]
    ControlCharacter(&'static str),
    /// The password doesn't do.
    #[error("{0}")]
    Password(#[from] mailward_vault::PasswordFault),
    /// The vault failed.
    #[error(transparent)]
    Vault(mailward_vault::VaultError),
    /// Too many hashes wait.
    #[error("the server is busy hashing passwords; try again in a moment")]
    Busy,
}

/// Why there is no login. Protocols answer with their own codes and these words; nothing in them tells strangers
/// whether a user exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Unknown user, wrong password, disabled account, forged message: one answer. Given after
    /// `limits::AUTH_FAILURE_DELAY`.
    #[error("user name or password wrong")]
    Refused,
    /// The client's message is not of the mechanism's grammar.
    #[error("malformed authentication message")]
    Malformed,
    /// A mechanism that was not advertised.
    #[error("unknown or unavailable authentication mechanism")]
    UnknownMechanism,
    /// No login in clear text.
    #[error("start TLS first")]
    NeedsTls,
    /// Temporary: too many logins at once.
    #[error("too many logins at once, try again later")]
    Busy,
    /// Temporary: the store or the vault failed.
    #[error("authentication temporarily unavailable")]
    Unavailable,
}
