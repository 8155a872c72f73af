//! Rules by what they are about, so that those that may fit are found without asking all.

use super::book::Placed;
use super::fit::{Facts, Fit, Miss, Missing, Name, fit, fits_but_for_the_name};
use super::treatment::{Kinds, Treatment};
use mailward_core::rule::{Action, Listeners, Pattern, Rule, Who};
use mailward_core::{Address, Domain, Network};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Rules in their order, and where to find them. A rule stands at one place: under its network, else its name, else its
/// sender, else its recipient, else among those that are about anybody.
#[derive(Debug, Default)]
pub(super) struct Index {
    rules: Vec<Arc<Placed>>,
    by: HashMap<Key, Vec<usize>>,
    /// Prefixes that networks have.
    prefixes_v4: Vec<u8>,
    prefixes_v6: Vec<u8>,
    anybody: Vec<usize>,
    /// Of rules that are alike but for the name, the sender, the recipient: the first. While that isn't known, it stands for
    /// all of them.
    names: Vec<usize>,
    senders: Vec<usize>,
    recipients: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Network(Network),
    Unnamed,
    Name(Domain),
    Under(String),
    Sender(By),
    Recipient(By),
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum By {
    Null,
    /// Local part in lower case, and host.
    Address(String),
    Domain(Domain),
    Under(String),
}

impl By {
    fn of(pattern: &Pattern) -> Self {
        match pattern {
            Pattern::Null => Self::Null,
            Pattern::Address(address) => Self::Address(format!("{}@{}", address.local().folded(), address.host())),
            Pattern::Domain(domain) => Self::Domain(domain.clone()),
            Pattern::Under(domain) => Self::Under(domain.to_string()),
        }
    }
    /// Under what rules about an address may stand.
    fn of_address(address: Option<&Address>) -> Vec<Self> {
        let Some(address) = address else { return vec![Self::Null] };
        let local = address.local().folded();
        let cuts = local.match_indices('+').map(|(at, _)| at).chain([local.len()]);
        let bare = cuts.filter_map(|at| local.get(..at));
        let mut all: Vec<Self> = bare.map(|bare| Self::Address(format!("{bare}@{}", address.host()))).collect();
        if let Some(domain) = address.domain() {
            all.push(Self::Domain(domain.clone()));
            all.extend(above(domain).map(Self::Under));
        }
        all
    }
}

/// Names that a name is below. A domain has 127 labels at most (RFC 1035 §2.3.4).
fn above(domain: &Domain) -> impl Iterator<Item = String> {
    domain
        .as_str()
        .match_indices('.')
        .filter_map(|(at, _)| domain.as_str().get(at.saturating_add(1)..))
        .map(str::to_owned)
}

/// Where a rule stands.
enum Group {
    Under(Key),
    Named(Key),
    Sender(Key),
    Recipient(Key),
    Anybody,
}

fn group(rule: &Rule) -> Group {
    match rule.who() {
        Who::Network(network) => return Group::Under(Key::Network(*network)),
        Who::Unnamed => return Group::Named(Key::Unnamed),
        Who::Name(name) => return Group::Named(Key::Name(name.clone())),
        Who::Under(name) => return Group::Named(Key::Under(name.to_string())),
        Who::Any | Who::Local => {}
    }
    match (rule.from(), rule.to()) {
        (Some(from), _) => Group::Sender(Key::Sender(By::of(from))),
        (None, Some(to)) => Group::Recipient(Key::Recipient(By::of(to))),
        (None, None) => Group::Anybody,
    }
}

/// What rules have in common that answer alike while one thing isn't known.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    which: u8,
    local: bool,
    at: Listeners,
    from: Option<Pattern>,
    to: Option<Pattern>,
    kind: &'static str,
}

