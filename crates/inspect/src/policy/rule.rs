//! A rule for what messages hold: one line.
//!
//! ```text
//! CONDITION... ACTION ["reason"] [OPTION]...
//! ```
//! A condition is `NAME=VALUE[,VALUE]...`, or with `!=` what must not be; all have to hold. See docs/attachments.md for all of
//! them. Actions: `deliver`, `mark`, `warn`, `junk`, `hold`, `quarantine`, `reject`. Options: `as=NAME`, `until=2027-01-31`,
//! `at-least=N`, `unproven`.

use super::glob::Glob;
use super::text::Pattern as Text;
use crate::{Action, Check, Direction};
use mailward_core::limits::{
    CONTENT_AT_LEAST_MAX, CONTENT_CONDITIONS_MAX, CONTENT_LINE_MAX, CONTENT_REASON_MAX, CONTENT_VALUES_MAX,
};
use mailward_core::line::{Unclosed, quoted};
use mailward_core::rule::Pattern;
use mailward_core::{Network, Timestamp};
use mailward_scan::{Family, Kind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rule; whatever it says can be followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    pub(super) conditions: Vec<Condition>,
    pub(super) action: Action,
    pub(super) reason: Option<String>,
    pub(super) options: Options,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// It must not be so.
    pub not: bool,
    /// What.
    pub test: Test,
}

/// What is asked of a message or a file; of several values one is enough.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// `direction=`: where it comes from and goes.
    Direction(Vec<Direction>),
    /// `for=`: whose mail it is: its recipient here, or its sender if that is somebody here.
    For(Vec<Pattern>),
    /// `from=`: the envelope's sender.
    From(Vec<Pattern>),
    /// `sender=`: the envelope's sender, as a text.
    Sender(Text),
    /// `to=`: a recipient of the envelope.
    To(Vec<Pattern>),
    /// `client=`: who brings it.
    Client(Vec<Peer>),
    /// `name=`: one of a file's names, by a pattern.
    Name(Vec<Glob>),
    /// `ext=`: what follows the last dot of one of them.
    Ext(Vec<String>),
    /// `kind=`: what it is, or is as well.
    Kind(Vec<Kind>),
    /// `family=`: what its kind belongs to.
    Family(Vec<Family>),
    /// `has=`: traits, by `Trait::name`.
    Has(Vec<&'static str>),
    /// `type=`: what it is declared to be.
    Type(Vec<Glob>),
    /// `within=`: what it was found in.
    Within(Vec<Place>),
    /// `size=`: bytes of a file.
    Size(u64),
    /// `larger=`
    Larger(u64),
    /// `smaller=`
    Smaller(u64),
    /// `message-larger=`
    MessageLarger(u64),
    /// `subject=`
    Subject(Text),
    /// `header=NAME:`: the value of a field.
    Header(String, Text),
    /// `long=NAME:N`: a field's value of so many bytes or more.
    Long(String, usize),
    /// `text=`: text in the file, or in all of the message if nothing else is said of files.
    Text(Text),
    /// `anywhere=`: subject, names and text.
    Anywhere(Text),
    /// `stopped=`: what wasn't looked at to its end.
    Stopped(Vec<Stop>),
}

/// Who brings a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A program of this host, or one by a Unix socket.
    Local,
    /// An address.
    Network(Network),
}

/// What a file was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The message.
    Message,
    /// A file of a kind.
    Kind(Kind),
    /// A file of a family.
    Family(Family),
}

/// Where looking ended: `mailward_scan::Stopped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Wherever.
    Any,
    /// Too deep.
    Depth,
    /// Too many files.
    Items,
    /// Too many bytes.
    Bytes,
    /// It grew too much.
    Ratio,
    /// It took too long.
    Time,
    /// Whoever looked is gone.
    Lost,
}

/// What may stand behind the action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Options {
    /// What findings are called.
    pub name: Option<String>,
    /// From when on it isn't there.
    pub until: Option<Expiry>,
    /// How many different matches its texts must have together, 1 to `limits::CONTENT_AT_LEAST_MAX`.
    pub at_least: usize,
    /// An exception for a sender holds though nothing proves that it is the sender.
    pub unproven: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: None, until: None, at_least: 1, unproven: false }
    }
}

/// The last day of a rule, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    day: Timestamp,
}

/// A day, milliseconds.
const DAY: i64 = 86_400_000;

