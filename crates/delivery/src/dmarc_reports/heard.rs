//! What others report of mail in the name of domains here.

use bytes::Bytes;
use mailward_core::Domain;
use mailward_core::limits::{
    DMARC_HEARD_DAYS, DMARC_HEARD_MAX, DMARC_HEARD_PER_ORGANIZATION_MAX, DMARC_PACKED_MAX, DMARC_REPORT_PARTS_MAX,
    DMARC_TIME, SHELF_VALUE_MAX,
};
use mailward_directory::Directory;
use mailward_dns::{Lookup, Name};
use mailward_inspect::authenticate::Authentication;
use mailward_inspect::dmarc;
use mailward_inspect::report::{self, Report};
use mailward_inspect::{Direction, Subject};
use mailward_message::{Part, decode, header};
use mailward_store::api::{ShelfStore, StoreError};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_sts::Day;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A report that came, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// Which domain proved that it is from there: who says who reports.
    pub proven: Domain,
    /// What it says. Every text is an outsider's.
    pub report: Report,
}

/// Reads reports of others, one at a time.
pub struct Listener {
    /// Which domains are ours.
    directory: Arc<Directory>,
    /// Where they say who gets reports.
    lookup: Arc<dyn Lookup>,
    /// Where reports are kept.
    shelf: Arc<dyn ShelfStore>,
    /// Whose turn it is to be read: what outsiders pack costs time and memory (attacks D9).
    turn: Arc<Semaphore>,
}

/// Another report is read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another report is being read")]
pub struct Busy;

