//! What the runner asks: each question goes along an index and reads no more than it answers.

use super::browse::{Group, Grouped};
use super::rows::{lane as lane_name, recipient, recipient_columns};
use super::settle::PAUSED;
use crate::api::StoreError;
use crate::readers::Reader;
use crate::records::{DueLane, DuePage, DuePlace, Lane, LatePage, NextDue, QueuedMessage};
use crate::tx::unsigned;
use mailward_core::limits::{QUEUE_LANES_PAGE, QUEUE_PAGE};
use mailward_core::{QueueId, Timestamp};
use rusqlite::params;
use std::collections::HashSet;

/// Along `queue_ready`.
pub(super) const DUE_LANES: &str = "SELECT name, max(due, blocked), waiting, failures FROM queue_lanes
    WHERE waiting > 0 AND paused = 0 AND max(due, blocked) <= ?1 ORDER BY max(due, blocked)";
/// Along `queue_ready`.
pub(super) const NEXT_LANE: &str = "SELECT name, max(due, blocked) FROM queue_lanes
    WHERE waiting > 0 AND paused = 0 ORDER BY max(due, blocked)";
pub(super) const MAY_TRY: &str =
    "SELECT id FROM queue_lanes WHERE name = ?1 AND waiting > 0 AND paused = 0 AND blocked <= ?2";
/// Along `queue_due`.
pub(super) const DUE_IN_LANE: &str = recipient_columns!(
    "WHERE r.lane = ?1 AND r.held = 0 AND r.due <= ?2 AND (r.due, r.message) > (?3, ?4)
     ORDER BY r.due, r.message, r.number"
);
/// Along `queue_deadline`.
pub(super) const LATE: &str = "SELECT id, deadline FROM queue_messages
    WHERE deadline IS NOT NULL AND deadline BETWEEN ?2 AND ?1 AND (deadline, id) > (?2, ?3) ORDER BY deadline, id";
pub(super) const NEXT_DEADLINE: &str =
    "SELECT deadline FROM queue_messages WHERE deadline IS NOT NULL ORDER BY deadline LIMIT 1";
pub(super) const WAITING_OF: &str =
    recipient_columns!("WHERE r.message = ?1 AND r.held = 0 ORDER BY r.message, r.number");

/// Whether all is paused.
pub(super) fn paused(reader: &Reader) -> Result<bool, StoreError> {
    Ok(reader.row(PAUSED, [], |row| row.get(0))?.unwrap_or(false))
}

/// See `QueueStore::due_lanes`.
pub(super) fn due_lanes(
    reader: &Reader,
    now: Timestamp,
    limit: usize,
    except: &HashSet<Lane>,
) -> Result<Vec<DueLane>, StoreError> {
    let limit = limit.min(QUEUE_LANES_PAGE);
    let mut lanes = Vec::new();
    if limit == 0 || paused(reader)? {
        return Ok(lanes);
    }
    reader.each(DUE_LANES, params![now.0], |row| {
        let lane = lane_name(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?, 0)?;
        if !except.contains(&lane) {
            lanes.push(DueLane {
                lane,
                due: Timestamp(row.get(1)?),
                waiting: unsigned(row.get(2)?),
                failures: row.get(3)?,
            });
        }
        Ok(lanes.len() < limit)
    })?;
    Ok(lanes)
}

/// See `QueueStore::next_due`.
pub(super) fn next_due(reader: &Reader, except: &HashSet<Lane>) -> Result<NextDue, StoreError> {
    let mut next = NextDue { lane: None, deadline: reader.row(NEXT_DEADLINE, [], |row| row.get(0))?.map(Timestamp) };
    if paused(reader)? {
        return Ok(next);
    }
    reader.each(NEXT_LANE, [], |row| {
        let lane = lane_name(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?, 0)?;
        if except.contains(&lane) {
            return Ok(true);
        }
        next.lane = Some(Timestamp(row.get(1)?));
        Ok(false)
    })?;
    Ok(next)
}

