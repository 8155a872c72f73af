//! What is refused is noted, and its reply gets the name under which it can be found again (`mailward trace`).

use super::{Host, House};
use mailward_core::Address;
use mailward_core::event::Event;
use mailward_gate::journal::{Refused, Stage, Verdict};
use mailward_gate::rates::{OwnRates, RateHit, RateHold, RateVerdict, Subjects};
use mailward_smtp::Reply;
use mailward_smtp::path::ForwardPath;
use mailward_smtp::server::MailGiven;
use std::collections::HashSet;

impl Host<'_> {
    /// Notes a refusal to another host; the reply with its reference. Programs of this host and servers by LMTP know
    /// whom to ask.
    pub(super) fn refer(
        &self,
        stage: Stage,
        verdict: Verdict,
        mail: Option<&MailGiven<House>>,
        recipient: Option<&str>,
        reason: &str,
        reply: &Reply,
    ) -> Reply {
        let sender = mail.map(|mail| mail.path.address().map_or_else(String::new, ToString::to_string));
        let hello = mail.map(|mail| &*mail.greeted.name);
        self.refer_of(stage, verdict, hello, sender.as_deref(), recipient, reason, reply)
    }

    /// The same where there is no transaction yet.
    #[expect(clippy::too_many_arguments, reason = "what is noted of a refusal")]
    pub(super) fn refer_of(
        &self,
        stage: Stage,
        verdict: Verdict,
        hello: Option<&str>,
        sender: Option<&str>,
        recipient: Option<&str>,
        reason: &str,
        reply: &Reply,
    ) -> Reply {
        let Some(journal) = self.context.journal.as_ref().filter(|_| self.peer.address.is_some()) else {
            return reply.clone();
        };
        let words = format!("{} {}", reply.enhanced(), reply.text());
        let refused = Refused {
            stage,
            peer: self.peer,
            hello,
            sender,
            recipient,
            verdict,
            reason,
            code: reply.code(),
            reply: &words,
        };
        reply.referring(&journal.note(&refused).to_string())
    }

    /// The same for a recipient.
    pub(super) fn refer_recipient(
        &self,
        mail: &MailGiven<House>,
        recipient: &ForwardPath,
        verdict: Verdict,
        reason: &str,
        reply: &Reply,
    ) -> Reply {
        self.refer(Stage::Recipient, verdict, Some(mail), Some(&recipient.to_string()), reason, reply)
    }

    /// The same for a whole message.
    pub(super) fn refer_message(&self, mail: &MailGiven<House>, reason: &str, reply: &Reply) -> Reply {
        let recipient = match mail.recipients.first().map(|taken| taken.address.as_ref()) {
            Some(Some(address)) => Some(address.to_string()),
            Some(None) => Some("postmaster".to_owned()),
            None => None,
        };
        self.refer(Stage::Message, of(reply), Some(mail), recipient.as_deref(), reason, reply)
    }

    /// Whose mail it is, for the rate guard; `None` if that isn't counted: programs, other servers of this host, hosts that
    /// the rules let off.
    fn subjects<'s>(&'s self, login: Option<&'s str>, from: Option<&'s Address>) -> Option<Subjects<'s>> {
        let proven = self.judged.as_ref().is_some_and(|judged| judged.is_proven());
        let own = self.own_rates();
        match (&self.stranger, login) {
            (Some(stranger), _) => {
                Some(Subjects { from, proven, account: None, ip: Some(stranger.ip), incoming: true, own })
            }
            (None, Some(account)) => {
                let ip = self.peer.address.filter(|ip| !ip.is_loopback());
                Some(Subjects { from, proven: false, account: Some(account), ip, incoming: false, own })
            }
            (None, None) => None,
        }
    }

    /// Whether the rate guard would let nothing more come of a stranger. Its sender counts when it is known whether it is
    /// proven: who forges one must not bar it.
    pub(super) fn barred(&self) -> Option<RateHit> {
        let rates = self.context.rates.as_ref()?;
        let ip = self.peer.address?;
        rates.barred(&Subjects { ip: Some(ip), incoming: true, own: self.own_rates(), ..Subjects::default() })
    }

    /// What a rule of this address says of its messages.
    fn own_rates(&self) -> OwnRates {
        OwnRates { messages: self.treatment(None, None).limits().messages }
    }

    /// Counts a message that may come now, until it is known whether it is accepted; `None` of whom nobody counts.
    ///
    /// # Errors
    /// What is against it.
    pub(super) fn counted(&self, login: Option<&str>, mail: &MailGiven<House>) -> Result<Option<RateHold>, RateHit> {
        let Some(rates) = &self.context.rates else { return Ok(None) };
        let Some(subjects) = self.subjects(login, mail.path.address()) else { return Ok(None) };
        rates.hold(&subjects, different(mail)).map(Some)
    }

    /// Counts a recipient that isn't there, or that may not be written to; what is against it, if that is one too many.
    pub(super) fn refused_too_often(&self, login: Option<&str>) -> Option<RateHit> {
        let rates = self.context.rates.as_ref()?;
        let subjects = self.subjects(login, None)?;
        match rates.refused(&subjects, 1) {
            RateVerdict::Refuse(hit) => {
                self.context.events.emit(Event::info("recipients.refused").with_peer(self.peer).with("reason", &hit));
                Some(hit)
            }
            RateVerdict::Pass | RateVerdict::Warn(_) => None,
        }
    }
}

/// How many recipients a message has, whoever is named more than once.
fn different(mail: &MailGiven<House>) -> u32 {
    let all = mail.recipients.iter().map(|taken| taken.address.as_ref());
    let count = match all.len() {
        0 | 1 => all.len(),
        _ => all.map(|address| address.map(|a| (a.local().folded(), a.host()))).collect::<HashSet<_>>().len(),
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What a reply makes of what it answers.
pub(super) fn of(reply: &Reply) -> Verdict {
    if reply.is_permanent() { Verdict::Refused } else { Verdict::Deferred }
}
