//! What the DNS says of the host and of a domain whose mail it takes.

use super::look::{NamesSeen, PortSeen, PortState, plain, plain_bytes};
use super::time::Until;
use super::web::{Unfetched, Web};
use crate::doors::Waiting;
use crate::finding::Finding;
use crate::knock::Shown;
use crate::names::{self, Is, missing, texts, worst};
use crate::programs::{self, Begins, NOTHING_TOLD, Published, Source, Told};
use mailward_core::Domain;
use mailward_core::limits::{PROBE_NAMES_TIME, PROBE_TEXTS_MAX};
use mailward_dns::{Allowed, Lookup, LookupError, Mx, Name, Tlsa, caa};
use mailward_sts::{Mode, Policy};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// What is asked about.
pub(super) struct About<'a> {
    /// Whom to ask, and by whom pages are fetched.
    pub(super) web: Web<'a>,
    /// How long names are asked.
    pub(super) until: Until,
    /// What ports are like, for comparison with what programs are told.
    pub(super) ports: &'a [PortSeen],
    /// What programs are told, once it has been asked.
    pub(super) programs: Option<Published>,
    /// The host's name; nothing if it is known by an address alone.
    pub(super) host: Option<&'a Domain>,
    pub(super) domain: Option<&'a Domain>,
    pub(super) addresses: &'a [IpAddr],
    pub(super) selectors: &'a [String],
    pub(super) lists: &'a [Domain],
    /// What doors for servers showed.
    pub(super) shown: Vec<&'a Shown>,
    /// What any door showed.
    pub(super) shown_anywhere: Option<&'a Shown>,
}

/// The domain that is meant where none was named: the host's name if it has mail hosts, or else what is left without its first label
/// where that isn't a top-level domain.
pub(super) async fn guess_domain(lookup: Option<&dyn Lookup>, host: &Domain) -> Option<Domain> {
    let above = host.as_str().split_once('.').map(|(_, above)| above);
    if let Some(lookup) = lookup {
        for candidate in [Some(host.clone()), above.and_then(|above| Domain::parse(above).ok())].into_iter().flatten() {
            if matches!(lookup.mx(&candidate).await, Ok(found) if found.records.iter().any(|mx| !mx.is_null())) {
                return Some(candidate);
            }
        }
    }
    let above = above.filter(|above| above.contains('.')).and_then(|above| Domain::parse(above).ok());
    Some(above.unwrap_or_else(|| host.clone()))
}

/// What is there, as it stands there: filled in while it is found.
pub(super) async fn see(about: &mut About<'_>, seen: &mut NamesSeen) {
    if let Some(domain) = about.domain {
        if let Ok(found) = about.web.lookup.mx(domain).await {
            let mut all: Vec<&Mx> = found.records.iter().collect();
            all.sort_by_key(|mx| mx.preference);
            let told = all.iter().take(PROBE_TEXTS_MAX).map(|mx| plain(&format!("{} {}", mx.preference, mx.host)));
            seen.mx = told.collect();
        }
        seen.spf = record(about.web.lookup, "", domain, "v=spf1").await;
        seen.dmarc = record(about.web.lookup, "_dmarc", domain, "v=DMARC1").await;
        seen.mta_sts = record(about.web.lookup, "_mta-sts", domain, "v=STSv1").await;
        seen.tls_rpt = record(about.web.lookup, "_smtp._tls", domain, "v=TLSRPTv1").await;
    }
    if let Some(host) = about.host
        && let Ok(found) = about.web.lookup.tlsa(25, host).await
    {
        let told = found.records.iter().take(PROBE_TEXTS_MAX).map(|one| {
            let data = crate::record::hex(&one.data);
            plain(&format!("{} {} {} {data}", one.usage, one.selector, one.matching))
        });
        seen.tlsa = told.collect();
    }
    for address in about.addresses {
        if let Ok(found) = about.web.lookup.ptr(*address).await {
            let names = found.records.iter().take(PROBE_TEXTS_MAX).map(ToString::to_string).collect();
            seen.reverse.insert(address.to_string(), names);
        }
    }
    if let Some(Ok(Some((at, allowed, _)))) = certifying(about).await {
        let told = allowed.issuers.iter().map(|one| plain(&format!("{at}: {}", names::issuer(one))));
        seen.caa = told.collect();
    }
    if let Some(domain) = about.domain {
        let programs = Box::pin(Published::of(&about.web, domain)).await;
        seen.programs = programs.shown().lines().map(plain).collect();
        about.programs = Some(programs);
    }
}

