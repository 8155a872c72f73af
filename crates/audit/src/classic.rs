//! The classic profile: the checklist of 2001 from which this audit grew, to the letter: twelve clauses with their weights, 20 points
//! for who answers, 30 for whether they know why, 50 for what is done, 1,000 in all. Two organisations that both fill it in can be
//! compared, with each other and with the published result ([`Sheet`] of the answers in `docs/audit-classic.toml`).
//!
//! Questions, points and weights are data ([`CLAUSES`]); the words are ours.

mod clauses;

pub use clauses::CLAUSES;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One of the twelve clauses.
#[derive(Clone, Copy, Debug)]
pub struct Clause {
    /// Its name on the sheet.
    pub title: &'static str,
    /// What it counts for, in hundredths.
    pub weight: u16,
    /// Who should answer for it.
    pub who: &'static str,
    /// What they should know: the auditor gives up to 30 points.
    pub why: &'static str,
    /// What is asked of what is done: 50 points in all, at most five questions.
    pub what: &'static [Question],
}

/// A question about what is done.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Points for a yes.
    pub points: u16,
    /// The question.
    pub asks: &'static str,
    /// Controls of the full profile that answer it today: yes if all of them pass. None: people answer.
    pub controls: &'static [&'static str],
}

/// Points for who answers for a clause: all or none.
pub const WHO: u16 = 20;
/// Most points for why.
pub const WHY: u16 = 30;

/// Which question: `2.A`, `2.B`, `2.C.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// Who answers for the clause, 1 to 12.
    Who(usize),
    /// Whether they know why.
    Why(usize),
    /// A question about what is done: clause and question, each from 1.
    What(usize, usize),
}

impl Asked {
    /// Every question, in the order of the list.
    pub fn all() -> Vec<Asked> {
        (1..)
            .zip(CLAUSES)
            .flat_map(|(clause, it)| {
                let what = (1..=it.what.len()).map(move |question| Asked::What(clause, question));
                [Asked::Who(clause), Asked::Why(clause)].into_iter().chain(what)
            })
            .collect()
    }

    /// The most it is worth.
    pub fn points(self) -> u16 {
        match self {
            Asked::Who(_) => WHO,
            Asked::Why(_) => WHY,
            Asked::What(..) => self.question().map_or(0, |question| question.points),
        }
    }

    /// The question about what is done, if it is one.
    pub fn question(self) -> Option<&'static Question> {
        let Asked::What(clause, question) = self else { return None };
        CLAUSES.get(clause.checked_sub(1)?)?.what.get(question.checked_sub(1)?)
    }

    fn read(text: &str) -> Option<Asked> {
        Asked::all().into_iter().find(|asked| asked.to_string().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Who(clause) => write!(f, "{clause}.A"),
            Asked::Why(clause) => write!(f, "{clause}.B"),
            Asked::What(clause, question) => write!(f, "{clause}.C.{question}"),
        }
    }
}

/// What is wrong with answers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// It isn't the file that is asked for.
    #[error("{0}; write lines like \"2.C.1\" = 10 below [answers]")]
    Syntax(String),
    /// There is no such question.
    #[error("answers: there is no question {0:?}; they are 1.A, 1.B, 1.C.1 and so on up to 12.C.5")]
    Unknown(String),
    /// More points than there are.
    #[error("answers: {0} = {1}: it is worth at most {2}")]
    TooMany(Asked, u16, u16),
    /// Part of what is given whole or not at all.
    #[error("answers: {0} = {1}: who answers for a clause is worth 20 or 0")]
    AllOrNone(Asked, u16),
    /// A weight beyond reason.
    #[error("weights: {0} = {1}: a weight is a clause's number, 1 to 12, and 0 to 10 with at most two decimals")]
    Weight(String, f64),
}

/// Points given, by question. What isn't here is worth nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    points: BTreeMap<Asked, u16>,
    weights: BTreeMap<usize, u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    answers: BTreeMap<String, u16>,
    #[serde(default)]
    weights: BTreeMap<String, f64>,
}

