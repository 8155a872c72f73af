//! Conversations: THREAD's two algorithms (RFC 5256 §3) and the form its answer has (§5).
//!
//! A stranger decides what conversations look like: one chain of a million messages, references in circles, ids used
//! twice (attacks G7, H11). So nothing here is recursive, and the work grows with the number of messages and
//! references, times a logarithm.

mod build;
mod forest;
mod names;

pub use build::{ordered_subject, references};

use crate::collate;
use crate::respond;
use mailward_message::subject::BaseSubject;
use names::Names;

/// Which algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    /// By base subject and sent date.
    OrderedSubject,
    /// By References, In-Reply-To and subject.
    References,
}

/// No message, no node, no name.
const NONE: u32 = u32::MAX;

/// Numbers by number; whatever is outside is [`NONE`].
#[derive(Clone, Debug, Default)]
struct Column(Vec<u32>);

impl Column {
    fn of(length: usize) -> Self {
        Self(vec![NONE; length])
    }

    fn get(&self, at: u32) -> u32 {
        usize::try_from(at).ok().and_then(|at| self.0.get(at)).copied().unwrap_or(NONE)
    }

    fn set(&mut self, at: u32, value: u32) {
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.0.get_mut(at)) {
            *slot = value;
        }
    }
}

/// A count that fits what counts messages.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

/// A message that is to be threaded.
#[derive(Clone, Debug)]
pub struct ThreadInput<'m> {
    /// What stands for it in the answer: sequence number or UID, never 0.
    pub number: u32,
    /// Seconds since 1970 ([`crate::sort::sent_date`]).
    pub sent: i64,
    /// Base subject.
    pub subject: &'m BaseSubject,
    /// Message id in its one form ([`mailward_message::references`]).
    pub id: Option<&'m str>,
    /// Ids of those it follows, its parent last.
    pub references: &'m [String],
}

/// Messages to be threaded, in the order of the mailbox; each text is kept once.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    ids: Names,
    subjects: Names,
    rows: Vec<Row>,
    /// Names of ids, message after message.
    references: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    number: u32,
    sent: i64,
    /// Name of its id.
    id: u32,
    /// Name of its folded base subject; [`NONE`] if that is empty.
    subject: u32,
    is_reply: bool,
    /// Its references end here, and begin where those of the one before end.
    references_end: usize,
}

impl Messages {
    /// Adds a message, after those that stand before it in the mailbox.
    pub fn add(&mut self, message: &ThreadInput<'_>) {
        let id = message.id.map_or(NONE, |id| self.ids.name(id.as_bytes()));
        let folded = collate::key(&message.subject.text);
        let subject = if folded.is_empty() { NONE } else { self.subjects.name(folded.as_bytes()) };
        for reference in message.references {
            self.references.push(self.ids.name(reference.as_bytes()));
        }
        self.rows.push(Row {
            number: message.number,
            sent: message.sent,
            id,
            subject,
            is_reply: message.subject.is_reply_or_forward,
            references_end: self.references.len(),
        });
    }

    /// Memory held by it and needed to thread it, about, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Columns that threading makes, those of four bytes added up.
        const WORK_A_ROW: usize = 24;
        const WORK_A_NODE: usize = 40;
        let rows = self.rows.capacity().saturating_mul(size_of::<Row>().saturating_add(WORK_A_ROW));
        let nodes = self.ids.len().max(self.rows.len()).saturating_mul(WORK_A_NODE);
        let references = self.references.capacity().saturating_mul(size_of::<u32>());
        [rows, nodes, references, self.ids.bytes(), self.subjects.bytes()].into_iter().fold(0, usize::saturating_add)
    }
}

/// Conversations: trees in order, each of their nodes a message, or, at the top only, a place without one that holds
/// together at least two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// By node; 0 is no message.
    numbers: Vec<u32>,
    /// Nodes, those under the same node beside each other; the tops are the last ones.
    under: Vec<u32>,
    /// By node: where in `under` its children begin; the next entry says where they end.
    starts: Vec<usize>,
}

impl Threads {
    /// Nodes at the top, in order.
    #[must_use]
    pub fn tops(&self) -> &[u32] {
        self.children(count(self.numbers.len()))
    }

    /// Nodes under one, in order.
    #[must_use]
    pub fn children(&self, node: u32) -> &[u32] {
        let Ok(node) = usize::try_from(node) else { return &[] };
        let start = self.starts.get(node).copied().unwrap_or(usize::MAX);
        let end = node.checked_add(1).and_then(|next| self.starts.get(next)).copied().unwrap_or(self.under.len());
        self.under.get(start..end).unwrap_or_default()
    }

    /// The message at a node.
    #[must_use]
    pub fn number(&self, node: u32) -> Option<u32> {
        usize::try_from(node).ok().and_then(|node| self.numbers.get(node)).copied().filter(|number| *number != 0)
    }

    /// A writer at the beginning.
    #[must_use]
    pub fn writer(&self) -> Writer<'_> {
        Writer { threads: self, open: vec![self.tops()], member: None }
    }

    /// All of `thread-data` after `THREAD` (RFC 5256 §5): a space and the lists, or nothing.
    pub fn write(&self, out: &mut Vec<u8>) {
        if !self.tops().is_empty() {
            out.push(b' ');
        }
        let mut writer = self.writer();
        while writer.step(out) {}
    }
}

/// Writes thread lists a few bytes at a time, so that an answer of any length can be sent as it grows.
#[derive(Clone, Debug)]
pub struct Writer<'t> {
    threads: &'t Threads,
    /// Of each open list: those that are still to be written in it.
    open: Vec<&'t [u32]>,
    /// The next member of the list that was opened last.
    member: Option<u32>,
}

impl Writer<'_> {
    /// Writes a member or a bracket; false once all are written. A member whose only child follows it stands in one
    /// list with it; where there are several, each gets a list inside.
    pub fn step(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(node) = self.member.take() {
            let number = self.threads.number(node);
            if let Some(number) = number {
                respond::number(out, number.into());
            }
            match self.threads.children(node) {
                [] => out.push(b')'),
                [only] => {
                    out.push(b' ');
                    self.member = Some(*only);
                }
                several => {
                    if number.is_some() {
                        out.push(b' ');
                    }
                    self.open.push(several);
                }
            }
            return true;
        }
        match self.open.last_mut() {
            None => false,
            Some([]) => {
                self.open.pop();
                // Those around the tops have no bracket.
                if !self.open.is_empty() {
                    out.push(b')');
                }
                true
            }
            Some(siblings) => {
                if let Some((next, rest)) = siblings.split_first() {
                    self.member = Some(*next);
                    *siblings = rest;
                    out.push(b'(');
                }
                true
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "numbers of a test are small, its texts ASCII"
)]
mod tests;
