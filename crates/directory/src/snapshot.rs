//! The directory as it was at one version: looking up names and following aliases, without I/O.

use crate::directory::{LocalTarget, Resolution};
use mailward_core::limits::{ALIAS_DEPTH_MAX, ALIAS_TARGETS_MAX};
use mailward_core::{AccountId, Address, Domain, DomainId, Host, LocalPart, Timestamp};
use mailward_store::StoreError;
use mailward_store::records::{AccountRecord, AliasRecord, DomainRecord};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Everything, as it was at one version. `Clone` costs as much as the directory is large: only administrative
/// functions do it, to try a change before it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    domains: HashMap<Domain, DomainEntry>,
    accounts: HashMap<AccountId, Arc<AccountEntry>>,
    /// The oldest domain: its postmaster stands in for every other's.
    first: Option<Domain>,
    /// The oldest enabled account: stands in where no postmaster is.
    oldest: Option<AccountId>,
}

#[derive(Clone, Debug)]
pub(crate) struct DomainEntry {
    pub(crate) id: DomainId,
    pub(crate) name: Domain,
    pub(crate) enabled: bool,
    pub(crate) catch_all: Option<Address>,
    pub(crate) created: Timestamp,
    pub(crate) names: HashMap<String, Name>,
}

/// What a local part of ours stands for.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    Account(Arc<AccountEntry>),
    Alias(Arc<AliasEntry>),
}

pub(crate) struct AccountEntry {
    pub(crate) address: Address,
    pub(crate) record: AccountRecord,
}

impl std::fmt::Debug for AccountEntry {
    /// Without the credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountEntry({})", self.address)
    }
}

#[derive(Debug)]
pub(crate) struct AliasEntry {
    pub(crate) domain: DomainId,
    pub(crate) local: String,
    pub(crate) address: Address,
    pub(crate) targets: Vec<Address>,
    pub(crate) created: Timestamp,
}

/// Why following aliases ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// In a circle, or through more than [`ALIAS_DEPTH_MAX`] aliases.
    Loop,
    /// To more than [`ALIAS_TARGETS_MAX`] addresses.
    TooMany,
}

/// The form names are looked up by; borrows where nothing changes, which is nearly always.
pub(crate) fn fold(local: &str) -> Cow<'_, str> {
    if local.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(local)
    } else {
        Cow::Owned(local.to_lowercase())
    }
}

impl Snapshot {
    /// Puts the records together. A record that contradicts the others or can't be read is damage, and said: to
    /// leave it out would refuse mail for somebody who is there.
    pub(crate) fn new(
        domains: Vec<DomainRecord>,
        accounts: Vec<AccountRecord>,
        aliases: Vec<AliasRecord>,
    ) -> Result<Self, StoreError> {
        let mut snapshot = Self::default();
        let mut names_of = HashMap::new();
        let oldest = domains.iter().min_by_key(|d| d.id).map(|d| d.name.clone());
        for record in domains {
            names_of.insert(record.id, record.name.clone());
            let catch_all = record.catch_all.as_deref().map(|text| address_of_record("catch-all", text)).transpose()?;
            let entry = DomainEntry {
                id: record.id,
                name: record.name.clone(),
                enabled: record.enabled,
                catch_all,
                created: record.created,
                names: HashMap::new(),
            };
            snapshot.domains.insert(record.name, entry);
        }
        snapshot.first = oldest;
        for record in accounts {
            let domain = domain_of_record(&names_of, record.domain, "account", &record.local)?;
            let address = own_address("account", &record.local, domain)?;
            let local = record.local.clone();
            let entry = Arc::new(AccountEntry { address, record });
            snapshot.add_name(domain, local, Name::Account(Arc::clone(&entry)))?;
            snapshot.accounts.insert(entry.record.id, entry);
        }
        for record in aliases {
            let domain = domain_of_record(&names_of, record.domain, "alias", &record.local)?;
            snapshot.add_alias(domain, record)?;
        }
        snapshot.oldest = snapshot.accounts.values().filter(|a| a.record.enabled).map(|a| a.record.id).min();
        Ok(snapshot)
    }

