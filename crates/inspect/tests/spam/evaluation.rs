//! What an evaluation says, and what thresholds come from.

use mailward_core::Timestamp;
use mailward_inspect::spam::evaluate::{Evaluation, Judgement, Sample, Split, evaluate, outcome, outcomes, propose};
use mailward_inspect::spam::{Lesson, SpamPoints};

fn judged(points: &[i32], lesson: Lesson) -> Vec<Judgement> {
    points.iter().map(|points| Judgement { lesson, points: *points }).collect()
}

#[test]
fn thresholds_trade_false_alarms_for_misses_and_the_lowest_that_keeps_the_rate_is_proposed() {
    let mut all = judged(&[-300, -200, 0, 410], Lesson::Ham);
    all.extend(judged(&[900, 800, 500, 300], Lesson::Spam));
    let at = |threshold| outcome(&all, threshold);
    assert_eq!((at(100).false_alarms, at(100).missed), (1, 0));
    assert_eq!((at(500).false_alarms, at(500).missed), (0, 1));
    assert_eq!(propose(&all, 4), Some(SpamPoints(Some(25))));
    assert_eq!(propose(&all, 5), None, "four messages don't tell what happens to one in five");
    let outcomes = outcomes(&all);
    assert!(outcomes.is_sorted_by(|one, next| one.false_alarms >= next.false_alarms && one.missed <= next.missed));
    all.extend(judged(&[2_000; 9], Lesson::Ham));
    assert_eq!(propose(&all, 10), None);
}

#[test]
fn a_threshold_comes_from_what_was_learned_and_not_from_what_it_is_tried_on() {
    let learned = judged(&[-100, -100, 310], Lesson::Ham);
    let mut tried = judged(&[-100, 900, 900], Lesson::Ham);
    tried.extend(judged(&[1_000, 400], Lesson::Spam));
    let halved = Evaluation { judged: tried.clone(), learned: Some(learned) };
    assert_eq!(propose(halved.choosing(), 2), Some(SpamPoints(Some(25))), "one of three honest ones may pass");
    assert_eq!(propose(halved.choosing(), 3), Some(SpamPoints(Some(25))));
    assert_eq!(outcome(&halved.judged, 25).false_alarms, 2, "and what it does to others is told as it is");
    let whole = Evaluation { judged: tried, learned: None };
    assert_eq!(propose(whole.choosing(), 3), Some(SpamPoints(Some(925))), "without halves the judged ones choose");
}

#[test]
fn no_message_is_judged_by_what_was_learned_of_itself() {
    let sample = |number: u64, lesson| Sample {
        lesson,
        date: Timestamp(i64::try_from(number).unwrap()),
        // Each has words of its own, and one that tells nothing.
        tokens: (number * 100 + 1..number * 100 + 90).chain([7]).collect(),
        signs: 0,
    };
    let lessons = |number: u64| if number.is_multiple_of(3) { Lesson::Spam } else { Lesson::Ham };
    let samples: Vec<Sample> = (1..=90).map(|number| sample(number, lessons(number))).collect();
    for split in [Split::Folds(5), Split::Odd, Split::Age] {
        let Evaluation { judged, learned } = evaluate(&samples, split);
        assert_eq!(learned.map(|all| all.len()), (split != Split::Folds(5)).then_some(45));
        let (all, together) = if split == Split::Folds(5) { (90, 18) } else { (45, 45) };
        assert_eq!(judged.len(), all);
        // All that is known of any of them is the word that is in each: they can't be told apart.
        for part in judged.chunks(together) {
            assert!(part.iter().all(|one| one.points == part[0].points), "{split:?}: {part:?}");
        }
    }
    // A message that is there twice is known.
    let twice: Vec<Sample> = samples.iter().flat_map(|sample| [sample.clone(), sample.clone()]).collect();
    let judged = evaluate(&twice, Split::Odd).judged;
    assert!(judged.iter().all(|one| (one.points > 0) == (one.lesson == Lesson::Spam)));
}
