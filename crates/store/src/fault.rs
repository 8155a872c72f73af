//! Instants at which a test may look at the disk, to make the states a power cut could leave.

/// An instant of a commit, of the store's or of the search index's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instant {
    /// Message bytes are written, not synced.
    BeforePackSync,
    /// Message bytes are on stable storage. Comes after the commit, but before it where bytes are written that replace
    /// others (compaction).
    AfterPackSync,
    /// All rows are changed; the log isn't written or isn't synced.
    BeforeCommit,
    /// Rows are on stable storage; nobody was answered.
    AfterCommit,
    /// Entries of the search index are written, not committed.
    BeforeIndexCommit,
    /// They are committed; the index's log needn't be synced.
    AfterIndexCommit,
}

/// Told of each instant, on the committer's thread or the search index's, which waits for it.
pub trait Witness: Send + Sync + 'static {
    /// Called at each instant.
    fn at(&self, instant: Instant);
}
