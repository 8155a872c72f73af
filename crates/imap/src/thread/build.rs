//! The two algorithms. Steps are numbered as in RFC 5256 §3.

use super::forest::Forest;
use super::{Column, Messages, NONE, Row, Threads, count};

/// ORDEREDSUBJECT: messages of one base subject are a thread, the first of them its top.
#[must_use]
pub fn ordered_subject(messages: &Messages) -> Threads {
    let rows = &messages.rows;
    let mut order: Vec<(u32, i64, u32)> =
        rows.iter().zip(0..).map(|(row, index)| (row.subject, row.sent, index)).collect();
    order.sort_unstable();
    let mut place = Place::at_top(rows.len());
    // The subject and the top of the thread that is being read.
    let mut thread: Option<(u32, u32)> = None;
    for (subject, _, index) in order {
        match thread {
            Some((same, top)) if same == subject => place.parent.set(index, top),
            _ => thread = Some((subject, index)),
        }
    }
    arranged(rows, &place)
}

/// REFERENCES: messages follow those that they refer to; what belongs together by its subject is gathered.
#[must_use]
pub fn references(messages: &Messages) -> Threads {
    let mut place = pruned(&Linked::of(messages), messages.rows.len());
    gather_subjects(&messages.rows, &mut place);
    arranged(&messages.rows, &place)
}

/// Ids linked as parents and children.
struct Linked {
    forest: Forest,
    /// The node of each message: its id's, or one of its own.
    node: Vec<u32>,
    /// The message at each node; nodes without one are the RFC's dummies.
    message: Column,
}

impl Linked {
    /// (1): the first message with an id has it; others, and those without, have a node that nobody refers to.
    fn of(messages: &Messages) -> Self {
        let mut nodes = messages.ids.len();
        let mut message = Column::of(nodes);
        let mut node = Vec::with_capacity(messages.rows.len());
        for (row, index) in messages.rows.iter().zip(0..) {
            if row.id != NONE && message.get(row.id) == NONE {
                message.set(row.id, index);
                node.push(row.id);
            } else {
                node.push(count(nodes));
                nodes = nodes.saturating_add(1);
                message.0.push(index);
            }
        }
        let mut linked = Self { forest: Forest::of(nodes), node, message };
        let mut start = 0_usize;
        for index in 0..messages.rows.len() {
            let (Some(row), Some(node)) = (messages.rows.get(index), linked.node.get(index).copied()) else { break };
            let references = messages.references.get(start..row.references_end).unwrap_or_default();
            linked.link(node, references);
            start = row.references_end;
        }
        linked
    }

    /// (1.A) and (1.B) for one message.
    fn link(&mut self, node: u32, references: &[u32]) {
        let mut parent = NONE;
        for reference in references.iter().copied() {
            // Links that are there stay: References are often cut short in the middle.
            if parent != NONE && self.forest.parent(reference) == NONE {
                self.forest.link(reference, parent);
            }
            parent = reference;
        }
        // Its last reference is a message's parent, whatever others said of it.
        if self.forest.parent(node) != parent {
            self.forest.cut(node);
            if parent != NONE {
                self.forest.link(node, parent);
            }
        }
    }
}

/// Where messages are: under a message, in a group, or at the top.
struct Place {
    /// The message that a message is under.
    parent: Column,
    /// The group that a message is in, at the top.
    group: Column,
    /// Of each group the one it was merged into, or [`NONE`].
    merged: Column,
}

impl Place {
    fn at_top(messages: usize) -> Self {
        Self { parent: Column::of(messages), group: Column::of(messages), merged: Column::default() }
    }

    fn new_group(&mut self) -> u32 {
        let group = count(self.merged.0.len());
        self.merged.0.push(NONE);
        group
    }

    /// The group that a message is in now. A group that others were merged into stays itself.
    fn group_of(&self, message: u32) -> u32 {
        let group = self.group.get(message);
        let into = self.merged.get(group);
        if into == NONE { group } else { into }
    }
}

/// (2) and (3): each message goes under the nearest message above it. Where there is none, those under the same
/// uppermost dummy are a group; one alone is at the top itself.
fn pruned(linked: &Linked, messages: usize) -> Place {
    let mut place = Place::at_top(messages);
    // By node, for dummies: the node that stands for it, which is the nearest message above or the uppermost dummy.
    let mut stands = Column::of(linked.message.0.len());
    // By node, for uppermost dummies: the message under it if it is alone, or else the group.
    let mut alone = Column::of(linked.message.0.len());
    let mut group = Column::of(linked.message.0.len());
    let mut way: Vec<u32> = Vec::new();
    for (node, index) in linked.node.iter().copied().zip(0..) {
        let mut at = linked.forest.parent(node);
        if at == NONE {
            continue;
        }
        // Up through dummies; each is walked over once.
        while linked.message.get(at) == NONE {
            let known = stands.get(at);
            if known != NONE {
                at = known;
                break;
            }
            way.push(at);
            let above = linked.forest.parent(at);
            if above == NONE {
                break;
            }
            at = above;
        }
        for dummy in way.drain(..) {
            stands.set(dummy, at);
        }
        let parent = linked.message.get(at);
        let first = alone.get(at);
        if parent != NONE {
            place.parent.set(index, parent);
        } else if first == NONE {
            alone.set(at, index);
        } else {
            if group.get(at) == NONE {
                group.set(at, place.new_group());
                place.group.set(first, group.get(at));
            }
            place.group.set(index, group.get(at));
        }
    }
    place
}

