//! The checklist of 2001.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects")]

use mailward_audit::classic::{AnswerError, Answers, Asked, CLAUSES, sheet};
use proptest::prelude::*;

const PUBLISHED: &str = include_str!("../../../docs/audit-classic.toml");

#[test]
fn the_published_answers_give_the_published_sheet() {
    let sheet = sheet(&Answers::read(PUBLISHED).unwrap());
    let rows: Vec<u32> = sheet.rows.iter().map(|row| row.score).collect();
    assert_eq!(rows, [8_100, 1_350, 1_200, 8_500, 7_200, 7_225, 0, 8_500, 4_125, 3_375, 6_300, 950]);
    assert_eq!((sheet.who, sheet.why, sheet.what), (140, 240, 315));
    assert_eq!((sheet.total, sheet.most), (56_825, 100_000));
    assert!(sheet.open.is_empty(), "{:?}", sheet.open);
}

#[test]
fn every_clause_has_fifty_points_for_what_and_the_weights_sum_to_ten() {
    assert_eq!(CLAUSES.len(), 12);
    for clause in CLAUSES {
        assert_eq!(clause.what.iter().map(|question| question.points).sum::<u16>(), 50, "{}", clause.title);
        assert!(clause.what.len() <= 5);
    }
    assert_eq!(CLAUSES.iter().map(|clause| clause.weight).sum::<u16>(), 1_000);
}

#[test]
fn every_control_that_answers_a_question_is_a_name_of_the_catalogue() {
    for question in CLAUSES.iter().flat_map(|clause| clause.what) {
        for control in question.controls {
            let (code, number) = control.split_once('-').unwrap();
            assert!(mailward_audit::Area::ALL.iter().any(|area| area.code() == code), "{control}");
            assert!(number.len() == 2 && number.parse::<u8>().is_ok(), "{control}");
        }
    }
}

#[test]
fn what_is_not_answered_is_worth_nothing_and_is_named() {
    let sheet = sheet(&Answers::read("[answers]\n\"1.A\" = 20\n").unwrap());
    assert_eq!(sheet.total, 1_800);
    assert_eq!(sheet.open.len(), Asked::all().len() - 1);
    assert_eq!(sheet.open[0], "1.B");
}

#[test]
fn other_weights_are_another_organisations_own() {
    let sheet = sheet(&Answers::read("[answers]\n\"1.A\" = 20\n[weights]\n1 = 1.25\n").unwrap());
    assert_eq!((sheet.total, sheet.most), (2_500, 103_500));
}

#[test]
fn wrong_answers_are_told_with_what_is_right() {
    for (text, says) in [
        ("[answers]\n\"13.A\" = 20\n", "there is no question \"13.A\""),
        ("[answers]\n\"1.C.5\" = 1\n", "there is no question \"1.C.5\""),
        ("[answers]\n\"2.C.2\" = 6\n", "2.C.2 = 6: it is worth at most 5"),
        ("[answers]\n\"2.A\" = 10\n", "worth 20 or 0"),
        ("[weights]\n1 = 11.0\n", "0 to 10"),
        ("[weights]\n1 = 0.123\n", "two decimals"),
        ("[answer]\n", "[answers]"),
        ("[answers]\n\"1.A\" = -1\n", "[answers]"),
    ] {
        let error: AnswerError = Answers::read(text).unwrap_err();
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answers_or_an_error(text in "\\PC{0,200}") {
        let _either = Answers::read(&text);
    }

    #[test]
    fn points_never_exceed_what_there_is(given in prop::collection::vec((0_usize..80, 0_u16..60), 0..120)) {
        let all = Asked::all();
        let mut answers = Answers::default();
        for (which, points) in given {
            let _may_be_refused = answers.give(all[which.rem_euclid(all.len())], points);
        }
        let sheet = sheet(&answers);
        prop_assert!(sheet.total <= sheet.most);
        prop_assert!(sheet.rows.iter().all(|row| row.score <= u32::from(row.weight) * 100));
    }
}
