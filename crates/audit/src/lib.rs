//! # audit: a score with evidence
//!
//! **For**: that whoever answers for a mail service knows how safe it is, can prove it, and is told what to mend first. It looks
//! at the host, at the server's own doors, at the DNS, at what the server knows of itself, at what becomes of messages that it
//! sends itself, and asks people for the rest.
//!
//! **In**: a [`Scene`]: everything a control may look at, each part of which may be missing. **Out**: one [`Record`] for each
//! [`Control`], with its evidence; a [`Score`] of them.
//!
//! ```text
//! CONTROLS ──► run ──► records ──► score ──► reports
//!    │          ▲         └──► evidence, chained and signed ──► history, comparison, corrective actions
//!    └──► the manual, the score sheet, the questionnaire
//! ```
//!
//! **It doesn't flatter**: what isn't tested is worth nothing and says so; what doesn't apply needs a reason and leaves the sum; a
//! control whose parent failed isn't run and is worth nothing; some failures cap the whole ([`Cap`]), whatever the rest is worth.
//!
//! **Limits**: `limits::AUDIT_*`.
//!
//! **Failure**: a control has a time ([`mailward_core::limits::AUDIT_CONTROL_TIME`]); one that takes longer, or panics, is an error,
//! which is worth nothing; the run goes on. What can't be read for want of a right is "not tested", never "passed".
//!
//! **Sources**: the controls' catalogue is written from public material, each control names its own.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should"))]

pub mod actions;
mod area;
mod canary;
pub mod classic;
mod control;
mod controls;
mod doors;
mod effort;
pub mod evidence;
mod finding;
mod fixture;
mod host;
mod inject;
pub mod knock;
mod names;
pub mod probe;
pub mod programs;
mod record;
pub mod reminders;
pub mod report;
mod run;
mod scene;
mod score;
mod state;
mod statements;

pub use area::{Area, Dimension};
pub use canary::{Answered, Arrived, Canary, Digest, Held, Kept, TriedBan};
pub use control::{Asked, Cap, Check, Control, Needs, Probe};
pub use controls::{NOT_BUILT, all, find};
pub use finding::{Exhibit, Finding, Verdict};
#[doc(hidden)]
pub use host::parsers;
pub use host::{Drive, Host, HostPrograms, Missed, Ours, Program, Programs, Said, Space, Stat, Transport};
pub use record::{Output, Record, sha256_of};
pub use run::{Progress, run, run_gently};
pub use scene::{Account, Door, MAIL_PORT, Machine, Protocol, Scene, Statement, Statements, WEB_PORT};
pub use score::{AreaScore, Capped, Score, Weights, points, score};
pub use state::{
    Administration, AlertWay, Audits, Clients, DkimKey, Engine, Hashes, LastLogin, LastLogins, Log, Logins, Newest,
    Passwords, Quarantine, Rescan, Settings, SettingsFile, Silence, State, TrustRule, Verified,
};
pub use statements::StatementError;
