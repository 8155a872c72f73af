//! SEARCH (RFC 3501 §6.4.4): flags, dates and sizes from rows, structures and bytes only for the messages that need
//! them. Which ones can't hold a text the store's index tells; the others are read.

use super::Session;
use super::fetch::{after, blobs_of};
use super::io::Io;
use super::reply::{Done, Stop};
use super::section::structure_of;
use super::view::View;
use crate::command::{DateTest, Search, SearchKey, SearchNode, SearchReturn, SequenceSet};
use crate::respond;
use crate::seq::write_set;
use bytes::Bytes;
use mailward_core::limits::{IMAP_FETCH_BLOBS, IMAP_SEARCH_INDEXED_FROM, IMAP_SEARCH_INDEXED_MAX, PAGE_ROWS_MAX};
use mailward_core::{BlobId, ModSeq, Timestamp, Uid};
use mailward_message::{Section, Structure, date, decode, header};
use mailward_store::records::{Blob, MessageRecord, UidRange};
use mailward_store::{MailStore, StoreError};
use std::sync::Arc;

/// What a key needs beside the row, from the cheap to the dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Row,
    Structure,
    Header,
    Body,
}

/// A program for one mailbox: sets resolved, keywords as bits.
struct Program {
    nodes: Vec<Node>,
    need: Need,
    /// Texts that the store's index can be asked for, each once.
    texts: Vec<String>,
}

