//! How many connections a lane may have at once: more while they go well, half as many when one fails.

use mailward_core::limits::{QUEUE_ALLOWANCES_KEPT, QUEUE_CONNECTIONS_AT_FIRST};
use mailward_store::records::Lane;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was learned of lanes, kept between their visits.
#[derive(Debug)]
pub(super) struct Allowances {
    most: u32,
    lanes: Mutex<HashMap<Lane, Allowance>>,
}

#[derive(Clone, Copy, Debug)]
struct Allowance {
    connections: u32,
    /// Messages that went well since it was last raised: as many as connections raise it by one.
    good: u32,
}

impl Allowance {
    const FIRST: Self = Self { connections: QUEUE_CONNECTIONS_AT_FIRST, good: 0 };
}

impl Allowances {
    /// Never more than `most` for a lane.
    #[must_use]
    pub(super) fn new(most: u32) -> Self {
        Self { most: most.max(1), lanes: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Lane, Allowance>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections that a lane may have now; at least one.
    #[must_use]
    pub(super) fn of(&self, lane: &Lane) -> u32 {
        self.lock().get(lane).copied().unwrap_or(Allowance::FIRST).connections.clamp(1, self.most)
    }

    /// A message went well.
    pub(super) fn succeeded(&self, lane: &Lane) {
        self.change(lane, |allowance| {
            allowance.good = allowance.good.saturating_add(1);
            if allowance.good >= allowance.connections {
                *allowance = Allowance { connections: allowance.connections.saturating_add(1), good: 0 };
            }
        });
    }

    /// A connection failed.
    pub(super) fn failed(&self, lane: &Lane) {
        self.change(lane, |allowance| *allowance = Allowance { connections: allowance.connections / 2, good: 0 });
    }

    fn change(&self, lane: &Lane, change: impl FnOnce(&mut Allowance)) {
        let mut lanes = self.lock();
        if lanes.len() >= QUEUE_ALLOWANCES_KEPT && !lanes.contains_key(lane) {
            // Of lanes that are forgotten it is learned anew.
            lanes.clear();
        }
        let allowance = lanes.entry(lane.clone()).or_insert(Allowance::FIRST);
        change(allowance);
        allowance.connections = allowance.connections.clamp(1, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(name: &str) -> Lane {
        Lane::parse(name).unwrap()
    }

    #[test]
    fn it_grows_while_all_goes_well_and_halves_on_a_failure() {
        let allowances = Allowances::new(20);
        let lane = lane("slow.example");
        assert_eq!(allowances.of(&lane), QUEUE_CONNECTIONS_AT_FIRST);
        for _ in 0..10_000 {
            allowances.succeeded(&lane);
        }
        assert_eq!(allowances.of(&lane), 20);
        allowances.failed(&lane);
        assert_eq!(allowances.of(&lane), 10);
        for _ in 0..10 {
            allowances.failed(&lane);
        }
        assert_eq!(allowances.of(&lane), 1);
        allowances.succeeded(&lane);
        assert_eq!(allowances.of(&lane), 2);
        assert_eq!(allowances.of(&super::tests::lane("other.example")), QUEUE_CONNECTIONS_AT_FIRST);
    }

    #[test]
    fn no_more_lanes_are_remembered_than_the_limit() {
        let allowances = Allowances::new(20);
        for number in 0..=QUEUE_ALLOWANCES_KEPT {
            allowances.failed(&lane(&format!("d{number}.example")));
        }
        assert!(allowances.lock().len() <= QUEUE_ALLOWANCES_KEPT);
    }
}
