//! Recipients that are elsewhere: behind a gateway, or where a route refuses.

use super::{Host, House, Taken};
use mailward_core::Address;
use mailward_core::event::Event;
use mailward_directory::routes::Leads;
use mailward_gate::{Refusal, RelayPermit, decide_gateway};
use mailward_smtp::Reply;
use mailward_smtp::server::RecipientTicket;

impl Host<'_> {
    /// What was decided on a recipient, or what a gateway's inside server says if the domain isn't ours; with the largest
    /// message that it takes, if that is known.
    pub(super) async fn behind_gateway(
        &self,
        ticket: &RecipientTicket<'_, House>,
        address: Option<&Address>,
        decided: Result<RelayPermit, Refusal>,
    ) -> Result<(RelayPermit, Option<u64>), Refusal> {
        let is_elsewhere = match &decided {
            Ok(permit) => permit.targets().is_empty() && permit.remote().first() == address,
            Err(refusal) => matches!(refusal, Refusal::RelayDenied | Refusal::NoSending),
        };
        let Some(address) = address.filter(|address| is_elsewhere && !self.is_ours(address)) else {
            return decided.map(|permit| (permit, None));
        };
        let (table, sender) = (self.context.directory.routes().table(), &ticket.mail().sender);
        match decide_gateway(&table, &*self.context.inside, sender, address).await {
            Some(behind) => behind.map(|behind| (behind.permit, behind.size)),
            None => decided.map(|permit| (permit, None)),
        }
    }

    fn is_ours(&self, address: &Address) -> bool {
        address.domain().is_none_or(|domain| self.context.directory.is_local_domain(domain))
    }

    /// What a route that refuses says, before anything is taken that would only bounce.
    pub(super) fn route_refuses(&self, ticket: &RecipientTicket<'_, House>, permit: &RelayPermit) -> Option<Reply> {
        let table = self.context.directory.routes().table();
        // As it will be queued: what is forwarded goes out from the alias.
        let sender = permit.forwarded().or(ticket.mail().path.address());
        let refusing =
            permit.remote().iter().filter_map(|address| table.decide(sender, address)).find_map(
                |decided| match &decided.by.leads {
                    Leads::Error { code, text } => Some((*code, text.clone(), decided.by.owner.clone())),
                    _ => None,
                },
            );
        let (code, text, owner) = refusing?;
        let event = Event::info("recipient.refused").with_peer(self.peer).with("sender", &ticket.mail().path);
        self.context.events.emit(event.with("recipient", ticket.path()).with("reason", owner));
        Some(Reply::refusing(code, &text))
    }
}

/// Whether a message has more bytes than the server of one of its recipients takes.
pub(super) fn is_too_large(recipients: &[Taken], size: usize) -> bool {
    let most = recipients.iter().filter_map(|taken| taken.most).min();
    most.is_some_and(|most| u64::try_from(size).unwrap_or(u64::MAX) > most)
}
