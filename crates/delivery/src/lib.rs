//! # delivery: where an accepted message goes
//!
//! **For**: turning what a session accepted into what the store keeps: the trace fields before it, its structure and
//! hash beside it, and the mailboxes it goes to. Bringing what is owed to other hosts there ([`queue::Runner`]), forwarded
//! mail with a rewritten sender and a seal ([`Forwarder`]), and telling their domains how TLS went ([`tls_reports`]).
//!
//! **In**: the facts of a transaction ([`Trace`]), the bytes behind them ([`prepare`]), and the right to put them
//! somewhere ([`mailward_gate::RelayPermit`]). **Out**: one commit ([`deliver`]), or for LMTP an answer for each
//! recipient ([`deliver_each`]). Every account gets a message once, whatever aliases lead to it. What goes out: messages to
//! hosts, sockets and Maildirs, and what came of each recipient in one commit with the bounce or warning that tells it; a
//! report a day for each domain that asks for one.
//!
//! **Words for people**: [`answers`] explains what another server's answer means, [`notice`] makes the text of bounces and
//! delay notices of that.
//!
//! A message is written once, behind its trace, in one buffer that becomes the store's: it isn't copied on the way.
//!
//! What is sent gets its DKIM signatures here ([`sign`]); `vault` has keys and signs, `directory` says
//! which key.
//!
//! **Gateways**: [`Callout`] asks inside servers for their recipients.
//! **Care**: what users send is counted, held and watched by [`care`].
//! **Alerts** become mail by a [`alerts::Postman`], what the quarantine holds by [`digest::Digests`].
//!
//! **Limits**: [`SIGN_PIECE`](mailward_core::limits::SIGN_PIECE),
//! [`HEADER_BYTES_MAX`](mailward_core::limits::HEADER_BYTES_MAX),
//! [`HEADER_FIELDS_MAX`](mailward_core::limits::HEADER_FIELDS_MAX),
//! [`RECEIVED_HOPS_MAX`](mailward_core::limits::RECEIVED_HOPS_MAX),
//! [`ANSWER_TEXT_MAX`](mailward_core::limits::ANSWER_TEXT_MAX),
//! [`ANSWER_SHOWN_MAX`](mailward_core::limits::ANSWER_SHOWN_MAX); of the queue runner `QUEUE_*`, `MAILDIR_*`, `NOTICE_*`,
//! `BOUNCE_*`; of gateways `CALLOUT*`; of care `FREEZE_*`, `SCHEDULE*`; of forwarding `SRS_TIME`, `ARC_SETS_MAX`,
//! `DKIM_KEYS_TIME`; of reports `TLS_REPORT_*`.
//!
//! **Failure**: all accounts of a commit have the message or none; the store's error comes back as it is. What can't be sent
//! now waits in the queue, and is given up with a bounce; after a crash what was under way is due again.
//!
//! **Standards**: RFC 6376 (DKIM), RFC 5321 §4.4 (trace), §5.1 (hosts), §6.3 (loops), RFC 3848 and RFC 6531 §4.3 (`with`), RFC 2033
//! §4.2 (LMTP), RFC 3461 (DSN), RFC 3463, 5248, 7372 (what answers mean), RFC 7672 (DANE), RFC 8689 (REQUIRETLS), RFC
//! 8617 (ARC), RFC 8460 (TLS reports).

pub mod alerts;
pub mod answers;
mod callout;
pub mod care;
mod deliver;
pub mod digest;
pub mod dmarc_reports;
mod fate;
mod forward;
pub mod notice;
mod prepare;
pub mod queue;
mod reporting;
mod send_on;
mod sign;
pub mod tls_reports;
mod trace;

pub use callout::Callout;
pub use deliver::{accounts, deliver, deliver_each};
pub use fate::{Fate, JUNK, Keeping};
pub use forward::{Forwarder, NotForwarded, Parts as ForwarderParts};
pub use mailward_message::accept::HeaderFault;
pub use prepare::{Looked, look, prepare, strip};
pub use send_on::{Addressed, Inside, Transaction, needs, queued, queued_by};
pub use sign::{SignError, sign, sign_pieces};
pub use trace::{Trace, With};
