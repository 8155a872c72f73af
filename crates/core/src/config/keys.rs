//! The one table of keys. Add a key to its group here and a field in the types; the tests tell if one is missing.

mod alerts;
mod antivirus;
mod audit;
mod content;
mod dmarc;
mod guard;
mod host;
mod limits;
mod lists;
mod logins;
mod milters;
mod quarantine;
mod queue;
mod rates;
mod rules;
mod sent;
mod services;
mod slow;
mod spam;
mod structure;
mod web;

use super::Config;
use super::value::{Refusal, Value, quoted};
use std::sync::LazyLock;

/// Every key, in the order of the file.
pub static KEYS: LazyLock<Vec<&'static Key>> = LazyLock::new(|| GROUPS.iter().flat_map(|group| group.iter()).collect());

/// A file a group.
const GROUPS: &[&[Key]] = &[
    host::KEYS,
    limits::KEYS,
    slow::KEYS,
    queue::KEYS,
    sent::KEYS,
    guard::KEYS,
    rules::KEYS,
    content::KEYS,
    structure::KEYS,
    lists::KEYS,
    dmarc::KEYS,
    milters::KEYS,
    antivirus::KEYS,
    spam::KEYS,
    logins::KEYS,
    rates::KEYS,
    quarantine::KEYS,
    web::KEYS,
    services::KEYS,
    alerts::KEYS,
    audit::KEYS,
];

/// Keys whose values may be secrets: the path of a webhook often is the password.
const SECRET: &[&str] = &["alerts.webhook"];
/// What is shown instead.
pub(super) const HIDDEN: &str = "\"…\"";

/// One key of `mailward.toml`.
pub struct Key {
    /// Section and name with a dot between, or a name alone.
    pub path: &'static str,
    /// What the value looks like.
    pub form: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What it does and why one would change it. Lines of at most 100 characters.
    pub help: &'static str,
    /// Whether `mailward reload` takes a new value; else it needs a restart.
    pub reloads: bool,
    pub(super) read: fn(&mut Config, &Value<'_>) -> Result<(), Refusal>,
    pub(super) write: fn(&Config) -> String,
}

impl Key {
    /// The section, empty for keys that stand before the first.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }
    /// The name without its section.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
    /// The value in a configuration as errors and the log may show it; what may be a secret is not shown.
    #[must_use]
    pub fn told(&self, config: &Config) -> String {
        let value = self.value(config);
        let shown = !self.is_secret() || value == self.default();
        if shown { value } else { HIDDEN.to_owned() }
    }
    /// Whether the value may be a secret.
    pub(super) fn is_secret(&self) -> bool {
        SECRET.contains(&self.path)
    }
    /// The value in a configuration, as TOML. It may be a secret: see [`Key::told`].
    #[must_use]
    pub fn value(&self, config: &Config) -> String {
        (self.write)(config)
    }
    /// The default, as TOML.
    #[must_use]
    pub fn default(&self) -> String {
        (self.write)(&Config::default())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.path)
    }
}

/// Reads one of some words.
fn one_of<T: Copy>(value: &Value<'_>, names: &[(&str, T)]) -> Result<T, Refusal> {
    let found = match value {
        Value::Text(text) => names.iter().find(|(name, _)| name == text),
        _ => None,
    };
    found.map(|(_, one)| *one).ok_or_else(|| {
        let names: Vec<String> = names.iter().map(|(name, _)| quoted(name)).collect();
        format!("must be {}", names.join(" or "))
    })
}

/// The word of one of them.
fn name_of<T: PartialEq>(names: &[(&'static str, T)], one: T) -> &'static str {
    names.iter().find(|(_, named)| *named == one).map_or("", |(name, _)| *name)
}