    fn add_alias(&mut self, domain: &Domain, record: AliasRecord) -> Result<(), StoreError> {
        let targets =
            record.targets.iter().map(|text| address_of_record("alias target", text)).collect::<Result<_, _>>()?;
        let entry = AliasEntry {
            domain: record.domain,
            local: record.local.clone(),
            address: own_address("alias", &record.local, domain)?,
            targets,
            created: record.created,
        };
        self.add_name(domain, record.local, Name::Alias(Arc::new(entry)))
    }

    fn add_name(&mut self, domain: &Domain, local: String, name: Name) -> Result<(), StoreError> {
        let entry = self.domains.get_mut(domain).ok_or(StoreError::NotFound("domain"))?;
        match entry.names.insert(local.clone(), name) {
            None => Ok(()),
            Some(_) => Err(StoreError::Damaged(format!("two accounts or aliases are called {local}@{domain}"))),
        }
    }

    /// This directory with an alias added or replaced: to see whether it would do.
    pub(crate) fn with_alias(&self, alias: &Address, domain: &DomainEntry, targets: &[Address]) -> Self {
        let mut tried = self.clone();
        let local = fold(alias.local().as_str()).into_owned();
        let entry = AliasEntry {
            domain: domain.id,
            local: local.clone(),
            address: alias.clone(),
            targets: targets.to_vec(),
            created: domain.created,
        };
        if let Some(domain) = tried.domains.get_mut(&domain.name) {
            domain.names.insert(local, Name::Alias(Arc::new(entry)));
        }
        tried
    }

    /// This directory with another catch-all: to see whether it would do.
    pub(crate) fn with_catch_all(&self, domain: &Domain, catch_all: Option<Address>) -> Self {
        let mut tried = self.clone();
        if let Some(domain) = tried.domains.get_mut(domain) {
            domain.catch_all = catch_all;
        }
        tried
    }

    pub(crate) fn domain(&self, name: &Domain) -> Option<&DomainEntry> {
        self.domains.get(name)
    }
    /// Domains by name.
    pub(crate) fn domains(&self) -> Vec<&DomainEntry> {
        self.domains.iter().collect::<BTreeMap<_, _>>().into_values().collect()
    }
    /// The only domain, if there is exactly one.
    pub(crate) fn only_domain(&self) -> Option<&DomainEntry> {
        let mut all = self.domains.values();
        all.next().filter(|_| all.next().is_none())
    }
    pub(crate) fn account(&self, id: AccountId) -> Option<&Arc<AccountEntry>> {
        self.accounts.get(&id)
    }
    /// The account or alias that has exactly this address.
    pub(crate) fn name(&self, address: &Address) -> Option<&Name> {
        let domain = self.domains.get(address.domain()?)?;
        domain.names.get(fold(address.local().as_str()).as_ref())
    }
    /// Accounts by address, of one domain or all.
    pub(crate) fn accounts(&self, domain: Option<&Domain>) -> Vec<&Arc<AccountEntry>> {
        let mut found: Vec<_> =
            self.accounts.values().filter(|a| domain.is_none_or(|d| a.address.domain() == Some(d))).collect();
        found.sort_by(|a, b| order(&a.address).cmp(&order(&b.address)));
        found
    }
    /// Aliases by address, of one domain or all.
    pub(crate) fn aliases(&self, domain: Option<&Domain>) -> Vec<&Arc<AliasEntry>> {
        let domains = self.domains.values().filter(|d| domain.is_none_or(|only| d.name == *only));
        let mut found: Vec<_> = domains
            .flat_map(|d| d.names.values())
            .filter_map(|name| match name {
                Name::Alias(alias) => Some(alias),
                Name::Account(_) => None,
            })
            .collect();
        found.sort_by(|a, b| order(&a.address).cmp(&order(&b.address)));
        found
    }

