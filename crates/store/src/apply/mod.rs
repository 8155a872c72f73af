//! What jobs do to rows, in the committer's transaction.

pub(crate) mod directory;
pub(crate) mod flags;
pub(crate) mod mailboxes;
pub(crate) mod messages;
