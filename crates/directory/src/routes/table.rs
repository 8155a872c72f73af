//! All routes and gateways in memory, and which of them decides.

use super::gateway::{Gateway, GatewayCheck};
use super::model::{ForWhom, FromWhom, Leads, Route, RouteName};
use crate::snapshot::fold;
use mailward_core::{Address, Domain};
use mailward_store::records::Lane;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What decided where mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Where it waits.
    pub lane: Lane,
    /// By whom.
    pub by: Arc<Leading>,
}

/// A route, or a gateway, which is one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leading {
    /// Whose it is.
    pub owner: Owner,
    /// To whom.
    pub to: ForWhom,
    /// And from whom.
    pub from: FromWhom,
    /// Where to.
    pub leads: Leads,
    /// See [`Route::lifetime`].
    pub lifetime: Option<u64>,
    /// See [`Route::warn_after`].
    pub warn_after: Option<u64>,
}

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A route.
    Route(RouteName),
    /// The gateway of a domain.
    Gateway(Domain),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Route(name) => write!(f, "route:{name}"),
            Self::Gateway(domain) => write!(f, "gateway:{domain}"),
        }
    }
}

impl Owner {
    /// Where mail that goes this way waits. A colon can't stand in a domain, so that it is no domain's lane.
    ///
    /// # Panics
    /// Never: names and domains are shorter than a lane's name may be, and visible ASCII.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test shows that the longest fits")]
    pub fn lane(&self) -> Lane {
        Lane::parse(&self.to_string()).expect("a route's lane fits")
    }
}

/// Whether a lane is of a route or gateway, there or not.
#[must_use]
pub fn is_routed(lane: &Lane) -> bool {
    lane.as_str().starts_with("route:") || lane.as_str().starts_with("gateway:")
}

/// To whom, as it is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum To {
    Everybody,
    Under(String),
    Domain(Domain),
    Address(String, Domain),
}

/// From whom, as it is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum From {
    Anybody,
    Domain(Domain),
    Address(String, Domain),
}

fn folded(address: &Address) -> Option<(String, Domain)> {
    Some((fold(address.local().as_str()).into_owned(), address.domain()?.clone()))
}

impl To {
    /// An address without a domain is nobody's route: parsing lets none in.
    fn of(to: &ForWhom) -> Option<Self> {
        Some(match to {
            ForWhom::Everybody => Self::Everybody,
            ForWhom::Under(domain) => Self::Under(domain.to_string()),
            ForWhom::Domain(domain) => Self::Domain(domain.clone()),
            ForWhom::Address(address) => {
                let (local, domain) = folded(address)?;
                Self::Address(local, domain)
            }
        })
    }

    /// What a recipient is looked for as, the most specific first.
    fn all(recipient: &Address) -> Option<Vec<Self>> {
        let (local, domain) = folded(recipient)?;
        let mut all = vec![Self::Address(local, domain.clone()), Self::Domain(domain.clone())];
        let mut rest = Some(domain.as_str());
        while let Some(suffix) = rest {
            all.push(Self::Under(suffix.to_owned()));
            rest = suffix.split_once('.').map(|(_, under)| under);
        }
        all.push(Self::Everybody);
        Some(all)
    }
}

impl From {
    fn of(from: &FromWhom) -> Option<Self> {
        Some(match from {
            FromWhom::Anybody => Self::Anybody,
            FromWhom::Domain(domain) => Self::Domain(domain.clone()),
            FromWhom::Address(address) => {
                let (local, domain) = folded(address)?;
                Self::Address(local, domain)
            }
        })
    }

    fn all(sender: Option<&Address>) -> Vec<Self> {
        let mut all = Vec::with_capacity(3);
        if let Some((local, domain)) = sender.and_then(folded) {
            all.push(Self::Address(local, domain.clone()));
            all.push(Self::Domain(domain));
        }
        all.push(Self::Anybody);
        all
    }
}

