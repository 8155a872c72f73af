//! False alarms against misses, drawn.

use mailward_inspect::spam::evaluate::{Judgement, outcome, outcomes};
use mailward_inspect::spam::{Lesson, SpamPoints};
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 60.0;
const TOP: f64 = 40.0;
const RIGHT: f64 = 30.0;

/// A page of SVG: thresholds along the bottom, how many of each kind are judged wrongly up the side.
pub(super) fn svg(judged: &[Judgement], proposed: Option<SpamPoints>) -> String {
    let of = |lesson| judged.iter().filter(|one| one.lesson == lesson).count();
    let (spam, ham) = (of(Lesson::Spam), of(Lesson::Ham));
    let all = outcomes(judged);
    let x = |threshold: i32| LEFT + f64::from(threshold.saturating_add(200)) / 1_700.0 * (WIDTH - LEFT - RIGHT);
    // Shares from 0.01 % to 100 % by powers of ten: the rate that matters is far from the one that is caught.
    let y = |part: usize, whole: usize| {
        let share = share(part, whole).max(0.0001);
        TOP + (-share.log10()) / 4.0 * (HEIGHT - TOP - BOTTOM)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">False alarms and misses by threshold: {spam} spam, {ham} honest messages</text>\n"
    );
    for (power, label) in ["100 %", "10 %", "1 %", "0.1 %", "0.01 %"].iter().enumerate() {
        let at = TOP + f64::from(u32::try_from(power).unwrap_or(0)) / 4.0 * (HEIGHT - TOP - BOTTOM);
        let _ = write!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0
        );
    }
    for points in [-2i32, 0, 2, 4, 6, 8, 10, 12, 14] {
        let at = x(points.saturating_mul(100));
        let low = HEIGHT - BOTTOM;
        let _ = write!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{low:.1}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#888888\"/>\n\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{points}</text>\n",
            low + 5.0,
            low + 20.0
        );
    }
    let mut line =
        |colour: &str, name: &str, at: f64, of: &dyn Fn(&mailward_inspect::spam::evaluate::Outcome) -> f64| {
            let points: Vec<String> = all.iter().map(|one| format!("{:.1},{:.1}", x(one.threshold), of(one))).collect();
            let _ = write!(
                out,
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\n\
             <text x=\"{at:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>\n",
                points.join(" "),
                HEIGHT - 14.0
            );
        };
    line("#b02020", "honest mail taken for spam", LEFT, &|one| y(one.false_alarms, ham));
    line("#2050a0", "spam missed", LEFT + 220.0, &|one| y(one.missed, spam));
    if let Some(threshold) = proposed.and_then(|points| points.0) {
        let at = x(threshold);
        let caught = 1.0 - share(outcome(judged, threshold).missed, spam);
        let _ = write!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#308030\" stroke-dasharray=\"4 3\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#308030\">proposed: {} ({:.1} % caught)</text>\n",
            HEIGHT - BOTTOM,
            at + 6.0,
            TOP + 14.0,
            SpamPoints(Some(threshold)),
            caught * 100.0
        );
    }
    let _ = write!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">spam from so many points on</text>\n</svg>\n",
        WIDTH - RIGHT,
        HEIGHT - 14.0
    );
    out
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages are below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plot_has_both_curves_and_what_is_proposed() {
        let judged: Vec<Judgement> = (0..40)
            .map(|n| Judgement { lesson: if n < 20 { Lesson::Spam } else { Lesson::Ham }, points: 900 - n * 30 })
            .collect();
        let drawn = svg(&judged, Some(SpamPoints(Some(450))));
        assert_eq!(drawn.matches("<polyline").count(), 2);
        assert!(drawn.contains("proposed: 4.5 (") && drawn.ends_with("</svg>\n"));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    }
}