impl Expiry {
    /// Reads `2027-01-31`.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Timestamp::of_day(text).map(|day| Self { day })
    }
    /// The first moment at which the rule isn't there.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Timestamp(self.day.0.saturating_add(DAY))
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.day.text().get(..10).unwrap_or_default())
    }
}

/// Why a line is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Nothing.
    #[error("a rule is written CONDITION... ACTION, such as \"ext=exe quarantine\"")]
    Empty,
    /// Over `limits::CONTENT_LINE_MAX`.
    #[error("a rule has at most {CONTENT_LINE_MAX} bytes")]
    TooLong,
    /// A control character.
    #[error("a rule has no control characters")]
    Control,
    /// A quote that isn't closed.
    #[error(transparent)]
    Quote(#[from] Unclosed),
    /// Neither condition nor action.
    #[error(
        "{0:?} is neither a condition (such as ext=exe) nor an action: deliver, mark, warn, junk, hold, quarantine or reject"
    )]
    Word(String),
    /// No action.
    #[error("what is done isn't said: write deliver, mark, warn, junk, hold, quarantine or reject")]
    NoAction,
    /// No condition.
    #[error("a rule without a condition is about all mail: say which, such as direction=incoming")]
    NoCondition,
    /// An unknown condition.
    #[error("{0:?} is no condition: {known}", known = super::read::CONDITIONS)]
    Condition(String),
    /// A value that isn't one.
    #[error("{0}={1:?}: write {2}")]
    Value(&'static str, String, &'static str),
    /// A kind, family or trait that isn't known.
    #[error("{0}={1:?} isn't known; there are {2}")]
    Unknown(&'static str, String, String),
    /// A pattern that the engine doesn't take.
    #[error("{0:?} is no pattern: {1}")]
    Pattern(String, String),
    /// Behind the action.
    #[error(
        "{0:?} is no option: write as=NAME, until=2027-01-31, at-least=N or unproven; a reason stands in quotation marks"
    )]
    Option(String),
    /// An option twice.
    #[error("{0:?} stands there twice")]
    Twice(&'static str),
    /// A reason.
    #[error("a reason has 1 to {CONTENT_REASON_MAX} characters")]
    Reason,
    /// Too much.
    #[error("a rule has at most {CONTENT_CONDITIONS_MAX} conditions, and a condition {CONTENT_VALUES_MAX} values")]
    TooMany,
    /// `at-least` without a text.
    #[error("at-least=N, 1 to {CONTENT_AT_LEAST_MAX}, counts what sender=, subject=, header=, text= or anywhere= find")]
    AtLeast,
    /// `unproven` where nothing has to be proved.
    #[error("unproven is for an exception of a sender: from=... deliver")]
    Unproven,
    /// A dictionary that isn't there.
    #[error("there is no dictionary {0:?}: content.dictionaries names them")]
    Dictionary(String),
}

impl Test {
    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Test::Direction(_) => "direction",
            Test::For(_) => "for",
            Test::From(_) => "from",
            Test::Sender(_) => "sender",
            Test::To(_) => "to",
            Test::Client(_) => "client",
            Test::Name(_) => "name",
            Test::Ext(_) => "ext",
            Test::Kind(_) => "kind",
            Test::Family(_) => "family",
            Test::Has(_) => "has",
            Test::Type(_) => "type",
            Test::Within(_) => "within",
            Test::Size(_) => "size",
            Test::Larger(_) => "larger",
            Test::Smaller(_) => "smaller",
            Test::MessageLarger(_) => "message-larger",
            Test::Subject(_) => "subject",
            Test::Header(..) => "header",
            Test::Long(..) => "long",
            Test::Text(_) => "text",
            Test::Anywhere(_) => "anywhere",
            Test::Stopped(_) => "stopped",
        }
    }

    /// Whether it is asked of a file.
    pub(super) const fn is_of_files(&self) -> bool {
        self.says_which_files() || matches!(self, Test::Within(_) | Test::Size(_) | Test::Larger(_) | Test::Smaller(_))
    }

    /// Whether it says what a file is.
    pub(super) const fn says_which_files(&self) -> bool {
        matches!(self, Test::Name(_) | Test::Ext(_) | Test::Kind(_) | Test::Family(_) | Test::Has(_) | Test::Type(_))
    }

    /// Whether it says who the sender is.
    pub(super) const fn is_sender(&self) -> bool {
        matches!(self, Test::From(_) | Test::Sender(_))
    }

    /// The text it looks for.
    pub(super) const fn text(&self) -> Option<&Text> {
        match self {
            Test::Sender(text)
            | Test::Subject(text)
            | Test::Header(_, text)
            | Test::Text(text)
            | Test::Anywhere(text) => Some(text),
            _ => None,
        }
    }
}