impl Index {
    pub(super) fn new(rules: Vec<Arc<Placed>>) -> Self {
        let mut index = Self::default();
        let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
        let mut seen: HashSet<Shape> = HashSet::new();
        for (place, placed) in rules.iter().enumerate() {
            let rule = &placed.rule;
            let group = group(rule);
            // All are about some name, or all about anybody: of those the Unix sockets alone are told apart.
            let shape = |which, from: Option<&Pattern>, to: Option<&Pattern>| Shape {
                which,
                local: *rule.who() == Who::Local,
                at: rule.at(),
                from: from.cloned(),
                to: to.cloned(),
                kind: rule.action().name(),
            };
            match &group {
                Group::Under(Key::Network(network)) => {
                    let prefixes = if network.first().is_ipv4() { &mut v4 } else { &mut v6 };
                    prefixes.insert(network.prefix());
                }
                Group::Under(_) => {}
                Group::Named(_) if seen.insert(shape(0, rule.from(), rule.to())) => index.names.push(place),
                Group::Sender(_) if seen.insert(shape(1, None, rule.to())) => index.senders.push(place),
                Group::Recipient(_) if seen.insert(shape(2, None, None)) => index.recipients.push(place),
                // Behind one of the same kind at the same doors none is ever reached.
                Group::Anybody if seen.insert(Shape { kind: "", ..shape(3, None, None) }) => index.anybody.push(place),
                Group::Named(_) | Group::Sender(_) | Group::Recipient(_) | Group::Anybody => {}
            }
            match group {
                Group::Under(key) | Group::Named(key) | Group::Sender(key) | Group::Recipient(key) => {
                    match index.by.entry(key) {
                        Entry::Occupied(mut places) => places.get_mut().push(place),
                        Entry::Vacant(free) => drop(free.insert(vec![place])),
                    }
                }
                Group::Anybody => {}
            }
        }
        index.prefixes_v4 = v4.into_iter().collect();
        index.prefixes_v6 = v6.into_iter().collect();
        index.rules = rules;
        index
    }

    pub(super) fn rules(&self) -> &[Arc<Placed>] {
        &self.rules
    }

    /// The answer to what is known.
    pub(super) fn decide(&self, facts: &Facts<'_>) -> Treatment {
        let mut candidates = self.candidates(facts);
        candidates.sort_unstable();
        walk(candidates.into_iter().filter_map(|place| self.rules.get(place)), facts)
    }

    /// Places of the rules that may fit, in no order.
    fn candidates(&self, facts: &Facts<'_>) -> Vec<usize> {
        let mut places = self.anybody.clone();
        let mut add = |key: &Key| places.extend(self.by.get(key).into_iter().flatten().copied());
        if let Some(ip) = facts.client.ip.map(|ip| ip.to_canonical()) {
            let prefixes = if matches!(ip, IpAddr::V4(_)) { &self.prefixes_v4 } else { &self.prefixes_v6 };
            for prefix in prefixes {
                add(&Key::Network(Network::of(ip, *prefix)));
            }
            match facts.client.name {
                Name::Confirmed(name) => {
                    add(&Key::Name(name.clone()));
                    above(name).for_each(|name| add(&Key::Under(name)));
                }
                Name::None => add(&Key::Unnamed),
                Name::Failed | Name::NotAsked | Name::NotYetKnown => {}
            }
        }
        if let Some(from) = facts.from {
            By::of_address(from).into_iter().for_each(|by| add(&Key::Sender(by)));
        }
        if let Some(to) = facts.to {
            By::of_address(Some(to)).into_iter().for_each(|by| add(&Key::Recipient(by)));
        }
        if matches!(facts.client.name, Name::NotYetKnown | Name::Failed) {
            places.extend(&self.names);
        }
        if facts.from.is_none() {
            places.extend(&self.senders);
        }
        if facts.to.is_none() {
            places.extend(&self.recipients);
        }
        places
    }
}

/// The first that fits, and what may come of those before.
pub(super) fn walk<'r>(rules: impl Iterator<Item = &'r Arc<Placed>>, facts: &Facts<'_>) -> Treatment {
    let (mut perhaps, mut waits_for_name, mut put_off) = (Kinds::default(), false, false);
    for placed in rules {
        match fit(&placed.rule, facts) {
            Fit::Yes => return Treatment::new(Some(placed.clone()), perhaps, waits_for_name, put_off),
            Fit::No(Miss::NameFailed) if matches!(placed.rule.action(), Action::Refuse { .. }) => {
                put_off |= fits_but_for_the_name(&placed.rule, facts);
            }
            Fit::No(_) => {}
            Fit::NotYet(missing) => {
                perhaps = perhaps.and(Kinds::of(placed.rule.action()));
                waits_for_name |= missing == Missing::Name;
            }
        }
    }
    Treatment::new(None, perhaps, waits_for_name, put_off)
}
