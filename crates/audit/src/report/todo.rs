//! What is to be done.

use super::Report;
use super::markup::Markup;
use crate::actions::Action;
use crate::controls::find;
use crate::scene::day;

/// Open actions, the weightiest first.
pub(super) fn todo(page: &mut Markup, report: &Report) {
    page.element("section", &[("class", "sheet"), ("aria-labelledby", "todo")], |page| {
        page.words("h2", &[("id", "todo")], "What is to be done");
        let open = report.actions.open(&report.run.weights);
        let late = open.iter().filter(|action| action.is_overdue(report.now)).count();
        if open.is_empty() {
            page.words("p", &[], "Nothing is to be done.");
            return;
        }
        page.words(
            "p",
            &[],
            &format!(
                "On {} {} things are to be done; {late} of them should be over. The weightiest come first.",
                day(report.now),
                open.len()
            ),
        );
        page.element("table", &[], |page| {
            page.words("caption", &[], "Corrective actions that are open");
            page.element("thead", &[], |page| {
                page.element("tr", &[], |page| {
                    page.words("th", &[("scope", "col")], "What");
                    page.words("th", &[("scope", "col"), ("class", "number")], "Weight");
                    page.words("th", &[("scope", "col")], "Owner");
                    page.words("th", &[("scope", "col")], "Due");
                });
            });
            page.element("tbody", &[], |page| open.iter().for_each(|action| row(page, report, action)));
        });
    });
}

fn row(page: &mut Markup, report: &Report, action: &Action) {
    let is_late = action.is_overdue(report.now);
    page.element("tr", &[], |page| {
        page.element("th", &[("scope", "row")], |page| {
            page.words("b", &[], &action.control);
            page.text(": ");
            let control = find(&action.control);
            page.text(control.map_or("this isn't asked any more", |control| control.question));
            page.words("span", &[("class", "found"), ("dir", "auto")], &action.said);
            page.words("span", &[("class", "mend")], control.map_or("", |control| control.mend));
        });
        page.words("td", &[("class", "number")], &action.weight.to_string());
        let owner = if action.owner.is_empty() { "nobody" } else { &action.owner };
        page.words("td", &[("dir", "auto"), ("class", "name")], owner);
        page.element("td", &[], |page| {
            let due = action.exception.as_ref().map_or(action.due, |exception| exception.until.max(action.due));
            page.text(&day(due));
            if is_late {
                page.words("strong", &[("class", "late")], "overdue");
            }
            if action.reopened > 0 {
                page.words("span", &[("class", "more")], &format!("opened again {} times", action.reopened));
            }
            if let Some(exception) = &action.exception {
                page.element("span", &[("class", "more"), ("dir", "auto")], |page| {
                    page.text("may stay as it is: ");
                    page.text(&exception.reason);
                    page.text(" (");
                    page.text(&exception.approver);
                    page.text(")");
                });
            }
        });
    });
}
