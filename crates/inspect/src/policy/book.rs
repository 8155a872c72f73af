//! The book of all rules, in the order in which they are asked.

use super::defaults;
use super::dictionary::Dictionaries;
use super::rule::{Rule, RuleError, Test};
use super::text::{Pattern, comparable};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use arc_swap::ArcSwap;
use mailward_core::config::{Attachments, Config};
use mailward_scan::Kind;
use regex::Regex;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Made at run time; its number.
    Kept(u32),
    /// Of `content.rules`; its place, counted from 1.
    File(usize),
    /// Ours.
    BuiltIn,
}

/// A rule at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it comes from.
    pub source: Source,
    /// What it says.
    pub rule: Rule,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Kept(id) => write!(f, "rule {id}"),
            Source::File(place) => write!(f, "content.rules {place}"),
            Source::BuiltIn => f.write_str("built in"),
        }
    }
}

impl Placed {
    /// What its findings are called.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.rule.options().name, self.source) {
            (Some(name), _) => name.clone(),
            (None, Source::Kept(id)) => format!("rule-{id}"),
            (None, Source::File(place)) => format!("content.rules-{place}"),
            (None, Source::BuiltIn) => "built-in".to_owned(),
        }
    }
}

/// What is sought, ready to be.
#[derive(Clone, Debug)]
pub(super) enum Seek {
    /// One of these of the snapshot's terms.
    Terms(Arc<HashSet<u32>>),
    Expression(Regex),
    Card,
    Iban,
}

/// A rule that is asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) placed: Placed,
    /// What is sought, for each condition that seeks.
    pub(super) seeks: Vec<Option<Seek>>,
    pub(super) of_files: bool,
    pub(super) decides: bool,
    /// Of files, it asks for nothing but the declared type: parts that hold others are asked as well.
    pub(super) of_types_alone: bool,
}

/// What is asked at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) rules: Vec<Asked>,
    /// Rules that are not about files.
    pub(super) of_message: Vec<usize>,
    pub(super) of_types: Vec<usize>,
    pub(super) by_ext: HashMap<String, Vec<usize>>,
    pub(super) by_kind: HashMap<Kind, Vec<usize>>,
    pub(super) any_file: Vec<usize>,
    /// Words and phrases of all rules; none: there aren't any.
    pub(super) terms: Option<AhoCorasick>,
}

/// All rules. One for a server; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Rulebook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    snapshot: ArcSwap<Snapshot>,
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    kept: Vec<Placed>,
    file: Vec<Placed>,
    built_in: Vec<Placed>,
    dictionaries: Dictionaries,
}

/// What a configuration says of contents, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    file: Vec<Placed>,
    built_in: Vec<Placed>,
}

impl Settings {
    fn read(config: &Config, dictionaries: &Dictionaries) -> Result<Self, (usize, RuleError)> {
        let mut file = Vec::new();
        for (index, line) in config.content.rules.iter().enumerate() {
            let place = index.saturating_add(1);
            let rule = Rule::parse(line.as_str()).map_err(|error| (place, error))?;
            if let Some(name) = rule.dictionaries().find(|name| !dictionaries.contains_key(*name)) {
                return Err((place, RuleError::Dictionary(name.to_owned())));
            }
            file.push(Placed { source: Source::File(place), rule });
        }
        Ok(Self { file, built_in: built_in(&config.attachments) })
    }
}

fn built_in(attachments: &Attachments) -> Vec<Placed> {
    defaults::rules(attachments).into_iter().map(|rule| Placed { source: Source::BuiltIn, rule }).collect()
}

impl Default for Rulebook {
    /// What holds if nothing is said.
    fn default() -> Self {
        Self::with(Settings { file: Vec::new(), built_in: built_in(&Attachments::default()) }, Dictionaries::new())
    }
}

impl Rulebook {
    fn with(settings: Settings, dictionaries: Dictionaries) -> Self {
        let Settings { file, built_in } = settings;
        let parts = Parts { kept: Vec::new(), file, built_in, dictionaries };
        Self(Arc::new(Inner { snapshot: ArcSwap::from_pointee(Snapshot::of(&parts)), parts: Mutex::new(parts) }))
    }

    /// A book by a configuration and its dictionaries, with no rules that were made at run time.
    ///
    /// # Errors
    /// The place in `content.rules`, counted from 1, and what is wrong there.
    pub fn new(config: &Config, dictionaries: Dictionaries) -> Result<Self, (usize, RuleError)> {
        Ok(Self::with(Settings::read(config, &dictionaries)?, dictionaries))
    }

    /// Takes others from the file, as a whole, or none.
    ///
    /// # Errors
    /// As [`Rulebook::new`].
    pub fn set(&self, config: &Config, dictionaries: Dictionaries) -> Result<(), (usize, RuleError)> {
        let settings = Settings::read(config, &dictionaries)?;
        self.change(|parts| {
            parts.file = settings.file;
            parts.built_in = settings.built_in;
            parts.dictionaries = dictionaries;
        });
        Ok(())
    }

