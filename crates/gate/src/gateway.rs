//! Mail for domains of inside servers: taken from anybody, but only for recipients that the inside server takes.

use crate::relay::{Refusal, RelayPermit, SenderPermit};
use mailward_core::Address;
use mailward_directory::routes::{Gateway, GatewayCheck, RouteTable};
use std::future::Future;
use std::pin::Pin;

/// What an inside server takes: mail that is otherwise would only bounce, to whoever is named as its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offers {
    /// Bytes of the largest message (RFC 1870), if it said.
    pub size: Option<u64>,
    /// Addresses and headers outside ASCII (RFC 6531).
    pub utf8: bool,
    /// Bytes over 127 (RFC 6152).
    pub eight_bit: bool,
    /// What may only travel encrypted, to hosts that prove who they are (RFC 8689): it says so, and it did.
    pub require_tls: bool,
}

impl Offers {
    /// Nothing that it is known not to take.
    pub const ALL: Self = Self { size: None, utf8: true, eight_bit: true, require_tls: true };

    /// What both take.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            size: [self.size, other.size].into_iter().flatten().min(),
            utf8: self.utf8 && other.utf8,
            eight_bit: self.eight_bit && other.eight_bit,
            require_tls: self.require_tls && other.require_tls,
        }
    }
}

/// What an inside server says of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsideAnswer {
    /// It takes mail for them, if it is so.
    Takes(Offers),
    /// It doesn't, for good.
    Refuses,
    /// It can't even be told of them: it takes no addresses outside ASCII.
    NotAscii,
    /// Nobody knows now; the words say why.
    Unknown(String),
}

/// Who asks inside servers.
pub trait Inside: Send + Sync + 'static {
    /// What the server of a gateway says of a recipient there. Answers in bounded time.
    fn ask<'a>(
        &'a self,
        gateway: &'a Gateway,
        recipient: &'a Address,
    ) -> Pin<Box<dyn Future<Output = InsideAnswer> + Send + 'a>>;

    /// Whether what is taken for inside servers is passed on at all: else nothing is, whoever needn't be asked about.
    fn passes_on(&self) -> bool {
        true
    }
}

/// Nobody can be asked, and nothing is passed on: all mail for inside servers is refused for now.
#[derive(Clone, Copy, Debug)]
pub struct NobodyInside;

impl Inside for NobodyInside {
    fn ask<'a>(
        &'a self,
        _gateway: &'a Gateway,
        _recipient: &'a Address,
    ) -> Pin<Box<dyn Future<Output = InsideAnswer> + Send + 'a>> {
        Box::pin(async { InsideAnswer::Unknown("nobody asks inside servers here".to_owned()) })
    }

    fn passes_on(&self) -> bool {
        false
    }
}

/// A recipient behind a gateway that mail is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayPermit {
    /// The right.
    pub permit: RelayPermit,
    /// What the inside server takes, as far as it is known.
    pub offers: Offers,
}

/// Decides on a recipient that [`crate::decide_recipient`] found to be of no domain of ours, or on an address that one of
/// ours leads to. `None`: there is no gateway for the domain, and what was decided stands. Not by LMTP, by which another
/// server hands us what is for our mailboxes.
///
/// # Errors
/// Within: [`Refusal::UnknownUser`], [`Refusal::InsideUnknown`].
pub async fn decide_gateway(
    table: &RouteTable,
    inside: &dyn Inside,
    sender: &SenderPermit,
    recipient: &Address,
) -> Option<Result<GatewayPermit, Refusal>> {
    let gateway = table.gateway(recipient.domain()?)?;
    if sender.is_local() {
        return None;
    }
    // An inside server trusts us more than strangers: what it might read as a way to somebody else never gets there
    // (attacks A1, 5 to 16), unless the administrator has listed just this.
    if leads_on(recipient.local().as_str()) && !table.is_listed(gateway, recipient) {
        return Some(Err(Refusal::UnknownUser));
    }
    if !inside.passes_on() {
        // It would lie in the queue until somebody sends again, or for ever.
        return Some(Err(Refusal::InsideUnknown));
    }
    let answer = match gateway.check {
        GatewayCheck::Callout => inside.ask(gateway, recipient).await,
        GatewayCheck::List if table.is_listed(gateway, recipient) => InsideAnswer::Takes(Offers::ALL),
        GatewayCheck::List => InsideAnswer::Refuses,
        GatewayCheck::None => InsideAnswer::Takes(Offers::ALL),
    };
    Some(match answer {
        InsideAnswer::Takes(offers) => Ok(GatewayPermit {
            permit: RelayPermit::passed_on(recipient.clone()),
            offers: Offers { size: offers.size.filter(|size| *size > 0), ..offers },
        }),
        InsideAnswer::Refuses => Err(Refusal::UnknownUser),
        InsideAnswer::NotAscii => Err(Refusal::NotAscii),
        InsideAnswer::Unknown(_) => Err(Refusal::InsideUnknown),
    })
}

/// Whether a local part could be read as an address of its own: source routes, percent signs, bangs.
fn leads_on(local: &str) -> bool {
    local.contains(['@', '%', '!', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_part_that_is_an_address_of_its_own_leads_on() {
        for local in ["u%t.example", "u@t.example", "t.example!u", "@s.example:u@t.example"] {
            assert!(leads_on(local), "{local}");
        }
        assert!(!leads_on("ann+tag") && !leads_on("o'neill") && !leads_on("a=b"));
    }
}
