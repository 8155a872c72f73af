//! How well the filter tells a corpus apart, and what thresholds mean: each message is judged by what was learned from others.

use super::judge::judge;
use super::model::points_of;
use super::reading::Reading;
use super::signs::{Sign, signs};
use super::table::Table;
use super::tokens::tokens;
use super::{SpamPoints, TokenKey};
use crate::subject::{Direction, Subject};
use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_core::limits::SPAM_READ_MAX;
use mailward_message::{Structure, date};
use mailward_store::records::Lesson;
use std::sync::Arc;

/// A message of a corpus, as the filter sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What it is.
    pub lesson: Lesson,
    /// When it was written, by itself; 1970 if it doesn't say.
    pub date: Timestamp,
    /// Its tokens.
    pub tokens: Vec<u64>,
    /// Points of its signs, hundredths.
    pub signs: i32,
}

impl Sample {
    /// Of a message. Signs that ask who wrote to whom before are left out: a corpus doesn't tell.
    #[must_use]
    pub fn of(message: &[u8], lesson: Lesson, key: &TokenKey) -> Self {
        let message = message.get(..SPAM_READ_MAX).unwrap_or(message);
        let structure = Structure::parse(message);
        let reading = Reading::of(message, &structure);
        let tokens = tokens(message, &structure, &reading, key);
        let written = structure.envelope().date.as_ref().and_then(|written| date::parse(written.as_bytes()));
        let date = written.map_or(Timestamp(0), |written| written.timestamp);
        let subject = Subject {
            bytes: Bytes::copy_from_slice(message),
            trace: 0,
            structure: Arc::new(structure),
            id: Arc::from(""),
            direction: Direction::Incoming,
            client: None,
            hello: Arc::from(""),
            reverse: None,
            stranger: true,
            sender: None,
            recipients: Arc::from([]),
            login: None,
            spf: None,
            signs: Arc::from([]),
            correspondent: false,
            now: date,
        };
        let signs = signs(&subject, &reading, None, false).into_iter().map(Sign::points);
        Self { lesson, date, tokens, signs: signs.fold(0, i32::saturating_add) }
    }
}

/// How a corpus is split into what is learned and what is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Into so many parts, each of which is judged by what was learned from the others; 2 at least.
    Folds(usize),
    /// Every other message is learned, in the order of the corpus, and the rest judged.
    Odd,
    /// The older half is learned, in the order in which it was written, and the newer judged.
    Age,
}

/// A message that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it is.
    pub lesson: Lesson,
    /// Its points.
    pub points: i32,
}

/// What came of judging a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The messages that were judged.
    pub judged: Vec<Judgement>,
    /// Of a corpus that was halved: the half that was learned, each message judged by what was learned of other parts of that half. A
    /// threshold that comes from it owes nothing to the half that it is tried on.
    pub learned: Option<Vec<Judgement>>,
}

impl Evaluation {
    /// Where a threshold is chosen.
    #[must_use]
    pub fn choosing(&self) -> &[Judgement] {
        self.learned.as_deref().unwrap_or(&self.judged)
    }
}

/// Parts of what was learned, each of which is judged by the others.
const PARTS: usize = 5;

/// Judges the messages of a corpus. Nothing is said of a message by a table that knows too little.
#[must_use]
pub fn evaluate(samples: &[Sample], split: Split) -> Evaluation {
    let every = |rest: usize| {
        samples.iter().enumerate().filter(move |(at, _)| at % 2 == rest).map(|(_, sample)| sample).collect()
    };
    match split {
        Split::Folds(folds) => {
            let all: Vec<&Sample> = samples.iter().collect();
            Evaluation { judged: by_parts(&all, folds.max(2), true), learned: None }
        }
        Split::Odd => {
            let (learn, others): (Vec<&Sample>, Vec<&Sample>) = (every(0), every(1));
            let learned = Some(by_parts(&learn, PARTS, true));
            Evaluation { judged: judged(in_order(learn, true), &others), learned }
        }
        Split::Age => {
            let mut ordered: Vec<&Sample> = samples.iter().collect();
            ordered.sort_by_key(|sample| sample.date);
            let newer = ordered.split_off(ordered.len() / 2);
            let learned = Some(by_parts(&ordered, PARTS, false));
            Evaluation { judged: judged(ordered, &newer), learned }
        }
    }
}

/// Judges each part, taken by turns, by what was learned from the others.
fn by_parts(all: &[&Sample], parts: usize, mixed: bool) -> Vec<Judgement> {
    let of = |part: usize, inside: bool| -> Vec<&Sample> {
        let wanted = |at: usize| (at.checked_rem(parts) == Some(part)) == inside;
        all.iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, sample)| *sample).collect()
    };
    (0..parts).flat_map(|part| judged(in_order(of(part, false), mixed), &of(part, true))).collect()
}

/// What is of all times is mixed: it has no order, and who learns one kind first and then the other learns the order.
fn in_order(mut learn: Vec<&Sample>, mixed: bool) -> Vec<&Sample> {
    if mixed {
        shuffle(&mut learn);
    }
    learn
}

/// Judges some by what was learned of others, in their order.
fn judged(learn: Vec<&Sample>, others: &[&Sample]) -> Vec<Judgement> {
    let mut table = Table::default();
    for sample in learn {
        table.learn(&sample.tokens, sample.lesson, 0);
    }
    let judge = |sample: &&Sample| {
        let words = judge(&sample.tokens, &table, None).map_or(0, |judged| points_of(&judged));
        Judgement { lesson: sample.lesson, points: words.saturating_add(sample.signs) }
    };
    others.iter().map(judge).collect()
}

/// Mixes, always in the same way.
fn shuffle<T>(all: &mut [T]) {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for at in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let below = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
        all.swap(at, usize::try_from(state.checked_rem(below).unwrap_or(0)).unwrap_or(0));
    }
}

/// What a threshold does to messages that were judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// From so many points on a message counts as spam, hundredths.
    pub threshold: i32,
    /// Ham that reaches it.
    pub false_alarms: usize,
    /// Spam that doesn't.
    pub missed: usize,
}

/// What thresholds do: every quarter of a point between the ends.
#[must_use]
pub fn outcomes(judged: &[Judgement]) -> Vec<Outcome> {
    (-8..=60).map(|quarter: i32| outcome(judged, quarter.saturating_mul(25))).collect()
}

/// What one threshold does.
#[must_use]
pub fn outcome(judged: &[Judgement], threshold: i32) -> Outcome {
    let count = |lesson, reached: bool| {
        judged.iter().filter(|one| one.lesson == lesson && (one.points >= threshold) == reached).count()
    };
    Outcome { threshold, false_alarms: count(Lesson::Ham, true), missed: count(Lesson::Spam, false) }
}

/// The lowest threshold above 0 at which no more than one honest message in so many reaches it; `None` if none does that, or if
/// there are too few honest messages to know.
#[must_use]
pub fn propose(judged: &[Judgement], one_in: usize) -> Option<SpamPoints> {
    let ham = judged.iter().filter(|one| one.lesson == Lesson::Ham).count();
    let allowed = ham.checked_div(one_in)?;
    if allowed == 0 {
        return None;
    }
    let found = (1..=60).map(|quarter: i32| outcome(judged, quarter.saturating_mul(25)));
    let fits = found.filter(|outcome| outcome.false_alarms <= allowed).map(|outcome| outcome.threshold).min();
    fits.map(|threshold| SpamPoints(Some(threshold)))
}
