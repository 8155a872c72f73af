//! A search program for one mailbox: sets resolved, keywords as bits, evaluated on what is known of a message so far.

use super::reply::Stop;
use super::view::View;
use crate::command::{DateTest, SearchKey, SearchNode, SequenceSet};
use crate::respond;
use mailward_core::{Timestamp, Uid};
use mailward_message::decode::{self, EnvelopeField, Folded};
use mailward_message::{Envelope, Structure, date, header};
use mailward_store::records::{MessageRecord, UidRange};

/// What a key needs beside the row, from the cheap to the dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Row,
    Subject,
    Envelope,
    Header,
    Body,
}

/// A program for one mailbox: sets resolved, keywords as bits.
pub(super) struct Program {
    nodes: Vec<Node>,
    pub(super) need: Need,
    /// Texts that the store's index can be asked for, each once.
    pub(super) texts: Vec<String>,
}

pub(super) enum Node {
    And(usize),
    Or,
    Not,
    Ranges(Vec<UidRange>),
    /// Bits that must be set, or not.
    Keyword(u64, bool),
    Key(SearchKey),
    /// A key with one of [`Program::texts`].
    Text(SearchKey, usize),
}

impl Program {
    pub(super) fn new(nodes: &[SearchNode], view: &View) -> Result<Self, Stop> {
        let sequence = |set: &SequenceSet, uid| view.resolve(set, uid).map(Node::Ranges);
        let mut resolved = Vec::with_capacity(nodes.len());
        let mut need = Need::Row;
        let mut texts: Vec<String> = Vec::new();
        for node in nodes {
            resolved.push(match node {
                SearchNode::And(n) => Node::And(*n),
                SearchNode::Or => Node::Or,
                SearchNode::Not => Node::Not,
                SearchNode::Leaf(SearchKey::Sequence(set)) => sequence(set, false)?,
                SearchNode::Leaf(SearchKey::Uid(set)) => sequence(set, true)?,
                SearchNode::Leaf(SearchKey::Keyword(name, set)) => {
                    let bit = view.keywords.iter().position(|known| known.eq_ignore_ascii_case(name));
                    let bit = bit.and_then(|b| u32::try_from(b).ok()).and_then(|b| 1u64.checked_shl(b));
                    Node::Keyword(bit.unwrap_or(0), *set)
                }
                SearchNode::Leaf(key) => {
                    need = need.max(need_of(key));
                    match text_of(key) {
                        Some(text) => {
                            let known = texts.iter().position(|known| known == text);
                            let number = known.unwrap_or(texts.len());
                            if known.is_none() {
                                texts.push(text.to_owned());
                            }
                            Node::Text(key.clone(), number)
                        }
                        None => Node::Key(key.clone()),
                    }
                }
            });
        }
        Ok(Self { nodes: resolved, need, texts })
    }

    /// The UIDs to look at: those of a set that every match must be in, if the program has one outside NOT and OR.
    pub(super) fn scanned(&self, view: &View) -> Vec<UidRange> {
        let mut at = 1usize;
        let children = match self.nodes.first() {
            Some(Node::And(n)) => *n,
            _ => 0,
        };
        for _child in 0..children {
            if let Some(Node::Ranges(ranges)) = self.nodes.get(at) {
                return ranges.clone();
            }
            at = self.subtree_end(at);
        }
        view.all()
    }

    /// Whether only numbers of messages decide.
    pub(super) fn is_of_sets(&self) -> bool {
        self.nodes.iter().all(|node| match node {
            Node::Key(key) => matches!(key, SearchKey::All | SearchKey::Nothing),
            Node::Keyword(..) | Node::Text(..) => false,
            Node::And(_) | Node::Or | Node::Not | Node::Ranges(_) => true,
        })
    }

    /// Where the node after the one at `at` and all under it stands.
    fn subtree_end(&self, mut at: usize) -> usize {
        let mut missing = 1usize;
        while missing > 0 {
            missing = missing.saturating_sub(1).saturating_add(match self.nodes.get(at) {
                Some(Node::And(n)) => *n,
                Some(Node::Or) => 2,
                Some(Node::Not) => 1,
                Some(_) => 0,
                None => return at,
            });
            at = at.saturating_add(1);
        }
        at
    }

    /// Three-valued: `None` if the answer hangs on a key that needs more than there is. From the last node to the
    /// first every operator finds its operands on the stack.
    pub(super) fn evaluate(&self, mut leaf: impl FnMut(&Node) -> Option<bool>) -> Option<bool> {
        let mut stack: Vec<Option<bool>> = Vec::with_capacity(self.nodes.len());
        for node in self.nodes.iter().rev() {
            let value = match node {
                Node::And(n) => {
                    let rest = stack.len().saturating_sub(*n);
                    let operands = stack.get(rest..).unwrap_or_default();
                    let all = if operands.contains(&Some(false)) {
                        Some(false)
                    } else if operands.contains(&None) {
                        None
                    } else {
                        Some(true)
                    };
                    stack.truncate(rest);
                    all
                }
                Node::Or => match (stack.pop().flatten(), stack.pop().flatten()) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
                Node::Not => stack.pop().flatten().map(|value| !value),
                other => leaf(other),
            };
            stack.push(value);
        }
        stack.pop().flatten()
    }
}

const fn need_of(key: &SearchKey) -> Need {
    match key {
        SearchKey::Envelope { field: EnvelopeField::Subject, .. } => Need::Subject,
        SearchKey::Sent(_) | SearchKey::EmailId(_) | SearchKey::Envelope { .. } => Need::Envelope,
        SearchKey::Header { .. } => Need::Header,
        SearchKey::Body(_) | SearchKey::Text(_) => Need::Body,
        _ => Need::Row,
    }
}

