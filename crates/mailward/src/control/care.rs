//! Care for what users send, and for what can't be delivered: limits, freezing, giving up, schedules.

use super::desk::{Desk, shown};
use super::queue::Which;
use super::sessions;
use crate::compose::{checks, sending};
use crate::failure::Failure;
use crate::place::Place;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{BOUNCE_STEP, BOUNCE_WORDS_MAX, DOMAIN_LIMITS, USER_LIMITS};
use mailward_core::{AccountId, Address, Domain, DomainId, Measure, PerMeasure, QueueId, SendLimits, Timestamp};
use mailward_delivery::care::{Care, Schedule, ScheduleFor, Schedules};
use mailward_delivery::queue::Bouncer;
use mailward_directory::{Directory, UserInfo};
use mailward_store::records::{Frozen, LimitChanges, Scope, SenderRecord};
use mailward_store::{DirectoryStore as _, LocalStore, QueueStore as _, SendingStore as _, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the desk needs for it.
#[derive(Clone)]
pub(crate) struct CareDesk {
    /// That of the server, if one runs.
    care: Option<Arc<Care>>,
    /// None where nobody knows this host's name.
    bouncer: Option<Bouncer>,
    /// As configured, for users and domains.
    limits: (SendLimits, SendLimits),
}

impl Default for CareDesk {
    fn default() -> Self {
        Self { care: None, bouncer: None, limits: (USER_LIMITS, DOMAIN_LIMITS) }
    }
}

impl CareDesk {
    pub(crate) fn with_server(care: Arc<Care>, bouncer: Bouncer) -> Self {
        Self { care: Some(care), bouncer: Some(bouncer), ..Self::default() }
    }

    /// Where no server runs.
    pub(super) fn without_server(place: &Place, store: &Arc<LocalStore>, directory: &Arc<Directory>) -> Self {
        let config = place.config();
        let hostname = checks::hostname(&place.loaded).ok();
        let bouncer = hostname.map(|name| sending::bouncer(None, config, &name, store, directory, &Events::nowhere()));
        Self { care: None, bouncer, limits: (config.user_limits, config.domain_limits) }
    }

    fn limits(&self) -> (SendLimits, SendLimits) {
        self.care.as_ref().map_or(self.limits, |care| care.limits())
    }
}

/// A limit to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wish {
    /// As configured.
    Usual,
    /// So much; 0: no limit.
    Most(u64),
}

/// Limits to be set; `None` leaves one.
pub(crate) type Wishes = PerMeasure<Option<Wish>>;

/// What may be sent and what was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Limits of its own; null: as configured.
    pub(crate) own: LimitChanges,
    /// What is in force; 0: no limit.
    pub(crate) limits: SendLimits,
    /// What was sent to other domains in this hour and in 24 hours.
    pub(crate) sent: SendLimits,
    /// Messages of 24 hours that were held as they went beyond a limit.
    pub(crate) held: u64,
    /// Limits that the last message went beyond.
    pub(crate) beyond: Vec<Measure>,
}

/// A user, with what they send.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    #[serde(flatten)]
    pub(crate) user: UserInfo,
    /// Since when and why nothing of theirs is sent.
    pub(crate) frozen: Option<Frozen>,
    pub(crate) sending: Limits,
}

/// A user whose mail is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrozenUser {
    pub(crate) user: String,
    pub(crate) since: Timestamp,
    pub(crate) why: String,
}

/// What one step of giving up did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BounceStep {
    /// Recipients that were given up.
    pub(crate) changed: u64,
    /// Messages that were being sent, and stay as they are.
    pub(crate) busy: Vec<QueueId>,
    /// Where to go on; null if that was all.
    pub(crate) next: Option<QueueId>,
}

/// A schedule with what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scheduled {
    /// As `from joe@example.org`, `to example.net`.
    #[serde(rename = "for")]
    pub(crate) of: String,
    #[serde(flatten)]
    pub(crate) schedule: Hours,
}

/// Hours; null: as configured, or as the next schedule that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hours {
    pub(crate) lifetime: Option<u32>,
    /// 0: never.
    pub(crate) warn_after: Option<u32>,
}

