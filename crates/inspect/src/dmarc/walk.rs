//! The walk up the DNS: which record is whose, and which domain is whose organisation (RFC 9989 §4.10).

use super::record::{Psd, Record};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mailward_core::limits::{DMARC_LABELS_KEPT, DMARC_QUERIES_MAX};
use mailward_dns::{Lookup, Name};
use std::collections::HashMap;

/// That the DNS doesn't answer now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown(pub(super) Name);

/// Records of one message's names, each asked for once.
pub(super) struct Walks<'a> {
    lookup: &'a dyn Lookup,
    known: HashMap<Name, Result<Option<Record>, Unknown>>,
}

/// What a walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// The organisation of the name that it started at.
    pub(super) organization: Name,
    /// The records, those of the longest names first, with their domains.
    pub(super) found: Vec<(Name, Record)>,
}

impl<'a> Walks<'a> {
    pub(super) fn new(lookup: &'a dyn Lookup) -> Self {
        Self { lookup, known: HashMap::new() }
    }

    /// The record right at a domain.
    pub(super) async fn record(&mut self, domain: &Name) -> Result<Option<Record>, Unknown> {
        self.ask(std::slice::from_ref(domain)).await;
        self.known(domain)
    }

    /// Walks up from a name.
    pub(super) async fn up(&mut self, start: &Name) -> Result<Walk, Unknown> {
        let names = way(start);
        // Nearly always it is needed to the end: one wait for all.
        self.ask(&names).await;
        let mut found = Vec::new();
        for name in names {
            let Some(record) = self.known(&name)? else { continue };
            let stops = record.psd != Psd::Unsaid;
            found.push((name, record));
            if stops {
                break;
            }
        }
        let organization = organization(start, &found);
        Ok(Walk { organization, found })
    }

    fn known(&self, domain: &Name) -> Result<Option<Record>, Unknown> {
        self.known.get(domain).cloned().unwrap_or_else(|| Err(Unknown(domain.clone())))
    }

    async fn ask(&mut self, domains: &[Name]) {
        let new = domains.iter().filter(|domain| !self.known.contains_key(*domain));
        let lookup = self.lookup;
        let mut asking: FuturesUnordered<_> =
            new.map(|domain| async move { (domain.clone(), asked(lookup, domain).await) }).collect();
        let mut answers = Vec::new();
        while let Some(answer) = asking.next().await {
            answers.push(answer);
        }
        drop(asking);
        self.known.extend(answers);
    }
}

async fn asked(lookup: &dyn Lookup, domain: &Name) -> Result<Option<Record>, Unknown> {
    // A name without room for the prefix can't have one.
    let Ok(place) = Name::parse(&format!("_dmarc.{domain}")) else { return Ok(None) };
    match lookup.txt(&place).await {
        Ok(found) => Ok(Record::of(&found.records)),
        Err(error) if error.is_temporary() => Err(Unknown(place)),
        Err(_) => Ok(None),
    }
}

/// Where a walk asks: at most `limits::DMARC_QUERIES_MAX` domains.
fn way(start: &Name) -> Vec<Name> {
    let labels: Vec<&str> = start.as_str().split('.').collect();
    let skipped = labels.len().saturating_sub(DMARC_LABELS_KEPT).max(1);
    let above = (skipped..labels.len()).filter_map(|from| Name::parse(&labels.get(from..)?.join(".")).ok());
    std::iter::once(start.clone()).chain(above).take(DMARC_QUERIES_MAX).collect()
}

/// RFC 9989 §4.10.2.
fn organization(start: &Name, found: &[(Name, Record)]) -> Name {
    for (domain, record) in found {
        match record.psd {
            Psd::No => return domain.clone(),
            Psd::Yes if domain != start => return below(start, domain),
            Psd::Yes | Psd::Unsaid => {}
        }
    }
    found.last().map_or(start, |(domain, _)| domain).clone()
}

/// The name one label below a domain on the way to `start`.
fn below(start: &Name, domain: &Name) -> Name {
    let above = start.as_str().strip_suffix(domain.as_str()).and_then(|before| before.strip_suffix('.'));
    let label = above.map(|above| above.rsplit_once('.').map_or(above, |(_, label)| label));
    label.and_then(|label| Name::parse(&format!("{label}.{domain}")).ok()).unwrap_or_else(|| start.clone())
}
