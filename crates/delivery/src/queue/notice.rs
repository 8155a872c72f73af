//! What senders are told of their messages: bounces, warnings, confirmations that were asked for.

use super::chance::Chance;
use super::outcome::EXPIRED;
use crate::answers::Answer;
use crate::prepare;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{HEADER_BYTES_MAX, REPORT_RECIPIENTS_MAX, REPORT_RETURNED_MAX};
use mailward_core::{Address, Domain, EnhancedStatus, Timestamp};
use mailward_directory::{Directory, LocalTarget, Resolution};
use mailward_message::header;
use mailward_message::report::{Action, Diagnostic, Recipient, Report, Returned};
use mailward_store::api::{MailStore, QueueStore, StoreError};
use mailward_store::records::{
    Attempt, Delivery, Envelope, Flags, GiveBack, Needs, NewRecipient, NotifyOn, Queued, QueuedMessage,
    QueuedRecipient, SettleOutcome, Settlement, Target,
};
use std::sync::Arc;
use std::time::Duration;

/// What is to be told of one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    recipient: QueuedRecipient,
    action: Action,
    /// What was said last; `None` if nothing was.
    attempt: Option<Attempt>,
    will_retry_until: Option<Timestamp>,
}

impl Told {
    /// It won't be delivered.
    pub(crate) fn failed(recipient: &QueuedRecipient, attempt: &Attempt) -> Self {
        Self {
            recipient: recipient.clone(),
            action: Action::Failed,
            attempt: Some(attempt.clone()),
            will_retry_until: None,
        }
    }

    /// It was passed to a host that doesn't report, and its sender asked (RFC 3461 §5.2.2).
    pub(crate) fn relayed(recipient: &QueuedRecipient, attempt: &Attempt) -> Self {
        Self { action: Action::Relayed, ..Self::failed(recipient, attempt) }
    }

    /// It is in the mailbox of its reader, or was sent on to all that it stands for, and its sender asked
    /// (RFC 3461 §5.2.3, §5.2.7.3).
    pub(crate) const fn arrived(recipient: QueuedRecipient, expanded: bool) -> Self {
        let action = if expanded { Action::Expanded } else { Action::Delivered };
        Self { recipient, action, attempt: None, will_retry_until: None }
    }

    /// It is late, or its time is over.
    pub(crate) fn late(recipient: &QueuedRecipient, message: &QueuedMessage, expired: bool) -> Self {
        Self {
            recipient: recipient.clone(),
            action: if expired { Action::Failed } else { Action::Delayed },
            attempt: recipient.answer.clone(),
            will_retry_until: (!expired).then_some(message.envelope.expires),
        }
    }

    /// Whether the sender wants to hear it (RFC 3461 §4.1). Without NOTIFY failures and delays are told.
    fn is_wanted(&self) -> bool {
        let wanted = self.recipient.notify.unwrap_or(NotifyOn { success: false, failure: true, delay: true });
        match self.action {
            Action::Failed => wanted.failure,
            Action::Delayed => wanted.delay,
            Action::Relayed | Action::Expanded | Action::Delivered => wanted.success,
        }
    }

    fn status(&self) -> EnhancedStatus {
        let known = self.attempt.as_ref().and_then(|attempt| attempt.status).unwrap_or(EXPIRED);
        match self.action {
            // A host that refused until the time was over: what it said, for good.
            Action::Failed => EnhancedStatus::of(5, known.subject(), known.detail()),
            Action::Delayed => EnhancedStatus::of(4, known.subject(), known.detail()),
            Action::Relayed | Action::Expanded | Action::Delivered => EnhancedStatus::of(2, 0, 0),
        }
    }
}

/// Makes the notices of a runner.
pub(crate) struct Writer {
    pub(crate) mail: Arc<dyn MailStore>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) hostname: Domain,
    pub(crate) events: Events,
    pub(crate) lifetime: Duration,
    pub(crate) chance: Chance,
}

impl Writer {
    /// The notices that tell a message's sender these things; none where the sender is nobody, or wants none.
    ///
    /// # Errors
    /// What the store says when the message is read.
    pub(crate) async fn notices(
        &self,
        message: &QueuedMessage,
        told: &[Told],
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Some(sender) = &message.envelope.sender else { return Ok(Vec::new()) };
        if !told.iter().any(Told::is_wanted) {
            return Ok(Vec::new());
        }
        let most = u64::try_from(HEADER_BYTES_MAX.max(REPORT_RETURNED_MAX)).unwrap_or(u64::MAX);
        let original = match self.mail.read(message.blob, 0, message.size.min(most)).await {
            Ok(original) => original,
            // The notice is worth more than what it gives back.
            Err(StoreError::NotFound(_) | StoreError::Damaged(_)) => bytes::Bytes::new(),
            Err(error) => return Err(error),
        };
        Ok(self.notices_about(message, sender, told, &original, now))
    }