/// Who may certify the host, or else the domain.
async fn certifying(about: &About<'_>) -> Option<Result<Option<(Name, Allowed, bool)>, LookupError>> {
    let name = about.host.or(about.domain)?;
    Some(caa(about.web.lookup, name).await)
}

/// The text at a name that begins so.
async fn record(lookup: &dyn Lookup, below: &str, domain: &Domain, begins: &str) -> Option<String> {
    let texts = texts(lookup, below, domain).await.ok()?;
    let begins = begins.as_bytes();
    let found = texts.iter().find(|text| text.get(..begins.len()).is_some_and(|b| b.eq_ignore_ascii_case(begins)));
    found.map(|text| plain_bytes(text))
}

/// What is found for the question of this name; nothing for those that aren't about names.
pub(super) async fn ask(about: &About<'_>, question: &str) -> Option<Finding> {
    let asked: Waiting<'_, Finding> = match question {
        "names.mx" => of_domain(about, |about, domain| Box::pin(names::mx(about.web.lookup, domain))),
        "names.host" => of_domain(about, |about, domain| Box::pin(is_mail_host(about, domain))),
        "names.spf" => of_domain(about, |about, domain| Box::pin(names::spf(about.web.lookup, domain))),
        "names.dmarc" => of_domain(about, |about, domain| Box::pin(names::dmarc(about.web.lookup, domain))),
        "names.mta-sts" => of_domain(about, |about, domain| Box::pin(mta_sts(about, domain))),
        "names.tls-rpt" => of_domain(about, |about, domain| Box::pin(names::tls_reports(about.web.lookup, domain))),
        "names.signed" => of_domain(about, |about, domain| Box::pin(names::signed(about.web.lookup, domain))),
        "names.autoconfig" => of_programs(about, |about, told| Some(autoconfig(about, told))),
        "names.programs" => of_programs(about, |about, told| Some(told.agrees(&|one| fits(about, one)))),
        "names.programs-tls" => of_programs(about, |_, told| told.is_safe()),
        "names.services" => {
            of_domain(about, |about, domain| Box::pin(programs::says_no_to_others(about.web.lookup, domain)))
        }
        "names.caa" => {
            of_host(about, |about, host| Box::pin(names::certified_by(about.web.lookup, host, about.shown_anywhere)))
        }
        "names.dkim" => Box::pin(dkim(about)),
        "names.dane" => of_host(about, |about, host| Box::pin(dane(about, host))),
        "names.host-signed" => of_host(about, |about, host| Box::pin(names::host_signed(about.web.lookup, host))),
        "names.ipv6" => of_host(about, |about, host| Box::pin(names::ipv6(about.web.lookup, host))),
        "names.reverse" => Box::pin(reverse(about)),
        "names.lists" => Box::pin(lists(about)),
        _ => return None,
    };
    Some(asked.await)
}

/// What is found of a name within its time.
async fn in_time(until: Until, asked: Waiting<'_, Is>) -> Is {
    until.within_and(PROBE_NAMES_TIME, asked).await.unwrap_or_else(Is::Unknown)
}

type Looks = for<'a> fn(&'a About<'a>, &'a Domain) -> Waiting<'a, Is>;

fn of_domain<'a>(about: &'a About<'a>, look: Looks) -> Waiting<'a, Finding> {
    Box::pin(async move {
        let Some(domain) = about.domain else {
            return Finding::not_tested("no domain is known whose mail the host takes: --domain names one");
        };
        worst(vec![(domain.to_string(), in_time(about.until, look(about, domain)).await)], "")
    })
}

fn of_host<'a>(about: &'a About<'a>, look: Looks) -> Waiting<'a, Finding> {
    Box::pin(async move {
        let Some(host) = about.host else {
            return Finding::not_tested("the host is known by an address alone: --name names it");
        };
        worst(vec![(host.to_string(), in_time(about.until, look(about, host)).await)], "")
    })
}

