//! Random steps on the queue and on a plain model of it, compared after each.

use super::*;
use mailward_core::Clock;
use mailward_store::Options;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// It is always now.
const NOW: i64 = 1_000;
struct Stopped;
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        at(NOW)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Enqueue(Vec<(u8, i64, bool)>),
    Settle { which: usize, outcome: u8, due: i64, lane: u8, warned: bool },
    Steer { action: u8, of: u8, held: Option<bool>, to: u8 },
    Pause { lane: Option<u8>, paused: bool },
    Learn { lane: u8, blocked: Option<i64> },
}

fn step() -> impl Strategy<Value = Step> {
    let lane = 0..4u8;
    prop_oneof![
        3 => proptest::collection::vec((0..4u8, 0..2_000i64, prop::bool::weighted(0.2)), 1..5).prop_map(Step::Enqueue),
        4 => (any::<usize>(), 0..5u8, 0..2_000i64, 0..4u8, any::<bool>())
            .prop_map(|(which, outcome, due, lane, warned)| Step::Settle { which, outcome, due, lane, warned }),
        2 => (0..5u8, 0..4u8, any::<Option<bool>>(), 0..4u8)
            .prop_map(|(action, of, held, to)| Step::Steer { action, of, held, to }),
        1 => (proptest::option::of(0..4u8), any::<bool>()).prop_map(|(lane, paused)| Step::Pause { lane, paused }),
        1 => (lane, proptest::option::of(0..2_000i64)).prop_map(|(lane, blocked)| Step::Learn { lane, blocked }),
    ]
}

fn name(lane: u8) -> Lane {
    super::lane(&format!("lane{lane}.test"))
}

#[derive(Clone, Debug)]
struct One {
    lane: u8,
    due: i64,
    held: bool,
    warned: bool,
}

#[derive(Default)]
struct Model {
    recipients: BTreeMap<(QueueId, u32), One>,
    paused: BTreeSet<u8>,
    all_paused: bool,
    blocked: BTreeMap<u8, i64>,
    /// How much more time messages have, as they were held.
    more: BTreeMap<QueueId, i64>,
}

impl Model {
    /// What a lane's host did is forgotten with the last that waits for it.
    fn forget(&mut self) {
        let (recipients, paused) = (&self.recipients, &self.paused);
        self.blocked.retain(|lane, _| paused.contains(lane) || recipients.values().any(|r| r.lane == *lane));
    }
    fn may(&self, lane: u8, now: i64) -> bool {
        !self.all_paused && !self.paused.contains(&lane) && self.blocked.get(&lane).copied().unwrap_or(0) <= now
    }
    fn due(&self, lane: u8, now: i64) -> BTreeSet<(QueueId, u32)> {
        let due = |r: &One| r.lane == lane && !r.held && r.due <= now && self.may(lane, now);
        self.recipients.iter().filter(|(_, r)| due(r)).map(|(id, _)| *id).collect()
    }
    /// Messages by the deadline they have: 500 while somebody who waits wasn't warned, else 900; and the time they were held.
    fn late(&self, now: i64) -> BTreeSet<QueueId> {
        let more = |message: &QueueId| self.more.get(message).copied().unwrap_or(0);
        let late = |m: &QueueId, r: &One| !r.held && now >= more(m) + if r.warned { 900 } else { 500 };
        self.recipients.iter().filter(|((m, _), r)| late(m, r)).map(|((message, _), _)| *message).collect()
    }
    /// Releases what fits; of what is held `due` says since when.
    fn release(&mut self, fits: impl Fn(&One) -> bool) {
        let mut held_for: BTreeMap<QueueId, i64> = BTreeMap::new();
        for ((message, _), one) in self.recipients.iter().filter(|(_, one)| one.held && fits(one)) {
            let longest = held_for.entry(*message).or_default();
            *longest = (*longest).max(NOW - one.due);
        }
        for ((message, _), one) in self.recipients.iter_mut().filter(|(_, one)| one.held) {
            match fits(one) {
                true => (one.held, one.due) = (false, NOW),
                false => one.due += held_for.get(message).copied().unwrap_or(0),
            }
        }
        for (message, time) in held_for {
            *self.more.entry(message).or_default() += time;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn the_queue_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let w = world_with(Options { clock: Arc::new(Stopped), index: false, ..Options::default() }).await;
            let mut model = Model::default();
            for (count, step) in steps.into_iter().enumerate() {
                run(&w, &mut model, count, step).await;
                compare(&w, &model).await;
            }
            assert_eq!(w.problems(), Vec::<String>::new());
        });
    }
}