/// See `QueueStore::due_in_lane`.
pub(super) fn due_in_lane(
    reader: &Reader,
    lane: &Lane,
    now: Timestamp,
    after: Option<DuePlace>,
    limit: usize,
) -> Result<DuePage, StoreError> {
    let may = reader.row(MAY_TRY, params![lane.as_str(), now.0], |row| row.get::<_, i64>(0))?;
    let Some(lane) = may.filter(|_| limit > 0) else { return Ok(DuePage::default()) };
    if paused(reader)? {
        return Ok(DuePage::default());
    }
    let limit = limit.min(QUEUE_PAGE);
    let after = after.unwrap_or(DuePlace { due: Timestamp(i64::MIN), message: QueueId(0) });
    let mut page = DuePage::default();
    let mut grouped = Grouped::default();
    let mut last: Option<DuePlace> = None;
    let mut count = 0usize;
    reader.each(DUE_IN_LANE, params![lane, now.0, after.due.0, after.message.0], |row| {
        let (message, recipient) = recipient(row)?;
        let place = DuePlace { due: recipient.due, message };
        // What is due together of one message is never parted.
        if count >= limit && last != Some(place) {
            page.next = last;
            return Ok(false);
        }
        last = Some(place);
        count = count.saturating_add(1);
        grouped.add(message, recipient);
        Ok(true)
    })?;
    page.messages = grouped.with_messages(reader)?;
    Ok(page)
}

/// See `QueueStore::late`.
pub(super) fn late(
    reader: &Reader,
    now: Timestamp,
    after: Option<DuePlace>,
    limit: usize,
) -> Result<LatePage, StoreError> {
    let mut page = LatePage::default();
    if limit == 0 {
        return Ok(page);
    }
    let limit = limit.min(QUEUE_PAGE);
    let after = after.unwrap_or(DuePlace { due: Timestamp(i64::MIN), message: QueueId(0) });
    let mut last: Option<DuePlace> = None;
    let mut groups: Vec<Group> = Vec::new();
    let mut count = 0usize;
    reader.each(LATE, params![now.0, after.due.0, after.message.0], |row| {
        let place = DuePlace { due: Timestamp(row.get(1)?), message: QueueId(row.get(0)?) };
        if count >= limit {
            page.next = last;
            return Ok(false);
        }
        last = Some(place);
        let recipients = reader.rows(WAITING_OF, params![place.message.0], recipient)?;
        let recipients: Vec<_> = recipients.into_iter().map(|(_, recipient)| recipient).collect();
        count = count.saturating_add(recipients.len());
        groups.push(Group { message: place.message, recipients });
        Ok(true)
    })?;
    page.messages = Grouped::from(groups).with_messages(reader)?;
    page.messages.retain(|message: &QueuedMessage| !message.recipients.is_empty());
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{browse, changes};
    use crate::schema;

    /// Reading along an index in its order; neither all of a table nor a sort.
    #[test]
    fn no_question_reads_more_than_it_answers() {
        let dir = tempfile::tempdir().unwrap();
        let database = schema::open_writer(&dir.path().join("mailward.db")).unwrap();
        for (sql, index) in [
            (DUE_LANES, "queue_ready (<expr><?)"),
            (NEXT_LANE, "SCAN queue_lanes USING INDEX queue_ready"),
            (MAY_TRY, "queue_lanes USING INDEX sqlite_autoindex_queue_lanes_1 (name=?)"),
            (DUE_IN_LANE, "queue_due (lane=? AND (due,message)>(?,?) AND due<?)"),
            (LATE, "queue_deadline"),
            (NEXT_DEADLINE, "USING COVERING INDEX queue_deadline"),
            (WAITING_OF, "USING PRIMARY KEY (message=?)"),
            (browse::FROM, "USING PRIMARY KEY (message>?)"),
            (browse::IN_LANE, "queue_in_lane (lane=? AND message>?)"),
            (changes::FIRST_DUE, "queue_due (lane=?)"),
        ] {
            let mut explain = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = explain.parameter_count();
            let steps: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get(3))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert!(steps.iter().any(|step| step.contains(index)), "{sql}: {steps:?}");
            let slow = |step: &String| step.contains("TEMP B-TREE") || step.contains("SCAN") && !step.contains("INDEX");
            assert!(!steps.iter().any(slow), "{sql}: {steps:?}");
        }
    }
}
