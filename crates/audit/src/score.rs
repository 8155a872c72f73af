//! What records are worth together.

use crate::actions::OVERDUE_MOST;
use crate::area::{Area, Dimension};
use crate::control::Cap;
use crate::finding::Verdict;
use crate::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What areas count for, in hundredths; those that aren't here have [`Area::weight`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weights(pub BTreeMap<Area, u16>);

impl Weights {
    /// What an area counts for, in hundredths.
    pub fn of(&self, area: Area) -> u16 {
        self.0.get(&area).copied().unwrap_or_else(|| area.weight())
    }

    /// In words, which areas count otherwise than by default, and what all sum to then; `None` where none does.
    pub fn told(&self) -> Option<String> {
        let changed = Area::ALL.iter().filter(|area| self.of(**area) != area.weight());
        let changed: Vec<String> = changed
            .map(|area| {
                let (is, was) = (points(self.of(*area).into()), points(area.weight().into()));
                format!("{} {is} instead of {was}", area.title())
            })
            .collect();
        let (sum, usual) = (points(self.sum()), points(Weights::default().sum()));
        (!changed.is_empty()).then(|| {
            format!("Areas count otherwise than usual: {}; all of them {sum} instead of {usual}", changed.join(", "))
        })
    }

    /// Their sum, in hundredths.
    pub fn sum(&self) -> u32 {
        Area::ALL.iter().map(|area| u32::from(self.of(*area))).sum()
    }
}

/// An audit's result. All points are kept in hundredths, so that counting them twice gives the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Of 100,000: the total in hundredths of a point, after caps.
    pub total: u32,
    /// What it would be without them.
    pub uncapped: u32,
    /// Why it isn't more, the lowest first.
    pub caps: Vec<Capped>,
    /// Each area, in the order of the score sheet.
    pub areas: Vec<AreaScore>,
}

/// Why a score isn't more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capped {
    /// At most this many points of 1,000.
    pub most: u16,
    /// The control that failed.
    pub id: String,
    /// What it said.
    pub why: String,
}

/// One line of the score sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaScore {
    /// Which area.
    pub area: Area,
    /// What it counts for, in hundredths.
    pub weight: u16,
    /// Hundredths of points for Who, Why and What: at most 2,000, 3,000 and 5,000.
    pub points: BTreeMap<Dimension, u32>,
    /// The sum of these: at most 10,000.
    pub sum: u32,
    /// How many controls it had, by the word of their verdict.
    pub verdicts: BTreeMap<String, u32>,
}

/// Counts the points. Each dimension of an area is normalised on its own, then each area, so that one with many controls
/// doesn't drown one with few; what doesn't apply leaves the sum; a dimension of which nothing applies gives its points to
/// the others of its area; an area of which nothing applies leaves the total. `overdue`: mandatory controls whose actions should be
/// over and aren't.
pub fn score(records: &[Record], weights: &Weights, overdue: &[String]) -> Score {
    let areas: Vec<AreaScore> = Area::ALL.iter().filter_map(|area| area_score(*area, records, weights)).collect();
    let weight: u64 = areas.iter().map(|area| u64::from(area.weight)).sum();
    // Hundredths of points of 100 each, by hundredths of weight; the total is out of 1,000 points, whatever the weights sum to.
    let sum: u64 = areas.iter().map(|area| u64::from(area.sum).saturating_mul(u64::from(area.weight))).sum();
    let uncapped = sum.saturating_mul(10).checked_div(weight).unwrap_or(0).min(100_000);
    let uncapped = u32::try_from(uncapped).unwrap_or(0);
    let late = overdue.iter().map(|id| Capped {
        most: OVERDUE_MOST,
        id: id.clone(),
        why: "its corrective action is overdue".to_owned(),
    });
    let mut caps: Vec<Capped> = records.iter().filter_map(capped).chain(late).collect();
    caps.sort_by(|a, b| (a.most, &a.id).cmp(&(b.most, &b.id)));
    let most = caps.first().map_or(100_000, |cap| u32::from(cap.most).saturating_mul(100));
    Score { total: uncapped.min(most), uncapped, caps, areas }
}

fn capped(record: &Record) -> Option<Capped> {
    let cap: Cap = record.cap?;
    let caps = match cap {
        Cap::Hole => record.verdict.is_failure(),
        // That nobody can tell is what this one is about.
        Cap::Restore => !matches!(record.verdict, Verdict::Pass | Verdict::NotApplicable),
    };
    caps.then(|| Capped { most: cap.most(), id: record.id.clone(), why: record.said.clone() })
}

/// `None`: nothing of it applies.
fn area_score(area: Area, records: &[Record], weights: &Weights) -> Option<AreaScore> {
    let ours: Vec<&Record> = records.iter().filter(|record| record.area == area).collect();
    let mut verdicts = BTreeMap::new();
    for record in &ours {
        let count: &mut u32 = verdicts.entry(record.verdict.word().to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    // Of each dimension: points had and points there were, in hundredths of weight.
    let shares: Vec<(Dimension, u64, u64)> = Dimension::ALL
        .iter()
        .map(|dimension| {
            let of: Vec<&&Record> = ours.iter().filter(|record| record.dimension == *dimension).collect();
            let (had, all) = of.iter().fold((0_u64, 0_u64), |(had, all), record| match record.verdict.share() {
                None => (had, all),
                Some(share) => (
                    had.saturating_add(u64::from(record.weight).saturating_mul(u64::from(share))),
                    all.saturating_add(u64::from(record.weight).saturating_mul(100)),
                ),
            });
            (*dimension, had, all)
        })
        .collect();
    let applies: u64 =
        shares.iter().filter(|(_, _, all)| *all > 0).map(|(dimension, ..)| u64::from(dimension.points())).sum();
    if applies == 0 {
        return None;
    }
    let points: BTreeMap<Dimension, u32> = shares
        .into_iter()
        .filter(|(_, _, all)| *all > 0)
        .map(|(dimension, had, all)| {
            let most = u64::from(dimension.points()).saturating_mul(10_000);
            let points = most.saturating_mul(had).checked_div(all.saturating_mul(applies)).unwrap_or(0);
            (dimension, u32::try_from(points).unwrap_or(0))
        })
        .collect();
    let sum = points.values().sum::<u32>().min(10_000);
    Some(AreaScore { area, weight: weights.of(area), points, sum, verdicts })
}

/// Points in hundredths, as people write them: `568.25`, `81`.
pub fn points(hundredths: u32) -> String {
    let (whole, part) = (hundredths.div_euclid(100), hundredths.rem_euclid(100));
    match (part, part.rem_euclid(10)) {
        (0, _) => whole.to_string(),
        (part, 0) => format!("{whole}.{}", part.div_euclid(10)),
        (part, _) => format!("{whole}.{part:02}"),
    }
}
