//! Messages that somebody works on: lanes together, or somebody alone who decides about the whole.

use mailward_core::QueueId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who works on what; nothing of it is kept on the disk.
#[derive(Debug, Default)]
pub(crate) struct InWork(Mutex<HashMap<QueueId, Hands>>);

#[derive(Clone, Copy, Debug)]
enum Hands {
    /// So many lanes, each with recipients of its own.
    Lanes(usize),
    /// Somebody who decides about all recipients.
    Alone,
}

/// Given back when it is dropped, by a panic too.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    all: &'a InWork,
    message: QueueId,
}

impl InWork {
    fn lock(&self) -> MutexGuard<'_, HashMap<QueueId, Hands>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a lane's recipients; none while somebody decides about the whole.
    pub(crate) fn take(&self, message: QueueId) -> Option<Held<'_>> {
        match self.lock().entry(message).or_insert(Hands::Lanes(0)) {
            Hands::Alone => return None,
            Hands::Lanes(count) => *count = count.saturating_add(1),
        }
        Some(Held { all: self, message })
    }

    /// For all recipients; none while anybody works on one.
    pub(crate) fn take_alone(&self, message: QueueId) -> Option<Held<'_>> {
        match self.lock().entry(message) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(free) => free.insert(Hands::Alone),
        };
        Some(Held { all: self, message })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        match all.get_mut(&self.message) {
            Some(Hands::Lanes(count)) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(all.remove(&self.message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_work_side_by_side_and_who_decides_about_all_works_alone() {
        let work = InWork::default();
        let (one, two) = (work.take(QueueId(1)).unwrap(), work.take(QueueId(1)).unwrap());
        assert!(work.take_alone(QueueId(1)).is_none());
        drop(one);
        assert!(work.take_alone(QueueId(1)).is_none());
        drop(two);
        let alone = work.take_alone(QueueId(1)).unwrap();
        assert!(work.take(QueueId(1)).is_none() && work.take_alone(QueueId(1)).is_none());
        assert!(work.take(QueueId(2)).is_some());
        drop(alone);
        assert!(work.take(QueueId(1)).is_some());
        assert!(work.lock().is_empty());
    }
}
