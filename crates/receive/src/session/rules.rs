//! What the address rules say of a session's client, its sender and its recipients.

use super::recipient::No;
use super::{Host, House};
use mailward_core::event::Event;
use mailward_core::{Address, is_public};
use mailward_gate::rules::{Client, Name, Treatment};
use mailward_gate::{Findings as _, Reverse, SenderPermit};
use mailward_smtp::Reply;
use mailward_smtp::server::MailGiven;

impl Host<'_> {
    /// What the rules say; `None` of what isn't known yet.
    pub(super) fn treatment(&self, from: Option<Option<&Address>>, to: Option<&Address>) -> Treatment {
        let standing = self.stranger.as_ref().map(|stranger| (stranger.inquiry.now(), stranger.named));
        let name = match &standing {
            Some((standing, named)) => match &standing.reverse {
                Reverse::Confirmed(name) => Name::Confirmed(name),
                Reverse::Unconfirmed(_) | Reverse::None => Name::None,
                Reverse::Unknown if !self.peer.address.is_some_and(is_public) => Name::NotAsked,
                Reverse::Unknown if *named || standing.is_whole() => Name::Failed,
                Reverse::Unknown => Name::NotYetKnown,
            },
            None => Name::NotAsked,
        };
        let client = Client { ip: self.peer.address, listener: self.peer.listener, name };
        self.context.rules.of(&client, from, to)
    }

    /// The reply to whom a rule refuses, or would perhaps refuse if a name were known that can't be.
    pub(super) fn refused_by_rule(
        &self,
        treatment: &Treatment,
        from: Option<Option<&Address>>,
        to: Option<&Address>,
    ) -> Option<Reply> {
        if treatment.is_put_off() {
            return Some(Reply::NAME_UNKNOWN);
        }
        if !treatment.is_refused() {
            return None;
        }
        let mut event = Event::info("rule.refused").with_peer(self.peer);
        if let Some(rule) = treatment.rule() {
            event = event.with("rule", rule);
        }
        if let Some(from) = from {
            event = event.with("sender", from.map_or_else(|| "<>".to_owned(), ToString::to_string));
        }
        if let Some(to) = to {
            event = event.with("recipient", to);
        }
        self.context.events.emit(event);
        Some(treatment.words().map_or(Reply::REFUSED_BY_RULE, |words| Reply::refusing(550, words)))
    }

    /// The right of a transaction's sender towards one recipient, now that it is known, and whether a stranger is weighed for it.
    ///
    /// # Errors
    /// Why not, if a rule refuses the recipient, or lets no more of them pass.
    pub(super) fn toward(
        &self,
        mail: &MailGiven<House>,
        recipient: Option<&Address>,
    ) -> Result<(SenderPermit, bool), No> {
        let postmaster = self.context.directory.postmaster();
        let (from, to) = (Some(mail.path.address()), recipient.or(postmaster.as_ref()));
        let treatment = self.treatment(from, to);
        if let Some(reply) = self.refused_by_rule(&treatment, from, to) {
            return Err(No::noted(reply, reason_of(&treatment)));
        }
        let most = treatment.limits().recipients.and_then(|most| usize::try_from(most).ok());
        if most.is_some_and(|most| mail.recipients.len() >= most) {
            return Err(No::plain(Reply::TOO_MANY_RECIPIENTS));
        }
        Ok((mail.sender.permit.toward(&treatment), treatment.is_checked()))
    }
}

/// Which rule refuses, for whoever looks for it later.
pub(super) fn reason_of(treatment: &Treatment) -> String {
    if treatment.is_put_off() {
        return "a rule about names, and the client's name can't be looked up".to_owned();
    }
    treatment.rule().map_or_else(|| "a rule".to_owned(), |rule| format!("rule {rule}"))
}
