//! # fetch: mail of accounts elsewhere
//!
//! **For**: mailboxes that an organisation or its people have at other providers: visited by POP3 or IMAP on a schedule,
//! new mail delivered to users here, and deleted there only after the commit here.
//!
//! **In**: accounts as administrators keep them ([`Accounts`]), and what their servers answer, which is an outsider's word.
//! **Out**: one commit a message, by the same way as received mail (trace, structure, INBOX of each recipient), with the
//! note that it was taken in the same commit. **[`Runner`]** visits each account when it is due.
//!
//! **Judged** as mail from elsewhere by [`Judge`], before it is delivered: junk is filed as junk, and what SMTP would refuse is kept
//! in the quarantine, as nobody could hear a refusal. What can't be judged now stays there until the next visit.
//!
//! **To whom**: one user, or whom the envelope fields name that the provider writes ([`envelope`]), never `To` or `Cc`. Only
//! ever to users here: there is no relaying, and nobody is bounced to.
//!
//! **Exactly once**: a message is known by the server's name for it, and by a digest of its bytes; what is noted isn't
//! delivered again, and nothing is deleted there whose bytes aren't here. A message whose name was given to another, two
//! messages of one name, and numbers that begin anew are told apart by their bytes.
//!
//! **TLS** always, from the first byte or by STLS and STARTTLS; the server's certificate must prove its name. There is no
//! setting that sends a password, or fetches mail, in clear.
//!
//! **Limits**: `limits::FETCH_*`: lines, literals, listings, messages and bytes of a visit, silence and the whole visit,
//! accounts and what is remembered of each.
//!
//! **Failure**: an account whose visits fail is visited less often, and after six hours an alert says so. A password that
//! is refused ends its visits until somebody acts. A message that can't be taken stays where it is, is told of, and holds
//! up no other. One for several users goes to those who have room, each noted in that commit, and to the rest later.
//!
//! **Standards**: RFC 1939 (POP3), 2449 (CAPA), 2595 (STLS), 3206 (AUTH), 5034 (SASL); RFC 3501 and 9051 (IMAP), 4315
//! (UIDPLUS), 4959 (SASL-IR), 5530 (codes); RFC 4616 (PLAIN), 8314 (TLS); RFC 5321 §4.4 (trace).

mod account;
mod accounts;
pub mod clean;
mod connect;
mod deliver;
pub mod envelope;
mod error;
pub mod imap;
mod judgement;
mod maildrop;
mod noted;
pub mod pop3;
mod runner;
mod visit;
mod waiting;
mod wire;

pub use account::{After, Name, Protocol, Server, Settings, SettingsChange, SettingsError, Tls, To};
pub use accounts::{Accounts, Info, State};
pub use error::FetchError;
pub use judgement::Judge;
pub use runner::{Parts, Runner};
