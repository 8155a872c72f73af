//! The queue: seeing and steering it.
//!
//! Every answer and every step is bounded; whoever wants all asks again from `next`. What a person is shown and what a
//! script gets are the same values, so they are made here.

use super::desk::Desk;
use crate::failure::Failure;
use mailward_core::event::Event;
use mailward_core::limits::{QUEUE_LANES_PAGE, QUEUE_PAGE, QUEUE_SHOW_PAGE};
use mailward_core::{AccountId, Address, Domain, QueueId, Timestamp};
use mailward_store::records::{
    Attempt, GiveBack, Lane, LaneTotal, Needs, NotifyOn, QueueFilter, QueueTotals, QueuedMessage, QueuedRecipient,
    RecipientState, Steer, Steered,
};
use mailward_store::{QueueStore as _, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Lanes that are told of after a pause or resumption.
const PAUSED_TOLD: usize = 20;

/// Which recipients of the queue are meant: those that fit all that is given. Steering with nothing given is refused
/// unless `all` says that this is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Which {
    /// Really all that fit, though nothing else is given.
    pub(crate) all: bool,
    /// Of these messages; empty: of any.
    pub(crate) messages: Vec<QueueId>,
    /// That came before then.
    pub(crate) before: Option<Timestamp>,
    pub(crate) lane: Option<Lane>,
    /// At this domain.
    pub(crate) domain: Option<Domain>,
    pub(crate) recipient: Option<Address>,
    pub(crate) sender: Option<Sender>,
    /// Submitted by this user.
    pub(crate) user: Option<Address>,
    /// Held, or not.
    pub(crate) held: Option<bool>,
    /// Whose last answer has this text.
    pub(crate) answer: Option<String>,
}

/// A reverse path. `Option<Option<Address>>` doesn't survive JSON: the null path would come out as "any".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sender {
    /// `<>`
    Null,
    Address(Address),
}

impl Which {
    /// Whether nothing is given that leaves anything out.
    pub(crate) fn is_everything(&self) -> bool {
        *self == Self { all: self.all, ..Self::default() }
    }
}

/// A message with some of its recipients. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: QueueId,
    /// Bytes.
    pub(crate) size: u64,
    /// Reverse path; null for `<>`.
    pub(crate) sender: Option<Address>,
    /// Who submitted it, if a user did; the account's number if the account is gone.
    pub(crate) submitter: Option<String>,
    /// The address of ours that it came to, if it is forwarded.
    pub(crate) forwarded: Option<Address>,
    pub(crate) arrived: Timestamp,
    /// When its sender is told that it is late.
    pub(crate) warn: Option<Timestamp>,
    /// When it is given up.
    pub(crate) expires: Timestamp,
    pub(crate) envid: Option<String>,
    pub(crate) give_back: Option<GiveBack>,
    pub(crate) needs: Needs,
    /// Trials that began since anything of it was settled.
    pub(crate) trials: u32,
    /// Recipients that are still queued, shown here or not.
    pub(crate) left: u32,
    pub(crate) recipients: Vec<Recipient>,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipient {
    /// Its place in the envelope, from 0.
    pub(crate) number: u32,
    pub(crate) address: Address,
    pub(crate) lane: Lane,
    pub(crate) held: bool,
    /// Why it is held.
    pub(crate) reason: Option<String>,
    /// When it is tried next, unless its lane is paused or its host rests; null if it is held.
    pub(crate) next_try: Option<Timestamp>,
    pub(crate) attempts: u32,
    pub(crate) answer: Option<Answer>,
    /// Its sender was told that it is late.
    pub(crate) warned: bool,
    pub(crate) notify: Option<NotifyOn>,
    pub(crate) original: Option<String>,
    /// Oldest first; only in the answer to [`super::Request::QueueShow`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) history: Vec<Answer>,
}

/// Some of the queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Page {
    /// By id; may be empty though there is a `next`.
    pub(crate) messages: Vec<Entry>,
    /// Where to go on; null if that was all.
    pub(crate) next: Option<QueueId>,
}

/// A message with some recipients and their histories.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) message: Entry,
    /// Number of the recipient to go on from; null if that was all.
    pub(crate) next: Option<u32>,
}

