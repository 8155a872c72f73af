//! The scanner's workers.

use serde::Serialize;

/// Processes that look into messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scanner {
    /// How many at most; 0: as many as there are processors.
    pub workers: usize,
}
