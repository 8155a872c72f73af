//! The book of all rules, in the order in which they are asked.

use super::fit::{Client, Facts, Name};
use super::index::Index;
use super::kept::KeptRule;
use super::treatment::Treatment;
use arc_swap::ArcSwap;
use mailward_core::config::Config;
use mailward_core::rule::{Action, Listeners, OwnLimits, Rule, Who, asks_names};
use mailward_core::{Address, Listener, Network};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Networks that are this host.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Made at run time; its number.
    Kept(u32),
    /// Of `rules.list`; its place, counted from 1.
    File(usize),
    /// Of `relay.from`.
    RelayFrom,
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
            Source::File(place) => write!(f, "rules.list {place}"),
            Source::RelayFrom => f.write_str("relay.from"),
            Source::BuiltIn => f.write_str("built in"),
        }
    }
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.rule)
    }
}

/// All rules. One for a server; a clone is the same one.
#[derive(Clone, Debug)]
pub struct RuleBook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What is asked; replaced as a whole.
    index: ArcSwap<Index>,
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    kept: Vec<Placed>,
    file: Vec<Rule>,
    relay_from: Vec<Network>,
}

impl Default for RuleBook {
    fn default() -> Self {
        Self::new(&[], &[])
    }
}

impl From<&Config> for RuleBook {
    fn from(config: &Config) -> Self {
        Self::new(&config.rules.list, &config.relay.from)
    }
}

impl RuleBook {
    /// A book with the rules of a file, and none that were made at run time.
    #[must_use]
    pub fn new(file: &[Rule], relay_from: &[Network]) -> Self {
        let parts = Parts { kept: Vec::new(), file: file.to_vec(), relay_from: relay_from.to_vec() };
        Self(Arc::new(Inner { index: ArcSwap::from_pointee(Index::new(parts.all())), parts: Mutex::new(parts) }))
    }

    /// Takes others from the file, as a whole.
    pub fn set_file(&self, config: &Config) {
        self.change(|parts| {
            parts.file.clone_from(&config.rules.list);
            parts.relay_from.clone_from(&config.relay.from);
        });
    }

    pub(super) fn set_kept(&self, kept: &[KeptRule]) {
        let placed = |kept: &KeptRule| Placed { source: Source::Kept(kept.id), rule: kept.rule.clone() };
        self.change(|parts| parts.kept = kept.iter().map(placed).collect());
    }

    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        // Under the lock, so that the last change is what is asked.
        self.0.index.store(Arc::new(Index::new(parts.all())));
    }

    /// What is known when somebody connects. Names are looked up where other servers come to only.
    #[must_use]
    pub fn at_the_door(&self, ip: Option<IpAddr>, listener: Listener) -> Treatment {
        let name = if asks_names(listener) { Name::NotYetKnown } else { Name::NotAsked };
        self.of(&Client { ip, listener, name }, None, None)
    }

    /// What the rules say. `from`: `None` while the sender isn't known, `Some(None)` if it is the empty one. `to`: `None` while
    /// the recipient isn't known.
    #[must_use]
    pub fn of(&self, client: &Client<'_>, from: Option<Option<&Address>>, to: Option<&Address>) -> Treatment {
        self.0.index.load().decide(&Facts { client: *client, from, to })
    }

    /// All rules, in the order in which they are asked.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Placed>> {
        self.0.index.load().rules().to_vec()
    }
}

impl Parts {
    fn all(&self) -> Vec<Arc<Placed>> {
        let file = self
            .file
            .iter()
            .enumerate()
            .map(|(place, rule)| Placed { source: Source::File(place.saturating_add(1)), rule: rule.clone() });
        // What the configuration read as a network that may relay is one.
        let relay = self.relay_from.iter().filter_map(|network| {
            let rule = Rule::of_network(*network, Action::Relay).ok()?;
            Some(Placed { source: Source::RelayFrom, rule })
        });
        self.kept.iter().cloned().chain(file).chain(relay).chain(built_in()).map(Arc::new).collect()
    }
}

/// This host is asked for no reputation, if nothing else is said.
fn built_in() -> impl Iterator<Item = Placed> {
    let skip = |who| {
        let rule = Rule::new(who, Listeners::ALL, None, None, Action::Skip, OwnLimits::default()).ok()?;
        Some(Placed { source: Source::BuiltIn, rule })
    };
    let networks = LOOPBACK.iter().filter_map(|text| Network::parse_any(text).ok()).map(Who::Network);
    networks.chain([Who::Local]).filter_map(skip)
}
