//! What others signed: DKIM signatures and ARC chains, verified.
//!
//! A [`Reading`] takes the message in pieces, and [`Reading::verify`] asks the DNS for the keys, all at once. So hashing
//! needs no network, and the network no message.

mod key;
mod reading;
mod results;

pub use key::{KeyFault, record};
pub use reading::Reading;
pub use results::{Arc, Dkim, Results, Verdict};
