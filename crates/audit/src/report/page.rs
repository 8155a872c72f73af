//! The page: the first sheet for whoever decides, and the order of all others.

use super::markup::Markup;
use super::{Report, Risk, areas, charts, todo};
use crate::actions::OVERDUE_MOST;
use crate::area::{Area, Dimension};
use crate::scene::day;
use crate::score::points;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How it looks. The page's policy names it by its hash, so that no other style is obeyed, and no script at all.
const STYLE: &str = include_str!("style.css");
/// Risks on the first sheet.
const WORST: usize = 3;
/// Names of controls that keep the total down, and characters of what was found, on the first sheet: all of it stands in its area.
const CAPS: usize = 8;
const FOUND: usize = 160;
/// Audits in the table of past ones.
const PAST: usize = 12;

pub(super) fn page(report: &Report) -> String {
    let mut page = Markup::default();
    page.ours("<!doctype html>\n");
    page.element("html", &[("lang", "en")], |page| {
        page.element("head", &[], |page| head(page, report));
        page.element("body", &[], |page| {
            page.words("a", &[("class", "skip"), ("href", "#main")], "To the report");
            page.ours("\n");
            page.element("header", &[], |page| title(page, report));
            page.element("main", &[("id", "main")], |page| {
                score(page, report);
                risks(page, &report.worst(WORST));
                by_area(page, report);
                history(page, report);
                todo::todo(page, report);
                Area::ALL.iter().for_each(|area| areas::area(page, report, *area));
                past(page, report);
            });
            page.element("footer", &[], |page| proof(page, report));
        });
    });
    page.into_text()
}

/// Who was looked at, as the reader knows them.
fn name(report: &Report) -> &str {
    if report.run.name.is_empty() { "this host" } else { &report.run.name }
}

fn head(page: &mut Markup, report: &Report) {
    page.void("meta", &[("charset", "utf-8")]);
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    page.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    page.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    page.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    page.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    page.words("title", &[], &format!("Mail service audit of {}, {}", name(report), day(report.run.ended)));
    page.ours("\n");
    page.element("style", &[], |page| page.ours(STYLE));
}

fn title(page: &mut Markup, report: &Report) {
    page.element("h1", &[], |page| {
        page.text("How safe is the mail of ");
        page.words("span", &[("dir", "auto"), ("class", "name")], name(report));
        page.text("?");
    });
    let number = match report.run.number {
        0 => "An audit that wasn't kept".to_owned(),
        number => format!("Audit number {number}"),
    };
    let left_out = if report.is_anonymous { ". Names, addresses and excerpts of evidence are left out" } else { "" };
    page.words("p", &[], &format!("{number}, {}{left_out}.", day(report.run.ended)));
}

/// The number, and why it isn't more.
fn score(page: &mut Markup, report: &Report) {
    page.element("section", &[("aria-labelledby", "score")], |page| {
        page.words("h2", &[("id", "score")], "The score");
        page.element("p", &[("class", "total")], |page| {
            page.words("strong", &[], &points(report.run.score.total));
            page.text(" of 1,000 points");
        });
        let change = match report.change() {
            None => "This is the first audit.".to_owned(),
            Some((number, 0)) => format!("As many as in audit number {number}."),
            Some((number, change)) => {
                let size = points(u32::try_from(change.unsigned_abs()).unwrap_or(u32::MAX));
                let way = if change > 0 { "more" } else { "fewer" };
                format!("That is {size} points {way} than in audit number {number}.")
            }
        };
        page.words("p", &[], &format!("{change} {}", counts(report)));
        if let Some(otherwise) = report.run.weights.told() {
            page.words("p", &[], &format!("{otherwise}."));
        }
        caps(page, report);
    });
}

/// What keeps the total down, the lowest first; what was found stands with the risks, and in its area.
fn caps(page: &mut Markup, report: &Report) {
    let score = &report.run.score;
    if score.caps.is_empty() {
        return;
    }
    if score.uncapped > score.total {
        let told = format!("What is in place is worth {} points, but not all of them count:", points(score.uncapped));
        page.words("p", &[], &told);
    }
    let mut mosts: Vec<u16> = score.caps.iter().map(|cap| cap.most).collect();
    mosts.dedup();
    page.element("ul", &[], |page| {
        for most in mosts {
            let of: Vec<&str> = score.caps.iter().filter(|cap| cap.most == most).map(|cap| cap.id.as_str()).collect();
            page.element("li", &[], |page| {
                let what = if most == OVERDUE_MOST { "are overdue" } else { "don't pass" };
                page.text(&format!("At most {most} of 1,000 while these {what}: "));
                page.words("b", &[], &of.iter().take(CAPS).copied().collect::<Vec<&str>>().join(", "));
                if let Some(more) = of.len().checked_sub(CAPS).filter(|more| *more > 0) {
                    page.text(&format!(" and {more} more"));
                }
            });
        }
    });
}

/// As much of what was found as has its place on the first sheet.
fn short(text: &str) -> String {
    match text.char_indices().nth(FOUND) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).unwrap_or_default().chars().chain(['…']).collect(),
    }
}

/// How many questions had which answer.
fn counts(report: &Report) -> String {
    let count = |words: &[&str]| {
        let all = report.run.records.iter().filter(|record| words.contains(&record.verdict.word()));
        all.count()
    };
    format!(
        "Of {} questions {} passed, {} failed or passed in part, {} couldn't be tested and are worth nothing, and {} don't apply.",
        report.run.records.len(),
        count(&["passed"]),
        count(&["failed", "in part", "error"]),
        count(&["not tested", "not run"]),
        count(&["not applicable"])
    )
}

