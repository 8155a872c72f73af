//! Asking what was refused.

use super::reference::hour_of;
use super::{Entry, Journal, Reference, Verdict, keep};
use mailward_core::limits::{JOURNAL_READ_MAX, JOURNAL_SHOWN_MAX, JOURNAL_TIME, PAGE_ROWS_MAX};
use mailward_core::{Address, Domain, Network, Timestamp};
use mailward_store::StoreError;
use mailward_store::records::Shelf;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Whatever was refused.
    All,
    /// What a reply names.
    Reference(Reference),
    /// A sender or recipient.
    Address(Address),
    /// Senders and recipients of a domain, and hosts that call themselves so.
    Domain(Domain),
    /// A host, or a network.
    Network(String),
}

impl What {
    /// Reads a reference, an address, a domain, an IP address or a network.
    ///
    /// # Errors
    /// That it is none of these, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            let text = text.trim_start_matches('<').trim_end_matches('>');
            return Address::parse(text, true).map(Self::Address).map_err(|e| format!("{text:?}: {e}"));
        }
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self::Network(text.to_owned()));
        }
        if text.contains('/') {
            return Network::parse_any(text)
                .map(|network| Self::Network(network.to_string()))
                .map_err(|e| e.to_string());
        }
        if let Ok(reference) = text.parse() {
            return Ok(Self::Reference(reference));
        }
        match Domain::parse_utf8(text) {
            Ok(domain) => Ok(Self::Domain(domain)),
            Err(_) => Err(format!(
                "{text:?} is no reference such as 7K2Q-9XMT, and no address, domain, IP address or network"
            )),
        }
    }

    fn network(&self) -> Option<Network> {
        let Self::Network(text) = self else { return None };
        match text.parse::<IpAddr>() {
            Ok(ip) => Some(Network::of(ip, 128)),
            Err(_) => Network::parse_any(text).ok(),
        }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Of what.
    pub what: What,
    /// Only what was put off by greylisting.
    pub put_off: bool,
    /// Only what came then or later; `None`: all that is remembered.
    pub since: Option<Timestamp>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The newest first, at most `limits::JOURNAL_SHOWN_MAX`.
    pub entries: Vec<Entry>,
    /// There are more that fit the question.
    pub more: bool,
    /// Refusals in that time that weren't noted, or no longer are, whatever they were of: there were too many.
    pub left_out: u64,
    /// What is older isn't remembered.
    pub remembered_since: Timestamp,
}

/// The network that is asked for, once.
struct Filter<'a> {
    asked: &'a Asked,
    network: Option<Network>,
    since: Timestamp,
}

impl Filter<'_> {
    fn fits(&self, entry: &Entry) -> bool {
        let is_of = |text: &Option<String>, address: &Address| {
            text.as_deref().and_then(|text| Address::parse(text, true).ok()).is_some_and(|other| same(&other, address))
        };
        let is_in = |text: &Option<String>, domain: &Domain| {
            let address = text.as_deref().and_then(|text| Address::parse(text, true).ok());
            address.is_some_and(|address| address.domain() == Some(domain))
        };
        entry.at >= self.since
            && (!self.asked.put_off || entry.verdict == Verdict::PutOff)
            && match &self.asked.what {
                What::All => true,
                What::Reference(reference) => entry.reference == *reference,
                What::Address(address) => is_of(&entry.sender, address) || is_of(&entry.recipient, address),
                What::Domain(domain) => {
                    is_in(&entry.sender, domain)
                        || is_in(&entry.recipient, domain)
                        || entry.hello.as_deref().is_some_and(|hello| hello.eq_ignore_ascii_case(domain.as_str()))
                }
                What::Network(_) => self.network.is_some_and(|network| entry.ip.is_some_and(|ip| network.contains(ip))),
            }
    }
}

fn same(one: &Address, other: &Address) -> bool {
    one.host() == other.host() && one.local().folded() == other.local().folded()
}

