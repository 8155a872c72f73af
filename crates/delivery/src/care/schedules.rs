//! How long mail is tried and when its sender hears that it is late, by whom it is from and to which domain it goes.

use mailward_core::limits::{PAGE_ROWS_MAX, SCHEDULE_HOURS_MAX, SCHEDULES_MAX};
use mailward_core::{Address, Domain};
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// Before a schedule's name on the shelf.
const KEY: &str = "schedule:";

/// Which mail a schedule is for. On the shelf and in lists: `from joe@example.org`, `to example.net`, `from example.org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ScheduleFor {
    /// From this address; the case of its local part doesn't count.
    Sender(Address),
    /// To this domain.
    To(Domain),
    /// From addresses of this domain.
    From(Domain),
}

/// What isn't a schedule's name or schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The name.
    #[error("a schedule is for `from ADDRESS`, `from DOMAIN` or `to DOMAIN`")]
    Name,
    /// The lifetime.
    #[error("a lifetime is 1 to {SCHEDULE_HOURS_MAX} hours, a warning comes after 0 (never) to {SCHEDULE_HOURS_MAX}")]
    Hours,
    /// It says nothing.
    #[error("say how long mail is tried, or when its sender is warned")]
    Nothing,
}

impl ScheduleFor {
    /// Its key on [`Shelf::Sending`].
    fn key(&self) -> String {
        format!("{KEY}{self}")
    }
}

impl std::fmt::Display for ScheduleFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sender(address) => write!(f, "from {}@{}", address.local().folded(), address.host()),
            Self::To(domain) => write!(f, "to {domain}"),
            Self::From(domain) => write!(f, "from {domain}"),
        }
    }
}

impl FromStr for ScheduleFor {
    type Err = ScheduleError;
    /// Reads what [`std::fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let (way, whom) = text.split_once(' ').ok_or(ScheduleError::Name)?;
        let address = || Address::parse(whom, true).map_err(|_| ScheduleError::Name);
        let domain = || Domain::parse_utf8(whom).map_err(|_| ScheduleError::Name);
        match way {
            "from" if whom.contains('@') => {
                // Folded, so that a name is one name however it is written.
                let folded = address()?;
                let folded = format!("{}@{}", folded.local().folded(), folded.host());
                Address::parse(&folded, true).map(Self::Sender).map_err(|_| ScheduleError::Name)
            }
            "from" => domain().map(Self::From),
            "to" => domain().map(Self::To),
            _ => Err(ScheduleError::Name),
        }
    }
}

impl TryFrom<String> for ScheduleFor {
    type Error = ScheduleError;
    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl From<ScheduleFor> for String {
    fn from(name: ScheduleFor) -> Self {
        name.to_string()
    }
}

/// A schedule; what it doesn't say is said by the next one that fits, or the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Hours that mail is tried: 1 to `limits::SCHEDULE_HOURS_MAX`.
    pub lifetime: Option<u32>,
    /// Hours after which its sender hears that it is late; 0: never.
    pub warn_after: Option<u32>,
}

impl Schedule {
    /// Whether it can be.
    ///
    /// # Errors
    /// [`ScheduleError`] says what can't.
    pub const fn check(&self) -> Result<(), ScheduleError> {
        match (self.lifetime, self.warn_after) {
            (None, None) => Err(ScheduleError::Nothing),
            (Some(0), _) => Err(ScheduleError::Hours),
            (Some(hours), _) | (_, Some(hours)) if hours > SCHEDULE_HOURS_MAX => Err(ScheduleError::Hours),
            (_, Some(hours)) if hours > SCHEDULE_HOURS_MAX => Err(ScheduleError::Hours),
            _ => Ok(()),
        }
    }
}

/// How long a message is tried, and when its sender hears that it is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Times {
    /// How long it is tried.
    pub lifetime: Duration,
    /// When its sender hears that it is late; never, if not before.
    pub warn_after: Duration,
}

/// All schedules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedules(BTreeMap<String, Schedule>);

impl Schedules {
    /// What is set for mail from a sender to a domain. The most specific schedule that says something is the one: that of the
    /// sender's address, then that of the recipient's domain, then that of the sender's domain.
    #[must_use]
    pub fn times(&self, sender: Option<&Address>, to: &Domain, usual: Times) -> Times {
        if self.0.is_empty() {
            return usual;
        }
        let names = [
            sender.map(|sender| ScheduleFor::Sender(sender.clone())),
            Some(ScheduleFor::To(to.clone())),
            sender.and_then(Address::domain).map(|domain| ScheduleFor::From(domain.clone())),
        ];
        let fitting: Vec<&Schedule> = names.into_iter().flatten().filter_map(|n| self.0.get(&n.to_string())).collect();
        let lifetime = fitting.iter().find_map(|schedule| schedule.lifetime);
        let warn_after = fitting.iter().find_map(|schedule| schedule.warn_after);
        Times {
            lifetime: lifetime.map_or(usual.lifetime, hours),
            warn_after: warn_after
                .map_or(usual.warn_after, |count| if count == 0 { Duration::MAX } else { hours(count) }),
        }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Schedule)> {
        self.0.iter().map(|(name, schedule)| (name.as_str(), *schedule))
    }

