//! What came of recipients, and what somebody does to them by hand.

use super::changes::{Counts, LaneId, keep_attempt, row};
use super::rows::not_queued;
use crate::api::StoreError;
use crate::apply::messages::{self, Beyond};
use crate::records::{Lane, LaneNews, Outcome, Places, QueuedMessage, SettleOutcome, Settled, Steer};
use crate::sending::count_refused;
use crate::tx::{Placed, Tx};
use mailward_core::limits::QUEUE_SETTLE_MAX;
use mailward_core::{AccountId, QueueId, Timestamp};
use rusqlite::params;
use std::collections::BTreeMap;

/// A settlement without the bytes of what it tells.
pub(super) struct Parts {
    pub(super) recipients: Vec<Settled>,
    pub(super) lanes: Vec<LaneNews>,
    pub(super) pauses: Vec<(Lane, Timestamp)>,
    pub(super) tell: Vec<Places>,
}

/// See `QueueStore::settle`.
pub(super) fn settle(tx: &mut Tx<'_>, placed: &[Placed], parts: &Parts) -> Result<SettleOutcome, StoreError> {
    if parts.recipients.len() > QUEUE_SETTLE_MAX {
        return Err(StoreError::Limit("recipients of one settlement"));
    }
    let mut outcome = SettleOutcome::default();
    let mut counts = Counts::default();
    let mut refused: BTreeMap<QueueId, u64> = BTreeMap::new();
    for settled in &parts.recipients {
        if !settle_one(tx, &mut counts, settled)? {
            outcome.missing.push((settled.message, settled.number));
        } else if is_refusal(settled) {
            let count = refused.entry(settled.message).or_default();
            *count = count.saturating_add(1);
        }
    }
    for (message, count) in refused {
        if let Some(account) = submitter(tx, message)? {
            count_refused(tx, account, count)?;
        }
    }
    outcome.untold = !outcome.missing.is_empty() && outcome.missing.len() == parts.recipients.len();
    if !outcome.untold {
        for (places, placed) in parts.tell.iter().zip(placed) {
            outcome.told.push(messages::deliver_beyond(tx, placed, places, Beyond::NOTICE)?);
        }
    }
    // After the bounces: what they give back may be the very content that is released here.
    counts.write(tx)?;
    for news in &parts.lanes {
        learn(tx, news)?;
    }
    for (lane, until) in &parts.pauses {
        tx.execute(
            "UPDATE queue_lanes SET blocked = ?2 WHERE name = ?1 AND blocked < ?2",
            params![lane.as_str(), until.0],
        )?;
    }
    Ok(outcome)
}

/// Whether another host refused a recipient for good: too many of these say something of who wrote to them.
fn is_refusal(settled: &Settled) -> bool {
    matches!(settled.outcome, Outcome::Failed) && settled.attempt.as_ref().is_some_and(|a| (500..600).contains(&a.code))
}

fn submitter(tx: &Tx<'_>, message: QueueId) -> Result<Option<AccountId>, StoreError> {
    let found = tx.row("SELECT submitter FROM queue_messages WHERE id = ?1", params![message.0], |row| {
        row.get::<_, Option<i64>>(0)
    })?;
    Ok(found.flatten().map(AccountId))
}

/// Settles one recipient; `false` if it isn't there.
fn settle_one(tx: &Tx<'_>, counts: &mut Counts, settled: &Settled) -> Result<bool, StoreError> {
    let which = (settled.message, settled.number);
    let Some(row) = row(tx, settled.message, settled.number)? else { return Ok(false) };
    match &settled.outcome {
        Outcome::Delivered | Outcome::Failed => {
            counts.remove(tx, which, &row)?;
            return Ok(true);
        }
        Outcome::Deferred(due) => counts.due(tx, which, &row, *due)?,
        Outcome::Held(reason) => {
            counts.hold(tx, which, &row, Some(reason))?;
        }
        Outcome::Rerouted(lane, due) => counts.reroute(tx, which, &row, lane, *due)?,
    }
    if let Some(attempt) = &settled.attempt {
        keep_attempt(tx, which, &row, attempt, settled.refused)?;
    }
    if settled.warned {
        tx.execute(
            "UPDATE queue_recipients SET warned = 1 WHERE message = ?1 AND number = ?2",
            params![settled.message.0, settled.number],
        )?;
    }
    counts.message(settled.message);
    Ok(true)
}

/// What was learned of a lane's host. A lane with nothing in it learns nothing.
fn learn(tx: &Tx<'_>, news: &LaneNews) -> Result<(), StoreError> {
    match news.blocked {
        Some(until) => tx.execute(
            "UPDATE queue_lanes SET blocked = ?2, failures = failures + 1 WHERE name = ?1",
            params![news.lane.as_str(), until.0],
        )?,
        None => tx.execute(
            "UPDATE queue_lanes SET blocked = 0, failures = 0 WHERE name = ?1 AND (failures > 0 OR blocked > 0)",
            params![news.lane.as_str()],
        )?,
    };
    Ok(())
}

