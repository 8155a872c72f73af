//! What others signed: DKIM signatures and ARC chains, verified.
//!
//! A [`Reading`] takes the message in pieces, and [`Reading::verify`] asks the DNS for the keys, all at once. So hashing
//! needs no network, and the network no message. [`check`] is the whole of it for a message that comes in: its [`Author`],
//! SPF, DKIM, ARC and DMARC, with what follows ([`Authentication::findings`]) and how it is said ([`Authentication::field`]).

mod author;
mod check;
mod field;
mod findings;
mod key;
mod policy;
mod reading;
mod results;
mod vouched;

pub use author::{Author, AuthorFault, author};
pub use check::{Authentication, Lookups, check, check_by, check_with, read};
pub use findings::status;
pub use key::{KeyFault, record};
pub use policy::Policy;
pub use reading::Reading;
pub use results::{Arc, Dkim, Results, Told, Verdict};
