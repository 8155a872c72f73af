//! The grammar of a rule.

use super::{Action, Listeners, OwnLimits, Pattern, Rule, RuleError, Who};
use crate::domain::Domain;
use crate::limits::RULE_LINE_MAX;
use crate::line::{Unclosed, unquoted, words};
use crate::network::Network;
use crate::peer::Listener;

impl Rule {
    /// Reads a rule, which fills `text`.
    ///
    /// # Errors
    /// [`RuleError`] says which word is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        if text.len() > RULE_LINE_MAX {
            return Err(RuleError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(RuleError::Control);
        }
        let words = words(text)?;
        let mut words = words.into_iter().peekable();
        let who = who(words.next().ok_or(RuleError::Empty)?)?;
        let mut at = Listeners::ALL;
        if words.next_if_eq(&"at").is_some() {
            at = listeners(words.next().ok_or(RuleError::Nothing("at"))?)?;
        }
        let mut from = None;
        if words.next_if_eq(&"from").is_some() {
            from = Some(Pattern::parse(words.next().ok_or(RuleError::Nothing("from"))?)?);
        }
        let mut to = None;
        if words.next_if_eq(&"to").is_some() {
            to = Some(Pattern::parse(words.next().ok_or(RuleError::Nothing("to"))?)?);
        }
        let action = match words.next().ok_or(RuleError::NoAction)? {
            "allow" => Action::Allow,
            "relay" => Action::Relay,
            "skip" => Action::Skip,
            "refuse" => {
                Action::Refuse { words: words.next_if(|word| word.starts_with('"')).map(unquoted).transpose()? }
            }
            other => return Err(RuleError::Action(other.to_owned())),
        };
        let mut limits = OwnLimits::default();
        for word in words {
            option(word, &mut limits)?;
        }
        Self::new(who, at, from, to, action, limits)
    }
}

fn who(text: &str) -> Result<Who, RuleError> {
    match text {
        "any" => return Ok(Who::Any),
        "local" => return Ok(Who::Local),
        "unnamed" => return Ok(Who::Unnamed),
        _ => {}
    }
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    if text.contains([':', '/']) || text.chars().all(numeric) {
        return Ok(Who::Network(Network::parse_any(text)?));
    }
    let (name, make): (&str, fn(Domain) -> Who) = match text.strip_prefix("*.") {
        Some(name) => (name, Who::Under),
        None => (text, Who::Name),
    };
    // A name without a dot is a slip of the pen: no host of the Internet has one.
    match Domain::parse_utf8(name) {
        Ok(domain) if domain.as_str().contains('.') || text.starts_with('*') => Ok(make(domain)),
        _ => Err(RuleError::Who(text.to_owned())),
    }
}

fn listeners(text: &str) -> Result<Listeners, RuleError> {
    let mut some: Vec<Listener> = Vec::new();
    for name in text.split(',') {
        let listener = Listener::ALL
            .into_iter()
            .find(|listener| listener.name() == name)
            .ok_or_else(|| RuleError::Listener(name.to_owned()))?;
        if some.contains(&listener) {
            return Err(RuleError::Twice(name.to_owned()));
        }
        some.push(listener);
    }
    Ok(Listeners::of(&some))
}

fn option(word: &str, limits: &mut OwnLimits) -> Result<(), RuleError> {
    let (name, count) = word.split_once('=').ok_or_else(|| RuleError::Option(word.to_owned()))?;
    let place = match name {
        "connections" => &mut limits.connections,
        "recipients" => &mut limits.recipients,
        "messages" => &mut limits.messages,
        _ => return Err(RuleError::Option(word.to_owned())),
    };
    if place.is_some() {
        return Err(RuleError::Twice(name.to_owned()));
    }
    // `parse` would take "+5".
    let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    let count = count.parse().ok().filter(|_| digits).ok_or_else(|| RuleError::Count(word.to_owned()))?;
    *place = Some(count);
    Ok(())
}

impl From<Unclosed> for RuleError {
    fn from(_: Unclosed) -> Self {
        Self::Quote
    }
}
