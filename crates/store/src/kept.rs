//! # kept: rules that are made at run time, on a shelf
//!
//! **For**: rooms above whose rules stand in an order, each with a number, who made it, when and why. What a rule says is a
//! type of theirs.
//!
//! A rule is a record; their order is a record of its own, which alone says which rules there are. So many rules come, go and
//! move in one commit, however many commits their records took: what the order doesn't name is a leftover of a change that was
//! cut off, and goes with the next one.
//!
//! **Limits**: `limits::RULES_STEP`, `RULE_COMMENT_MAX`, and how many the room lets there be.
//!
//! **Failure**: a record that can't be read is an error, never a rule left out. A change that can't be written isn't in force.

use crate::records::{Shelf, ShelfChange, Shelved};
use crate::{ShelfStore, StoreError};
use bytes::Bytes;
use mailward_core::Timestamp;
use mailward_core::limits::{PAGE_ROWS_MAX, RULE_COMMENT_MAX, RULES_STEP, SHELF_CHANGES_MAX};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Mutex;

const ORDER: &str = "order";
const RULE: &str = "rule/";

/// A rule that was made at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<R> {
    /// Its number, which no other rule ever has.
    pub id: u32,
    /// What it says.
    pub rule: R,
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
pub struct New<R> {
    /// What it says.
    pub rule: R,
    /// Why.
    pub comment: String,
}

/// Where a rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptPlace {
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
pub enum KeptError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record can't be read.
    #[error("the record {0} can't be read")]
    Damaged(String),
    /// None of this number.
    #[error("there is no rule {0}")]
    Unknown(u32),
    /// The same is there.
    #[error("rule {0} says the same")]
    Exists(u32),
    /// More than there may be.
    #[error("there are as many rules as there may be")]
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
struct Record<R> {
    rule: R,
    by: String,
    made: Timestamp,
    comment: String,
}

/// What a rule may be.
pub trait Line: Clone + Ord + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<R: Clone + Ord + Serialize + DeserializeOwned + Send + Sync + 'static> Line for R {}

/// Takes all rules each time that they change, in their order.
type Tell<R> = Box<dyn Fn(&[Kept<R>]) + Send + Sync>;

/// Rules on a shelf that has nothing else.
pub struct KeptList<R> {
    store: Arc<dyn ShelfStore>,
    shelf: Shelf,
    most: usize,
    tell: Tell<R>,
    /// Held by a change from its beginning to its end.
    state: Mutex<State<R>>,
}

#[derive(Clone, Debug)]
struct State<R> {
    rules: Vec<Kept<R>>,
    /// The number of the next one.
    next: u32,
    /// Records that no rule is.
    leftovers: BTreeSet<u32>,
}

impl<R: Line> KeptList<R> {
    /// Reads them, at most `most`, and tells them, and again after each change before it is answered.
    ///
    /// # Errors
    /// [`KeptError::Store`] and [`KeptError::Damaged`].
    pub async fn open(
        store: Arc<dyn ShelfStore>,
        shelf: Shelf,
        most: usize,
        tell: impl Fn(&[Kept<R>]) + Send + Sync + 'static,
    ) -> Result<Self, KeptError> {
        let state = read(&*store, shelf, most).await?;
        tell(&state.rules);
        Ok(Self { store, shelf, most, tell: Box::new(tell), state: Mutex::new(state) })
    }

    /// All of them, in their order.
    pub async fn list(&self) -> Vec<Kept<R>> {
        self.state.lock().await.rules.clone()
    }

