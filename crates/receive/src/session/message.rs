//! The end of a message: looked at, mended if a user submits it, and committed before it is answered.

use super::inspection::{Brought, Judgement};
use super::milters::{Filtered, Stopped};
use super::stranger::sender_domain;
use super::{Host, House, OnItsWay, gateway};
use crate::submission::{inside, mended};
use crate::{Context, forward, replies};
use mailward_core::limits::{BLOCKING_PREPARE_BYTES, INSPECT_END_TIME, MESSAGE_BYTES_IN_FLIGHT_MAX};
use mailward_core::{AccountId, Protocol};
use mailward_delivery::care::Given;
use mailward_delivery::{Addressed, Fate, HeaderFault, Inside, Looked, Transaction};
use mailward_directory::Login;
use mailward_directory::routes::RouteTable;
use mailward_gate::rates::RateHold;
use mailward_gate::{RelayPermit, Sending};
use mailward_smtp::Reply;
use mailward_smtp::server::{MailGiven, MessageTicket};
use mailward_store::StoreError;
use mailward_store::records::{Content, Insider};
use std::sync::Arc;
use tokio::time::Instant;

impl Host<'_> {
    pub(super) async fn message(&mut self, mut ticket: MessageTicket<'_, House>) {
        let now = Instant::now();
        let deadline = now.checked_add(INSPECT_END_TIME).unwrap_or(now);
        let bytes = ticket.take_bytes();
        if ticket.login().is_some()
            && let Some(message) = self.message.as_ref().and_then(|message| bytes.get(message.trace..))
        {
            self.watch.submitted(message);
        }
        let Some(OnItsWay { id, trace, began, counted }) = self.message.take() else {
            return ticket.answer(Reply::LOCAL_ERROR);
        };
        let bytes = match self.submitted(&ticket, bytes, trace, &id) {
            Ok(bytes) => bytes,
            Err(reply) => {
                return self.turned_away(ticket, reply.text(), &reply);
            }
        };
        // What milters say in our name, because they are asked by us, isn't foreign.
        let hostname = self.context.hostname.clone();
        let stripped = aside(bytes, move |bytes| mailward_delivery::strip(bytes, trace, &hostname)).await;
        let bytes = match stripped {
            Ok(bytes) => bytes,
            Err(unlooked) => return self.not_looked(ticket, &unlooked),
        };
        let Filtered { bytes, trace, found, places } = match self.filter_message(&mut ticket, bytes, trace, &id).await {
            Ok(filtered) => filtered,
            Err(Stopped::Refused(reply, reason)) => return self.turned_away(ticket, &reason, &reply),
            Err(Stopped::Discarded) => {
                let _given_back = self.share.resize(0);
                counted.into_iter().for_each(RateHold::taken);
                return ticket.answer(Reply::OK.with(&id));
            }
        };
        let size = bytes.len().saturating_sub(trace);
        let looked = match aside(bytes, move |bytes| mailward_delivery::look(bytes, trace, None)).await {
            Ok(looked) => looked,
            Err(unlooked) => return self.not_looked(ticket, &unlooked),
        };
        let login = ticket.login().map(Login::account);
        let message = looked.bytes.slice(looked.trace.min(looked.bytes.len())..);
        match self.learned(&mut ticket, login, &message, &id).await {
            Ok(false) => {}
            Ok(true) => {
                let _given_back = self.share.resize(0);
                counted.into_iter().for_each(RateHold::taken);
                return ticket.answer(Reply::OK.with(&id));
            }
            Err(reply) => return self.turned_away(ticket, reply.text(), &reply),
        }
        // What is found stands before it in a copy; the largest have room for that alone.
        if !self.share.resize(looked.bytes.len().saturating_mul(2).min(MESSAGE_BYTES_IN_FLIGHT_MAX)) {
            return self.turned_away(ticket, "no memory to judge it", &Reply::NO_SPACE);
        }
        let per_recipient = ticket.is_per_recipient();
        let brought = Brought { login, id: &id, found, per_recipient, deadline };
        let judged = self.inspected(ticket.mail(), &looked, brought).await;
        let mut judgement = match judged {
            Ok(judgement) => judgement,
            Err((reason, reply)) => return self.turned_away(ticket, &reason, &reply),
        };
        let fields = std::mem::take(&mut judgement.fields);
        let Some(content) = content(looked, fields).await else { return ticket.answer(Reply::LOCAL_ERROR) };
        if let Some(reply) = gateway::misfit(&ticket.mail().recipients, &content, size) {
            return self.turned_away(ticket, reply.text(), &reply);
        }
        if forward::is_due(ticket.mail())
            && let Err(why) = forward::admit(self.context, ticket.mail(), &content, &judgement.inspected).await
        {
            return self.turned_away(ticket, &why.to_string(), &replies::not_forwarded(&why));
        }
        let arrival = Arrival { id, size, began };
        if ticket.is_per_recipient() {
            self.deliver_each(ticket, content, judgement, &arrival, &places).await;
        } else {
            self.deliver(ticket, content, judgement, &arrival, counted).await;
        }
        let _given_back = self.share.resize(0);
    }

    /// A message that can't be judged.
    fn not_looked(&mut self, ticket: MessageTicket<'_, House>, why: &Unlooked) {
        match why {
            Unlooked::Header(fault) => self.turned_away(ticket, &fault.to_string(), &replies::header(*fault)),
            Unlooked::Lost => ticket.answer(Reply::LOCAL_ERROR),
        }
    }

    /// A message that isn't taken for what it holds.
    fn turned_away(&mut self, ticket: MessageTicket<'_, House>, reason: &str, reply: &Reply) {
        self.refused(ticket.mail(), reason);
        let reply = self.refer_message(ticket.mail(), reason, reply);
        ticket.answer(reply);
    }

    /// What a user submits, or somebody inside sends out, mended; what comes from elsewhere as it is.
    fn submitted(
        &self,
        ticket: &MessageTicket<'_, House>,
        bytes: Vec<u8>,
        trace: usize,
        id: &str,
    ) -> Result<Vec<u8>, Reply> {
        let Context { directory, clock, hostname, .. } = self.context;
        let (mail, now) = (ticket.mail(), clock.now());
        if let Some(program) = &self.program {
            let rules = Arc::clone(&self.context.settings.load().inside);
            return program.mended(bytes, trace, mail.path.address(), directory, &rules, now, id);
        }
        if mail.sender.permit.is_of_inside_host()
            && mail.recipients.iter().any(|taken| !taken.permit.remote().is_empty())
        {
            let rules = Arc::clone(&self.context.settings.load().inside);
            return inside(bytes, trace, directory, &rules, now, id, hostname);
        }
        let Some(login) = ticket.login() else { return Ok(bytes) };
        if self.peer.listener.protocol() != Protocol::Submission {
            return Ok(bytes);
        }
        mended(bytes, trace, login, directory, now, id, hostname)
    }

    async fn deliver(
        &self,
        ticket: MessageTicket<'_, House>,
        content: Content,
        judgement: Judgement,
        arrival: &Arrival,
        counted: Option<RateHold>,
    ) {
        let stored = u64::try_from(content.bytes.len()).unwrap_or(u64::MAX);
        let routes = self.context.directory.routes().table();
        let insider = self.insider(ticket.mail());
        let transaction = self.transaction(&ticket, &routes, insider.as_ref(), &judgement);
        let recipients = given(ticket.mail(), &judgement.fates);
        let delivered = match &self.context.care {
            // Of strangers nobody knows whether they are who they say: what they sent confirms nothing (attacks A6).
            Some(care) => {
                let confirm = transaction.submitter.is_some() || self.program.is_some();
                care.accept(content, &transaction, &recipients, confirm).await
            }
            // Nobody keeps it.
            None if judgement.keeping.is_some() => Err(StoreError::Refused("there is no quarantine")),
            None => {
                let recipients: Vec<_> = recipients.iter().map(|given| given.to).collect();
                mailward_delivery::deliver(&*self.context.store, content, &transaction, &recipients).await
            }
        };
        match delivered {
            Ok(accepted) => {
                counted.into_iter().for_each(RateHold::taken);
                if judgement.fates.iter().all(|fate| *fate == Fate::Goes) {
                    self.came_well(ticket.mail());
                }
                self.accepted(ticket.mail(), arrival);
                self.kept(&judgement, accepted.kept);
                ticket.answer(Reply::OK.with(&arrival.id));
                self.heard(&judgement);
            }
            Err(error) => {
                self.store_failed(ticket.mail(), &arrival.id, &error);
                counted.into_iter().for_each(RateHold::not_taken);
                if matches!(error, StoreError::OverQuota) {
                    let permits = ticket.mail().recipients.iter().map(|taken| &taken.permit);
                    self.remember_full(mailward_delivery::accounts(permits), stored).await;
                }
                ticket.answer(replies::store(&error));
            }
        }
    }

    /// A stranger's mail was taken and went its way, and is proven to be its domain's: it isn't put off the next time.
    fn came_well(&self, mail: &MailGiven<House>) {
        if let (Some(stranger), Some(judged), Some(domain)) = (&self.stranger, &self.judged, sender_domain(mail))
            && judged.is_proven()
        {
            stranger.guard.greylist.came_well(stranger.ip, domain);
        }
    }

    /// Who sends without a login, if it is a program of this host or an inside host.
    fn insider(&self, mail: &MailGiven<House>) -> Option<Inside> {
        if let Some(program) = &self.program {
            return Some(program.inside());
        }
        let address = self.peer.address.filter(|_| mail.sender.permit.is_of_inside_host())?;
        Some(Inside { who: Insider::host(address), name: address.to_string() })
    }

    fn transaction<'t>(
        &self,
        ticket: &'t MessageTicket<'_, House>,
        routes: &'t RouteTable,
        insider: Option<&'t Inside>,
        judgement: &'t Judgement,
    ) -> Transaction<'t> {
        let settings = Arc::clone(&self.context.settings.load());
        let mail = ticket.mail();
        Transaction {
            sender: mail.path.address(),
            parameters: &mail.parameters,
            submitter: ticket.login().map(Login::account),
            insider,
            signed: mail.sender.permit.sends_out(),
            now: self.context.clock.now(),
            lifetime: settings.lifetime,
            warn_after: settings.warn_after,
            routes,
            keeping: judgement.keeping.as_ref(),
            telling: judgement.telling.as_ref(),
        }
    }

    async fn deliver_each(
        &self,
        ticket: MessageTicket<'_, House>,
        content: Content,
        judgement: Judgement,
        arrival: &Arrival,
        places: &[Option<usize>],
    ) {
        let outcomes = match &self.context.care {
            Some(care) => {
                // It comes from a mail server of this host, and what tells its sender goes to other hosts.
                let confirm = self.context.settings.load().sending == Sending::On;
                let routes = self.context.directory.routes().table();
                let transaction = self.transaction(&ticket, &routes, None, &judgement);
                care.accept_each(content, &transaction, &given(ticket.mail(), &judgement.fates), confirm).await
            }
            None => {
                let permits: Vec<&RelayPermit> = ticket.mail().recipients.iter().map(|taken| &taken.permit).collect();
                mailward_delivery::deliver_each(&*self.context.store, content, &permits).await
            }
        };
        if outcomes.iter().any(Result::is_ok) {
            self.accepted(ticket.mail(), arrival);
            self.kept(&judgement, None);
        }
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            self.store_failed(ticket.mail(), &arrival.id, error);
        }
        // Whom a milter took away is answered for by those that it wants instead: its server keeps what one of them didn't get.
        let known = places.iter().flatten().count();
        let instead = outcomes.iter().skip(known).find_map(|outcome| outcome.as_ref().err());
        let taken = || Reply::OK.with(&arrival.id);
        let answer = |place: &Option<usize>| match place.map(|place| (place, outcomes.get(place))) {
            Some((_, Some(Err(error)))) => replies::store(error),
            // Its server hears no, and an administrator can see why.
            Some((place, Some(Ok(())))) => judgement.refused.get(place).cloned().flatten().unwrap_or_else(taken),
            Some((_, None)) => Reply::LOCAL_ERROR,
            None => instead.map_or_else(taken, replies::store),
        };
        let answers: Vec<Reply> = places.iter().map(answer).collect();
        ticket.answer_each(&answers);
    }

    /// Finds which of the accounts have no room for so many bytes.
    async fn remember_full(&self, accounts: Vec<AccountId>, size: u64) {
        for account in accounts {
            if self.context.store.usage(account).await.is_ok_and(|usage| !usage.admits(size)) {
                self.context.full.add(account);
            }
        }
    }
}
/// The recipients of a message, as delivery takes them.
fn given<'m>(mail: &'m MailGiven<House>, fates: &[Fate]) -> Vec<Given<'m>> {
    let recipients = mail.recipients.iter().enumerate();
    recipients
        .map(|(place, taken)| Given {
            address: taken.address.as_ref(),
            to: Addressed { permit: &taken.permit, parameters: &taken.parameters },
            fate: fates.get(place).copied().unwrap_or_default(),
        })
        .collect()
}

