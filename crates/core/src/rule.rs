//! Address rules: who may do what, one line a rule.
//!
//! ```text
//! WHO [at LISTENER[,LISTENER]] [from PATTERN] [to PATTERN] ACTION [OPTION]...
//! ```
//! | word | is |
//! |---|---|
//! | WHO | an address, a network, `host.example.net`, `*.example.net`, `unnamed`, `local`, `any` |
//! | LISTENER | `smtp`, `submission`, … as in `[listen]`; without, every one |
//! | PATTERN | `user@domain`, `@domain`, `@*.domain`, or `<>`, the empty sender |
//! | ACTION | `allow`, `refuse ["words"]`, `relay`, `skip` |
//! | OPTION | `connections=N`, `recipients=N`, `messages=N` |
//!
//! A name is one that the reverse DNS of an address gives and that leads back to the address. `unnamed` is a client that has
//! none, `local` one that comes by a Unix socket, `any` anybody.
//!
//! **Limits**: `limits::RULE_LINE_MAX`, `RULE_WORDS_MAX`, `RULE_COUNT_MAX`.
//!
//! **Failure**: a line of which anything isn't understood is no rule; the error says which word, and what to write.

mod pattern;
mod read;

#[cfg(test)]
mod tests;

pub use pattern::{Pattern, is_below};

use crate::domain::Domain;
use crate::limits::{RULE_COUNT_MAX, RULE_WORDS_MAX};
use crate::network::{Network, NetworkError};
use crate::peer::{Listener, Protocol};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Anybody.
    Any,
    /// Who comes by a Unix socket.
    Local,
    /// Who has no confirmed name.
    Unnamed,
    /// Addresses.
    Network(Network),
    /// This confirmed name; it has a dot.
    Name(Domain),
    /// Every confirmed name below this one, and not this one.
    Under(Domain),
}

/// Doors that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listeners(u16);

/// What becomes of whoever a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// As any stranger: with all checks, and no rights.
    Allow,
    /// Not served, for good.
    Refuse {
        /// What they are told, in place of our own words: printable ASCII, 1 to `limits::RULE_WORDS_MAX` bytes.
        words: Option<String>,
    },
    /// May send through us to others, and skips the checks that `Skip` skips.
    Relay,
    /// Is asked for no reputation.
    Skip,
}

/// Limits of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnLimits {
    /// Connections at once from one address (IPv4) or one /64 (IPv6).
    pub connections: Option<u32>,
    /// Recipients of one message; never more than `limits.recipients`.
    pub recipients: Option<u32>,
    /// Messages an hour of one address (IPv4) or one /64 (IPv6), instead of what `rates.host` or `rates.client` says.
    pub messages: Option<u32>,
}

/// One rule; whatever it says can be followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    who: Who,
    at: Listeners,
    from: Option<Pattern>,
    to: Option<Pattern>,
    action: Action,
    limits: OwnLimits,
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Nothing.
    #[error("a rule is written WHO [at LISTENER] [from PATTERN] [to PATTERN] ACTION, such as \"192.0.2.0/24 refuse\"")]
    Empty,
    /// Over `limits::RULE_LINE_MAX`.
    #[error("a rule has at most {} bytes", crate::limits::RULE_LINE_MAX)]
    TooLong,
    /// A control character.
    #[error("a rule has no control characters")]
    Control,
    /// A quote that isn't closed.
    #[error("a quotation mark isn't closed")]
    Quote,
    /// Not an address or network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Not one of the forms of WHO.
    #[error("{0:?} is nobody: write an address, a network, host.example.net, *.example.net, unnamed, local or any")]
    Who(String),
    /// Not a listener.
    #[error("{0:?} is no listener: smtp, submission, submissions, imap, imaps, pop3, pop3s or lmtp")]
    Listener(String),
    /// Not one of the forms of PATTERN.
    #[error("{0:?} is no pattern: write user@domain, @domain, @*.domain, or <> for the empty sender")]
    Pattern(String),
    /// Where an action should stand.
    #[error("{0:?} is no action: write allow, refuse, relay or skip")]
    Action(String),
    /// No action.
    #[error("what becomes of them isn't said: write allow, refuse, relay or skip")]
    NoAction,
    /// A word that needs another behind it.
    #[error("nothing stands behind {0:?}")]
    Nothing(&'static str),
    /// Behind the action.
    #[error(
        "{0:?} is no option: write connections=N, recipients=N or messages=N; words of a refusal stand in quotation marks"
    )]
    Option(String),
    /// A number that can't be.
    #[error("{0:?}: a number from 1 to {RULE_COUNT_MAX} stands there")]
    Count(String),
    /// An option twice.
    #[error("{0:?} stands there twice")]
    Twice(String),
    /// Words of a refusal.
    #[error("the words of a refusal are 1 to {RULE_WORDS_MAX} printable ASCII characters")]
    Words,
    /// `relay` for a name, or for anybody.
    #[error("relay is for addresses and networks only: whoever owns an address can give it any name")]
    RelayByName,
    /// `relay` where it means nothing.
    #[error("relay is for the listener smtp: users log in at the others")]
    RelayAt,
    /// `from` or `to` at listeners where nobody sends.
    #[error("there are no senders and recipients at {0}: say at smtp, or leave from and to out")]
    Envelope(Listener),
    /// A name at listeners where none is asked for.
    #[error("names aren't looked up at {0}: write addresses or networks")]
    NameAt(Listener),
    /// `to <>`.
    #[error("no message has an empty recipient")]
    ToNobody,
    /// Limits of those who are refused.
    #[error("who is refused has no limits")]
    Limits,
    /// `connections=N` with what isn't known when somebody connects.
    #[error("connections=N is judged when somebody connects: by address, not by name, sender or recipient")]
    Connections,
    /// A limit of messages where nobody is counted, or that isn't known when a client connects.
    #[error("messages=N is for allow, and for rules that go by address and listener alone")]
    Messages,
}

