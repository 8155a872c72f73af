//! The queue changes: rows of recipients, and what counts them.

use super::rows::{cut, give_back_number, kept, needs_bits, notify_bits, status_number};
use crate::api::StoreError;
use crate::records::{Attempt, Envelope, Lane, NewRecipient, Queued};
use crate::tx::{Tx, int};
use mailward_core::limits::{QUEUE_ATTEMPTS_KEPT, QUEUE_ENVELOPES_MAX, QUEUE_REASON_MAX, QUEUE_RECIPIENTS_MAX};
use mailward_core::{BlobId, QueueId, Timestamp};
use rusqlite::params;
use std::collections::BTreeMap;

/// Refuses what the queue can't keep, before anything is written.
pub(crate) fn check(queued: &[Queued]) -> Result<(), StoreError> {
    if queued.len() > QUEUE_ENVELOPES_MAX {
        return Err(StoreError::Limit("messages that one delivery may queue"));
    }
    for one in queued {
        if one.recipients.is_empty() {
            return Err(StoreError::Refused("a message without recipients can't be queued"));
        }
        if one.recipients.len() > QUEUE_RECIPIENTS_MAX {
            return Err(StoreError::Limit("recipients of one message in the queue"));
        }
        one.check().map_err(StoreError::Limit)?;
    }
    Ok(())
}

/// Queues a message; its content counts the reference already.
pub(crate) fn enqueue(tx: &mut Tx<'_>, blob: BlobId, size: u64, queued: &Queued) -> Result<QueueId, StoreError> {
    let Queued { envelope, recipients } = queued;
    let count = recipients.len() as u64;
    let waiting = recipients.iter().filter(|r| r.held.is_none()).count() as u64;
    tx.execute(
        "INSERT INTO queue_messages (blob, size, sender, give_back, envid, needs, submitter, arrived, warn, expires,
         remaining, waiting, deadline, forwarded)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            blob.0,
            int(size),
            envelope.sender.as_ref().map(ToString::to_string),
            give_back_number(envelope.give_back),
            envelope.envid,
            needs_bits(envelope.needs),
            envelope.submitter.map(|a| a.0),
            envelope.arrived.0,
            envelope.warn.map(|t| t.0),
            envelope.expires.0,
            int(count),
            int(waiting),
            if waiting > 0 { Some(first_deadline(envelope).0) } else { None },
            envelope.forwarded.as_ref().map(ToString::to_string)
        ],
    )?;
    let id = QueueId(tx.last_id());
    let lanes = enter(tx, recipients)?;
    for (number, recipient) in recipients.iter().enumerate() {
        let reason = recipient.held.as_deref().map(|reason| cut(reason, QUEUE_REASON_MAX));
        tx.execute(
            "INSERT INTO queue_recipients (message, number, address, notify, original, lane, held, reason, due)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                id.0,
                int(number as u64),
                recipient.address.to_string(),
                recipient.notify.map(notify_bits),
                recipient.original,
                lanes.get(&recipient.lane).map(|lane| lane.0),
                reason.is_some(),
                reason,
                recipient.due.0
            ],
        )?;
    }
    tx.touch_queue();
    Ok(id)
}

/// Counts new recipients in their lanes, and makes those that aren't there.
fn enter<'a>(tx: &Tx<'_>, recipients: &'a [NewRecipient]) -> Result<BTreeMap<&'a Lane, LaneId>, StoreError> {
    let mut lanes: BTreeMap<&Lane, (InLane, Option<i64>)> = BTreeMap::new();
    for recipient in recipients {
        let (counts, due) = lanes.entry(&recipient.lane).or_default();
        counts.add(recipient.held.is_some(), 1);
        if recipient.held.is_none() {
            *due = Some(due.unwrap_or(i64::MAX).min(recipient.due.0));
        }
    }
    let mut ids = BTreeMap::new();
    for (lane, (counts, due)) in lanes {
        let id = tx.row(
            "INSERT INTO queue_lanes (name, waiting, held, due) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET waiting = waiting + ?2, held = held + ?3,
             due = min(coalesce(due, ?4), coalesce(?4, due)) RETURNING id",
            params![lane.as_str(), counts.waiting, counts.held, due],
            |row| Ok(LaneId(row.get(0)?)),
        )?;
        ids.extend(id.map(|id| (lane, id)));
    }
    Ok(ids)
}

/// A lane's row; the number means nothing outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneId(pub(super) i64);

/// A lane's id; makes it if it isn't there.
fn lane_id(tx: &Tx<'_>, lane: &Lane) -> Result<LaneId, StoreError> {
    let found = tx.row("SELECT id FROM queue_lanes WHERE name = ?1", params![lane.as_str()], |row| row.get(0))?;
    if let Some(id) = found {
        return Ok(LaneId(id));
    }
    tx.execute("INSERT INTO queue_lanes (name) VALUES (?1)", params![lane.as_str()])?;
    Ok(LaneId(tx.last_id()))
}