impl Desk {
    /// One step of giving up recipients together with their bounces.
    pub(super) async fn queue_bounce(
        &self,
        which: Which,
        text: Option<String>,
        after: Option<QueueId>,
    ) -> Result<BounceStep, Failure> {
        let Some(bouncer) = &self.care.bouncer else {
            return Err(Failure::Refused(
                "a bounce needs this host's name: write hostname = \"mail.your.domain\" into mailward.toml".to_owned(),
            ));
        };
        if text.as_ref().is_some_and(|text| text.len() > BOUNCE_WORDS_MAX || text.chars().any(char::is_control)) {
            return Err(Failure::Usage(format!("the text is one line of at most {BOUNCE_WORDS_MAX} bytes")));
        }
        let filter = self.chosen(which)?;
        let page = self.store.queue_page(filter, after, BOUNCE_STEP).await?;
        let mut step = BounceStep { next: page.next, ..BounceStep::default() };
        for message in &page.messages {
            let bounced = bouncer.bounce(message, text.as_deref()).await?;
            step.changed = step.changed.saturating_add(bounced.recipients);
            step.busy.extend(bounced.busy.then_some(message.id));
        }
        if let (Some(server), 1..) = (&self.server, step.changed) {
            let event = Event::info("queue.steered").with("action", "bounce");
            server.events().emit(event.with("recipients", step.changed));
        }
        Ok(step)
    }

    pub(super) async fn schedules(&self) -> Result<Vec<Scheduled>, Failure> {
        let (schedules, unread) = Schedules::read(&*self.store).await?;
        let hours = |schedule: Schedule| Hours { lifetime: schedule.lifetime, warn_after: schedule.warn_after };
        let mut all: Vec<Scheduled> = schedules
            .iter()
            .map(|(name, schedule)| Scheduled { of: name.to_owned(), schedule: hours(schedule) })
            .collect();
        // Named, so that somebody removes them.
        let none = Hours { lifetime: None, warn_after: None };
        all.extend(unread.into_iter().map(|key| Scheduled { of: format!("{key} (can't be read)"), schedule: none }));
        Ok(all)
    }

    pub(super) async fn set_schedule(&self, of: &ScheduleFor, schedule: &Schedule) -> Result<Value, Failure> {
        schedule.check().map_err(|e| Failure::Usage(e.to_string()))?;
        Schedules::set(&*self.store, of, schedule).await?;
        self.tell(Event::info("schedule.set").with("for", of));
        Ok(Value::Null)
    }

    pub(super) async fn remove_schedule(&self, of: &ScheduleFor) -> Result<Value, Failure> {
        Schedules::remove(&*self.store, of).await.map_err(|e| match e {
            StoreError::NotFound(_) => Failure::Refused(format!(
                "there is no schedule for mail {of}; `mailward queue schedule list` tells which there are"
            )),
            e => e.into(),
        })?;
        self.tell(Event::info("schedule.removed").with("for", of));
        Ok(Value::Null)
    }

    pub(super) async fn about(&self, address: &Address) -> Result<About, Failure> {
        let user = self.directory.user(address, Some(self.store.as_ref())).await?;
        let account = self.account(address)?;
        let record = self.store.sender(Scope::Account(account)).await?;
        let frozen = record.frozen.clone();
        Ok(About { user, frozen, sending: self.limits_of(record, self.care.limits().0).await? })
    }

    pub(super) async fn limit_user(&self, address: &Address, set: &Wishes) -> Result<Limits, Failure> {
        let account = self.account(address)?;
        self.limit(Scope::Account(account), set, self.care.limits().0, address.to_string()).await
    }

    pub(super) async fn limit_domain(&self, name: &Domain, set: &Wishes) -> Result<Limits, Failure> {
        let domain = self.domain(name).await?;
        self.limit(Scope::Domain(domain), set, self.care.limits().1, name.to_string()).await
    }

    async fn limit(&self, scope: Scope, set: &Wishes, configured: SendLimits, of: String) -> Result<Limits, Failure> {
        let change = set.map(|_, wish| {
            wish.map(|wish| match wish {
                Wish::Usual => None,
                Wish::Most(most) => Some(most),
            })
        });
        if change != PerMeasure::default() {
            self.store.set_send_limits(scope, change).await?;
            self.tell(Event::info("sending.limited").with("of", of));
        }
        self.limits_of(self.store.sender(scope).await?, configured).await
    }

