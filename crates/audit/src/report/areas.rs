//! Every question, with its answer and its evidence.

use super::markup::Markup;
use super::{Report, answer, question};
use crate::area::{Area, Dimension};
use crate::controls::find;
use crate::finding::Verdict;
use crate::record::{Output, Record};
use crate::score::points;

/// Lines of an excerpt that are shown, and characters: a sheet isn't filled by one file. The archive has more, the hash is of all.
const LINES: usize = 30;
const CHARACTERS: usize = 2_000;

/// The anchor of an area.
pub(super) fn anchor(area: Area) -> String {
    format!("area-{}", area.key())
}

/// An area with all its questions.
pub(super) fn area(page: &mut Markup, report: &Report, area: Area) {
    let ours: Vec<&Record> = report.run.records.iter().filter(|record| record.area == area).collect();
    if ours.is_empty() {
        return;
    }
    let id = anchor(area);
    page.element("section", &[("class", "sheet"), ("aria-labelledby", &id)], |page| {
        let line = report.run.score.areas.iter().find(|line| line.area == area);
        let worth = line.map_or_else(|| "not applicable".to_owned(), |line| format!("{} of 100", points(line.sum)));
        page.words("h2", &[("id", &id)], &format!("{}. {}: {worth}", area.number(), area.title()));
        for dimension in Dimension::ALL {
            let of: Vec<&&Record> = ours.iter().filter(|record| record.dimension == dimension).collect();
            if of.is_empty() {
                continue;
            }
            let had = line.and_then(|line| line.points.get(&dimension));
            let had = had.map_or_else(|| "not applicable".to_owned(), |had| format!("{} points", points(*had)));
            let asks = match dimension {
                Dimension::Who => "Who answers for it?",
                Dimension::Why => "Do they know why?",
                Dimension::What => "Is what is done enough?",
            };
            page.words("h3", &[], &format!("{}. {asks} {had}", dimension.title()));
            of.iter().for_each(|record| asked(page, report, record));
        }
    });
}

/// One question.
fn asked(page: &mut Markup, report: &Report, record: &Record) {
    let control = find(&record.id);
    page.element("article", &[], |page| {
        page.element("h4", &[], |page| {
            page.words("span", &[("class", "id")], &record.id);
            page.text(" ");
            page.text(question(record));
        });
        page.element("p", &[("class", "answer")], |page| {
            page.words("b", &[("class", class(record.verdict))], &answer(record.verdict));
            if let Some(before) = report.before(record) {
                page.text(&format!(", before: {}", answer(before)));
            }
            if let Some(cap) = record.cap.filter(|_| record.verdict.is_failure()) {
                page.text(&format!(". While it is so, the total is at most {}.", cap.most()));
            }
        });
        page.element("dl", &[], |page| {
            term(page, "Found", &record.said);
            if let Some(control) = control {
                if record.verdict.is_failure() {
                    term(page, "Why", control.why);
                }
                if !matches!(record.verdict, Verdict::Pass | Verdict::NotApplicable | Verdict::NotRun) {
                    term(page, "Mend", control.mend);
                }
            }
        });
        record.seen.iter().for_each(|output| evidence(page, report, output));
    });
}

fn term(page: &mut Markup, name: &str, text: &str) {
    page.element("div", &[], |page| {
        page.words("dt", &[], name);
        page.words("dd", &[("dir", "auto")], text);
    });
}

/// Something that was seen.
fn evidence(page: &mut Markup, report: &Report, output: &Output) {
    page.element("figure", &[], |page| {
        page.element("figcaption", &[], |page| {
            page.words("code", &[("dir", "auto")], &output.input);
            page.text(&format!(": {} bytes, SHA-256 ", output.bytes));
            page.words("code", &[("class", "hash")], &output.sha256);
        });
        if report.is_anonymous || output.excerpt.is_empty() {
            return;
        }
        let lines = output.excerpt.split_inclusive('\n').take(LINES).flat_map(str::chars).take(CHARACTERS);
        let shown: String = lines.collect();
        page.element("pre", &[("dir", "auto")], |page| page.lines(&shown));
        let is_cut =
            u64::try_from(shown.len()).is_ok_and(|shown| shown < output.bytes) && shown.len() < output.excerpt.len();
        if is_cut {
            page.words("p", &[("class", "small")], "It goes on; the archive has more of it.");
        }
    });
}

/// How a verdict is dressed; the word says it without.
pub(super) const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Error | Verdict::Fail => "verdict bad",
        Verdict::Partial(_) => "verdict half",
        Verdict::Pass => "verdict good",
        Verdict::NotRun | Verdict::NotTested | Verdict::NotApplicable => "verdict none",
    }
}
