//! What the administrator wants done.

use crate::verdict::Action;
use mailward_core::Domain;
use mailward_core::config::{Config, Obeyed};

/// What follows from authentication, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whose ARC seals are believed.
    pub trusted_sealers: Vec<Domain>,
    /// What is done where a domain asks for refusal.
    pub reject: Action,
    /// What is done where it asks for suspicion.
    pub quarantine: Action,
}

impl Policy {
    /// The same where there is no DNS to ask: no message has to come again for it.
    #[must_use]
    pub fn without_dns(&self) -> Self {
        Self { reject: Action::Mark, quarantine: Action::Mark, ..self.clone() }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { trusted_sealers: Vec::new(), reject: Action::Reject, quarantine: Action::Junk }
    }
}

impl From<&Config> for Policy {
    fn from(config: &Config) -> Self {
        let action = |way| match way {
            Obeyed::Reject => Action::Reject,
            Obeyed::Quarantine => Action::Quarantine,
            Obeyed::Junk => Action::Junk,
            Obeyed::Mark => Action::Mark,
        };
        Self {
            trusted_sealers: config.authentication.trusted_sealers.clone(),
            reject: action(config.dmarc.reject),
            quarantine: action(config.dmarc.quarantine),
        }
    }
}
