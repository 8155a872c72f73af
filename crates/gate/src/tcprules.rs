//! # tcprules: rules of tcpserver, translated into ours
//!
//! **For**: `mailward migrate tcprules`. **In**: the text that tcprules(1) compiles. **Out**: rules in the order in which the
//! first that fits says what tcpserver would do, and what has no equal.
//!
//! tcpserver asks for the most specific key whatever the order of the lines: the address, `=host`, prefixes of the address from
//! the longest, suffixes of the host from the longest, `=` (any host), the empty key; of lines with the same key the first. So
//! lines are sorted by that here, and stay in their order among alike.
//!
//! **Limits**: `limits::MIGRATE_FILE_MAX`, `MIGRATE_LINE_MAX`, `MIGRATE_LINES_MAX`, `TCPRULES_RANGE_MAX`, `RULES_MAX`.
//!
//! **Failure**: a line that tcprules doesn't take makes the whole file an error, as it does there. What has no equal is told,
//! and never given more rights than it had.
//!
//! **Standards**: tcprules(1) and tcpserver(1) of ucspi-tcp 0.88.

mod instructions;
mod keys;

#[cfg(test)]
mod tests;

use instructions::{Instructions, Meaning};
use keys::{Key, Keys};
use mailward_core::limits::{MIGRATE_FILE_MAX, MIGRATE_LINE_MAX, MIGRATE_LINES_MAX, RULES_MAX};
use mailward_core::rule::{Action, Listeners, OwnLimits, Rule, RuleError, Who};
use std::collections::HashSet;

/// What a file becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// In their order.
    pub rules: Vec<Became>,
    /// What has no equal, or needs none, by line.
    pub left: Vec<Left>,
}

/// A line that became a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Became {
    /// Its number, counted from 1.
    pub line: usize,
    /// What stands there.
    pub source: String,
    /// What it became.
    pub rule: Rule,
}

/// A line, or a part of it, that became none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its number, counted from 1.
    pub line: usize,
    /// What stands there.
    pub source: String,
    /// Why.
    pub why: String,
}

/// Why a file is none of tcprules's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TcprulesError {
    /// Over `limits::MIGRATE_FILE_MAX`, `MIGRATE_LINES_MAX` or `MIGRATE_LINE_MAX`.
    #[error(
        "is too large: at most {MIGRATE_FILE_MAX} bytes, {MIGRATE_LINES_MAX} lines, {MIGRATE_LINE_MAX} bytes a line"
    )]
    TooLarge,
    /// What tcprules calls a bad line.
    #[error("line {line}: {what}; tcprules takes it neither")]
    Line {
        /// Its number, counted from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Over `limits::RULES_MAX`.
    #[error("becomes more than {RULES_MAX} rules")]
    TooMany,
}

/// A line as it was read.
struct Line<'t> {
    number: usize,
    source: &'t str,
    instructions: Instructions,
}

