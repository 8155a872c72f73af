//! # policy: what messages may hold
//!
//! **For**: rules of the administrator, and those that hold by default, over what [`mailward_scan`] found in a message, over
//! its header and its text: [`Rulebook::judge`]. A rule is a line ([`Rule`]); those made at run time ([`KeptContent`]) are
//! asked first, then `content.rules`, then [`defaults`].
//!
//! **Order**: of each file the first rule decides that says which files it is about (by name, kind, type or trait), and
//! `deliver` always decides. Rules on other things (size, text, subject, sender) add what they want to that. Over all files the
//! strongest action wins ([`Verdict`](crate::Verdict)). So an exception opens what it names, and a rule on subjects opens
//! nothing.
//!
//! **In**: a [`Subject`](crate::Subject), [`Contents`](mailward_scan::Contents), and the domains that the message proves.
//! **Out**: [`Finding`](crate::Finding)s, for some recipients or for all.
//!
//! **Cost**: rules are found by a file's last extension and its kind; words and phrases of all dictionaries are sought in one
//! pass; patterns run in linear time, and only where the rest of their rule fits.
//!
//! **Limits**: `limits::CONTENT_*`.
//!
//! **Failure**: what can't be judged to its end is a finding that wants quarantine. A rule that isn't understood is none, and
//! a configuration with one isn't taken. Rules that can't be read from the store are an error when the server starts.

mod bits;
mod book;
pub mod defaults;
mod detect;
mod dictionary;
mod evidence;
mod explain;
mod fit;
mod glob;
mod judge;
mod kept;
pub mod qmail_scanner;
mod read;
mod rule;
mod text;

#[cfg(test)]
mod tests;

pub use book::{Placed, Rulebook, Source};
pub use dictionary::{Dictionaries, Dictionary, DictionaryError};
pub use explain::Told;
pub use glob::Glob;
pub use kept::{ContentRulesError, KeptContent, KeptContentRule};
pub use rule::{Condition, Expiry, Options, Peer, Place, Rule, RuleError, Stop, Test};
pub use text::Pattern as TextPattern;
