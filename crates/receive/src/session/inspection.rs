//! A message is judged, and what follows from it: a reply, a place, fields of its header.

use super::kept::Alert;
use super::sender::telling;
use super::{Host, House, Taken};
use crate::replies;
use bytes::Bytes;
use mailward_core::event::Event;
use mailward_core::limits::QUARANTINE_NOTE_MAX;
use mailward_core::{AccountId, Address, Network, Protocol, Timestamp};
use mailward_delivery::care::Telling;
use mailward_delivery::{Fate, Keeping, Looked};
use mailward_gate::score::Evidence;
use mailward_inspect::quarantine::Note;
use mailward_inspect::spf::Identity;
use mailward_inspect::{Action, Direction, Finding, Inspected, Recipient, Subject, verdict_field};
use mailward_smtp::Reply;
use mailward_smtp::server::MailGiven;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is done with a message that was judged.
pub(super) struct Judgement {
    /// What becomes of it for each recipient, in their order.
    pub(super) fates: Vec<Fate>,
    /// Whom a server that asks for each of them hears a refusal for (LMTP).
    pub(super) refused: Vec<Option<Reply>>,
    /// What is written of what is kept.
    pub(super) keeping: Option<Keeping>,
    /// Whole header fields.
    pub(super) fields: Vec<u8>,
    /// What was found.
    pub(super) inspected: Inspected,
    /// The same as it is remembered; none if it goes its way like any other.
    pub(super) note: Option<Note>,
    /// What the administrator is to hear of it.
    pub(super) alert: Option<Alert>,
    /// What its sender, who is here, is told.
    pub(super) telling: Option<Telling>,
    /// Of what; none: nothing was looked at.
    subject: Option<Subject>,
}

/// What is known of a message beside its envelope and its bytes.
pub(super) struct Brought<'m> {
    /// Who is logged in.
    pub(super) login: Option<AccountId>,
    /// Its name.
    pub(super) id: &'m str,
    /// What a milter found.
    pub(super) found: Option<Finding>,
    /// Whether each recipient gets a reply.
    pub(super) per_recipient: bool,
    /// When it has to be judged.
    pub(super) deadline: Instant,
}

