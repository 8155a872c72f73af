//! Spam: how likely a message is unwanted, learned from what users say, and what else speaks for or against it.

mod hash;
mod judge;
mod table;
mod tokens;

pub use hash::TokenKey;
pub use judge::{Judged, judge, step};
pub use table::Table;
pub use tokens::{TOKENS_VERSION, hosts, tokens};