fn first_deadline(envelope: &Envelope) -> Timestamp {
    envelope.warn.map_or(envelope.expires, |warn| warn.min(envelope.expires))
}

/// A recipient's row as far as changes need it.
pub(super) struct Row {
    pub(super) lane: LaneId,
    pub(super) held: bool,
    pub(super) due: Timestamp,
    pub(super) attempts: u32,
}

pub(super) fn row(tx: &Tx<'_>, message: QueueId, number: u32) -> Result<Option<Row>, StoreError> {
    tx.row(
        "SELECT lane, held, due, attempts FROM queue_recipients WHERE message = ?1 AND number = ?2",
        params![message.0, number],
        |row| {
            Ok(Row { lane: LaneId(row.get(0)?), held: row.get(1)?, due: Timestamp(row.get(2)?), attempts: row.get(3)? })
        },
    )
}

/// What a change adds to the counters of lanes and messages; written once each at its end.
#[derive(Default)]
pub(super) struct Counts {
    lanes: BTreeMap<LaneId, InLane>,
    messages: BTreeMap<QueueId, OfMessage>,
}

#[derive(Default)]
struct InLane {
    waiting: i64,
    held: i64,
}

impl InLane {
    const fn add(&mut self, held: bool, sign: i64) {
        let count = if held { &mut self.held } else { &mut self.waiting };
        *count = count.saturating_add(sign);
    }
}

#[derive(Default)]
struct OfMessage {
    gone: i64,
    waiting: i64,
}

impl Counts {
    /// Recipients come into a lane (1), leave it (-1), or change within (0).
    fn lane(&mut self, lane: LaneId, held: bool, sign: i64) {
        self.lanes.entry(lane).or_default().add(held, sign);
    }

    /// Something of a message was settled.
    pub(super) fn message(&mut self, message: QueueId) {
        self.messages.entry(message).or_default();
    }

    /// Holds or releases a recipient's row; `false` if it is so already. What is released is due at once; of what is held
    /// `due` says since when it is.
    pub(super) fn hold(
        &mut self,
        tx: &Tx<'_>,
        (message, number): (QueueId, u32),
        row: &Row,
        reason: Option<&str>,
    ) -> Result<bool, StoreError> {
        let held = reason.is_some();
        let reason = reason.map(|reason| cut(reason, QUEUE_REASON_MAX));
        tx.execute(
            "UPDATE queue_recipients SET held = ?3, reason = ?4, due = CASE held WHEN ?3 THEN due ELSE ?5 END
             WHERE message = ?1 AND number = ?2",
            params![message.0, number, held, reason, tx.now.0],
        )?;
        if held == row.held {
            return Ok(false);
        }
        self.lane(row.lane, row.held, -1);
        self.lane(row.lane, held, 1);
        let counts = self.messages.entry(message).or_default();
        counts.waiting = counts.waiting.saturating_add(if held { -1 } else { 1 });
        Ok(true)
    }

    /// Sets when a recipient is due, unless it is held.
    pub(super) fn due(
        &mut self,
        tx: &Tx<'_>,
        (message, number): (QueueId, u32),
        row: &Row,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        tx.execute(
            "UPDATE queue_recipients SET due = ?3 WHERE message = ?1 AND number = ?2 AND held = 0",
            params![message.0, number, due.0],
        )?;
        self.lane(row.lane, row.held, 0);
        Ok(())
    }

    /// Puts a recipient into another lane.
    pub(super) fn reroute(
        &mut self,
        tx: &Tx<'_>,
        (message, number): (QueueId, u32),
        row: &Row,
        lane: &Lane,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let lane = lane_id(tx, lane)?;
        tx.execute(
            "UPDATE queue_recipients SET lane = ?3, due = CASE held WHEN 0 THEN ?4 ELSE due END
             WHERE message = ?1 AND number = ?2",
            params![message.0, number, lane.0, due.0],
        )?;
        self.lane(row.lane, row.held, -1);
        self.lane(lane, row.held, 1);
        Ok(())
    }

    /// Takes a recipient out of the queue.
    pub(super) fn remove(
        &mut self,
        tx: &Tx<'_>,
        (message, number): (QueueId, u32),
        row: &Row,
    ) -> Result<(), StoreError> {
        tx.execute("DELETE FROM queue_recipients WHERE message = ?1 AND number = ?2", params![message.0, number])?;
        if row.attempts > 0 {
            tx.execute("DELETE FROM queue_attempts WHERE message = ?1 AND number = ?2", params![message.0, number])?;
        }
        self.lane(row.lane, row.held, -1);
        let counts = self.messages.entry(message).or_default();
        counts.gone = counts.gone.saturating_add(1);
        if !row.held {
            counts.waiting = counts.waiting.saturating_sub(1);
        }
        Ok(())
    }