impl Rule {
    /// What it asks.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    /// What it does.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }
    /// Why, for people.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
    /// What else it says.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }
    /// Whether it isn't there any more.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.options.until.is_some_and(|until| until.end() <= now)
    }
    /// Who says what it finds.
    #[must_use]
    pub fn check(&self) -> Check {
        let of_text = |test: &Test| test.text().is_some();
        if self.conditions.iter().any(|condition| of_text(&condition.test)) {
            Check::Content
        } else {
            Check::Attachments
        }
    }
    pub(super) fn is_of_files(&self) -> bool {
        self.conditions.iter().any(|condition| condition.test.is_of_files())
    }
    /// Whether it decides of the files that it fits.
    pub(super) fn decides(&self) -> bool {
        self.action() == Action::Deliver
            || self.conditions.iter().any(|condition| !condition.not && condition.test.says_which_files())
    }
    /// Whether it is an exception for a sender, so that who it is has to be proved.
    pub(super) fn asks_proof(&self) -> bool {
        let from = |condition: &Condition| !condition.not && condition.test.is_sender();
        self.action() == Action::Deliver && !self.options.unproven && self.conditions.iter().any(from)
    }
    /// Names of the dictionaries that it looks into.
    pub fn dictionaries(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().filter_map(|condition| match condition.test.text() {
            Some(Text::Dictionary(name)) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Local => f.write_str("local"),
            Peer::Network(network) if network.is_host() => network.first().fmt(f),
            Peer::Network(network) => network.fmt(f),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Message => "top",
            Place::Kind(kind) => kind.name(),
            Place::Family(family) => family.name(),
        })
    }
}

impl Stop {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Any, Self::Depth, Self::Items, Self::Bytes, Self::Ratio, Self::Time, Self::Lost];

    /// As a rule has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stop::Any => "any",
            Stop::Depth => "depth",
            Stop::Items => "items",
            Stop::Bytes => "bytes",
            Stop::Ratio => "ratio",
            Stop::Time => "time",
            Stop::Lost => "lost",
        }
    }
}

fn list<T>(all: &[T], written: impl Fn(&T) -> String) -> String {
    all.iter().map(written).collect::<Vec<_>>().join(",")
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match &self.test {
            Test::Direction(all) => list(all, |one| one.name().to_owned()),
            Test::For(all) | Test::From(all) | Test::To(all) => list(all, ToString::to_string),
            Test::Client(all) => list(all, ToString::to_string),
            Test::Name(all) | Test::Type(all) => list(all, ToString::to_string),
            Test::Ext(all) => all.join(","),
            Test::Kind(all) => list(all, |one| one.name().to_owned()),
            Test::Family(all) => list(all, |one| one.name().to_owned()),
            Test::Has(all) => all.join(","),
            Test::Within(all) => list(all, ToString::to_string),
            Test::Size(bytes) | Test::Larger(bytes) | Test::Smaller(bytes) | Test::MessageLarger(bytes) => {
                bytes.to_string()
            }
            Test::Sender(text) | Test::Subject(text) | Test::Text(text) | Test::Anywhere(text) => text.to_string(),
            Test::Header(name, text) => format!("{name}:{text}"),
            Test::Long(name, bytes) => format!("{name}:{bytes}"),
            Test::Stopped(all) => list(all, |one| one.name().to_owned()),
        };
        let bare = !value.is_empty() && !value.contains([' ', '"']);
        let value = if bare { value } else { quoted(&value) };
        write!(f, "{}{}={value}", self.test.name(), if self.not { "!" } else { "" })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for condition in &self.conditions {
            write!(f, "{condition} ")?;
        }
        f.write_str(self.action().name())?;
        if let Some(reason) = &self.reason {
            write!(f, " {}", quoted(reason))?;
        }
        let Options { name, until, at_least, unproven } = &self.options;
        if let Some(name) = name {
            write!(f, " as={name}")?;
        }
        if let Some(until) = until {
            write!(f, " until={until}")?;
        }
        if *at_least != 1 {
            write!(f, " at-least={at_least}")?;
        }
        if *unproven {
            f.write_str(" unproven")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Rule {
    type Err = RuleError;
    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;
    fn try_from(text: String) -> Result<Self, RuleError> {
        Self::parse(&text)
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> String {
        rule.to_string()
    }
}