/// A child of the RFC's root.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Top {
    Message(u32),
    Group(u32),
}

/// (4) and (5): threads of one subject become one.
fn gather_subjects(rows: &[Row], place: &mut Place) {
    let row = |index: u32| usize::try_from(index).ok().and_then(|index| rows.get(index));
    let subject = |index: u32| row(index).map_or(NONE, |row| row.subject);
    let is_reply = |index: u32| row(index).is_some_and(|row| row.is_reply);
    // Each top with the message that stands for it: of a group the first by date.
    let mut tops: Vec<(i64, u32, Top)> = first_of_groups(rows, place)
        .into_iter()
        .zip(0..)
        .filter_map(|(first, group)| first.map(|(sent, index)| (sent, index, Top::Group(group))))
        .collect();
    for (row, index) in rows.iter().zip(0..) {
        if place.parent.get(index) == NONE && place.group.get(index) == NONE {
            tops.push((row.sent, index, Top::Message(index)));
        }
    }
    tops.sort_unstable_by_key(|(sent, index, _)| (*sent, *index));
    // (5.B)
    let subjects = rows.iter().filter(|row| row.subject != NONE).map(|row| row.subject).max();
    let mut table: Vec<Option<Top>> =
        vec![None; subjects.map_or(0, |most| usize::try_from(most).unwrap_or(0)).saturating_add(1)];
    let slot = |index: u32| usize::try_from(subject(index)).unwrap_or(usize::MAX);
    for (_, first, top) in &tops {
        let Some(known) = table.get_mut(slot(*first)) else { continue };
        let better = match (*known, *top) {
            (None, _) | (Some(Top::Message(_)), Top::Group(_)) => true,
            (Some(Top::Message(known)), Top::Message(new)) => is_reply(known) && !is_reply(new),
            (Some(Top::Group(_)), _) => false,
        };
        if better {
            *known = Some(*top);
        }
    }
    // (5.C)
    for (_, first, top) in tops {
        let Some(Some(known)) = table.get_mut(slot(first)) else { continue };
        match (*known, top) {
            (known, top) if known == top => {}
            (Top::Group(known), Top::Group(group)) => place.merged.set(group, known),
            (Top::Group(known), Top::Message(message)) => place.group.set(message, known),
            (Top::Message(known), Top::Message(message)) if is_reply(message) && !is_reply(known) => {
                place.parent.set(message, known);
            }
            (Top::Message(other), Top::Message(message)) => {
                let group = place.new_group();
                place.group.set(message, group);
                place.group.set(other, group);
                *known = Top::Group(group);
            }
            // A group of that subject would be the one in the table.
            (Top::Message(_), Top::Group(_)) => {}
        }
    }
}

/// Of each group the message that was sent first, with its date.
fn first_of_groups(rows: &[Row], place: &Place) -> Vec<Option<(i64, u32)>> {
    let mut firsts: Vec<Option<(i64, u32)>> = vec![None; place.merged.0.len()];
    for (row, index) in rows.iter().zip(0..) {
        let group = usize::try_from(place.group_of(index)).unwrap_or(usize::MAX);
        if let Some(first) = firsts.get_mut(group) {
            let this = (row.sent, index);
            *first = Some(first.map_or(this, |known| known.min(this)));
        }
    }
    firsts
}

/// (6): everything in its place, siblings in the order they were sent. Groups are nodes after the messages.
fn arranged(rows: &[Row], place: &Place) -> Threads {
    let messages = count(rows.len());
    let firsts = first_of_groups(rows, place);
    let nodes = rows.len().saturating_add(firsts.len());
    let top = count(nodes);
    // What each is under, when it was sent, which message that says, and the node.
    let mut order: Vec<(u32, i64, u32, u32)> = Vec::with_capacity(nodes);
    for (row, index) in rows.iter().zip(0..) {
        let (parent, group) = (place.parent.get(index), place.group_of(index));
        let under = match (parent, group) {
            (NONE, NONE) => top,
            (NONE, group) => messages.saturating_add(group),
            (parent, _) => parent,
        };
        order.push((under, row.sent, index, index));
    }
    for (first, group) in firsts.iter().zip(messages..) {
        if let Some((sent, index)) = first {
            order.push((top, *sent, *index, group));
        }
    }
    order.sort_unstable();
    let mut numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
    numbers.resize(nodes, 0);
    let mut starts: Vec<usize> = Vec::with_capacity(nodes.saturating_add(1));
    for (at, (under, ..)) in order.iter().enumerate() {
        let reached = usize::try_from(*under).unwrap_or(0).saturating_add(1);
        if starts.len() < reached {
            starts.resize(reached, at);
        }
    }
    starts.resize(nodes.saturating_add(1).max(starts.len()), order.len());
    Threads { numbers, under: order.into_iter().map(|(.., node)| node).collect(), starts }
}
