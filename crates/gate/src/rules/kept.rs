//! Rules that are made at run time: on a shelf of the store, and in the book.

use super::book::RuleBook;
use mailward_core::Timestamp;
use mailward_core::limits::{RULE_COMMENT_MAX, RULES_MAX};
use mailward_core::rule::Rule;
use mailward_store::kept::{Kept, KeptError, KeptList, KeptPlace, New};
use mailward_store::records::Shelf;
use mailward_store::{ShelfStore, StoreError};
use std::sync::Arc;

/// A rule that was made at run time.
pub type KeptRule = Kept<Rule>;
/// A rule to be made.
pub type NewRule = New<Rule>;
/// Where a rule goes.
pub type RulePlace = KeptPlace;

/// What a change of rules can fail with.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record can't be read.
    #[error("the rules in the store can't be read ({0}): `mailward store verify` tells what is damaged")]
    Damaged(String),
    /// None of this number.
    #[error("there is no rule {0}: `mailward rules list` shows those that there are")]
    Unknown(u32),
    /// The same is there.
    #[error("rule {0} says the same")]
    Exists(u32),
    /// Over `limits::RULES_MAX`.
    #[error("there are at most {RULES_MAX} rules: remove some, or write a network instead of its addresses")]
    Full,
    /// A comment.
    #[error("a comment has at most {RULE_COMMENT_MAX} characters, and no control characters")]
    Comment,
    /// A rule relative to itself.
    #[error("a rule can't go before or behind itself")]
    Itself,
}

impl From<KeptError> for RulesError {
    fn from(error: KeptError) -> Self {
        match error {
            KeptError::Store(error) => Self::Store(error),
            KeptError::Damaged(key) => Self::Damaged(key),
            KeptError::Unknown(id) => Self::Unknown(id),
            KeptError::Exists(id) => Self::Exists(id),
            KeptError::Full => Self::Full,
            KeptError::Comment => Self::Comment,
            KeptError::Itself => Self::Itself,
        }
    }
}

/// The rules of a store, and the book that they stand in.
pub struct KeptRules {
    list: KeptList<Rule>,
    book: RuleBook,
}

impl KeptRules {
    /// Reads them, and writes them into the book.
    ///
    /// # Errors
    /// [`RulesError::Store`] and [`RulesError::Damaged`].
    pub async fn open(shelf: Arc<dyn ShelfStore>, book: RuleBook) -> Result<Arc<Self>, RulesError> {
        let written = book.clone();
        let list = KeptList::open(shelf, Shelf::Rules, RULES_MAX, move |kept| written.set_kept(kept)).await?;
        Ok(Arc::new(Self { list, book }))
    }

    /// The book that they stand in, with all others.
    #[must_use]
    pub const fn book(&self) -> &RuleBook {
        &self.book
    }

    /// All of them, in their order.
    pub async fn list(&self) -> Vec<KeptRule> {
        self.list.list().await
    }

    /// Makes rules, one behind the other, all of them or none; they are in force when this answers.
    ///
    /// # Errors
    /// [`RulesError`].
    pub async fn add(
        &self,
        new: Vec<NewRule>,
        place: RulePlace,
        by: &str,
        made: Timestamp,
    ) -> Result<Vec<KeptRule>, RulesError> {
        Ok(self.list.add(new, place, by, made).await?)
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`RulesError::Unknown`] and [`RulesError::Store`].
    pub async fn remove(&self, id: u32) -> Result<KeptRule, RulesError> {
        Ok(self.list.remove(id).await?)
    }

    /// Moves one.
    ///
    /// # Errors
    /// [`RulesError::Unknown`], [`RulesError::Itself`] and [`RulesError::Store`].
    pub async fn move_to(&self, id: u32, place: RulePlace) -> Result<KeptRule, RulesError> {
        Ok(self.list.move_to(id, place).await?)
    }
}
