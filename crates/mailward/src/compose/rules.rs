//! The rules of a server: those of its configuration, and those that were made at run time.

use crate::failure::Failure;
use mailward_core::config::Config;
use mailward_gate::rules::{KeptRules, RuleBook, RulesError};
use mailward_store::LocalStore;
use std::sync::Arc;

/// Reads them. A server whose rules can't be read doesn't run: it would let in whom they refuse.
pub(crate) async fn open(config: &Config, store: &Arc<LocalStore>) -> Result<Arc<KeptRules>, Failure> {
    Ok(KeptRules::open(store.clone(), RuleBook::from(config)).await?)
}

impl From<RulesError> for Failure {
    fn from(error: RulesError) -> Self {
        match error {
            RulesError::Store(error) => Failure::Store(error),
            RulesError::Damaged(_) => Failure::Found(error.to_string()),
            error => Failure::Refused(error.to_string()),
        }
    }
}
