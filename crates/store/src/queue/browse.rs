//! The queue for people: pages, one message, numbers.

use super::rows::{attempt, lane as lane_name, message, not_queued, recipient, recipient_columns};
use super::runner::paused;
use crate::api::StoreError;
use crate::readers::Reader;
use crate::records::{Attempt, LaneTotal, QueueFilter, QueuePage, QueueTotals, QueuedMessage, QueuedRecipient};
use crate::tx::{int, unsigned};
use mailward_core::limits::{PAGE_ROWS_MAX, QUEUE_LANES_PAGE, QUEUE_PAGE, QUEUE_SAMPLE, QUEUE_SCAN_ROWS};
use mailward_core::{Address, QueueId, Timestamp};
use rusqlite::params;
use std::collections::HashMap;

/// Along the primary key.
pub(super) const FROM: &str = recipient_columns!("WHERE r.message > ?1 ORDER BY r.message, r.number");
const OF: &str = recipient_columns!("WHERE r.message = ?1 ORDER BY r.message, r.number");
/// Along `queue_in_lane`.
pub(super) const IN_LANE: &str =
    recipient_columns!("WHERE r.lane = ?2 AND r.message > ?1 ORDER BY r.message, r.number");

/// Recipients of one message.
pub(super) struct Group {
    pub(super) message: QueueId,
    pub(super) recipients: Vec<QueuedRecipient>,
}

/// Recipients by message, messages in the order they first came.
#[derive(Default)]
pub(super) struct Grouped {
    groups: Vec<Group>,
    places: HashMap<QueueId, usize>,
}

impl From<Vec<Group>> for Grouped {
    fn from(groups: Vec<Group>) -> Self {
        Self { groups, places: HashMap::new() }
    }
}

impl Grouped {
    pub(super) fn add(&mut self, message: QueueId, recipient: QueuedRecipient) {
        let place = *self.places.entry(message).or_insert(self.groups.len());
        match self.groups.get_mut(place) {
            Some(group) => group.recipients.push(recipient),
            None => self.groups.push(Group { message, recipients: vec![recipient] }),
        }
    }

    /// Looks up the messages.
    pub(super) fn with_messages(self, reader: &Reader) -> Result<Vec<QueuedMessage>, StoreError> {
        let mut messages = Vec::with_capacity(self.groups.len());
        for group in self.groups {
            if let Some(mut found) = reader.row(super::rows::MESSAGE, params![group.message.0], message)? {
                found.recipients = group.recipients;
                messages.push(found);
            }
        }
        Ok(messages)
    }
}

/// See `QueueStore::queue_page`.
pub(super) fn page(
    reader: &Reader,
    filter: &QueueFilter,
    after: Option<QueueId>,
    limit: usize,
) -> Result<QueuePage, StoreError> {
    let mut walk = Walk {
        reader,
        filter,
        answer: filter.answer.as_ref().map(|text| text.to_ascii_lowercase()),
        limit,
        current: None,
        scanned: 0,
        fitting: 0,
        page: QueuePage::default(),
    };
    let after = after.unwrap_or(QueueId(0));
    let mut read = |row: &rusqlite::Row<'_>| {
        let (message, recipient) = recipient(row)?;
        walk.next(message, recipient)
    };
    match (&filter.messages, &filter.lane) {
        (Some(messages), _) => {
            if messages.len() > PAGE_ROWS_MAX {
                return Err(StoreError::Limit("messages that are named at once"));
            }
            let mut messages: Vec<QueueId> = messages.iter().copied().filter(|id| *id > after).collect();
            messages.sort_unstable();
            for id in messages {
                let mut more = true;
                reader.each(OF, params![id.0], |row| {
                    more = read(row)?;
                    Ok(more)
                })?;
                if !more {
                    break;
                }
            }
        }
        (None, Some(lane)) => {
            let lane = reader.row("SELECT id FROM queue_lanes WHERE name = ?1", params![lane.as_str()], |row| {
                row.get::<_, i64>(0)
            })?;
            if let Some(lane) = lane {
                reader.each(IN_LANE, params![after.0, lane], read)?;
            }
        }
        (None, None) => reader.each(FROM, params![after.0], read)?,
    }
    walk.end()
}

