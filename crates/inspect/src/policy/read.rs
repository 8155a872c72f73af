//! The grammar of a rule.

use super::glob::Glob;
use super::rule::{Condition, Expiry, Options, Peer, Place, Rule, RuleError, Stop, Test};
use super::text::Pattern as Text;
use crate::{Action, Direction};
use mailward_core::Network;
use mailward_core::config::{is_name, parse_size};
use mailward_core::limits::{
    CONTENT_AT_LEAST_MAX, CONTENT_CONDITIONS_MAX, CONTENT_LINE_MAX, CONTENT_REASON_MAX, CONTENT_VALUES_MAX,
    HEADER_BYTES_MAX, HEADER_NAME_MAX,
};
use mailward_core::line::{unquoted, words};
use mailward_core::rule::Pattern;
use mailward_scan::{Family, Kind, Trait};

/// All conditions, for those who wrote another.
pub(super) const CONDITIONS: &str = "there are direction, for, from, sender, to, client, name, ext, kind, family, has, type, within, \
     size, larger, smaller, message-larger, subject, header, long, text, anywhere and stopped";

impl Rule {
    /// Reads a rule, which fills `text`.
    ///
    /// # Errors
    /// [`RuleError`] says which word is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        if text.len() > CONTENT_LINE_MAX {
            return Err(RuleError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(RuleError::Control);
        }
        let words = words(text)?;
        if words.is_empty() {
            return Err(RuleError::Empty);
        }
        let mut words = words.into_iter().peekable();
        let mut conditions = Vec::new();
        let action = loop {
            let word = words.next().ok_or(RuleError::NoAction)?;
            match action(word) {
                Some(action) => break action,
                None => conditions.push(condition(word)?),
            }
        };
        let reason = words.next_if(|word| word.starts_with('"')).map(unquoted).transpose()?;
        let options = options(words)?;
        Self::new(conditions, action, reason, options)
    }

    /// Puts a rule together.
    ///
    /// # Errors
    /// [`RuleError`] if it can't be followed.
    pub fn new(
        conditions: Vec<Condition>,
        action: Action,
        reason: Option<String>,
        options: Options,
    ) -> Result<Self, RuleError> {
        if conditions.is_empty() {
            return Err(RuleError::NoCondition);
        }
        if conditions.len() > CONTENT_CONDITIONS_MAX {
            return Err(RuleError::TooMany);
        }
        let a_reason = |reason: &String| {
            (1..=CONTENT_REASON_MAX).contains(&reason.chars().count()) && !reason.chars().any(char::is_control)
        };
        if !reason.as_ref().is_none_or(a_reason) {
            return Err(RuleError::Reason);
        }
        let seeks = conditions.iter().any(|condition| !condition.not && condition.test.text().is_some());
        if !(1..=CONTENT_AT_LEAST_MAX).contains(&options.at_least) || (options.at_least > 1 && !seeks) {
            return Err(RuleError::AtLeast);
        }
        let from = conditions.iter().any(|condition| !condition.not && condition.test.is_sender());
        if options.unproven && !(from && action == Action::Deliver) {
            return Err(RuleError::Unproven);
        }
        Ok(Self { conditions, action, reason, options })
    }
}

/// What a rule may want: nothing that only lasts until somebody asks again.
fn action(word: &str) -> Option<Action> {
    Action::of(word).filter(|action| *action != Action::Defer)
}

fn options<'a>(words: impl Iterator<Item = &'a str>) -> Result<Options, RuleError> {
    let mut options = Options::default();
    let mut seen: Vec<&'static str> = Vec::new();
    let mut once = |name: &'static str| {
        if seen.contains(&name) {
            return Err(RuleError::Twice(name));
        }
        seen.push(name);
        Ok(())
    };
    for word in words {
        let bad = || RuleError::Option(word.to_owned());
        match word.split_once('=') {
            Some(("as", name)) => {
                once("as")?;
                options.name = Some(name).filter(|name| is_name(name)).map(str::to_owned);
                options.name.as_ref().ok_or_else(bad)?;
            }
            Some(("until", day)) => {
                once("until")?;
                options.until = Some(Expiry::of(day).ok_or_else(bad)?);
            }
            Some(("at-least", count)) => {
                once("at-least")?;
                options.at_least = number(count).and_then(|count| count.try_into().ok()).ok_or(RuleError::AtLeast)?;
            }
            None if word == "unproven" => {
                once("unproven")?;
                options.unproven = true;
            }
            _ => return Err(bad()),
        }
    }
    Ok(options)
}

/// `parse` would take "+5".
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn condition(word: &str) -> Result<Condition, RuleError> {
    let (name, value) = word.split_once('=').ok_or_else(|| RuleError::Word(word.to_owned()))?;
    let (name, not) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
    let value = if value.starts_with('"') { unquoted(value)? } else { value.to_owned() };
    Ok(Condition { not, test: test(name, &value)? })
}

