//! The walk: every file in a message, and what each holds, depth first, with a list of what is open instead of calls
//! within calls.

use crate::boxes;
use crate::contents::{Contents, Item, Stopped, Trait, Wrapping};
use crate::cursor::length;
use crate::document::{self, Room};
use crate::holder::{Found, Held, Holder, Step};
use crate::kind::{Family, Kind, disagree, hides};
use crate::mail;
use crate::meter::{Budget, Meter};
use crate::shown::{Showing, Shown};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use mailward_core::limits::{SCAN_TEXT_MAX, SCAN_TEXT_SUM_MAX};
use mailward_message::Structure;

/// Opens a message: its parts, whatever they hold, and what other programs would read in it
/// ([`mailward_message::ambiguity`]). Total: any bytes give an answer, within the budget.
#[must_use]
pub fn open(message: &[u8], budget: Budget<'_>) -> Contents {
    open_with(message, Vec::new(), budget)
}

/// [`open`], and with it files that somebody else read in the message: why each is one, and its bytes. They come last, as
/// [`Wrapping::Reading`].
#[must_use]
pub fn open_with(message: &[u8], others: Vec<(String, Vec<u8>)>, budget: Budget<'_>) -> Contents {
    open_and_show(message, others, budget, 0).0
}

/// [`open_with`], and the files that virus scanners wouldn't find, at most `room` bytes of them.
#[must_use]
pub fn open_and_show(
    message: &[u8],
    others: Vec<(String, Vec<u8>)>,
    budget: Budget<'_>,
    room: usize,
) -> (Contents, Shown) {
    let mut walk = Walk {
        contents: Contents::default(),
        meter: Meter::new(budget),
        stack: Vec::new(),
        text_left: SCAN_TEXT_SUM_MAX,
        showing: Showing::new(room),
    };
    let structure = Structure::parse(message);
    for (number, part) in mail::leaves(&structure, "") {
        let found = mail::found(message, number, &part);
        walk.meter.take_bytes(found.size);
        walk.take(found, None);
        walk.run();
        if walk.meter.is_over() {
            break;
        }
    }
    let (readings, are_all) = mail::readings(message, &structure);
    if !are_all {
        walk.meter.note(Stopped::Items);
    }
    let others = others
        .into_iter()
        .map(|(why, bytes)| Found { wrapping: Wrapping::Reading(why), ..Found::open(Vec::new(), Bytes::from(bytes)) });
    for found in readings.into_iter().chain(others) {
        walk.meter.take_bytes(found.size);
        walk.take(found, None);
        walk.run();
    }
    walk.contents.stopped = walk.meter.stopped;
    (walk.contents, walk.showing.end())
}

struct Walk<'c> {
    contents: Contents,
    meter: Meter<'c>,
    /// What is open, each within the one before.
    stack: Vec<Open>,
    text_left: usize,
    showing: Showing,
}

/// Something open.
struct Open {
    /// Which item it is.
    item: u32,
    depth: usize,
    holder: Box<dyn Holder>,
    /// Hash and kind, if it is there whole.
    content: Option<([u8; 32], Kind)>,
    /// Bytes that are held for it.
    held: u64,
    /// Whether what programs write into every document of its kind isn't listed.
    plain_parts: bool,
}

