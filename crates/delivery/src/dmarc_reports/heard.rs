//! What others report of mail in the name of domains here.

use bytes::Bytes;
use mailward_core::Domain;
use mailward_core::limits::{DMARC_HEARD_DAYS, DMARC_HEARD_MAX, DMARC_PACKED_MAX, SHELF_VALUE_MAX};
use mailward_directory::Directory;
use mailward_dns::Lookup;
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

/// A report that came, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// Which domain proved that it is from there: who says who reports.
    pub proven: Domain,
    /// What it says. Every text is an outsider's.
    pub report: Report,
}

/// Reads reports of others.
pub struct Listener {
    /// Which domains are ours.
    pub directory: Arc<Directory>,
    /// Where they say who gets reports.
    pub lookup: Arc<dyn Lookup>,
    /// Where reports are kept.
    pub shelf: Arc<dyn ShelfStore>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

/// Where a report is kept: by domain and day. The same report has the same place.
#[must_use]
pub fn heard_key(domain: &Domain, day: Day, proven: &Domain, id: &str) -> String {
    let name = blake3::hash(format!("{proven}\0{id}").as_bytes()).to_hex();
    format!("{domain}/{day}/{}", name.get(..32).unwrap_or_default())
}

impl Listener {
    /// Keeps what a message that comes in reports, if it does: to an address that a domain of ours names for it, from somebody
    /// who proves who they are (RFC 9990 §3.5.2), of a domain of ours, at most `limits::DMARC_HEARD_MAX` a day. Whatever comes of
    /// it, the message goes its way. Looks at the subject first, so that other mail costs nothing.
    ///
    /// # Errors
    /// What the store says.
    pub async fn hear(&self, subject: &Subject, found: &Authentication) -> Result<Option<Heard>, StoreError> {
        if subject.direction != Direction::Incoming || !says_so(subject.message()) {
            return Ok(None);
        }
        let Some(proven) = found.proven() else { return Ok(None) };
        let Some(report) = attached(subject) else { return Ok(None) };
        let Ok(domain) = Domain::parse(&report.published.domain) else { return Ok(None) };
        if !self.directory.is_local_domain(&domain) || !self.is_asked_for(&domain, subject).await {
            return Ok(None);
        }
        let day = Day(report.begin.div_euclid(86_400));
        if day.0 > Day::of(subject.now).0 || day.0.saturating_add(i64::from(DMARC_HEARD_DAYS)) < Day::of(subject.now).0
        {
            return Ok(None);
        }
        let key = heard_key(&domain, day, proven, &report.id);
        let before = self.shelf.shelf(Shelf::DmarcHeard, Some(format!("{domain}/{day}/")), DMARC_HEARD_MAX).await?;
        let same_day = format!("{domain}/{day}/");
        let of_day = before.iter().filter(|one| one.key.starts_with(&same_day));
        if of_day.clone().count() >= DMARC_HEARD_MAX && !of_day.into_iter().any(|one| one.key == key) {
            return Ok(None);
        }
        let mut heard = Heard { proven: proven.clone(), report };
        let Some(value) = kept(&mut heard) else { return Ok(None) };
        let expires = Some(Day(day.0.saturating_add(i64::from(DMARC_HEARD_DAYS))).end());
        self.shelf.change_shelf(vec![ShelfChange::Put(Shelf::DmarcHeard, Shelved { key, value, expires })]).await?;
        Ok(Some(heard))
    }

    /// Whether the domain's own record names one of the recipients.
    async fn is_asked_for(&self, domain: &Domain, subject: &Subject) -> bool {
        let Ok(Some(policy)) = dmarc::discover(&*self.lookup, domain).await else { return false };
        let mut recipients = subject.recipients.iter().filter_map(|recipient| recipient.address.as_ref());
        recipients.any(|to| policy.record.reports.contains(to))
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

/// RFC 9990 §3.5.2: `Subject: Report Domain: …`.
fn says_so(message: &[u8]) -> bool {
    let subject = header::first(message.get(..header::header_end(message)).unwrap_or_default(), "subject");
    let words = subject.map(|subject| decode::header_text(&header::unfold(subject)).to_ascii_lowercase());
    words.is_some_and(|words| words.split_whitespace().take(2).eq(["report", "domain:"]))
}

/// The first report among a message's parts.
fn attached(subject: &Subject) -> Option<Report> {
    let leaves = subject.structure.parts().filter(|part| !part.is_multipart() && part.size() <= packed_max());
    leaves
        .filter(|part| may_be(part))
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