async fn run(w: &World, model: &mut Model, count: usize, step: Step) {
    match step {
        Step::Enqueue(recipients) => {
            let to = |(lane, due, held): &(u8, i64, bool)| NewRecipient {
                lane: name(*lane),
                due: at(*due),
                held: held.then(|| "held".to_owned()),
                ..recipient("x@a.test")
            };
            let queued = Queued { envelope: envelope(), recipients: recipients.iter().map(to).collect() };
            let id = w.enqueue(&format!("{}", count % 7), queued).await;
            for (number, (lane, due, held)) in (0u32..).zip(recipients) {
                model.recipients.insert((id, number), One { lane, due, held, warned: false });
            }
        }
        Step::Settle { which, outcome, due, lane, warned } => settle(w, model, which, outcome, due, lane, warned).await,
        Step::Steer { action, of, held, to } => steer(w, model, action, of, held, to).await,
        Step::Pause { lane, paused } => {
            w.store.pause(lane.map(name), paused).await.unwrap();
            match lane {
                None => model.all_paused = paused,
                Some(lane) if paused => drop(model.paused.insert(lane)),
                Some(lane) => drop(model.paused.remove(&lane)),
            }
        }
        Step::Learn { lane, blocked } => {
            let lanes = vec![LaneNews { lane: name(lane), blocked: blocked.map(at) }];
            w.store.settle(Settlement { lanes, ..Settlement::default() }).await.unwrap();
            model.blocked.remove(&lane);
            model.blocked.extend(blocked.map(|until| (lane, until)));
        }
    }
    model.forget();
}

async fn settle(w: &World, model: &mut Model, which: usize, outcome: u8, due: i64, to: u8, warned: bool) {
    let count = model.recipients.len();
    let Some(((message, number), one)) = model.recipients.iter_mut().nth(which.checked_rem(count).unwrap_or(0)) else {
        return;
    };
    let (message, number) = (*message, *number);
    let outcome = match outcome {
        0 => Outcome::Delivered,
        1 => Outcome::Failed,
        2 => Outcome::Deferred(at(due)),
        3 => Outcome::Held("held".into()),
        _ => Outcome::Rerouted(name(to), at(due)),
    };
    match &outcome {
        Outcome::Delivered | Outcome::Failed => {}
        Outcome::Deferred(_) if !one.held => one.due = due,
        Outcome::Held(_) if !one.held => (one.held, one.due) = (true, NOW),
        Outcome::Rerouted(..) if !one.held => (one.lane, one.due) = (to, due),
        Outcome::Rerouted(..) => one.lane = to,
        Outcome::Deferred(_) | Outcome::Held(_) => {}
    }
    one.warned |= warned;
    if matches!(outcome, Outcome::Delivered | Outcome::Failed) {
        model.recipients.remove(&(message, number));
    }
    let settled = Settled { attempt: Some(attempt(1, 451, "later")), warned, ..settled(message, number, outcome) };
    assert_eq!(w.store.settle(only(vec![settled])).await.unwrap().missing, []);
}

async fn steer(w: &World, model: &mut Model, action: u8, of: u8, held: Option<bool>, to: u8) {
    let action = match action {
        0 => Steer::Retry,
        1 => Steer::Hold("held".into()),
        2 => Steer::Release,
        3 => Steer::Remove,
        _ => Steer::Reroute(name(to)),
    };
    let filter = QueueFilter { lane: Some(name(of)), held, ..QueueFilter::default() };
    w.store.steer(filter, action.clone(), None).await.unwrap();
    let fits = |one: &One| one.lane == of && held.is_none_or(|held| held == one.held);
    if action == Steer::Remove {
        model.recipients.retain(|_, one| !fits(one));
    }
    if action == Steer::Release {
        return model.release(fits);
    }
    for one in model.recipients.values_mut().filter(|one| fits(one)) {
        match &action {
            Steer::Retry if !one.held => {
                one.due = one.due.min(NOW);
                model.blocked.remove(&of);
            }
            Steer::Hold(_) if !one.held => (one.held, one.due) = (true, NOW),
            Steer::Reroute(_) if !one.held => (one.lane, one.due) = (to, NOW),
            Steer::Reroute(_) => one.lane = to,
            _ => {}
        }
    }
}

async fn compare(w: &World, model: &Model) {
    let flat = |messages: &[QueuedMessage]| -> BTreeSet<(QueueId, u32)> {
        messages.iter().flat_map(|m| m.recipients.iter().map(|r| (m.id, r.number))).collect()
    };
    let page = w.store.queue_page(QueueFilter::default(), None, usize::MAX).await.unwrap();
    assert_eq!(flat(&page.messages), model.recipients.keys().copied().collect());
    for now in [0, 700, 3_000] {
        let due = w.store.due_lanes(at(now), 10, HashSet::new()).await.unwrap();
        let names: BTreeSet<Lane> = due.iter().map(|due| due.lane.clone()).collect();
        assert!(due.is_sorted_by_key(|due| due.due));
        let expect = (0..4).filter(|lane| !model.due(*lane, now).is_empty()).map(name);
        assert_eq!(names, expect.collect(), "at {now}");
        for lane in 0..4 {
            let page = w.store.due_in_lane(name(lane), at(now), None, usize::MAX).await.unwrap();
            assert_eq!(flat(&page.messages), model.due(lane, now), "lane {lane} at {now}");
        }
        let late = w.store.late(at(now), None, usize::MAX).await.unwrap();
        let late: BTreeSet<QueueId> = late.messages.iter().map(|m| m.id).collect();
        assert_eq!(late, model.late(now), "at {now}");
    }
}
