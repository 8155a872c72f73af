//! RCPT: whether a recipient is taken.
//!
//! The order matters. What the rules refuse, and what isn't ours, is told at once. A stranger that is refused hears the same
//! for everybody, so that it learns nothing of who is here; for others it is looked. Only whom there is mail for is put off.

use super::stranger::sender_domain;
use super::{Host, House, Taken, gateway, refused};
use crate::guard::Judged;
use crate::{forward, replies};
use mailward_core::event::Event;
use mailward_core::limits::{
    SMTP_UNKNOWN_RECIPIENTS_BAD_MAX, SMTP_UNKNOWN_RECIPIENTS_MAX, TARPIT_FREE, TARPIT_MAX, TARPIT_STEP,
};
use mailward_core::{AccountId, Address};
use mailward_directory::Login;
use mailward_gate::greylist::GreylistAnswer;
use mailward_gate::journal::Verdict as Noted;
use mailward_gate::score::Verdict;
use mailward_gate::{Recipient, Refusal, RelayPermit, SenderDomain};
use mailward_smtp::Reply;
use mailward_smtp::path::ForwardPath;
use mailward_smtp::server::{Closing, RecipientTicket};
use mailward_tls::Wire;
use std::sync::Arc;
use std::time::Duration;

/// Why a recipient isn't taken.
pub(super) struct No {
    reply: Reply,
    /// It is noted with this.
    reason: Option<(Noted, String)>,
    /// Whoever guesses gets it late.
    late: bool,
    /// There is no such recipient, or none any more.
    unknown: bool,
    /// A milter refused it, and needn't be told.
    filtered: bool,
}

impl No {
    /// Nobody's fault: it isn't noted.
    pub(super) const fn plain(reply: Reply) -> Self {
        Self { reply, reason: None, late: false, unknown: false, filtered: false }
    }
    pub(super) fn noted(reply: Reply, reason: impl Into<String>) -> Self {
        let noted = refused::of(&reply);
        Self { reply, reason: Some((noted, reason.into())), late: false, unknown: false, filtered: false }
    }
    /// Why, for the log.
    pub(super) fn reason(&self) -> String {
        self.reason.as_ref().map_or_else(|| self.reply.to_string(), |(_, reason)| reason.clone())
    }
    /// Refused by a milter.
    pub(super) fn filtered(reply: Reply, reason: String) -> Self {
        Self { filtered: true, ..Self::noted(reply, reason) }
    }
}