/// What is told of a message that came.
pub(super) struct Arrival {
    pub(super) id: String,
    pub(super) size: usize,
    pub(super) began: Instant,
}

/// Why a message can't be judged.
enum Unlooked {
    Header(HeaderFault),
    /// The thread that should have done it is gone: the server stops.
    Lost,
}

/// Does something with a message: here if that takes no time to speak of, on a thread of its own if other sessions would
/// feel it.
async fn aside<T: Send + 'static>(
    bytes: Vec<u8>,
    work: impl FnOnce(Vec<u8>) -> Result<T, HeaderFault> + Send + 'static,
) -> Result<T, Unlooked> {
    if bytes.len() < BLOCKING_PREPARE_BYTES {
        return work(bytes).map_err(Unlooked::Header);
    }
    match tokio::task::spawn_blocking(move || work(bytes)).await {
        Ok(outcome) => outcome.map_err(Unlooked::Header),
        Err(_) => Err(Unlooked::Lost),
    }
}

/// What the store keeps of a message, with fields of ours; none: see [`Unlooked::Lost`].
async fn content(looked: Looked, fields: Vec<u8>) -> Option<Content> {
    if looked.bytes.len() < BLOCKING_PREPARE_BYTES {
        return Some(looked.content(&fields));
    }
    tokio::task::spawn_blocking(move || looked.content(&fields)).await.ok()
}
