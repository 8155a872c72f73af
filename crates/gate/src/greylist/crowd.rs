//! How many come from where: networks within neighbourhoods within regions, and which of them has most.

use mailward_core::{Network, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// How wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Width {
    /// About one provider's: an IPv4 /16, an IPv6 /32.
    Region,
    /// About one customer's: an IPv4 /24, an IPv6 /48.
    Neighbours,
    /// Within which somebody comes back.
    Network,
}

impl Width {
    const ALL: [Width; 3] = [Width::Region, Width::Neighbours, Width::Network];

    /// What a network belongs to.
    pub(super) fn around(self, network: Network) -> Network {
        let (first, prefix) = (network.first(), network.prefix());
        let bits = match (self, first) {
            (Width::Region, IpAddr::V4(_)) => 16,
            (Width::Region, IpAddr::V6(_)) => 32,
            (Width::Neighbours, IpAddr::V4(_)) => 24,
            (Width::Neighbours, IpAddr::V6(_)) => 48,
            (Width::Network, _) => prefix,
        };
        Network::of(first, bits.min(prefix))
    }

    /// What it is a part of; `None`: of all.
    const fn above(self) -> Option<Width> {
        match self {
            Width::Region => None,
            Width::Neighbours => Some(Width::Region),
            Width::Network => Some(Width::Neighbours),
        }
    }
    const fn below(self) -> Option<Width> {
        match self {
            Width::Region => Some(Width::Neighbours),
            Width::Neighbours => Some(Width::Network),
            Width::Network => None,
        }
    }
}

/// A place: all, or a network of some width.
type Place = Option<(Width, Network)>;

/// In which order those of one network go: whoever waits before whoever passed, then the soonest.
pub(super) type Turn = (bool, Timestamp, u64);

/// Who is there, by where from.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    members: BTreeSet<(Network, Turn)>,
    counts: HashMap<(Width, Network), usize>,
    /// What places have within them, by how many those are.
    parts: BTreeSet<(Place, usize, Network)>,
}

impl Crowd {
    pub(super) fn add(&mut self, network: Network, turn: Turn) {
        if self.members.insert((network, turn)) {
            self.recount(network, |count| count.saturating_add(1));
        }
    }

    pub(super) fn remove(&mut self, network: Network, turn: Turn) {
        if self.members.remove(&(network, turn)) {
            self.recount(network, |count| count.saturating_sub(1));
        }
    }

    fn recount(&mut self, network: Network, change: impl Fn(usize) -> usize) {
        for width in Width::ALL {
            let part = width.around(network);
            let place = width.above().map(|above| (above, above.around(network)));
            let before = self.counts.get(&(width, part)).copied().unwrap_or(0);
            let after = change(before);
            self.parts.remove(&(place, before, part));
            if after == 0 {
                self.counts.remove(&(width, part));
            } else {
                self.counts.insert((width, part), after);
                self.parts.insert((place, after, part));
            }
        }
    }

    /// How many come from around a network.
    pub(super) fn count(&self, width: Width, network: Network) -> usize {
        self.counts.get(&(width, width.around(network))).copied().unwrap_or(0)
    }

    /// Whose turn it is to go from around a network, or of all: of the part that has most, of that its part that has most, and
    /// there the first.
    pub(super) fn first_to_go(&self, width: Option<(Width, Network)>) -> Option<u64> {
        let mut place = width.map(|(width, network)| (width, width.around(network)));
        loop {
            let below = match place {
                None => Width::Region,
                Some((width, network)) => match width.below() {
                    Some(below) => below,
                    None => {
                        let least = (network, (false, Timestamp(i64::MIN), 0));
                        let (of, (_, _, id)) = self.members.range(least..).next()?;
                        return (*of == network).then_some(*id);
                    }
                },
            };
            let (least, greatest) =
                (Network::of(IpAddr::from([0; 4]), 0), Network::of(IpAddr::from([u8::MAX; 16]), 128));
            let (_, _, fullest) = self.parts.range((place, 0, least)..=(place, usize::MAX, greatest)).next_back()?;
            place = Some((below, *fullest));
        }
    }
}
