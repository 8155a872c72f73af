//! What the queue keeps, as values: messages that are owed to other hosts.

use mailward_core::limits::{QUEUE_ENVID_MAX, QUEUE_LANE_MAX, QUEUE_ORIGINAL_MAX};
use mailward_core::{AccountId, Address, BlobId, Domain, QueueId, Timestamp};
pub use mailward_core::{EnhancedStatus, GiveBack, NotifyOn};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

use super::Delivery;

/// Where recipients wait together: a destination key. Usually the recipient's domain; a route may name another, such
/// as its smart host. 1 to `limits::QUEUE_LANE_MAX` visible ASCII characters, upper case only as in `[IPv6:2001:db8::1]`;
/// two lanes are the same if their bytes are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lane(Arc<str>);

/// What can't be a lane's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lane's name has 1 to {QUEUE_LANE_MAX} visible ASCII characters")]
pub struct LaneError;

impl Lane {
    /// Reads a name.
    ///
    /// # Errors
    /// [`LaneError`] if it is empty, too long, or has anything but visible ASCII.
    pub fn parse(text: &str) -> Result<Self, LaneError> {
        let fits = !text.is_empty() && text.len() <= QUEUE_LANE_MAX;
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) { Ok(Self(Arc::from(text))) } else { Err(LaneError) }
    }
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Domain> for Lane {
    /// A domain is shorter than a lane's name may be, and visible ASCII.
    fn from(domain: &Domain) -> Self {
        Self(Arc::from(domain.as_str()))
    }
}
impl TryFrom<String> for Lane {
    type Error = LaneError;
    fn try_from(text: String) -> Result<Self, LaneError> {
        Self::parse(&text)
    }
}
impl From<Lane> for String {
    fn from(lane: Lane) -> String {
        lane.0.as_ref().to_owned()
    }
}
impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came with a message that its next host has to know or to be able to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// SMTPUTF8: addresses or headers hold UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// REQUIRETLS: never over a connection that isn't encrypted and proven (RFC 8689).
    pub require_tls: bool,
    /// BODY=8BITMIME: there are bytes over 127 (RFC 6152).
    pub eight_bit: bool,
    /// `TLS-Required: No`: it goes out also where what the recipient's domain demands of TLS can't be had (RFC 8689 §5);
    /// what the administrator demands stands.
    /// Never together with `require_tls`.
    #[serde(default)]
    pub tls_optional: bool,
    /// A DKIM signature of ours, where the domain of its author is ours: it came from somebody who was asked who they are.
    /// What a user submitted is signed without it too.
    #[serde(default)]
    pub signature: bool,
}

/// What is the same for every recipient of a queued message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Reverse path; `None` is the null path `<>`.
    pub sender: Option<Address>,
    /// RET, if given.
    pub give_back: Option<GiveBack>,
    /// ENVID, decoded; at most `limits::QUEUE_ENVID_MAX` bytes without control characters.
    pub envid: Option<String>,
    /// What its next host must be able to do.
    pub needs: Needs,
    /// Who submitted it, if somebody logged in did.
    pub submitter: Option<AccountId>,
    /// The address of ours that it came to, if it is forwarded: it goes on as from there.
    pub forwarded: Option<Address>,
    /// When it came.
    pub arrived: Timestamp,
    /// When its sender should hear that it is late; `None`: never.
    pub warn: Option<Timestamp>,
    /// When trying ends.
    pub expires: Timestamp,
}

impl Envelope {
    /// Whether whoever brought it was asked who they are: a user who logged in, a program or a host of ours. Of anybody else
    /// nobody knows whether the sender is theirs.
    #[must_use]
    pub const fn is_of_known_sender(&self) -> bool {
        self.submitter.is_some() || self.needs.signature
    }
}

/// A message to be queued, beside its bytes: one envelope and whom it goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// The same for all.
    pub envelope: Envelope,
    /// 1 to `limits::QUEUE_RECIPIENTS_MAX`.
    pub recipients: Vec<NewRecipient>,
}

/// One recipient of a message to be queued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRecipient {
    /// Forward path.
    pub address: Address,
    /// NOTIFY, if given.
    pub notify: Option<NotifyOn>,
    /// ORCPT as `type;address`, decoded; at most `limits::QUEUE_ORIGINAL_MAX` bytes without control characters.
    pub original: Option<String>,
    /// Where it waits.
    pub lane: Lane,
    /// When it may be tried first: the time it arrived, if at once.
    pub due: Timestamp,
    /// Waits for somebody to release it, and why; cut to `limits::QUEUE_REASON_MAX` bytes.
    pub held: Option<String>,
}

