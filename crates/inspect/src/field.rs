//! What a message's header says of what was found.

use crate::inspector::Inspected;
use crate::verdict::{Action, Finding};
use mailward_core::Domain;
use mailward_core::limits::VERDICT_FIELD_FINDINGS_MAX;
use std::fmt::Write as _;

/// The header fields of a message that was judged, whole, with their line ends: `Authentication-Results` (RFC 8601) for one from
/// elsewhere, and `Mailward-Verdict`:
///
/// ```text
/// Mailward-Verdict: junk; score=6.40;
///     spam/words=5.20; authentication/dmarc-fail=1.20; spam/score=junk
/// ```
///
/// A finding has its points, or what it wants done, or both. Evidence isn't in it: outsiders wrote it. What holds for some
/// recipients alone isn't either: all get the same bytes.
#[must_use]
pub fn verdict_field(inspected: &Inspected, hostname: &Domain) -> String {
    let mut text = String::new();
    if let Some(authentication) = &inspected.authentication {
        text.push_str(&authentication.field(hostname));
    }
    let for_all = |finding: &&Finding| finding.only.is_none();
    let findings: Vec<&Finding> = inspected.verdict.findings.iter().filter(for_all).collect();
    let action = findings.iter().map(|finding| finding.action).max().unwrap_or_default();
    let points = findings.iter().fold(0i32, |sum, finding| sum.saturating_add(finding.points));
    // Writing to a String can't fail.
    let _infallible = write!(text, "Mailward-Verdict: {}; score={}", action.name(), hundredths(points));
    let told = findings.iter().filter(|finding| finding.points != 0 || finding.action != Action::Deliver);
    for finding in told.clone().take(VERDICT_FIELD_FINDINGS_MAX) {
        let _infallible = write!(text, ";\r\n\t{}/{}", finding.check.name(), finding.rule);
        if finding.points != 0 {
            let _infallible = write!(text, "={}", hundredths(finding.points));
        }
        if finding.action != Action::Deliver {
            let _infallible = write!(text, " {}", finding.action.name());
        }
    }
    let more = told.count().saturating_sub(VERDICT_FIELD_FINDINGS_MAX);
    if more > 0 {
        let _infallible = write!(text, ";\r\n\tmore={more}");
    }
    text.push_str("\r\n");
    text
}

/// Hundredths of a point, as people read them.
#[must_use]
pub fn hundredths(points: i32) -> String {
    let sign = if points < 0 { "-" } else { "" };
    let all = points.unsigned_abs();
    format!("{sign}{}.{:02}", all / 100, all % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Check, Verdict};

    fn told(findings: Vec<Finding>) -> String {
        let inspected = Inspected { verdict: Verdict { findings }, authentication: None };
        verdict_field(&inspected, &Domain::parse("mx.s.example").unwrap())
    }

    #[test]
    fn a_field_tells_what_counts_and_never_what_outsiders_wrote() {
        let text = told(vec![
            Finding::new(Check::Spam, "words", Action::Deliver, "evil\r\nX: y").worth(520),
            Finding::new(Check::Authentication, "dkim-none", Action::Deliver, ""),
            Finding::new(Check::Spam, "score", Action::Junk, "").worth(-5),
            Finding::new(Check::Attachments, "for-bob", Action::Reject, "").only_for(vec![1]),
        ]);
        assert_eq!(text, "Mailward-Verdict: junk; score=5.15;\r\n\tspam/words=5.20;\r\n\tspam/score=-0.05 junk\r\n");
    }

    #[test]
    fn a_field_has_its_limit() {
        let one = Finding::new(Check::Spam, "x", Action::Mark, "");
        let text = told(vec![one; VERDICT_FIELD_FINDINGS_MAX + 3]);
        assert_eq!(text.matches("spam/x").count(), VERDICT_FIELD_FINDINGS_MAX);
        assert!(text.ends_with(";\r\n\tmore=3\r\n"));
        assert_eq!(told(Vec::new()), "Mailward-Verdict: deliver; score=0.00\r\n");
    }
}