fn test(name: &str, value: &str) -> Result<Test, RuleError> {
    Ok(match name {
        "direction" => Test::Direction(each(value, |one| {
            let found = Direction::ALL.into_iter().find(|direction| direction.name() == one);
            found.ok_or_else(|| bad("direction", one, "incoming, outgoing or internal"))
        })?),
        "for" => Test::For(addresses("for", value)?),
        "from" => Test::From(patterns("from", value)?),
        "sender" => Test::Sender(Text::parse(value)?),
        "to" => Test::To(addresses("to", value)?),
        "client" => Test::Client(each(value, |one| match one {
            "local" => Ok(Peer::Local),
            one => Network::parse_any(one)
                .map(Peer::Network)
                .map_err(|_| bad("client", one, "an address, a network such as 192.0.2.0/24, or local")),
        })?),
        "name" => Test::Name(globs("name", value)?),
        "ext" => Test::Ext(each(value, |one| {
            let plain = one.trim_start_matches('.').to_lowercase();
            let good = !plain.is_empty() && !plain.contains(['.', '*', '?', '/', '\\', ' ', '"']);
            good.then_some(plain).ok_or_else(|| bad("ext", one, "what follows the last dot, such as exe"))
        })?),
        "kind" => Test::Kind(each(value, |one| known("kind", one, Kind::ALL.iter().copied(), Kind::name))?),
        "family" => Test::Family(each(value, |one| known("family", one, Family::ALL, Family::name))?),
        "has" => Test::Has(each(value, |one| known("has", one, Trait::NAMES, |name| name))?),
        "type" => Test::Type(globs("type", value)?),
        "within" => Test::Within(each(value, place)?),
        "size" => Test::Size(size("size", value)?),
        "larger" => Test::Larger(size("larger", value)?),
        "smaller" => Test::Smaller(size("smaller", value)?),
        "message-larger" => Test::MessageLarger(size("message-larger", value)?),
        "subject" => Test::Subject(Text::parse(value)?),
        "header" => {
            let (field, text) = value
                .split_once(':')
                .ok_or_else(|| bad("header", value, "a field's name, a colon, and what it has"))?;
            Test::Header(field_name("header", field)?, Text::parse(text)?)
        }
        "long" => {
            let form = "a field's name, a colon, and bytes, such as date:100";
            let (field, bytes) = value.split_once(':').ok_or_else(|| bad("long", value, form))?;
            let bytes = number(bytes).and_then(|bytes| usize::try_from(bytes).ok());
            let bytes = bytes.filter(|bytes| (1..=HEADER_BYTES_MAX).contains(bytes));
            Test::Long(field_name("long", field)?, bytes.ok_or_else(|| bad("long", value, form))?)
        }
        "text" => Test::Text(Text::parse(value)?),
        "anywhere" => Test::Anywhere(Text::parse(value)?),
        "stopped" => Test::Stopped(each(value, |one| known("stopped", one, Stop::ALL, Stop::name))?),
        _ => return Err(RuleError::Condition(name.to_owned())),
    })
}

fn bad(name: &'static str, value: &str, write: &'static str) -> RuleError {
    RuleError::Value(name, value.to_owned(), write)
}

fn each<T: PartialEq>(value: &str, read: impl Fn(&str) -> Result<T, RuleError>) -> Result<Vec<T>, RuleError> {
    let mut all = Vec::new();
    for one in value.split(',') {
        let one = read(one.trim())?;
        // Said twice is said once.
        if !all.contains(&one) {
            all.push(one);
        }
        if all.len() > CONTENT_VALUES_MAX {
            return Err(RuleError::TooMany);
        }
    }
    Ok(all)
}

fn known<T: Copy>(
    name: &'static str,
    value: &str,
    all: impl IntoIterator<Item = T> + Clone,
    called: impl Fn(T) -> &'static str,
) -> Result<T, RuleError> {
    all.clone().into_iter().find(|one| called(*one) == value).ok_or_else(|| {
        let names: Vec<&str> = all.into_iter().map(called).collect();
        RuleError::Unknown(name, value.to_owned(), names.join(", "))
    })
}

fn globs(name: &'static str, value: &str) -> Result<Vec<Glob>, RuleError> {
    each(value, |one| Glob::new(one).ok_or_else(|| bad(name, one, "a pattern such as *.exe")))
}

fn patterns(name: &'static str, value: &str) -> Result<Vec<Pattern>, RuleError> {
    each(value, |one| {
        Pattern::parse(one).map_err(|_| bad(name, one, "user@domain, @domain, @*.domain, or <> for the empty sender"))
    })
}

/// Patterns of addresses that get mail.
fn addresses(name: &'static str, value: &str) -> Result<Vec<Pattern>, RuleError> {
    let all = patterns(name, value)?;
    if all.contains(&Pattern::Null) {
        return Err(bad(name, "<>", "user@domain, @domain or @*.domain"));
    }
    Ok(all)
}

fn place(one: &str) -> Result<Place, RuleError> {
    if one == "top" {
        return Ok(Place::Message);
    }
    let kind = Kind::ALL.iter().find(|kind| kind.name() == one).map(|kind| Place::Kind(*kind));
    let family = || Family::ALL.into_iter().find(|family| family.name() == one).map(Place::Family);
    // Where a kind and a family share a name, the family has the kind in it.
    family().or(kind).ok_or_else(|| bad("within", one, "top, a kind such as zip, or a family such as archive"))
}

fn size(name: &'static str, value: &str) -> Result<u64, RuleError> {
    parse_size(value).ok_or_else(|| bad(name, value, "bytes, or with a unit: 20MiB"))
}

fn field_name(name: &'static str, field: &str) -> Result<String, RuleError> {
    let good = (1..=HEADER_NAME_MAX).contains(&field.len()) && field.bytes().all(|b| b.is_ascii_graphic());
    good.then(|| field.to_ascii_lowercase()).ok_or_else(|| bad(name, field, "a field's name, such as subject"))
}
