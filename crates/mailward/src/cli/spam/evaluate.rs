//! `mailward spam evaluate`: what thresholds would do.

use super::{Lesson as What, corpus, plot, with_lessons};
use crate::failure::Failure;
use crate::print;
use clap::{Args, ValueEnum};
use mailward_core::limits::{SPAM_JUNK_AT, SPAM_MARK_AT};
use mailward_inspect::spam::evaluate::{Evaluation, Judgement, Sample, Split, evaluate, outcome, outcomes, propose};
use mailward_inspect::spam::{Lesson, SpamPoints, TokenKey};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Tell how well the filter would tell your mail apart, and which threshold fits
#[derive(Debug, Args)]
#[command(
    after_help = "A path is a message, a mailbox of the mbox kind, a Maildir, or a directory of messages, with what it
is before it. Each message is judged by what was learned from others of the corpus: nothing is
learned of it for good, and no server is asked. Points are those of words and signs; what the DNS
says isn't known of old mail. A rate is only proposed for where there are enough honest messages. Of
a corpus that is halved (--by odd, --by age) the threshold comes from the learned half alone, each
part of it judged by the others, and what it does is told of the other half.

Examples:
  mailward spam evaluate spam=/srv/corpus/spam ham=/srv/corpus/ham
  mailward spam evaluate spam=junk.mbox ham=~joe/Maildir --false-alarms 1/500 --plot curve.svg
  mailward spam evaluate spam=a ham=b --by age --json"
)]
pub(super) struct Evaluate {
    /// spam=PATH or ham=PATH
    #[arg(required = true, value_name = "CORPUS")]
    corpus: Vec<String>,
    /// Honest messages of which one may be taken for spam
    #[arg(long, value_name = "1/N", default_value = "1/2000", value_parser = rate)]
    false_alarms: usize,
    /// How the corpus is split: five parts by turns, every other message learned, or the older half
    #[arg(long, value_enum, default_value_t = By::Parts)]
    by: By,
    /// Draw false alarms against misses into this file
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Parts,
    Odd,
    Age,
}

fn rate(text: &str) -> Result<usize, String> {
    let one_in = text.strip_prefix("1/").and_then(|rest| rest.parse().ok()).filter(|one_in: &usize| *one_in >= 1);
    one_in.ok_or_else(|| "write one in how many, such as 1/2000".to_owned())
}

impl Evaluate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let key = TokenKey::fixed();
        let mut samples = Vec::new();
        for (what, path) in with_lessons(None, &self.corpus)? {
            let lesson = if what == What::Spam { Lesson::Spam } else { Lesson::Ham };
            for message in corpus::messages(&path)? {
                samples.push(Sample::of(&message.read()?, lesson, &key));
            }
        }
        let split = match self.by {
            By::Parts => Split::Folds(5),
            By::Odd => Split::Odd,
            By::Age => Split::Age,
        };
        let evaluation = evaluate(&samples, split);
        let judged = &evaluation.judged;
        let of = |lesson| judged.iter().filter(|one| one.lesson == lesson).count();
        let (spam, ham) = (of(Lesson::Spam), of(Lesson::Ham));
        if spam == 0 || ham == 0 {
            return Err(Failure::Usage("it takes messages of both kinds: spam=PATH ham=PATH".to_owned()));
        }
        let proposed = propose(evaluation.choosing(), self.false_alarms);
        if let Some(file) = &self.plot {
            std::fs::write(file, plot::svg(judged, proposed)).map_err(|e| Failure::io(file.display(), e))?;
        }
        if self.json { told(&evaluation, spam, ham, proposed) } else { shown(&evaluation, spam, ham, proposed, &self) }
    }
}

fn told(evaluation: &Evaluation, spam: usize, ham: usize, proposed: Option<SpamPoints>) -> Result<(), Failure> {
    let rows = |judged: &[Judgement]| -> Vec<Value> {
        let row = |points: i32| SpamPoints(Some(points)).to_string();
        let all = outcomes(judged).into_iter();
        all.map(|one| json!({ "points": row(one.threshold), "false_alarms": one.false_alarms, "missed": one.missed }))
            .collect()
    };
    let learned = evaluation.learned.as_ref().map(|learned| {
        let ham = learned.iter().filter(|one| one.lesson == Lesson::Ham).count();
        json!({ "spam": learned.len().saturating_sub(ham), "ham": ham, "thresholds": rows(learned) })
    });
    let usual = |points: i32| SpamPoints(Some(points)).to_string();
    print::json(&json!({
        "spam": spam, "ham": ham, "thresholds": rows(&evaluation.judged), "learned": learned,
        "proposed": proposed.map(|points| points.to_string()), "mark": usual(SPAM_MARK_AT), "junk": usual(SPAM_JUNK_AT),
    }))
}

/// In hundredths of a percent.
fn percent(part: usize, whole: usize) -> String {
    let hundredths = part.saturating_mul(10_000).checked_div(whole).unwrap_or(0);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn shown(
    evaluation: &Evaluation,
    spam: usize,
    ham: usize,
    proposed: Option<SpamPoints>,
    asked: &Evaluate,
) -> Result<(), Failure> {
    let judged = &evaluation.judged;
    print::line(format!("{spam} spam and {ham} honest messages were judged by what was learned from others"))?;
    let rows: Vec<Vec<String>> = (1..=12)
        .map(|points: i32| {
            let one = outcome(judged, points.saturating_mul(100));
            vec![
                SpamPoints(Some(one.threshold)).to_string(),
                one.false_alarms.to_string(),
                percent(one.false_alarms, ham),
                one.missed.to_string(),
                percent(spam.saturating_sub(one.missed), spam),
            ]
        })
        .collect();
    print::table(&["FROM POINTS", "FALSE ALARMS", "OF HONEST", "MISSED", "CAUGHT"], &rows)?;
    let rate = format!("1 in {}", asked.false_alarms);
    let choosing = evaluation.choosing().iter().filter(|one| one.lesson == Lesson::Ham).count();
    let here = if evaluation.learned.is_some() { "of the learned half" } else { "here" };
    print::line(match proposed.and_then(|points| Some((points, points.0?))) {
        Some((points, threshold)) => {
            let one = outcome(judged, threshold);
            let caught = percent(spam.saturating_sub(one.missed), spam);
            format!(
                "for {rate} {here}: spam.junk = \"{points}\", which catches {caught} and takes {} of {ham} honest ones",
                one.false_alarms
            )
        }
        None if choosing < asked.false_alarms => {
            format!("for {rate} it takes at least {} honest messages to choose from", asked.false_alarms)
        }
        None => format!("no threshold keeps to {rate} {here}: leave spam.junk high"),
    })
}
