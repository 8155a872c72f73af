//! What became of earlier audits: whether they can be believed, and whether anybody acts on them.

use super::{DAY, Told, days_since, fact, known, lines, some, told, without};
use crate::actions::{Action, Actions, days};
use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::Missed;
use crate::scene::Scene;
use crate::state::Audits;
use crate::statements::same_person;
use mailward_core::limits::AUDIT_EXCEPTION_DAYS;

/// An audit begins at the same hour every day; on the day on which clocks are put back that is an hour later.
const DAILY: i64 = 25 * 3_600;
/// What fails again within so many days wasn't understood.
const AGAIN_DAYS: i64 = 90;

pub(crate) const CONTROLS: &[Control] = &[
    known(
        "LOG-03",
        Area::Logs,
        10,
        Check::Look(|scene| told(chain(scene))),
        [
            "Is the evidence of every audit that was ever made chained and signed, and is it all as it was written?",
            "Whoever takes over a host changes the records first; what can be changed unnoticed proves nothing.",
            "Hashes, signatures and numbers of all seals and of every audit that is kept are looked at again.",
            "`mailward audit verify` names what isn't as it was; put it back from a backup. Write the newest seal down elsewhere: a tail that was cut off can't be seen from here.",
            "ISO/IEC 27001:2022 A.8 (logging)",
        ],
    ),
    known(
        "CAP-01",
        Area::Corrective,
        10,
        Check::Look(|scene| told(is_daily(scene))),
        [
            "Was there a whole audit within a day before this one, in which no control broke off?",
            "What is looked at once a year is wrong for a year.",
            "The newest audit that was kept: when it ended, and which of its controls ended in an error.",
            "Set audit.hour in mailward.toml, and `mailward reload`; what breaks off is a fault of the audit: report it.",
            "ISO/IEC 27001:2022 A.5.36",
        ],
    ),
    known(
        "CAP-02",
        Area::Corrective,
        10,
        Check::Look(|scene| told(have_owners(scene))),
        [
            "Has everything that failed in the last audit an action with an owner and a day?",
            "What is everybody's to mend is mended by nobody.",
            "Each control that failed in the newest audit has an open action; each open action has an owner.",
            "Name a person for every area in audit.owners, and `mailward reload`; the next audit gives each action its owner.",
            "ISO/IEC 27001:2022 clause 10.2",
        ],
    ),
    known(
        "CAP-03",
        Area::Corrective,
        10,
        Check::Look(|scene| told(in_time(scene))),
        [
            "Is no action overdue?",
            "A day that may pass without anything happening is no day.",
            "Open actions whose day is over and that no exception covers.",
            "`mailward audit actions` lists them; mend, or have an exception approved with `mailward audit actions --except`.",
            "ISO/IEC 27001:2022 clause 10.2",
        ],
    ),
    Control {
        parent: Some("LOG-03"),
        ..known(
            "CAP-04",
            Area::Corrective,
            10,
            Check::Look(|scene| told(closed_by_proof(scene))),
            [
                "Is every action that is closed proven by a kept audit in which the same control passed?",
                "Who says that it is mended believes it; who asked again knows it.",
                "Each closed action was closed no later than the newest kept audit ended, and its control doesn't fail there.",
                "Make a whole audit, `mailward audit run`, and keep it: only a control that passes closes its action.",
                "ISO/IEC 27001:2022 clause 10.2",
            ],
        )
    },
    known(
        "CAP-05",
        Area::Corrective,
        5,
        Check::Look(|scene| told(stays_mended(scene))),
        [
            "Has nothing that was mended failed again within 90 days?",
            "What comes back wasn't mended where it comes from.",
            "Actions that were opened again within 90 days.",
            "Find out why it came back, and mend that: who or what undid it.",
            "ISO/IEC 27001:2022 A.5.27",
        ],
    ),
    known(
        "CAP-06",
        Area::Corrective,
        5,
        Check::Look(|scene| told(how_fast(scene))),
        [
            "Is what failed mended, on average, within the time that its weight gives it?",
            "A team that is always late has too much to do, or doesn't do it.",
            "From opening to closing, the mean of closed actions of each weight: at most 7 days for mandatory ones, 30 for important ones, 90 for the rest.",
            "Mend the weightiest first: `mailward audit actions` lists them in that order.",
            "ISO/IEC 27001:2022 A.5.36",
        ],
    ),
    known(
        "CAP-07",
        Area::Corrective,
        5,
        Check::Look(|scene| told(excepted(scene))),
        [
            "Was every exception approved by somebody other than the owner, for at most a year, and is none over?",
            "A risk that its owner accepts for ever isn't accepted, it is forgotten.",
            "Exceptions of open actions: who approved, how long they last, when they end.",
            "Have somebody else approve it anew, or mend what it excepts.",
            "ISO/IEC 27001:2022 A.5.3",
        ],
    ),
    Control {
        parent: Some("LOG-03"),
        ..known(
            "CAP-08",
            Area::Corrective,
            10,
            Check::Look(|scene| told(counts_again(scene))),
            [
                "Does the score of every kept audit follow again from its evidence?",
                "A number that can't be counted again is an opinion.",
                "The score of each audit whose file is kept is counted anew from its records and compared with its seal.",
                "`mailward audit verify` names the audit; put its file back from a backup.",
                "ISO/IEC 27001:2022 A.5.28",
            ],
        )
    },
];

