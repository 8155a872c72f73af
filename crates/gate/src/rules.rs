//! # rules: who may do what, by address, name, listener, sender and recipient
//!
//! **For**: one list of rules ([`Rule`]), the first that fits decides. Those that were made at run time are asked first
//! ([`KeptRules`]), then those of the file, then `relay.from`, and last that this host itself is asked for no reputation.
//!
//! **In**: what is known of a client by now ([`Client`]), of the sender and the recipient. **Out**: a [`Treatment`]. What
//! isn't known yet may still make an earlier rule fit; then nothing is granted, and nothing is refused but what would be
//! refused either way.
//!
//! **Cost**: a rule is found by its network, name, sender or recipient, so that thousands cost what a few do. A test holds the
//! answers against those of a walk from the first to the last.
//!
//! **Limits**: `limits::RULES_MAX`, `RULES_FILE_MAX`, `RULES_STEP`, `RULE_COMMENT_MAX`.
//!
//! **Failure**: rules that can't be read from the store are an error when the server starts. A change that can't be written
//! isn't in force.

mod book;
mod explain;
mod fit;
mod index;
mod kept;
mod treatment;

#[cfg(test)]
mod tests;

pub use book::{Placed, RuleBook, Source};
pub use explain::{Explained, Passed};
pub use fit::{Client, Miss, Missing, Name};
pub use kept::{KeptRule, KeptRules, NewRule, RulePlace, RulesError};
pub use mailward_core::rule::{Action, Listeners, OwnLimits, Pattern, Rule, RuleError, Who};
pub use treatment::Treatment;
