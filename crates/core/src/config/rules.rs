//! Address rules of the file.

use crate::rule::Rule;
use serde::Serialize;

/// Address rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// In the order in which they are asked.
    pub list: Vec<Rule>,
}
