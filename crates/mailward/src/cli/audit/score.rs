//! `mailward audit score`: the points alone.

use super::past::{newest, run_of};
use super::table;
use crate::failure::Failure;
use crate::place::Where;
use crate::print;
use clap::{Args, ValueEnum};
use mailward_audit::classic::{Answers, CLAUSES, Sheet, sheet};
use mailward_audit::points;
use std::io::Read as _;
use std::path::PathBuf;

/// Answers are small.
const ANSWERS_MAX: u64 = 64 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "The classic profile is the checklist of 2001, filled in by hand; docs/audit-classic.toml is the one
that was published.

Examples:
  mailward audit score
  mailward audit score --profile classic --answers docs/audit-classic.toml
  mailward audit score --profile classic --questions"
)]
pub(crate) struct Counting {
    /// Which method
    #[arg(long, value_enum, default_value_t = Profile::Full)]
    profile: Profile,
    /// Points given by hand, for the classic profile
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Print the questions of the classic profile, as a file to fill in
    #[arg(long, conflicts_with = "answers")]
    questions: bool,
    /// Which audit, of the full profile [usual: the newest]
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Full,
    Classic,
}

impl Counting {
    pub(super) fn run(self, place: &Where) -> Result<(), Failure> {
        match (self.profile, self.answers) {
            (Profile::Classic, _) if self.questions => print::text(&questionnaire()),
            (Profile::Classic, Some(file)) => classic(&file, self.json),
            (Profile::Classic, None) => {
                Err(Failure::Usage("give the answers with --answers FILE; --questions prints such a file".to_owned()))
            }
            (Profile::Full, Some(_)) => Err(Failure::Usage(
                "--answers is for --profile classic; `mailward audit answer` answers the others".to_owned(),
            )),
            (Profile::Full, None) => {
                let place = place.find()?;
                let run = match self.number {
                    Some(number) => run_of(&place, number)?,
                    None => newest(&place)?,
                };
                if self.json { print::json(&run.score) } else { table::summary(&run) }
            }
        }
    }
}

fn classic(file: &std::path::Path, json: bool) -> Result<(), Failure> {
    let failed = |error| Failure::io(file.display(), error);
    let mut text = String::new();
    std::fs::File::open(file).map_err(failed)?.take(ANSWERS_MAX).read_to_string(&mut text).map_err(failed)?;
    let answers = Answers::read(&text)
        .map_err(|error| Failure::Refused(format!("{}: {}", file.display(), print::tame(&error.to_string()))))?;
    let sheet = sheet(&answers);
    if json { print::json(&sheet) } else { classic_table(&sheet) }
}

/// The sheet as it was printed: `#` where a clause has no such question.
fn classic_table(sheet: &Sheet) -> Result<(), Failure> {
    let mut rows: Vec<Vec<String>> = sheet
        .rows
        .iter()
        .map(|row| {
            let what = (0..5).map(|question| row.what.get(question).map_or_else(|| "#".to_owned(), u16::to_string));
            let begin = [
                row.number.to_string(),
                row.title.to_owned(),
                format!("{}.{:02}", row.weight / 100, row.weight.rem_euclid(100)),
                row.who.to_string(),
                row.why.to_string(),
            ];
            begin.into_iter().chain(what).chain([points(row.score)]).collect()
        })
        .collect();
    let mut sums = vec![String::new(), "Sums".to_owned(), String::new(), sheet.who.to_string(), sheet.why.to_string()];
    sums.extend([sheet.what.to_string(), String::new(), String::new(), String::new(), String::new()]);
    sums.push(points(sheet.total));
    rows.push(sums);
    let headings = ["NO", "ACTION POINTS", "WEIGHT", "WHO", "WHY", "C.1", "C.2", "C.3", "C.4", "C.5", "SCORE"];
    table::numbers(&headings, rows, 2)?;
    print::line(format_args!("\n{} of {} points", points(sheet.total), points(sheet.most)))?;
    match sheet.open.as_slice() {
        [] => Ok(()),
        open => print::line(format_args!("not answered, and worth nothing: {}", open.join(", "))),
    }
}

/// The questions, as a file of answers in which everything is worth nothing.
fn questionnaire() -> String {
    let mut text = String::from(
        "# The checklist of 2001. Give points for each question; nothing is worth 0.\n\
         # mailward audit score --profile classic --answers THIS-FILE\n[answers]\n",
    );
    for (number, clause) in (1..).zip(CLAUSES) {
        text.push_str(&format!(
            "\n# {number}. {} (weight {}.{:02})\n",
            clause.title,
            clause.weight / 100,
            clause.weight.rem_euclid(100)
        ));
        text.push_str(&format!("# Who: {} 20 or 0.\n\"{number}.A\" = 0\n", clause.who));
        text.push_str(&format!("# Why: do they know it? {} 0 to 30.\n\"{number}.B\" = 0\n", clause.why));
        for (question, asked) in (1..).zip(clause.what) {
            text.push_str(&format!("# {} 0 to {}.\n\"{number}.C.{question}\" = 0\n", asked.asks, asked.points));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::questionnaire;
    use mailward_audit::classic::{Answers, sheet};

    #[test]
    fn the_questionnaire_is_a_file_of_answers_that_asks_everything() {
        let sheet = sheet(&Answers::read(&questionnaire()).unwrap());
        assert_eq!((sheet.total, sheet.open.len()), (0, 0));
    }
}