/// Routes and gateways as they were read.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    by_match: HashMap<(To, From), Arc<Leading>>,
    by_lane: HashMap<Lane, Arc<Leading>>,
    pub(super) routes: BTreeMap<RouteName, Route>,
    pub(super) gateways: BTreeMap<Domain, Arc<Gateway>>,
    pub(super) listed: BTreeMap<Domain, BTreeSet<String>>,
}

impl RouteTable {
    pub(super) fn new(
        routes: BTreeMap<RouteName, Route>,
        gateways: BTreeMap<Domain, Arc<Gateway>>,
        listed: BTreeMap<Domain, BTreeSet<String>>,
    ) -> Self {
        let mut table = Self::default();
        for route in routes.values() {
            table.insert(Leading {
                owner: Owner::Route(route.name.clone()),
                to: route.to.clone(),
                from: route.from.clone(),
                leads: route.leads.clone(),
                lifetime: route.lifetime,
                warn_after: route.warn_after,
            });
        }
        for gateway in gateways.values() {
            table.insert(Leading {
                owner: Owner::Gateway(gateway.domain.clone()),
                to: ForWhom::Domain(gateway.domain.clone()),
                from: FromWhom::Anybody,
                leads: gateway.leads.clone(),
                lifetime: None,
                warn_after: None,
            });
        }
        Self { routes, gateways, listed, ..table }
    }

    fn insert(&mut self, leading: Leading) {
        let Some(key) = To::of(&leading.to).zip(From::of(&leading.from)) else { return };
        let leading = Arc::new(leading);
        // Mail that goes by DNS waits with that of its domain.
        if leading.leads != Leads::Mx {
            self.by_lane.insert(leading.owner.lane(), Arc::clone(&leading));
        }
        self.by_match.insert(key, leading);
    }

    /// What decides where mail from this sender (`None` is the null path) to this recipient goes: the most specific one
    /// for the recipient (address, domain, longest `.domain`, everybody), and of several for the same the most specific
    /// one for the sender. `None`: nothing does, it goes by DNS.
    #[must_use]
    pub fn decide(&self, sender: Option<&Address>, recipient: &Address) -> Option<Decided> {
        if self.by_match.is_empty() {
            return None;
        }
        let senders = From::all(sender);
        for to in To::all(recipient)? {
            for from in &senders {
                if let Some(by) = self.by_match.get(&(to.clone(), from.clone())) {
                    let lane = match by.leads {
                        Leads::Mx => Lane::from(recipient.domain()?),
                        _ => by.owner.lane(),
                    };
                    return Some(Decided { lane, by: Arc::clone(by) });
                }
            }
        }
        None
    }

    /// Where mail waits; `None` if the recipient has no domain: it isn't sent.
    #[must_use]
    pub fn lane(&self, sender: Option<&Address>, recipient: &Address) -> Option<Lane> {
        match self.decide(sender, recipient) {
            Some(decided) => Some(decided.lane),
            None => recipient.domain().map(Lane::from),
        }
    }

    /// Whose a lane is; `None` if it is a domain's, or of a route that is gone or leads by DNS now.
    #[must_use]
    pub fn of_lane(&self, lane: &Lane) -> Option<&Arc<Leading>> {
        self.by_lane.get(lane)
    }

    /// What a gateway leads by.
    #[must_use]
    pub fn of_gateway(&self, domain: &Domain) -> Option<Arc<Leading>> {
        self.by_lane.get(&Owner::Gateway(domain.clone()).lane()).cloned()
    }

    /// What is for exactly the same mail, if something is.
    pub(super) fn same(&self, to: &ForWhom, from: &FromWhom) -> Option<&Arc<Leading>> {
        self.by_match.get(&(To::of(to)?, From::of(from)?))
    }

