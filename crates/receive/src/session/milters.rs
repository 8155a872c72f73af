//! What milters are asked in a session, and what is done of what they want.
//!
//! They hear of a client once it says MAIL and we would take that: whoever is refused by us, or brings nothing, costs them
//! nothing. Of recipients and the message they are asked last as well.

use super::recipient::No;
use super::{Host, House, Taken};
use crate::forward;
use mailward_core::event::Event;
use mailward_core::{Address, Protocol, config};
use mailward_gate::{Offers, Recipient, Reverse};
use mailward_inspect::{Action, Check, Finding};
use mailward_milter::{Changes, Client, LoggedIn, NewRecipient, NewSender, Outcome, Party, Refusal, Secured, Verdict};
use mailward_smtp::Reply;
use mailward_smtp::params::{self, MailParameters};
use mailward_smtp::path::{ForwardPath, ReversePath};
use mailward_smtp::server::{MailTicket, MessageTicket, RecipientTicket};
use mailward_tls::Wire;

/// The milters of a session.
pub(super) struct Filtering {
    session: mailward_milter::Session,
    /// The greeting that they know, and whether it came by TLS.
    greeted: Option<(Box<str>, bool)>,
}

/// Why a message isn't delivered.
pub(super) enum Stopped {
    /// The client hears why, and the log.
    Refused(Reply, String),
    /// The client hears that it is taken.
    Discarded,
}

/// A message as milters want it.
pub(super) struct Filtered {
    pub(super) bytes: Vec<u8>,
    /// Bytes of trace before it.
    pub(super) trace: usize,
    /// One of them wants it kept.
    pub(super) found: Option<Finding>,
    /// Each recipient that was told yes by its place among those there are now; `None`: a milter took it away.
    pub(super) places: Vec<Option<usize>>,
}

