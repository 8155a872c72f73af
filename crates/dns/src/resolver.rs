//! The resolver: lookups over the wire, checked, bounded and remembered.

use crate::answer::{self, Datum, End, Link};
use crate::denial::Verdict;
use crate::lookup::{Alias, Answer, CaaRecord, Found, Kind, Lookup, LookupError, Mx, Srv, TlsaRecord};
use crate::name::Name;
use crate::wire::{self, Upstream};
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::{DnsRequestOptions, Message, Query};
use hickory_resolver::proto::rr::Name as WireName;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig, system_conf};
use mailward_core::config::Dns;
use mailward_core::limits::{
    CONFIG_SIZE_MAX, DNS_ALIASES_MAX, DNS_FAILURE_TTL, DNS_HASH_ROUNDS_MAX, DNS_LOOKUP_TIME, DNS_LOOKUPS_AT_ONCE,
    DNS_NEGATIVE_TTL_MAX, DNS_RETRIES, DNS_SERVERS_MAX, DNS_STRANGERS_AT_ONCE, DNS_TTL_MAX, DNS_TTL_MIN,
};
use mailward_core::{Cache, Domain};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Asks recursive resolvers and remembers what they said. Cheap to clone; all clones share cache and limits.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
    at_once: Arc<Semaphore>,
}

struct Shared {
    wire: Wire,
    options: DnsRequestOptions,
    cache: Mutex<Cache<(Name, Kind), Outcome>>,
}

enum Wire {
    /// Every answer is checked.
    Judged(DnssecDnsHandle<Upstream>),
    Plain(Upstream),
}

type Outcome = Result<Arc<Found<Datum>>, LookupError>;

