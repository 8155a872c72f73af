//! Counts that survive a restart: those of sources that are beyond a few, written now and then.
//!
//! Each part of the table is two records: counts, and names. Only parts that changed are written, in one commit. Which sources
//! matter is noted as they are counted, so that nothing is gone through to find them. A record expires by itself.

use super::counts::Counts;
use super::table::{PARTS, Part};
use super::{ALARMED, Beside, KEPT, Moment, NAMED_PER_PART, Named, Rates, Slot};
use bytes::Bytes;
use mailward_core::event::Event;
use mailward_core::limits::{RATE_KEPT_LEAST, RATE_KEPT_MAX, RATE_WINDOW, RATE_WRITE_TIME};
use mailward_core::{Shutdown, Timestamp};
use mailward_store::StoreError;
use mailward_store::api::ShelfStore;
use mailward_store::behind::now_and_then;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Sources of one part that are written down.
const KEPT_PER_PART: usize = RATE_KEPT_MAX.div_euclid(PARTS);

/// A source in a record.
#[derive(Serialize, Deserialize)]
struct Kept {
    number: u64,
    slot: u32,
    flags: u8,
    counts: Counts,
}

/// Notes a source that has just been counted, if it matters.
pub(super) fn note(number: u64, slot: &mut Slot<Counts>, beside: &mut Beside) {
    if slot.flags & KEPT != 0 {
        beside.unwritten = true;
    } else if slot.counts.most() >= RATE_KEPT_LEAST && beside.kept.len() < KEPT_PER_PART {
        slot.flags |= KEPT;
        beside.kept.push(number);
        beside.unwritten = true;
    }
}

impl Rates {
    /// Reads what was written before. Whatever is there is counted on top.
    ///
    /// # Errors
    /// What the store says.
    pub async fn load(&self, shelf: &dyn ShelfStore) -> Result<(), StoreError> {
        let (now, time) = self.now();
        // Two records a part, and none besides.
        for record in shelf.shelf(Shelf::Rates, None, PARTS.saturating_mul(2)).await? {
            let is_read = match record.key.split_at_checked(1) {
                Some(("c", _)) => postcard::from_bytes(&record.value).map(|kept| self.put_counts(kept, now.slot)),
                Some(("n", _)) => postcard::from_bytes(&record.value).map(|named| self.put_names(named, time)),
                _ => continue,
            };
            if is_read.is_err() {
                self.events.emit(Event::warn("rates.unreadable").with("record", &record.key));
            }
        }
        Ok(())
    }

    fn put_counts(&self, all: Vec<Kept>, now: u32) {
        for kept in all.into_iter().take(KEPT_PER_PART) {
            // Of a clock that went back, too: what it counted then isn't of now.
            if kept.slot > now || now.saturating_sub(kept.slot) > 1 {
                continue;
            }
            let Some(mut part) = self.table.part(kept.number) else { continue };
            let Some((slot, beside)) = part.place(kept.number, kept.slot) else { continue };
            slot.counts = kept.counts;
            slot.flags = kept.flags & !KEPT;
            note(kept.number, slot, beside);
        }
    }

    fn put_names(&self, all: Vec<(u64, Named)>, time: Timestamp) {
        for (number, mut named) in all.into_iter().take(NAMED_PER_PART) {
            let slot = Moment::of(time).slot;
            let Some(mut part) = self.table.part(number) else { continue };
            let is_alarmed = named.alarmed_until(time).is_some();
            if is_alarmed && let Some((slot, _)) = part.place(number, slot) {
                // Its counts may not have been worth keeping.
                slot.flags |= ALARMED | Slot::<Counts>::PINNED;
            }
            if is_alarmed || part.look(number, slot).is_some() {
                part.beside.named.insert(number, named);
            }
        }
    }

    /// Writes what changed since it was written last.
    ///
    /// # Errors
    /// What the store says; it will be tried again.
    pub async fn save(&self, shelf: &dyn ShelfStore) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        let (now, time) = self.now();
        let mut changes = Vec::new();
        for (number, mut part) in self.table.parts().enumerate() {
            if !std::mem::take(&mut part.beside.unwritten) {
                continue;
            }
            let kept = kept_of(&mut part, now.slot);
            let is_over = |number: &u64, named: &Named| {
                named.alarm.is_none_or(|until| until <= time)
                    && part.look(*number, now.slot).is_none_or(|slot| slot.counts.most() == 0)
            };
            let over: Vec<u64> =
                part.beside.named.iter().filter(|(number, named)| is_over(number, named)).map(|(n, _)| *n).collect();
            for number in over {
                part.beside.named.remove(&number);
            }
            let named: Vec<(&u64, &Named)> = part.beside.named.iter().collect();
            changes.push(record(format!("c{number:02}"), &kept, time));
            changes.push(record(format!("n{number:02}"), &named, time));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let written = shelf.change_shelf(changes).await;
        if written.is_err() {
            // All of them, as it isn't known which.
            self.table.parts().for_each(|mut part| part.beside.unwritten = true);
        }
        written
    }

    /// Writes every `limits::RATE_WRITE_TIME`, until the word to stop comes. Whoever stops the server saves once more, when all
    /// sessions are over ([`Rates::save_or_tell`]).
    pub async fn keep(self: Arc<Self>, shelf: Arc<dyn ShelfStore>, shutdown: Shutdown) {
        now_and_then(RATE_WRITE_TIME, shutdown, || self.save_or_tell(&*shelf)).await;
    }

    /// Writes; that it can't be is told, once until it can.
    pub async fn save_or_tell(&self, shelf: &dyn ShelfStore) {
        self.behind.tell(self.save(shelf).await);
    }
}

/// What is to be written of a part's counts; what is over is written no more.
fn kept_of(part: &mut Part<Counts, Beside>, now: u32) -> Vec<Kept> {
    let sources = std::mem::take(&mut part.beside.kept);
    let (mut kept, mut left) = (Vec::with_capacity(sources.len()), Vec::with_capacity(sources.len()));
    for number in sources {
        let Some(slot) = part.there(number, now) else { continue };
        if slot.counts.most() < RATE_KEPT_LEAST {
            // Should more come of it, it is noted anew.
            slot.flags &= !KEPT;
            continue;
        }
        // A place that was another's meanwhile isn't on the list twice.
        if slot.flags & KEPT != 0 {
            kept.push(Kept { number, slot: now, flags: slot.flags, counts: slot.counts });
            left.push(number);
        }
    }
    part.beside.kept = left;
    kept
}

/// A record that is gone when its counts are.
fn record(key: String, value: &impl Serialize, now: Timestamp) -> ShelfChange {
    // A value of bounded size that is only numbers and short texts can always be written.
    let value = postcard::to_stdvec(value).map(Bytes::from).unwrap_or_default();
    let millis = i64::try_from(RATE_WINDOW.as_millis()).unwrap_or(i64::MAX);
    let expires = Some(Timestamp(now.0.saturating_add(millis.saturating_mul(3))));
    ShelfChange::Put(Shelf::Rates, Shelved { key, value, expires })
}