impl Walk<'_> {
    /// Goes on until nothing is open.
    fn run(&mut self) {
        while let Some(open) = self.stack.last_mut() {
            if self.meter.is_over() {
                break;
            }
            let item = open.item;
            match open.holder.next(&mut self.meter) {
                Step::Note(found) => self.remark(item, found),
                Step::File(found) => {
                    if found.traits.contains(&Trait::Encrypted) {
                        self.remark(item, Trait::Encrypted);
                    }
                    self.take(found, Some(item));
                }
                Step::End => {
                    let held = open.held;
                    self.meter.release(held);
                    self.stack.pop();
                }
            }
        }
        for open in std::mem::take(&mut self.stack) {
            self.meter.release(open.held);
            self.remark(open.item, Trait::NotOpened("looking ended before its end".to_owned()));
        }
    }

    /// Makes an item of a file, and opens it.
    fn take(&mut self, found: Found, parent: Option<u32>) -> Option<u32> {
        let (depth, plain_parts) = self.stack.last().map_or((0, false), |open| (open.depth, open.plain_parts));
        let Found { names, declared, wrapping, mut traits, size, bytes, whole, seldom } = found;
        let content = bytes.as_deref().unwrap_or_default();
        let kind = if bytes.is_some() { boxes::kind_of(content, &declared) } else { Kind::Data };
        if bytes.is_some() {
            traits.extend(disagree(&names, &declared, kind));
        } else if names.iter().any(|name| hides(name)) {
            traits.push(Trait::NameHides);
        }
        if plain_parts && whole && is_ordinary(kind) && traits.iter().all(|found| matches!(found, Trait::TypeSays)) {
            self.meter.in_time();
            return None;
        }
        if !self.meter.take_item() {
            return None;
        }
        let hash = if whole { sha256(content) } else { [0; 32] };
        let index = u32::try_from(self.contents.items.len()).ok()?;
        dedup(&mut traits);
        let item = Item { parent, wrapping, names, declared, kind, size, hash, traits, text: String::new() };
        if let Some(bytes) = &bytes {
            let within = parent.and_then(|at| self.contents.items.get(usize::try_from(at).ok()?));
            self.showing.take(&item, within, seldom, bytes);
        }
        self.contents.items.push(item);
        if let Some(bytes) = bytes
            // What holds itself is looked at already.
            && !(whole && self.stack.iter().any(|open| open.content == Some((hash, kind))))
        {
            self.look_into(index, depth, bytes, whole.then_some((hash, kind)));
        }
        Some(index)
    }

    /// Opens what holds something, in every way that it may be.
    fn look_into(&mut self, index: u32, depth: usize, bytes: Bytes, content: Option<([u8; 32], Kind)>) {
        let Some(item) = usize::try_from(index).ok().and_then(|at| self.contents.items.get(at)) else { return };
        let kind = item.kind;
        let found = boxes::holders(kind, item, &bytes, &mut self.meter);
        for also in found.also {
            self.remark(index, Trait::Also(also));
        }
        for note in found.notes {
            self.remark(index, note);
        }
        let mut holders = found.holders;
        let mut looked_as = vec![kind];
        looked_as.extend(found.looked_as);
        let offered = self.meter.room();
        let mut room = Room { bytes: offered, items: self.meter.items_left(), short: false };
        let mut inner: Vec<Found> = Vec::new();
        for kind in looked_as {
            let (looked, unpacked) = document::look_and_keep(kind, &bytes, &mut room);
            if let Some(holder) = holders.first_mut().filter(|_| !unpacked.is_empty()) {
                holder.has_unpacked(&bytes, unpacked);
            }
            for found in looked.traits {
                self.remark(index, found);
            }
            self.keep_text(index, looked.text);
            inner.extend(
                looked.inner.into_iter().map(|inner| Found {
                    wrapping: inner.wrapping,
                    ..Found::open(inner.names, Bytes::from(inner.bytes))
                }),
            );
        }
        self.meter.take_bytes(offered.saturating_sub(room.bytes));
        if room.short {
            self.meter.note(Stopped::Bytes);
            self.remark(index, Trait::NotOpened("more in it than is looked at".to_owned()));
        }
        let mut held = length(&bytes);
        if !inner.is_empty() {
            held = inner.iter().fold(held, |sum, inner| sum.saturating_add(inner.size));
            holders.push(Box::new(Held(inner.into_iter())));
        }
        if holders.is_empty() {
            return;
        }
        if depth >= self.meter.depth() {
            self.meter.note(Stopped::Depth);
            self.remark(index, Trait::NotOpened("deeper than is looked at".to_owned()));
            return;
        }
        if !self.meter.hold(held) {
            self.remark(index, Trait::NotOpened("more than is held at once".to_owned()));
            return;
        }
        let plain_parts = matches!(
            kind,
            Kind::Docx
                | Kind::Xlsx
                | Kind::Pptx
                | Kind::OpenDocument
                | Kind::Epub
                | Kind::Apk
                | Kind::Jar
                | Kind::Msix
                | Kind::Opc
        );
        for holder in holders.into_iter().rev() {
            self.stack.push(Open { item: index, depth: depth.saturating_add(1), holder, content, held, plain_parts });
            held = 0;
        }
    }

    /// Notes something remarkable about an item, once.
    fn remark(&mut self, index: u32, found: Trait) {
        if let Some(item) = usize::try_from(index).ok().and_then(|at| self.contents.items.get_mut(at))
            && !item.traits.contains(&found)
        {
            item.traits.push(found);
        }
    }

    /// Keeps text for rules, as much as there is room for.
    fn keep_text(&mut self, index: u32, mut text: String) {
        let kept =
            usize::try_from(index).ok().and_then(|at| self.contents.items.get(at)).map_or(0, |item| item.text.len());
        let mut room = SCAN_TEXT_MAX.saturating_sub(kept).min(self.text_left).min(text.len());
        while !text.is_char_boundary(room) {
            room = room.saturating_sub(1);
        }
        text.truncate(room);
        self.text_left = self.text_left.saturating_sub(room);
        if let Some(item) = usize::try_from(index).ok().and_then(|at| self.contents.items.get_mut(at)) {
            item.text.push_str(&text);
        }
    }
}