impl Queued {
    /// What the store can't keep, and what limit says so.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let bad = |text: &Option<String>, most: usize| {
            text.as_ref().is_some_and(|t| t.len() > most || t.chars().any(char::is_control))
        };
        if bad(&self.envelope.envid, QUEUE_ENVID_MAX) {
            return Err("an envelope's id is longer than ENVID may be, or has control characters");
        }
        if self.recipients.iter().any(|r| bad(&r.original, QUEUE_ORIGINAL_MAX)) {
            return Err("an original recipient is longer than ORCPT may be, or has control characters");
        }
        Ok(())
    }
}

/// One attempt and what came of it. `host` and `text` are an outsider's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// The host that answered or didn't; empty if none was found. Cut to `limits::QUEUE_HOST_MAX` bytes.
    pub host: String,
    /// Its SMTP reply code; 0 if it gave none.
    pub code: u16,
    /// Its enhanced status code, or ours for what didn't get as far as a reply.
    pub status: Option<EnhancedStatus>,
    /// Its words, or ours. Cut to `limits::QUEUE_TEXT_MAX` bytes.
    pub text: String,
}

/// What a recipient does in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientState {
    /// Waits for its time.
    Waiting,
    /// Waits for somebody to release it; never expires meanwhile. The words say why.
    Held(String),
}

impl RecipientState {
    /// Without the reason.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }
}

/// A recipient in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// Its place in the message's envelope, from 0: with the message's id it names the recipient.
    pub number: u32,
    /// Forward path.
    pub address: Address,
    /// NOTIFY, if given.
    pub notify: Option<NotifyOn>,
    /// See [`NewRecipient::original`].
    pub original: Option<String>,
    /// Where it waits.
    pub lane: Lane,
    /// Waiting or held.
    pub state: RecipientState,
    /// When it is tried next, unless its lane can't be tried; of one that is held, since when it is: when it is released its
    /// message has so much more time.
    pub due: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// Those of them that failed by its own fault rather than its host's: its next pause goes by these.
    pub refusals: u32,
    /// The last attempt, if there was one.
    pub answer: Option<Attempt>,
    /// Its sender was told that it is late, or needn't be.
    pub warned: bool,
    /// The last `limits::QUEUE_ATTEMPTS_KEPT` attempts, oldest first. Only `queued_message` fills it.
    pub history: Vec<Attempt>,
}

/// A message in the queue with some or all of its recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its id; never given again.
    pub id: QueueId,
    /// Its bytes: there as long as it is queued.
    pub blob: BlobId,
    /// Their number.
    pub size: u64,
    /// The same for all recipients.
    pub envelope: Envelope,
    /// Trials begun since something of it was last settled; see `mark_trial`.
    pub trials: u32,
    /// Recipients left in the queue, here or not.
    pub left: u32,
    /// Those that were asked for, by number.
    pub recipients: Vec<QueuedRecipient>,
}

/// A lane that can be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueLane {
    /// Which.
    pub lane: Lane,
    /// Since when.
    pub due: Timestamp,
    /// Recipients that wait there, due or not.
    pub waiting: u64,
    /// Failures of its host since the last success.
    pub failures: u32,
}

/// A place in a lane's order of work: after it come those due later, and of those due together the later messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DuePlace {
    /// When due.
    pub due: Timestamp,
    /// Which message.
    pub message: QueueId,
}

/// Due messages of a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// In the order of work, each once, with its due recipients of this lane.
    pub messages: Vec<QueuedMessage>,
    /// Where to go on; `None` if that was all.
    pub next: Option<DuePlace>,
}

/// Messages whose sender is to be told something, whatever their lanes do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatePage {
    /// By deadline, with all their waiting recipients.
    pub messages: Vec<QueuedMessage>,
    /// Where to go on; `None` if that was all. Its `due` is a deadline.
    pub next: Option<DuePlace>,
}

/// When there is work next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextDue {
    /// The first lane becomes due.
    pub lane: Option<Timestamp>,
    /// The first message becomes late or expires.
    pub deadline: Option<Timestamp>,
}

/// What became of recipients of the queue, told in one commit with what follows from it: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// At most `limits::QUEUE_SETTLE_MAX`.
    pub recipients: Vec<Settled>,
    /// What was learned of hosts.
    pub lanes: Vec<LaneNews>,
    /// Lanes in which nothing is tried before then, though no host failed.
    pub pauses: Vec<(Lane, Timestamp)>,
    /// Bounces and warnings that these recipients cause: into mailboxes, into the queue, or both. Left out if
    /// `recipients` names some and none of them is in the queue any more: then somebody else has told it.
    pub tell: Vec<Delivery>,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its message.
    pub message: QueueId,
    /// Its number there.
    pub number: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The attempt that showed it, to be kept with it; none if nothing was tried.
    pub attempt: Option<Attempt>,
    /// The attempt failed by the recipient's own fault: counted in [`QueuedRecipient::refusals`].
    pub refused: bool,
    /// Its sender is told with this settlement that it is late, or needn't be.
    pub warned: bool,
}

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next host has it: it leaves the queue.
    Delivered,
    /// It is given up: it leaves the queue.
    Failed,
    /// It waits in its lane until then. Recipients of a message in one lane that get the same time stay together.
    Deferred(Timestamp),
    /// It waits for somebody to release it, and why; cut to `limits::QUEUE_REASON_MAX` bytes.
    Held(String),
    /// It goes on in another lane.
    Rerouted(Lane, Timestamp),
}