/// A message that says that it reports of a domain of ours, and whose turn it is to be read.
pub struct Due {
    listener: Arc<Listener>,
    subject: Subject,
    /// Of which domain it says that it reports.
    domain: Domain,
    proven: Domain,
    _turn: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Due {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Due").field("domain", &self.domain).field("proven", &self.proven).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

/// Where a report is kept: by domain, day and organisation that reports. The same report has the same place.
#[must_use]
pub fn heard_key(domain: &Domain, day: Day, organization: &Name, id: &str) -> String {
    format!("{}{}", heard_from(domain, day, organization), hashed(id))
}

/// What the places of all that an organisation reports of a domain's day begin with.
fn heard_from(domain: &Domain, day: Day, organization: &Name) -> String {
    format!("{domain}/{day}/{}", hashed(organization.as_str()))
}

fn hashed(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    hash.get(..32).unwrap_or_default().to_owned()
}

impl Listener {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(directory: Arc<Directory>, lookup: Arc<dyn Lookup>, shelf: Arc<dyn ShelfStore>) -> Self {
        Self { directory, lookup, shelf, turn: Arc::new(Semaphore::new(1)) }
    }

    /// A message that comes in, if it says that it reports of a domain of ours and proves who it is from (RFC 9990 §3.5.2).
    /// Looks at the header alone: other mail costs nothing, and no part of any is opened here.
    ///
    /// # Errors
    /// [`Busy`]: it isn't read.
    pub fn due(self: &Arc<Self>, subject: &Subject, found: &Authentication) -> Result<Option<Due>, Busy> {
        if subject.direction != Direction::Incoming {
            return Ok(None);
        }
        let domain = reported(subject.message()).filter(|domain| self.directory.is_local_domain(domain));
        let (Some(domain), Some(proven)) = (domain, found.proven().cloned()) else { return Ok(None) };
        let turn = Arc::clone(&self.turn).try_acquire_owned().map_err(|_| Busy)?;
        Ok(Some(Due { listener: Arc::clone(self), subject: subject.clone(), domain, proven, _turn: turn }))
    }

    /// Whether there is no room for a report that isn't kept already, by what keys begin with.
    async fn has_enough(&self, key: &str, same_organization: &str, same_day: &str) -> Result<bool, StoreError> {
        if self.shelf.shelved(Shelf::DmarcHeard, key.to_owned()).await?.is_some() {
            return Ok(false);
        }
        for (prefix, most) in [(same_organization, DMARC_HEARD_PER_ORGANIZATION_MAX), (same_day, DMARC_HEARD_MAX)] {
            let kept = self.shelf.shelf(Shelf::DmarcHeard, Some(prefix.to_owned()), most).await?;
            if kept.iter().filter(|one| one.key.starts_with(prefix)).count() >= most {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the domain's own record names one of the recipients.
    async fn is_asked_for(&self, domain: &Domain, subject: &Subject) -> bool {
        let Ok(Some(policy)) = dmarc::discover(&*self.lookup, domain).await else { return false };
        let mut recipients = subject.recipients.iter().filter_map(|recipient| recipient.address.as_ref());
        recipients.any(|to| policy.record.reports.contains(to))
    }
}

impl Due {
    /// Reads the report where that hinders nobody, and keeps it: if it came to an address that the domain names for it, at most
    /// `limits::DMARC_HEARD_MAX` of its day, and `limits::DMARC_HEARD_PER_ORGANIZATION_MAX` of those of one organisation.
    /// Whatever comes of it, the message went its way.
    ///
    /// # Errors
    /// What the store says.
    pub async fn read(self) -> Result<Option<Heard>, StoreError> {
        let Self { listener, subject, domain, proven, _turn } = self;
        if !listener.is_asked_for(&domain, &subject).await {
            return Ok(None);
        }
        let today = Day::of(subject.now);
        let read = tokio::task::spawn_blocking(move || attached(&subject)).await;
        let Ok(Some(report)) = read else { return Ok(None) };
        if !Domain::parse(&report.published.domain).is_ok_and(|of| of == domain) {
            return Ok(None);
        }
        let day = Day(report.begin.div_euclid(86_400));
        if day.0 > today.0 || day.0.saturating_add(i64::from(DMARC_HEARD_DAYS)) < today.0 {
            return Ok(None);
        }
        // Whoever has a domain has as many names below it as it likes.
        let organization = timeout(DMARC_TIME, dmarc::organization(&*listener.lookup, &proven)).await;
        let Ok(Ok(organization)) = organization else { return Ok(None) };
        let key = heard_key(&domain, day, &organization, &report.id);
        if listener.has_enough(&key, &heard_from(&domain, day, &organization), &format!("{domain}/{day}/")).await? {
            return Ok(None);
        }
        let mut heard = Heard { proven, report };
        let Some(value) = kept(&mut heard) else { return Ok(None) };
        let expires = Some(Day(day.0.saturating_add(i64::from(DMARC_HEARD_DAYS))).end());
        listener.shelf.change_shelf(vec![ShelfChange::Put(Shelf::DmarcHeard, Shelved { key, value, expires })]).await?;
        Ok(Some(heard))
    }
}

/// As it is kept; rows that don't fit become a number.
fn kept(heard: &mut Heard) -> Option<Bytes> {
    loop {
        let value = serde_json::to_vec(&heard).ok()?;
        if value.len() <= SHELF_VALUE_MAX {
            return Some(Bytes::from(value));
        }
        let rows = &mut heard.report.rows;
        if rows.is_empty() {
            return None;
        }
        let gone = rows.split_off(rows.len().div_euclid(2));
        heard.report.more = gone.iter().fold(heard.report.more, |sum, row| sum.saturating_add(row.count));
    }
}

/// Of which domain a message says that it reports. RFC 9990 §3.5.2: `Subject: Report Domain: …`.
fn reported(message: &[u8]) -> Option<Domain> {
    let subject = header::first(message.get(..header::header_end(message)).unwrap_or_default(), "subject")?;
    let words = decode::header_text(&header::unfold(subject)).to_ascii_lowercase();
    let mut words = words.split_whitespace();
    if words.next() != Some("report") || words.next() != Some("domain:") {
        return None;
    }
    Domain::parse(words.next()?.trim_end_matches([',', ';'])).ok()
}

/// The first report among the first parts that may be one.
fn attached(subject: &Subject) -> Option<Report> {
    let leaves = subject.structure.parts().filter(|part| !part.is_multipart() && part.size() <= packed_max());
    leaves
        .filter(|part| may_be(part))
        .take(DMARC_REPORT_PARTS_MAX)
        .find_map(|part| report::read(&report::unpack(&decode::part_bytes(&subject.bytes, part))?))
}

/// Coded as base64 it is longer by a half at most.
const fn packed_max() -> u64 {
    (DMARC_PACKED_MAX as u64).saturating_mul(3).div_euclid(2)
}

fn may_be(part: &Part) -> bool {
    let kind = format!("{}/{}", part.media_type, part.subtype).to_ascii_lowercase();
    matches!(
        kind.as_str(),
        "application/gzip"
            | "application/x-gzip"
            | "application/zip"
            | "application/x-zip-compressed"
            | "application/x-zip"
            | "application/octet-stream"
            | "application/xml"
            | "text/xml"
    )
}