/// Why there is no resolver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolverError {
    /// The system names no servers.
    #[error("dns.servers = \"system\": /etc/resolv.conf names no resolver ({0}): name some in dns.servers")]
    System(String),
    /// The trust anchors can't be read.
    #[error("dns.trust_anchor: {}: {why}", path.display())]
    TrustAnchor {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The wire can't be made ready.
    #[error("the DNS can't be asked: {0}")]
    Wire(String),
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Resolver {
    /// A resolver as configured. Reads `/etc/resolv.conf` if no servers are named, and the file of trust anchors if there
    /// is one; sends nothing. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ResolverError`] says which key is to be changed.
    pub fn new(config: &Dns) -> Result<Self, ResolverError> {
        let anchors = match &config.trust_anchor {
            Some(path) if config.dnssec => Some(trust_anchors(path)?),
            _ => None,
        };
        let servers = if config.servers.is_empty() { system_servers()? } else { config.servers.clone() };
        let wire = |error: NetError| ResolverError::Wire(error.to_string());
        let context = Arc::new(PoolContext::new(pool_options(config), TlsConfig::new().map_err(wire)?));
        let servers = servers.into_iter().map(name_server);
        let pool = NameServerPool::from_config(servers, context, TokioRuntimeProvider::default());
        let upstream = Upstream::new(RetryDnsHandle::new(pool, DNS_RETRIES));
        let wire = match (config.dnssec, anchors) {
            (false, _) => Wire::Plain(upstream),
            (true, anchors) => {
                let anchors = anchors.unwrap_or_default();
                let rounds = Some(DNS_HASH_ROUNDS_MAX);
                let handle = DnssecDnsHandle::with_trust_anchor(upstream, Arc::new(anchors));
                Wire::Judged(handle.nsec3_iteration_limits(rounds, None))
            }
        };
        let mut options = DnsRequestOptions::default();
        options.edns_set_dnssec_ok = config.dnssec;
        Ok(Self {
            shared: Arc::new(Shared { wire, options, cache: Mutex::new(Cache::new(config.cache)) }),
            at_once: Arc::new(Semaphore::new(DNS_LOOKUPS_AT_ONCE)),
        })
    }

    /// The same with places of its own, `limits::DNS_STRANGERS_AT_ONCE`: for what strangers cause, so that it takes none from
    /// those who send. What one learns the other knows.
    #[must_use]
    pub fn for_strangers(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), at_once: Arc::new(Semaphore::new(DNS_STRANGERS_AT_ONCE)) }
    }

    /// Whether answers are checked by DNSSEC; without, nothing is ever secure.
    #[must_use]
    pub fn validates(&self) -> bool {
        matches!(self.shared.wire, Wire::Judged(_))
    }

    fn remembered(&self, key: &(Name, Kind)) -> Option<Outcome> {
        self.shared.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key, Instant::now())
    }

    /// One question, from memory or from the wire.
    async fn ask(&self, name: Name, kind: Kind) -> Outcome {
        let key = (name, kind);
        if let Some(outcome) = self.remembered(&key) {
            return outcome;
        }
        let name = &key.0;
        let outcome = match tokio::time::timeout(DNS_LOOKUP_TIME, Box::pin(self.fetch(&key))).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let why = format!("no whole answer within {} s", DNS_LOOKUP_TIME.as_secs());
                Err(LookupError::Temporary { name: name.clone(), kind, why })
            }
        };
        let now = Instant::now();
        let time = match &outcome {
            Ok(found) => found.valid_until.saturating_duration_since(now),
            Err(LookupError::NoName { valid_until, .. } | LookupError::NoRecords { valid_until, .. }) => {
                valid_until.saturating_duration_since(now)
            }
            Err(_) => DNS_FAILURE_TTL,
        };
        let mut cache = self.shared.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(key, outcome.clone(), time, now);
        outcome
    }

    /// One question over the wire, when it is its turn.
    async fn fetch(&self, key: &(Name, Kind)) -> Outcome {
        let (name, kind) = (&key.0, key.1);
        let Ok(_turn) = self.at_once.acquire().await else {
            let why = "the resolver is closed".to_owned();
            return Err(LookupError::Temporary { name: name.clone(), kind, why });
        };
        // Others may have asked the same while this one waited.
        if let Some(outcome) = self.remembered(key) {
            return outcome;
        }
        wire::counted(self.chase(name, kind)).await
    }

    /// Asks, and asks again where aliases lead, until there is an end.
    async fn chase(&self, name: &Name, kind: Kind) -> Outcome {
        let temporary = |why: String| LookupError::Temporary { name: name.clone(), kind, why };
        let mut at = WireName::from_labels(name.as_str().split('.').map(str::as_bytes))
            .map_err(|error| temporary(format!("it can't be asked: {error}")))?;
        let mut links: Vec<Link> = Vec::new();
        let end = loop {
            let reading = self.one(&at, kind).await.map_err(|error| temporary(wire::words(&error)))?;
            links.extend(reading.links);
            match reading.end {
                // A circle over several answers ends here as well.
                _ if links.len() > DNS_ALIASES_MAX => {
                    break End::Nonsense(format!("more than {DNS_ALIASES_MAX} aliases (CNAME) in a row"));
                }
                End::Elsewhere => match links.last() {
                    Some(last) => at = last.target.clone(),
                    None => break End::Nonsense("an alias to nowhere".to_owned()),
                },
                end => break end,
            }
        };
        conclude(name, kind, &links, end)
    }

    /// Addresses of one family.
    async fn family(&self, name: Name, kind: Kind) -> Addresses {
        let found = self.ask(name.clone(), kind).await?;
        pick(name, kind, &found, |datum| match datum {
            Datum::Address(address) => Some(*address),
            _ => None,
        })
    }

    async fn exchangers(&self, name: Name) -> Result<Found<Mx>, LookupError> {
        let found = self.ask(name.clone(), Kind::Mx).await?;
        pick(name, Kind::Mx, &found, |datum| match datum {
            Datum::Mx(preference, host) => Some(Mx { preference: *preference, host: host.clone() }),
            _ => None,
        })
    }

    /// One question to the servers, and what the answer says.
    async fn one(&self, at: &WireName, kind: Kind) -> Result<answer::Reading, NetError> {
        let query = Query::query(at.clone(), answer::record_type(kind));
        let options = self.shared.options;
        let response = match &self.shared.wire {
            Wire::Judged(handle) => handle.lookup(query, options).first_answer().await,
            Wire::Plain(handle) => handle.lookup(query, options).first_answer().await,
        };
        match response {
            Ok(response) => Ok(answer::read(&response, at, kind, self.validates().then_some(Verdict::Passed))),
            // What it denies doesn't hold; what it says may.
            Err(NetError::Dns(DnsError::Nsec { response, proof, .. })) => {
                let verdict = if proof == Proof::Insecure { Verdict::Unproven } else { Verdict::Refused };
                Ok(answer::read(&response, at, kind, Some(verdict)))
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) if !self.validates() => {
                let mut message = Message::query().into_response();
                message.metadata.response_code = none.response_code;
                message.add_authorities(none.authorities.iter().flat_map(|all| all.iter().cloned()));
                message.add_authorities(none.soa.map(|soa| soa.into_record_of_rdata()));
                Ok(answer::read(&message, at, kind, None))
            }
            Err(error) => Err(error),
        }
    }
}

