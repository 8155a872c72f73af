//! The resolver against a small world of zones: a signed root, signed and unsigned zones below it, broken ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

use mailward_core::Domain;
use mailward_core::config::Dns;
use mailward_core::limits::CAA_LABELS_MAX;
use mailward_dns::{
    Dane, Found, Kind, Lookup, LookupError, Mx, Name, Ourselves, Resolver, RouteError, Srv, caa, dane, route,
};
use mailward_dns_zone::proto::rr::RecordType;
use mailward_dns_zone::{Fault, Zone, Zones};
use std::net::IpAddr;

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn signed_zone() -> Zone {
    let digest = DIGEST;
    Zone::signed(
        "signed.",
        &format!(
            "@ 300 IN MX 10 mx.signed.
@ 300 IN MX 20 mx.plain.
@ 300 IN TXT \"v=spf1 \" \"-all\"
mx 300 IN A 192.0.2.1
mx 300 IN AAAA 2001:db8::1
_25._tcp.mx 300 IN TLSA 3 1 1 {digest}
alias 300 IN CNAME mx.signed.
out 300 IN CNAME mx.plain.
in 300 IN CNAME mx.hashed.
nowhere 300 IN CNAME gone.signed.
nomail 300 IN MX 0 .
both 300 IN MX 0 .
both 300 IN MX 10 mx.signed.
noaddress 300 IN TXT \"nothing\"
*.wild 300 IN TXT \"any\"
loop1 300 IN CNAME loop2.signed.
loop2 300 IN CNAME loop1.signed.
toalias 300 IN MX 10 alias.signed.
toout 300 IN MX 10 out.signed.
literal 300 IN MX 10 192.0.2.1.
literal 300 IN MX 20 mx.signed.
onlyliteral 300 IN MX 10 192.0.2.1.
implicit 300 IN A 192.0.2.9
_25._tcp.implicit 300 IN TLSA 2 0 1 {digest}
xn--mnchen-3ya 300 IN MX 10 mx.signed.
moved 300 IN CNAME signed.
tohashed 300 IN MX 10 mx.hashed.
toforged 300 IN MX 10 mx.forged.
toforged2 300 IN MX 10 mx.forged.
toforged2 300 IN MX 20 mx.signed.
unusable 300 IN MX 10 mx3.signed.
mx3 300 IN A 192.0.2.3
_25._tcp.mx3 300 IN TLSA 1 1 1 {digest}
lost 300 IN MX 10 gone.signed.
_imaps._tcp 300 IN SRV 0 1 993 Mail.Signed.
_imap._tcp 300 IN SRV 0 0 0 .
sub 300 IN TXT \"nothing\"
@ 300 IN CAA 0 issue \"ca.example; accounturi=https://ca.example/1\"
@ 300 IN CAA 128 strange \"x\"
"
        ),
    )
}

fn plain_zone() -> Zone {
    Zone::plain(
        "plain.",
        &format!(
            "@ 300 IN MX 10 mx.plain.
mx 300 IN A 192.0.2.2
_25._tcp.mx 300 IN TLSA 3 1 1 {DIGEST}
_imaps._tcp 300 IN SRV 0 1 993 mail.plain.
@ 300 IN CAA 0 issue \";\"
tosigned 300 IN MX 10 mx.signed.
tosigned-alias 300 IN CNAME signed.
"
        ),
    )
}

fn hashed_zone(iterations: u16) -> Zone {
    Zone::hashed(
        "hashed.",
        &format!(
            "@ 300 IN MX 10 mx.hashed.\nmx 300 IN A 192.0.2.4\n*.wild 300 IN TXT \"any\"\n_25._tcp.mx 300 IN TLSA 3 1 1 {DIGEST}\n"
        ),
        iterations,
    )
}

async fn world() -> (Zones, Resolver) {
    let forged = Zone::signed("forged.", "@ 300 IN MX 10 mx.forged.\nmx 300 IN A 192.0.2.5\n")
        .forged("mx 300 IN A 203.0.113.66\n_25._tcp.mx 300 IN TLSA 3 1 1 00\n_imaps._tcp 300 IN SRV 0 0 993 evil.\n");
    let zones = Zones::start(&[signed_zone(), plain_zone(), hashed_zone(0), forged]).await;
    let resolver = Resolver::new(&zones.config()).unwrap();
    (zones, resolver)
}