/// Translates a file for these listeners.
///
/// # Errors
/// [`TcprulesError`].
pub fn translate(bytes: &[u8], at: Listeners) -> Result<Translated, TcprulesError> {
    if bytes.len() > MIGRATE_FILE_MAX {
        return Err(TcprulesError::TooLarge);
    }
    let mut keyed: Vec<(Key, Line<'_>)> = Vec::new();
    let mut done = Translated::default();
    let mut seen = HashSet::new();
    for (index, bytes) in bytes.split(|b| *b == b'\n').enumerate() {
        let number = index.saturating_add(1);
        if number > MIGRATE_LINES_MAX || bytes.len() > MIGRATE_LINE_MAX {
            return Err(TcprulesError::TooLarge);
        }
        let bad = |what| TcprulesError::Line { line: number, what };
        let bytes = bytes.trim_ascii_end();
        if bytes.first() == Some(&b'#') || !bytes.contains(&b':') {
            continue;
        }
        let source = std::str::from_utf8(bytes).map_err(|_| bad("has bytes that are not UTF-8"))?;
        if source.chars().any(char::is_control) {
            return Err(bad("has control characters"));
        }
        let (address, rest) = source.split_once(':').unwrap_or((source, ""));
        let instructions = Instructions::parse(rest).map_err(bad)?;
        let left = |why: String| Left { line: number, source: source.to_owned(), why };
        match keys::read(address).map_err(bad)? {
            Keys::Some(keys) => {
                let fresh: Vec<Key> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
                if fresh.is_empty() {
                    done.left
                        .push(left("a line before it has the same address: tcpserver never comes here".to_owned()));
                }
                for key in keys::merged(fresh) {
                    if keyed.len() >= RULES_MAX {
                        return Err(TcprulesError::TooMany);
                    }
                    keyed.push((key, Line { number, source, instructions: instructions.clone() }));
                }
            }
            Keys::None(why) => done.left.push(left(why.to_owned())),
        }
    }
    keyed.sort_by_key(|(key, _)| key.rank());
    let everybody = keyed.iter().position(|(key, _)| *key == Key::Everybody).map(|at| keyed.remove(at));
    let anybody_named = keyed.iter().position(|(key, _)| *key == Key::AnyHost).map(|at| keyed.remove(at));
    for (key, line) in &keyed {
        done.become_rule(key.who(), line, at);
    }
    let anybody_named = anybody_named.filter(|(_, line)| match unnamed(at) {
        Ok(()) => true,
        Err(error) => {
            done.leave(line, &error.to_string());
            false
        }
    });
    if let Some((_, named)) = anybody_named {
        // "=" is asked before "", so whoever has no host is told apart first.
        match &everybody {
            Some((_, line)) => done.become_rule(Who::Unnamed, line, at),
            None => done.add(Who::Unnamed, &named, at, Action::Allow),
        }
        done.become_rule(Who::Any, &named, at);
    } else if let Some((_, line)) = &everybody {
        if line.instructions.meaning() == Meaning::Allow {
            done.tell_unknown(line);
            done.leave(line, "is what happens without a rule");
        } else {
            done.become_rule(Who::Any, line, at);
        }
    }
    done.left.sort_by_key(|left| left.line);
    Ok(done)
}

/// Whether who has no name can be told apart at these listeners.
fn unnamed(at: Listeners) -> Result<(), RuleError> {
    Rule::new(Who::Unnamed, at, None, None, Action::Allow, OwnLimits::default()).map(|_| ())
}

impl Translated {
    fn become_rule(&mut self, who: Who, line: &Line<'_>, at: Listeners) {
        self.tell_unknown(line);
        let action = match line.instructions.meaning() {
            Meaning::Allow => Action::Allow,
            Meaning::Skip => Action::Skip,
            Meaning::Refuse(words) => Action::Refuse { words },
            Meaning::Relay => Action::Relay,
            Meaning::RelayAs => {
                self.leave(
                    line,
                    "a RELAYCLIENT that is written behind every recipient has no equal: they may not relay",
                );
                Action::Allow
            }
        };
        self.add(who, line, at, action);
    }

    /// The rule, or one that takes its place and gives no rights.
    fn add(&mut self, who: Who, line: &Line<'_>, at: Listeners, action: Action) {
        let made = |action| Rule::new(who.clone(), at, None, None, action, OwnLimits::default());
        let rule = match made(action) {
            Ok(rule) => rule,
            Err(error) => {
                self.leave(line, &error.to_string());
                // It stays an exception of what stands behind it.
                let Ok(rule) = made(Action::Allow) else { return };
                rule
            }
        };
        self.rules.push(Became { line: line.number, source: line.source.to_owned(), rule });
    }

    fn tell_unknown(&mut self, line: &Line<'_>) {
        let unknown = line.instructions.unknown();
        if !unknown.is_empty() {
            self.leave(line, &format!("{} has no equal", unknown.join(", ")));
        }
    }

    fn leave(&mut self, line: &Line<'_>, why: &str) {
        let left = Left { line: line.number, source: line.source.to_owned(), why: why.to_owned() };
        // Ranges are several rules of one line.
        if !self.left.contains(&left) {
            self.left.push(left);
        }
    }
}