/// From what stands at the end of the aliases to what the caller is told.
fn conclude(name: &Name, kind: Kind, links: &[Link], end: End) -> Outcome {
    let (name, now) = (name.clone(), Instant::now());
    let links_secure = links.iter().all(|link| link.secure);
    let links_ttl = links.iter().map(|link| link.ttl).min().unwrap_or(u32::MAX);
    let until = |ttl: u32, most: Duration| {
        let time = Duration::from_secs(ttl.min(links_ttl).into()).clamp(DNS_TTL_MIN, most);
        now.checked_add(time).unwrap_or(now)
    };
    match end {
        End::Records { data, secure, ttl } => {
            let alias = match (links.first(), links.last()) {
                (Some(first), Some(last)) => {
                    Name::parse(&last.target.to_ascii()).ok().map(|target| Alias { target, first_secure: first.secure })
                }
                _ => None,
            };
            Ok(Arc::new(Found {
                records: data,
                secure: secure && links_secure,
                alias,
                valid_until: until(ttl, DNS_TTL_MAX),
            }))
        }
        // Without a SOA record the denial is not to be kept (RFC 2308 §5): the shortest time it is.
        End::NoName { secure, ttl } => Err(LookupError::NoName {
            name,
            secure: secure && links_secure,
            valid_until: until(ttl.unwrap_or(0), DNS_NEGATIVE_TTL_MAX),
        }),
        End::NoRecords { secure, ttl } => Err(LookupError::NoRecords {
            name,
            kind,
            secure: secure && links_secure,
            valid_until: until(ttl.unwrap_or(0), DNS_NEGATIVE_TTL_MAX),
        }),
        // A key that couldn't be fetched makes every signature fail: nobody knows, rather than somebody lies.
        End::Bogus(why) => Err(match wire::trouble() {
            Some(trouble) => {
                LookupError::Temporary { name, kind, why: format!("what proves it is missing: {trouble}") }
            }
            None => LookupError::Bogus { name, kind, why },
        }),
        End::Nonsense(why) => Err(LookupError::Temporary { name, kind, why }),
        End::Elsewhere => Err(LookupError::Temporary { name, kind, why: "an alias to nowhere".to_owned() }),
    }
}

impl Lookup for Resolver {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        Box::pin(self.exchangers(domain.into()))
    }

    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            let name = Name::from(host);
            let (v6, v4) = tokio::join!(self.family(name.clone(), Kind::Aaaa), self.family(name, Kind::A));
            families(v6, v4)
        })
    }

    fn tlsa<'a>(&'a self, port: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        Box::pin(async move {
            let name = Name::tlsa(port, host)?;
            let found = self.ask(name.clone(), Kind::Tlsa).await?;
            pick(name, Kind::Tlsa, &found, |datum| match datum {
                Datum::Tlsa(record) => Some(record.clone()),
                _ => None,
            })
        })
    }

    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        Box::pin(async move {
            let found = self.ask(name.clone(), Kind::Txt).await?;
            pick(name.clone(), Kind::Txt, &found, |datum| match datum {
                Datum::Txt(text) => Some(text.clone()),
                _ => None,
            })
        })
    }

    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        Box::pin(async move {
            let name = Name::reverse(address);
            let found = self.ask(name.clone(), Kind::Ptr).await?;
            pick(name, Kind::Ptr, &found, |datum| match datum {
                Datum::Ptr(host) => Domain::parse(host.strip_suffix('.').unwrap_or(host)).ok(),
                _ => None,
            })
        })
    }

    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        Box::pin(self.family(name.clone(), Kind::A))
    }

    fn listed_v6<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        Box::pin(self.family(name.clone(), Kind::Aaaa))
    }

    fn mx_at<'a>(&'a self, name: &'a Name) -> Answer<'a, Mx> {
        Box::pin(self.exchangers(name.clone()))
    }

    fn srv<'a>(&'a self, name: &'a Name) -> Answer<'a, Srv> {
        Box::pin(async move {
            let found = self.ask(name.clone(), Kind::Srv).await?;
            pick(name.clone(), Kind::Srv, &found, |datum| match datum {
                Datum::Srv(service) => Some(service.clone()),
                _ => None,
            })
        })
    }

    fn caa<'a>(&'a self, name: &'a Name) -> Answer<'a, CaaRecord> {
        Box::pin(async move {
            let found = self.ask(name.clone(), Kind::Caa).await?;
            pick(name.clone(), Kind::Caa, &found, |datum| match datum {
                Datum::Caa(record) => Some(record.clone()),
                _ => None,
            })
        })
    }
}