/// What was learned of a lane's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneNews {
    /// Which lane.
    pub lane: Lane,
    /// `None`: it answered; its failures are forgotten. Else one failure more, and nothing is tried before then.
    pub blocked: Option<Timestamp>,
}

/// What a settlement did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettleOutcome {
    /// Those that weren't in the queue any more: somebody removed them meanwhile. Nothing was done for them.
    pub missing: Vec<(QueueId, u32)>,
    /// Whether [`Settlement::tell`] was left out.
    pub untold: bool,
    /// Where each delivery of [`Settlement::tell`] went, in order.
    pub told: Vec<super::Accepted>,
}

/// Which recipients of the queue are meant: those that fit all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueFilter {
    /// Of these messages; at most `limits::PAGE_ROWS_MAX`.
    pub messages: Option<HashSet<QueueId>>,
    /// That came before then.
    pub before: Option<Timestamp>,
    /// In this lane.
    pub lane: Option<Lane>,
    /// At this domain.
    pub domain: Option<Domain>,
    /// With this address; the case of its local part doesn't count.
    pub recipient: Option<Address>,
    /// From this address likewise; with `Some(None)` from the null path.
    pub sender: Option<Option<Address>>,
    /// Submitted by this account.
    pub submitter: Option<AccountId>,
    /// Held, or not.
    pub held: Option<bool>,
    /// Whose last answer has this text: its words, host, code or status. Case of ASCII doesn't count.
    pub answer: Option<String>,
}

/// A page of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePage {
    /// By id, with those of their recipients that fit. May be empty though there are more.
    pub messages: Vec<QueuedMessage>,
    /// Everything up to here was looked at: ask from here next. `None` if that was all.
    pub next: Option<QueueId>,
}

/// What is done to recipients in the queue by hand. To fail some, list them and settle them as [`Outcome::Failed`]
/// together with their bounces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steer {
    /// Those that wait are due now, and their lanes may be tried.
    Retry,
    /// Those that wait are held, and why.
    Hold(String),
    /// Those that are held wait again, and are due now.
    Release,
    /// They leave the queue; nobody is told.
    Remove,
    /// They go to this lane, and are due now; those held stay held.
    Reroute(Lane),
}

/// What one step of steering did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steered {
    /// Recipients that were changed.
    pub changed: u64,
    /// Everything up to here is done: go on from here. `None` if that was all.
    pub next: Option<QueueId>,
}

/// A lane for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneTotal {
    /// Which.
    pub lane: Lane,
    /// Recipients that wait.
    pub waiting: u64,
    /// Recipients that are held.
    pub held: u64,
    /// Whether it is paused.
    pub paused: bool,
    /// When its first recipient is due.
    pub due: Option<Timestamp>,
    /// Before then it isn't tried, as its host failed.
    pub blocked: Option<Timestamp>,
    /// Failures of its host since the last success.
    pub failures: u32,
    /// When its oldest message came.
    pub oldest: Option<Timestamp>,
    /// The answer that most of its oldest `limits::QUEUE_SAMPLE` recipients got last, and how many of them.
    pub reason: Option<(Attempt, u64)>,
}

/// The queue in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueTotals {
    /// Messages.
    pub messages: u64,
    /// Recipients that wait.
    pub waiting: u64,
    /// Recipients that are held.
    pub held: u64,
    /// Lanes, those that are empty and paused included.
    pub lanes: u64,
    /// Whether all is paused.
    pub paused: bool,
    /// When the oldest message came.
    pub oldest: Option<Timestamp>,
    /// The largest lanes, largest first; paused ones before the others.
    pub largest: Vec<LaneTotal>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lane_is_its_name_and_nothing_that_could_break_a_line(name in "\\PC{0,20}|[!-~]{1,310}|.{0,5}") {
            match Lane::parse(&name) {
                Ok(lane) => {
                    prop_assert_eq!(lane.as_str(), &name);
                    prop_assert!(name.bytes().all(|b| (b'!'..=b'~').contains(&b)) && name.len() <= QUEUE_LANE_MAX);
                    prop_assert_eq!(Lane::try_from(String::from(lane.clone())), Ok(lane));
                }
                Err(LaneError) => prop_assert!(
                    name.is_empty() || name.len() > QUEUE_LANE_MAX || name.bytes().any(|b| !b.is_ascii_graphic())
                ),
            }
        }
    }
}
