//! From text to [`Config`]: every key found in [`KEYS`], every error with its line.

use super::keys::{HIDDEN, KEYS};
use super::value::Value;
use super::{Config, Key};
use crate::limits::{CONFIG_ERRORS_MAX, CONFIG_SIZE_MAX};
use crate::peer::Listener;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::Metadata;
use std::io::Read as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// The line, counted from 1; `None` if no line is to blame.
    pub line: Option<usize>,
    /// The file as the administrator named it.
    pub file: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for ConfigError {}

/// All that is wrong with a file, by line; never empty, at most `limits::CONFIG_ERRORS_MAX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// A configuration with the lines it came from, so that what is found wrong later (a port in use, a key that
/// anybody can read) is told with its line too.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file as the administrator named it.
    pub file: String,
    /// What the system said of the file that was read: whose it is, and who may write it. At its path there may be another
    /// one by now.
    pub status: Option<Metadata>,
    lines: BTreeMap<&'static str, usize>,
}

impl Loaded {
    /// A configuration that came from no file.
    #[must_use]
    pub fn built(config: Config, file: impl Into<String>) -> Self {
        Self { config, file: file.into(), status: None, lines: BTreeMap::new() }
    }
    /// The line of a key, if the file has it.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<usize> {
        self.lines.get(key).copied()
    }
    /// An error about the value of a key.
    #[must_use]
    pub fn fault(&self, key: &str, what: impl fmt::Display) -> ConfigError {
        let known = KEYS.iter().find(|k| k.path == key);
        let value = known.map(|k| k.told(&self.config)).unwrap_or_default();
        let by_default = if self.line(key).is_none() { " (by default)" } else { "" };
        ConfigError {
            line: self.line(key),
            file: self.file.clone(),
            what: format!("{key} = {}{by_default}: {what}", cut(&value)),
        }
    }
}

pub(super) fn load(file: &Path, data: Option<&Path>) -> Result<Loaded, ConfigErrors> {
    let name = file.display().to_string();
    let unreadable =
        |e: std::io::Error| ConfigError { line: None, file: name.clone(), what: format!("can't be read: {e}") };
    let mut bytes = Vec::new();
    let most = u64::try_from(CONFIG_SIZE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    let status = opened.metadata().map_err(unreadable)?;
    opened.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    let mut loaded = parse_bytes(&bytes, &name)?;
    loaded.status = Some(status);
    if let Some(data) = data {
        // Given on the command line: meant from where the command runs.
        loaded.config.data = std::path::absolute(data).map_err(unreadable)?;
    }
    let absolute = std::path::absolute(file).map_err(unreadable)?;
    loaded.config.resolve(absolute.parent().unwrap_or(Path::new("/")));
    Ok(loaded)
}

pub(super) fn parse_bytes(bytes: &[u8], name: &str) -> Result<Loaded, ConfigErrors> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, name),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|b| **b == b'\n').count().saturating_add(1);
            let what = "has bytes that are not UTF-8".to_owned();
            Err(ConfigError { line: Some(line), file: name.to_owned(), what }.into())
        }
    }
}

pub(super) fn parse(text: &str, name: &str) -> Result<Loaded, ConfigErrors> {
    let mut reader = Reader { text, errors: Vec::new(), loaded: Loaded::built(Config::default(), name) };
    if text.len() > CONFIG_SIZE_MAX {
        reader.errors.push(ConfigError {
            line: None,
            file: name.to_owned(),
            what: format!("is larger than {CONFIG_SIZE_MAX} bytes"),
        });
    } else {
        match DeTable::parse(text) {
            Ok(table) => reader.sections(table.get_ref()),
            Err(error) => reader.refuse(error.span().unwrap_or_default(), error.message().to_owned()),
        }
    }
    if reader.errors.is_empty() {
        reader.one_door_an_address();
        let contradictions = super::agree::contradictions(&reader.loaded);
        reader.errors.extend(contradictions);
    }
    reader.finish()
}

struct Reader<'t> {
    text: &'t str,
    errors: Vec<ConfigError>,
    loaded: Loaded,
}