/// The records in the caller's words; none, if none of them has a word.
fn pick<T>(
    name: Name,
    kind: Kind,
    found: &Found<Datum>,
    word: impl Fn(&Datum) -> Option<T>,
) -> Result<Found<T>, LookupError> {
    let records: Vec<T> = found.records.iter().filter_map(word).collect();
    if records.is_empty() {
        return Err(LookupError::NoRecords { name, kind, secure: found.secure, valid_until: found.valid_until });
    }
    Ok(Found { records, secure: found.secure, alias: found.alias.clone(), valid_until: found.valid_until })
}

type Addresses = Result<Found<IpAddr>, LookupError>;

/// Both families' answers as one.
fn families(v6: Addresses, v4: Addresses) -> Addresses {
    match (v6, v4) {
        (Ok(mut v6), Ok(v4)) => {
            v6.records.extend(v4.records);
            v6.secure &= v4.secure;
            v6.alias = v6.alias.or(v4.alias);
            v6.valid_until = v6.valid_until.min(v4.valid_until);
            Ok(v6)
        }
        // Somebody lies on the way to this host.
        (_, Err(error @ LookupError::Bogus { .. })) | (Err(error @ LookupError::Bogus { .. }), _) => Err(error),
        (Ok(found), Err(other)) | (Err(other), Ok(found)) => {
            // What isn't known now may not be kept for long: the next one may know.
            let secure = found.secure && (other.is_secure() || other.is_temporary());
            Ok(Found { secure, ..found })
        }
        (Err(error), Err(other)) => Err(match (&error, &other) {
            (LookupError::Temporary { .. }, _) => error,
            (_, LookupError::Temporary { .. }) => other,
            // A name that has one family only by denying itself for the other: it exists.
            (LookupError::NoName { .. }, LookupError::NoRecords { .. }) => other,
            _ => error,
        }),
    }
}

/// RFC 1035 §4.2: both UDP and TCP, each at the port that was named.
fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].into();
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

fn pool_options(config: &Dns) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = Duration::from_secs(u64::try_from(config.timeout).unwrap_or(1).max(1));
    options.attempts = DNS_RETRIES;
    options.validate = config.dnssec;
    options.try_tcp_on_error = true;
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = DNS_LOOKUPS_AT_ONCE.saturating_add(DNS_STRANGERS_AT_ONCE);
    options.server_ordering_strategy = ServerOrderingStrategy::QueryStatistics;
    options
}

fn system_servers() -> Result<Vec<SocketAddr>, ResolverError> {
    let (system, _) = system_conf::read_system_conf().map_err(|error| ResolverError::System(error.to_string()))?;
    let servers: Vec<SocketAddr> = system
        .name_servers()
        .iter()
        .take(DNS_SERVERS_MAX)
        .map(|server| SocketAddr::new(server.ip, server.connections.first().map_or(53, |connection| connection.port)))
        .collect();
    if servers.is_empty() {
        return Err(ResolverError::System("it has no nameserver line".to_owned()));
    }
    Ok(servers)
}

/// Reads DNSKEY records in the form of zone files.
fn trust_anchors(path: &Path) -> Result<TrustAnchors, ResolverError> {
    let wrong = |why: String| ResolverError::TrustAnchor { path: path.to_owned(), why };
    let mut text = String::new();
    let most = u64::try_from(CONFIG_SIZE_MAX).unwrap_or(u64::MAX);
    std::fs::File::open(path)
        .and_then(|file| file.take(most).read_to_string(&mut text))
        .map_err(|error| wrong(error.to_string()))?;
    let anchors: TrustAnchors =
        text.parse().map_err(|error| wrong(format!("not a file of DNSKEY records: {error}")))?;
    if anchors.is_empty() {
        return Err(wrong("it has no DNSKEY record, so nothing could be proven".to_owned()));
    }
    Ok(anchors)
}