impl Listeners {
    /// Every one.
    pub const ALL: Self = Self(u16::MAX);

    /// Some; none is every one.
    #[must_use]
    pub fn of(some: &[Listener]) -> Self {
        let bits = some.iter().fold(0, |bits, listener| bits | Self::bit(*listener));
        if bits == 0 || Listener::ALL.into_iter().all(|listener| bits & Self::bit(listener) != 0) {
            return Self::ALL;
        }
        Self(bits)
    }
    const fn bit(listener: Listener) -> u16 {
        match listener {
            Listener::Smtp => 1,
            Listener::Submission => 1 << 1,
            Listener::Submissions => 1 << 2,
            Listener::Imap => 1 << 3,
            Listener::Imaps => 1 << 4,
            Listener::Pop3 => 1 << 5,
            Listener::Pop3s => 1 << 6,
            Listener::Lmtp => 1 << 7,
            Listener::Https => 1 << 8,
            Listener::Http => 1 << 9,
        }
    }
    /// Whether one is among them.
    #[must_use]
    pub const fn contains(self, listener: Listener) -> bool {
        self.0 & Self::bit(listener) != 0
    }
    /// Those that are named; none if it is every one.
    #[must_use]
    pub fn named(self) -> Vec<Listener> {
        if self == Self::ALL {
            return Vec::new();
        }
        Listener::ALL.into_iter().filter(|listener| self.contains(*listener)).collect()
    }
}

/// Whether the names of clients are looked up there: of those that other servers come to. Users come from anywhere, and local
/// programs from here.
#[must_use]
pub const fn asks_names(listener: Listener) -> bool {
    matches!(listener, Listener::Smtp)
}

/// Whether messages come in there, so that there are senders and recipients.
#[must_use]
pub const fn takes_mail(listener: Listener) -> bool {
    match listener.protocol() {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => true,
        Protocol::Imap | Protocol::Pop3 | Protocol::Http => false,
    }
}

impl Who {
    /// Whether it is about a name.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        matches!(self, Who::Unnamed | Who::Name(_) | Who::Under(_))
    }
}

