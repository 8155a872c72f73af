//! Rules that are made at run time: on a shelf of the store, and in the book.
//!
//! A rule is a record; their order is a record of its own, which alone says which rules there are. So many rules come, go and
//! move in one commit, however many commits their records took: what the order doesn't name is a leftover of a change that was
//! cut off, and goes with the next one.

use super::book::RuleBook;
use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_core::limits::{PAGE_ROWS_MAX, RULE_COMMENT_MAX, RULES_MAX, RULES_STEP, SHELF_CHANGES_MAX};
use mailward_core::rule::Rule;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{ShelfStore, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Mutex;

const ORDER: &str = "order";
const RULE: &str = "rule/";

/// A rule that was made at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRule {
    /// Its number, which no other rule ever has.
    pub id: u32,
    /// What it says.
    pub rule: Rule,
    /// Who made it.
    pub by: String,
    /// When.
    pub made: Timestamp,
    /// Why; at most `limits::RULE_COMMENT_MAX` characters, none of them a control character.
    pub comment: String,
}

/// A rule to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// What it says.
    pub rule: Rule,
    /// Why.
    pub comment: String,
}

/// Where a rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulePlace {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
    /// Before this one.
    Before(u32),
    /// Behind this one.
    After(u32),
}

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

/// What stands in a record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    rule: Rule,
    by: String,
    made: Timestamp,
    comment: String,
}

/// The rules of a store, and the book that they stand in.
pub struct KeptRules {
    shelf: Arc<dyn ShelfStore>,
    book: RuleBook,
    /// Held by a change from its beginning to its end.
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    rules: Vec<KeptRule>,
    /// The number of the next one.
    next: u32,
    /// Records that no rule is.
    leftovers: BTreeSet<u32>,
}

impl KeptRules {
    /// Reads them, and writes them into the book.
    ///
    /// # Errors
    /// [`RulesError::Store`] and [`RulesError::Damaged`].
    pub async fn open(shelf: Arc<dyn ShelfStore>, book: RuleBook) -> Result<Arc<Self>, RulesError> {
        let state = read(&*shelf).await?;
        book.set_kept(&state.rules);
        Ok(Arc::new(Self { shelf, book, state: Mutex::new(state) }))
    }

    /// The book that they stand in, with all others.
    #[must_use]
    pub const fn book(&self) -> &RuleBook {
        &self.book
    }

    /// All of them, in their order.
    pub async fn list(&self) -> Vec<KeptRule> {
        self.state.lock().await.rules.clone()
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
        let mut state = self.state.lock().await;
        if state.rules.len().saturating_add(new.len()) > RULES_MAX {
            return Err(RulesError::Full);
        }
        let mut known: BTreeMap<&Rule, u32> = state.rules.iter().map(|kept| (&kept.rule, kept.id)).collect();
        let (mut next, mut added) = (state.next, Vec::with_capacity(new.len()));
        for NewRule { rule, comment } in &new {
            if comment.chars().count() > RULE_COMMENT_MAX || comment.chars().any(char::is_control) {
                return Err(RulesError::Comment);
            }
            if let Some(there) = known.insert(rule, next) {
                return Err(RulesError::Exists(there));
            }
            let (rule, comment, by) = (rule.clone(), comment.clone(), by.to_owned());
            added.push(KeptRule { id: next, rule, by, made, comment });
            next = next.checked_add(1).ok_or(RulesError::Full)?;
        }
        let mut then = state.clone();
        then.next = next;
        let at = position(&then.rules, place)?;
        then.rules.splice(at..at, added.iter().cloned());
        let records = added.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        self.write(&mut state, then, records).await?;
        Ok(added)
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`RulesError::Unknown`] and [`RulesError::Store`].
    pub async fn remove(&self, id: u32) -> Result<KeptRule, RulesError> {
        let mut state = self.state.lock().await;
        let mut then = state.clone();
        let at = then.rules.iter().position(|kept| kept.id == id).ok_or(RulesError::Unknown(id))?;
        let removed = then.rules.remove(at);
        then.leftovers.insert(id);
        self.write(&mut state, then, Vec::new()).await?;
        Ok(removed)
    }

    /// Moves one.
    ///
    /// # Errors
    /// [`RulesError::Unknown`], [`RulesError::Itself`] and [`RulesError::Store`].
    pub async fn move_to(&self, id: u32, place: RulePlace) -> Result<KeptRule, RulesError> {
        let mut state = self.state.lock().await;
        if matches!(place, RulePlace::Before(other) | RulePlace::After(other) if other == id) {
            return Err(RulesError::Itself);
        }
        let mut then = state.clone();
        let at = then.rules.iter().position(|kept| kept.id == id).ok_or(RulesError::Unknown(id))?;
        let moved = then.rules.remove(at);
        let at = position(&then.rules, place)?;
        then.rules.insert(at, moved.clone());
        self.write(&mut state, then, Vec::new()).await?;
        Ok(moved)
    }