    /// The account or alias that mail to this address reaches first, by itself or by what stands before its `+`.
    pub(crate) fn reached<'a>(domain: &'a DomainEntry, local: &LocalPart) -> Option<(&'a Name, Option<String>)> {
        let folded = fold(local.as_str());
        if let Some(name) = domain.names.get(folded.as_ref()) {
            return Some((name, None));
        }
        let (base, _) = folded.split_once('+')?;
        let name = domain.names.get(base)?;
        // The detail keeps its case: it may name a mailbox.
        let detail = local.as_str().split_once('+').map(|(_, detail)| detail.to_owned());
        Some((name, detail.filter(|d| !d.is_empty())))
    }

    pub(crate) fn resolve(&self, address: &Address) -> Resolution {
        let Some(domain) = address.domain().and_then(|d| self.domains.get(d)) else {
            return Resolution::NotLocal;
        };
        if !domain.enabled {
            return Resolution::Disabled;
        }
        // Nearly all mail is for an account, by its own name: nothing to follow.
        if let Some(Name::Account(account)) = domain.names.get(fold(address.local().as_str()).as_ref())
            && account.record.enabled
        {
            let target = LocalTarget { account: account.record.id, detail: None };
            return Resolution::Deliver { local: vec![target], remote: Vec::new() };
        }
        self.follow(address).unwrap_or(Resolution::Loop)
    }

    /// What `<Postmaster>` means.
    pub(crate) fn postmaster_address(&self) -> Option<Address> {
        self.first.as_ref().and_then(|domain| own_address("account", "postmaster", domain).ok())
    }

    /// Mail to `<Postmaster>`.
    pub(crate) fn resolve_postmaster(&self) -> Resolution {
        self.postmaster_address().map_or(Resolution::UnknownUser, |address| self.resolve(&address))
    }

    /// Follows aliases from an address of ours to their ends.
    pub(crate) fn follow(&self, address: &Address) -> Result<Resolution, Lost> {
        let mut walk = Walk { snapshot: self, steps: Vec::new(), known: HashSet::new(), ends: Ends::default() };
        walk.visit(address, None, None)?;
        let mut next = 0usize;
        while let Some(step) = walk.steps.get(next) {
            let (targets, detail) = (step.targets, step.detail.clone());
            for target in targets {
                walk.visit(target, Some(next), detail.as_deref())?;
            }
            next = next.saturating_add(1);
        }
        Ok(walk.ends.into_resolution())
    }

    /// Who gets mail to an office that every domain has and this one gave to nobody: its postmaster (RFC 5321 §4.5.1), or who hears
    /// of abuse (RFC 2142 §4), which is the postmaster's as well. A catch-all is somebody for abuse, and not for the postmaster.
    fn stand_in<'a>(&'a self, domain: &'a DomainEntry, address: &Address) -> Option<&'a Name> {
        let folded = fold(address.local().as_str());
        match folded.split('+').next() {
            Some("postmaster") => self.postmaster(),
            Some("abuse") if domain.catch_all.is_none() => {
                domain.names.get("postmaster").filter(|name| name.is_active()).or_else(|| self.postmaster())
            }
            _ => None,
        }
    }

    /// Who gets mail to a postmaster whom a domain doesn't have: the first domain's, or else the oldest account.
    fn postmaster(&self) -> Option<&Name> {
        let of_first = self.first.as_ref().and_then(|d| self.domains.get(d)).and_then(|d| d.names.get("postmaster"));
        of_first.filter(|name| name.is_active()).or_else(|| {
            let oldest = self.accounts.get(&self.oldest?)?;
            self.name(&oldest.address)
        })
    }
}

impl Name {
    fn is_active(&self) -> bool {
        match self {
            Name::Account(account) => account.record.enabled,
            Name::Alias(_) => true,
        }
    }
}

/// Following aliases, breadth first, without recursion.
struct Walk<'a> {
    snapshot: &'a Snapshot,
    /// Aliases and catch-alls met, in the order they were met; each is followed once.
    steps: Vec<Step<'a>>,
    known: HashSet<(DomainId, &'a str)>,
    ends: Ends,
}

struct Step<'a> {
    /// Domain and local part of an alias; an empty local part for a domain's catch-all.
    key: (DomainId, &'a str),
    targets: &'a [Address],
    /// What stood after the `+` of an alias goes on to accounts of ours.
    detail: Option<String>,
    /// Index of the step that led here.
    from: Option<usize>,
}