/// What came of an attempt. `host` and `text` are an outsider's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) at: Timestamp,
    /// The host that answered or didn't; empty if none was found.
    pub(crate) host: String,
    /// Its SMTP reply code; 0 if it gave none.
    pub(crate) code: u16,
    /// Enhanced status code, as `4.7.1` (RFC 3463).
    pub(crate) status: Option<String>,
    pub(crate) text: String,
}

impl From<Attempt> for Answer {
    fn from(attempt: Attempt) -> Self {
        let Attempt { at, host, code, status, text } = attempt;
        Self { at, host, code, status: status.map(|status| status.to_string()), text }
    }
}

/// The queue in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) messages: u64,
    /// Recipients that wait.
    pub(crate) waiting: u64,
    /// Recipients that are held.
    pub(crate) held: u64,
    /// Whether all is paused.
    pub(crate) paused: bool,
    /// When the oldest message came.
    pub(crate) oldest: Option<Timestamp>,
    /// The last answer that most have got, in those lanes that are told of.
    pub(crate) worst: Option<Reason>,
    /// How many lanes there are.
    pub(crate) lanes: u64,
    /// The largest of them, paused ones first.
    pub(crate) largest: Vec<InLane>,
}

/// A lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InLane {
    pub(crate) lane: Lane,
    /// Recipients that wait.
    pub(crate) waiting: u64,
    /// Recipients that are held.
    pub(crate) held: u64,
    pub(crate) paused: bool,
    /// When its first recipient is due.
    pub(crate) due: Option<Timestamp>,
    /// Its host failed and rests until then.
    pub(crate) rests_until: Option<Timestamp>,
    /// Failures of its host since the last success.
    pub(crate) failures: u32,
    /// When its oldest message came.
    pub(crate) oldest: Option<Timestamp>,
    /// The last answer that most of its oldest recipients got.
    pub(crate) reason: Option<Reason>,
}

/// A last answer, and how many recipients got it or one of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reason {
    pub(crate) answer: Answer,
    pub(crate) recipients: u64,
}

impl From<LaneTotal> for InLane {
    fn from(total: LaneTotal) -> Self {
        let reason = total.reason.map(|(attempt, recipients)| Reason { answer: attempt.into(), recipients });
        Self {
            lane: total.lane,
            waiting: total.waiting,
            held: total.held,
            paused: total.paused,
            due: total.due,
            rests_until: total.blocked,
            failures: total.failures,
            oldest: total.oldest,
            reason,
        }
    }
}

impl From<QueueTotals> for Totals {
    fn from(totals: QueueTotals) -> Self {
        let largest: Vec<InLane> = totals.largest.into_iter().map(InLane::from).collect();
        Self {
            messages: totals.messages,
            waiting: totals.waiting,
            held: totals.held,
            paused: totals.paused,
            oldest: totals.oldest,
            worst: worst(&largest),
            lanes: totals.lanes,
            largest,
        }
    }
}

/// What a pause or resumption left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PauseLeft {
    /// Nothing is queued in the lane.
    pub(crate) empty: bool,
    /// All is paused, whatever its lane.
    pub(crate) all_paused: bool,
    /// Lanes that are paused, at most [`PAUSED_TOLD`].
    pub(crate) paused: Vec<Lane>,
}

impl Desk {
    /// The store's filter for what is meant.
    fn filter(&self, which: Which) -> Result<QueueFilter, Failure> {
        let Which { all: _, messages, before, lane, domain, recipient, sender, user, held, answer } = which;
        let submitter = user.as_ref().map(|user| self.account(user)).transpose()?;
        let sender = sender.map(|sender| match sender {
            Sender::Null => None,
            Sender::Address(address) => Some(address),
        });
        let messages = (!messages.is_empty()).then(|| messages.into_iter().collect());
        Ok(QueueFilter { messages, before, lane, domain, recipient, sender, submitter, held, answer })
    }

    /// The same where something is done to it, which must be meant.
    pub(super) fn chosen(&self, which: Which) -> Result<QueueFilter, Failure> {
        if which.is_everything() && !which.all {
            return Err(Failure::Usage(
                "say which: ids, a filter such as --lane or --answer, or --all for the whole queue".to_owned(),
            ));
        }
        self.filter(which)
    }