fn audits(scene: &Scene) -> Result<&Audits, Missed> {
    fact(scene, "what became of earlier audits", |state| state.audits.as_ref())
}

fn actions(scene: &Scene) -> Result<&Actions, Missed> {
    let none = || Missed::NotReached("no audit was kept before this one, so there are no actions yet".to_owned());
    scene.actions.as_ref().ok_or_else(none)
}

fn open(actions: &Actions) -> Vec<&Action> {
    actions.0.values().filter(|action| action.is_open()).collect()
}

/// Closed ones, with when that was, seconds since 1970.
fn closed(actions: &Actions) -> Vec<(&Action, i64)> {
    actions.0.values().filter_map(|action| Some((action, action.closed?.secs()))).collect()
}

fn chain(scene: &Scene) -> Told {
    let audits = audits(scene)?;
    if !audits.faults.is_empty() {
        return Ok(Finding::fail(format!("{} things aren't as they were written", audits.faults.len()))
            .showing("mailward audit verify", lines(&audits.faults)));
    }
    Ok(match audits.seals {
        0 => Finding::not_tested("no audit was kept before this one"),
        seals => Finding::pass(format!("{seals} seals and {} audits are as they were written", audits.runs)),
    })
}

fn is_daily(scene: &Scene) -> Told {
    let Some(newest) = &audits(scene)?.newest else {
        return Ok(Finding::fail("no audit was kept before this one"));
    };
    let ago = scene.now.secs().saturating_sub(newest.ended.secs());
    let said = format!("audit {} ended {} and asked {} controls", newest.number, newest.ended.text(), newest.asked);
    Ok(if ago > DAILY {
        Finding::fail(format!("{said}: that is {} hours ago", ago.div_euclid(3_600)))
    } else if newest.broken.is_empty() {
        Finding::pass(said)
    } else {
        Finding::fail(format!("{said}, of which broke off: {}", some(&newest.broken)))
    })
}

fn have_owners(scene: &Scene) -> Told {
    let Some(newest) = &audits(scene)?.newest else {
        return Ok(Finding::not_tested("no audit was kept before this one"));
    };
    let actions = actions(scene)?;
    let has = |id: &String| actions.0.get(id).is_some_and(|action| action.is_open() && !action.owner.trim().is_empty());
    let mut all = newest.failing.clone();
    all.extend(
        open(actions).into_iter().map(|action| action.control.clone()).filter(|id| !newest.failing.contains(id)),
    );
    let bad: Vec<String> = all.iter().filter(|id| !has(id)).cloned().collect();
    let well = format!("{} controls failed or wait, and each has an owner and a day", all.len());
    Ok(without(&bad, all.len(), well, "nobody owns"))
}

