//! One check: from a record to a result, with what is looked up on the way and what that may cost.

use super::macros::{MacroString, Place, Values};
use super::record::{Hosts, Mechanism, Record, RecordFault, select};
use super::{Given, Questions};
use futures_util::future::join_all;
use mailward_core::SpfResult;
use mailward_core::limits::{
    SPF_LOOKUP_TERMS_MAX, SPF_NAMES_MAX, SPF_QUESTIONS_MAX, SPF_RECORD_MAX, SPF_VOID_LOOKUPS_MAX,
};
use mailward_dns::{Found, Lookup, LookupError, Name};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A check on its way.
pub(super) struct Check<'a> {
    lookup: &'a dyn Lookup,
    given: &'a Given<'a>,
    questions: &'a Questions,
    /// Terms so far that cost lookups.
    terms: usize,
    /// Those that found nothing.
    voids: usize,
    names: Option<Names>,
    /// Whether anything depended on the sender's local part.
    personal: bool,
}

/// The client's names.
struct Names {
    /// Whether there was none at all.
    void: bool,
    /// At most `limits::SPF_NAMES_MAX`, and whether they lead back to it, as far as that is known.
    names: Vec<(Name, Option<bool>)>,
}

/// What a record says of the client.
pub(super) struct Verdict {
    pub(super) result: SpfResult,
    pub(super) mechanism: Option<String>,
    pub(super) why: String,
    /// Where the explanation is.
    pub(super) explanation: Option<Explanation>,
}

/// Where an explanation is, and the domain whose record says so.
pub(super) struct Explanation {
    at: MacroString,
    domain: Name,
}

/// What ends a check without a verdict, and why.
pub(super) enum Stop {
    /// It may go away by itself.
    Temporary(String),
    /// The domain has to mend something.
    Permanent(String),
}

impl Stop {
    pub(super) const fn result(&self) -> SpfResult {
        match self {
            Self::Temporary(_) => SpfResult::TempError,
            Self::Permanent(_) => SpfResult::PermError,
        }
    }

    pub(super) fn into_words(self) -> String {
        match self {
            Self::Temporary(why) | Self::Permanent(why) => why,
        }
    }
}

/// What a term is about.
enum Target {
    Name(Name),
    /// Macros made something that the DNS can't have: as if it weren't there (RFC 7208 §4.8).
    NoName,
    /// It would need a local part outside ASCII: it matches nothing (RFC 8616 §4).
    Never,
}

impl<'a> Check<'a> {
    pub(super) const fn new(lookup: &'a dyn Lookup, given: &'a Given<'a>, questions: &'a Questions) -> Self {
        Self { lookup, given, questions, terms: 0, voids: 0, names: None, personal: false }
    }

    /// What a domain says of the client.
    pub(super) async fn host(&mut self, mut domain: Name) -> Result<Verdict, Stop> {
        let mut redirected = false;
        // Ends, as a redirect is a term that costs a lookup.
        loop {
            let Some(record) = self.record(&domain).await? else {
                let why = format!("{domain} has no SPF record");
                if redirected {
                    return Err(Stop::Permanent(format!("{why}, and another record redirects to it")));
                }
                return Ok(Verdict { result: SpfResult::None, mechanism: None, why, explanation: None });
            };
            for directive in record.directives {
                if self.matches(&directive.mechanism, &domain).await? {
                    let why = format!("{} in the SPF record of {domain}", directive.text);
                    let explanation = record.explanation.map(|at| Explanation { at, domain });
                    return Ok(Verdict { result: directive.result, mechanism: Some(directive.text), why, explanation });
                }
            }
            let neutral = format!("nothing in the SPF record of {domain} fits");
            let neutral = Verdict { result: SpfResult::Neutral, mechanism: None, why: neutral, explanation: None };
            let Some(redirect) = record.redirect else { return Ok(neutral) };
            self.term()?;
            domain = match self.target(Some(&redirect), &domain).await? {
                Target::Name(name) => name,
                Target::Never => return Ok(neutral),
                Target::NoName => {
                    return Err(Stop::Permanent(format!("the SPF record of {domain} redirects to no domain")));
                }
            };
            redirected = true;
        }
    }