/// A walk over recipients by message.
struct Walk<'a> {
    reader: &'a Reader,
    filter: &'a QueueFilter,
    /// The filter's, folded.
    answer: Option<String>,
    limit: usize,
    /// The message of the last recipient; with its row while it can fit.
    current: Option<(QueueId, Option<QueuedMessage>)>,
    scanned: usize,
    fitting: usize,
    page: QueuePage,
}

impl Walk<'_> {
    /// Takes a recipient; `false` if the page is full without it.
    fn next(&mut self, id: QueueId, recipient: QueuedRecipient) -> Result<bool, StoreError> {
        if self.current.as_ref().is_none_or(|(current, _)| *current != id) {
            self.close();
            let full =
                self.page.messages.len() >= self.limit || self.fitting >= QUEUE_PAGE || self.scanned >= QUEUE_SCAN_ROWS;
            if let (true, Some((last, _))) = (full, &self.current) {
                self.page.next = Some(*last);
                self.current = None;
                return Ok(false);
            }
            let found = self.reader.row(super::rows::MESSAGE, params![id.0], message)?;
            self.current = Some((id, found.filter(|message| fits(self.filter, message))));
        }
        self.scanned = self.scanned.saturating_add(1);
        if let Some((_, Some(message))) = &mut self.current
            && recipient_fits(self.filter, self.answer.as_deref(), &recipient)
        {
            self.fitting = self.fitting.saturating_add(1);
            message.recipients.push(recipient);
        }
        Ok(true)
    }

    /// The current message has no more recipients.
    fn close(&mut self) {
        if let Some((_, found)) = &mut self.current
            && let Some(message) = found.take().filter(|message| !message.recipients.is_empty())
        {
            self.page.messages.push(message);
        }
    }

    fn end(mut self) -> Result<QueuePage, StoreError> {
        self.close();
        Ok(self.page)
    }
}

fn same(one: &Address, other: &Address) -> bool {
    one.host() == other.host() && one.local().folded() == other.local().folded()
}

/// Whether a message fits, its recipients apart.
fn fits(filter: &QueueFilter, message: &QueuedMessage) -> bool {
    let envelope = &message.envelope;
    filter.before.is_none_or(|before| envelope.arrived < before)
        && filter.submitter.is_none_or(|account| envelope.submitter == Some(account))
        && match &filter.sender {
            None => true,
            Some(None) => envelope.sender.is_none(),
            Some(Some(sender)) => envelope.sender.as_ref().is_some_and(|s| same(s, sender)),
        }
}

fn recipient_fits(filter: &QueueFilter, answer: Option<&str>, recipient: &QueuedRecipient) -> bool {
    filter.lane.as_ref().is_none_or(|lane| *lane == recipient.lane)
        && filter.domain.as_ref().is_none_or(|domain| recipient.address.domain() == Some(domain))
        && filter.recipient.as_ref().is_none_or(|address| same(address, &recipient.address))
        && filter.held.is_none_or(|held| held == recipient.state.is_held())
        && answer.is_none_or(|text| recipient.answer.as_ref().is_some_and(|a| has(a, text)))
}

/// Whether an answer has a text, which is lower case.
fn has(answer: &Attempt, text: &str) -> bool {
    let status = answer.status.map(|s| s.to_string()).unwrap_or_default();
    format!("{} {} {status} {}", answer.host, answer.code, answer.text).to_ascii_lowercase().contains(text)
}

