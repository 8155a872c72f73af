//! Other filters, asked as well.

use crate::subject::Subject;
use crate::verdict::Finding;
use mailward_core::config::SpamPeer;
use mailward_core::event::Events;

/// What other filters say.
pub(super) async fn ask(_peers: &[SpamPeer], _subject: &Subject, _events: &Events) -> Vec<Finding> {
    Vec::new()
}