impl Host<'_> {
    pub(super) async fn recipient(&mut self, mut ticket: RecipientTicket<'_, House>, wire: &mut Wire) {
        self.mails.is_empty = false;
        let address = match ticket.path() {
            ForwardPath::Postmaster => None,
            ForwardPath::Address(address) => Some(address.clone()),
        };
        let no = match self.taken(&ticket, address).await {
            Ok(taken) => return ticket.accept(taken),
            Err(no) => no,
        };
        if !no.filtered {
            self.filter_refused(&ticket, &no.reply).await;
        }
        if no.unknown
            && let Some(stranger) = &mut self.stranger
        {
            stranger.unknown = stranger.unknown.saturating_add(1);
        }
        let looks_bad = self.stranger.as_ref().is_some_and(|stranger| stranger.looks_bad(self.judged.as_deref()));
        let most = if looks_bad { SMTP_UNKNOWN_RECIPIENTS_BAD_MAX } else { SMTP_UNKNOWN_RECIPIENTS_MAX };
        let too_often = if no.late { self.refused_too_often(account(ticket.login()).as_deref()) } else { None };
        let ends = ticket.ends_with(&no.reply, most);
        if no.late
            && no.reply.is_permanent()
            && self.stranger.is_some()
            && let Some(delay) = tarpit(ticket.refused())
        {
            // What is answered already needn't wait with it.
            let _unread = self.flush(wire, ticket.output()).await;
            let mut shutdown = self.shutdown.clone();
            let _over = tokio::time::timeout(delay, shutdown.fired()).await;
        }
        // What is noted is what is heard.
        let refer = |verdict: Noted, reason: &str, reply: &Reply| {
            self.refer_recipient(ticket.mail(), ticket.path(), verdict, reason, reply)
        };
        let why = no.reason.as_ref().map_or("", |(_, reason)| reason.as_str());
        if let Some(hit) = too_often {
            let reply = refer(Noted::Deferred, &format!("{hit}; the last: {why}"), &Reply::TOO_MUCH_AT_ALL);
            return ticket.end(&reply, Closing::ShutOut);
        }
        if let Some((last, closing)) = ends {
            let reply = refer(Noted::Cut, &format!("too many refused in one session; the last: {why}"), last);
            return ticket.end(&reply, closing);
        }
        let reply = match &no.reason {
            Some((verdict, reason)) => refer(*verdict, reason, &no.reply),
            None => no.reply,
        };
        ticket.refuse_of(&reply, most);
    }

    async fn taken(&mut self, ticket: &RecipientTicket<'_, House>, address: Option<Address>) -> Result<Taken, No> {
        if let Some(stranger) = &mut self.stranger {
            stranger.name_known().await;
        }
        let (sender, is_checked) = self.toward(ticket.mail(), address.as_ref())?;
        let recipient = address.as_ref().map_or(Recipient::Postmaster, Recipient::Address);
        let decided = forward::decide(self.context, ticket.mail(), &sender, self.program.as_ref(), recipient).await;
        if let Err(refusal @ (Refusal::RelayDenied | Refusal::NoSending)) = &decided
            && !self.is_behind_gateway(address.as_ref())
        {
            return Err(self.no(ticket, *refusal));
        }
        let judged = if is_checked { self.judged(ticket).await } else { None };
        let is_contact = self.is_contact(address.as_ref(), &decided);
        if let Some(judged) = judged.as_ref().filter(|_| !is_contact) {
            self.weighed(ticket, judged)?;
        }
        let (permit, offers) = match self.behind_gateway(ticket, address.as_ref(), decided).await {
            Ok((permit, _)) if forward::is_one_too_many(&permit, ticket.mail()) => {
                return Err(No::plain(Reply::TOO_MANY_RECIPIENTS));
            }
            Ok(decided) => decided,
            Err(refusal) => return Err(self.no(ticket, refusal)),
        };
        if let Some(reply) = self.route_refuses(ticket.mail(), ticket.path(), &permit) {
            return Err(No::noted(reply, "a route refuses it"));
        }
        if let Some(reply) = gateway::unfit(ticket.mail(), &permit, offers) {
            return Err(No::noted(reply, "the servers behind the gateway don't take it"));
        }
        if self.is_full(&permit, ticket.mail().parameters.size.unwrap_or(1)).await {
            return Err(No::noted(Reply::MAILBOX_FULL, "mailbox full"));
        }
        if let Some(judged) = &judged {
            self.put_off(ticket, judged, address.as_ref())?;
        }
        self.filter_recipient(ticket, permit.remote().is_empty()).await?;
        Ok(Taken { permit, address, parameters: ticket.parameters().clone(), offers })
    }

    fn no(&self, ticket: &RecipientTicket<'_, House>, refusal: Refusal) -> No {
        self.recipient_refused(ticket, refusal);
        let late = matches!(refusal, Refusal::UnknownUser | Refusal::Disabled | Refusal::RelayDenied);
        let unknown = matches!(refusal, Refusal::UnknownUser | Refusal::Disabled);
        No { late, unknown, ..No::noted(replies::refusal(refusal), refusal.to_string()) }
    }

    /// What is known of a stranger and its sender; waits for what is being found out. `None`: nobody is asked.
    async fn judged(&mut self, ticket: &RecipientTicket<'_, House>) -> Option<Arc<Judged>> {
        let mail = ticket.mail();
        let (stranger, envelope) = (self.stranger.as_mut()?, mail.sender.asked.as_ref()?);
        let judged = Arc::new(stranger.judge(sender_domain(mail), envelope, ticket.is_hasty()).await);
        self.judged = Some(Arc::clone(&judged));
        Some(judged)
    }

    /// Refuses a stranger, if what is known of it and its sender asks for that: the same for every recipient.
    fn weighed(&self, ticket: &RecipientTicket<'_, House>, judged: &Judged) -> Result<(), No> {
        let reply = match judged.domain {
            Some(SenderDomain::NullMx) => Some(Reply::SENDER_TAKES_NONE),
            Some(SenderDomain::NoDomain | SenderDomain::Nowhere) => Some(Reply::SENDER_NOWHERE),
            Some(SenderDomain::Unknown) => Some(Reply::SENDER_UNKNOWN),
            // That it wasn't asked about is our fault, not the sender's.
            Some(SenderDomain::Exists | SenderDomain::NotAsked) | None => None,
        };
        if let (Some(reply), Some(domain)) = (reply, judged.domain) {
            let reason = format!("the sender's domain: {domain}");
            self.stranger_refused(ticket, judged, &reason);
            return Err(No::noted(reply, reason));
        }
        let Some(stranger) = &self.stranger else { return Ok(()) };
        if judged.judgement.verdict(stranger.marks) < Verdict::Refused {
            return Ok(());
        }
        let reason = format!("score {}: {}", judged.judgement.score(), judged.judgement);
        self.stranger_refused(ticket, judged, &reason);
        if !judged.judgement.is_final(stranger.marks) {
            return Err(No { late: true, ..No::noted(Reply::SPF_UNKNOWN, reason) });
        }
        Err(No { late: true, ..No::noted(judged.refusal(), reason) })
    }

    /// Puts off what a stranger brings who looks bad, until it comes again.
    fn put_off(&self, ticket: &RecipientTicket<'_, House>, judged: &Judged, to: Option<&Address>) -> Result<(), No> {
        let Some(stranger) = &self.stranger else { return Ok(()) };
        let Some(wait) = stranger.settings.greylist_wait() else { return Ok(()) };
        if judged.judgement.verdict(stranger.marks) < Verdict::Bad || judged.spared().is_some() {
            return Ok(());
        }
        match stranger.guard.greylist.ask(stranger.ip, ticket.mail().path.address(), to, wait) {
            GreylistAnswer::Passes => Ok(()),
            GreylistAnswer::PutOff(_) => {
                let reason = format!("greylisted, score {}: {}", judged.judgement.score(), judged.judgement);
                self.stranger_refused(ticket, judged, "greylisted");
                Err(No { reason: Some((Noted::PutOff, reason)), ..No::plain(Reply::GREYLISTED) })
            }
        }
    }

    fn stranger_refused(&self, ticket: &RecipientTicket<'_, House>, judged: &Judged, reason: &str) {
        let event = Event::info("recipient.refused")
            .with_peer(self.peer)
            .with("sender", &ticket.mail().path)
            .with("recipient", ticket.path())
            .with("reason", reason)
            .with("score", judged.judgement.score())
            .with("signs", &judged.judgement);
        self.context.events.emit(event);
    }

    /// Whether a recipient is whom a refused host may complain to (RFC 5321 §4.5.1, RFC 2142 §2): that mail is put off at
    /// most.
    fn is_contact(&self, address: Option<&Address>, decided: &Result<RelayPermit, Refusal>) -> bool {
        let is_contact = address.is_none_or(|address| {
            let local = address.local().folded();
            let ours = address.domain().is_some_and(|domain| self.context.directory.is_local_domain(domain));
            ours && matches!(local.as_str(), "postmaster" | "abuse")
        });
        is_contact && decided.is_ok()
    }

    fn is_behind_gateway(&self, address: Option<&Address>) -> bool {
        let table = self.context.directory.routes().table();
        address.and_then(Address::domain).is_some_and(|domain| table.gateway(domain).is_some())
    }

    /// Whether somebody whom a permit leads to has no room for so many bytes, as far as is remembered.
    pub(super) async fn is_full(&self, permit: &RelayPermit, size: u64) -> bool {
        for target in permit.targets() {
            if self.context.full.contains(target.account) && !self.has_room(target.account, size).await {
                return true;
            }
        }
        false
    }

    /// Asks whether an account that was full has room again.
    async fn has_room(&self, account: AccountId, size: u64) -> bool {
        let room = self.context.store.usage(account).await.is_ok_and(|usage| usage.admits(size));
        if room {
            self.context.full.remove(account);
        }
        room
    }
}

/// How much later one more refused recipient is answered (attacks A6); costs no thread, only the guesser's time.
fn tarpit(refused: usize) -> Option<Duration> {
    let steps = refused.saturating_add(1).checked_sub(TARPIT_FREE).filter(|steps| *steps > 0)?;
    Some(TARPIT_STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)).min(TARPIT_MAX))
}

/// The address of whoever is logged in, as the rate guard counts it.
pub(super) fn account(login: Option<&Login>) -> Option<String> {
    login.map(|login| login.address().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attacks A6.
    #[test]
    fn each_guess_is_answered_later_up_to_a_limit() {
        let all: Vec<_> = (0..15).map(|refused| tarpit(refused).map_or(0, |delay| delay.as_secs())).collect();
        assert_eq!(all, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10]);
        assert_eq!(tarpit(usize::MAX), Some(TARPIT_MAX));
    }
}
