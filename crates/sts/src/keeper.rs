//! Policies that are known: fetched when a domain says that it has one, and kept as long as they hold.

use crate::https::{Https, HttpsError};
use crate::policy::{Policy, PolicyError};
use crate::record::sts_id;
use crate::results::ResultType;
use bytes::Bytes;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{STS_FETCH_PAUSE, STS_FETCHES_KEPT};
use mailward_core::{Clock, Domain, Timestamp};
use mailward_dns::{Lookup, Name};
use mailward_store::StoreError;
use mailward_store::api::ShelfStore;
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What the MTA-STS keeper is made of.
pub struct Parts {
    /// Where policies are kept.
    pub shelf: Arc<dyn ShelfStore>,
    /// Who knows the DNS.
    pub lookup: Arc<dyn Lookup>,
    /// Who fetches.
    pub https: Https,
    /// Port of the policies' hosts: 443, but for trials.
    pub port: u16,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Events,
}

/// Knows what domains demand (RFC 8461).
pub struct Sts {
    parts: Parts,
    /// When a domain's policy was last fetched or tried to be.
    tried: Mutex<HashMap<Domain, Tried>>,
}

#[derive(Clone)]
struct Tried {
    at: Timestamp,
    trouble: Option<Trouble>,
}

/// What is known of a domain's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// What is in force, if anything is.
    pub policy: Option<Policy>,
    /// Why nothing is, though the domain says that it has a policy.
    pub trouble: Option<Trouble>,
}

/// Why a policy can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// As reports call it.
    pub result: ResultType,
    /// In words.
    pub why: String,
}

/// A policy as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its id in the DNS when it was fetched.
    pub id: String,
    /// When that was.
    pub fetched: Timestamp,
    /// The policy.
    pub policy: Policy,
}

/// What is kept of a domain's policy and still holds; nothing is asked for.
///
/// # Errors
/// What the store says.
pub async fn kept(shelf: &dyn ShelfStore, domain: &Domain, now: Timestamp) -> Result<Option<Kept>, StoreError> {
    let Some(record) = shelf.shelved(Shelf::MtaSts, domain.to_string()).await? else { return Ok(None) };
    // What can't be read any more is fetched anew.
    Ok(serde_json::from_slice::<Kept>(&record.value).ok().filter(|kept| now < kept.expires()))
}

impl Kept {
    /// Until when it holds.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.after(1)
    }
    /// When so large a part of its time is over.
    fn after(&self, part: i64) -> Timestamp {
        let millis = i64::from(self.policy.max_age).saturating_mul(1_000);
        Timestamp(self.fetched.0.saturating_add(millis.checked_div(part).unwrap_or(millis)))
    }
}

impl std::fmt::Debug for Sts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sts")
    }
}

