//! RCPT: whether a recipient is taken.

use super::{Host, House, Taken, gateway};
use crate::{forward, replies};
use mailward_core::AccountId;
use mailward_gate::Recipient;
use mailward_smtp::Reply;
use mailward_smtp::path::ForwardPath;
use mailward_smtp::server::RecipientTicket;

impl Host<'_> {
    pub(super) async fn recipient(&self, ticket: RecipientTicket<'_, House>) {
        let (recipient, address) = match ticket.path() {
            ForwardPath::Postmaster => (Recipient::Postmaster, None),
            ForwardPath::Address(address) => (Recipient::Address(address), Some(address.clone())),
        };
        let sender = match self.toward(&ticket, address.as_ref()) {
            Ok(sender) => sender,
            Err(reply) => return ticket.refuse(&reply),
        };
        let decided = forward::decide(self.context, ticket.mail(), &sender, self.program.as_ref(), recipient).await;
        let decided = self.behind_gateway(&ticket, address.as_ref(), decided).await;
        let (permit, offers) = match decided {
            Ok((permit, _)) if forward::is_one_too_many(&permit, ticket.mail()) => {
                return ticket.refuse(&Reply::TOO_MANY_RECIPIENTS);
            }
            Ok(decided) => decided,
            Err(refusal) => {
                self.recipient_refused(&ticket, refusal);
                return ticket.refuse(&replies::refusal(refusal));
            }
        };
        if let Some(reply) = self.route_refuses(&ticket, &permit) {
            return ticket.refuse(&reply);
        }
        if let Some(reply) = gateway::unfit(ticket.mail(), &permit, offers) {
            return ticket.refuse(&reply);
        }
        let size = ticket.mail().parameters.size.unwrap_or(1);
        for target in permit.targets() {
            if self.context.full.contains(target.account) && !self.has_room(target.account, size).await {
                return ticket.refuse(&Reply::MAILBOX_FULL);
            }
        }
        let parameters = ticket.parameters().clone();
        ticket.accept(Taken { permit, address, parameters, offers });
    }

    /// Asks whether an account that was full has room again.
    pub(super) async fn has_room(&self, account: AccountId, size: u64) -> bool {
        let room = self.context.store.usage(account).await.is_ok_and(|usage| usage.admits(size));
        if room {
            self.context.full.remove(account);
        }
        room
    }
}
