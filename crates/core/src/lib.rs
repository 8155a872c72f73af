//! # core: the words every room uses
//!
//! **For**: addresses, domains, mailbox names, ids, status codes, time, secrets, named limits, configuration types and the
//! vocabulary of events. No I/O but the log writer's.
//!
//! **In**: bytes and text from outside. **Out**: types that can't hold what must not be in them (CR, LF, NUL, a
//! second `@`), so that no room above checks again.
//!
//! **Limits**: all of the house's, in [`limits`].
//!
//! **Failure**: parsing answers an error that says what was wrong; nothing here panics on outside data.
//!
//! **Standards**: RFC 5321 §4.1.2 (addresses), RFC 6531 §3.3 (UTF-8 addresses), RFC 5890/UTS 46 (domains),
//! RFC 3501 §5.1.3 and RFC 9051 §5.1 (mailbox names).

pub mod address;
mod cache;
pub mod config;
pub mod domain;
mod dsn;
pub mod event;
pub mod foreign;
pub mod ids;
pub mod limits;
pub mod line;
pub mod mailbox_name;
mod network;
pub mod peer;
mod rate;
pub mod rule;
pub mod secret;
mod sending;
pub mod shutdown;
pub mod spf;
mod status;
pub mod time;

pub use address::{Address, AddressError, LocalPart};
pub use cache::Cache;
pub use domain::{Domain, DomainError, Host};
pub use dsn::{GiveBack, NotifyOn};
pub use ids::{AccountId, BlobId, DomainId, MailboxId, ModSeq, QuarantineId, QueueId, Uid, UidValidity};
pub use mailbox_name::{MailboxName, MailboxNameError};
pub use network::{Network, NetworkError, is_public};
pub use peer::{Listener, Peer, Protocol};
pub use rate::{RateLimits, RateMeasure, RateRule, RateStep, RateSteps};
pub use secret::Secret;
pub use sending::{Measure, PerMeasure, SendLimits};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use spf::SpfResult;
pub use status::{EnhancedStatus, NoStatus};
pub use time::{Clock, SystemClock, Timestamp};