fn domain(text: &str) -> Domain {
    Domain::parse_utf8(text).unwrap()
}

fn mx(preference: u16, host: &str) -> Mx {
    Mx { preference, host: host.to_owned() }
}

fn sorted<T: Ord + Clone>(found: &Found<T>) -> Vec<T> {
    let mut records = found.records.clone();
    records.sort();
    records
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

async fn way(resolver: &Resolver, text: &str) -> Result<mailward_dns::MailHosts, RouteError> {
    route(resolver, &domain(text), &Ourselves::default(), &mut || 0).await
}

fn names(hosts: &mailward_dns::MailHosts) -> Vec<&str> {
    hosts.hosts.iter().map(|host| host.name.as_str()).collect()
}

#[tokio::test]
async fn what_a_signed_zone_says_is_secure() {
    let (_zones, resolver) = world().await;
    let found = resolver.mx(&domain("signed")).await.unwrap();
    assert!(found.secure && found.alias.is_none());
    assert_eq!(found.records.len(), 2);
    assert!(found.records.contains(&mx(10, "mx.signed.")) && found.records.contains(&mx(20, "mx.plain.")));

    let found = resolver.addresses(&domain("mx.signed")).await.unwrap();
    assert!(found.secure);
    assert_eq!(sorted(&found), addresses(&["192.0.2.1", "2001:db8::1"]));

    let name = Name::parse("mx.signed").unwrap();
    let found = resolver.listed_v6(&name).await.unwrap();
    assert_eq!((sorted(&found), found.secure), (addresses(&["2001:db8::1"]), true));
    assert_eq!(sorted(&resolver.listed(&name).await.unwrap()), addresses(&["192.0.2.1"]));
    let found = resolver.mx_at(&Name::parse("signed").unwrap()).await.unwrap();
    assert_eq!((found.records.len(), found.secure), (2, true));

    let found = resolver.tlsa(25, &domain("mx.signed")).await.unwrap();
    assert!(found.secure);
    assert_eq!((found.records[0].usage, found.records[0].selector, found.records[0].matching), (3, 1, 1));
    assert_eq!(found.records[0].data.len(), 32);

    let found = resolver.txt(&Name::parse("SIGNED.").unwrap()).await.unwrap();
    assert_eq!((found.records, found.secure), (vec![b"v=spf1 -all".to_vec()], true));
}

#[tokio::test]
async fn services_are_found_with_their_proof_and_those_that_arent_there_say_so() {
    let (_zones, resolver) = world().await;
    let at = |service: &str, zone: &str| Name::service(service, &domain(zone)).unwrap();
    let found = resolver.srv(&at("imaps", "signed")).await.unwrap();
    let wanted = Srv { priority: 0, weight: 1, port: 993, target: "mail.signed.".to_owned() };
    assert_eq!((found.records, found.secure), (vec![wanted.clone()], true));
    assert_eq!((wanted.is_none(), wanted.host()), (false, Some(domain("mail.signed"))));
    let found = resolver.srv(&at("imap", "signed")).await.unwrap();
    assert!(found.secure && found.records[0].is_none() && found.records[0].host().is_none());
    assert!(!resolver.srv(&at("imaps", "plain")).await.unwrap().secure);
    let error = resolver.srv(&at("pop3s", "signed")).await.unwrap_err();
    assert!(matches!(error, LookupError::NoName { secure: true, .. }), "{error:?}");
    let error = resolver.srv(&at("imaps", "forged")).await.unwrap_err();
    assert!(matches!(error, LookupError::Bogus { kind: Kind::Srv, .. }), "{error:?}");
}

#[tokio::test]
async fn who_may_certify_is_told_by_the_nearest_name_above() {
    let (_zones, resolver) = world().await;
    for name in ["signed", "mx.signed", "gone.below.sub.signed"] {
        let (at, allowed, secure) = caa(&resolver, &domain(name)).await.unwrap().unwrap();
        assert_eq!((at.as_str(), secure, allowed.critical.as_slice()), ("signed", true, &["strange".to_owned()][..]));
        assert_eq!(allowed.issuers[0].name.as_deref(), Some("ca.example"), "{name}");
        assert_eq!(allowed.issuers[0].account.as_deref(), Some("https://ca.example/1"), "{name}");
    }
    let (_, allowed, secure) = caa(&resolver, &domain("mx.plain")).await.unwrap().unwrap();
    assert!(allowed.restricts && allowed.issuers[0].name.is_none() && !secure);
    assert_eq!(caa(&resolver, &domain("mx.hashed")).await.unwrap(), None);
    let deep = format!("{}plain", "a.".repeat(CAA_LABELS_MAX));
    let error = caa(&resolver, &domain(&deep)).await.unwrap_err();
    assert!(matches!(error, LookupError::Temporary { .. }), "{error:?}");
}

#[tokio::test]
async fn what_an_unsigned_zone_says_is_found_and_not_secure() {
    let (_zones, resolver) = world().await;
    let found = resolver.mx(&domain("plain")).await.unwrap();
    assert_eq!((found.records, found.secure), (vec![mx(10, "mx.plain.")], false));
    let error = resolver.mx(&domain("mx.plain")).await.unwrap_err();
    assert!(matches!(error, LookupError::NoRecords { secure: false, .. }), "{error:?}");
    let error = resolver.mx(&domain("gone.plain")).await.unwrap_err();
    assert!(matches!(error, LookupError::NoName { secure: false, .. }), "{error:?}");
}

#[tokio::test]
async fn that_there_is_none_is_secure_in_a_signed_zone() {
    let (_zones, resolver) = world().await;
    for (name, kind) in [("gone.signed", "name"), ("gone.hashed", "name"), ("nosuchzone", "name")] {
        let error = resolver.mx(&domain(name)).await.unwrap_err();
        assert!(matches!(error, LookupError::NoName { secure: true, .. }), "{kind} {name}: {error:?}");
    }
    for name in ["mx.signed", "mx.hashed"] {
        let error = resolver.mx(&domain(name)).await.unwrap_err();
        assert!(matches!(error, LookupError::NoRecords { kind: Kind::Mx, secure: true, .. }), "{name}: {error:?}");
    }
    let error = resolver.tlsa(25, &domain("implicit.signed")).await;
    assert!(error.is_ok());
    let error = resolver.tlsa(587, &domain("mx.signed")).await.unwrap_err();
    assert!(matches!(error, LookupError::NoName { secure: true, .. }), "{error:?}");
}

#[tokio::test]
async fn an_alias_is_followed_and_is_as_secure_as_its_weakest_part() {
    let (_zones, resolver) = world().await;
    let found = resolver.addresses(&domain("alias.signed")).await.unwrap();
    assert!(found.secure);
    assert_eq!(found.alias.unwrap().target.as_str(), "mx.signed");

    // From a signed zone into an unsigned one: the alias is proven, what it leads to is not.
    let found = resolver.addresses(&domain("out.signed")).await.unwrap();
    let alias = found.alias.clone().unwrap();
    assert_eq!((found.secure, alias.first_secure, alias.target.as_str()), (false, true, "mx.plain"));

    // Into another signed zone, over two answers.
    let found = resolver.addresses(&domain("in.signed")).await.unwrap();
    assert!(found.secure);
    assert_eq!(found.alias.unwrap().target.as_str(), "mx.hashed");

    // From an unsigned zone into a signed one.
    let found = resolver.mx(&domain("tosigned-alias.plain")).await.unwrap();
    let alias = found.alias.clone().unwrap();
    assert_eq!((found.secure, alias.first_secure, alias.target.as_str()), (false, false, "signed"));

    let error = resolver.addresses(&domain("nowhere.signed")).await.unwrap_err();
    assert!(
        matches!(&error, LookupError::NoName { name, secure: true, .. } if name.as_str() == "nowhere.signed"),
        "{error:?}"
    );
}

#[tokio::test]
async fn aliases_that_go_in_a_circle_end() {
    let (zones, resolver) = world().await;
    let error = resolver.addresses(&domain("loop1.signed")).await.unwrap_err();
    assert!(matches!(error, LookupError::Temporary { .. }), "{error:?}");
    assert!(zones.questions() < 60, "{}", zones.questions());
}

#[tokio::test]
async fn a_record_of_a_wildcard_is_proven_to_be_one() {
    let (_zones, resolver) = world().await;
    for name in ["this.wild.signed", "deep.in.the.wild.signed", "this.wild.hashed"] {
        let found = resolver.txt(&Name::parse(name).unwrap()).await.unwrap();
        assert_eq!((found.records, found.secure), (vec![b"any".to_vec()], true), "{name}");
    }
}

#[tokio::test]
async fn a_forged_record_is_bogus_and_never_just_insecure() {
    let (_zones, resolver) = world().await;
    let error = resolver.addresses(&domain("mx.forged")).await.unwrap_err();
    assert!(matches!(error, LookupError::Bogus { kind: Kind::A, .. }), "{error:?}");
    let error = resolver.tlsa(25, &domain("mx.forged")).await.unwrap_err();
    assert!(matches!(error, LookupError::Bogus { .. }), "{error:?}");
    assert!(error.to_string().contains("mx.forged") && error.to_string().contains("DNSSEC"), "{error}");
    // What wasn't touched stays good.
    assert!(resolver.mx(&domain("forged")).await.unwrap().secure);
}

#[tokio::test]
async fn a_zone_whose_keys_are_not_the_ones_its_parent_knows_is_bogus() {
    let (zones, _) = world().await;
    let other = Zones::start(&[signed_zone()]).await;
    let config = Dns { trust_anchor: Some(other.trust_anchor()), ..zones.config() };
    let resolver = Resolver::new(&config).unwrap();
    for name in ["signed", "plain"] {
        let error = resolver.mx(&domain(name)).await.unwrap_err();
        assert!(matches!(error, LookupError::Bogus { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn without_dnssec_everything_is_found_and_nothing_is_secure() {
    let (zones, _) = world().await;
    let resolver = Resolver::new(&Dns { dnssec: false, ..zones.config() }).unwrap();
    assert!(!resolver.validates());
    assert!(!resolver.mx(&domain("signed")).await.unwrap().secure);
    assert!(resolver.addresses(&domain("mx.forged")).await.is_ok());
    let error = resolver.mx(&domain("gone.signed")).await.unwrap_err();
    assert!(matches!(error, LookupError::NoName { secure: false, .. }), "{error:?}");
    let error = resolver.mx(&domain("mx.signed")).await.unwrap_err();
    assert!(matches!(error, LookupError::NoRecords { secure: false, .. }), "{error:?}");
}

#[tokio::test]
async fn a_zone_that_hashes_its_denials_too_often_is_not_proven_to_deny() {
    let zones = Zones::start(&[hashed_zone(200)]).await;
    let resolver = Resolver::new(&zones.config()).unwrap();
    let error = resolver.mx(&domain("gone.hashed")).await.unwrap_err();
    assert!(!error.is_secure(), "{error:?}");
    // What is there is proven by its own signature, unless a wildcard made it.
    assert!(resolver.mx(&domain("hashed")).await.unwrap().secure);
    assert!(!resolver.txt(&Name::parse("this.wild.hashed").unwrap()).await.unwrap().secure);
}

#[tokio::test]
async fn a_failing_server_is_temporary_and_told_in_words() {
    let (zones, resolver) = world().await;
    zones.fault("signed.", Some(RecordType::MX), Fault::ServFail);
    zones.fault("plain.", Some(RecordType::MX), Fault::Refused);
    for name in ["signed", "plain"] {
        let error = resolver.mx(&domain(name)).await.unwrap_err();
        assert!(matches!(error, LookupError::Temporary { .. }), "{error:?}");
        assert!(error.to_string().contains("the resolver answered"), "{error}");
    }
}

#[tokio::test]
async fn keys_that_cant_be_fetched_leave_it_unknown_rather_than_forged() {
    let (zones, resolver) = world().await;
    zones.fault("signed.", Some(RecordType::DNSKEY), Fault::ServFail);
    let error = resolver.mx(&domain("signed")).await.unwrap_err();
    assert!(matches!(&error, LookupError::Temporary { why, .. } if why.contains("the resolver answered")), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_is_temporary_within_its_time() {
    let (zones, _) = world().await;
    let resolver = Resolver::new(&Dns { timeout: 1, dnssec: false, ..zones.config() }).unwrap();
    zones.fault("signed.", Some(RecordType::MX), Fault::Silence);
    let error = resolver.mx(&domain("signed")).await.unwrap_err();
    assert!(matches!(&error, LookupError::Temporary { why, .. } if why.contains("in time")), "{error:?}");
}

#[tokio::test]
async fn what_is_known_is_not_asked_again() {
    let (zones, resolver) = world().await;
    resolver.mx(&domain("signed")).await.unwrap();
    resolver.mx(&domain("gone.signed")).await.unwrap_err();
    resolver.mx(&domain("mx.signed")).await.unwrap_err();
    zones.fault("plain.", None, Fault::ServFail);
    resolver.mx(&domain("plain")).await.unwrap_err();
    let before = zones.questions();
    // A clone shares what is known.
    let other = resolver.clone();
    other.mx(&domain("signed")).await.unwrap();
    other.mx(&domain("gone.signed")).await.unwrap_err();
    other.mx(&domain("mx.signed")).await.unwrap_err();
    other.mx(&domain("plain")).await.unwrap_err();
    assert_eq!(zones.questions(), before);
}

#[tokio::test]
async fn keys_of_zones_are_asked_for_once() {
    let (zones, resolver) = world().await;
    resolver.mx(&domain("signed")).await.unwrap();
    resolver.addresses(&domain("mx.signed")).await.unwrap();
    resolver.txt(&Name::parse("signed").unwrap()).await.unwrap();
    for question in [". DNSKEY", "signed. DNSKEY", "signed. DS"] {
        let times = zones.asked().iter().filter(|asked| *asked == question).count();
        assert_eq!(times, 1, "{question}: {:?}", zones.asked());
    }
}

#[tokio::test]
async fn without_a_cache_each_lookup_asks() {
    let (zones, _) = world().await;
    let resolver = Resolver::new(&Dns { cache: 0, ..zones.config() }).unwrap();
    resolver.mx(&domain("signed")).await.unwrap();
    resolver.mx(&domain("signed")).await.unwrap();
    assert_eq!(zones.asked().iter().filter(|asked| *asked == "signed. MX").count(), 2);
}

#[tokio::test]
async fn names_of_addresses_are_hosts_names() {
    let zones = Zones::start(&[Zone::plain(
        "2.0.192.in-addr.arpa.",
        "1 300 IN PTR Mail.Example.ORG.\n1 300 IN PTR 192.0.2.1.\n2 300 IN PTR 192.0.2.1.\n",
    )])
    .await;
    let resolver = Resolver::new(&zones.config()).unwrap();
    let found = resolver.ptr("192.0.2.1".parse().unwrap()).await.unwrap();
    assert_eq!(found.records, [domain("mail.example.org")]);
    let error = resolver.ptr("::ffff:192.0.2.2".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, LookupError::NoRecords { .. }), "{error:?}");
}

#[tokio::test]
async fn mail_goes_to_the_hosts_by_preference() {
    let (_zones, resolver) = world().await;
    let hosts = way(&resolver, "signed").await.unwrap();
    assert_eq!(names(&hosts), ["mx.signed", "mx.plain"]);
    assert!(hosts.secure && !hosts.implicit && hosts.left_out.is_empty());
    assert_eq!(hosts.hosts[0].addresses, addresses(&["2001:db8::1", "192.0.2.1"]));
    assert_eq!(hosts.hosts[0].tlsa_names, [domain("mx.signed")]);
    // Its name is proven, its addresses are not.
    assert!(hosts.hosts[1].tlsa_names.is_empty());
}

#[tokio::test]
async fn a_domain_without_mx_is_its_own_host() {
    let (_zones, resolver) = world().await;
    let hosts = way(&resolver, "implicit.signed").await.unwrap();
    assert!(hosts.implicit && hosts.secure);
    assert_eq!((names(&hosts), hosts.hosts[0].preference), (vec!["implicit.signed"], 0));
    assert!(matches!(dane(&resolver, &hosts.hosts[0], 25).await, Dane::Required { .. }));
}

#[tokio::test]
async fn a_null_mx_and_a_domain_that_isnt_there_are_told_apart() {
    let (_zones, resolver) = world().await;
    assert!(matches!(way(&resolver, "nomail.signed").await, Err(RouteError::NullMx { .. })));
    assert!(matches!(way(&resolver, "gone.signed").await, Err(RouteError::NoDomain { .. })));
    assert!(matches!(way(&resolver, "noaddress.signed").await, Err(RouteError::NoHost { .. })));
    assert!(matches!(way(&resolver, "lost.signed").await, Err(RouteError::NoHost { .. })));
    // Beside others it means nothing.
    let hosts = way(&resolver, "both.signed").await.unwrap();
    assert_eq!((names(&hosts), hosts.left_out.len()), (vec!["mx.signed"], 1));
}

#[tokio::test]
async fn an_mx_record_that_names_an_address_is_left_out() {
    let (_zones, resolver) = world().await;
    let hosts = way(&resolver, "literal.signed").await.unwrap();
    assert_eq!((names(&hosts), hosts.left_out[0].host.as_str()), (vec!["mx.signed"], "192.0.2.1."));
    let error = way(&resolver, "onlyliteral.signed").await.unwrap_err();
    assert!(!error.is_temporary() && error.to_string().contains("a host, not an address"), "{error}");
}

#[tokio::test]
async fn domains_in_other_scripts_go_by_their_a_labels() {
    let (_zones, resolver) = world().await;
    let hosts = way(&resolver, "münchen.signed").await.unwrap();
    assert_eq!(names(&hosts), ["mx.signed"]);
}

#[tokio::test]
async fn a_domain_that_is_an_alias_has_its_targets_hosts() {
    let (_zones, resolver) = world().await;
    let hosts = way(&resolver, "moved.signed").await.unwrap();
    assert_eq!((names(&hosts), hosts.secure), (vec!["mx.signed", "mx.plain"], true));
}

#[tokio::test]
async fn dane_is_demanded_only_where_the_whole_way_is_proven() {
    let (_zones, resolver) = world().await;
    let dane_of = async |text: &str| {
        let hosts = way(&resolver, text).await.unwrap();
        dane(&resolver, &hosts.hosts[0], 25).await
    };
    for (from, name) in [("signed", "mx.signed"), ("tohashed.signed", "mx.hashed"), ("toalias.signed", "mx.signed")] {
        match dane_of(from).await {
            Dane::Required { name: base, records } => assert_eq!((base, records.len()), (domain(name), 1), "{from}"),
            other => panic!("{from}: {other:?}"),
        }
    }
    assert_eq!(dane_of("unusable.signed").await, Dane::EncryptOnly { name: domain("mx3.signed") });
    // An unsigned MX record may name a signed host; who forged it would have named one of theirs.
    for from in ["plain", "tosigned.plain"] {
        assert_eq!(dane_of(from).await, Dane::NotOffered, "{from}");
    }
    // The host's alias is proven, its addresses are not: its own name is asked, and has none.
    assert_eq!(dane_of("toout.signed").await, Dane::NotOffered);
}

#[tokio::test]
async fn tlsa_records_that_cant_be_had_hold_the_mail_back() {
    let (zones, resolver) = world().await;
    zones.fault("_25._tcp.mx.signed.", None, Fault::ServFail);
    let hosts = way(&resolver, "signed").await.unwrap();
    assert!(matches!(dane(&resolver, &hosts.hosts[0], 25).await, Dane::Unknown(_)));
}

#[tokio::test]
async fn a_host_whose_addresses_are_forged_is_not_used() {
    let (_zones, resolver) = world().await;
    let error = way(&resolver, "toforged.signed").await.unwrap_err();
    assert!(matches!(error, RouteError::Later { bogus: true, .. }), "{error:?}");
    let hosts = way(&resolver, "toforged2.signed").await.unwrap();
    assert_eq!((names(&hosts), hosts.left_out.len()), (vec!["mx.signed"], 1));
}

#[tokio::test]
async fn hosts_that_cant_be_looked_up_now_are_tried_later_unless_there_are_others() {
    let (zones, resolver) = world().await;
    zones.fault("mx.signed.", None, Fault::ServFail);
    let hosts = way(&resolver, "signed").await.unwrap();
    assert_eq!(names(&hosts), ["mx.plain"]);
    let error = way(&resolver, "both.signed").await.unwrap_err();
    assert!(matches!(error, RouteError::Later { bogus: false, .. }), "{error:?}");
    assert!(error.is_temporary());
}

#[tokio::test]
async fn a_resolver_that_cant_be_made_names_the_key_to_change() {
    let (zones, _) = world().await;
    let wrong = |text: &str| {
        let path = zones.directory().join("wrong.key");
        std::fs::write(&path, text).unwrap();
        Resolver::new(&Dns { trust_anchor: Some(path), ..zones.config() }).unwrap_err().to_string()
    };
    assert!(wrong("").contains("no DNSKEY record"));
    assert!(wrong("nonsense\n").contains("not a file of DNSKEY records"));
    let missing = Dns { trust_anchor: Some(zones.directory().join("missing.key")), ..zones.config() };
    let error = Resolver::new(&missing).unwrap_err().to_string();
    assert!(error.starts_with("dns.trust_anchor: ") && error.contains("missing.key"), "{error}");
}