/// Does something to recipients that were found; answers to how many it was done.
pub(super) fn steer(tx: &mut Tx<'_>, found: &[QueuedMessage], action: &Steer) -> Result<u64, StoreError> {
    let mut counts = Counts::default();
    let mut changed = 0u64;
    for message in found {
        if matches!(action, Steer::Release) {
            go_on(tx, message)?;
        }
        for recipient in &message.recipients {
            let which = (message.id, recipient.number);
            // It was found before this commit began.
            let Some(row) = row(tx, message.id, recipient.number)? else { continue };
            let done = match action {
                Steer::Retry if row.held => false,
                Steer::Retry => {
                    counts.due(tx, which, &row, row.due.min(tx.now))?;
                    unblock(tx, row.lane)?;
                    true
                }
                Steer::Hold(reason) => counts.hold(tx, which, &row, Some(reason))?,
                Steer::Release if !row.held => false,
                Steer::Release => counts.hold(tx, which, &row, None)?,
                Steer::Remove => {
                    counts.remove(tx, which, &row)?;
                    true
                }
                Steer::Reroute(lane) => {
                    counts.reroute(tx, which, &row, lane, tx.now)?;
                    true
                }
            };
            changed = changed.saturating_add(u64::from(done));
        }
    }
    counts.write(tx)?;
    if changed > 0 && matches!(action, Steer::Retry | Steer::Release | Steer::Reroute(_)) {
        tx.touch_queue();
    }
    Ok(changed)
}

/// The time for which recipients were held that are released now doesn't count: their message gets late, and is given up, so
/// much later. Those that stay held keep what time they had left.
fn go_on(tx: &Tx<'_>, message: &QueuedMessage) -> Result<(), StoreError> {
    let mut held_for = 0;
    for recipient in &message.recipients {
        if let Some(row) = row(tx, message.id, recipient.number)?.filter(|row| row.held) {
            held_for = tx.now.0.saturating_sub(row.due.0).max(held_for);
        }
    }
    if held_for == 0 {
        return Ok(());
    }
    // Beyond that SQLite would count on with fractions.
    let most = i64::MAX.saturating_sub(held_for);
    tx.execute(
        "UPDATE queue_messages SET warn = min(warn, ?3) + ?2, expires = min(expires, ?3) + ?2 WHERE id = ?1",
        params![message.id.0, held_for, most],
    )?;
    tx.execute(
        "UPDATE queue_recipients SET due = min(due, ?3) + ?2 WHERE message = ?1 AND held = 1",
        params![message.id.0, held_for, most],
    )?;
    Ok(())
}

/// A lane may be tried now. How often its host failed is not forgotten: if it fails again its rest is as long.
fn unblock(tx: &Tx<'_>, lane: LaneId) -> Result<(), StoreError> {
    tx.execute("UPDATE queue_lanes SET blocked = 0 WHERE id = ?1 AND blocked > 0", params![lane.0])?;
    Ok(())
}

/// See `QueueStore::mark_trial`.
pub(super) fn mark_trial(tx: &Tx<'_>, message: QueueId) -> Result<u32, StoreError> {
    tx.row("UPDATE queue_messages SET trials = trials + 1 WHERE id = ?1 RETURNING trials", params![message.0], |row| {
        row.get(0)
    })?
    .ok_or_else(not_queued)
}

/// See `QueueStore::postpone`.
pub(super) fn postpone(tx: &mut Tx<'_>, message: QueueId, until: Timestamp) -> Result<(), StoreError> {
    let early = "SELECT number FROM queue_recipients WHERE message = ?1 AND held = 0 AND due < ?2";
    let numbers = tx.rows(early, params![message.0, until.0], |row| row.get::<_, u32>(0))?;
    let mut counts = Counts::default();
    for number in numbers {
        if let Some(row) = row(tx, message, number)? {
            counts.due(tx, (message, number), &row, until)?;
        }
    }
    counts.write(tx)
}

/// Name of the row of `meta` that says whether all is paused.
pub(super) const PAUSED: &str = "SELECT value FROM meta WHERE key = 'queue_paused'";

/// See `QueueStore::pause`.
pub(super) fn pause(tx: &mut Tx<'_>, lane: Option<&str>, paused: bool) -> Result<(), StoreError> {
    match lane {
        None => {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('queue_paused', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = ?1",
                params![paused],
            )?;
        }
        Some(lane) if paused => {
            tx.execute(
                "INSERT INTO queue_lanes (name, paused) VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET paused = 1",
                params![lane],
            )?;
        }
        Some(lane) => {
            tx.execute("UPDATE queue_lanes SET paused = 0 WHERE name = ?1", params![lane])?;
            tx.execute("DELETE FROM queue_lanes WHERE name = ?1 AND waiting = 0 AND held = 0", params![lane])?;
        }
    }
    if !paused {
        tx.touch_queue();
    }
    Ok(())
}
