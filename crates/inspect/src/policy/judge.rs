//! All rules over one message.

use super::bits::Bits;
use super::book::{Asked, Rulebook, Snapshot};
use super::evidence;
use super::fit::Facts;
use crate::{Action, Check, Finding, Subject};
use mailward_core::Domain;
use mailward_scan::Contents;
use std::collections::BTreeMap;

/// The name of the finding of a message that wasn't judged to its end.
const UNJUDGED: &str = "unjudged";

/// What one rule found.
struct Found {
    /// Of the first that it fits.
    evidence: String,
    /// How many others.
    more: usize,
    whom: Bits,
}

/// What all rules found, by their places.
#[derive(Default)]
struct All(BTreeMap<usize, Found>);

impl All {
    fn add(&mut self, at: usize, whom: &Bits, evidence: impl FnOnce() -> String) {
        match self.0.get_mut(&at) {
            Some(found) => {
                found.more = found.more.saturating_add(1);
                found.whom.add(whom);
            }
            None => drop(self.0.insert(at, Found { evidence: evidence(), more: 0, whom: whom.clone() })),
        }
    }
}

impl Rulebook {
    /// What the rules say of a message. `proven`: domains that it proves to be from (DKIM, and what else is verified),
    /// which exceptions for senders need; SPF of the subject counts by itself. At most one finding for each rule.
    #[must_use]
    pub fn judge(&self, subject: &Subject, contents: &Contents, proven: &[Domain]) -> Vec<Finding> {
        let snapshot = self.snapshot();
        let mut facts = Facts::new(subject, contents, proven, &snapshot);
        let mut all = All::default();
        let let_through = message(&snapshot, &mut facts, &mut all);
        types(&snapshot, &mut facts, &let_through, &mut all);
        files(&snapshot, &mut facts, &let_through, &mut all);
        let mut findings: Vec<Finding> =
            all.0.into_iter().filter_map(|(at, found)| finding(snapshot.rules.get(at)?, found, &facts)).collect();
        if facts.is_tired() {
            let evidence = "more files and text than there is time to judge";
            findings.push(Finding::new(Check::Attachments, UNJUDGED, Action::Quarantine, evidence));
        }
        findings
    }
}

/// Rules about the message. Answers those that let it through whole, and for whom, in their order.
fn message(snapshot: &Snapshot, facts: &mut Facts<'_>, all: &mut All) -> Vec<(usize, Bits)> {
    let mut open = facts.everybody.clone();
    let mut let_through = Vec::new();
    for at in snapshot.of_message.iter().copied() {
        if open.is_empty() || facts.is_tired() {
            break;
        }
        let Some(asked) = snapshot.rules.get(at) else { continue };
        let whom = facts.recipients(at).and(&open);
        if whom.is_empty() || !facts.of_message(asked) {
            continue;
        }
        all.add(at, &whom, || evidence::of_message(asked, facts.subject, facts.contents));
        if asked.placed.rule.action() == Action::Deliver {
            open.remove(&whom);
            let_through.push((at, whom));
        }
    }
    let_through
}

/// Who is left after those that rules before this one let through.
fn open_at(at: usize, facts: &Facts<'_>, let_through: &[(usize, Bits)]) -> Bits {
    let mut open = facts.everybody.clone();
    let_through.iter().take_while(|(before, _)| *before < at).for_each(|(_, whom)| open.remove(whom));
    open
}

/// Parts that hold others are no files, but have a type.
fn types(snapshot: &Snapshot, facts: &mut Facts<'_>, let_through: &[(usize, Bits)], all: &mut All) {
    let structure = facts.subject.structure.clone();
    for at in snapshot.of_types.iter().copied() {
        let Some(asked) = snapshot.rules.get(at) else { continue };
        let whom = facts.recipients(at).and(&open_at(at, facts, let_through));
        if whom.is_empty() || asked.placed.rule.action() == Action::Deliver {
            continue;
        }
        for part in
            structure.parts().filter(|part| part.is_multipart() || part.is_message() || part.subtype == "partial")
        {
            let declared = format!("{}/{}", part.media_type, part.subtype);
            if facts.is_tired() {
                return;
            }
            if facts.of_type(asked, &declared) {
                all.add(at, &whom, || evidence::of_type(&declared));
                break;
            }
        }
    }
}

fn files(snapshot: &Snapshot, facts: &mut Facts<'_>, let_through: &[(usize, Bits)], all: &mut All) {
    let contents = facts.contents;
    for (index, item) in contents.items.iter().enumerate() {
        let mut open = facts.everybody.clone();
        let mut exceptions = let_through.iter().peekable();
        for at in facts.candidates(index, item) {
            while let Some((_, whom)) = exceptions.next_if(|(before, _)| *before < at) {
                open.remove(whom);
            }
            if open.is_empty() {
                break;
            }
            if facts.is_tired() {
                return;
            }
            let Some(asked) = snapshot.rules.get(at) else { continue };
            let whom = facts.recipients(at).and(&open);
            if whom.is_empty() || !facts.of_file(asked, index, item) {
                continue;
            }
            all.add(at, &whom, || evidence::of_file(asked, contents, index, item));
            if asked.decides {
                open.remove(&whom);
            }
        }
    }
}

fn finding(asked: &Asked, found: Found, facts: &Facts<'_>) -> Option<Finding> {
    let Found { evidence, more, whom } = found;
    let rule = &asked.placed.rule;
    let more = match more {
        0 => String::new(),
        1 => " (and one more)".to_owned(),
        more => format!(" (and {more} more)"),
    };
    let reason = rule.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
    let through = if rule.action() == Action::Deliver { "; let through by a rule" } else { "" };
    let finding =
        Finding::new(rule.check(), &asked.placed.name(), rule.action(), format!("{evidence}{more}{through}{reason}"));
    match whom == facts.everybody {
        true => Some(finding),
        false if whom.is_empty() => None,
        false => Some(finding.only_for(whom.places())),
    }
}