fn in_time(scene: &Scene) -> Told {
    let open = open(actions(scene)?);
    let late: Vec<String> = open
        .iter()
        .filter(|action| action.is_overdue(scene.now))
        .map(|action| format!("{} since {}", action.control, action.due.text()))
        .collect();
    Ok(match late.len() {
        0 => Finding::pass(format!("{} open, none overdue", open.len())),
        _ => Finding::fail(format!("{} of {} are overdue: {}", late.len(), open.len(), some(&late)))
            .showing("mailward audit actions", lines(&late)),
    })
}

fn closed_by_proof(scene: &Scene) -> Told {
    let Some(newest) = &audits(scene)?.newest else {
        return Ok(Finding::not_tested("no audit was kept before this one"));
    };
    let closed = closed(actions(scene)?);
    if closed.is_empty() {
        return Ok(Finding::not_applicable("no action was closed yet"));
    }
    let is_bad = |(action, at): &&(&Action, i64)| *at > newest.ended.secs() || newest.failing.contains(&action.control);
    let bad: Vec<String> = closed.iter().filter(is_bad).map(|(action, _)| action.control.clone()).collect();
    Ok(without(
        &bad,
        closed.len(),
        format!("{} are closed, each by a kept audit", closed.len()),
        "closed without proof",
    ))
}

fn stays_mended(scene: &Scene) -> Told {
    let actions = actions(scene)?;
    let again: Vec<String> = actions
        .0
        .values()
        .filter(|action| action.reopened > 0 && days_since(action.opened, scene.now) <= AGAIN_DAYS)
        .map(|action| format!("{} for the {}. time", action.control, action.reopened.saturating_add(1)))
        .collect();
    Ok(without(&again, actions.0.len(), format!("{} actions, none of which came back", actions.0.len()), "came back"))
}

fn how_fast(scene: &Scene) -> Told {
    let closed = closed(actions(scene)?);
    if closed.is_empty() {
        return Ok(Finding::not_tested("no action was closed yet"));
    }
    let (mut said, mut bad) = (Vec::new(), Vec::new());
    for (name, weight) in [("mandatory", 10_u8), ("important", 5), ("other", 2)] {
        let (most, mut sum, mut count) = (days(weight), 0_i64, 0_i64);
        for (action, at) in closed.iter().filter(|(action, _)| days(action.weight) == most) {
            sum = sum.saturating_add(at.saturating_sub(action.opened.secs()));
            count = count.saturating_add(1);
        }
        let Some(mean) = sum.checked_div(count) else { continue };
        let line = format!("{name}: {count} mended in {} days of {most} on average", mean.div_euclid(DAY));
        if mean > most.saturating_mul(DAY) {
            bad.push(line.clone());
        }
        said.push(line);
    }
    let all = said.len();
    Ok(without(&bad, all, said.join("; "), "too slow").showing("closed actions", lines(&said)))
}

fn excepted(scene: &Scene) -> Told {
    let actions = open(actions(scene)?);
    let (mut all, mut bad) = (0_usize, Vec::new());
    for action in actions {
        let Some(exception) = &action.exception else { continue };
        all = all.saturating_add(1);
        let lasts = exception.until.secs().saturating_sub(exception.at.secs());
        let why = if exception.until < scene.now {
            "is over"
        } else if exception.approver.trim().is_empty() || same_person(&exception.approver, &action.owner) {
            "was approved by its owner"
        } else if lasts > i64::from(AUDIT_EXCEPTION_DAYS).saturating_mul(DAY) {
            "is for more than a year"
        } else {
            continue;
        };
        bad.push(format!("{} {why}", action.control));
    }
    Ok(without(&bad, all, format!("{all} exceptions, each approved by another and not over"), "exceptions"))
}

fn counts_again(scene: &Scene) -> Told {
    let audits = audits(scene)?;
    Ok(match (audits.runs, audits.faults.is_empty()) {
        (0, true) => Finding::not_tested("no audit was kept before this one"),
        (runs, true) => Finding::pass(format!("{runs} audits are worth what their seals say")),
        (_, false) => Finding::fail("not all of them are as they were written")
            .showing("mailward audit verify", lines(&audits.faults)),
    })
}