    /// Writes records, then the order that names them, then what is asked.
    async fn write(&self, state: &mut State, mut then: State, records: Vec<Shelved>) -> Result<(), RulesError> {
        let mut records = records.into_iter().map(|record| ShelfChange::Put(Shelf::Rules, record)).peekable();
        let mut last = Vec::new();
        while records.peek().is_some() {
            let step: Vec<ShelfChange> = records.by_ref().take(RULES_STEP).collect();
            if records.peek().is_none() {
                last = step;
            } else {
                // Until the order names them they aren't there; their numbers may be given again.
                self.shelf.change_shelf(step).await?;
            }
        }
        last.push(ShelfChange::Put(Shelf::Rules, order(&then)));
        let room = SHELF_CHANGES_MAX.saturating_sub(last.len());
        let given: BTreeSet<u32> = then.rules.iter().map(|kept| kept.id).collect();
        then.leftovers.retain(|id| !given.contains(id));
        let swept: Vec<u32> = then.leftovers.iter().take(room).copied().collect();
        for id in swept {
            then.leftovers.remove(&id);
            last.push(ShelfChange::Remove(Shelf::Rules, key(id)));
        }
        self.shelf.change_shelf(last).await?;
        self.book.set_kept(&then.rules);
        *state = then;
        Ok(())
    }
}

fn position(rules: &[KeptRule], place: RulePlace) -> Result<usize, RulesError> {
    let of = |id: u32| rules.iter().position(|kept| kept.id == id).ok_or(RulesError::Unknown(id));
    match place {
        RulePlace::First => Ok(0),
        RulePlace::Last => Ok(rules.len()),
        RulePlace::Before(id) => of(id),
        RulePlace::After(id) => of(id).map(|at| at.saturating_add(1)),
    }
}

fn key(id: u32) -> String {
    format!("{RULE}{id:010}")
}

fn record(kept: &KeptRule) -> Result<Shelved, RulesError> {
    let KeptRule { id, rule, by, made, comment } = kept.clone();
    let value = serde_json::to_vec(&Record { rule, by, made, comment });
    let value = value.map_err(|_| RulesError::Damaged(key(id)))?;
    Ok(Shelved { key: key(id), value: value.into(), expires: None })
}

/// The number of the next one, then those that there are, four bytes each: all of `limits::RULES_MAX` fit a record.
fn order(state: &State) -> Shelved {
    let numbers = std::iter::once(state.next).chain(state.rules.iter().map(|kept| kept.id));
    let value: Bytes = numbers.flat_map(u32::to_be_bytes).collect();
    Shelved { key: ORDER.to_owned(), value, expires: None }
}

async fn read(shelf: &dyn ShelfStore) -> Result<State, RulesError> {
    let damaged = |key: &str| RulesError::Damaged(key.to_owned());
    let mut records: BTreeMap<u32, Bytes> = BTreeMap::new();
    let (mut order, mut after) = (Bytes::new(), None);
    // As many pages as there may be records, with as many leftovers, and one more.
    for _ in 0..=RULES_MAX.saturating_mul(2).div_ceil(PAGE_ROWS_MAX) {
        let page = shelf.shelf(Shelf::Rules, after.take(), PAGE_ROWS_MAX).await?;
        let whole = page.len() >= PAGE_ROWS_MAX;
        after = page.last().map(|last| last.key.clone());
        for Shelved { key, value, .. } in page {
            if key == ORDER {
                order = value;
                continue;
            }
            let id = key.strip_prefix(RULE).and_then(|id| id.parse().ok()).ok_or_else(|| damaged(&key))?;
            records.insert(id, value);
        }
        if !whole {
            break;
        }
    }
    let (numbers, rest) = order.as_chunks::<4>();
    let mut numbers = numbers.iter().map(|bytes| u32::from_be_bytes(*bytes));
    let next = numbers.next().unwrap_or(1);
    if !rest.is_empty() || numbers.len() > RULES_MAX {
        return Err(damaged(ORDER));
    }
    let mut rules = Vec::with_capacity(numbers.len());
    for id in numbers {
        let bytes = records.remove(&id).ok_or_else(|| damaged(&key(id)))?;
        let Record { rule, by, made, comment } = serde_json::from_slice(&bytes).map_err(|_| damaged(&key(id)))?;
        rules.push(KeptRule { id, rule, by, made, comment });
    }
    Ok(State { rules, next, leftovers: records.into_keys().collect() })
}