impl Sts {
    /// Over a shelf.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, tried: Mutex::default() }
    }

    /// What a domain demands now. What is kept holds for its time, whatever the DNS says or doesn't (RFC 8461 §3.1, §5.1);
    /// it is fetched anew when its id changes, and when half of its time is over. May take as long as a fetch,
    /// `limits::HTTPS_TIME`; a domain's policy is fetched once in `limits::STS_FETCH_PAUSE`.
    ///
    /// # Errors
    /// What the store says when it can't tell what it keeps: then it isn't known what the domain demands.
    pub async fn policy(&self, domain: &Domain) -> Result<Sought, StoreError> {
        let now = self.parts.clock.now();
        let kept = kept(&*self.parts.shelf, domain, now).await?;
        let Some(id) = self.id(domain).await else {
            return Ok(Sought { policy: kept.map(|kept| kept.policy), trouble: None });
        };
        if let Some(kept) = kept.as_ref().filter(|kept| kept.id == id && now < kept.after(2)) {
            return Ok(Sought { policy: Some(kept.policy.clone()), trouble: None });
        }
        let fresh = match self.tried(domain, now) {
            Some(tried) => Err(tried.trouble),
            None => self.fetch(domain, &id, now).await?.map_err(Some),
        };
        Ok(match fresh {
            Ok(policy) => Sought { policy: Some(policy), trouble: None },
            // RFC 8461 §3.3: what is kept holds on.
            Err(_) if kept.is_some() => Sought { policy: kept.map(|kept| kept.policy), trouble: None },
            Err(trouble) => Sought { policy: None, trouble },
        })
    }

    async fn id(&self, domain: &Domain) -> Option<String> {
        let name = Name::under("_mta-sts", domain).ok()?;
        sts_id(&self.parts.lookup.txt(&name).await.ok()?.records)
    }

    /// The last try, if it is too early for another.
    fn tried(&self, domain: &Domain, now: Timestamp) -> Option<Tried> {
        let tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.get(domain).filter(|tried| is_recent(tried.at, now)).cloned()
    }

    fn note(&self, domain: &Domain, now: Timestamp, trouble: Option<Trouble>) {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= STS_FETCHES_KEPT {
            tried.retain(|_, tried| is_recent(tried.at, now));
            if tried.len() >= STS_FETCHES_KEPT {
                tried.clear();
            }
        }
        tried.insert(domain.clone(), Tried { at: now, trouble });
    }

    /// Fetches and keeps.
    async fn fetch(&self, domain: &Domain, id: &str, now: Timestamp) -> Result<Result<Policy, Trouble>, StoreError> {
        let fetched = self.ask(domain).await;
        self.note(domain, now, fetched.as_ref().err().cloned());
        let policy = match fetched {
            Ok(policy) => policy,
            Err(trouble) => {
                let event = Event::warn("sts.failed").with("domain", domain).with("result", trouble.result);
                self.parts.events.emit(event.with("reason", &trouble.why));
                return Ok(Err(trouble));
            }
        };
        let kept = Kept { id: id.to_owned(), fetched: now, policy };
        let value = serde_json::to_vec(&kept).map(Bytes::from).unwrap_or_default();
        let record = Shelved { key: domain.to_string(), value, expires: Some(kept.expires()) };
        self.parts.shelf.change_shelf(vec![ShelfChange::Put(Shelf::MtaSts, record)]).await?;
        let event = Event::info("sts.fetched").with("domain", domain).with("mode", kept.policy.mode);
        self.parts.events.emit(event.with("max_age", kept.policy.max_age));
        Ok(Ok(kept.policy))
    }

    async fn ask(&self, domain: &Domain) -> Result<Policy, Trouble> {
        let trouble = |result, why: String| Trouble { result, why };
        let host = Domain::parse(&format!("mta-sts.{domain}"))
            .map_err(|error| trouble(ResultType::StsPolicyFetchError, error.to_string()))?;
        let text = self.parts.https.text(&host, self.parts.port, "/.well-known/mta-sts.txt").await;
        let text = text.map_err(|error| trouble(kind(&error), format!("{host}: {error}")))?;
        Policy::parse(&text)
            .map_err(|error: PolicyError| trouble(ResultType::StsPolicyInvalid, format!("{host}: {error}")))
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    let pause = i64::try_from(STS_FETCH_PAUSE.as_millis()).unwrap_or(i64::MAX);
    // A clock that was set back must not make it wait for longer.
    (0..pause).contains(&now.0.saturating_sub(at.0))
}

fn kind(error: &HttpsError) -> ResultType {
    match error {
        HttpsError::Tls(_) => ResultType::StsWebpkiInvalid,
        _ => ResultType::StsPolicyFetchError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::SystemClock;
    use mailward_dns::Resolver;
    use mailward_tls::outbound::Outbound;

    #[tokio::test]
    async fn no_more_fetches_are_remembered_than_there_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let lookup: Arc<dyn Lookup> = Arc::new(Resolver::new(&mailward_core::config::Dns::default()).unwrap());
        let sts = Sts::new(Parts {
            shelf: mailward_store::LocalStore::open(dir.path(), mailward_store::Options::default()).unwrap(),
            https: Https::new(Arc::clone(&lookup), Outbound::trusting_system(), false),
            lookup,
            port: 443,
            clock: Arc::new(SystemClock),
            events: Events::nowhere(),
        });
        let (domain, now) = (|number: usize| Domain::parse(&format!("d{number}.example")).unwrap(), SystemClock.now());
        let long_ago = Timestamp(0);
        for number in 0..STS_FETCHES_KEPT {
            sts.note(&domain(number), if number == 0 { now } else { long_ago }, None);
        }
        sts.note(&domain(STS_FETCHES_KEPT), now, None);
        assert!(sts.tried(&domain(0), now).is_some(), "those that count stay");
        assert_eq!(sts.tried.lock().unwrap().len(), 2);
        for number in 0..=STS_FETCHES_KEPT {
            sts.note(&domain(number), now, None);
        }
        assert!(sts.tried.lock().unwrap().len() <= STS_FETCHES_KEPT);
        assert!(sts.tried(&domain(STS_FETCHES_KEPT), now).is_some());
    }
}