    pub(super) fn account(&self, user: &Address) -> Result<AccountId, Failure> {
        self.directory.account_id(user).ok_or_else(|| super::sessions::no_user(user))
    }

    /// Some of what is meant, after a message.
    pub(super) async fn queue_list(&self, which: Which, after: Option<QueueId>, limit: usize) -> Result<Page, Failure> {
        let found = self.store.queue_page(self.filter(which)?, after, limit.clamp(1, QUEUE_PAGE)).await?;
        let mut names = Names { desk: self, known: BTreeMap::new() };
        let messages = found.messages.into_iter().map(|message| names.entry(message)).collect();
        Ok(Page { messages, next: found.next })
    }

    /// A message with its recipients from a number on, as many as one answer may have.
    pub(super) async fn queue_show(&self, id: QueueId, from: u32) -> Result<Shown, Failure> {
        let mut found = self.store.queued_message(id).await.map_err(|e| match e {
            StoreError::NotFound(_) => not_queued(&[id]),
            e => e.into(),
        })?;
        found.recipients.retain(|recipient| recipient.number >= from);
        let next = found.recipients.get(QUEUE_SHOW_PAGE).map(|recipient| recipient.number);
        found.recipients.truncate(QUEUE_SHOW_PAGE);
        Ok(Shown { message: Names { desk: self, known: BTreeMap::new() }.entry(found), next })
    }

    /// One step of steering.
    pub(super) async fn queue_steer(
        &self,
        which: Which,
        action: Steer,
        after: Option<QueueId>,
    ) -> Result<Steered, Failure> {
        let filter = self.chosen(which)?;
        let name = name(&action);
        let steered = self.store.steer(filter, action, after).await?;
        if let (Some(server), 1..) = (&self.server, steered.changed) {
            let event = Event::info("queue.steered").with("action", name);
            server.events().emit(event.with("recipients", steered.changed));
        }
        Ok(steered)
    }

    /// Pauses or resumes a lane or all.
    pub(super) async fn queue_pause(&self, lane: Option<Lane>, paused: bool) -> Result<PauseLeft, Failure> {
        self.store.pause(lane.clone(), paused).await?;
        if let Some(server) = &self.server {
            let event = Event::info(if paused { "queue.paused" } else { "queue.resumed" });
            server.events().emit(event.with("lane", lane.as_ref().map_or("*", Lane::as_str)));
        }
        let there = QueueFilter { lane: lane.clone(), ..QueueFilter::default() };
        let empty = lane.is_some() && self.store.queue_page(there, None, 1).await?.messages.is_empty();
        let totals = self.store.queue_totals(PAUSED_TOLD).await?;
        let paused = totals.largest.into_iter().filter(|lane| lane.paused).map(|lane| lane.lane).collect();
        Ok(PauseLeft { empty, all_paused: totals.paused, paused })
    }

    /// The queue in numbers, with its largest lanes.
    pub(super) async fn queue_totals(&self, largest: usize) -> Result<Totals, Failure> {
        Ok(self.store.queue_totals(largest.min(QUEUE_LANES_PAGE)).await?.into())
    }
}

/// The word for an action, in the log and in answers.
pub(crate) const fn name(action: &Steer) -> &'static str {
    match action {
        Steer::Retry => "retry",
        Steer::Hold(_) => "hold",
        Steer::Release => "release",
        Steer::Remove => "remove",
        Steer::Reroute(_) => "reroute",
    }
}

/// What is said of ids that name nothing.
pub(crate) fn not_queued(ids: &[QueueId]) -> Failure {
    /// Ids that are named; of more their number is enough.
    const NAMED: usize = 10;
    let mut named = ids.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if let more @ 1.. = ids.len().saturating_sub(NAMED) {
        named = format!("{named} and {more} more");
    }
    let (what, is) = if ids.len() == 1 { ("message", "isn't") } else { ("messages", "aren't") };
    Failure::Refused(format!(
        "{what} {named} {is} in the queue: delivered, given up or removed, or never there; `mailward queue list` tells what is"
    ))
}

