//! The way mail goes, against a fake zone: loops, limits, order, addresses that lead nowhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

use mailward_core::Domain;
use mailward_core::limits::{HOST_ADDRESSES_MAX, ROUTE_ADDRESSES_MAX, ROUTE_HOSTS_MAX};
use mailward_dns::{
    Answer, Found, Kind, Lookup, LookupError, MailHosts, Mx, Name, Ourselves, RouteError, TlsaRecord, route,
};
use proptest::prelude::*;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

#[derive(Default)]
struct Fake {
    mx: HashMap<String, Vec<Mx>>,
    addresses: HashMap<String, Vec<IpAddr>>,
}

impl Fake {
    fn with(mut self, domain: &str, hosts: &[(u16, &str)]) -> Self {
        let hosts = hosts.iter().map(|(preference, host)| Mx { preference: *preference, host: (*host).to_owned() });
        self.mx.insert(domain.to_owned(), hosts.collect());
        self
    }
    fn host(mut self, name: &str, addresses: &[&str]) -> Self {
        self.addresses.insert(name.to_owned(), addresses.iter().map(|a| a.parse().unwrap()).collect());
        self
    }
}

fn said<T: Clone + Send + 'static>(records: Option<&Vec<T>>, domain: &Domain, kind: Kind) -> Answer<'static, T> {
    let valid_until = Instant::now() + Duration::from_secs(60);
    let answer = match records {
        Some(records) => Ok(Found { records: records.clone(), secure: true, alias: None, valid_until }),
        None => Err(LookupError::NoRecords { name: Name::from(domain), kind, secure: true, valid_until }),
    };
    Box::pin(async move { answer })
}

impl Lookup for Fake {
    fn mx<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Mx> {
        said(self.mx.get(domain.as_str()), domain, Kind::Mx)
    }
    fn addresses<'a>(&'a self, host: &'a Domain) -> Answer<'a, IpAddr> {
        said(self.addresses.get(host.as_str()), host, Kind::A)
    }
    fn tlsa<'a>(&'a self, _: u16, _: &'a Domain) -> Answer<'a, TlsaRecord> {
        panic!("not asked for a way")
    }
    fn txt<'a>(&'a self, _: &'a Name) -> Answer<'a, Vec<u8>> {
        panic!("not asked for a way")
    }
    fn ptr(&self, _: IpAddr) -> Answer<'_, Domain> {
        panic!("not asked for a way")
    }
    fn listed<'a>(&'a self, _: &'a Name) -> Answer<'a, IpAddr> {
        panic!("not asked for a way")
    }
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[tokio::test]
async fn who_knows_hosts_alone_is_asked_for_one_family_too() {
    let fake =
        Fake::default().with("x.example", &[(10, "mx.example")]).host("mx.example", &["192.0.2.1", "2001:db8::1"]);
    let name = |text: &str| Name::parse(text).unwrap();
    let v6 = fake.listed_v6(&name("mx.example")).await.unwrap();
    assert_eq!(v6.records, ["2001:db8::1".parse::<IpAddr>().unwrap()]);
    assert_eq!(fake.mx_at(&name("x.example")).await.unwrap().records.len(), 1);
    assert!(matches!(fake.listed_v6(&name("_x.example")).await, Err(LookupError::NoRecords { kind: Kind::Aaaa, .. })));
    assert!(matches!(fake.mx_at(&name("_x.example")).await, Err(LookupError::NoRecords { kind: Kind::Mx, .. })));
    let v4 = Fake::default().host("mx.example", &["192.0.2.1"]);
    assert!(matches!(v4.listed_v6(&name("mx.example")).await, Err(LookupError::NoRecords { .. })));
}

fn ours() -> Ourselves {
    Ourselves { names: vec![domain("us.example")], addresses: vec!["198.51.100.1".parse().unwrap()], loopback: false }
}

/// Small numbers that look random enough, from a seed.
fn dice(mut seed: u64) -> impl FnMut() -> u64 + Send {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    }
}