impl Host<'_> {
    /// Judges a message of which a milter may have found something. Without an inspector everything goes its way but that.
    ///
    /// # Errors
    /// It isn't taken: why, and the reply.
    pub(super) async fn inspected(
        &self,
        mail: &MailGiven<House>,
        looked: &Looked,
        brought: Brought<'_>,
    ) -> Result<Judgement, (String, Reply)> {
        let Brought { login, id, found, per_recipient, deadline } = brought;
        let count = mail.recipients.len();
        if self.context.inspector.is_none() && found.is_none() {
            return Ok(Judgement {
                fates: vec![Fate::Goes; count],
                refused: vec![None; count],
                keeping: None,
                fields: Vec::new(),
                inspected: Inspected::default(),
                note: None,
                alert: None,
                telling: None,
                subject: None,
            });
        }
        let subject = self.subject(mail, looked, login, id);
        let mut inspected = match &self.context.inspector {
            Some(inspector) => inspector.inspect(&subject, deadline).await,
            None => Inspected::default(),
        };
        inspected.verdict.findings.extend(found);
        if let (Some(dmarc), Some(found)) = (&self.context.dmarc, &inspected.authentication) {
            dmarc.ledger.note(&subject, found);
        }
        let verdict = &inspected.verdict;
        let actions: Vec<Action> = (0..count).map(|place| verdict.action_for(place)).collect();
        let strongest = actions.iter().copied().max().unwrap_or_default();
        self.tell(&subject, &inspected, strongest);
        // Whoever brings it can have one answer: one that waits makes all wait, and it is refused if nobody may have it. Of those who
        // may not where others may it is kept: nothing is bounced after it was taken.
        let all_refused = actions.iter().all(|action| *action == Action::Reject);
        if strongest == Action::Defer || actions.contains(&Action::Defer) || all_refused {
            if all_refused {
                self.refused_for_all(&subject, verdict);
            }
            let at = if all_refused { Action::Reject } else { Action::Defer };
            let place = actions.iter().position(|action| *action == at).unwrap_or(0);
            let reasons: Vec<String> = verdict.reasons(place).map(Finding::to_string).collect();
            let reply = verdict.reasons(place).next().map_or(Reply::LOCAL_ERROR, replies::finding);
            return Err((reasons.join("; "), reply));
        }
        let outgoing = subject.direction != Direction::Incoming;
        let mut refused = vec![None; count];
        let mut fates = Vec::with_capacity(count);
        for (place, action) in actions.iter().enumerate() {
            fates.push(match action {
                Action::Deliver | Action::Mark | Action::Warn => Fate::Goes,
                // What users send isn't junk to those who get it because a filter here thinks so.
                Action::Junk if outgoing => Fate::Goes,
                Action::Junk => Fate::Junk,
                Action::Reject if per_recipient => {
                    if let Some(slot) = refused.get_mut(place) {
                        *slot = verdict.reasons(place).next().map(replies::finding);
                    }
                    Fate::Kept
                }
                Action::Hold | Action::Quarantine | Action::Defer | Action::Reject => Fate::Kept,
            });
        }
        let is_kept = fates
            .iter()
            .zip(&mail.recipients)
            .any(|(fate, taken)| *fate == Fate::Kept || (*fate == Fate::Junk && !taken.permit.remote().is_empty()));
        let note = (strongest > Action::Deliver).then(|| Note::of(&subject, verdict));
        let keeping = note.as_ref().filter(|_| is_kept).map(|note| self.keeping(&subject, note));
        let alert = note.as_ref().filter(|_| is_kept && self.context.settings.load().quarantine_alert);
        let alert = alert.and_then(|note| Alert::of(note, &subject));
        let telling = if outgoing { telling(&subject, verdict) } else { None };
        let fields = verdict_field(&inspected, &self.context.hostname);
        Ok(Judgement {
            fates,
            refused,
            keeping,
            fields: fields.into_bytes(),
            inspected,
            note,
            alert,
            telling,
            subject: Some(subject),
        })
    }

    fn subject(&self, mail: &MailGiven<House>, looked: &Looked, login: Option<AccountId>, id: &str) -> Subject {
        let sender = mail.path.address().cloned();
        let ours = mail.sender.permit.sends_out()
            || self.program.is_some()
            || self.peer.listener.protocol() == Protocol::Submission;
        let direction = match ours {
            false => Direction::Incoming,
            true if mail.recipients.iter().any(|taken| !taken.permit.remote().is_empty()) => Direction::Outgoing,
            true => Direction::Internal,
        };
        let judged = self.judged.as_ref();
        let spf = judged.and_then(|judged| judged.spf.clone());
        let signs = judged.map(|judged| judged.judgement.evidence().iter().map(sign).collect()).unwrap_or_default();
        Subject {
            bytes: looked.bytes.clone(),
            trace: looked.trace,
            structure: Arc::clone(&looked.structure),
            id: Arc::from(id),
            direction,
            client: self.peer.address,
            hello: Arc::from(&*mail.greeted.name),
            reverse: judged.and_then(|judged| judged.reverse.confirmed()).map(|name| Arc::from(name.as_str())),
            stranger: self.stranger.is_some(),
            sender,
            recipients: mail.recipients.iter().map(recipient).collect(),
            login,
            spf: spf.filter(|spf| spf.identity == Identity::MailFrom || mail.path.address().is_none()),
            signs,
            correspondent: judged.is_some_and(|judged| judged.correspondent),
            now: self.context.clock.now(),
        }
    }

    /// Has a message that was taken read beside the session, if it is a report of how others authenticated mail of ours. What
    /// was found bad enough to be kept from anybody isn't opened here.
    pub(super) fn heard(&self, judgement: &Judgement) {
        let (Some(dmarc), Some(subject)) = (&self.context.dmarc, &judgement.subject) else { return };
        let Some(found) =
            judgement.inspected.authentication.as_ref().filter(|_| !judgement.fates.contains(&Fate::Kept))
        else {
            return;
        };
        let not_kept = Event::warn("dmarc.report_not_kept").with("id", &subject.id);
        match dmarc.listener.due(subject, found) {
            Ok(None) => {}
            Ok(Some(due)) => {
                let events = self.context.events.clone();
                tokio::spawn(async move {
                    if let Err(error) = due.read().await {
                        events.emit(not_kept.with("reason", error));
                    }
                });
            }
            Err(busy) => self.context.events.emit(not_kept.with("reason", busy)),
        }
    }

    /// Tells the log what was found, if it is worth it.
    fn tell(&self, subject: &Subject, inspected: &Inspected, strongest: Action) {
        if strongest == Action::Deliver {
            return;
        }
        let found = inspected.verdict.findings.iter().filter(|finding| finding.action != Action::Deliver);
        let found: Vec<String> = found.map(Finding::to_string).collect();
        let event = Event::info("message.judged").with_peer(self.peer).with("id", &subject.id);
        let event = event.with("sender", subject.sender.as_ref().map_or_else(|| "<>".to_owned(), Address::to_string));
        let event = event.with("direction", subject.direction.name()).with("action", strongest.name());
        self.context.events.emit(event.with("found", found.join("; ")));
    }

    fn keeping(&self, subject: &Subject, note: &Note) -> Keeping {
        let days = self.context.settings.load().quarantine_days;
        let time = Duration::from_secs(u64::try_from(days).unwrap_or(u64::MAX).saturating_mul(86_400));
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Keeping {
            note: Bytes::from(note.to_bytes(QUARANTINE_NOTE_MAX)),
            expires: Timestamp(subject.now.0.saturating_add(time)),
            // A host that a rule trusts may bring all our mail; what comes by way of it has no part of its own.
            source: subject.client.filter(|_| subject.stranger || subject.login.is_some()).map(Network::neighbours),
        }
    }
}

fn recipient(taken: &Taken) -> Recipient {
    let accounts = taken.permit.targets().iter().map(|target| target.account).collect();
    Recipient { address: taken.address.clone(), accounts }
}

fn sign(evidence: &Evidence) -> (String, i32) {
    match evidence {
        Evidence::Sign(sign) => (sign.name().to_owned(), sign.points()),
        Evidence::Listed { list, weight } => (format!("listed:{list}"), *weight),
    }
}