impl Answers {
    /// Reads a file: `[answers]` with a line a question, and `[weights]` where they are another organisation's own.
    ///
    /// # Errors
    /// [`AnswerError`], the first there is.
    pub fn read(text: &str) -> Result<Self, AnswerError> {
        let file: File = toml::from_str(text).map_err(|error| AnswerError::Syntax(error.message().to_owned()))?;
        let mut answers = Self::default();
        for (name, points) in file.answers {
            let asked = Asked::read(&name).ok_or(AnswerError::Unknown(name))?;
            answers.give(asked, points)?;
        }
        for (name, weight) in file.weights {
            let hundredths = (weight * 100.0).round();
            let clause = name.parse::<usize>().ok().filter(|number| (1..=CLAUSES.len()).contains(number));
            match (clause, (0.0..=1_000.0).contains(&hundredths) && (weight * 100.0 - hundredths).abs() < 1e-6) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000")]
                (Some(clause), true) => answers.weights.insert(clause, hundredths as u16),
                _ => return Err(AnswerError::Weight(name, weight)),
            };
        }
        Ok(answers)
    }

    /// Gives points for an answer.
    ///
    /// # Errors
    /// [`AnswerError`] where there aren't as many.
    pub fn give(&mut self, asked: Asked, points: u16) -> Result<(), AnswerError> {
        match (asked, asked.points()) {
            (_, most) if points > most => Err(AnswerError::TooMany(asked, points, most)),
            (Asked::Who(_), _) if points != 0 && points != WHO => Err(AnswerError::AllOrNone(asked, points)),
            _ => {
                self.points.insert(asked, points);
                Ok(())
            }
        }
    }

    fn of(&self, asked: Asked) -> u16 {
        self.points.get(&asked).copied().unwrap_or(0)
    }
}

/// The filled sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sheet {
    /// A line a clause.
    pub rows: Vec<Row>,
    /// Points for who, of all clauses, before weights.
    pub who: u16,
    /// Points for why.
    pub why: u16,
    /// Points for what.
    pub what: u16,
    /// The total in hundredths of a point: at most 100,000 with the weights of the checklist.
    pub total: u32,
    /// The most it can be with these weights, in hundredths of a point.
    pub most: u32,
    /// Questions without an answer.
    pub open: Vec<String>,
}

/// A line of the sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// 1 to 12.
    pub number: usize,
    /// The clause.
    pub title: &'static str,
    /// What it counts for, in hundredths.
    pub weight: u16,
    /// Points for who.
    pub who: u16,
    /// Points for why.
    pub why: u16,
    /// Points for each question about what is done; fewer than five where there are fewer.
    pub what: Vec<u16>,
    /// All of it by the weight, in hundredths of a point.
    pub score: u32,
}

/// Fills in the sheet.
pub fn sheet(answers: &Answers) -> Sheet {
    let rows: Vec<Row> = (1..).zip(CLAUSES).map(|(number, clause)| row(number, clause, answers)).collect();
    let total_of = |points: fn(&Row) -> u16| rows.iter().map(points).sum();
    let most = rows.iter().map(|row| u32::from(row.weight).saturating_mul(100)).sum();
    let open = Asked::all().into_iter().filter(|asked| !answers.points.contains_key(asked));
    Sheet {
        who: total_of(|row| row.who),
        why: total_of(|row| row.why),
        what: total_of(|row| row.what.iter().sum()),
        total: rows.iter().map(|row| row.score).sum(),
        most,
        open: open.map(|asked| asked.to_string()).collect(),
        rows,
    }
}

fn row(number: usize, clause: &'static Clause, answers: &Answers) -> Row {
    let weight = answers.weights.get(&number).copied().unwrap_or(clause.weight);
    let who = answers.of(Asked::Who(number));
    let why = answers.of(Asked::Why(number));
    let what: Vec<u16> = (1..=clause.what.len()).map(|question| answers.of(Asked::What(number, question))).collect();
    let points = [who, why].iter().chain(&what).map(|points| u32::from(*points)).sum::<u32>();
    Row { number, title: clause.title, weight, who, why, what, score: points.saturating_mul(u32::from(weight)) }
}