    /// The same about a message whose bytes, or the first of them, are at hand.
    pub(crate) fn notices_about(
        &self,
        message: &QueuedMessage,
        sender: &Address,
        told: &[Told],
        original: &[u8],
        now: Timestamp,
    ) -> Vec<Delivery> {
        let wanted: Vec<&Told> = told.iter().filter(|told| told.is_wanted()).collect();
        let whole = u64::try_from(original.len()).is_ok_and(|length| length == message.size);
        let mut notices = Vec::new();
        for some in wanted.chunks(REPORT_RECIPIENTS_MAX) {
            let returned = match message.envelope.give_back {
                Some(GiveBack::Headers) => Returned::Header,
                // What had to travel in secret isn't sent about more than it must (RFC 8689 §5).
                _ if message.envelope.needs.require_tls => Returned::Header,
                // Nor is what a stranger wrote to somebody who may never have heard of it (attacks A6).
                _ if !message.envelope.is_of_known_sender() => Returned::Header,
                _ if whole => Returned::Whole,
                _ => Returned::Header,
            };
            let original = without_return_path(original);
            notices.extend(self.notice(message, sender, some, original, returned, now));
        }
        notices
    }

    /// The same notices for the postmaster, where their readers can't have them; only what was for readers here.
    pub(crate) fn to_postmaster(&self, notices: Vec<Delivery>, now: Timestamp) -> Vec<Delivery> {
        let Some((targets, remote)) = self.postmaster() else { return Vec::new() };
        let redirect = |mut notice: Delivery| {
            if !notice.targets.is_empty() {
                notice.targets.clone_from(&targets);
                notice.queued.extend(self.to_send(&remote, Needs::default(), now));
            }
            notice
        };
        notices.into_iter().map(redirect).collect()
    }

    /// Where mail to the postmaster goes, if anywhere.
    pub(crate) fn postmaster(&self) -> Option<(Vec<Target>, Vec<Address>)> {
        match self.directory.resolve_postmaster() {
            Resolution::Deliver { local, remote } => Some((inboxes(local), remote)),
            _ => None,
        }
    }

    /// A notice to others, as the queue has it.
    pub(crate) fn to_send(&self, to: &[Address], needs: Needs, now: Timestamp) -> Option<Queued> {
        let table = self.directory.routes().table();
        let recipients: Vec<NewRecipient> = to
            .iter()
            .filter_map(|address| {
                let lane = table.lane(None, address)?;
                Some(NewRecipient {
                    address: address.clone(),
                    notify: None,
                    original: None,
                    lane,
                    due: now,
                    held: None,
                })
            })
            .collect();
        let lifetime = i64::try_from(self.lifetime.as_millis()).unwrap_or(i64::MAX);
        let envelope = Envelope {
            sender: None,
            give_back: None,
            envid: None,
            needs,
            submitter: None,
            forwarded: None,
            arrived: now,
            warn: None,
            expires: Timestamp(now.0.saturating_add(lifetime)),
        };
        (!recipients.is_empty()).then_some(Queued { envelope, recipients })
    }

    /// Keeps what came of a message's recipients together with what its sender is told of it. If the sender's mailbox can't
    /// take it the postmaster is told, and if that can't be either, nobody: what came of the recipients stands.
    pub(crate) async fn settle(
        &self,
        queue: &dyn QueueStore,
        message: &QueuedMessage,
        mut settlement: Settlement,
        told: &[Told],
        now: Timestamp,
    ) -> Result<SettleOutcome, StoreError> {
        let tell = self.notices(message, told, now).await?;
        if tell.is_empty() {
            return queue.settle(settlement).await;
        }
        let untold = settlement.clone();
        settlement.tell.clone_from(&tell);
        let error = match queue.settle(settlement).await {
            Err(error @ (StoreError::OverQuota | StoreError::NotFound(_))) => error,
            settled => return settled,
        };
        let event = Event::warn("notice.redirected").with("queue", message.id).with("reason", &error);
        self.events.emit(event);
        let redirected = Settlement { tell: self.to_postmaster(tell, now), ..untold.clone() };
        let settled = if redirected.tell.is_empty() { Err(error) } else { queue.settle(redirected).await };
        match settled {
            Err(error @ (StoreError::OverQuota | StoreError::NotFound(_))) => {
                let event = Event::warn("notice.dropped").with("queue", message.id).with("reason", &error);
                self.events.emit(event);
                queue.settle(untold).await
            }
            settled => settled,
        }
    }