async fn way(fake: &Fake, seed: u64) -> Result<MailHosts, RouteError> {
    route(fake, &domain("to.example"), &ours(), &mut dice(seed)).await
}

fn names(hosts: &MailHosts) -> Vec<&str> {
    hosts.hosts.iter().map(|host| host.name.as_str()).collect()
}

#[tokio::test]
async fn hosts_of_equal_preference_share_the_load_and_better_ones_come_first() {
    let fake = Fake::default()
        .with("to.example", &[(20, "c.example."), (10, "a.example."), (10, "b.example.")])
        .host("a.example", &["192.0.2.1"])
        .host("b.example", &["192.0.2.2"])
        .host("c.example", &["192.0.2.3"]);
    let mut seen = std::collections::HashSet::new();
    for seed in 0..50 {
        let hosts = way(&fake, seed).await.unwrap();
        assert_eq!(names(&hosts)[2], "c.example");
        seen.insert(names(&hosts)[0].to_owned());
    }
    assert_eq!(seen.len(), 2, "both are first now and then");
}

#[tokio::test]
async fn this_server_and_all_that_is_not_better_is_left_out() {
    let hosts = [(10, "better.example."), (20, "us.example."), (20, "equal.example."), (30, "worse.example.")];
    let mut fake = Fake::default().with("to.example", &hosts);
    for (host, address) in [("better", "192.0.2.1"), ("equal", "192.0.2.2"), ("worse", "192.0.2.3")] {
        fake = fake.host(&format!("{host}.example"), &[address]);
    }
    assert_eq!(names(&way(&fake, 1).await.unwrap()), ["better.example"]);
    // Under a name that we don't know to be ours, but with our address.
    let hosts = [(10, "better.example."), (20, "alias.example."), (20, "equal.example."), (30, "worse.example.")];
    let fake = fake.with("to.example", &hosts).host("alias.example", &["198.51.100.1"]);
    for seed in 0..20 {
        assert_eq!(names(&way(&fake, seed).await.unwrap()), ["better.example"], "{seed}");
    }
}

#[tokio::test]
async fn mail_that_would_come_back_is_a_loop() {
    let by_name = Fake::default().with("to.example", &[(10, "US.example"), (20, "a.example")]);
    let by_address =
        Fake::default().with("to.example", &[(10, "x.example")]).host("x.example", &["::ffff:198.51.100.1"]);
    let by_loopback = Fake::default().with("to.example", &[(10, "x.example")]).host("x.example", &["127.8.9.1"]);
    let by_localhost = Fake::default().with("to.example", &[(10, "localhost.")]);
    let itself = Fake::default().host("to.example", &["198.51.100.1"]);
    for (at, fake) in [by_name, by_address, by_loopback, by_localhost, itself].iter().enumerate() {
        let error = way(fake, 1).await.unwrap_err();
        assert!(matches!(error, RouteError::Loop { .. }) && !error.is_temporary(), "{at}: {error:?}");
    }
    let named = Ourselves { names: vec![domain("to.example")], ..Ourselves::default() };
    let error = route(&Fake::default(), &domain("to.example"), &named, &mut || 0).await.unwrap_err();
    assert!(matches!(error, RouteError::Loop { .. }), "{error:?}");
}

#[tokio::test]
async fn loopback_is_a_place_only_where_a_trial_says_so() {
    let fake = Fake::default().with("to.example", &[(10, "x.example")]).host("x.example", &["127.0.0.1"]);
    let trial = Ourselves { loopback: true, ..ours() };
    assert!(route(&fake, &domain("to.example"), &trial, &mut || 0).await.is_ok());
}

#[tokio::test]
async fn addresses_that_are_no_single_host_are_not_sent_to() {
    let fake = Fake::default()
        .with("to.example", &[(10, "x.example")])
        .host("x.example", &["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"]);
    let error = way(&fake, 1).await.unwrap_err();
    assert!(matches!(error, RouteError::NoHost { .. }) && error.to_string().contains("no address"), "{error}");
}

