//! Rules that are made at run time, and that may end by themselves: on a shelf of the store, and in the book.

use super::book::{Placed, Rulebook, Source};
use super::rule::Rule;
use mailward_core::Timestamp;
use mailward_core::limits::{CONTENT_EXPIRED_DAYS, CONTENT_RULES_MAX, RULE_COMMENT_MAX};
use mailward_store::kept::{Kept, KeptError, KeptList, KeptPlace, New};
use mailward_store::records::Shelf;
use mailward_store::{ShelfStore, StoreError};
use std::sync::Arc;

/// A rule that was made at run time.
pub type KeptContentRule = Kept<Rule>;

/// A day, milliseconds.
const DAY: i64 = 86_400_000;

/// What a change of rules can fail with.
#[derive(Debug, thiserror::Error)]
pub enum ContentRulesError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record can't be read.
    #[error("the rules in the store can't be read ({0}): `mailward store verify` tells what is damaged")]
    Damaged(String),
    /// None of this number.
    #[error("there is no rule {0}: `mailward content list` shows those that there are")]
    Unknown(u32),
    /// The same is there.
    #[error("rule {0} says the same")]
    Exists(u32),
    /// Over `limits::CONTENT_RULES_MAX`.
    #[error("there are at most {CONTENT_RULES_MAX} rules: remove some, or write several values into one")]
    Full,
    /// A comment.
    #[error("a comment has at most {RULE_COMMENT_MAX} characters, and no control characters")]
    Comment,
    /// A dictionary that isn't there.
    #[error("there is no dictionary {0:?}: content.dictionaries names them")]
    Dictionary(String),
    /// One that was over before it began.
    #[error("it has expired: {0} is past")]
    Expired(String),
    /// A rule relative to itself.
    #[error("a rule can't go before or behind itself")]
    Itself,
}

impl From<KeptError> for ContentRulesError {
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
pub struct KeptContent {
    list: KeptList<Rule>,
    book: Rulebook,
}

impl KeptContent {
    /// Reads them, and writes them into the book.
    ///
    /// # Errors
    /// [`ContentRulesError::Store`] and [`ContentRulesError::Damaged`].
    pub async fn open(shelf: Arc<dyn ShelfStore>, book: Rulebook) -> Result<Arc<Self>, ContentRulesError> {
        let written = book.clone();
        let placed = |kept: &Kept<Rule>| Placed { source: Source::Kept(kept.id), rule: kept.rule.clone() };
        let tell = move |kept: &[Kept<Rule>]| written.set_kept(kept.iter().map(placed).collect());
        let list = KeptList::open(shelf, Shelf::Attachments, CONTENT_RULES_MAX, tell).await?;
        Ok(Arc::new(Self { list, book }))
    }

    /// The book that they stand in, with all others.
    #[must_use]
    pub const fn book(&self) -> &Rulebook {
        &self.book
    }

    /// All of them, in their order; those that are over are shown for `limits::CONTENT_EXPIRED_DAYS` more.
    pub async fn list(&self) -> Vec<KeptContentRule> {
        self.list.list().await
    }

    /// Makes rules, one behind the other, all of them or none; they are in force when this answers. What has been over for long
    /// goes.
    ///
    /// # Errors
    /// [`ContentRulesError`].
    pub async fn add(
        &self,
        new: Vec<New<Rule>>,
        place: KeptPlace,
        by: &str,
        made: Timestamp,
    ) -> Result<Vec<KeptContentRule>, ContentRulesError> {
        for New { rule, .. } in &new {
            if let Some(name) = rule.dictionaries().find(|name| !self.book.has_dictionary(name)) {
                return Err(ContentRulesError::Dictionary(name.to_owned()));
            }
            if let Some(until) = rule.options().until.filter(|until| until.end() <= made) {
                return Err(ContentRulesError::Expired(until.to_string()));
            }
        }
        let shown = i64::try_from(CONTENT_EXPIRED_DAYS).unwrap_or(i64::MAX).saturating_mul(DAY);
        let then = Timestamp(made.0.saturating_sub(shown));
        self.list.retain(|kept| !kept.rule.is_over(then)).await?;
        Ok(self.list.add(new, place, by, made).await?)
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`ContentRulesError::Unknown`] and [`ContentRulesError::Store`].
    pub async fn remove(&self, id: u32) -> Result<KeptContentRule, ContentRulesError> {
        Ok(self.list.remove(id).await?)
    }

    /// Moves one.
    ///
    /// # Errors
    /// [`ContentRulesError::Unknown`], [`ContentRulesError::Itself`] and [`ContentRulesError::Store`].
    pub async fn move_to(&self, id: u32, place: KeptPlace) -> Result<KeptContentRule, ContentRulesError> {
        Ok(self.list.move_to(id, place).await?)
    }
}