/// What is in every document and every program's package.
fn is_ordinary(kind: Kind) -> bool {
    matches!(kind, Kind::Xml | Kind::PlainText | Kind::Image | Kind::Font | Kind::Empty | Kind::JavaClass)
        || kind.family() == Family::Media
}

fn dedup(traits: &mut Vec<Trait>) {
    let mut seen = Vec::with_capacity(traits.len());
    traits.retain(|found| {
        let new = !seen.contains(found);
        if new {
            seen.push(found.clone());
        }
        new
    });
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{base64, pe, zip};
    use mailward_core::limits::{SCAN_RATIO_FREE, SCAN_UNPACKED_MAX};
    use std::time::Duration;

    /// A document's parts are unpacked once for what they say and once for what they are, or once for both: what is told is the
    /// same, and so is what is counted.
    #[test]
    fn a_part_that_was_kept_is_what_unpacking_it_again_gives() {
        let types = b"<Types>application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml</Types>";
        let text = format!("<w:p><w:t>{}</w:t></w:p>", "words ".repeat(20_000));
        let (large, program) = (vec![b'<'; SCAN_UNPACKED_MAX + 1], pe());
        let parts: [(&str, &[u8]); 5] = [
            ("[Content_Types].xml", types),
            ("word/document.xml", text.as_bytes()),
            ("word/media/a.bin", &program),
            ("word/large.xml", &large),
            ("word/media/b.bin", &program),
        ];
        let docx = base64(&zip(&parts, true));
        let message =
            format!("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{docx}\r\n");
        let elapsed = || Duration::ZERO;
        let look = |bytes: u64, ratio_free: u64| {
            let budget = Budget { bytes, ratio: u64::MAX, ratio_free, ..Budget::within_limits(&elapsed) };
            open(message.as_bytes(), budget)
        };
        let whole = look(u64::MAX, SCAN_RATIO_FREE);
        assert_eq!(whole.items.iter().filter(|item| item.kind == Kind::Pe).count(), 2, "{whole:?}");
        assert!(whole.stopped.is_empty() && whole.items.first().is_some_and(|item| item.kind == Kind::Docx));
        for bytes in [0, 1_000, 10_000, 200_000, 500_000, 2_000_000, 3_000_000, u64::MAX] {
            // Where nothing is free of the ratio, nothing that was kept is taken.
            assert_eq!(look(bytes, SCAN_RATIO_FREE), look(bytes, 0), "{bytes}");
        }
    }
}