/// See `QueueStore::queued_message`.
pub(super) fn show(reader: &Reader, id: QueueId) -> Result<QueuedMessage, StoreError> {
    let mut found = reader.row(super::rows::MESSAGE, params![id.0], message)?.ok_or_else(not_queued)?;
    let recipients = reader.rows(OF, params![id.0], recipient)?;
    found.recipients = recipients.into_iter().map(|(_, recipient)| recipient).collect();
    for recipient in &mut found.recipients {
        if recipient.attempts > 0 {
            recipient.history = reader.rows(
                "SELECT at, host, code, status, text FROM queue_attempts WHERE message = ?1 AND number = ?2
                 ORDER BY attempt",
                params![id.0, recipient.number],
                |row| attempt(row, 0),
            )?;
        }
    }
    Ok(found)
}

/// See `QueueStore::queue_totals`.
pub(super) fn totals(reader: &Reader, largest: usize) -> Result<QueueTotals, StoreError> {
    let (lanes, waiting, held) = reader
        .row("SELECT count(*), coalesce(sum(waiting), 0), coalesce(sum(held), 0) FROM queue_lanes", [], |row| {
            Ok((unsigned(row.get(0)?), unsigned(row.get(1)?), unsigned(row.get(2)?)))
        })?
        .unwrap_or_default();
    let messages = reader.row("SELECT count(*) FROM queue_messages", [], |row| row.get(0))?;
    let oldest = reader.row("SELECT arrived FROM queue_messages ORDER BY id LIMIT 1", [], |row| row.get(0))?;
    let found = reader.rows(
        "SELECT name, waiting, held, due, paused, blocked, failures, id FROM queue_lanes
         ORDER BY paused DESC, waiting + held DESC, name LIMIT ?1",
        params![int(largest.min(QUEUE_LANES_PAGE) as u64)],
        |row| {
            let blocked = Timestamp(row.get(5)?);
            let total = LaneTotal {
                lane: lane_name(row.get_ref(0)?.as_str()?, 0)?,
                waiting: unsigned(row.get(1)?),
                held: unsigned(row.get(2)?),
                due: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                paused: row.get(4)?,
                blocked: (blocked > Timestamp(0)).then_some(blocked),
                failures: row.get(6)?,
                oldest: None,
                reason: None,
            };
            Ok((row.get::<_, i64>(7)?, total))
        },
    )?;
    let mut totals = Vec::with_capacity(found.len());
    for (id, mut total) in found {
        look_into(reader, id, &mut total)?;
        totals.push(total);
    }
    Ok(QueueTotals {
        messages: unsigned(messages.unwrap_or(0)),
        waiting,
        held,
        lanes,
        paused: paused(reader)?,
        oldest: oldest.map(Timestamp),
        largest: totals,
    })
}

/// A lane's oldest message, and the answer that most of its oldest recipients got.
fn look_into(reader: &Reader, id: i64, lane: &mut LaneTotal) -> Result<(), StoreError> {
    lane.oldest = reader
        .row(
            "SELECT m.arrived FROM queue_recipients r JOIN queue_messages m ON m.id = r.message
             WHERE r.lane = ?1 ORDER BY r.message LIMIT 1",
            params![id],
            |row| row.get(0),
        )?
        .map(Timestamp);
    let answers = reader.rows(
        "SELECT a.at, a.host, a.code, a.status, a.text FROM
             (SELECT message, number, attempts FROM queue_recipients WHERE lane = ?1 ORDER BY message, number LIMIT ?2) r
         JOIN queue_attempts a ON a.message = r.message AND a.number = r.number AND a.attempt = r.attempts",
        params![id, int(QUEUE_SAMPLE as u64)],
        |row| attempt(row, 0),
    )?;
    let mut kinds: HashMap<_, (Attempt, u64)> = HashMap::new();
    for answer in answers {
        // A host's words have ids and times in them; its codes are the same for the same reason.
        let words = if answer.code == 0 { answer.text.clone() } else { String::new() };
        let (latest, count) = kinds.entry((answer.code, answer.status, words)).or_insert_with(|| (answer.clone(), 0));
        *count = count.saturating_add(1);
        if answer.at > latest.at {
            *latest = answer;
        }
    }
    lane.reason = kinds.into_values().max_by_key(|(latest, count)| (*count, latest.at));
    Ok(())
}