    /// A domain's record; none, if it has none (RFC 7208 §4.4).
    async fn record(&self, domain: &Name) -> Result<Option<Record>, Stop> {
        self.question()?;
        let texts = settled(self.lookup.txt(domain).await)?;
        let fault = |fault: RecordFault| Stop::Permanent(format!("{domain}: {fault}"));
        let Some(terms) = select(&texts).map_err(fault)? else { return Ok(None) };
        Record::parse(terms).map(Some).map_err(fault)
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &Name) -> Result<bool, Stop> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(first, bits) => Ok(self.within(&[IpAddr::V4(*first)], *bits, 0)),
            Mechanism::Ip6(first, bits) => Ok(self.within(&[IpAddr::V6(*first)], 0, *bits)),
            Mechanism::Include(at) => self.include(at, domain).await,
            Mechanism::A(hosts) => self.host_has_it(hosts, domain).await,
            Mechanism::Mx(hosts) => self.mail_host_has_it(hosts, domain).await,
            Mechanism::Ptr(at) => self.named(at.as_ref(), domain).await,
            Mechanism::Exists(at) => self.exists(at, domain).await,
        }
    }

    /// RFC 7208 §5.2.
    async fn include(&mut self, at: &MacroString, domain: &Name) -> Result<bool, Stop> {
        self.term()?;
        let nothing =
            |name: &str| Stop::Permanent(format!("the SPF record of {domain} includes {name}, which has none"));
        let name = match self.target(Some(at), domain).await? {
            Target::Name(name) => name,
            Target::Never => return Ok(false),
            Target::NoName => return Err(nothing(&at.to_string())),
        };
        // As deep as there are terms that cost lookups.
        match Box::pin(self.host(name.clone())).await?.result {
            SpfResult::Pass => Ok(true),
            SpfResult::None => Err(nothing(name.as_str())),
            _ => Ok(false),
        }
    }

    /// RFC 7208 §5.3.
    async fn host_has_it(&mut self, hosts: &Hosts, domain: &Name) -> Result<bool, Stop> {
        self.term()?;
        let Target::Name(name) = self.target(hosts.name.as_ref(), domain).await? else { return Ok(false) };
        let addresses = self.addresses(&name).await?;
        if addresses.is_empty() {
            self.void(&name)?;
        }
        Ok(self.within(&addresses, hosts.v4, hosts.v6))
    }

    /// RFC 7208 §5.4.
    async fn mail_host_has_it(&mut self, hosts: &Hosts, domain: &Name) -> Result<bool, Stop> {
        self.term()?;
        let Target::Name(name) = self.target(hosts.name.as_ref(), domain).await? else { return Ok(false) };
        self.question()?;
        let exchangers = settled(self.lookup.mx_at(&name).await)?;
        if exchangers.is_empty() {
            self.void(&name)?;
        }
        if exchangers.len() > SPF_NAMES_MAX {
            return Err(Stop::Permanent(format!("{name} has more than {SPF_NAMES_MAX} mail hosts")));
        }
        // A null MX (RFC 7505) is no name, and an address isn't one either: nothing is there.
        let names: Vec<Name> = exchangers.iter().filter_map(|mx| Name::parse(&mx.host).ok()).collect();
        let answers = join_all(names.iter().map(|name| self.addresses(name))).await;
        let mut failed = None;
        for answer in answers {
            match answer {
                Ok(addresses) if self.within(&addresses, hosts.v4, hosts.v6) => return Ok(true),
                Ok(_) => {}
                Err(stop) => failed = Some(stop),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// RFC 7208 §5.5.
    async fn named(&mut self, at: Option<&MacroString>, domain: &Name) -> Result<bool, Stop> {
        self.term()?;
        let Target::Name(name) = self.target(at, domain).await? else { return Ok(false) };
        self.ask_names().await?;
        if self.names.as_ref().is_some_and(|names| names.void) {
            self.void(&Name::reverse(self.given.ip))?;
        }
        Ok(self.validated(|one| one.is_within(&name)).await?.is_some())
    }

    /// RFC 7208 §5.7: IPv4 addresses, whatever the client has.
    async fn exists(&mut self, at: &MacroString, domain: &Name) -> Result<bool, Stop> {
        self.term()?;
        let Target::Name(name) = self.target(Some(at), domain).await? else { return Ok(false) };
        self.question()?;
        let there = !settled(self.lookup.listed(&name).await)?.is_empty();
        if !there {
            self.void(&name)?;
        }
        Ok(there)
    }

    /// Whether the client's address begins like one of these, of its own family.
    fn within(&self, addresses: &[IpAddr], v4: u8, v6: u8) -> bool {
        addresses.iter().any(|address| match (self.given.ip, address) {
            (IpAddr::V4(ip), IpAddr::V4(other)) => same_v4(ip, *other, v4),
            (IpAddr::V6(ip), IpAddr::V6(other)) => same_v6(ip, *other, v6),
            _ => false,
        })
    }

    /// Addresses of the client's family.
    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Stop> {
        self.question()?;
        settled(match self.given.ip {
            IpAddr::V4(_) => self.lookup.listed(name).await,
            IpAddr::V6(_) => self.lookup.listed_v6(name).await,
        })
    }

    /// Asks for the client's names, once.
    async fn ask_names(&mut self) -> Result<(), Stop> {
        if self.names.is_some() {
            return Ok(());
        }
        self.question()?;
        // RFC 7208 §5.5: an error is no name.
        let (void, names) = match self.lookup.ptr(self.given.ip).await {
            Ok(found) => (false, found.records),
            Err(error) => (!error.is_temporary(), Vec::new()),
        };
        let names = names.iter().take(SPF_NAMES_MAX).map(|name| (Name::from(name), None)).collect();
        self.names = Some(Names { void, names });
        Ok(())
    }

    /// The first of the client's names that is one of these and leads back to it; only these are looked up.
    async fn validated(&mut self, wanted: impl Fn(&Name) -> bool) -> Result<Option<Name>, Stop> {
        self.ask_names().await?;
        let Some(mut names) = self.names.take() else { return Ok(None) };
        let unknown: Vec<&Name> =
            names.names.iter().filter(|(name, held)| held.is_none() && wanted(name)).map(|(name, _)| name).collect();
        let answers = join_all(unknown.into_iter().map(|name| self.leads_back(name))).await;
        let mut answers = answers.into_iter();
        let mut first = None;
        for (name, held) in names.names.iter_mut().filter(|(name, _)| wanted(name)) {
            if held.is_none() {
                *held = answers.next().transpose()?;
            }
            if *held == Some(true) && first.is_none() {
                first = Some(name.clone());
            }
        }
        self.names = Some(names);
        Ok(first)
    }

    async fn leads_back(&self, name: &Name) -> Result<bool, Stop> {
        match self.addresses(name).await {
            Ok(addresses) => Ok(addresses.contains(&self.given.ip)),
            // RFC 7208 §5.5: the next name may do.
            Err(Stop::Temporary(_)) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    /// The name that `%{p}` stands for (RFC 7208 §7.3): the domain itself, one within it, any.
    async fn client_name(&mut self, domain: &Name) -> Result<Option<Name>, Stop> {
        if let Some(name) = self.validated(|name| name == domain).await? {
            return Ok(Some(name));
        }
        if let Some(name) = self.validated(|name| name.is_within(domain)).await? {
            return Ok(Some(name));
        }
        self.validated(|_| true).await
    }

    /// What a term is about: what its macros make, or else the record's own domain.
    async fn target(&mut self, at: Option<&MacroString>, domain: &Name) -> Result<Target, Stop> {
        let Some(at) = at else { return Ok(Target::Name(domain.clone())) };
        self.personal |= at.wants_local();
        if at.wants_local() && !self.given.local.is_ascii() {
            return Ok(Target::Never);
        }
        let name = if at.wants_name() { self.client_name(domain).await? } else { None };
        Ok(at.name(&self.values(domain, name.as_ref())).map_or(Target::NoName, Target::Name))
    }

    fn values<'v>(&'v self, domain: &'v Name, name: Option<&'v Name>) -> Values<'v> {
        let Given { ip, local, domain: sender_domain, hello, hostname, now, .. } = *self.given;
        let receiver = hostname.as_str();
        Values { local, sender_domain, domain: domain.as_str(), ip, name: name.map(Name::as_str), hello, receiver, now }
    }

    /// The text that explains a fail (RFC 7208 §6.2). Whatever is wrong on the way to it, there is none.
    pub(super) async fn explanation(&mut self, asked: &Explanation) -> Option<String> {
        let Target::Name(name) = self.target(Some(&asked.at), &asked.domain).await.ok()? else { return None };
        self.question().ok()?;
        let texts = settled(self.lookup.txt(&name).await).ok()?;
        let [text] = texts.as_slice() else { return None };
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= SPF_RECORD_MAX)?;
        let text = MacroString::parse(text, Place::Explanation).ok()?;
        self.personal |= text.wants_local();
        let name = if text.wants_name() { self.client_name(&asked.domain).await.ok()? } else { None };
        text.text(&self.values(&asked.domain, name.as_ref()))
    }

    /// Whether anything so far depended on the sender's local part.
    pub(super) const fn is_personal(&self) -> bool {
        self.personal
    }

    /// Counts a term that costs lookups (RFC 7208 §4.6.4).
    fn term(&mut self) -> Result<(), Stop> {
        self.terms = self.terms.saturating_add(1);
        if self.terms <= SPF_LOOKUP_TERMS_MAX {
            return Ok(());
        }
        let domain = self.given.domain;
        Err(Stop::Permanent(format!(
            "the SPF records of {domain} have more than {SPF_LOOKUP_TERMS_MAX} terms to look up"
        )))
    }

    /// Counts a term that found nothing.
    fn void(&mut self, name: &Name) -> Result<(), Stop> {
        self.voids = self.voids.saturating_add(1);
        if self.voids <= SPF_VOID_LOOKUPS_MAX {
            return Ok(());
        }
        let domain = self.given.domain;
        Err(Stop::Permanent(format!(
            "the SPF records of {domain} name more than {SPF_VOID_LOOKUPS_MAX} hosts that aren't there, the last one {name}"
        )))
    }

    /// Counts a question.
    fn question(&self) -> Result<(), Stop> {
        if self.questions.take() {
            return Ok(());
        }
        let domain = self.given.domain;
        Err(Stop::Permanent(format!(
            "the SPF records of {domain} take more than {SPF_QUESTIONS_MAX} questions to the DNS"
        )))
    }
}

/// What was found: nothing, if there is nothing.
fn settled<T>(answer: Result<Found<T>, LookupError>) -> Result<Vec<T>, Stop> {
    match answer {
        Ok(found) => Ok(found.records),
        Err(error) if error.is_temporary() => Err(Stop::Temporary(error.to_string())),
        Err(_) => Ok(Vec::new()),
    }
}

fn same_v4(one: Ipv4Addr, other: Ipv4Addr, bits: u8) -> bool {
    let differ = one.to_bits() ^ other.to_bits();
    differ.checked_shr(u32::from(32_u8.saturating_sub(bits))).unwrap_or(0) == 0
}

fn same_v6(one: Ipv6Addr, other: Ipv6Addr, bits: u8) -> bool {
    let differ = one.to_bits() ^ other.to_bits();
    differ.checked_shr(u32::from(128_u8.saturating_sub(bits))).unwrap_or(0) == 0
}