    /// Writes what was counted; messages that have no recipient left go, and give their content back.
    pub(super) fn write(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.write_lanes(tx)?;
        for (id, counts) in &self.messages {
            counts.write(tx, *id)?;
        }
        Ok(())
    }

    fn write_lanes(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        for (lane, counts) in &self.lanes {
            let due = tx.row(FIRST_DUE, params![lane.0], |row| row.get::<_, Option<i64>>(0))?.flatten();
            // The last one takes its lane along, and what was learned of it.
            let gone = due.is_none()
                && tx.execute(
                    "DELETE FROM queue_lanes WHERE id = ?1 AND waiting + ?2 = 0 AND held + ?3 = 0 AND paused = 0",
                    params![lane.0, counts.waiting, counts.held],
                )? == 1;
            if !gone {
                tx.execute(
                    "UPDATE queue_lanes SET waiting = waiting + ?2, held = held + ?3, due = ?4 WHERE id = ?1",
                    params![lane.0, counts.waiting, counts.held, due],
                )?;
            }
        }
        Ok(())
    }
}

impl OfMessage {
    fn write(&self, tx: &mut Tx<'_>, id: QueueId) -> Result<(), StoreError> {
        let found = tx.row(
            "UPDATE queue_messages SET remaining = remaining - ?2, waiting = waiting + ?3, trials = 0 WHERE id = ?1
             RETURNING remaining, blob, deadline",
            params![id.0, self.gone, self.waiting],
            |row| Ok((row.get::<_, i64>(0)?, BlobId(row.get(1)?), row.get::<_, Option<i64>>(2)?)),
        )?;
        let Some((remaining, blob, deadline)) = found else { return Ok(()) };
        if remaining <= 0 {
            tx.execute("DELETE FROM queue_messages WHERE id = ?1", params![id.0])?;
            return tx.release(blob);
        }
        // While nobody was warned, the first recipient that is looked at answers.
        let next = tx.row(NEXT_DEADLINE, params![id.0], |row| row.get::<_, Option<i64>>(0))?.flatten();
        if next != deadline {
            tx.execute("UPDATE queue_messages SET deadline = ?2 WHERE id = ?1", params![id.0, next])?;
        }
        Ok(())
    }
}

/// When the first that waits in a lane is due: along `queue_due`.
pub(super) const FIRST_DUE: &str = "SELECT min(due) FROM queue_recipients WHERE lane = ?1 AND held = 0";

/// When a message's sender hears something next.
const NEXT_DEADLINE: &str = "SELECT CASE WHEN waiting = 0 THEN NULL
    WHEN warn < expires AND EXISTS (SELECT 1 FROM queue_recipients r
        WHERE r.message = id AND r.held = 0 AND r.warned = 0) THEN warn
    ELSE expires END FROM queue_messages WHERE id = ?1";

/// Keeps an attempt, and forgets the oldest of many.
pub(super) fn keep_attempt(
    tx: &Tx<'_>,
    (message, number): (QueueId, u32),
    row: &Row,
    attempt: &Attempt,
    refused: bool,
) -> Result<(), StoreError> {
    let count = row.attempts.saturating_add(1);
    tx.execute(
        "UPDATE queue_recipients SET attempts = ?3, refusals = refusals + ?4 WHERE message = ?1 AND number = ?2",
        params![message.0, number, count, refused],
    )?;
    let (host, text) = kept(attempt);
    tx.execute(
        "INSERT OR REPLACE INTO queue_attempts (message, number, attempt, at, host, code, status, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![message.0, number, count, attempt.at.0, host, attempt.code, attempt.status.map(status_number), text],
    )?;
    if count > QUEUE_ATTEMPTS_KEPT {
        tx.execute(
            "DELETE FROM queue_attempts WHERE message = ?1 AND number = ?2 AND attempt <= ?3",
            params![message.0, number, count.saturating_sub(QUEUE_ATTEMPTS_KEPT)],
        )?;
    }
    Ok(())
}

/// Takes a message out whole, with its recipients: its bytes are gone.
pub(crate) fn take_out(tx: &mut Tx<'_>, message: QueueId) -> Result<(), StoreError> {
    let numbers = tx.rows("SELECT number FROM queue_recipients WHERE message = ?1", params![message.0], |row| {
        row.get::<_, u32>(0)
    })?;
    let mut counts = Counts::default();
    for number in numbers {
        if let Some(row) = row(tx, message, number)? {
            counts.remove(tx, (message, number), &row)?;
        }
    }
    counts.write(tx)
}
