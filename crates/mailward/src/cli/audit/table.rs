//! Audits as text.

use crate::failure::Failure;
use crate::print;
use mailward_audit::evidence::Run;
use mailward_audit::{Area, Dimension, Record, Verdict, points};
use std::io::IsTerminal as _;

/// A verdict, in colour where somebody looks at it.
fn word(verdict: Verdict) -> String {
    let word = match verdict {
        Verdict::Partial(share) => format!("{share} %"),
        other => other.word().to_owned(),
    };
    let colour = match verdict {
        Verdict::Error | Verdict::Fail => "31",
        Verdict::Partial(_) => "33",
        Verdict::Pass => "32",
        Verdict::NotRun | Verdict::NotTested | Verdict::NotApplicable => "2",
    };
    if std::io::stdout().is_terminal() { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word }
}

/// A table whose columns from `from` on are numbers: they stand to the right, one below the other.
pub(super) fn numbers(headings: &[&str], mut rows: Vec<Vec<String>>, from: usize) -> Result<(), Failure> {
    let mut headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    for column in from..headings.len() {
        let cells = || rows.iter().map(|row| row.get(column)).chain([headings.get(column)]).flatten();
        let width = cells().map(|cell| cell.chars().count()).max().unwrap_or(0);
        let cells = rows.iter_mut().map(|row| row.get_mut(column)).chain([headings.get_mut(column)]);
        cells.flatten().for_each(|cell| *cell = format!("{cell:>width$}"));
    }
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    print::table(&headings, &rows)
}

/// The score sheet, and what is worst.
pub(super) fn summary(run: &Run) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = run
        .score
        .areas
        .iter()
        .map(|line| {
            let of =
                |dimension: Dimension| line.points.get(&dimension).map_or_else(|| "-".to_owned(), |it| points(*it));
            let count = |word: &str| line.verdicts.get(word).copied().unwrap_or(0);
            let failed = count("failed").saturating_add(count("error")).saturating_add(count("in part"));
            let unknown = count("not tested").saturating_add(count("not run"));
            vec![
                line.area.number().to_string(),
                line.area.title().to_owned(),
                format!("{}.{:02}", line.weight / 100, line.weight.rem_euclid(100)),
                of(Dimension::Who),
                of(Dimension::Why),
                of(Dimension::What),
                points(line.sum),
                count("passed").to_string(),
                failed.to_string(),
                unknown.to_string(),
            ]
        })
        .collect();
    let headings = ["NO", "AREA", "WEIGHT", "WHO", "WHY", "WHAT", "OF 100", "PASSED", "FAILED", "NOT TESTED"];
    numbers(&headings, rows, 2)?;
    let number = if run.number == 0 { "not kept".to_owned() } else { format!("audit number {}", run.number) };
    print::line(format_args!(
        "\n{} of 1,000 points ({number}; weights sum to {})",
        points(run.score.total),
        points(run.weights.sum())
    ))?;
    if let Some(otherwise) = run.weights.told() {
        print::line(otherwise)?;
    }
    for cap in &run.score.caps {
        let why = format!("at most {} while {} doesn't pass: {}", cap.most, cap.id, print::tame(&cap.why));
        print::line(why)?;
    }
    if let Some(first) = run.records.iter().find(|record| run.number != 0 && record.verdict.is_failure()) {
        print::line(format_args!("`mailward audit show --failed` tells what failed, such as {}", first.id))?;
    }
    Ok(())
}

/// Each record: what was asked and found.
pub(super) fn records<'a>(records: impl Iterator<Item = &'a Record>) -> Result<(), Failure> {
    let mut area: Option<Area> = None;
    for record in records {
        if area != Some(record.area) {
            area = Some(record.area);
            print::line(format_args!("\n{}. {}", record.area.number(), record.area.title()))?;
        }
        print::line(format_args!("  {:<9} {}: {}", record.id, word(record.verdict), print::short(&record.said, 400)))?;
    }
    Ok(())
}

/// One record with all that belongs to it.
pub(super) fn whole(record: &Record) -> Result<(), Failure> {
    let lines = |name: &str, text: &str| print::line(format_args!("{name:<9} {}", print::tame(text)));
    print::line(format_args!("{} {}", record.id, word(record.verdict)))?;
    if let Some(control) = mailward_audit::find(&record.id) {
        lines("asked", control.question)?;
        lines("found", &record.said)?;
        lines("why", control.why)?;
        lines("how", control.verified)?;
        if record.verdict != Verdict::Pass {
            lines("mend", control.mend)?;
        }
        lines("source", control.source)?;
    } else {
        lines("found", &record.said)?;
    }
    lines("from", &format!("{} to {}", record.began.text(), record.ended.text()))?;
    for output in &record.seen {
        print::line(format_args!(
            "\n{} ({} bytes, SHA-256 {})",
            print::tame(&output.input),
            output.bytes,
            print::tame(&output.sha256)
        ))?;
        for line in output.excerpt.lines() {
            print::line(format_args!("  | {}", print::tame(line)))?;
        }
    }
    Ok(())
}
