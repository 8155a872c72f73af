//! What follows from what was found out.

use super::check::Authentication;
use super::results::Verdict;
use crate::dmarc::{DmarcOutcome, DmarcResult, Request};
use crate::verdict::{Action, Check, Finding};
use mailward_message::dkim::ChainStatus;

/// There isn't one author.
const FROM: &str = "from";
/// It isn't from whom it names.
const DMARC_FAIL: &str = "dmarc-fail";
/// It can't be known now whether it is.
const DMARC_TEMPERROR: &str = "dmarc-temperror";

/// What a reply says that refuses for a finding of [`Check::Authentication`]: reply code and enhanced status (RFC 3463, RFC
/// 7372); none for rules that refuse nothing.
#[must_use]
pub fn status(rule: &str) -> Option<(u16, &'static str)> {
    match rule {
        FROM => Some((550, "5.6.0")),
        DMARC_FAIL => Some((550, "5.7.1")),
        DMARC_TEMPERROR => Some((451, "4.7.5")),
        _ => None,
    }
}

impl Authentication {
    /// What was found, in the order author, signatures, chain, DMARC. Only for strangers' messages is anything done.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Err(fault) = &self.author {
            found.push(self.finding(FROM, Action::Reject, fault.to_string(), 100));
        }
        found.push(self.signatures());
        match self.results.arc.status {
            ChainStatus::None => {}
            ChainStatus::Pass => {
                let sealer = self.results.arc.sealer.as_ref().map_or_else(String::new, ToString::to_string);
                found.push(self.finding("arc-pass", Action::Deliver, format!("sealed by {sealer}"), 0));
            }
            ChainStatus::Fail => {
                found.push(self.finding("arc-fail", Action::Deliver, self.results.arc.why.clone(), 0));
            }
        }
        found.extend(self.dmarc.as_ref().map(|dmarc| self.of_dmarc(dmarc)));
        found
    }

    /// What is done for DMARC's sake alone.
    #[must_use]
    pub fn dmarc_action(&self) -> Action {
        self.dmarc.as_ref().map_or(Action::Deliver, |dmarc| self.of_dmarc(dmarc).action)
    }

    fn signatures(&self) -> Finding {
        let signers: Vec<String> = self
            .results
            .dkim
            .iter()
            .filter(|dkim| dkim.verdict == Verdict::Pass)
            .filter_map(|dkim| dkim.signer.as_ref().map(|(domain, _)| domain.to_string()))
            .collect();
        if !signers.is_empty() {
            return self.finding("dkim-pass", Action::Deliver, signers.join(", "), -10);
        }
        match self.results.dkim.first() {
            None => self.finding("dkim-none", Action::Deliver, "no signature".to_owned(), 10),
            Some(dkim) => {
                // Servers on the way break signatures, too: it is hardly worse than none.
                let by = dkim.signer.as_ref().map(|(domain, _)| format!("{domain}: ")).unwrap_or_default();
                self.finding("dkim-fail", Action::Deliver, format!("{by}{}", dkim.why), 20)
            }
        }
    }

    fn of_dmarc(&self, dmarc: &DmarcOutcome) -> Finding {
        if let Some(sealer) = &self.vouched {
            let why = format!("{sealer} says under its seal that it was from {}", dmarc.domain);
            return self.finding("dmarc-vouched", Action::Deliver, why, 0);
        }
        match (dmarc.result, &dmarc.policy) {
            (DmarcResult::Pass, _) => {
                let by = match (dmarc.aligned_spf, dmarc.aligned_dkim) {
                    (true, true) => "SPF and DKIM",
                    (true, false) => "SPF",
                    _ => "DKIM",
                };
                self.finding("dmarc-pass", Action::Deliver, format!("{by} proves {}", dmarc.domain), -20)
            }
            (DmarcResult::None, _) | (DmarcResult::Fail, None) => {
                self.finding("dmarc-none", Action::Deliver, dmarc.why.clone(), 0)
            }
            (DmarcResult::Fail, Some(policy)) => {
                let asks = format!("{}; {} asks for {}={}", dmarc.why, policy.domain, policy.tag, policy.request);
                let tries = if policy.record.test { ", and only tries it out (t=y): one step less" } else { "" };
                let (action, points) = match dmarc.disposition {
                    Request::None => (Action::Deliver, 100),
                    Request::Quarantine => (self.policy.quarantine, 250),
                    Request::Reject => (self.policy.reject, 500),
                };
                self.finding(DMARC_FAIL, action, asks + tries, points)
            }
            (DmarcResult::TempError, policy) => {
                // Whoever forges may be able to have a lookup fail, that of the policy too: where a failure would have hindered it,
                // it has to come again.
                let hindrance = match policy {
                    None => self.policy.reject.max(self.policy.quarantine),
                    Some(policy) => match policy.wanted() {
                        Request::None => Action::Deliver,
                        Request::Quarantine => self.policy.quarantine,
                        Request::Reject => self.policy.reject,
                    },
                };
                let action = if hindrance >= Action::Junk { Action::Defer } else { Action::Deliver };
                self.finding(DMARC_TEMPERROR, action, dmarc.why.clone(), 0)
            }
        }
    }

    /// A finding with hundredths of points; of a message that isn't a stranger's it only tells.
    fn finding(&self, rule: &str, action: Action, evidence: String, points: i32) -> Finding {
        let action = if self.counts || action == Action::Deliver { action } else { Action::Mark };
        Finding::new(Check::Authentication, rule, action, evidence).worth(if self.counts { points } else { 0 })
    }
}
