//! What jobs do to rows, in the committer's transaction.

pub(crate) mod directory;
pub(crate) mod flags;
mod gone;
pub(crate) mod keys;
pub(crate) mod mailboxes;
pub(crate) mod messages;
pub(crate) mod sharing;
pub(crate) mod shelf;