impl Reader<'_> {
    fn line_at(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|b| **b == b'\n').count().saturating_add(1)
    }

    fn refuse(&mut self, at: Range<usize>, what: String) {
        if self.errors.len() < CONFIG_ERRORS_MAX {
            let line = Some(self.line_at(at.start));
            self.errors.push(ConfigError { line, file: self.loaded.file.clone(), what });
        }
    }

    /// Top of the file: keys without a section, and sections.
    fn sections(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let is_section = KEYS.iter().any(|k| !k.section().is_empty() && k.section() == name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) if is_section => {
                    for (key, value) in inner {
                        self.key(&format!("{}.{}", name.get_ref(), key.get_ref()), key.span(), value);
                    }
                }
                DeValue::Table(inner) => match inner.iter().next() {
                    // Judged by its first key: [listne] smtp = … is told that listen.smtp exists.
                    Some((key, _)) => self.unknown(&format!("{}.{}", name.get_ref(), key.get_ref()), name.span()),
                    None => self.unknown(name.get_ref(), name.span()),
                },
                _ if is_section => {
                    let what = format!("{0} is a section: write [{0}] on a line of its own", name.get_ref());
                    self.refuse(name.span(), what);
                }
                _ => self.key(name.get_ref(), name.span(), value),
            }
        }
    }

    fn key(&mut self, path: &str, at: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let Some(key) = KEYS.iter().find(|k| k.path == path) else {
            return self.unknown(path, at);
        };
        let line = self.line_at(at.start);
        match (key.read)(&mut self.loaded.config, &plain(value.get_ref())) {
            Ok(()) => {
                self.loaded.lines.insert(key.path, line);
            }
            Err(refusal) => {
                let written = if key.is_secret() { HIDDEN } else { self.text.get(value.span()).unwrap_or_default() };
                let written = cut(written);
                self.refuse(at, format!("{path} = {written}: {refusal}"));
            }
        }
    }

    fn unknown(&mut self, path: &str, at: Range<usize>) {
        let mend = nearest(path).map_or_else(
            || "`mailward config reference` lists all keys".to_owned(),
            |key| format!("the nearest is {}", key.path),
        );
        self.refuse(at, format!("{} is no key; {mend}", cut(path)));
    }

    /// Two doors can't share an address and port.
    fn one_door_an_address(&mut self) {
        let mut taken: BTreeMap<SocketAddr, Listener> = BTreeMap::new();
        let mut errors = Vec::new();
        for listener in Listener::ALL {
            for address in self.loaded.config.listen.get(listener) {
                if let Some(other) = taken.insert(*address, listener) {
                    let key = format!("listen.{listener}");
                    errors.push(self.loaded.fault(&key, format!("listen.{other} has {address} already")));
                }
            }
        }
        self.errors.extend(errors);
    }

    fn finish(mut self) -> Result<Loaded, ConfigErrors> {
        if self.errors.is_empty() {
            return Ok(self.loaded);
        }
        self.errors.sort();
        self.errors.truncate(CONFIG_ERRORS_MAX);
        Err(ConfigErrors(self.errors))
    }
}

/// The kinds of values that keys use.
fn plain<'v>(value: &'v DeValue<'_>) -> Value<'v> {
    match value {
        DeValue::String(text) => Value::Text(text),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("an integer of more than 64 bits"), Value::Integer),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str())
            .collect::<Option<Vec<_>>>()
            .map_or(Value::Other("a list of other things than strings"), Value::Texts),
        DeValue::Float(_) => Value::Other("a number with a point"),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(_) => Value::Other("a table"),
    }
}

/// At most 80 characters of what stands in the file, on one line, without controls.
fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(80).is_some() {
        short.push('…');
    }
    short
}

/// The known key that is fewest edits away, if it is near at all.
fn nearest(path: &str) -> Option<&'static Key> {
    let path: Vec<char> = path.chars().take(64).collect();
    let name: Vec<char> = path.rsplit(|c| *c == '.').next().unwrap_or_default().to_vec();
    KEYS.iter()
        .copied()
        .map(|key| (edits(&path, key.path).min(edits(&name, key.name()).saturating_add(1)), key))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, key)| *distance <= key.path.len().div_ceil(3).max(2))
        .map(|(_, key)| key)
}

/// Levenshtein's distance, one row at a time.
fn edits(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, a) in from.iter().enumerate() {
        let mut diagonal = index;
        let mut left = index.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let substituted = diagonal.saturating_add(usize::from(*a != b));
            diagonal = *cell;
            left = substituted.min(diagonal.saturating_add(1)).min(left.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
