//! # scan: what a message holds
//!
//! **For**: a list of every file in a message, however deep it is wrapped, each by what it is and not by what it is called,
//! with what makes it dangerous. What is done about it is policy, and not decided here.
//!
//! **In**: the bytes of a message. **Out**: [`Contents`].

mod bytes;
mod compound;
mod contents;
pub mod document;
pub mod kind;
#[cfg(test)]
mod made;
mod zipped;

pub use contents::{Contents, Item, Stopped, Trait, Wrapping};
pub use kind::{Family, Kind};