impl Host<'_> {
    /// Tells of a sender that we would take; the refusal, if there is one.
    pub(super) async fn filter_sender(
        &mut self,
        ticket: &MailTicket<'_, House>,
        wire: &Wire,
    ) -> Option<(Reply, String)> {
        let mut filtering = match self.filtering.take() {
            Some(filtering) => filtering,
            None => self.filters().await?,
        };
        let outcome = self.told_sender(&mut filtering, ticket, wire).await;
        self.filtering = Some(filtering);
        refused(outcome)
    }

    async fn told_sender(&self, filtering: &mut Filtering, ticket: &MailTicket<'_, House>, wire: &Wire) -> Outcome {
        let greeted = (ticket.greeted().name.clone(), wire.is_tls());
        if filtering.greeted.as_ref() != Some(&greeted) {
            let secured = wire.tls().map(|tls| Secured {
                version: tls.version.to_owned(),
                cipher: tls.cipher.to_owned(),
                bits: if tls.cipher.contains("128") { 128 } else { 256 },
                subject: None,
            });
            let outcome = filtering.session.hello(&greeted.0, secured.as_ref()).await;
            filtering.greeted = Some(greeted);
            if outcome != Outcome::Go {
                return outcome;
            }
        }
        let login = ticket.login().map(|login| LoggedIn {
            mechanism: self.mechanism.clone().unwrap_or_default(),
            user: login.address().to_string(),
        });
        let (address, arguments) = (ticket.path().to_string(), arguments(ticket.parameters()));
        let is_local = ticket
            .path()
            .address()
            .and_then(Address::domain)
            .is_some_and(|domain| self.context.directory.is_local_domain(domain));
        let sender = Party { address: &address, arguments: &arguments, is_local };
        filtering.session.mail(&sender, login.as_ref(), None).await
    }

    /// Those of this session, if its door has some.
    async fn filters(&mut self) -> Option<Filtering> {
        let settings = self.context.settings.load_full();
        if settings.milters == config::Milters::default() {
            return None;
        }
        if let Some(stranger) = &mut self.stranger {
            stranger.name_known().await;
        }
        let reverse = self.stranger.as_ref().map(|stranger| stranger.inquiry.now().reverse.clone());
        let (name, pointer) = match reverse {
            Some(Reverse::Confirmed(name)) => (Some(name.to_string()), Some(name.to_string())),
            Some(Reverse::Unconfirmed(name)) => (None, Some(name.to_string())),
            Some(Reverse::None | Reverse::Unknown) | None => (None, None),
        };
        let protocol = self.peer.listener.protocol();
        let client = || Client {
            address: self.peer.address,
            port: self.peer.port.unwrap_or(0),
            name,
            reverse: pointer,
            hostname: self.context.hostname.to_string(),
            // The names that sendmail gives its doors, which milters are configured by.
            daemon: if protocol == Protocol::Submission { "MSA" } else { "MTA" }.to_owned(),
            local: None,
            software: "Mailward".to_owned(),
        };
        let session = self.context.filters.session(protocol, &settings.milters, client, settings.message_size)?;
        Some(Filtering { session, greeted: None })
    }

    /// Tells of a recipient that we would take.
    ///
    /// # Errors
    /// The refusal.
    pub(super) async fn filter_recipient(
        &mut self,
        ticket: &RecipientTicket<'_, House>,
        is_local: bool,
    ) -> Result<(), No> {
        let Some(filtering) = &mut self.filtering else { return Ok(()) };
        let address = shown(ticket.path());
        let outcome = filtering.session.recipient(&Party { address: &address, arguments: &[], is_local }).await;
        let Some((reply, reason)) = refused(outcome) else { return Ok(()) };
        let event = Event::info("recipient.refused").with_peer(self.peer).with("sender", &ticket.mail().path);
        self.context.events.emit(event.with("recipient", ticket.path()).with("reason", &reason));
        Err(No::filtered(reply, reason))
    }

    /// Tells of a recipient that we refused.
    pub(super) async fn filter_refused(&mut self, ticket: &RecipientTicket<'_, House>, reply: &Reply) {
        let Some(filtering) = &mut self.filtering else { return };
        let address = shown(ticket.path());
        let party = Party { address: &address, arguments: &[], is_local: true };
        filtering.session.refused_recipient(&party, &reply.to_string()).await;
    }

    /// Tells that the message may come; the refusal, if there is one.
    pub(super) async fn filter_data(&mut self, id: &str) -> Option<(Reply, String)> {
        let filtering = self.filtering.as_mut()?;
        refused(filtering.session.data(id).await)
    }

    /// Tells of a command that there isn't; their words, if one has some for it.
    pub(super) async fn filter_unknown(&mut self, line: &[u8]) -> Option<Reply> {
        let filtering = self.filtering.as_mut()?;
        refused(filtering.session.unknown(line).await).map(|(reply, _)| reply)
    }

    /// Shows the message, and does what they want with it.
    ///
    /// # Errors
    /// Why it isn't delivered.
    pub(super) async fn filter_message(
        &mut self,
        ticket: &mut MessageTicket<'_, House>,
        bytes: Vec<u8>,
        trace: usize,
        id: &str,
    ) -> Result<Filtered, Stopped> {
        let mut places: Vec<Option<usize>> = (0..ticket.mail().recipients.len()).map(Some).collect();
        let Some(filtering) = &mut self.filtering else { return Ok(Filtered { bytes, trace, found: None, places }) };
        let changes = filtering.session.message(bytes.get(trace..).unwrap_or_default()).await;
        match &changes.verdict {
            Verdict::Take => {}
            Verdict::Refuse(refusal) => {
                let (reply, reason) = said(refusal);
                return Err(Stopped::Refused(reply, reason));
            }
            Verdict::Discard(milter) => return Err(self.discarded(id, milter, "it wants the message thrown away")),
        }
        let found = changes.quarantine.as_ref().map(|(milter, why)| {
            Finding::new(Check::Milter, milter, Action::Quarantine, format!("wants it in quarantine: {why}"))
        });
        self.filtered(&changes, id);
        let (mut bytes, mut trace) = (bytes, trace);
        if changes.changes_bytes() {
            let changed = changes.apply(bytes.get(trace..).unwrap_or_default());
            bytes.truncate(trace);
            bytes.extend_from_slice(&changed);
        }
        if let Some((milter, sender)) = &changes.sender {
            trace = self.new_sender(ticket, milter, sender, &mut bytes, trace)?;
        }
        let mut gone = Vec::new();
        for place in changes.removed.iter().rev() {
            if *place < ticket.envelope().recipients.len() {
                gone.push(ticket.envelope().recipients.remove(*place));
            }
            if let Some(slot) = places.get_mut(*place) {
                *slot = None;
            }
        }
        places.iter_mut().flatten().enumerate().for_each(|(now, place)| *place = now);
        let size = bytes.len().saturating_sub(trace);
        let mut refused = None;
        for new in &changes.added {
            if let Err(no) = self.new_recipient(ticket, new, size).await {
                let reason = no.reason();
                let event = Event::warn("milter.recipient_refused").with_peer(self.peer).with("milter", &new.milter);
                self.context.events.emit(event.with("recipient", &new.address).with("reason", &reason));
                refused.get_or_insert((new, reason));
            }
        }
        if ticket.mail().recipients.is_empty() {
            // Somebody should get it: whoever sends keeps it until that one may.
            if let Some((new, reason)) = refused {
                ticket.envelope().recipients.extend(gone.into_iter().rev());
                let (milter, address) = (&new.milter, &new.address);
                let reason = format!("milter {milter} wants it to go to {address} alone, who is refused: {reason}");
                return Err(Stopped::Refused(Reply::NOT_JUDGED, reason));
            }
            let milter = changes.edits.first().map_or("a milter", |(milter, _)| milter.as_str());
            return Err(self.discarded(id, milter, "it took all recipients away"));
        }
        Ok(Filtered { bytes, trace, found, places })
    }

    /// Another sender, if whoever sends may send as that one; the trace's length now.
    fn new_sender(
        &self,
        ticket: &mut MessageTicket<'_, House>,
        milter: &str,
        sender: &NewSender,
        bytes: &mut Vec<u8>,
        trace: usize,
    ) -> Result<usize, Stopped> {
        let permit = self.decide_sender(ticket.login(), sender.address.as_ref()).map_err(|refusal| {
            let reason = format!("milter {milter} wants a sender that may not send: {refusal}");
            Stopped::Refused(crate::replies::refusal(refusal), reason)
        })?;
        let mail = ticket.envelope();
        mail.sender.permit = permit;
        mail.path = match &sender.address {
            Some(address) => ReversePath::Address(address.clone()),
            None => ReversePath::Null,
        };
        // The trace begins with it: see `mailward_delivery::Trace`.
        let line = format!("Return-Path: <{}>\r\n", mail.path);
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end.saturating_add(1));
        if end <= trace && bytes.starts_with(b"Return-Path:") {
            bytes.splice(..end, line.bytes());
            return Ok(trace.saturating_sub(end).saturating_add(line.len()));
        }
        Ok(trace)
    }

    /// One more recipient of a message of so many bytes, if whoever sends may send to it: a milter gives nobody a right.
    ///
    /// # Errors
    /// Why not.
    async fn new_recipient(
        &self,
        ticket: &mut MessageTicket<'_, House>,
        new: &NewRecipient,
        size: usize,
    ) -> Result<(), No> {
        let mail = ticket.mail();
        if mail.recipients.len() >= self.recipients_max() {
            return Err(No::plain(Reply::TOO_MANY_RECIPIENTS));
        }
        let parameters = params::recipient(&new.arguments).unwrap_or_default();
        let (sender, _) = self.toward(mail, Some(&new.address))?;
        let recipient = Recipient::Address(&new.address);
        let permit = forward::decide(self.context, mail, &sender, self.program.as_ref(), recipient)
            .await
            .map_err(|refusal| No::noted(crate::replies::refusal(refusal), refusal.to_string()))?;
        if forward::is_one_too_many(&permit, mail) {
            return Err(No::plain(Reply::TOO_MANY_RECIPIENTS));
        }
        if let Some(reply) = self.route_refuses(mail, &new.address, &permit) {
            return Err(No::noted(reply, "a route refuses it"));
        }
        if self.is_full(&permit, u64::try_from(size).unwrap_or(u64::MAX)).await {
            return Err(No::noted(Reply::MAILBOX_FULL, "mailbox full"));
        }
        let address = Some(new.address.clone());
        ticket.envelope().recipients.push(Taken { permit, address, parameters, offers: Offers::ALL });
        Ok(())
    }

    fn discarded(&self, id: &str, milter: &str, why: &str) -> Stopped {
        let event = Event::info("message.discarded").with("id", id).with_peer(self.peer).with("milter", milter);
        self.context.events.emit(event.with("reason", why));
        Stopped::Discarded
    }

    /// What the log hears of changes.
    fn filtered(&self, changes: &Changes, id: &str) {
        for (milter, fault) in &changes.passed_over {
            let event = Event::info("milter.passed_over").with("id", id).with_peer(self.peer).with("milter", milter);
            self.context.events.emit(event.with("reason", fault));
        }
        let fields: usize = changes.edits.iter().map(|(_, edits)| edits.len()).sum();
        let is_changed = changes.changes_bytes()
            || changes.sender.is_some()
            || !changes.added.is_empty()
            || !changes.removed.is_empty();
        if is_changed {
            let event = Event::info("message.filtered").with("id", id).with_peer(self.peer).with("fields", fields);
            let event = event.with("body", changes.body.is_some()).with("sender", changes.sender.is_some());
            let event = event.with("added", changes.added.len()).with("removed", changes.removed.len());
            self.context.events.emit(event);
        }
    }

    /// The session is over.
    pub(crate) async fn leave_filters(&mut self) {
        if let Some(filtering) = self.filtering.take() {
            filtering.session.quit().await;
        }
    }
}

fn refused(outcome: Outcome) -> Option<(Reply, String)> {
    match outcome {
        Outcome::Go => None,
        Outcome::Refuse(refusal) => Some(said(&refusal)),
    }
}

/// What the client hears, and the log.
fn said(refusal: &Refusal) -> (Reply, String) {
    let reason = match &refusal.fault {
        Some(fault) => format!("milter {} can't be asked: {fault}", refusal.milter),
        None => format!("milter {}: {}", refusal.milter, refusal.answer),
    };
    let answer = &refusal.answer;
    (Reply::chosen(answer.code(), answer.enhanced(), answer.text()), reason)
}

fn shown(path: &ForwardPath) -> String {
    path.to_string()
}

/// What came with MAIL, as far as it tells something of the message.
fn arguments(parameters: &MailParameters) -> Vec<String> {
    let size = parameters.size.map(|size| format!("SIZE={size}"));
    let body = parameters.eight_bit.then(|| "BODY=8BITMIME".to_owned());
    let utf8 = parameters.smtputf8.then(|| "SMTPUTF8".to_owned());
    [size, body, utf8].into_iter().flatten().collect()
}
