//! # scan: what a message holds
//!
//! **For**: a list of every file in a message, however deep it is wrapped, each by what it is and not by what it is called,
//! with what makes it dangerous. What is done about it is policy, and not decided here.
//!
//! **In**: the bytes of a message. **Out**: [`Contents`]. [`open`] walks the message's parts and every container in them,
//! depth first, in a loop; [`open_and_show`] gives [`Shown`] besides, the files that virus scanners wouldn't find;
//! [`document::look`] says what documents do and what objects they hold.
//!
//! The server doesn't do that itself: messages are looked at by workers, processes of their own that can reach nothing.
//! [`Pool`] has them, [`worker`] is what runs in one. What closes such a process up is the binary's.
//!
//! **Limits**: a [`Budget`], made of `limits::SCAN_…`: depth, files, bytes, growth, time, what is held at once. What runs
//! out is told in [`Contents::stopped`] and on the file that wasn't opened ([`Trait::NotOpened`]): nothing that wasn't
//! looked at looks harmless. `limits::SCANNER_…` of workers.
//!
//! **Failure**: of [`open`] none. What can't be read is [`Trait::Damaged`]; a decoder that panics is caught, and its file is
//! that too. A worker that crashes, hangs or answers nonsense is killed by its id and another takes its place; its message is
//! [`Stopped::Lost`], and no other one notices. Without any worker there is an error, and nothing passes unseen.
//!
//! **Standards**: each container's own, named where it is opened (`boxes/…`, `codec/…`).

mod boxes;
mod bytes;
mod codec;
mod compound;
mod contents;
mod cursor;
pub mod document;
mod holder;
pub mod kind;
#[cfg(test)]
mod made;
mod mail;
mod meter;
mod names;
mod open;
mod places;
pub mod pool;
mod shown;
mod trait_name;
pub mod worker;
mod zipped;

pub use contents::{Contents, Item, Stopped, Trait, Wrapping};
pub use kind::{Family, Kind};
pub use meter::Budget;
pub use open::{open, open_and_show, open_with};
pub use open::{open, open_with};
pub use places::{Place, Places};
pub use pool::{Pool, ScanError};
pub use shown::Shown;
