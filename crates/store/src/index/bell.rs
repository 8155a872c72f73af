//! Between the committer and the index's thread: what was committed, and a bell to wake the thread with.

use super::owed::Owed;
use crate::news::Contents;
use mailward_core::BlobId;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Little work for the committer; it wakes the thread only where that has nothing to do.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// The highest blob id that is committed.
    newest: AtomicI64,
    commits: AtomicU64,
    /// Blobs that went since it was last asked, but for those in `owed`.
    gone: AtomicU64,
    owed: Owed,
    thread: OnceLock<Thread>,
    waiting: AtomicBool,
    stopped: AtomicBool,
}

impl Bell {
    /// Up to this id blobs may be committed already.
    pub(crate) fn new(newest: BlobId) -> Self {
        Self { newest: AtomicI64::new(newest.0), ..Self::default() }
    }

    // ---- for the committer ----

    /// A batch was committed after which no blob's id is higher than `newest`.
    pub(crate) fn committed(&self, newest: BlobId, contents: &Contents) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let Contents { owed, gone } = contents;
        let touched = !owed.is_empty() || !gone.is_empty();
        let gone = if touched { self.owed.committed(owed, gone.iter().map(|gone| gone.blob)) } else { 0 };
        if gone > 0 {
            self.gone.fetch_add(gone, Ordering::Relaxed);
        }
        if self.newest.swap(newest.0, Ordering::SeqCst) != newest.0 {
            self.ring();
        }
    }

    // ---- for whoever wants the thread to look ----

    /// Wakes the thread if it waits.
    pub(super) fn ring(&self) {
        if self.waiting.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }
    /// Ends waits and rests, for good.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake();
    }
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
    pub(super) fn newest(&self) -> BlobId {
        BlobId(self.newest.load(Ordering::SeqCst))
    }

    // ---- for the thread ----

    pub(super) const fn owed(&self) -> &Owed {
        &self.owed
    }

    /// This thread is the one to wake.
    pub(super) fn attend(&self) {
        self.thread.get_or_init(std::thread::current);
    }
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
    pub(super) fn take_gone(&self) -> u64 {
        self.gone.swap(0, Ordering::Relaxed)
    }
    /// Waits until it rings, unless there is something to do already.
    pub(super) fn wait(&self, is_needed: impl Fn() -> bool) {
        self.waiting.store(true, Ordering::SeqCst);
        while self.waiting.load(Ordering::SeqCst) && !self.is_stopped() && !is_needed() {
            std::thread::park();
        }
        self.waiting.store(false, Ordering::SeqCst);
    }
    /// Does nothing for a while; only a stop ends it early.
    pub(super) fn rest(&self, time: Duration) {
        let until = Instant::now().checked_add(time);
        while !self.is_stopped() {
            match until.and_then(|until| until.checked_duration_since(Instant::now())) {
                Some(left) if !left.is_zero() => std::thread::park_timeout(left),
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::departed::Gone;
    use crate::pack::writer::Place;
    use std::sync::Arc;

    #[test]
    fn a_commit_ends_a_wait_and_a_stop_ends_everything() {
        let bell = Arc::new(Bell::new(BlobId(7)));
        let heard = Arc::clone(&bell);
        let thread = std::thread::spawn(move || {
            heard.attend();
            heard.wait(|| heard.newest() > BlobId(7));
            let first = heard.newest();
            heard.rest(Duration::from_secs(1_000_000));
            heard.wait(|| false);
            (first, heard.take_gone(), heard.take_gone())
        });
        let place = Place { pack: 1, offset: 64 };
        let went = |id: &i64| Gone { blob: BlobId(*id), place, size: 1 };
        let gone = |ids: &[i64]| Contents { gone: ids.iter().map(went).collect(), owed: Vec::new() };
        bell.committed(BlobId(7), &gone(&[1, 2]));
        bell.committed(BlobId(9), &gone(&[3]));
        while bell.waiting.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        bell.stop();
        assert_eq!(thread.join().unwrap(), (BlobId(9), 3, 0));
        assert_eq!(bell.commits(), 2);
    }
}
