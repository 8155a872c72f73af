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
        let told = format!(
            "On {} this was open: {}, of which {late} should be over. The weightiest come first.",
            day(report.now),
            open.len()
        );
        page.words("p", &[], &told);
        page.element("ol", &[("class", "todo")], |page| open.iter().for_each(|action| one(page, report, action)));
    });
}

fn one(page: &mut Markup, report: &Report, action: &Action) {
    let control = find(&action.control);
    page.element("li", &[], |page| {
        page.element("p", &[], |page| {
            page.words("b", &[], &action.control);
            page.text(" ");
            page.text(control.map_or("This isn't asked any more.", |control| control.question));
        });
        page.element("p", &[("class", "facts")], |page| facts(page, report, action));
        page.words("p", &[("dir", "auto")], &action.said);
        if let Some(control) = control {
            page.words("p", &[("class", "small")], control.mend);
        }
    });
}

/// Who, until when, and how much it matters.
fn facts(page: &mut Markup, report: &Report, action: &Action) {
    page.text(&format!("Weight {}. Owner: ", action.weight));
    page.words("span", &[("dir", "auto")], if action.owner.is_empty() { "nobody" } else { &action.owner });
    page.text(&format!(". Due {}", day(action.until())));
    if action.is_overdue(report.now) {
        page.text(", ");
        page.words("strong", &[("class", "late")], "overdue");
    }
    page.text(".");
    if action.reopened > 0 {
        page.text(&format!(" Opened again: {}.", action.reopened));
    }
    if let Some(exception) = &action.exception {
        page.text(" May stay as it is: ");
        page.words("span", &[("dir", "auto")], &exception.reason);
        page.text(" (");
        page.words("span", &[("dir", "auto")], &exception.approver);
        page.text(").");
    }
}
