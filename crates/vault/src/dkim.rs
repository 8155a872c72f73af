//! DKIM: keys that sign, and the signatures (RFC 6376, with 8301 and 8463).
//!
//! A [`Key`] is made here, leaves sealed ([`Key::seal`]) and comes back to sign ([`Key::open`]). A [`Signer`] has the
//! keys of a domain; for each message [`Signer::begin`] takes the message in pieces and answers the fields that stand
//! before it, one a key; or, of a message that is forwarded, the ARC set ([`Signer::begin_seal`]). What they are computed
//! over is `message::dkim`'s. A [`PublicKey`] of others verifies.

mod key;
mod public;
mod signer;

pub use key::{Algorithm, Key, record, strings};
pub use public::{PublicKey, UnfitKey};
pub use signer::{ArcSeal, SignFault, Signer, Signing};