    fn notice(
        &self,
        message: &QueuedMessage,
        sender: &Address,
        told: &[&Told],
        original: &[u8],
        returned: Returned,
        now: Timestamp,
    ) -> Option<Delivery> {
        let dropped = |why: &str| {
            self.events.emit(Event::warn("notice.dropped").with("queue", message.id).with("reason", why));
        };
        let from = Address::parse(&format!("postmaster@{}", self.hostname), false).ok()?;
        let words: Vec<_> = told.iter().map(|told| told.words()).collect();
        let text = crate::notice::text(&self.hostname, message.envelope.arrived, &words);
        let said: Vec<String> = told.iter().map(|told| told.said()).collect();
        let recipients: Vec<Recipient<'_>> =
            told.iter().zip(&said).map(|(told, said)| told.fields(message, said)).collect();
        let report = Report {
            reporting_mta: &self.hostname,
            from: &from,
            to: sender,
            id: &self.id(),
            date: now,
            arrival: message.envelope.arrived,
            envelope_id: message.envelope.envid.as_deref(),
            smtputf8: message.envelope.needs.smtputf8,
            recipients: &recipients,
            text: &text,
            original,
            returned,
        };
        let notification = match report.build() {
            Ok(notification) => notification,
            Err(error) => {
                dropped(&error.to_string());
                return None;
            }
        };
        let needs = Needs {
            smtputf8: notification.smtputf8,
            require_tls: message.envelope.needs.require_tls,
            eight_bit: notification.eight_bit,
            tls_optional: message.envelope.needs.tls_optional,
            signature: false,
        };
        let content = match prepare(notification.bytes, 0) {
            Ok(content) => content,
            Err(fault) => {
                dropped(&fault.to_string());
                return None;
            }
        };
        let (targets, remote) = match self.directory.resolve(sender) {
            Resolution::Deliver { local, remote } => (inboxes(local), remote),
            Resolution::NotLocal => (Vec::new(), vec![sender.clone()]),
            Resolution::UnknownUser | Resolution::Disabled | Resolution::Loop => {
                let event = Event::warn("notice.redirected").with("queue", message.id).with("sender", sender);
                self.events.emit(event.with("reason", "its sender isn't here any more"));
                let Some(postmaster) = self.postmaster() else {
                    dropped("its sender isn't here any more, and there is no postmaster");
                    return None;
                };
                postmaster
            }
        };
        let queued = self.to_send(&remote, needs, now).into_iter().collect();
        Some(Delivery { content, targets, queued, kept: None })
    }

    /// Names a notice. Nobody outside can know it before: it stands in the boundary.
    pub(crate) fn id(&self) -> String {
        format!("{:016x}{:016x}", self.chance.draw(), self.chance.draw())
    }
}

impl Told {
    /// The reply with its code, as a program reads it (RFC 3464 §2.3.6); our own words if there was none.
    fn said(&self) -> String {
        match &self.attempt {
            Some(attempt) if attempt.code != 0 => format!("{} {}", attempt.code, attempt.text),
            Some(attempt) => attempt.text.clone(),
            None => String::new(),
        }
    }

    fn fields<'a>(&'a self, message: &QueuedMessage, said: &'a str) -> Recipient<'a> {
        let attempt = self.attempt.as_ref();
        Recipient {
            address: &self.recipient.address,
            original: self.recipient.original.as_deref().and_then(|text| text.split_once(';')),
            action: self.action,
            status: self.status(),
            remote_mta: attempt.map(|attempt| host_name(&attempt.host)).filter(|host| !host.is_empty()),
            diagnostic: attempt.map(|attempt| match attempt.code {
                0 => Diagnostic::Local(said),
                _ => Diagnostic::Smtp(said),
            }),
            last_attempt: attempt.map(|attempt| attempt.at),
            will_retry_until: self.will_retry_until.or(Some(message.envelope.expires)),
        }
    }

    fn words(&self) -> crate::notice::Told<'_> {
        let attempt = self.attempt.as_ref();
        crate::notice::Told {
            address: &self.recipient.address,
            action: self.action,
            answer: attempt.map(|attempt| Answer {
                code: attempt.code,
                status: attempt.status,
                text: &attempt.text,
                host: host_name(&attempt.host),
            }),
            attempts: self.recipient.attempts,
            retry_until: self.will_retry_until,
        }
    }
}

pub(crate) fn inboxes(local: Vec<LocalTarget>) -> Vec<Target> {
    local.into_iter().map(|to| Target { account: to.account, mailbox: None, flags: Flags::NONE }).collect()
}

/// The name of `name[address]`.
fn host_name(host: &str) -> &str {
    host.split('[').next().unwrap_or_default()
}

/// The message as it goes out: our own `Return-Path`, which stands first, is for mailboxes only (RFC 5321 §4.4).
pub(crate) fn without_return_path(message: &[u8]) -> &[u8] {
    let own = header::fields(message).next().filter(|field| field.is("return-path"));
    own.and_then(|field| message.get(field.whole.end..)).unwrap_or(message)
}
