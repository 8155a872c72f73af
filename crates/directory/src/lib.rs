//! # directory: who is who
//!
//! **For**: domains, accounts (never system users), aliases, quotas; where mail to an address goes; who may log in
//! and as whom somebody may send.
//!
//! Also the DKIM keys of our domains: who signs for them ([`Dkim`]), and which mail for others goes another way than by
//! DNS ([`routes`]).
//!
//! **In**: records of the store, commands of administrators, what clients say in a login. **Out**: [`Resolution`]s,
//! [`Login`]s (the only proof of a login there is) and listings for administrators.
//!
//! Every question is answered from a snapshot in memory, with no lock and no I/O; the snapshot is made anew when
//! the store's directory version rises, and before any administrative function returns.
//!
//! **Limits**: aliases have at most `ALIAS_TARGETS_MAX` targets, also once followed through, and point at aliases at
//! most `ALIAS_DEPTH_MAX` deep; passwords, hashes at once and waiting hashes as in `vault`; one message of a SASL
//! exchange has `SASL_LINE_MAX`; a domain has at most `DKIM_KEYS_MAX` DKIM keys.
//!
//! Who watches logins ([`LoginWatch`]) is asked before a secret is looked at, and told what came of it.
//!
//! **Failure**: a login that fails gets one answer after one delay, whether the user is unknown, disabled or the
//! password is wrong (attacks A6, C4). A refused change says why and changes nothing. If the store fails, the last
//! snapshot stays in use, and an error says so.
//!
//! **Standards**: RFC 5321 §4.5.1 (postmaster), RFC 2142 §4 (abuse), RFC 5233 (subaddresses), SASL PLAIN (RFC 4616), LOGIN
//! (draft-murchison-sasl-login), SCRAM-SHA-256 and -PLUS (RFC 5802, 7677).

mod admin;
mod auth;
mod directory;
mod dkim;
mod error;
mod info;
pub mod qmail;
pub mod routes;
mod sasl;
mod snapshot;
mod watch;

#[cfg(test)]
mod tests;

pub use admin::{DomainSettings, NewPassword, NewUser, UserSettings};
pub use auth::{Authenticator, Login};
pub use directory::{Directory, LocalTarget, Resolution};
pub use dkim::{Dkim, DkimInfo, TxtRecord};
pub use error::{DirectoryError, LoginError};
pub use info::{AliasInfo, DomainInfo, UserInfo};
pub use sasl::{Sasl, SaslStep, parse_sasl_plain};
pub use watch::{Attempt, Before, Failed, LoginWatch, NobodyWatches};
