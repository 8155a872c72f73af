//! Recipients that are elsewhere: behind a gateway, or where a route refuses.

use super::{Host, House, Taken};
use mailward_core::Address;
use mailward_core::event::Event;
use mailward_core::limits::CALLOUT_ALIAS_TIME;
use mailward_delivery::needs;
use mailward_directory::routes::{Leads, Owner};
use mailward_gate::{Offers, Refusal, RelayPermit, decide_gateway};
use mailward_smtp::Reply;
use mailward_smtp::server::{MailGiven, RecipientTicket};
use mailward_store::records::Content;

impl Host<'_> {
    /// What was decided on a recipient, or what a gateway's inside server says if the domain isn't ours; with what the
    /// servers take that it leads to, as far as that is known.
    pub(super) async fn behind_gateway(
        &self,
        ticket: &RecipientTicket<'_, House>,
        address: Option<&Address>,
        decided: Result<RelayPermit, Refusal>,
    ) -> Result<(RelayPermit, Offers), Refusal> {
        let is_elsewhere = match &decided {
            Ok(permit) => permit.targets().is_empty() && permit.remote().first() == address,
            Err(refusal) => matches!(refusal, Refusal::RelayDenied | Refusal::NoSending),
        };
        let Some(address) = address.filter(|address| is_elsewhere && !self.is_ours(address)) else {
            let permit = decided?;
            let asked = tokio::time::timeout(CALLOUT_ALIAS_TIME, self.all_behind(ticket, &permit)).await;
            let offers = asked.unwrap_or(Err(Refusal::InsideUnknown))?;
            return Ok((permit, offers));
        };
        let (table, sender) = (self.context.directory.routes().table(), &ticket.mail().sender.permit);
        match decide_gateway(&table, &*self.context.inside, sender, address).await {
            Some(behind) => behind.map(|behind| (behind.permit, behind.offers)),
            None => decided.map(|permit| (permit, Offers::ALL)),
        }
    }

    /// Asks for everybody behind gateways that an address of ours leads to: its mail would come back from there to whoever
    /// is named as its sender. Who goes another way by a route isn't asked for.
    async fn all_behind(&self, ticket: &RecipientTicket<'_, House>, permit: &RelayPermit) -> Result<Offers, Refusal> {
        let (table, mail) = (self.context.directory.routes().table(), ticket.mail());
        let mut offers = Offers::ALL;
        for address in permit.remote() {
            let decided = table.decide(mail.path.address(), address);
            if !decided.is_some_and(|decided| matches!(decided.by.owner, Owner::Gateway(_))) {
                continue;
            }
            if let Some(behind) = decide_gateway(&table, &*self.context.inside, &mail.sender.permit, address).await {
                offers = offers.and(behind?.offers);
            }
        }
        Ok(offers)
    }

    fn is_ours(&self, address: &Address) -> bool {
        address.domain().is_none_or(|domain| self.context.directory.is_local_domain(domain))
    }

    /// What a route that refuses says, before anything is taken that would only bounce.
    pub(super) fn route_refuses(
        &self,
        mail: &MailGiven<House>,
        recipient: &dyn std::fmt::Display,
        permit: &RelayPermit,
    ) -> Option<Reply> {
        let table = self.context.directory.routes().table();
        // As it will be queued: what is forwarded goes out from the alias.
        let sender = permit.forwarded().or(mail.path.address());
        let refusing =
            permit.remote().iter().filter_map(|address| table.decide(sender, address)).find_map(
                |decided| match &decided.by.leads {
                    Leads::Error { code, text } => Some((*code, text.clone(), decided.by.owner.clone())),
                    _ => None,
                },
            );
        let (code, text, owner) = refusing?;
        let event = Event::info("recipient.refused").with_peer(self.peer).with("sender", &mail.path);
        self.context.events.emit(event.with("recipient", recipient).with("reason", owner));
        Some(Reply::refusing(code, &text))
    }
}

/// Why mail that comes as MAIL says can't be given to the servers of a recipient, if that is so.
pub(super) fn unfit(mail: &MailGiven<House>, permit: &RelayPermit, offers: Offers) -> Option<Reply> {
    let size = mail.parameters.size.unwrap_or(1);
    // A sender that is rewritten keeps what of it isn't ASCII, and the address that it is forwarded from stands before it.
    let sender = [mail.path.address(), permit.forwarded()];
    let utf8 = sender.into_iter().flatten().any(|address| !address.is_ascii());
    if offers.size.is_some_and(|most| size > most) {
        Some(Reply::TOO_LARGE)
    } else if mail.parameters.require_tls && !offers.require_tls {
        Some(Reply::NO_REQUIRETLS)
    } else if utf8 && !offers.utf8 {
        Some(Reply::NO_UTF8_ADDRESS)
    } else {
        None
    }
}

/// Why a message can't be given to the servers of one of its recipients, if that is so.
pub(super) fn misfit(recipients: &[Taken], content: &Content, size: usize) -> Option<Reply> {
    let offers = recipients.iter().map(|taken| taken.offers).reduce(Offers::and)?;
    if offers == Offers::ALL {
        return None;
    }
    let needs = needs(content, None);
    if offers.size.is_some_and(|most| u64::try_from(size).unwrap_or(u64::MAX) > most) {
        Some(Reply::TOO_LARGE)
    } else if needs.smtputf8 && !offers.utf8 {
        Some(Reply::NO_UTF8_HEADER)
    } else if needs.eight_bit && !offers.eight_bit {
        Some(Reply::NO_EIGHT_BIT)
    } else {
        None
    }
}