impl Rule {
    /// Puts a rule together.
    ///
    /// # Errors
    /// [`RuleError`] if it can't be followed.
    pub fn new(
        who: Who,
        at: Listeners,
        from: Option<Pattern>,
        to: Option<Pattern>,
        action: Action,
        limits: OwnLimits,
    ) -> Result<Self, RuleError> {
        for listener in at.named() {
            if !takes_mail(listener) && (from.is_some() || to.is_some()) {
                return Err(RuleError::Envelope(listener));
            }
            if !asks_names(listener) && who.is_named() {
                return Err(RuleError::NameAt(listener));
            }
        }
        if to == Some(Pattern::Null) {
            return Err(RuleError::ToNobody);
        }
        match &action {
            Action::Relay => {
                let Who::Network(network) = &who else { return Err(RuleError::RelayByName) };
                Network::parse(&network.to_string())?;
                if !at.contains(Listener::Smtp) {
                    return Err(RuleError::RelayAt);
                }
            }
            Action::Refuse { words } => {
                if words.as_ref().is_some_and(|words| !are_words(words)) {
                    return Err(RuleError::Words);
                }
                if limits != OwnLimits::default() {
                    return Err(RuleError::Limits);
                }
            }
            Action::Allow | Action::Skip => {}
        }
        // Who is let off its checks isn't counted.
        if limits.messages.is_some() && (who.is_named() || from.is_some() || to.is_some() || action != Action::Allow) {
            return Err(RuleError::Messages);
        }
        if limits.connections.is_some() && (who.is_named() || from.is_some() || to.is_some()) {
            return Err(RuleError::Connections);
        }
        for count in [limits.connections, limits.recipients, limits.messages].into_iter().flatten() {
            if !(1..=RULE_COUNT_MAX).contains(&count) {
                return Err(RuleError::Count(count.to_string()));
            }
        }
        Ok(Self { who, at, from, to, action, limits })
    }

    /// Of a network, at every listener, whoever the sender is.
    ///
    /// # Errors
    /// [`RuleError`] if it can't be followed.
    pub fn of_network(network: Network, action: Action) -> Result<Self, RuleError> {
        Self::new(Who::Network(network), Listeners::ALL, None, None, action, OwnLimits::default())
    }

    /// Whether it refuses everybody, at every listener and whatever they bring: users too, and whoever administers from elsewhere.
    #[must_use]
    pub const fn shuts_everybody_out(&self) -> bool {
        let is_everybody = match &self.who {
            Who::Any => true,
            Who::Network(network) => network.prefix() == 0,
            Who::Local | Who::Unnamed | Who::Name(_) | Who::Under(_) => false,
        };
        let is_everything = self.at.0 == Listeners::ALL.0 && self.from.is_none() && self.to.is_none();
        is_everybody && is_everything && matches!(self.action, Action::Refuse { .. })
    }

    /// Whom it is about.
    #[must_use]
    pub const fn who(&self) -> &Who {
        &self.who
    }
    /// At which doors.
    #[must_use]
    pub const fn at(&self) -> Listeners {
        self.at
    }
    /// From which senders, if not from all.
    #[must_use]
    pub const fn from(&self) -> Option<&Pattern> {
        self.from.as_ref()
    }
    /// To which recipients, if not to all.
    #[must_use]
    pub const fn to(&self) -> Option<&Pattern> {
        self.to.as_ref()
    }
    /// What becomes of them.
    #[must_use]
    pub const fn action(&self) -> &Action {
        &self.action
    }
    /// Their own limits.
    #[must_use]
    pub const fn limits(&self) -> OwnLimits {
        self.limits
    }
}

/// What may be said in a reply.
fn are_words(words: &str) -> bool {
    (1..=RULE_WORDS_MAX).contains(&words.len())
        && words.bytes().all(|b| matches!(b, b' '..=b'~'))
        && !words.starts_with(' ')
}

impl Action {
    /// Its word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Refuse { .. } => "refuse",
            Action::Relay => "relay",
            Action::Skip => "skip",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Any => f.write_str("any"),
            Who::Local => f.write_str("local"),
            Who::Unnamed => f.write_str("unnamed"),
            Who::Network(network) if network.is_host() => network.first().fmt(f),
            Who::Network(network) => network.fmt(f),
            Who::Name(name) => name.fmt(f),
            Who::Under(name) => write!(f, "*.{name}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Action::Refuse { words: Some(words) } = self {
            write!(f, " {}", crate::line::quoted(words))?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.who.fmt(f)?;
        for (index, listener) in self.at.named().into_iter().enumerate() {
            write!(f, "{}{listener}", if index == 0 { " at " } else { "," })?;
        }
        if let Some(pattern) = &self.from {
            write!(f, " from {pattern}")?;
        }
        if let Some(pattern) = &self.to {
            write!(f, " to {pattern}")?;
        }
        write!(f, " {}", self.action)?;
        if let Some(count) = self.limits.connections {
            write!(f, " connections={count}")?;
        }
        if let Some(count) = self.limits.recipients {
            write!(f, " recipients={count}")?;
        }
        if let Some(count) = self.limits.messages {
            write!(f, " messages={count}")?;
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
