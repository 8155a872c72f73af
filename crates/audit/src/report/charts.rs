//! Charts, drawn as SVG in the page itself. What they show stands in a table as well.

use super::Report;
use super::markup::Markup;
use crate::area::Area;
use crate::scene::day;
use crate::score::points;

/// Units that a chart is wide: about as many pixels as a phone, or half a sheet of paper, has for it.
const WIDTH: i64 = 360;
/// And a bar with its words is high.
const ROW: i64 = 23;
/// Audits in the line of totals: more than a quarter's days can't be told apart in a chart of this width.
const DRAWN: usize = 92;

/// A bar for each area.
pub(super) fn by_area(page: &mut Markup, report: &Report) {
    let height = ROW.saturating_mul(i64::try_from(Area::ALL.len()).unwrap_or(0));
    let lowest = report.run.score.areas.iter().min_by_key(|line| line.sum);
    let told = lowest.map_or_else(
        || "Nothing was tested.".to_owned(),
        |lowest| {
            format!(
                "A bar for each area, from 0 to 100 points. The lowest is {}, with {}. The table has all numbers.",
                lowest.area.title(),
                points(lowest.sum)
            )
        },
    );
    drawing(page, "areas-drawn", "Points by area", &told, height, |page| {
        for area in Area::ALL {
            let top = ROW.saturating_mul(i64::from(area.number()).saturating_sub(1));
            let line = report.run.score.areas.iter().find(|line| line.area == area);
            let value = line.map_or_else(|| "not applicable".to_owned(), |line| points(line.sum));
            words(page, 0, top.saturating_add(11), "start", &format!("{} {}", area.number(), area.title()));
            words(page, WIDTH, top.saturating_add(11), "end", &value);
            let y = top.saturating_add(14).to_string();
            let bar = |page: &mut Markup, class: &str, width: String| {
                let at = [("class", class), ("x", "0"), ("y", &y), ("width", &width), ("height", "6")];
                page.element("rect", &at, |_| {});
            };
            bar(page, "track", WIDTH.to_string());
            if let Some(line) = line {
                bar(page, "bar", i64::from(line.sum).saturating_mul(WIDTH).div_euclid(10_000).to_string());
            }
        }
    });
}

/// The total over time; nothing for less than two audits.
pub(super) fn over_time(page: &mut Markup, report: &Report) {
    let (left, right, top, bottom) = (42_i64, 350_i64, 12_i64, 92_i64);
    let drawn = report.history.get(report.history.len().saturating_sub(DRAWN)..).unwrap_or_default();
    let (Some(first), Some(last), Some(lowest), Some(highest)) = (
        drawn.first(),
        drawn.last(),
        drawn.iter().map(|seal| seal.total).min(),
        drawn.iter().map(|seal| seal.total).max(),
    ) else {
        return;
    };
    let span = last.at.0.saturating_sub(first.at.0).max(1);
    let x = |at: i64| {
        let part = i128::from(at.saturating_sub(first.at.0)).saturating_mul(i128::from(right.saturating_sub(left)));
        let part = i64::try_from(part.div_euclid(i128::from(span))).unwrap_or(0);
        left.saturating_add(part).clamp(left, right)
    };
    let y = |total: u32| {
        let part = i64::from(total.min(100_000)).saturating_mul(bottom.saturating_sub(top)).div_euclid(100_000);
        bottom.saturating_sub(part)
    };
    let told = format!(
        "The total of {} audits, from {} on {} to {} on {}; the lowest was {}, the highest {}.",
        drawn.len(),
        points(first.total),
        day(first.at),
        points(last.total),
        day(last.at),
        points(lowest),
        points(highest)
    );
    drawing(page, "history-drawn", "The total over time", &told, 110, |page| {
        for (total, label) in [(0, "0"), (50_000, "500"), (100_000, "1,000")] {
            let at = y(total).to_string();
            let ends =
                [("class", "grid"), ("x1", &left.to_string()), ("x2", &right.to_string()), ("y1", &at), ("y2", &at)];
            page.element("line", &ends, |_| {});
            words(page, left.saturating_sub(4), y(total).saturating_add(4), "end", label);
        }
        let line: Vec<String> = drawn.iter().map(|seal| format!("{},{}", x(seal.at.0), y(seal.total))).collect();
        page.element("polyline", &[("class", "line"), ("points", &line.join(" "))], |_| {});
        let (end, height) = (x(last.at.0), y(last.total));
        page.element(
            "circle",
            &[("class", "bar"), ("cx", &end.to_string()), ("cy", &height.to_string()), ("r", "3")],
            |_| {},
        );
        words(page, left, 106, "start", &day(first.at));
        words(page, right, 106, "end", &day(last.at));
    });
    page.words("p", &[("class", "small")], &told);
}

fn words(page: &mut Markup, x: i64, y: i64, anchor: &str, text: &str) {
    page.words("text", &[("x", &x.to_string()), ("y", &y.to_string()), ("text-anchor", anchor)], text);
    page.ours("\n");
}

/// A picture with a name and a description for those who don't see it.
fn drawing(page: &mut Markup, id: &str, title: &str, told: &str, height: i64, inside: impl FnOnce(&mut Markup)) {
    let (named, described) = (format!("{id}-title"), format!("{id}-desc"));
    let attributes = [
        ("role", "img"),
        ("aria-labelledby", named.as_str()),
        ("aria-describedby", described.as_str()),
        ("viewBox", &format!("0 0 {WIDTH} {height}")),
        ("width", &WIDTH.to_string()),
        ("height", &height.to_string()),
    ];
    page.element("svg", &attributes, |page| {
        page.words("title", &[("id", &named)], title);
        page.words("desc", &[("id", &described)], told);
        page.ours("\n");
        inside(page);
    });
}