    /// Reads them; also the keys of those that can't be read.
    ///
    /// # Errors
    /// What the store says.
    pub async fn read(shelf: &dyn ShelfStore) -> Result<(Self, Vec<String>), StoreError> {
        let mut all = BTreeMap::new();
        let mut unread = Vec::new();
        let mut after = Some(KEY.to_owned());
        loop {
            let page = shelf.shelf(Shelf::Sending, after, PAGE_ROWS_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            let ended = !last.key.starts_with(KEY);
            for Shelved { key, value, .. } in page {
                let Some(name) = key.strip_prefix(KEY) else { continue };
                match (name.parse::<ScheduleFor>(), serde_json::from_slice(&value)) {
                    (Ok(_), Ok(schedule)) if all.len() < SCHEDULES_MAX => drop(all.insert(name.to_owned(), schedule)),
                    _ => unread.push(key),
                }
            }
            if ended {
                break;
            }
        }
        Ok((Self(all), unread))
    }

    /// Sets one.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Limit`] if there are `limits::SCHEDULES_MAX`.
    pub async fn set(shelf: &dyn ShelfStore, of: &ScheduleFor, schedule: &Schedule) -> Result<(), StoreError> {
        let (all, unread) = Self::read(shelf).await?;
        if !all.0.contains_key(&of.to_string()) && all.0.len().saturating_add(unread.len()) >= SCHEDULES_MAX {
            return Err(StoreError::Limit("schedules"));
        }
        let value = serde_json::to_vec(schedule).unwrap_or_default().into();
        let record = Shelved { key: of.key(), value, expires: None };
        shelf.change_shelf(vec![ShelfChange::Put(Shelf::Sending, record)]).await
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none, or what else the store says.
    pub async fn remove(shelf: &dyn ShelfStore, of: &ScheduleFor) -> Result<(), StoreError> {
        shelf.change_shelf(vec![ShelfChange::Remove(Shelf::Sending, of.key())]).await
    }
}

fn hours(count: u32) -> Duration {
    Duration::from_secs(u64::from(count).saturating_mul(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: Times =
        Times { lifetime: Duration::from_secs(120 * 3_600), warn_after: Duration::from_secs(4 * 3_600) };

    fn schedules(all: &[(&str, Option<u32>, Option<u32>)]) -> Schedules {
        let one = |(name, lifetime, warn_after): &(&str, _, _)| {
            let name: ScheduleFor = name.parse().unwrap();
            (name.to_string(), Schedule { lifetime: *lifetime, warn_after: *warn_after })
        };
        Schedules(all.iter().map(one).collect())
    }

    #[test]
    fn the_most_specific_schedule_that_says_something_is_the_one() {
        let all = schedules(&[
            ("from s.example", Some(10), Some(1)),
            ("to t.example", Some(20), None),
            ("from Joe@s.example", None, Some(0)),
        ]);
        let times = |sender: &str, to: &str| {
            let sender = Address::parse(sender, true).ok();
            let Times { lifetime, warn_after } = all.times(sender.as_ref(), &Domain::parse(to).unwrap(), USUAL);
            (lifetime.as_secs() / 3_600, (warn_after < Duration::MAX).then_some(warn_after.as_secs() / 3_600))
        };
        assert_eq!(times("x@other.example", "u.example"), (120, Some(4)));
        assert_eq!(times("x@s.example", "u.example"), (10, Some(1)));
        assert_eq!(times("x@s.example", "t.example"), (20, Some(1)), "each says its part");
        assert_eq!(times("joe@s.example", "u.example"), (10, None));
        assert_eq!(times("JOE@s.example", "t.example"), (20, None));
        assert_eq!(times("", "t.example"), (20, Some(4)), "the null path");
    }

    #[test]
    fn hours_have_bounds_and_a_schedule_says_something() {
        let check = |lifetime, warn_after| Schedule { lifetime, warn_after }.check();
        assert_eq!(check(None, None), Err(ScheduleError::Nothing));
        assert_eq!(check(Some(0), None), Err(ScheduleError::Hours));
        assert_eq!(check(Some(1), Some(SCHEDULE_HOURS_MAX + 1)), Err(ScheduleError::Hours));
        assert_eq!(check(Some(SCHEDULE_HOURS_MAX + 1), None), Err(ScheduleError::Hours));
        assert_eq!(check(Some(SCHEDULE_HOURS_MAX), Some(0)), Ok(()));
        assert_eq!(check(None, Some(SCHEDULE_HOURS_MAX)), Ok(()));
    }

    proptest! {
        #[test]
        fn a_name_is_read_as_it_is_written(text in "(from|to|by|) ?(\\PC{0,12}@)?[a-zA-Z0-9.-]{0,12}|\\PC{0,20}") {
            if let Ok(name) = text.parse::<ScheduleFor>() {
                prop_assert_eq!(name.to_string().parse::<ScheduleFor>(), Ok(name));
            }
        }
    }
}
