//! What follows of doubts how a message is to be read (attacks E1): findings of [`Check::Structure`].

use crate::verdict::{Action, Check, Finding};
use mailward_core::config::AmbiguousCare;
use mailward_message::Structure;
use mailward_message::ambiguity::{Ambiguity, Grade, Kind, number};

/// The rule of what stands for doubts of which not all readings could be looked at.
pub const READINGS_CUT: &str = "readings-cut";

/// A finding for each kind of doubt, the worst first: what is hostile wants what the administrator says, what is doubtful a
/// mark, what is harmless nothing. `cut`: other readings weren't made to the last
/// ([`mailward_message::ambiguity::Readings::cut`]), which is as bad as what is hostile: something may hide in them.
#[must_use]
pub fn findings(structure: &Structure, doubts: &[Ambiguity], cut: bool, care: AmbiguousCare) -> Vec<Finding> {
    let mut kinds: Vec<(Grade, Kind)> = doubts.iter().map(|doubt| (doubt.kind.grade(), doubt.kind)).collect();
    kinds.sort_unstable_by_key(|(grade, kind)| (std::cmp::Reverse(*grade), *kind));
    kinds.dedup();
    let mut findings: Vec<Finding> = Vec::with_capacity(kinds.len());
    if cut {
        let why = "not every way to read the message could be looked at";
        findings.push(Finding::new(Check::Structure, READINGS_CUT, hostile(care), why));
    }
    findings.extend(kinds.into_iter().map(|(_, kind)| {
        let mut of_kind = doubts.iter().filter(|doubt| doubt.kind == kind);
        let first = of_kind.next();
        let place = first.map(|doubt| number(structure, doubt.part)).unwrap_or_default();
        let evidence = first.map(|doubt| doubt.evidence.as_str()).unwrap_or_default();
        let more = match of_kind.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let told = if evidence.is_empty() { String::new() } else { format!(" {evidence}") };
        Finding::new(
            Check::Structure,
            kind.name(),
            action(kind, care),
            format!("part {place}{more}: {}{told}", kind.says()),
        )
    }));
    findings
}

/// What a kind of doubt wants done.
#[must_use]
pub const fn action(kind: Kind, care: AmbiguousCare) -> Action {
    match kind.grade() {
        Grade::Harmless => Action::Deliver,
        Grade::Doubtful => Action::Mark,
        Grade::Hostile => hostile(care),
    }
}

const fn hostile(care: AmbiguousCare) -> Action {
    match care {
        AmbiguousCare::Quarantine => Action::Quarantine,
        AmbiguousCare::Mark => Action::Mark,
        AmbiguousCare::Reject => Action::Reject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::limits::{AMBIGUITIES_OF_A_KIND_MAX, FINDING_EVIDENCE_MAX};
    use mailward_message::ambiguity;

    fn found(message: &str, care: AmbiguousCare) -> Vec<Finding> {
        let structure = Structure::parse(message.as_bytes());
        findings(&structure, &ambiguity::find(message.as_bytes(), &structure), false, care)
    }

    const TWO: &str = "Content-Type: multipart/mixed; boundary=a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--a\r\n\r\n1\r\n--a--\r\n--b\r\nContent-Transfer-Encoding: x\r\n\r\n2\r\n--b--\r\n";

    /// Attacks E1: ambiguous means quarantine, by default.
    #[test]
    fn a_message_of_two_trees_is_quarantined_unless_told_otherwise() {
        for (care, action) in [
            (AmbiguousCare::default(), Action::Quarantine),
            (AmbiguousCare::Mark, Action::Mark),
            (AmbiguousCare::Reject, Action::Reject),
        ] {
            let found = found(TWO, care);
            assert_eq!(found.iter().map(|f| f.action).max(), Some(action));
            assert_eq!(
                found.first().map(|f| (f.rule.as_str(), f.check)),
                Some(("content-type-twice", Check::Structure))
            );
            assert!(found.iter().all(|f| f.evidence.starts_with("part ") && f.evidence.len() <= FINDING_EVIDENCE_MAX));
        }
    }

    #[test]
    fn doubtful_mail_is_marked_and_harmless_mail_only_noted() {
        let doubtful = found("Content-Transfer-Encoding: x\r\n\r\nHello.\r\n", AmbiguousCare::Reject);
        assert_eq!(
            doubtful.iter().map(|f| (f.rule.as_str(), f.action)).collect::<Vec<_>>(),
            [("encoding-unknown", Action::Mark)]
        );
        let harmless = found("Content-Type: text/plain; charset=x-own\r\n\r\nHello.\r\n", AmbiguousCare::Reject);
        assert_eq!(harmless.iter().map(|f| f.action).collect::<Vec<_>>(), [Action::Deliver]);
        assert_eq!(found("Subject: x\r\n\r\nHello.\r\n", AmbiguousCare::Reject), []);
    }

    #[test]
    fn a_kind_is_one_finding_and_tells_how_often() {
        let part = "--b\r\nContent-Type: message/partial\r\n\r\nx\r\n".repeat(100);
        let found =
            found(&format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{part}--b--\r\n"), AmbiguousCare::Mark);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].evidence.starts_with(&format!("part 1 (and {} more): ", AMBIGUITIES_OF_A_KIND_MAX - 1)),
            "{}",
            found[0].evidence
        );
    }

    #[test]
    fn readings_that_were_not_made_are_as_bad_as_hostile_ones() {
        let structure = Structure::parse(b"Subject: x\r\n\r\n");
        let found = findings(&structure, &[], true, AmbiguousCare::Quarantine);
        assert_eq!(
            found.iter().map(|f| (f.rule.as_str(), f.action)).collect::<Vec<_>>(),
            [(READINGS_CUT, Action::Quarantine)]
        );
    }

    #[test]
    fn every_kind_s_finding_fits() {
        for kind in Kind::ALL {
            let finding =
                Finding::new(Check::Structure, kind.name(), action(*kind, AmbiguousCare::Quarantine), kind.says());
            assert_eq!((finding.rule.as_str(), finding.evidence.as_str()), (kind.name(), kind.says()));
        }
    }
}
