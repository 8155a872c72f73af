//! Spam: how likely a message is unwanted, learned from what users say, and what else speaks for or against it.
//!
//! **Words**: a message is [`tokens`] (numbers of its words, pairs of them, and marks of its header and pages); [`judge`] reads them
//! by two [`Table`]s, the server's and the user's, and [`Spam::learn`] teaches those. **Signs** ([`Sign`]) are what header and body
//! look like. **Links** are asked of lists in the DNS ([`LinkLists`]), other filters of [`peers`](self). [`Spam::read`] finds all that
//! out while others look at the message as well; [`Spam::weigh`] makes findings of it, with points, and says what follows.
//!
//! **Who teaches whom**: what a user says is learned for that user alone, unless the administrator made them a trainer; the server
//! learns from trainers and the administrator. The filter never learns from its own verdicts.
//!
//! **Failure**: what isn't known in time says nothing, neither for nor against. A message is never lost or kept back by this room.
//!
//! **Limits**: `limits::SPAM_*`.

pub mod evaluate;
mod gtube;
mod hash;
mod judge;
mod learn;
mod links;
mod model;
mod peers;
mod reading;
mod signs;
mod table;
mod tokens;
mod witness;

pub use hash::TokenKey;
pub use judge::{Judged, judge, step};
pub use links::{LinkListed, LinkLists, link_domains};
pub use mailward_core::config::SpamPoints;
pub use mailward_store::records::{Learnt, Lesson};
pub use model::{Knowledge, Names, Read, Spam, SpamError, SpamParts, points_of, token_key};
pub use reading::Reading;
pub use signs::{Sign, signs};
pub use table::Table;
pub use tokens::{TOKENS_VERSION, tokens};
