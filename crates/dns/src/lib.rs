//! # dns: the resolver
//!
//! **For**: questions to the DNS in the house's words, the way mail goes to a domain, and what DANE demands of a host.
//!
//! **In**: domains, addresses, [`mailward_core::config::Dns`]. **Out**: [`Found`] records that say whether DNSSEC proved
//! them and until when they hold, or a [`LookupError`] that tells "there is none" from "nobody knows now" from "somebody
//! lies"; [`MailHosts`] in the order to try them; [`Dane`] for one of them.
//!
//! Callers take `&dyn` [`Lookup`], so that a test can stand a zone of its own in the resolver's place. [`Resolver`] asks
//! recursive servers (those configured, or the system's) by UDP, by TCP where an answer doesn't fit, and checks every
//! signature itself from the root's keys down: what a server says of its own checking isn't believed.
//!
//! **Limits**: `limits::DNS_*` and `limits::ROUTE_*`: time of a try and of a whole lookup, questions that one lookup may
//! cost, records of one answer, aliases that are followed, names kept in memory and for how long, hosts of a domain and
//! addresses of a host that are looked at, TLSA records.
//!
//! **Failure**: a server that is silent, unreachable or failing, an answer past a limit: [`LookupError::Temporary`]. A
//! signature that doesn't hold, or one that is missing where there has to be one: [`LookupError::Bogus`]. Both mean
//! "later" to whoever sends mail, never "no".
//!
//! **Standards**: RFC 1035, RFC 2181 §5 and §10.3, RFC 2308 (negative answers), RFC 9520 (failures), RFC 4033–4035, 5155,
//! 6840, 9276 (DNSSEC), RFC 5321 §5.1 and RFC 7505 (mail hosts), RFC 6698, 7671, 7672 (DANE), RFC 2782
//! (services), RFC 8659 and 8657 (who may certify).

mod answer;
mod caa;
mod dane;
mod denial;
mod lookup;
mod name;
mod resolver;
mod route;
mod turns;
mod wire;

pub use answer::look;
pub use caa::{Allowed, Issuer, allowed, caa};
pub use dane::{Dane, Matching, Selector, Tlsa, Usage, dane};
pub use lookup::{Alias, Answer, CaaRecord, Found, Kind, Lookup, LookupError, Mx, NoDns, Srv, TlsaRecord};
pub use name::{Name, NameError};
pub use resolver::{Resolver, ResolverError};
pub use route::{LeftOut, MailHost, MailHosts, Ourselves, RouteError, route};
pub use turns::{InTurn, NoTurn, Turn, Turns};
