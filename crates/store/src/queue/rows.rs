//! Rows of the queue as records, and records as rows.

use crate::api::StoreError;
use crate::records::{
    Attempt, EnhancedStatus, Envelope, GiveBack, Lane, Needs, NotifyOn, QueuedMessage, QueuedRecipient, RecipientState,
};
use crate::tx::unsigned;
use mailward_core::limits::{QUEUE_HOST_MAX, QUEUE_TEXT_MAX};
use mailward_core::{AccountId, Address, BlobId, QueueId, Timestamp};
use rusqlite::Row;
use rusqlite::types::Type;

/// Columns of a message, in [`message`]'s order.
pub(super) const MESSAGE: &str =
    "SELECT id, blob, size, sender, give_back, envid, needs, submitter, arrived, warn, expires, trials, remaining,
     forwarded
     FROM queue_messages WHERE id = ?1";

/// Columns of a recipient, in [`recipient`]'s order, with its last attempt; conditions on `r` follow.
macro_rules! recipient_columns {
    ($rest:literal) => {
        concat!(
            "SELECT r.message, r.number, r.address, r.notify, r.original, l.name, r.held, r.reason, r.due, r.attempts, ",
            "r.refusals, r.warned, a.at, a.host, a.code, a.status, a.text FROM queue_recipients r ",
            "LEFT JOIN queue_lanes l ON l.id = r.lane ",
            "LEFT JOIN queue_attempts a ON a.message = r.message AND a.number = r.number AND a.attempt = r.attempts ",
            $rest
        )
    };
}
pub(super) use recipient_columns;

/// A message without its recipients.
pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<QueuedMessage> {
    let needs: u8 = row.get(6)?;
    let sender: Option<String> = row.get(3)?;
    Ok(QueuedMessage {
        id: QueueId(row.get(0)?),
        blob: BlobId(row.get(1)?),
        size: unsigned(row.get(2)?),
        envelope: Envelope {
            sender: sender.map(|text| address(&text, 3)).transpose()?,
            give_back: match row.get::<_, u8>(4)? {
                1 => Some(GiveBack::Full),
                2 => Some(GiveBack::Headers),
                _ => None,
            },
            envid: row.get(5)?,
            needs: Needs {
                smtputf8: needs & 1 != 0,
                require_tls: needs & 2 != 0,
                eight_bit: needs & 4 != 0,
                tls_optional: needs & 8 != 0,
                signature: needs & 16 != 0,
            },
            submitter: row.get::<_, Option<i64>>(7)?.map(AccountId),
            forwarded: row.get::<_, Option<String>>(13)?.map(|text| address(&text, 13)).transpose()?,
            arrived: Timestamp(row.get(8)?),
            warn: row.get::<_, Option<i64>>(9)?.map(Timestamp),
            expires: Timestamp(row.get(10)?),
        },
        trials: row.get(11)?,
        left: row.get(12)?,
        recipients: Vec::new(),
    })
}

/// A recipient and its message.
pub(super) fn recipient(row: &Row<'_>) -> rusqlite::Result<(QueueId, QueuedRecipient)> {
    let held: bool = row.get(6)?;
    let recipient = QueuedRecipient {
        number: row.get(1)?,
        address: address(row.get_ref(2)?.as_str()?, 2)?,
        notify: row.get::<_, Option<u8>>(3)?.map(notify_of),
        original: row.get(4)?,
        lane: lane(row.get_ref(5)?.as_str()?, 5)?,
        state: if held {
            RecipientState::Held(row.get::<_, Option<String>>(7)?.unwrap_or_default())
        } else {
            RecipientState::Waiting
        },
        due: Timestamp(row.get(8)?),
        attempts: row.get(9)?,
        refusals: row.get(10)?,
        warned: row.get(11)?,
        answer: match row.get::<_, Option<i64>>(12)? {
            Some(_) => Some(attempt(row, 12)?),
            None => None,
        },
        history: Vec::new(),
    };
    Ok((QueueId(row.get(0)?), recipient))
}

/// An attempt from the columns at, host, code, status, text, the first of which is given.
pub(super) fn attempt(row: &Row<'_>, first: usize) -> rusqlite::Result<Attempt> {
    let column = |n: usize| first.saturating_add(n);
    Ok(Attempt {
        at: Timestamp(row.get(first)?),
        host: row.get(column(1))?,
        code: row.get(column(2))?,
        status: row.get::<_, Option<u32>>(column(3))?.map(status_of),
        text: row.get(column(4))?,
    })
}

pub(super) fn lane(text: &str, column: usize) -> rusqlite::Result<Lane> {
    Lane::parse(text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

fn address(text: &str, column: usize) -> rusqlite::Result<Address> {
    Address::parse(text, true).map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

const fn notify_of(bits: u8) -> NotifyOn {
    NotifyOn { success: bits & 1 != 0, failure: bits & 2 != 0, delay: bits & 4 != 0 }
}

pub(super) fn notify_bits(notify: NotifyOn) -> u8 {
    u8::from(notify.success) | u8::from(notify.failure) << 1 | u8::from(notify.delay) << 2
}

pub(super) fn needs_bits(needs: Needs) -> u8 {
    u8::from(needs.smtputf8)
        | u8::from(needs.require_tls) << 1
        | u8::from(needs.eight_bit) << 2
        | u8::from(needs.tls_optional) << 3
        | u8::from(needs.signature) << 4
}

pub(super) const fn give_back_number(give_back: Option<GiveBack>) -> u8 {
    match give_back {
        None => 0,
        Some(GiveBack::Full) => 1,
        Some(GiveBack::Headers) => 2,
    }
}

fn status_of(packed: u32) -> EnhancedStatus {
    let part = |by: u32| u16::try_from(packed.div_euclid(by).rem_euclid(1_000)).unwrap_or(0);
    EnhancedStatus::of(u8::try_from(packed.div_euclid(1_000_000)).unwrap_or(0), part(1_000), part(1))
}

pub(super) fn status_number(status: EnhancedStatus) -> u32 {
    u32::from(status.class())
        .saturating_mul(1_000_000)
        .saturating_add(u32::from(status.subject()).saturating_mul(1_000))
        .saturating_add(u32::from(status.detail()))
}

/// Cut to so many bytes, at a character's end.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// An attempt's host and words as they are kept.
pub(super) fn kept(attempt: &Attempt) -> (&str, &str) {
    (cut(&attempt.host, QUEUE_HOST_MAX), cut(&attempt.text, QUEUE_TEXT_MAX))
}

/// What isn't there.
pub(super) const fn not_queued() -> StoreError {
    StoreError::NotFound("message in the queue")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_back(class in 0..=9u8, subject in 0..1_000u16, detail in 0..1_000u16, bits in 0..8u8) {
            let status = EnhancedStatus::of(class, subject, detail);
            prop_assert_eq!(status_of(status_number(status)), status);
            prop_assert_eq!(notify_bits(notify_of(bits)), bits);
        }

        #[test]
        fn a_cut_text_is_the_beginning_of_it(text in "\\PC{0,40}", most in 0..60usize) {
            let cut = cut(&text, most);
            prop_assert!(text.starts_with(cut) && cut.len() <= most && cut.len() + 4 > most.min(text.len()));
        }
    }
}
