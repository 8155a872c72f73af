//! # sts: what domains demand of those who send to them
//!
//! **For**: knowing before mail is sent how its hosts have to prove who they are, where DANE (`dns`) doesn't say: by
//! MTA-STS ([`Sts`]), else by what the administrator has set ([`Required`]). And for telling domains how it went: results
//! are counted ([`Ledger`]) and made into reports ([`Report`]).
//!
//! **In**: a domain. **Out**: a [`Policy`], or why there is none; a [`Demand`]. Results in, [`Results`] of a day out.
//!
//! Everything that is fetched is an outsider's: a policy is read by one parser that takes nothing in doubt, hosts are
//! asked by [`Https`] alone, which goes to the world's addresses only ([`is_public`]) and follows nobody.
//!
//! **Limits**: `limits::STS_*`, `limits::HTTPS_*`, `limits::TLS_RESULTS_*`, `limits::TLS_REPORT_*`, `limits::TLS_POLICY_*`.
//!
//! **Failure**: a policy that can't be fetched is as if there were none, unless one is kept that still holds (RFC 8461
//! §5.1); a store that can't tell what is kept makes mail wait. Results that can't be written are counted on.
//!
//! **Standards**: RFC 8461 (MTA-STS), RFC 8460 (TLS reports), RFC 6890 (addresses that aren't the world's).

mod book;
mod https;
mod keeper;
mod policy;
mod reach;
mod record;
mod report;
mod required;
mod results;

pub use book::{Book, Daily, key};
pub use https::{Https, HttpsError};
pub use keeper::{Kept, Parts, Sought, Sts, Trouble, kept};
pub use policy::{Mode, Pattern, Policy, PolicyError};
pub use reach::is_public;
pub use record::{Place, report_places, sts_id};
pub use report::Report;
pub use required::{Demand, Required, RequiredError, TlsPolicy, Whom};
pub use results::{Counted, Day, Failure, Ledger, PolicyKind, ResultType, Results, Sent, SentState, Told};
