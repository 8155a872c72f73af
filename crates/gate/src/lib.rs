//! # gate: who may connect, and to whom mail is taken
//!
//! **For**: the policy that is decided before any content is read. How many connections and sessions at once, and
//! who may send as whom to whom: users who logged in, programs of this host by their system user ([`decide_program`]), hosts
//! that the address rules let relay ([`rules`], [`decide_inside`]), strangers. No rights by default: a right is a value that only this
//! room makes. And the list of who is connected, by which one session or all of a user are ended.
//!
//! **In**: an address that connects, an account that logs in, a user whom the kernel names ([`LocalUser`]), a sender and a
//! recipient. **Out**:
//! [`ConnectionPermit`], [`SessionPermit`], [`SenderPermit`], [`RelayPermit`], or a refusal that says why;
//! [`SessionInfo`]s for an administrator.
//!
//! Who is banned gets nothing ([`bans`]); who guesses passwords is slowed and banned ([`logins`]), over all protocols. What users'
//! programs log in over is counted ([`clients`]).
//!
//! What the DNS says of a client, its greeting and the domain of a sender is found out by [`Reputation`]: lists
//! ([`Listed`]), names that lead back ([`Reverse`]), [`SenderDomain`]. It says what is so; what follows is weighed by [`score`],
//! and who looks bad is put off by [`greylist`].
//!
//! **Limits**: [`limits::CONNECTIONS_MAX`](mailward_core::limits::CONNECTIONS_MAX),
//! [`limits::CONNECTIONS_PER_ADDRESS_MAX`](mailward_core::limits::CONNECTIONS_PER_ADDRESS_MAX),
//! [`limits::CONNECTIONS_PER_NETWORK_MAX`](mailward_core::limits::CONNECTIONS_PER_NETWORK_MAX),
//! [`limits::SESSIONS_PER_ACCOUNT_MAX`](mailward_core::limits::SESSIONS_PER_ACCOUNT_MAX), each movable by
//! configuration ([`Caps`]), as are the marks of stress ([`Gate::is_under_stress`]). Bans and logins that are remembered:
//! `limits::BANS_MAX`, `limits::LOGINS_REMEMBERED_MAX` and the others of `limits/logins.rs`. What the list keeps of what a
//! client says of itself:
//! [`limits::SESSION_FIELD_MAX`](mailward_core::limits::SESSION_FIELD_MAX). How long a rewritten sender takes bounces, and how
//! hard it is to forge: [`limits::SRS_TIME`](mailward_core::limits::SRS_TIME),
//! [`limits::SRS_HASH_CHARS`](mailward_core::limits::SRS_HASH_CHARS). Which networks may be inside at all is judged where the
//! configuration is read: `INSIDE_*`, `SENDMAIL_GRANTS_MAX`.
//!
//! What is asked of the DNS, and how long it is waited for: `LIST_*`, `INQUIRIES_*`, `INQUIRY_*`, `REVERSE_NAMES_MAX`,
//! `SENDER_HOSTS_MAX`.
//!
//! **Failure**: every question is answered from memory, but whether an inside server takes a recipient ([`Inside`]), and what
//! the DNS says. What an inside server can't answer is refused for now; what the DNS can't answer is unknown, and speaks neither
//! for nor against anybody. What isn't clearly allowed is refused.
//!
//! **Standards**: RFC 5321 §3.9, §7.1 (relaying), RFC 6409 §6.1 (submission rights), RFC 3463 (status codes), RFC 5782 (lists
//! in the DNS), RFC 8601 §2.7.3 (names that lead back), RFC 7505 (null MX), the
//! Sender Rewriting Scheme (SRS, as libsrs2 has it).

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should"))]

pub mod bans;
pub mod battery;
mod bounce;
pub mod clients;
mod connections;
mod gateway;
pub mod greylist;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod hand;
mod hello;
mod inside;
pub mod journal;
mod keep;
mod lists;
pub mod logins;
pub mod rates;
mod relay;
mod reputation;
mod reverse;
pub mod rules;
pub mod score;
mod sender_domain;
mod sessions;
mod srs;
mod stress;
pub mod tcprules;

pub use bounce::{Bounce, KeptBounce, decide_bounce};
pub use connections::{Caps, ConnectionPermit, Gate, SessionPermit};
pub use gateway::{GatewayPermit, Inside, InsideAnswer, NobodyInside, Offers, decide_gateway};
pub use hello::{Hello, Ours, judge_hello};
pub use inside::{
    InsideRules, LocalUser, ThisHost, at_this_host, decide_inside, decide_program, inside_may_be, program_may_be,
};
pub use lists::{Fault, ListState, Listed, Silence, Unanswered};
pub use relay::{Recipient, Refusal, RelayPermit, SenderPermit, Sending, decide_recipient, decide_sender};
pub use reputation::{
    Asked, Findings, HelloStanding, Inquiry, LinkStanding, ListInfo, ListTrial, Reputation, ReputationParts,
    SenderStanding, Standing, Trial,
};
pub use reverse::{Reverse, is_generated};
pub use sender_domain::SenderDomain;
pub use sessions::{Activity, SessionEntry, SessionInfo};
pub use srs::{Rewritten, Srs};

/// Why a connection or session was not let in. All but a ban are temporary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The address is banned. It gets no word of that.
    #[error("banned")]
    Banned,
    /// Too many connections in all.
    #[error("too many connections; try again later")]
    Full,
    /// Too many connections from this address.
    #[error("too many connections from your address; close some, or try again later")]
    AddressFull,
    /// Too many connections from this network.
    #[error("too many connections from your network; try again later")]
    NetworkFull,
    /// Too many sessions of this account.
    #[error("too many sessions of this account; close some, or try again later")]
    AccountFull,
}
