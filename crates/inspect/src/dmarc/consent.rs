//! Who takes reports: whoever is of the same organisation, or says in the DNS that it does (RFC 9990 §4, attacks D10).

use super::record::Record;
use super::walk::{Unknown, Walks};
use mailward_core::{Address, Domain};
use mailward_dns::{Lookup, Name};

/// Where reports of a policy domain go that its record would have brought to an address: there, or to another address of
/// the same host, if whoever takes them says so. `None`: nobody there said that it takes them.
///
/// # Errors
/// The name that can't be looked up now.
pub async fn takes_reports(lookup: &dyn Lookup, domain: &Domain, to: &Address) -> Result<Option<Address>, Name> {
    let Some(host) = to.domain() else { return Ok(None) };
    let mut walks = Walks::new(lookup);
    if domain == host {
        return Ok(Some(to.clone()));
    }
    let own = walks.up(&Name::from(domain)).await.map_err(|Unknown(name)| name)?.organization;
    if Name::from(host).is_within(&own)
        && walks.up(&Name::from(host)).await.map_err(|Unknown(name)| name)?.organization == own
    {
        return Ok(Some(to.clone()));
    }
    // A name that the DNS has no room for can't say anything.
    let Ok(place) = Name::under(&format!("{domain}._report._dmarc"), host) else { return Ok(None) };
    match lookup.txt(&place).await {
        Ok(found) => Ok(consented(&found.records, host, to)),
        Err(error) if error.is_temporary() => Err(place),
        Err(_) => Ok(None),
    }
}

fn consented(texts: &[Vec<u8>], host: &Domain, to: &Address) -> Option<Address> {
    let records: Vec<Record> = texts.iter().filter_map(|text| Record::parse(text)).collect();
    if records.is_empty() {
        return None;
    }
    let Some(instead) = records.iter().find_map(|record| record.reports.first()) else { return Some(to.clone()) };
    // Elsewhere is nobody's to say.
    (instead.domain() == Some(host)).then(|| instead.clone())
}