fn risks(page: &mut Markup, risks: &[Risk<'_>]) {
    page.element("section", &[("aria-labelledby", "risks")], |page| {
        page.words("h2", &[("id", "risks")], "The worst risks");
        if risks.is_empty() {
            page.words("p", &[], "Nothing that was tested failed.");
            return;
        }
        page.element("ol", &[], |page| risks.iter().for_each(|risk| one_risk(page, risk)));
    });
}

fn one_risk(page: &mut Markup, risk: &Risk<'_>) {
    page.element("li", &[], |page| {
        page.words("b", &[], risk.why);
        page.element("p", &[("dir", "auto"), ("class", "small")], |page| {
            if let [record, others @ ..] = risk.records.as_slice() {
                page.text(&format!("{}, {}: ", record.id, record.area.title()));
                let found = short(&record.said);
                page.text(&found);
                match others.len() {
                    0 => {}
                    1 => page.text("; and in one more area"),
                    more => page.text(&format!("; and in {more} more areas")),
                }
                page.text(if found.ends_with(['.', '…']) && others.is_empty() { " " } else { ". " });
            }
            if let Some(most) = risk.most {
                page.text(&format!("While it is so, the total is at most {most}. "));
            }
            page.text(&format!("Mending it is worth {} points.", points(risk.gain)));
        });
    });
}

/// The chart, and its numbers.
fn by_area(page: &mut Markup, report: &Report) {
    page.element("section", &[("class", "areas"), ("aria-labelledby", "areas")], |page| {
        page.words("h2", &[("id", "areas")], "By area");
        page.element("div", &[("class", "pair")], |page| {
            charts::by_area(page, report);
            page.element("table", &[("class", "numbers")], |page| {
                page.words("caption", &[], "Points: Who of 20, Why of 30, What of 50");
                page.element("thead", &[], |page| {
                    page.element("tr", &[], |page| {
                        page.words("th", &[("scope", "col")], "Area");
                        page.words("th", &[("scope", "col"), ("class", "number weight")], "Weight");
                        for heading in ["Who", "Why", "What", "All"] {
                            page.words("th", &[("scope", "col"), ("class", "number")], heading);
                        }
                    });
                });
                page.element("tbody", &[], |page| {
                    Area::ALL.iter().for_each(|area| area_row(page, report, *area));
                });
            });
        });
    });
}

fn area_row(page: &mut Markup, report: &Report, area: Area) {
    let line = report.run.score.areas.iter().find(|line| line.area == area);
    let has_section = report.run.records.iter().any(|record| record.area == area);
    page.element("tr", &[], |page| {
        page.element("th", &[("scope", "row")], |page| {
            let name = format!("{} {}", area.number(), area.title());
            if has_section {
                page.words("a", &[("href", &format!("#{}", areas::anchor(area)))], &name);
            } else {
                page.text(&name);
            }
        });
        let weight = report.run.weights.of(area);
        let weight = format!("{}.{:02}", weight.div_euclid(100), weight.rem_euclid(100));
        page.words("td", &[("class", "number weight")], &weight);
        let mut number = |text: &str| page.words("td", &[("class", "number")], text);
        for dimension in Dimension::ALL {
            let had = line.and_then(|line| line.points.get(&dimension));
            number(&had.map_or_else(|| "–".to_owned(), |had| points(*had)));
        }
        number(&line.map_or_else(|| "–".to_owned(), |line| points(line.sum)));
    });
}

fn history(page: &mut Markup, report: &Report) {
    if report.history.len() < 2 {
        return;
    }
    page.element("section", &[("class", "history"), ("aria-labelledby", "history")], |page| {
        page.words("h2", &[("id", "history")], "How it went");
        charts::over_time(page, report);
    });
}

/// The numbers of the line of totals.
fn past(page: &mut Markup, report: &Report) {
    if report.history.is_empty() {
        return;
    }
    page.element("section", &[("class", "sheet"), ("aria-labelledby", "past")], |page| {
        page.words("h2", &[("id", "past")], "Past audits");
        page.element("table", &[], |page| {
            page.words("caption", &[], &format!("The newest first, {PAST} at most"));
            page.element("thead", &[], |page| {
                page.element("tr", &[], |page| {
                    page.words("th", &[("scope", "col")], "Number");
                    page.words("th", &[("scope", "col")], "Day");
                    page.words("th", &[("scope", "col"), ("class", "number")], "Points");
                    page.words("th", &[("scope", "col"), ("class", "number")], "Failed");
                });
            });
            page.element("tbody", &[], |page| {
                for seal in report.history.iter().rev().take(PAST) {
                    page.element("tr", &[], |page| {
                        page.words("th", &[("scope", "row")], &seal.number.to_string());
                        page.words("td", &[], &day(seal.at));
                        page.words("td", &[("class", "number")], &points(seal.total));
                        page.words("td", &[("class", "number")], &seal.failed.to_string());
                    });
                }
            });
        });
    });
}

/// Where it can be looked up.
fn proof(page: &mut Markup, report: &Report) {
    page.words(
        "p",
        &[],
        &format!(
            "Made by Mailward {} from {} to {}.",
            report.run.version,
            report.run.began.text(),
            report.run.ended.text()
        ),
    );
    if let Some(seal) = report.history.iter().find(|seal| seal.number == report.run.number) {
        page.element("p", &[], |page| {
            page.text("Seal of this audit: ");
            page.words("code", &[("class", "hash")], &seal.hash());
            page.text(". `mailward audit verify --seal` with it proves that the evidence is as it was found.");
        });
    }
}
