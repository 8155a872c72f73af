//! The order of messages: SORT's criteria (RFC 5256 §3, RFC 5957) and the keys they compare.
//!
//! Each message becomes one row of bytes that compares as the whole program does, all rows in one piece of memory:
//! numbers as big-endian bytes, texts as their collation keys with a zero after them, and what is to be reversed with
//! every bit turned over.

use crate::collate;
use mailward_core::Timestamp;
use mailward_core::limits::IMAP_SORT_KEY_MAX;
use mailward_message::decode::header_text;
use mailward_message::subject::base_subject;
use mailward_message::{Envelope, EnvelopeAddress, date};

/// What messages are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// INTERNALDATE.
    Arrival,
    /// Local part of the first Cc address.
    Cc,
    /// When it was sent: `Date:`, or if that can't be read, INTERNALDATE (RFC 5256 §2.2).
    Date,
    /// Name of the first From address, or the address (RFC 5957 §3).
    DisplayFrom,
    /// The same of To.
    DisplayTo,
    /// Local part of the first From address.
    From,
    /// Bytes.
    Size,
    /// Base subject.
    Subject,
    /// Local part of the first To address.
    To,
}

/// A key, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortCriterion {
    /// By what.
    pub key: SortKey,
    /// REVERSE: the greatest first.
    pub reverse: bool,
}

/// What is known of a message that is to be ordered.
#[derive(Clone, Copy, Debug)]
pub struct SortInput<'m> {
    /// What stands for it in the answer: sequence number or UID.
    pub number: u32,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// RFC822.SIZE.
    pub size: u64,
    /// Needed if [`Sorter::needs_envelope`].
    pub envelope: Option<&'m Envelope>,
}

/// When it was sent, seconds since 1970 (RFC 5256 §2.2).
#[must_use]
pub fn sent_date(envelope: Option<&Envelope>, internal_date: Timestamp) -> i64 {
    let written = envelope.and_then(|e| e.date.as_ref()).and_then(|text| date::parse(text.as_bytes()));
    written.map_or(internal_date, |date| date.timestamp).secs()
}

/// Gathers messages and puts them in order.
#[derive(Clone, Debug)]
pub struct Sorter {
    criteria: Vec<SortCriterion>,
    /// Keys of all rows.
    keys: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// Its key ends here, and begins where the one before ends.
    end: usize,
    number: u32,
}

impl Sorter {
    /// For a program. A key that was named before decides nothing any more, whichever way, and is dropped.
    #[must_use]
    pub fn new(program: &[SortCriterion]) -> Self {
        let mut criteria: Vec<SortCriterion> = Vec::new();
        for criterion in program {
            if criteria.iter().all(|known| known.key != criterion.key) {
                criteria.push(*criterion);
            }
        }
        Self { criteria, keys: Vec::new(), rows: Vec::new() }
    }

    /// Whether a key comes from the message's header.
    #[must_use]
    pub fn needs_envelope(&self) -> bool {
        self.criteria.iter().any(|criterion| !matches!(criterion.key, SortKey::Arrival | SortKey::Size))
    }

    /// Memory held by it, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // What puts them in order holds another two for each.
        let rows = self.rows.capacity().saturating_mul(size_of::<Row>());
        rows.saturating_mul(3).saturating_add(self.keys.capacity())
    }

    /// Adds a message, after those that stand before it in the mailbox: that order decides where no key does.
    pub fn add(&mut self, message: &SortInput<'_>) {
        for criterion in &self.criteria {
            let start = self.keys.len();
            let keys = &mut self.keys;
            let envelope = message.envelope;
            match criterion.key {
                // To the millisecond, though INTERNALDATE tells seconds: what came first is first.
                SortKey::Arrival => push_number(keys, message.internal_date.0),
                SortKey::Date => push_number(keys, sent_date(envelope, message.internal_date)),
                SortKey::Size => push_number(keys, i64::try_from(message.size).unwrap_or(i64::MAX)),
                SortKey::Subject => {
                    let subject = envelope.and_then(|e| e.subject.as_ref()).map(|raw| header_text(raw.as_bytes()));
                    push_text(keys, &base_subject(&subject.unwrap_or_default()).text);
                }
                SortKey::Cc => push_text(keys, mailbox(envelope.and_then(|e| e.cc.first()))),
                SortKey::From => push_text(keys, mailbox(envelope.and_then(|e| e.from.first()))),
                SortKey::To => push_text(keys, mailbox(envelope.and_then(|e| e.to.first()))),
                SortKey::DisplayFrom => push_text(keys, &display(envelope.and_then(|e| e.from.first()))),
                SortKey::DisplayTo => push_text(keys, &display(envelope.and_then(|e| e.to.first()))),
            }
            if criterion.reverse {
                for byte in self.keys.get_mut(start..).unwrap_or_default() {
                    *byte = !*byte;
                }
            }
        }
        self.rows.push(Row { end: self.keys.len(), number: message.number });
    }

    /// The numbers of all messages in order.
    #[must_use]
    pub fn ordered(self) -> Vec<u32> {
        let mut start = 0_usize;
        let mut rows: Vec<(&[u8], u32)> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            rows.push((self.keys.get(start..row.end).unwrap_or_default(), row.number));
            start = row.end;
        }
        // Stable: what is the same stays in the order of the mailbox, whatever is reversed.
        rows.sort_by_key(|(key, _)| *key);
        rows.into_iter().map(|(_, number)| number).collect()
    }
}

/// With the sign turned over, negative numbers come first.
fn push_number(keys: &mut Vec<u8>, number: i64) {
    keys.extend_from_slice(&(number ^ i64::MIN).to_be_bytes());
}

/// A shorter text comes before a longer one that begins with it: nothing is less than the zero.
fn push_text(keys: &mut Vec<u8>, text: &str) {
    // Each character gives a byte at least.
    let enough = text.char_indices().nth(IMAP_SORT_KEY_MAX).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
    let folded = collate::key(enough);
    let folded = folded.as_bytes();
    let cut = folded.get(..IMAP_SORT_KEY_MAX).unwrap_or(folded);
    keys.extend(cut.iter().filter(|byte| **byte != 0));
    keys.push(0);
}

/// `addr-mailbox` of RFC 3501 §7.4.2.
fn mailbox(address: Option<&EnvelopeAddress>) -> &str {
    address.and_then(|a| a.mailbox.as_deref()).unwrap_or_default()
}

/// RFC 5957 §3: the name, or else what there is of the address.
fn display(address: Option<&EnvelopeAddress>) -> String {
    let name = address.and_then(|a| a.name.as_ref()).map(|name| header_text(name.as_bytes()));
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        return name;
    }
    let mailbox = mailbox(address);
    match address.and_then(|a| a.host.as_deref()) {
        Some(host) if !host.is_empty() => format!("{mailbox}@{host}"),
        _ => mailbox.to_owned(),
    }
}

#[cfg(test)]
mod tests;