    /// Makes rules, one behind the other, all of them or none; they are in force when this answers.
    ///
    /// # Errors
    /// [`KeptError`].
    pub async fn add(
        &self,
        new: Vec<New<R>>,
        place: KeptPlace,
        by: &str,
        made: Timestamp,
    ) -> Result<Vec<Kept<R>>, KeptError> {
        let mut state = self.state.lock().await;
        if state.rules.len().saturating_add(new.len()) > self.most {
            return Err(KeptError::Full);
        }
        let mut known: BTreeMap<&R, u32> = state.rules.iter().map(|kept| (&kept.rule, kept.id)).collect();
        let (mut next, mut added) = (state.next, Vec::with_capacity(new.len()));
        for New { rule, comment } in &new {
            if comment.chars().count() > RULE_COMMENT_MAX || comment.chars().any(char::is_control) {
                return Err(KeptError::Comment);
            }
            if let Some(there) = known.insert(rule, next) {
                return Err(KeptError::Exists(there));
            }
            let (rule, comment, by) = (rule.clone(), comment.clone(), by.to_owned());
            added.push(Kept { id: next, rule, by, made, comment });
            next = next.checked_add(1).ok_or(KeptError::Full)?;
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
    /// [`KeptError::Unknown`] and [`KeptError::Store`].
    pub async fn remove(&self, id: u32) -> Result<Kept<R>, KeptError> {
        let mut state = self.state.lock().await;
        let mut then = state.clone();
        let at = then.rules.iter().position(|kept| kept.id == id).ok_or(KeptError::Unknown(id))?;
        let removed = then.rules.remove(at);
        then.leftovers.insert(id);
        self.write(&mut state, then, Vec::new()).await?;
        Ok(removed)
    }

    /// Removes those that aren't wanted any more, all in one commit; answers them.
    ///
    /// # Errors
    /// [`KeptError::Store`].
    pub async fn retain(&self, wanted: impl Fn(&Kept<R>) -> bool + Send) -> Result<Vec<Kept<R>>, KeptError> {
        let mut state = self.state.lock().await;
        let mut then = state.clone();
        let (rules, removed) = then.rules.into_iter().partition(|kept| wanted(kept));
        then.rules = rules;
        let removed: Vec<Kept<R>> = removed;
        if !removed.is_empty() {
            then.leftovers.extend(removed.iter().map(|kept| kept.id));
            self.write(&mut state, then, Vec::new()).await?;
        }
        Ok(removed)
    }

    /// Moves one.
    ///
    /// # Errors
    /// [`KeptError::Unknown`], [`KeptError::Itself`] and [`KeptError::Store`].
    pub async fn move_to(&self, id: u32, place: KeptPlace) -> Result<Kept<R>, KeptError> {
        let mut state = self.state.lock().await;
        if matches!(place, KeptPlace::Before(other) | KeptPlace::After(other) if other == id) {
            return Err(KeptError::Itself);
        }
        let mut then = state.clone();
        let at = then.rules.iter().position(|kept| kept.id == id).ok_or(KeptError::Unknown(id))?;
        let moved = then.rules.remove(at);
        let at = position(&then.rules, place)?;
        then.rules.insert(at, moved.clone());
        self.write(&mut state, then, Vec::new()).await?;
        Ok(moved)
    }

    /// Writes records, then the order that names them, then what is asked.
    async fn write(&self, state: &mut State<R>, mut then: State<R>, records: Vec<Shelved>) -> Result<(), KeptError> {
        let mut records = records.into_iter().map(|record| ShelfChange::Put(self.shelf, record)).peekable();
        let mut last = Vec::new();
        while records.peek().is_some() {
            let step: Vec<ShelfChange> = records.by_ref().take(RULES_STEP).collect();
            if records.peek().is_none() {
                last = step;
            } else {
                // Until the order names them they aren't there; their numbers may be given again.
                self.store.change_shelf(step).await?;
            }
        }
        last.push(ShelfChange::Put(self.shelf, order(&then)));
        let room = SHELF_CHANGES_MAX.saturating_sub(last.len());
        let given: BTreeSet<u32> = then.rules.iter().map(|kept| kept.id).collect();
        then.leftovers.retain(|id| !given.contains(id));
        let swept: Vec<u32> = then.leftovers.iter().take(room).copied().collect();
        for id in swept {
            then.leftovers.remove(&id);
            last.push(ShelfChange::Remove(self.shelf, key(id)));
        }
        self.store.change_shelf(last).await?;
        (self.tell)(&then.rules);
        *state = then;
        Ok(())
    }
}

fn position<R>(rules: &[Kept<R>], place: KeptPlace) -> Result<usize, KeptError> {
    let of = |id: u32| rules.iter().position(|kept| kept.id == id).ok_or(KeptError::Unknown(id));
    match place {
        KeptPlace::First => Ok(0),
        KeptPlace::Last => Ok(rules.len()),
        KeptPlace::Before(id) => of(id),
        KeptPlace::After(id) => of(id).map(|at| at.saturating_add(1)),
    }
}

fn key(id: u32) -> String {
    format!("{RULE}{id:010}")
}

fn record<R: Line>(kept: &Kept<R>) -> Result<Shelved, KeptError> {
    let Kept { id, rule, by, made, comment } = kept.clone();
    let value = serde_json::to_vec(&Record { rule, by, made, comment });
    let value = value.map_err(|_| KeptError::Damaged(key(id)))?;
    Ok(Shelved { key: key(id), value: value.into(), expires: None })
}

/// The number of the next one, then those that there are, four bytes each: thousands fit a record.
fn order<R>(state: &State<R>) -> Shelved {
    let numbers = std::iter::once(state.next).chain(state.rules.iter().map(|kept| kept.id));
    let value: Bytes = numbers.flat_map(u32::to_be_bytes).collect();
    Shelved { key: ORDER.to_owned(), value, expires: None }
}

async fn read<R: Line>(store: &dyn ShelfStore, shelf: Shelf, most: usize) -> Result<State<R>, KeptError> {
    let damaged = |key: &str| KeptError::Damaged(key.to_owned());
    let mut records: BTreeMap<u32, Bytes> = BTreeMap::new();
    let (mut order, mut after) = (Bytes::new(), None);
    // As many pages as there may be records, with as many leftovers, and one more.
    for _ in 0..=most.saturating_mul(2).div_ceil(PAGE_ROWS_MAX) {
        let page = store.shelf(shelf, after.take(), PAGE_ROWS_MAX).await?;
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
    if !rest.is_empty() || numbers.len() > most {
        return Err(damaged(ORDER));
    }
    let mut rules = Vec::with_capacity(numbers.len());
    for id in numbers {
        let bytes = records.remove(&id).ok_or_else(|| damaged(&key(id)))?;
        let Record { rule, by, made, comment } = serde_json::from_slice(&bytes).map_err(|_| damaged(&key(id)))?;
        rules.push(Kept { id, rule, by, made, comment });
    }
    Ok(State { rules, next, leftovers: records.into_keys().collect() })
}
