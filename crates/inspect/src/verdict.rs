//! What was found in a message, and what is done with it.

use mailward_core::limits::{FINDING_EVIDENCE_MAX, FINDING_RULE_MAX};
use serde::{Deserialize, Serialize};

/// What is done with a message. The strongest that any finding wants is done; they are in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It goes its way.
    #[default]
    Deliver,
    /// It goes its way with a mark.
    Mark,
    /// It goes its way with a mark, and its sender, if that is somebody here, is told why.
    Warn,
    /// It is filed as junk.
    Junk,
    /// It waits for somebody to approve it.
    Hold,
    /// It is kept where its recipients don't see it.
    Quarantine,
    /// It isn't taken now: whoever has it tries again.
    Defer,
    /// It isn't taken.
    Reject,
}

impl Action {
    /// All of them, the weakest first.
    pub const ALL: [Self; 8] =
        [Self::Deliver, Self::Mark, Self::Warn, Self::Junk, Self::Hold, Self::Quarantine, Self::Defer, Self::Reject];

    /// As configuration, header and log have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Mark => "mark",
            Self::Warn => "warn",
            Self::Junk => "junk",
            Self::Hold => "hold",
            Self::Quarantine => "quarantine",
            Self::Defer => "defer",
            Self::Reject => "reject",
        }
    }

    /// The action of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// Who found something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// From, SPF, DKIM, ARC, DMARC.
    Authentication,
    /// Whether all readers read the message alike.
    Structure,
    /// What is attached.
    Attachments,
    /// Virus scanners.
    Antivirus,
    /// Rules of the administrator on what is written.
    Content,
    /// Spam.
    Spam,
    /// Milters.
    Milter,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Authentication,
        Self::Structure,
        Self::Attachments,
        Self::Antivirus,
        Self::Content,
        Self::Spam,
        Self::Milter,
    ];

    /// As header, log and rules have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Structure => "structure",
            Self::Attachments => "attachments",
            Self::Antivirus => "antivirus",
            Self::Content => "content",
            Self::Spam => "spam",
            Self::Milter => "milter",
        }
    }
}

/// One thing that was found, with what it weighs and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// By whom.
    pub check: Check,
    /// What: the rule, the virus, the sign. One word of printable ASCII, at most `limits::FINDING_RULE_MAX` bytes: see
    /// [`Finding::new`].
    pub rule: String,
    /// Its part of the spam score, hundredths of a point; below 0 it speaks for the message.
    pub points: i32,
    /// What it wants done by itself.
    pub action: Action,
    /// Where and why, for people, at most `limits::FINDING_EVIDENCE_MAX` bytes. What outsiders wrote may be in it.
    pub evidence: String,
    /// The recipients that it holds for, by their places in the transaction; none: all.
    pub only: Option<Vec<usize>>,
}

impl Finding {
    /// Something that wants this done. What isn't printable in `rule` becomes `_`, and what is too long is cut.
    #[must_use]
    pub fn new(check: Check, rule: &str, action: Action, evidence: impl Into<String>) -> Self {
        let rule = rule.chars().map(|c| if c.is_ascii_graphic() && c != ';' && c != '"' { c } else { '_' });
        let mut evidence = evidence.into();
        if let Some((at, _)) =
            evidence.char_indices().find(|(at, c)| at.saturating_add(c.len_utf8()) > FINDING_EVIDENCE_MAX)
        {
            evidence.truncate(at);
        }
        Self { check, rule: rule.take(FINDING_RULE_MAX).collect(), points: 0, action, evidence, only: None }
    }

    /// With a part of the spam score, hundredths of a point.
    #[must_use]
    pub fn worth(mut self, points: i32) -> Self {
        self.points = points;
        self
    }

    /// For these recipients alone.
    #[must_use]
    pub fn only_for(mut self, recipients: Vec<usize>) -> Self {
        self.only = Some(recipients);
        self
    }

    fn is_for(&self, recipient: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&recipient))
    }
}

/// As the log has it.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}: {}", self.check.name(), self.rule, self.evidence)
    }
}

/// All that was found in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whatever is wanted for one recipient, by the place in the transaction.
    #[must_use]
    pub fn action_for(&self, recipient: usize) -> Action {
        let found = self.findings.iter().filter(|finding| finding.is_for(recipient));
        found.map(|finding| finding.action).max().unwrap_or_default()
    }

    /// What is said for one recipient's action: the findings that want it.
    pub fn reasons(&self, recipient: usize) -> impl Iterator<Item = &Finding> {
        let action = self.action_for(recipient);
        self.findings.iter().filter(move |finding| finding.action == action && finding.is_for(recipient))
    }

    /// The spam score for one recipient, hundredths of a point.
    #[must_use]
    pub fn points_for(&self, recipient: usize) -> i32 {
        let found = self.findings.iter().filter(|finding| finding.is_for(recipient));
        found.fold(0, |sum, finding| sum.saturating_add(finding.points))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_action_wins() {
        let verdict = Verdict {
            findings: vec![
                Finding::new(Check::Spam, "looks-bad", Action::Junk, "").worth(550),
                Finding::new(Check::Antivirus, "Eicar", Action::Reject, "in a.zip").only_for(vec![1]),
                Finding::new(Check::Authentication, "dmarc-pass", Action::Deliver, "").worth(-100),
            ],
        };
        assert_eq!(verdict.action_for(0), Action::Junk);
        assert_eq!(verdict.action_for(1), Action::Reject);
        assert_eq!(verdict.points_for(0), 450);
        assert_eq!(verdict.reasons(1).map(|finding| finding.rule.as_str()).collect::<Vec<_>>(), ["Eicar"]);
        assert_eq!(Verdict::default().action_for(0), Action::Deliver);
    }

    #[test]
    fn a_finding_is_cut_to_its_limits_and_its_rule_is_one_word() {
        let long = "ä".repeat(FINDING_EVIDENCE_MAX);
        let finding = Finding::new(Check::Milter, &format!("a b;\r\n{}", "x".repeat(999)), Action::Mark, long);
        assert_eq!(finding.rule.len(), FINDING_RULE_MAX);
        assert!(finding.rule.starts_with("a_b___x"));
        assert!(finding.evidence.len() <= FINDING_EVIDENCE_MAX && finding.evidence.len() + 2 > FINDING_EVIDENCE_MAX);
    }
}