/// The answer that is behind most of what waits in these lanes.
fn worst(lanes: &[InLane]) -> Option<Reason> {
    let mut kinds: BTreeMap<_, Reason> = BTreeMap::new();
    for reason in lanes.iter().filter_map(|lane| lane.reason.as_ref()) {
        let Reason { answer, recipients } = reason;
        // As a lane's own reason: a host's words have ids and times in them, its codes say what they mean.
        let words = if answer.code == 0 { answer.text.as_str() } else { "" };
        let kind = kinds
            .entry((answer.code, answer.status.as_deref(), words))
            .or_insert_with(|| Reason { answer: answer.clone(), recipients: 0 });
        kind.recipients = kind.recipients.saturating_add(*recipients);
        if answer.at > kind.answer.at {
            kind.answer = answer.clone();
        }
    }
    kinds.into_values().max_by_key(|kind| (kind.recipients, kind.answer.at))
}

/// Turns records into what is told; asks for each user's address once.
struct Names<'a> {
    desk: &'a Desk,
    known: BTreeMap<AccountId, String>,
}

impl Names<'_> {
    fn user(&mut self, account: AccountId) -> String {
        let directory = &self.desk.directory;
        let name = self.known.entry(account).or_insert_with(|| {
            let own = directory.addresses_of(account).into_iter().next();
            own.map_or_else(|| account.to_string(), |own| own.to_string())
        });
        name.clone()
    }

    fn entry(&mut self, message: QueuedMessage) -> Entry {
        let envelope = message.envelope;
        Entry {
            id: message.id,
            size: message.size,
            sender: envelope.sender,
            submitter: envelope.submitter.map(|account| self.user(account)),
            forwarded: envelope.forwarded,
            arrived: envelope.arrived,
            warn: envelope.warn,
            expires: envelope.expires,
            envid: envelope.envid,
            give_back: envelope.give_back,
            needs: envelope.needs,
            trials: message.trials,
            left: message.left,
            recipients: message.recipients.into_iter().map(recipient).collect(),
        }
    }
}

fn recipient(found: QueuedRecipient) -> Recipient {
    let (held, reason) = match found.state {
        RecipientState::Waiting => (false, None),
        RecipientState::Held(reason) => (true, Some(reason)),
    };
    Recipient {
        number: found.number,
        address: found.address,
        lane: found.lane,
        held,
        reason,
        next_try: (!held).then_some(found.due),
        attempts: found.attempts,
        answer: found.answer.map(Answer::from),
        warned: found.warned,
        notify: found.notify,
        original: found.original,
        history: found.history.into_iter().map(Answer::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(name: &str, at: i64, code: u16, text: &str, recipients: u64) -> InLane {
        let answer =
            Answer { at: Timestamp(at), host: format!("mx.{name}"), code, status: None, text: text.to_owned() };
        InLane {
            lane: Lane::parse(name).unwrap(),
            waiting: recipients,
            held: 0,
            paused: false,
            due: None,
            rests_until: None,
            failures: 0,
            oldest: None,
            reason: Some(Reason { answer, recipients }),
        }
    }

    #[test]
    fn the_reason_most_at_fault_is_counted_over_lanes_by_what_it_means() {
        let lanes = [
            lane("a.example", 1, 450, "busy, id 17", 3),
            lane("b.example", 2, 450, "busy, id 18", 3),
            lane("c.example", 3, 0, "no answer", 5),
            lane("d.example", 4, 0, "connection refused", 5),
        ];
        let found = worst(&lanes).unwrap();
        assert_eq!((found.recipients, found.answer.text.as_str()), (6, "busy, id 18"));
        // Our own words say the cause themselves: two causes aren't one.
        assert_eq!(worst(&lanes[2..]).unwrap().recipients, 5);
        assert_eq!(worst(&[]), None);
    }

    #[test]
    fn of_many_ids_that_name_nothing_the_first_are_named() {
        let ids: Vec<QueueId> = (1..=12).map(QueueId).collect();
        let told = not_queued(&ids).to_string();
        assert!(told.starts_with("messages 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more aren't in the queue"), "{told}");
        assert!(not_queued(&ids[..1]).to_string().starts_with("message 1 isn't in the queue"));
    }
}
