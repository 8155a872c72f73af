//! # scan: what a message holds
//!
//! **For**: a list of every file in a message, however deep it is wrapped, each by what it is and not by what it is called,
//! with what makes it dangerous. What is done about it is policy, and not decided here.
//!
//! **In**: the bytes of a message. **Out**: [`Contents`].
//!
//! Messages are looked at by workers, processes of their own that can reach nothing: [`Pool`] has them, [`worker`] is what
//! runs in one. What closes such a process up is the binary's.
//!
//! **Limits**: `limits::SCAN_*` of what is looked at; `limits::SCANNER_*` of workers; `limits::SCAN_WAIT`.
//!
//! **Failure**: a worker that crashes, hangs or answers nonsense is killed by its id and another takes its place; its message
//! is [`Stopped::Lost`], and no other one notices. Without any worker there is an error, and nothing passes unseen.

mod contents;
mod kind;
pub mod pool;
pub mod worker;

pub use contents::{Contents, Item, Stopped, Trait, Wrapping};
pub use kind::{Family, Kind};
pub use pool::{Pool, ScanError};