enum Node {
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

/// What was found.
#[derive(Default)]
struct Found {
    /// UIDs or sequence numbers, ascending.
    numbers: Vec<u32>,
    /// Highest of theirs.
    mod_seq: Option<ModSeq>,
    first_and_last: Option<(ModSeq, ModSeq)>,
}

impl Session {
    pub(super) async fn search(&mut self, tag: &str, search: Search) -> Result<Done, Stop> {
        let mod_seq_asked = search.program.iter().any(|node| matches!(node, SearchNode::Leaf(SearchKey::ModSeq(_))));
        if mod_seq_asked {
            self.use_condstore();
        }
        let store = Arc::clone(&self.context.store);
        let now = self.context.clock.now();
        let (_, view, io) = self.selected()?;
        let program = Arc::new(Program::new(&search.program, view)?);
        let mut found = Found::default();
        let mut ranges = program.scanned(view);
        if program.is_of_sets() {
            // Answered from what the client knows, without asking the store.
            for (sequence, uid) in view.map.iter() {
                if program.evaluate(|node| set_matches(node, uid)) == Some(true) {
                    found.numbers.push(if search.uid { uid.0 } else { sequence });
                }
            }
            ranges.clear();
        }
        while !ranges.is_empty() {
            let in_rows = program.need == Need::Row || !program.texts.is_empty();
            let limit = if in_rows { PAGE_ROWS_MAX } else { IMAP_FETCH_BLOBS };
            let rows = store.messages(view.mailbox, ranges.clone(), limit).await?;
            let Some(last) = rows.last().map(|row| row.uid) else { break };
            ranges = after(&ranges, last);
            let mut undecided: Vec<MessageRecord> = Vec::new();
            let mut hits: Vec<(Uid, ModSeq)> = Vec::new();
            for (index, row) in rows.into_iter().enumerate() {
                if index & 255 == 255 {
                    // Many keys times many messages: others of this thread have their turn in between.
                    tokio::task::yield_now().await;
                }
                match program.evaluate(|node| row_matches(node, &row, now)) {
                    Some(true) => hits.push((row.uid, row.mod_seq)),
                    Some(false) => {}
                    None => undecided.push(row),
                }
            }
            let mut undecided = ask_index(&*store, &program, undecided, &mut hits, now).await?.into_iter();
            while undecided.len() > 0 && !io.shutdown.is_fired() {
                let piece: Vec<MessageRecord> = undecided.by_ref().take(IMAP_FETCH_BLOBS).collect();
                let blobs = blobs_of(&*store, &piece).await?;
                for row in piece {
                    let Some(blob) = blobs.get(&row.blob) else { continue };
                    let (uid, mod_seq) = (row.uid, row.mod_seq);
                    if matches_text(&*store, &program, row, blob, now).await? {
                        hits.push((uid, mod_seq));
                    }
                }
            }
            hits.sort_unstable();
            for (uid, mod_seq) in hits {
                if let Some(sequence) = view.map.sequence_of(uid) {
                    found.add(if search.uid { uid.0 } else { sequence }, mod_seq);
                }
            }
            // A long search is cut short by a stop, not by a client that can't be asked.
            if io.shutdown.is_fired() {
                return Err(super::io::End::STOP.into());
            }
        }
        match search.returns {
            None => write_plain(io, &found, mod_seq_asked).await?,
            Some(returns) => write_extended(io, &found, returns, mod_seq_asked, search.uid, tag),
        }
        Ok(Done::ok("searched"))
    }
}

impl Found {
    fn add(&mut self, number: u32, mod_seq: ModSeq) {
        self.numbers.push(number);
        self.mod_seq = Some(self.mod_seq.map_or(mod_seq, |highest| highest.max(mod_seq)));
        self.first_and_last = Some(match self.first_and_last {
            Some((first, _)) => (first, mod_seq),
            None => (mod_seq, mod_seq),
        });
    }
}

async fn write_plain(io: &mut Io, found: &Found, mod_seq_asked: bool) -> Result<(), Stop> {
    io.out.extend_from_slice(b"* SEARCH");
    for number in &found.numbers {
        io.out.push(b' ');
        respond::number(&mut io.out, (*number).into());
        io.spill().await?;
    }
    if let (true, Some(mod_seq)) = (mod_seq_asked, found.mod_seq) {
        io.out.extend_from_slice(b" (MODSEQ ");
        respond::number(&mut io.out, mod_seq.0);
        io.out.push(b')');
    }
    io.out.extend_from_slice(b"\r\n");
    Ok(())
}

/// RFC 4731 §3.1, §3.2.
fn write_extended(io: &mut Io, found: &Found, returns: SearchReturn, mod_seq_asked: bool, uid: bool, tag: &str) {
    let out = &mut io.out;
    out.extend_from_slice(b"* ESEARCH (TAG ");
    respond::string(out, tag.as_bytes());
    out.push(b')');
    if uid {
        out.extend_from_slice(b" UID");
    }
    let mut value = |name: &[u8], number: u64| {
        out.extend_from_slice(name);
        respond::number(out, number);
    };
    if let (Some(first), Some(last)) = (found.numbers.first(), found.numbers.last()) {
        if returns.min {
            value(b" MIN ", (*first).into());
        }
        if returns.max {
            value(b" MAX ", (*last).into());
        }
    }
    if returns.count {
        value(b" COUNT ", u64::try_from(found.numbers.len()).unwrap_or(0));
    }
    if returns.all && !found.numbers.is_empty() {
        out.extend_from_slice(b" ALL ");
        write_set(out, found.numbers.iter().copied());
    }
    // Of the messages that are told: with MIN or MAX alone these are the first and the last.
    let told = match (returns.all || returns.count, returns.min, returns.max, found.first_and_last) {
        (false, true, false, Some((first, _))) => Some(first),
        (false, false, true, Some((_, last))) => Some(last),
        (false, true, true, Some((first, last))) => Some(first.max(last)),
        _ => found.mod_seq,
    };
    if let (true, Some(mod_seq)) = (mod_seq_asked, told) {
        out.extend_from_slice(b" MODSEQ ");
        respond::number(out, mod_seq.0);
    }
    out.extend_from_slice(b"\r\n");
}

impl Program {
    fn new(nodes: &[SearchNode], view: &View) -> Result<Self, Stop> {
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
    fn scanned(&self, view: &View) -> Vec<UidRange> {
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
    fn is_of_sets(&self) -> bool {
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
    fn evaluate(&self, mut leaf: impl FnMut(&Node) -> Option<bool>) -> Option<bool> {
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
        SearchKey::Sent(_) => Need::Structure,
        SearchKey::Header { .. } => Need::Header,
        SearchKey::Body(_) | SearchKey::Text(_) => Need::Body,
        _ => Need::Row,
    }
}

/// The text of a key that an index of trigrams can be asked for.
fn text_of(key: &SearchKey) -> Option<&str> {
    match key {
        SearchKey::Header { text, .. } | SearchKey::Body(text) | SearchKey::Text(text) => {
            text.chars().nth(2).is_some().then_some(text)
        }
        _ => None,
    }
}

/// Asks the store's index who may hold the texts, and decides by it what can be; answers who has to be read.
async fn ask_index(
    store: &dyn MailStore,
    program: &Program,
    mut undecided: Vec<MessageRecord>,
    hits: &mut Vec<(Uid, ModSeq)>,
    now: Timestamp,
) -> Result<Vec<MessageRecord>, Stop> {
    let mut holders: Vec<Option<Vec<BlobId>>> = vec![None; program.texts.len()];
    for (number, text) in program.texts.iter().enumerate().take(IMAP_SEARCH_INDEXED_MAX) {
        if undecided.len() < IMAP_SEARCH_INDEXED_FROM {
            break;
        }
        let among = undecided.iter().map(|row| row.blob).collect();
        let found = store.find_text(text.clone(), among).await?;
        if found.is_none() {
            continue;
        }
        if let Some(slot) = holders.get_mut(number) {
            *slot = found;
        }
        let mut left = Vec::new();
        for (index, row) in undecided.into_iter().enumerate() {
            if index & 255 == 255 {
                tokio::task::yield_now().await;
            }
            let by_index = |node: &Node| match node {
                Node::Text(_, number) => {
                    let holders = holders.get(*number).and_then(Option::as_ref)?;
                    holders.binary_search(&row.blob).is_err().then_some(false)
                }
                other => row_matches(other, &row, now),
            };
            match program.evaluate(by_index) {
                Some(true) => hits.push((row.uid, row.mod_seq)),
                Some(false) => {}
                None => left.push(row),
            }
        }
        undecided = left;
    }
    Ok(undecided)
}

/// Whether a message matches whose row doesn't decide it. One that went in the meantime doesn't.
async fn matches_text(
    store: &dyn MailStore,
    program: &Arc<Program>,
    row: MessageRecord,
    blob: &Blob,
    now: Timestamp,
) -> Result<bool, Stop> {
    let structure = structure_of(store, blob).await?;
    let header = structure.section(&[], Section::Header).unwrap_or(0..0);
    let read = match program.need {
        Need::Row | Need::Structure => Ok(Bytes::new()),
        Need::Header => store.read(row.blob, header.start, header.end).await,
        Need::Body => store.read(row.blob, 0, row.size).await,
    };
    let bytes = match read {
        Err(StoreError::NotFound(_)) => return Ok(false),
        other => other?,
    };
    let all_keys = move |program: &Program| {
        let text = Text::new(&bytes, &structure, program.need);
        let matches = program.evaluate(|node| row_matches(node, &row, now).or_else(|| text.matches(node)));
        matches.unwrap_or(false)
    };
    if program.need < Need::Body {
        tokio::task::yield_now().await;
        return Ok(all_keys(program));
    }
    // Decoding a large message takes long; other sessions of the thread must not wait for it.
    let program = Arc::clone(program);
    let searched = tokio::task::spawn_blocking(move || all_keys(&program));
    Ok(searched.await.map_err(|_| Done::no("[SERVERBUG] a message can't be searched"))?)
}

fn set_matches(node: &Node, uid: Uid) -> Option<bool> {
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

fn row_matches(node: &Node, row: &MessageRecord, now: Timestamp) -> Option<bool> {
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
        SearchKey::Nothing | SearchKey::Sequence(_) | SearchKey::Uid(_) | SearchKey::Keyword(..) => false,
        SearchKey::Sent(_) | SearchKey::Header { .. } | SearchKey::Body(_) | SearchKey::Text(_) => return None,
    })
}

const fn day_matches(test: DateTest, day: i64) -> bool {
    match test {
        DateTest::Before(limit) => day < limit,
        DateTest::On(limit) => day == limit,
        DateTest::Since(limit) => day >= limit,
    }
}

/// A message decoded and folded for as much as a program needs.
struct Text<'a> {
    header: &'a [u8],
    structure: &'a Structure,
    /// Header and body, folded.
    all: Option<(String, String)>,
}

impl<'a> Text<'a> {
    fn new(bytes: &'a [u8], structure: &'a Structure, need: Need) -> Self {
        let header_end = structure.section(&[], Section::Header).map_or(0, |range| range.end);
        let header = bytes.get(..usize::try_from(header_end).unwrap_or(usize::MAX)).unwrap_or(bytes);
        let all = (need == Need::Body).then(|| {
            let folded = decode::Folded::of(bytes, structure);
            (folded.header, folded.body)
        });
        Self { header, structure, all }
    }

    fn matches(&self, node: &Node) -> Option<bool> {
        let (Node::Key(key) | Node::Text(key, _)) = node else { return None };
        let holds = |text: &str, sought: &str| memchr::memmem::find(text.as_bytes(), sought.as_bytes()).is_some();
        match key {
            SearchKey::Sent(test) => {
                let day = self.structure.envelope().date.as_ref().and_then(|text| date::parse(text.as_bytes()));
                // The day as it is written, its zone not heeded (RFC 3501 §6.4.4).
                let day = day.and_then(|d| date::day_start(d.year, d.month, d.day));
                Some(day.is_some_and(|d| day_matches(*test, d.secs().div_euclid(86_400))))
            }
            SearchKey::Header { name, text } => Some(
                header::fields(self.header)
                    .filter(|f| f.is(name))
                    .any(|field| text.is_empty() || holds(&decode::fold(&decode::header_text(field.value)), text)),
            ),
            SearchKey::Body(text) => self.all.as_ref().map(|(_, body)| holds(body, text)),
            SearchKey::Text(text) => self.all.as_ref().map(|(head, body)| holds(head, text) || holds(body, text)),
            _ => None,
        }
    }
}