async fn is_mail_host(about: &About<'_>, domain: &Domain) -> Is {
    let Some(host) = about.host else {
        return Is::Unknown("the host is known by an address alone: --name names it".to_owned());
    };
    match about.web.lookup.mx(domain).await {
        Ok(found) => {
            let hosts: Vec<String> = found.records.iter().map(|mx| plain(mx.host.trim_end_matches('.'))).collect();
            if hosts.iter().any(|one| one.eq_ignore_ascii_case(host.as_str())) {
                Is::Good("one of its mail hosts is this one".to_owned())
            } else {
                Is::Bad(format!("its mail hosts are {}, and {host} isn't among them", hosts.join(", ")))
            }
        }
        Err(error) => missing(&error),
    }
}

async fn dkim(about: &About<'_>) -> Finding {
    let Some(domain) = about.domain else {
        return Finding::not_tested("no domain is known whose mail the host takes: --domain names one");
    };
    if about.selectors.is_empty() {
        return Finding::not_tested("no selector was named: --selector names one");
    }
    let mut found = Vec::new();
    for selector in about.selectors {
        let is = in_time(about.until, Box::pin(names::dkim(about.web.lookup, domain, selector, None))).await;
        found.push((format!("{selector}._domainkey.{domain}"), is));
    }
    worst(found, "")
}

async fn reverse(about: &About<'_>) -> Finding {
    let Some(host) = about.host else {
        return Finding::not_tested("the host is known by an address alone: --name names it");
    };
    let mut found = Vec::new();
    for address in about.addresses {
        let is = in_time(about.until, Box::pin(names::leads_back(about.web.lookup, *address, host))).await;
        found.push((address.to_string(), is));
    }
    worst(found, "the host has no address")
}

async fn lists(about: &About<'_>) -> Finding {
    if about.lists.is_empty() {
        return Finding::not_tested("no list was named: --dnsbl names one");
    }
    let mut found = Vec::new();
    for list in about.lists {
        for address in about.addresses {
            let is = in_time(about.until, Box::pin(listed(about.web.lookup, *address, list))).await;
            found.push((format!("{address} at {list}"), is));
        }
    }
    worst(found, "the host has no address")
}

/// Whether a list has an address (RFC 5782 §2.1).
async fn listed(lookup: &dyn Lookup, address: IpAddr, list: &Domain) -> Is {
    let name = match Name::listed(address, list) {
        Ok(name) => name,
        Err(error) => return Is::Unknown(error.to_string()),
    };
    let found = match lookup.listed(&name).await {
        Ok(found) => found.records,
        Err(LookupError::NoName { .. } | LookupError::NoRecords { .. }) => return Is::Good("isn't listed".to_owned()),
        Err(error) => return Is::Unknown(error.to_string()),
    };
    let codes: Vec<Ipv4Addr> = found
        .into_iter()
        .filter_map(|code| match code {
            IpAddr::V4(code) => Some(code),
            IpAddr::V6(_) => None,
        })
        .collect();
    let told = codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    // Lists refuse resolvers that ask too much with 127.255.255.x; what isn't of 127.0.0.0/8 comes from somebody between.
    let is_listing =
        |code: &Ipv4Addr| code.octets().starts_with(&[127]) && !code.octets().starts_with(&[127, 255, 255]);
    if codes.iter().any(is_listing) {
        Is::Bad(format!("is listed ({told})"))
    } else {
        Is::Unknown(format!("the list doesn't answer this resolver ({told})"))
    }
}

/// The record, and the page that it promises (RFC 8461 §3.3).
async fn mta_sts(about: &About<'_>, domain: &Domain) -> Is {
    let record = match names::mta_sts(about.web.lookup, domain).await {
        Is::Good(record) => record,
        other => return other,
    };
    let page = match about.web.get(&format!("mta-sts.{domain}"), "/.well-known/mta-sts.txt").await {
        Ok(page) => page,
        Err(Unfetched::Unknown(why)) => return Is::Unknown(why),
        Err(why) => return Is::Bad(format!("has a record, but its policy can't be had: {why}")),
    };
    if page.status != 200 || page.kind != "text/plain" {
        return Is::Bad(format!("its policy is answered with {} and {:?}", page.banner(), plain(&page.kind)));
    }
    let policy = match Policy::parse(&page.body) {
        Ok(policy) => policy,
        Err(error) => return Is::Bad(format!("its policy can't be read: {error}")),
    };
    if policy.mode != Mode::Enforce {
        return Is::Bad(format!("its policy enforces nothing (mode: {})", policy.mode));
    }
    let hosts = match about.web.lookup.mx(domain).await {
        Ok(found) => found.records,
        Err(error) => return missing(&error),
    };
    match hosts.iter().filter_map(|mx| mx.host_name().ok()).find(|host| !policy.names(host)) {
        Some(host) => Is::Bad(format!("its policy doesn't name {host}, so mail for it is held up")),
        None => Is::Good(format!("{record}, enforced, and names every mail host")),
    }
}