#[tokio::test]
async fn a_bomb_of_mx_records_and_addresses_is_cut_at_the_limits() {
    let mut fake = Fake::default();
    let many: Vec<(u16, String)> = (0..500).map(|n| (500 - n, format!("h{n}.example."))).collect();
    let many: Vec<(u16, &str)> = many.iter().map(|(preference, host)| (*preference, host.as_str())).collect();
    fake = fake.with("to.example", &many);
    for n in 0..500_u16 {
        let v4 = (0..100).map(|a| IpAddr::V4(Ipv4Addr::new(10, 0, u8::try_from(n % 250).unwrap(), a)));
        let v6 = (0..100).map(|a| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, n, a, 0, 0, 0, 1)));
        fake.addresses.insert(format!("h{n}.example"), v4.chain(v6).collect());
    }
    let hosts = way(&fake, 1).await.unwrap();
    assert!(hosts.hosts.len() <= ROUTE_HOSTS_MAX && hosts.left_out.len() <= ROUTE_HOSTS_MAX);
    assert!(hosts.hosts.iter().all(|host| host.addresses.len() <= HOST_ADDRESSES_MAX));
    assert!(hosts.hosts.iter().map(|host| host.addresses.len()).sum::<usize>() <= ROUTE_ADDRESSES_MAX);
    // The best ones, and both families of each.
    assert_eq!(hosts.hosts[0].name, domain("h499.example"));
    assert_eq!(hosts.hosts[0].addresses.iter().filter(|address| address.is_ipv6()).count(), HOST_ADDRESSES_MAX / 2);
    assert!(hosts.hosts[0].addresses[0].is_ipv6() && hosts.hosts[0].addresses[1].is_ipv4());
}

#[tokio::test]
async fn a_host_that_stands_there_twice_is_tried_once_at_its_better_place() {
    let fake = Fake::default()
        .with("to.example", &[(30, "a.example."), (20, "b.example."), (10, "A.example")])
        .host("a.example", &["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"])
        .host("b.example", &["192.0.2.2"]);
    let hosts = way(&fake, 1).await.unwrap();
    assert_eq!(names(&hosts), ["a.example", "b.example"]);
    assert_eq!(hosts.hosts[0].addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
}

proptest! {
    /// Whatever a zone says, the way is sorted, within the limits, leads to no address of ours, and names nothing twice.
    #[test]
    fn every_way_keeps_the_rules(
        records in proptest::collection::vec((0_u16..5, 0_u8..40), 0..60),
        addresses in proptest::collection::vec((0_u8..40, 0_u8..6), 0..80),
        seed in any::<u64>(),
    ) {
        let pool = ["192.0.2.1", "2001:db8::1", "198.51.100.1", "127.0.0.1", "0.0.0.0", "192.0.2.7"];
        let mut fake = Fake::default();
        if !records.is_empty() {
            let host = |n: u8| if n == 39 { "us.example".to_owned() } else { format!("h{n}.example") };
            let records = records.iter().map(|(preference, n)| Mx { preference: *preference, host: host(*n) });
            fake.mx.insert("to.example".to_owned(), records.collect());
        }
        for (n, which) in &addresses {
            let address = pool[usize::from(*which)].parse().unwrap();
            fake.addresses.entry(format!("h{n}.example")).or_default().push(address);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(way(&fake, seed)) {
            Ok(hosts) => {
                prop_assert!(!hosts.hosts.is_empty() && hosts.hosts.len() <= ROUTE_HOSTS_MAX);
                prop_assert!(hosts.hosts.is_sorted_by_key(|host| host.preference));
                let mut seen = std::collections::HashSet::new();
                for host in &hosts.hosts {
                    prop_assert!(seen.insert(host.name.clone()) && host.name != domain("us.example"));
                    prop_assert!(!host.addresses.is_empty());
                    for address in &host.addresses {
                        prop_assert!(!address.is_loopback() && !address.is_unspecified());
                        prop_assert!(*address != "198.51.100.1".parse::<IpAddr>().unwrap());
                    }
                }
            }
            Err(error) => prop_assert!(!error.is_temporary(), "nothing failed here: {error}"),
        }
    }
}