    async fn limits_of(&self, record: SenderRecord, configured: SendLimits) -> Result<Limits, Failure> {
        let sent = self.store.sent(record.scope).await?;
        Ok(Limits {
            own: record.limits,
            limits: record.effective(&configured),
            sent: sent.sent,
            held: sent.held,
            beyond: record.beyond,
        })
    }

    async fn domain(&self, name: &Domain) -> Result<DomainId, Failure> {
        let found = self.store.domains().await?.into_iter().find(|domain| domain.name == *name);
        found.map(|domain| domain.id).ok_or_else(|| {
            Failure::Refused(format!("there is no domain {name}; `mailward domain list` tells which there are"))
        })
    }

    pub(super) async fn freeze(&self, address: &Address, why: String) -> Result<Value, Failure> {
        let account = self.account(address)?;
        if !self.store.freeze(account, why.clone()).await? {
            return Err(Failure::Refused(format!("{address} is frozen already: `mailward user show {address}`")));
        }
        match &self.care.care {
            Some(care) => care.froze(account, &why),
            None => mailward_delivery::care::hold_waiting(&*self.store, &*self.store, account, &why).await?,
        }
        let sessions = match &self.server {
            Some(server) => sessions::list(server, &self.directory, Some(address), None)?,
            None => json!([]),
        };
        Ok(json!({ "frozen": true, "sessions": sessions }))
    }

    pub(super) async fn unfreeze(&self, address: &Address) -> Result<Value, Failure> {
        let account = self.account(address)?;
        if !self.store.unfreeze(account).await? {
            return Err(Failure::Refused(format!("{address} isn't frozen")));
        }
        self.tell(Event::info("user.unfrozen").with("user", address));
        Ok(json!({ "frozen": false }))
    }

    /// Users whose mail is held.
    pub(super) async fn frozen(&self) -> Result<Vec<FrozenUser>, Failure> {
        let senders = self.store.senders().await?;
        let frozen = senders.into_iter().filter_map(|sender| match (sender.scope, sender.frozen) {
            (Scope::Account(account), Some(frozen)) => Some((account, frozen)),
            _ => None,
        });
        let named = frozen.map(|(account, frozen)| FrozenUser {
            user: self.directory.address_of(account).map_or_else(|| account.to_string(), |a| a.to_string()),
            since: frozen.since,
            why: frozen.why,
        });
        Ok(named.collect())
    }

    /// Adds to listed users what is set for their sending.
    pub(super) async fn with_sending(&self, mut users: Value) -> Result<Value, Failure> {
        let set: BTreeMap<AccountId, SenderRecord> = self
            .store
            .senders()
            .await?
            .into_iter()
            .filter_map(|sender| match sender.scope {
                Scope::Account(account) => Some((account, sender)),
                Scope::Domain(_) | Scope::Insider(_) => None,
            })
            .collect();
        for user in users.as_array_mut().into_iter().flatten() {
            let address = user.get("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
            let sender = address.and_then(|address| self.directory.account_id(&address)).and_then(|id| set.get(&id));
            insert(user, "frozen", shown(sender.and_then(|sender| sender.frozen.as_ref()))?);
            insert(user, "send_limits", shown(sender.map(|sender| sender.limits))?);
        }
        Ok(users)
    }

    /// Adds to listed domains what is set for their sending.
    pub(super) async fn with_domain_limits(&self, mut domains: Value) -> Result<Value, Failure> {
        let ids: BTreeMap<String, DomainId> =
            self.store.domains().await?.into_iter().map(|domain| (domain.name.to_string(), domain.id)).collect();
        let senders = self.store.senders().await?;
        for domain in domains.as_array_mut().into_iter().flatten() {
            let id = domain.get("name").and_then(Value::as_str).and_then(|name| ids.get(name));
            let sender = id.and_then(|id| senders.iter().find(|sender| sender.scope == Scope::Domain(*id)));
            insert(domain, "send_limits", shown(sender.map(|sender| sender.limits))?);
        }
        Ok(domains)
    }

    pub(super) fn tell(&self, event: Event) {
        if let Some(server) = &self.server {
            server.events().emit(event);
        }
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}
