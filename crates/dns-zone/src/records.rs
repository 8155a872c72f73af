//! Records at names, without a server: what is asked is written down, and answers may fail or take their time.

use mailward_core::Domain;
use mailward_dns::{Answer, Found, Kind, Lookup, LookupError, Mx, Name, Srv, TlsaRecord};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// MX.
    Mx(u16, String),
    /// TXT, its strings joined.
    Txt(Vec<u8>),
    /// PTR.
    Ptr(String),
    /// SRV.
    Srv(Srv),
    /// CNAME.
    Alias(String),
}

impl Data {
    const fn is(&self, kind: Kind) -> bool {
        match self {
            Self::Address(ip) => matches!((ip, kind), (IpAddr::V4(_), Kind::A) | (IpAddr::V6(_), Kind::Aaaa)),
            Self::Mx(..) => matches!(kind, Kind::Mx),
            Self::Txt(_) => matches!(kind, Kind::Txt),
            Self::Ptr(_) => matches!(kind, Kind::Ptr),
            Self::Srv(_) => matches!(kind, Kind::Srv),
            Self::Alias(_) => false,
        }
    }
}

/// A DNS of records.
#[derive(Debug, Default)]
pub struct Records {
    records: HashMap<String, Vec<Data>>,
    failing: HashSet<(String, Option<Kind>)>,
    takes: Duration,
    slow: Vec<(String, Duration)>,
    asked: Mutex<Vec<(String, Kind)>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Records {
    /// With a record more. Names are in lower case.
    #[must_use]
    pub fn with(mut self, name: &str, data: Data) -> Self {
        self.records.entry(name.to_ascii_lowercase()).or_default().push(data);
        self
    }
    /// With a text more.
    #[must_use]
    pub fn txt(self, name: &str, text: &str) -> Self {
        self.with(name, Data::Txt(text.as_bytes().to_vec()))
    }
    /// With an address more.
    #[must_use]
    pub fn address(self, name: &str, ip: &str) -> Self {
        self.with(name, Data::Address(ip.parse().unwrap()))
    }
    /// With a mail host more.
    #[must_use]
    pub fn mx(self, name: &str, host: &str) -> Self {
        self.with(name, Data::Mx(10, host.to_owned()))
    }
    /// With a name of an address more.
    #[must_use]
    pub fn ptr(self, ip: &str, host: &str) -> Self {
        self.with(Name::reverse(ip.parse().unwrap()).as_str(), Data::Ptr(host.to_owned()))
    }
    /// Questions for a name, of one kind or of all, fail for now.
    #[must_use]
    pub fn failing(mut self, name: &str, kind: Option<Kind>) -> Self {
        self.failing.insert((name.to_ascii_lowercase(), kind));
        self
    }
    /// Each answer takes this long.
    #[must_use]
    pub fn taking(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }
    /// Answers about a name, and those below it, take this long.
    #[must_use]
    pub fn slow(mut self, zone: &str, time: Duration) -> Self {
        self.slow.push((zone.to_ascii_lowercase(), time));
        self
    }
    /// How many questions were on their way at once, at most.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
    /// What was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, Kind)> {
        self.asked.lock().unwrap().clone()
    }

    fn answer<'a, T: Send + 'a>(&'a self, name: Name, kind: Kind, word: fn(&Data) -> Option<T>) -> Answer<'a, T> {
        self.asked.lock().unwrap().push((name.to_string(), kind));
        Box::pin(async move {
            let _under_way = UnderWay::new(self);
            let text = name.to_string();
            let below = |zone: &str| text.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            let slow = self.slow.iter().find(|(zone, _)| below(zone));
            let takes = slow.map_or(self.takes, |(_, time)| *time);
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let found = self.find(&name, kind)?;
            let records: Vec<T> = found.iter().filter_map(word).collect();
            let valid_until = Instant::now();
            if records.is_empty() {
                return Err(LookupError::NoRecords { name, kind, secure: false, valid_until });
            }
            Ok(Found { records, secure: false, alias: None, valid_until })
        })
    }

    /// Aliases are followed, four of them.
    fn find(&self, name: &Name, kind: Kind) -> Result<Vec<Data>, LookupError> {
        let temporary = |why: &str| LookupError::Temporary { name: name.clone(), kind, why: why.to_owned() };
        let mut at = name.to_string();
        for _ in 0..5 {
            if [Some(kind), None].into_iter().any(|kind| self.failing.contains(&(at.clone(), kind))) {
                return Err(temporary("no answer"));
            }
            let Some(here) = self.records.get(&at) else {
                return Err(LookupError::NoName { name: name.clone(), secure: false, valid_until: Instant::now() });
            };
            match here.iter().find_map(|data| if let Data::Alias(to) = data { Some(to) } else { None }) {
                Some(to) => at = to.trim_end_matches('.').to_ascii_lowercase(),
                None => return Ok(here.iter().filter(|data| data.is(kind)).cloned().collect()),
            }
        }
        Err(temporary("its aliases go in a circle"))
    }
}

/// Counts a question while it is on its way.
struct UnderWay<'a>(&'a Records);

impl<'a> UnderWay<'a> {
    fn new(records: &'a Records) -> Self {
        let now = records.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        records.most.fetch_max(now, Ordering::SeqCst);
        Self(records)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

fn address(data: &Data) -> Option<IpAddr> {
    if let Data::Address(ip) = data { Some(*ip) } else { None }
}

impl Lookup for Records {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        self.answer(domain.into(), Kind::Mx, |data| match data {
            Data::Mx(preference, host) => Some(Mx { preference: *preference, host: host.clone() }),
            _ => None,
        })
    }
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            let v6 = self.answer(host.into(), Kind::Aaaa, address).await;
            let v4 = self.answer(host.into(), Kind::A, address).await;
            match (v6, v4) {
                (Ok(mut v6), Ok(v4)) => {
                    v6.records.extend(v4.records);
                    Ok(v6)
                }
                (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
                (Err(error), Err(_)) => Err(error),
            }
        })
    }
    fn tlsa<'a>(&'a self, port: u16, host: &'a Domain) -> Answer<'a, TlsaRecord> {
        self.answer(Name::tlsa(port, host).unwrap(), Kind::Tlsa, |_| None)
    }
    fn txt<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<u8>> {
        self.answer(name.clone(), Kind::Txt, |data| if let Data::Txt(text) = data { Some(text.clone()) } else { None })
    }
    fn ptr(&self, address: IpAddr) -> Answer<'_, Domain> {
        self.answer(Name::reverse(address), Kind::Ptr, |data| match data {
            Data::Ptr(host) => Domain::parse(host.trim_end_matches('.')).ok(),
            _ => None,
        })
    }
    fn listed<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        self.answer(name.clone(), Kind::A, address)
    }
    fn listed_v6<'a>(&'a self, name: &'a Name) -> Answer<'a, IpAddr> {
        self.answer(name.clone(), Kind::Aaaa, address)
    }
    fn mx_at<'a>(&'a self, name: &'a Name) -> Answer<'a, Mx> {
        self.answer(name.clone(), Kind::Mx, |data| match data {
            Data::Mx(preference, host) => Some(Mx { preference: *preference, host: host.clone() }),
            _ => None,
        })
    }
    fn srv<'a>(&'a self, name: &'a Name) -> Answer<'a, Srv> {
        self.answer(name.clone(), Kind::Srv, |data| if let Data::Srv(srv) = data { Some(srv.clone()) } else { None })
    }
}
