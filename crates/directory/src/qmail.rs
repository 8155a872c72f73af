//! # qmail: control files and aliases of qmail, read into what they are here
//!
//! **For**: `mailward migrate qmail`. **In**: the files of a control directory and of an alias directory, as bytes. **Out**: a
//! [`Plan`]: domains, aliases, rules, routes, gateways and lines of the configuration, each with the line that it comes from;
//! and what has no equal, with the reason.
//!
//! **Limits**: `limits::MIGRATE_FILE_MAX`, `MIGRATE_LINE_MAX`, `MIGRATE_LINES_MAX`, `MIGRATE_ALIASES_MAX`,
//! `MIGRATE_STEPS_MAX`, `ROUTES_MAX`.
//!
//! **Failure**: a line that isn't understood becomes nothing and is told. No line becomes more rights than it gave: nobody may
//! relay by what is read here.
//!
//! **Standards**: qmail-control(5), dot-qmail(5), qmail-smtpd(8), qmail-send(8), qmail-remote(8) of netqmail 1.06; the patches
//! for `badrcptto` and for patterns in `badmailfrom`.

mod aliases;
mod control;
mod lines;

#[cfg(test)]
mod tests;

use crate::routes::{Gateway, Route};
use mailward_core::limits::{
    MIGRATE_ALIASES_MAX, MIGRATE_FILE_MAX, MIGRATE_LINE_MAX, MIGRATE_LINES_MAX, MIGRATE_STEPS_MAX,
};
use mailward_core::rule::Rule;
use mailward_core::{Address, Domain};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Files by their names, without their directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Of the control directory.
    pub control: BTreeMap<String, Vec<u8>>,
    /// Of the alias directory: those whose names begin with `.qmail`.
    pub alias: BTreeMap<String, Vec<u8>>,
}

/// What a line becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A domain of ours.
    Domain(Domain),
    /// An alias, with whom it leads to.
    Alias(Address, Vec<Address>),
    /// Whom mail for nobody leads to.
    CatchAll(Domain, Address),
    /// An address rule.
    Rule(Rule),
    /// A domain that mail is passed on for.
    Gateway(Gateway),
    /// A way that isn't by DNS.
    Route(Box<Route>),
    /// A key of the configuration, and its value as TOML.
    Setting(&'static str, String),
}

/// Something that a line becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Became {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What it becomes.
    pub step: Step,
}

/// Something that becomes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1; 0: the file as a whole.
    pub line: usize,
    /// What stands there, if it may be shown.
    pub source: String,
    /// Why.
    pub why: String,
}

/// What a qmail becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which it is to be made.
    pub became: Vec<Became>,
    /// What has no equal, or needs none.
    pub left: Vec<Left>,
}

/// Files that can't be read as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QmailError {
    /// Over a limit.
    #[error(
        "{0} is too large: at most {MIGRATE_FILE_MAX} bytes, {MIGRATE_LINES_MAX} lines, {MIGRATE_LINE_MAX} bytes a line"
    )]
    TooLarge(String),
    /// Over `limits::MIGRATE_ALIASES_MAX`.
    #[error("the alias directory has more than {MIGRATE_ALIASES_MAX} files")]
    TooMany,
    /// Over `limits::MIGRATE_STEPS_MAX`.
    #[error("becomes more than {MIGRATE_STEPS_MAX} domains, aliases, rules and routes")]
    TooMuch,
}

/// Files of a control directory that are asked for; others are named only, as they may hold secrets.
pub const CONTROL_FILES: &[&str] = control::READ;

/// Reads files into a plan.
///
/// # Errors
/// [`QmailError`].
pub fn plan(files: &Files) -> Result<Plan, QmailError> {
    if files.alias.len() > MIGRATE_ALIASES_MAX {
        return Err(QmailError::TooMany);
    }
    let mut plan = Plan::default();
    let facts = control::read(files, &mut plan)?;
    aliases::read(files, &facts, &mut plan)?;
    if plan.became.len() >= MIGRATE_STEPS_MAX {
        return Err(QmailError::TooMuch);
    }
    // Twice the same is once.
    let mut seen = HashSet::new();
    plan.became.retain(|became| seen.insert(format!("{:?}", became.step)));
    Ok(plan)
}

/// What control files say that aliases need.
#[derive(Debug, Default)]
struct Facts {
    /// Where an address without a host is.
    nowhere: Option<Domain>,
    /// Domains whose names are local names.
    locals: BTreeSet<Domain>,
    /// Domains that are behind a prefix of the alias user: `example` for `alias-example`, empty for `alias`.
    behind: Vec<(Domain, String)>,
}

impl Plan {
    fn become_step(&mut self, file: &str, line: usize, step: Step) {
        // The plan is refused then.
        if self.became.len() < MIGRATE_STEPS_MAX {
            self.became.push(Became { file: file.to_owned(), line, step });
        }
    }
    fn leave(&mut self, file: &str, line: usize, source: &str, why: impl Into<String>) {
        self.left.push(Left { file: file.to_owned(), line, source: source.to_owned(), why: why.into() });
    }
}