#[derive(Default)]
struct Ends {
    local: Vec<LocalTarget>,
    local_known: HashSet<LocalTarget>,
    remote: Vec<Address>,
    remote_known: HashSet<Address>,
    disabled: bool,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, address: &Address, from: Option<usize>, inherited: Option<&str>) -> Result<(), Lost> {
        let Some(domain) = address.domain().and_then(|d| self.snapshot.domains.get(d)) else {
            return self.ends.add_remote(address);
        };
        if !domain.enabled {
            self.ends.disabled = true;
            return Ok(());
        }
        let mut found = Snapshot::reached(domain, address.local());
        if !found.as_ref().is_some_and(|(name, _)| name.is_active()) {
            found = self.snapshot.stand_in(domain, address).map(|name| (name, None)).or(found);
        }
        match found {
            Some((Name::Account(account), _)) if !account.record.enabled => {
                self.ends.disabled = true;
                Ok(())
            }
            Some((Name::Account(account), detail)) => {
                let detail = detail.or_else(|| inherited.map(str::to_owned));
                self.ends.add_local(LocalTarget { account: account.record.id, detail })
            }
            Some((Name::Alias(alias), detail)) => {
                let detail = detail.or_else(|| inherited.map(str::to_owned));
                self.add_step((alias.domain, &alias.local), &alias.targets, detail, from)
            }
            // The catch-all is asked last, so that it never shadows anybody.
            None => match &domain.catch_all {
                Some(target) => self.add_step((domain.id, ""), std::slice::from_ref(target), None, from),
                None => Ok(()),
            },
        }
    }

    fn add_step(
        &mut self,
        key: (DomainId, &'a str),
        targets: &'a [Address],
        detail: Option<String>,
        from: Option<usize>,
    ) -> Result<(), Lost> {
        let mut depth = 1usize;
        let mut above = from.and_then(|index| self.steps.get(index));
        while let Some(step) = above {
            depth = depth.saturating_add(1);
            if step.key == key || depth > ALIAS_DEPTH_MAX {
                return Err(Lost::Loop);
            }
            above = step.from.and_then(|index| self.steps.get(index));
        }
        if self.known.insert(key) {
            self.steps.push(Step { key, targets, detail, from });
        }
        Ok(())
    }
}

impl Ends {
    fn add_local(&mut self, target: LocalTarget) -> Result<(), Lost> {
        if self.local_known.insert(target.clone()) {
            self.local.push(target);
        }
        self.check()
    }
    fn add_remote(&mut self, address: &Address) -> Result<(), Lost> {
        if self.remote_known.insert(address.clone()) {
            self.remote.push(address.clone());
        }
        self.check()
    }
    fn check(&self) -> Result<(), Lost> {
        let all = self.local.len().saturating_add(self.remote.len());
        if all > ALIAS_TARGETS_MAX { Err(Lost::TooMany) } else { Ok(()) }
    }
    fn into_resolution(self) -> Resolution {
        if !self.local.is_empty() || !self.remote.is_empty() {
            Resolution::Deliver { local: self.local, remote: self.remote }
        } else if self.disabled {
            Resolution::Disabled
        } else {
            Resolution::UnknownUser
        }
    }
}

/// Domains first, so that a listing is grouped.
fn order(address: &Address) -> (&Host, &LocalPart) {
    (address.host(), address.local())
}

/// An address of ours from its stored local part.
pub(crate) fn own_address(what: &str, local: &str, domain: &Domain) -> Result<Address, StoreError> {
    let part = LocalPart::parse(local, true)
        .map_err(|e| StoreError::Damaged(format!("{what} {local:?} in {domain} is not a local part: {e}")))?;
    Ok(Address::new(part, Host::Domain(domain.clone())))
}

fn address_of_record(what: &str, text: &str) -> Result<Address, StoreError> {
    Address::parse(text, true).map_err(|e| StoreError::Damaged(format!("{what} {text:?} is not an address: {e}")))
}

fn domain_of_record<'a>(
    names: &'a HashMap<DomainId, Domain>,
    id: DomainId,
    what: &str,
    local: &str,
) -> Result<&'a Domain, StoreError> {
    names.get(&id).ok_or_else(|| StoreError::Damaged(format!("{what} {local:?} belongs to no domain")))
}