/// TLSA records, and whether they fit what is shown (RFC 7672 §3.1).
async fn dane(about: &About<'_>, host: &Domain) -> Is {
    let told = match names::dane(about.web.lookup, host).await {
        Is::Good(told) => told,
        other => return other,
    };
    let records: Vec<Tlsa> = match about.web.lookup.tlsa(25, host).await {
        Ok(found) => found.records.iter().filter_map(Tlsa::usable).collect(),
        Err(error) => return missing(&error),
    };
    if about.shown.is_empty() {
        return Is::Unknown(format!(
            "{told} is published; port 25 showed no certificate that it could be compared with"
        ));
    }
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(about.web.now.secs()).unwrap_or(0)));
    let bases: Vec<Domain> = std::iter::once(host.clone()).chain(about.domain.cloned()).collect();
    for shown in &about.shown {
        let chain: Vec<CertificateDer<'_>> =
            shown.chain.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        if let Err(why) = mailward_tls::dane::fitting(&records, &chain, &bases, now) {
            return Is::Bad(format!("{told} doesn't fit what port 25 shows, so mail is held up: {why}"));
        }
    }
    Is::Good(format!("{told} fits what port 25 shows"))
}

/// What programs are told, judged; what `None` means is told by the question.
fn of_programs<'a>(about: &'a About<'a>, judge: fn(&About<'_>, &Published) -> Option<Is>) -> Waiting<'a, Finding> {
    Box::pin(async move {
        let Some(domain) = about.domain else {
            return Finding::not_tested("no domain is known whose mail the host takes: --domain names one");
        };
        let Some(programs) = &about.programs else { return Finding::not_tested(about.until.over()) };
        match judge(about, programs) {
            Some(is) => worst(vec![(domain.to_string(), is)], ""),
            None => Finding::not_applicable(NOTHING_TOLD),
        }
        .showing("what mail programs are told", programs.shown())
    })
}

/// Settings for mail programs, as Thunderbird and others ask for them.
fn autoconfig(_: &About<'_>, programs: &Published) -> Is {
    match &programs.autoconfig {
        Source::Tells(told, _) => {
            let weak: Vec<String> =
                told.iter().filter(|one| one.begins != Begins::AtOnce).map(ToString::to_string).collect();
            if weak.is_empty() {
                Is::Good("settings for mail programs are there".to_owned())
            } else {
                Is::Bad(format!("its settings offer {}, not TLS from the first byte alone", weak.join(", ")))
            }
        }
        Source::Nothing(why) | Source::Unusable(why) => Is::Bad(format!("has no settings for mail programs: {why}")),
        Source::Unknown(why) => Is::Unknown(why.clone()),
    }
}

/// Whether a place that programs are told of is a door that is open, where it is one of this host's and was looked at.
fn fits(about: &About<'_>, told: &Told) -> Option<Result<(), String>> {
    let host = about.host.filter(|host| host.as_str() == told.host)?;
    let seen: Vec<&PortSeen> = about.ports.iter().filter(|port| port.role.unwrap_or(port.port) == told.port).collect();
    let shut = seen.iter().find(|port| !matches!(port.state, PortState::Open | PortState::Untried));
    if seen.is_empty() || seen.iter().any(|port| port.state == PortState::Untried) {
        return None;
    }
    Some(match shut {
        Some(port) => Err(format!("{host}'s port {} is {} at {}", told.port, port.state.word(), port.address)),
        None => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_dns_that_never_answers_leaves_a_name_unknown() {
        let before = Instant::now();
        let (_, until) = Until::of(PROBE_NAMES_TIME * 2, true);
        let is = in_time(until, Box::pin(std::future::pending())).await;
        assert_eq!(before.elapsed(), PROBE_NAMES_TIME);
        assert!(matches!(is, Is::Unknown(_)));
    }
}