/// The text of a key that an index of trigrams can be asked for.
fn text_of(key: &SearchKey) -> Option<&str> {
    match key {
        SearchKey::Envelope { text, .. }
        | SearchKey::Header { text, .. }
        | SearchKey::Body(text)
        | SearchKey::Text(text) => text.chars().nth(2).is_some().then_some(text),
        _ => None,
    }
}

pub(super) fn set_matches(node: &Node, uid: Uid) -> Option<bool> {
    match node {
        Node::Ranges(ranges) => {
            let at = ranges.partition_point(|range| range.last < uid);
            Some(ranges.get(at).is_some_and(|range| range.first <= uid))
        }
        Node::Key(SearchKey::All) => Some(true),
        Node::Key(SearchKey::Nothing) => Some(false),
        _ => None,
    }
}

pub(super) fn row_matches(node: &Node, row: &MessageRecord, now: Timestamp) -> Option<bool> {
    let key = match node {
        Node::Ranges(_) => return set_matches(node, row.uid),
        Node::Keyword(bit, set) => return Some((row.keywords & bit != 0) == *set),
        Node::Key(key) => key,
        Node::And(_) | Node::Or | Node::Not | Node::Text(..) => return None,
    };
    Some(match key {
        SearchKey::All => true,
        SearchKey::Flag(flag, set) => row.flags.contains(*flag) == *set,
        SearchKey::Larger(size) => row.size > *size,
        SearchKey::Smaller(size) => row.size < *size,
        SearchKey::ModSeq(mod_seq) => row.mod_seq >= *mod_seq,
        SearchKey::Internal(test) => day_matches(*test, row.internal_date.secs().div_euclid(86_400)),
        SearchKey::Within { seconds, younger } => {
            let age = now.secs().saturating_sub(row.internal_date.secs());
            (age <= i64::from(*seconds)) == *younger
        }
        SearchKey::Saved(test) => day_matches(*test, row.saved_date.secs().div_euclid(86_400)),
        // No message has one here (RFC 8474 §5.2).
        SearchKey::ThreadId(_) => false,
        SearchKey::Nothing | SearchKey::Sequence(_) | SearchKey::Uid(_) | SearchKey::Keyword(..) => false,
        SearchKey::Sent(_)
        | SearchKey::EmailId(_)
        | SearchKey::Envelope { .. }
        | SearchKey::Header { .. }
        | SearchKey::Body(_)
        | SearchKey::Text(_) => return None,
    })
}

const fn day_matches(test: DateTest, day: i64) -> bool {
    match test {
        DateTest::Before(limit) => day < limit,
        DateTest::On(limit) => day == limit,
        DateTest::Since(limit) => day >= limit,
    }
}

/// Whether a key of SUBJECT matches this one, folded.
pub(super) fn subject_matches(node: &Node, subject: &str) -> Option<bool> {
    match node {
        Node::Key(SearchKey::Envelope { field: EnvelopeField::Subject, text })
        | Node::Text(SearchKey::Envelope { field: EnvelopeField::Subject, text }, _) => {
            Some(memchr::memmem::find(subject.as_bytes(), text.as_bytes()).is_some())
        }
        _ => None,
    }
}

/// A message decoded and folded for as much as a program needs.
pub(super) struct Text<'a, T> {
    envelope: &'a Envelope<T>,
    hash: [u8; 32],
    header: &'a [u8],
    /// Header and body.
    all: Option<Folded>,
}

impl<'a, T: AsRef<str>> Text<'a, T> {
    /// What the envelope tells; the rest is undecided.
    pub(super) fn of_envelope(envelope: &'a Envelope<T>, hash: [u8; 32]) -> Self {
        Self { envelope, hash, header: &[], all: None }
    }

    /// With the header.
    pub(super) fn with_header(mut self, header: &'a [u8]) -> Self {
        self.header = header;
        self
    }

    /// With everything.
    pub(super) fn with_body(mut self, message: &'a [u8], structure: &Structure) -> Self {
        self.all = Some(Folded::of(message, structure));
        self
    }

    pub(super) fn matches(&self, node: &Node) -> Option<bool> {
        let (Node::Key(key) | Node::Text(key, _)) = node else { return None };
        let holds = |text: &str, sought: &str| memchr::memmem::find(text.as_bytes(), sought.as_bytes()).is_some();
        match key {
            SearchKey::Sent(test) => {
                let day = self.envelope.date.as_ref().and_then(|text| date::parse(text.as_ref().as_bytes()));
                // The day as it is written, its zone not heeded (RFC 3501 §6.4.4).
                let day = day.and_then(|d| date::day_start(d.year, d.month, d.day));
                Some(day.is_some_and(|d| day_matches(*test, d.secs().div_euclid(86_400))))
            }
            SearchKey::EmailId(id) => Some(respond::email_id(&self.hash) == *id),
            SearchKey::Envelope { field, text } => Some(holds(&field.folded(self.envelope), text)),
            // Every message has a header, if an empty line: none means that it isn't there yet.
            SearchKey::Header { name, text } => (!self.header.is_empty()).then(|| {
                header::fields(self.header)
                    .filter(|f| f.is(name))
                    .any(|field| text.is_empty() || holds(&decode::fold(&decode::header_text(field.value)), text))
            }),
            SearchKey::Body(text) => self.all.as_ref().map(|all| holds(&all.body, text)),
            SearchKey::Text(text) => self.all.as_ref().map(|all| holds(&all.header, text) || holds(&all.body, text)),
            _ => None,
        }
    }
}
