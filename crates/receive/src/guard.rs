//! What strangers who bring mail are weighed with, and what came of it.

use mailward_core::SpfResult;
use mailward_core::limits::{
    SPF_HELLO_LOOKUPS_AT_ONCE, SPF_HELLO_LOOKUPS_PER_HOST_MAX, SPF_LOOKUPS_AT_ONCE, SPF_LOOKUPS_PER_HOST_MAX,
};
use mailward_dns::{Lookup, Turns};
use mailward_gate::greylist::Greylist;
use mailward_gate::score::{Evidence, Judgement, Sign};
use mailward_gate::{Reputation, Reverse, SenderDomain};
use mailward_inspect::spf::{Identity, SpfOutcome};
use mailward_smtp::Reply;
use mailward_store::SendingStore;
use std::net::IpAddr;
use std::sync::Arc;

/// Whom to ask about strangers. Without it nobody is weighed.
pub struct Guard {
    /// Finds out about addresses, greetings and senders' domains.
    pub reputation: Arc<Reputation>,
    /// For SPF.
    pub lookup: Arc<dyn Lookup>,
    /// Places for questions of SPF.
    pub turns: SpfTurns,
    /// Who was put off and who came back.
    pub greylist: Arc<Greylist>,
    /// Whom users here wrote to.
    pub correspondents: Arc<dyn SendingStore>,
    /// Addresses of this host.
    pub addresses: Vec<IpAddr>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

/// Places for questions of SPF that are on their way. What strangers greet with takes none from their senders.
#[derive(Debug)]
pub struct SpfTurns {
    pub(crate) sender: Turns,
    pub(crate) hello: Turns,
}

impl Default for SpfTurns {
    fn default() -> Self {
        Self {
            sender: Turns::new(SPF_LOOKUPS_AT_ONCE, SPF_LOOKUPS_PER_HOST_MAX),
            hello: Turns::new(SPF_HELLO_LOOKUPS_AT_ONCE, SPF_HELLO_LOOKUPS_PER_HOST_MAX),
        }
    }
}

/// What was found of a stranger and the sender that it names, with the evidence: what the trace of a message tells later.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    /// Signs and points.
    pub(crate) judgement: Judgement,
    /// SPF, for the sender, or for the greeting where the sender is nobody; `None` if it couldn't be checked.
    pub(crate) spf: Option<SpfOutcome>,
    /// SPF for the greeting beside a sender, if it was known by then: nothing depends on it.
    pub(crate) spf_hello: Option<SpfOutcome>,
    /// The client's name.
    pub(crate) reverse: Reverse,
    /// Whether the sender's domain can be answered; `None` where that isn't asked: nobody, an address literal, one of ours.
    pub(crate) domain: Option<SenderDomain>,
    /// Somebody here wrote to the sender.
    pub(crate) correspondent: bool,
    /// The sender's domain was seen from this neighbourhood, proven, and its mail accepted.
    pub(crate) came_well: bool,
}

impl Judged {
    /// Whether SPF proves that the client may send for the sender's domain.
    pub(crate) fn is_proven(&self) -> bool {
        let of = self.spf.as_ref().filter(|outcome| outcome.identity == Identity::MailFrom);
        of.is_some_and(|outcome| outcome.result == SpfResult::Pass)
    }
    /// Whether SPF says that the sender is forged, or somebody keeps it from saying so.
    fn is_doubted(&self) -> bool {
        self.spf.as_ref().is_none_or(|outcome| {
            matches!(outcome.result, SpfResult::Fail | SpfResult::SoftFail | SpfResult::TempError)
        })
    }
    /// Why it isn't put off, though it looks bad. A correspondent's name alone is enough for this, unless SPF denies it or can't be asked: who
    /// forges it gains that its mail isn't late, and nothing else.
    pub(crate) fn spared(&self) -> Option<&'static str> {
        if self.correspondent && !self.is_doubted() {
            Some("correspondent")
        } else if self.judgement.is_allow_listed() {
            Some("allow-listed")
        } else if self.came_well && self.is_proven() {
            Some("came-well")
        } else {
            None
        }
    }
    /// The reply that refuses it, by what weighs most.
    pub(crate) fn refusal(&self) -> Reply {
        match self.judgement.heaviest() {
            Some(Evidence::Listed { list, .. }) => Reply::LISTED.with(list),
            Some(Evidence::Sign(sign)) => match sign {
                Sign::SpfFail | Sign::SpfSoftFail | Sign::SpfPermError | Sign::SpfPass => Reply::SPF_REFUSED,
                Sign::NoReverse | Sign::Unconfirmed | Sign::ReverseFailed | Sign::Generated => Reply::REVERSE_REFUSED,
                Sign::HelloOurs | Sign::HelloLiteral | Sign::HelloNoName | Sign::HelloConfirmed => Reply::HELLO_REFUSED,
                // Whoever is refused is so without it.
                Sign::SpfTempError => Reply::BEHAVIOUR_REFUSED,
                Sign::EarlyTalker | Sign::Hasty | Sign::UnknownRecipients | Sign::Correspondent => {
                    Reply::BEHAVIOUR_REFUSED
                }
            },
            None => Reply::BEHAVIOUR_REFUSED,
        }
    }
}