    /// All routes, by name.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.values()
    }
    /// The route of this name.
    #[must_use]
    pub fn route(&self, name: &RouteName) -> Option<&Route> {
        self.routes.get(name)
    }
    /// All gateways, by domain.
    pub fn gateways(&self) -> impl Iterator<Item = &Arc<Gateway>> {
        self.gateways.values()
    }
    /// The gateway of a domain.
    #[must_use]
    pub fn gateway(&self, domain: &Domain) -> Option<&Arc<Gateway>> {
        self.gateways.get(domain)
    }
    /// Recipients that are listed for a gateway, local parts in lower case, in order.
    pub fn listed(&self, domain: &Domain) -> impl Iterator<Item = &str> {
        self.listed.get(domain).into_iter().flatten().map(String::as_str)
    }
    /// Recipients that are listed for all gateways.
    #[must_use]
    pub fn listed_in_all(&self) -> usize {
        self.listed.values().map(BTreeSet::len).sum()
    }
    /// Whether a gateway's list has this recipient; its postmaster always (RFC 5321 §4.5.1).
    #[must_use]
    pub fn is_listed(&self, gateway: &Gateway, recipient: &Address) -> bool {
        let local = fold(recipient.local().as_str());
        gateway.check == GatewayCheck::List
            && recipient.domain() == Some(&gateway.domain)
            && (local == "postmaster"
                || self.listed.get(&gateway.domain).is_some_and(|listed| listed.contains(local.as_ref())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::{QUEUE_LANE_MAX, ROUTE_NAME_MAX};
    use proptest::prelude::*;

    fn route(name: &str, to: &str, from: &str, leads: Leads) -> Route {
        Route {
            name: RouteName::parse(name).unwrap(),
            to: ForWhom::parse(to).unwrap(),
            from: FromWhom::parse(from).unwrap(),
            leads,
            lifetime: None,
            warn_after: None,
        }
    }

    fn table(routes: Vec<Route>) -> RouteTable {
        let routes = routes.into_iter().map(|route| (route.name.clone(), route)).collect();
        RouteTable::new(routes, BTreeMap::new(), BTreeMap::new())
    }

    fn address(text: &str) -> Address {
        Address::parse(text, true).unwrap()
    }

    fn decided(table: &RouteTable, from: &str, to: &str) -> String {
        let from = (!from.is_empty()).then(|| address(from));
        table.lane(from.as_ref(), &address(to)).unwrap().to_string()
    }

    #[test]
    fn the_most_specific_route_decides() {
        let table = table(vec![
            route("all", "*", "*", Leads::Discard),
            route("ours", "*", "s.example", Leads::Discard),
            route("joe", "*", "joe@s.example", Leads::Discard),
            route("wide", ".example", "*", Leads::Discard),
            route("long", ".t.example", "*", Leads::Discard),
            route("domain", "t.example", "*", Leads::Discard),
            route("domain-ours", "t.example", "s.example", Leads::Discard),
            route("one", "Ann@t.example", "*", Leads::Discard),
            route("one-joe", "ann@t.example", "Joe@s.example", Leads::Discard),
            route("dns", "by-dns.example", "*", Leads::Mx),
        ]);
        for (from, to, lane) in [
            ("", "x@other.test", "route:all"),
            ("", "joe@s.test", "route:all"),
            ("kim@s.example", "x@other.test", "route:ours"),
            ("JOE@s.example", "x@other.test", "route:joe"),
            ("joe@s.example", "x@u.example", "route:wide"),
            ("joe@s.example", "x@sub.t.example", "route:long"),
            ("joe@other.test", "x@t.example", "route:domain"),
            ("joe@s.example", "x@t.example", "route:domain-ours"),
            ("joe@other.test", "ANN@t.example", "route:one"),
            ("kim@s.example", "ann@t.example", "route:one"),
            ("joe@s.example", "ann@t.example", "route:one-joe"),
            ("", "ann@t.example", "route:one"),
            ("joe@s.example", "x@by-dns.example", "by-dns.example"),
        ] {
            assert_eq!(decided(&table, from, to), lane, "{from} to {to}");
        }
    }

    #[test]
    fn a_dot_before_a_domain_means_it_and_all_under_it_and_nothing_beside() {
        let table = table(vec![route("r", ".t.example", "*", Leads::Discard)]);
        for (to, lane) in [
            ("x@t.example", "route:r"),
            ("x@a.b.t.example", "route:r"),
            ("x@not.example", "not.example"),
            ("x@xt.example", "xt.example"),
        ] {
            assert_eq!(decided(&table, "", to), lane);
        }
    }

    #[test]
    fn without_a_route_mail_waits_with_its_domain_and_a_route_s_lane_is_no_domain_s() {
        assert_eq!(decided(&RouteTable::default(), "", "x@t.example"), "t.example");
        let longest = Domain::parse(&format!("{0}.{0}.{0}.{1}", "x".repeat(63), "y".repeat(61))).unwrap();
        assert!(Owner::Gateway(longest).lane().as_str().len() <= QUEUE_LANE_MAX);
        assert!(is_routed(&Owner::Route(RouteName::parse(&"x".repeat(ROUTE_NAME_MAX)).unwrap()).lane()));
        assert!(Domain::parse("route:x").is_err());
        assert!(!is_routed(&Lane::parse("route.example").unwrap()));
    }

    fn to_strategy() -> impl Strategy<Value = String> {
        "(\\*|\\.?[ab](\\.[ab]){0,2}|[xyX]@[ab](\\.[ab]){0,2})"
    }
    fn from_strategy() -> impl Strategy<Value = String> {
        "(\\*|[ab](\\.[ab])?|[xy]@[ab](\\.[ab])?)"
    }

    /// How specific a route is for this mail, slowly: `None` if it isn't for it.
    fn rank(route: &Route, sender: Option<&Address>, recipient: &Address) -> Option<(usize, usize, usize)> {
        let same = |a: &Address, b: &Address| a.to_string().to_lowercase() == b.to_string().to_lowercase();
        let domain = recipient.domain().unwrap();
        let (to, length) = match &route.to {
            ForWhom::Everybody => (0, 0),
            ForWhom::Under(under) => {
                let is_it = domain == under || domain.as_str().ends_with(&format!(".{under}"));
                is_it.then_some((1, under.as_str().len()))?
            }
            ForWhom::Domain(only) => (only == domain).then_some((2, 0))?,
            ForWhom::Address(only) => same(only, recipient).then_some((3, 0))?,
        };
        let from = match &route.from {
            FromWhom::Anybody => 0,
            FromWhom::Domain(only) => (sender?.domain() == Some(only)).then_some(1)?,
            FromWhom::Address(only) => same(only, sender?).then_some(2)?,
        };
        Some((to, length, from))
    }

    proptest! {
        #[test]
        fn it_decides_as_a_look_at_every_route_would(
            rules in proptest::collection::vec((to_strategy(), from_strategy()), 0..12),
            from in proptest::option::of("[xy]@[ab](\\.[ab])?"),
            to in "[xyz]@[ab](\\.[ab]){0,3}",
        ) {
            let mut routes: Vec<Route> = Vec::new();
            for (at, (to, from)) in rules.iter().enumerate() {
                let one = route(&format!("r{at}"), to, from, Leads::Discard);
                let known = |other: &Route| {
                    To::of(&other.to) == To::of(&one.to) && From::of(&other.from) == From::of(&one.from)
                };
                if !routes.iter().any(known) {
                    routes.push(one);
                }
            }
            let (from, to) = (from.map(|from| address(&from)), address(&to));
            let best = routes
                .iter()
                .filter_map(|route| Some((rank(route, from.as_ref(), &to)?, route.name.clone())))
                .max_by_key(|(rank, _)| *rank)
                .map(|(_, name)| Owner::Route(name));
            let found = table(routes).decide(from.as_ref(), &to).map(|decided| decided.by.owner.clone());
            prop_assert_eq!(found, best);
        }
    }
}