impl Journal {
    /// What is remembered, in memory and on the shelf.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find(&self, asked: &Asked) -> Result<Found, StoreError> {
        let now = self.clock.now();
        let remembered = i64::try_from(JOURNAL_TIME.as_millis()).unwrap_or(i64::MAX);
        let remembered_since = Timestamp(now.0.saturating_sub(remembered));
        let since = asked.since.unwrap_or(remembered_since).max(remembered_since);
        let filter = Filter { asked, network: asked.what.network(), since };
        // The shelf before the memory: what is written meanwhile is in one of them at least.
        let (mut entries, mut left_out) = match asked.what {
            What::Reference(reference) => self.one(reference, now).await?,
            _ => self.all(&filter).await?,
        };
        let ring: Vec<Arc<Entry>> = {
            let inner = self.inner();
            let is_asked_for = match asked.what {
                What::Reference(reference) => reference.hour(now) == inner.hour.number,
                _ => inner.hour.number >= hour_of(since),
            };
            if inner.hour.is_news && is_asked_for {
                // The shelf has an older count of this hour.
                left_out.retain(|(hour, _)| *hour != inner.hour.number);
                left_out.push((inner.hour.number, inner.hour.left_out));
            }
            // Nobody who notes a refusal waits for the looking.
            inner.ring.iter().cloned().collect()
        };
        entries.extend(ring.iter().filter(|entry| filter.fits(entry)).map(|entry| Entry::clone(entry)));
        entries.retain(|entry| filter.fits(entry));
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.reference)));
        entries.dedup_by(|a, b| (a.at, a.reference) == (b.at, b.reference));
        let more = entries.len() > JOURNAL_SHOWN_MAX;
        entries.truncate(JOURNAL_SHOWN_MAX);
        let left_out = left_out.iter().fold(0_u64, |all, (_, count)| all.saturating_add(*count));
        Ok(Found { entries, more, left_out, remembered_since })
    }

    /// What a reference names, and how many of its hour weren't noted.
    async fn one(&self, reference: Reference, now: Timestamp) -> Result<(Vec<Entry>, Vec<(i64, u64)>), StoreError> {
        let hour = reference.hour(now);
        let record = self.shelf.shelved(Shelf::Refusals, keep::key(hour, reference)).await?;
        let first = self.shelf.shelf(Shelf::Refusals, Some(keep::prefix(hour)), 1).await?;
        let of_hour = first.iter().filter(|record| record.key.starts_with(&keep::prefix(hour)));
        let left_out = of_hour.filter_map(keep::left_out).map(|count| (hour, count)).collect();
        Ok((record.as_ref().and_then(keep::entry).into_iter().collect(), left_out))
    }

    /// What fits, a page after the other; never many more at once than are shown.
    async fn all(&self, filter: &Filter<'_>) -> Result<(Vec<Entry>, Vec<(i64, u64)>), StoreError> {
        let mut after = Some(keep::prefix(hour_of(filter.since)));
        let (mut found, mut left_out, mut read) = (Vec::new(), Vec::new(), 0_usize);
        while read < JOURNAL_READ_MAX {
            let page = self.shelf.shelf(Shelf::Refusals, after.take(), PAGE_ROWS_MAX).await?;
            read = read.saturating_add(page.len());
            for record in &page {
                if let Some(count) = keep::left_out(record) {
                    let hour = record.key.split_once('.').and_then(|(hour, _)| hour.parse().ok()).unwrap_or(0);
                    left_out.push((hour, count));
                } else if let Some(entry) = keep::entry(record).filter(|entry| filter.fits(entry)) {
                    found.push(entry);
                }
            }
            // The newest are wanted; one more than are shown says that there are more.
            let most = JOURNAL_SHOWN_MAX.saturating_add(1);
            if found.len() > most {
                found.sort_by_key(|entry: &Entry| std::cmp::Reverse(entry.at));
                found.truncate(most);
            }
            if page.len() < PAGE_ROWS_MAX {
                break;
            }
            after = page.last().map(|record| record.key.clone());
        }
        Ok((found, left_out))
    }
}