    /// Takes others that were made at run time, in their order.
    pub fn set_kept(&self, kept: Vec<Placed>) {
        self.change(|parts| parts.kept = kept);
    }

    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        // Under the lock, so that the last change is what is asked.
        self.0.snapshot.store(Arc::new(Snapshot::of(&parts)));
    }

    /// All rules, in the order in which they are asked.
    #[must_use]
    pub fn all(&self) -> Vec<Placed> {
        self.snapshot().rules.iter().map(|asked| asked.placed.clone()).collect()
    }

    /// A dictionary that a rule which was made at run time looks into, and that isn't there with these: the rule would never
    /// fit.
    #[must_use]
    pub fn lacks(&self, dictionaries: &Dictionaries) -> Option<(Source, String)> {
        let parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.kept.iter().find_map(|placed| {
            let name = placed.rule.dictionaries().find(|name| !dictionaries.contains_key(*name))?;
            Some((placed.source, name.to_owned()))
        })
    }

    /// Whether a dictionary is there.
    #[must_use]
    pub fn has_dictionary(&self, name: &str) -> bool {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner).dictionaries.contains_key(name)
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }
}

/// Words and phrases, each once.
#[derive(Default)]
struct Terms {
    numbers: HashMap<String, u32>,
    all: Vec<String>,
    dictionaries: HashMap<String, Arc<HashSet<u32>>>,
}

impl Terms {
    fn number(&mut self, term: &str) -> u32 {
        if let Some(number) = self.numbers.get(term) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.numbers.insert(term.to_owned(), number);
        self.all.push(term.to_owned());
        number
    }

    fn seek(&mut self, pattern: &Pattern, dictionaries: &Dictionaries) -> Seek {
        match pattern {
            Pattern::Phrase(phrase) => {
                let number = self.number(comparable(phrase).trim());
                Seek::Terms(Arc::new(HashSet::from([number])))
            }
            Pattern::Dictionary(name) => {
                if let Some(known) = self.dictionaries.get(name) {
                    return Seek::Terms(known.clone());
                }
                let terms = dictionaries.get(name).map(super::Dictionary::terms).unwrap_or_default();
                let numbers: HashSet<u32> = terms.iter().map(|term| self.number(term)).collect();
                let numbers = Arc::new(numbers);
                self.dictionaries.insert(name.clone(), numbers.clone());
                Seek::Terms(numbers)
            }
            Pattern::Expression(expression) => Seek::Expression(expression.regex().clone()),
            Pattern::Card => Seek::Card,
            Pattern::Iban => Seek::Iban,
        }
    }
}

impl Snapshot {
    fn of(parts: &Parts) -> Self {
        let mut snapshot = Self::default();
        let mut terms = Terms::default();
        for placed in parts.kept.iter().chain(&parts.file).chain(&parts.built_in) {
            snapshot.add(placed.clone(), &mut terms, &parts.dictionaries);
        }
        // One that can't be built finds nothing: it would need more words than there can be.
        snapshot.terms = (!terms.all.is_empty())
            .then(|| AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(&terms.all).ok())
            .flatten();
        snapshot
    }

    fn add(&mut self, placed: Placed, terms: &mut Terms, dictionaries: &Dictionaries) {
        let at = self.rules.len();
        let rule = &placed.rule;
        let of_files = rule.is_of_files();
        let tests = || rule.conditions().iter().map(|condition| &condition.test);
        let of_types_alone =
            of_files && tests().filter(|test| test.is_of_files()).all(|test| matches!(test, Test::Type(_)));
        match Self::keys(rule) {
            _ if !of_files => self.of_message.push(at),
            Keys::Ext(all) => all.into_iter().for_each(|ext| self.by_ext.entry(ext).or_default().push(at)),
            Keys::Kind(all) => all.into_iter().for_each(|kind| self.by_kind.entry(kind).or_default().push(at)),
            Keys::None => self.any_file.push(at),
        }
        if of_types_alone {
            self.of_types.push(at);
        }
        let seeks = tests().map(|test| test.text().map(|pattern| terms.seek(pattern, dictionaries))).collect();
        let decides = rule.decides();
        self.rules.push(Asked { seeks, of_files, decides, of_types_alone, placed });
    }

    /// What every file has one of that a rule fits.
    fn keys(rule: &Rule) -> Keys {
        for condition in rule.conditions().iter().filter(|condition| !condition.not) {
            match &condition.test {
                Test::Ext(all) => return Keys::Ext(all.iter().cloned().collect()),
                Test::Name(all) => {
                    let last = |glob: &super::Glob| glob.extension().map(str::to_owned);
                    if let Some(all) = all.iter().map(last).collect() {
                        return Keys::Ext(all);
                    }
                }
                Test::Kind(all) => return Keys::Kind(all.iter().copied().collect()),
                Test::Family(all) => {
                    let within = |kind: &&Kind| all.contains(&kind.family());
                    return Keys::Kind(Kind::ALL.iter().filter(within).copied().collect());
                }
                _ => {}
            }
        }
        Keys::None
    }
}

enum Keys {
    Ext(BTreeSet<String>),
    Kind(BTreeSet<Kind>),
    None,
}
