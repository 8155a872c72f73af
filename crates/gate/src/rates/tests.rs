//! Stories about the rate guard.

mod kept;

use super::*;
use crate::hand::Hand;
use mailward_core::config::RateIgnored;
use mailward_core::limits::RATE_LISTED_MAX;
use mailward_core::{Address, RateRule};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// An hour begins.
const BEGIN: i64 = 490_555 * HOUR;

struct World {
    rates: Arc<Rates>,
    clock: Arc<Hand>,
    events: Events,
}

impl World {
    fn with(config: &Config) -> Self {
        Self::at(BEGIN, config)
    }
    fn at(time: i64, config: &Config) -> Self {
        let (clock, events) = (Hand::at(time), Events::memory());
        let rates = Rates::new(config, clock.clone(), events.clone(), &Secret::new("a server's secret")).unwrap();
        Self { rates, clock, events }
    }
    fn pass(&self, millis: i64) {
        self.clock.pass(millis);
    }
    /// How many of so many messages pass.
    fn passing(&self, of: &Subjects<'_>, messages: usize) -> usize {
        (0..messages).filter(|_| !matches!(self.rates.message(of, 1), RateVerdict::Refuse(_))).count()
    }
    fn told(&self, name: &str) -> usize {
        self.events.lines().iter().filter(|line| line.split(' ').nth(1) == Some(name)).count()
    }
}

fn limits(rules: &[&str]) -> RateLimits {
    let rules: Vec<RateRule> = rules.iter().map(|rule| RateRule::parse(rule).unwrap()).collect();
    RateLimits::from_rules(&rules).unwrap()
}

/// Nothing is limited.
fn nothing() -> Config {
    let none = RateLimits::default();
    Config {
        address: none,
        domain: none,
        host: none,
        network: none,
        account: none,
        own_domain: none,
        client: none,
        ignore: Vec::new(),
    }
}

fn of_host(rules: &[&str]) -> Config {
    Config { host: limits(rules), ..nothing() }
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn from(host: &str) -> Subjects<'static> {
    Subjects { ip: ip(host), incoming: true, ..Subjects::default() }
}

#[test]
fn beyond_warn_it_is_told_once_an_hour_and_nothing_else_happens() {
    let world = World::with(&of_host(&["warn 5/h"]));
    let host = from("192.0.2.7");
    assert_eq!(world.passing(&host, 5), 5);
    assert_eq!(world.told("rate.high"), 0);
    assert!(matches!(world.rates.message(&host, 1), RateVerdict::Warn(hit) if hit.count == 6 && hit.limit == 5));
    assert_eq!(world.passing(&host, 50), 50);
    assert_eq!(world.told("rate.high"), 1);
    assert_eq!(
        world.events.lines()[0],
        "warn rate.high kind=host source=192.0.2.7 counted=messages count=6 limit=5 from=192.0.2.7"
    );
    world.pass(HOUR);
    world.passing(&host, 50);
    assert_eq!(world.told("rate.high"), 2);
}

#[test]
fn beyond_block_more_waits_and_who_waits_gets_through() {
    let world = World::with(&of_host(&["block 60/h"]));
    let host = from("192.0.2.7");
    assert_eq!(world.passing(&host, 100), 60);
    assert_eq!(world.told("rate.blocked"), 1);
    assert!(world.rates.barred(&host).is_some_and(|hit| hit.step == RateStep::Block));
    assert_eq!(world.rates.barred(&from("192.0.2.8")), None);
    // It comes again every minute, which doesn't keep it out.
    world.pass(HOUR);
    let passed: usize = (0..60)
        .map(|_| {
            world.pass(MINUTE);
            world.passing(&host, 1)
        })
        .sum();
    assert!(passed >= 55, "{passed}");
}

#[test]
fn beyond_alarm_everything_is_refused_for_an_hour_and_somebody_is_told_at_once() {
    let world = World::with(&of_host(&["block 10/h, alarm 30/h"]));
    let host = from("192.0.2.7");
    assert_eq!(world.passing(&host, 30), 10);
    assert_eq!(world.told("rate.alarm"), 0);
    let verdict = world.rates.message(&host, 1);
    assert!(matches!(&verdict, RateVerdict::Refuse(hit) if hit.step == RateStep::Alarm), "{verdict:?}");
    let line = world.events.lines().into_iter().find(|line| line.starts_with("alert rate.alarm ")).unwrap();
    assert!(line.contains("source=192.0.2.7") && line.contains("mailward rates reset"), "{line}");
    world.pass(HOUR - 1_000);
    assert!(world.rates.barred(&host).is_some_and(|hit| hit.step == RateStep::Alarm));
    assert_eq!(world.passing(&host, 5), 0);
    assert_eq!(world.told("rate.alarm"), 1, "it is told once");
    world.pass(HOUR);
    assert_eq!(world.rates.barred(&host), None);
    assert_eq!(world.passing(&host, 1), 1);
}

#[test]
fn who_is_turned_away_at_the_door_and_goes_on_raises_an_alarm_too() {
    let world = World::with(&of_host(&["block 10/h, alarm 30/h"]));
    let host = from("192.0.2.7");
    assert_eq!(world.passing(&host, 10), 10);
    for _ in 0..20 {
        assert!(world.rates.barred(&host).is_some_and(|hit| hit.step == RateStep::Block));
    }
    assert_eq!((world.told("rate.blocked"), world.told("rate.alarm")), (1, 0));
    assert!(world.rates.barred(&host).is_some_and(|hit| hit.step == RateStep::Alarm));
    assert_eq!((world.told("rate.blocked"), world.told("rate.alarm")), (1, 1));
    assert_eq!(world.rates.barred(&from("192.0.2.8")), None);
    assert!(
        world.rates.reset("192.0.2.8").unwrap().kinds.is_empty(),
        "who isn't barred isn't counted for being asked about"
    );
}

#[test]
fn an_alarm_ends_though_attempts_went_on() {
    let world = World::with(&of_host(&["block 10/h, alarm 30/h"]));
    let host = from("192.0.2.7");
    world.passing(&host, 31);
    for _ in 0..59 {
        world.pass(MINUTE);
        assert_eq!(world.passing(&host, 3), 0);
    }
    world.pass(2 * MINUTE);
    // Some of what passed before is still in the window; more than nothing passes.
    assert!(world.passing(&host, 5) > 0);
}

#[test]
fn recipients_count_beside_messages() {
    let world = World::with(&of_host(&["recipients block 100/h"]));
    let host = from("192.0.2.7");
    assert_eq!(world.rates.message(&host, 60), RateVerdict::Pass);
    let verdict = world.rates.message(&host, 60);
    assert!(matches!(verdict, RateVerdict::Refuse(hit) if hit.measure == RateMeasure::Recipients && hit.count == 120));
    assert_eq!(world.rates.message(&host, 40), RateVerdict::Pass, "what was refused doesn't count");
}

#[test]
fn who_asks_for_many_that_aren_t_there_is_put_off() {
    let world = World::with(&of_host(&["refused warn 5/h, block 10/h"]));
    let host = from("192.0.2.7");
    let sender = "forged@bank.example".parse::<Address>().unwrap();
    for _ in 0..10 {
        let verdict = world.rates.refused(&Subjects { from: Some(&sender), ..host }, 1);
        assert!(!matches!(verdict, RateVerdict::Refuse(_)));
    }
    assert_eq!(world.rates.message(&host, 1), RateVerdict::Warn(world.rates.list(None)[0].hit_of(6, 10)));
    assert!(matches!(world.rates.refused(&host, 1), RateVerdict::Refuse(_)));
    assert!(matches!(world.rates.message(&host, 1), RateVerdict::Refuse(_)));
    assert_eq!(world.rates.list(None).len(), 1, "a sender isn't blamed for it");
}

impl RateInfo {
    /// The warning of refused recipients, of which there were so many.
    fn hit_of(&self, _first: u64, count: u64) -> RateHit {
        RateHit {
            kind: self.kind,
            name: self.name.clone(),
            measure: RateMeasure::Refused,
            step: RateStep::Warn,
            count,
            limit: 5,
        }
    }
}

#[test]
fn who_forges_a_sender_doesn_t_have_the_mail_of_those_put_off_who_prove_it() {
    let config = Config { address: limits(&["block 10/h"]), domain: limits(&["block 10/h"]), ..nothing() };
    let world = World::with(&config);
    let sender = "Billing@Bank.Example".parse::<Address>().unwrap();
    for host in 0..50_u8 {
        let forged =
            Subjects { from: Some(&sender), ip: Some(Ipv4Addr::new(192, 0, host, 2).into()), ..from("192.0.2.1") };
        world.rates.message(&forged, 1);
    }
    let forged = Subjects { from: Some(&sender), ..from("198.51.100.1") };
    assert_eq!(world.passing(&forged, 100), 10);
    assert!(matches!(world.rates.message(&forged, 1), RateVerdict::Refuse(_)));
    assert_eq!(world.rates.message(&Subjects { proven: true, ..forged }, 1), RateVerdict::Pass);
    // Nor of those who prove nothing, and come from elsewhere.
    assert_eq!(world.rates.message(&Subjects { ip: ip("203.0.113.9"), ..forged }, 1), RateVerdict::Pass);
    assert!(matches!(world.rates.message(&Subjects { ip: ip("198.51.100.200"), ..forged }, 1), RateVerdict::Refuse(_)));
    let names: Vec<String> = world.rates.list(None).into_iter().map(|info| info.name).collect();
    assert_eq!(
        names,
        ["Billing@bank.example (not proven, from 198.51.100.0/24)", "bank.example (not proven, from 198.51.100.0/24)"]
    );
    // In whatever case it is written.
    let other = "billing@bank.example".parse::<Address>().unwrap();
    assert!(matches!(world.rates.message(&Subjects { from: Some(&other), ..forged }, 1), RateVerdict::Refuse(_)));
    assert_eq!(world.rates.reset("billing@BANK.example").unwrap().kinds, [RateKind::Address]);
    assert_eq!(world.rates.reset("bank.example").unwrap().kinds, [RateKind::Domain]);
    assert_eq!(world.rates.message(&forged, 1), RateVerdict::Pass);
}

#[test]
fn a_clock_that_is_set_back_makes_no_alarm_longer() {
    let world = World::with(&of_host(&["alarm 30/h"]));
    let (host, other) = (from("192.0.2.7"), from("192.0.2.8"));
    world.passing(&host, 31);
    world.passing(&other, 31);
    world.pass(-10 * HOUR);
    assert!(world.rates.barred(&host).is_some() && world.rates.list(None).len() == 2);
    assert_eq!(world.passing(&other, 1), 0);
    world.pass(HOUR + 1_000);
    assert_eq!(world.rates.barred(&host), None);
    assert_eq!(world.passing(&other, 1), 1);
    assert!(world.rates.list(Some(RateStep::Alarm)).is_empty());
}

#[test]
fn all_users_of_a_domain_count_together() {
    let ignore = vec![RateIgnored::parse("news@b.example").unwrap(), RateIgnored::parse("c.example").unwrap()];
    let world = World::with(&Config { own_domain: limits(&["block 5/h"]), ignore, ..nothing() });
    let (joe, ann) = ("joe@b.example".parse::<Address>().unwrap(), "ann@B.example".parse::<Address>().unwrap());
    let user = |from, account| Subjects { from, account: Some(account), ip: ip("192.0.2.7"), ..Subjects::default() };
    assert_eq!(world.passing(&user(Some(&joe), "joe@b.example"), 3), 3);
    assert_eq!(world.passing(&user(Some(&ann), "ann@b.example"), 1), 1);
    // From nobody, by the user's own address.
    assert_eq!(world.passing(&user(None, "ann@B.example"), 3), 1);
    let listed = world.rates.list(None);
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].kind, listed[0].name.as_str()), (RateKind::OwnDomain, "B.example"));
    assert_eq!(serde_json::to_string(&RateKind::OwnDomain).unwrap(), "\"own_domain\"");
    let (news, ours) = ("news@b.example".parse::<Address>().unwrap(), "a@c.example".parse::<Address>().unwrap());
    assert_eq!(world.passing(&user(Some(&news), "joe@b.example"), 9), 9);
    assert_eq!(world.passing(&user(Some(&ours), "joe@b.example"), 9), 9);
    // Another's domain, from elsewhere, is no domain of ours.
    assert_eq!(world.passing(&Subjects { from: Some(&joe), ..from("192.0.2.7") }, 9), 9);
    assert_eq!(world.rates.reset("b.example").unwrap().kinds, [RateKind::OwnDomain]);
    assert_eq!(world.passing(&user(Some(&joe), "joe@b.example"), 1), 1);
}

#[test]
fn neighbours_count_together_and_a_64_is_one_host() {
    let world = World::with(&Config { host: limits(&["block 2/h"]), network: limits(&["block 5/h"]), ..nothing() });
    assert_eq!(world.passing(&from("2001:db8:1:2::1"), 1) + world.passing(&from("2001:db8:1:2:ffff::9"), 5), 2);
    let passed: usize = (1..=9).map(|host| world.passing(&from(&format!("192.0.2.{host}")), 1)).sum();
    assert_eq!(passed, 5);
    assert_eq!(world.passing(&from("::ffff:192.0.2.77"), 1), 0);
    assert_eq!(world.passing(&from("192.0.3.1"), 1), 1);
}

#[test]
fn incoming_and_outgoing_are_apart() {
    let config = Config { account: limits(&["block 3/h"]), client: limits(&["block 5/h"]), ..of_host(&["block 1/h"]) };
    let world = World::with(&config);
    let user = |account| Subjects { account: Some(account), ip: ip("192.0.2.7"), ..Subjects::default() };
    assert_eq!(world.passing(&user("joe@example.org"), 5), 3);
    assert_eq!(world.passing(&user("JOE@example.org"), 1), 0);
    assert_eq!(world.passing(&user("ann@example.org"), 5), 2, "five of their host");
    assert_eq!(world.passing(&from("192.0.2.7"), 5), 1);
    let kinds: Vec<RateKind> = world.rates.list(Some(RateStep::Block)).into_iter().map(|info| info.kind).collect();
    assert!(kinds.is_empty(), "all of them are at their limit, not beyond: {kinds:?}");
    assert_eq!(world.rates.list(None).len(), 3);
}

#[test]
fn what_is_on_the_list_isn_t_counted() {
    let ignore = ["news@example.org", "lists.example", "192.0.2.0/24"].map(|text| RateIgnored::parse(text).unwrap());
    let one = limits(&["block 1/h"]);
    let all = Config { address: one, domain: one, account: one, ignore: ignore.to_vec(), ..nothing() };
    let world = World::with(&all);
    let sender = |text: &str| text.parse::<Address>().unwrap();
    let (news, list, other) = (sender("News@example.org"), sender("any@lists.example"), sender("a@b.example"));
    let of = |from| Subjects { from: Some(from), ip: ip("198.51.100.7"), incoming: true, ..Subjects::default() };
    assert_eq!(world.passing(&of(&news), 5), 5);
    assert_eq!(world.passing(&of(&list), 5), 5);
    assert_eq!(world.passing(&of(&other), 5), 1);
    assert_eq!(world.passing(&Subjects { ip: ip("192.0.2.200"), ..of(&other) }, 5), 5);
    let user = |account| Subjects { account: Some(account), ..Subjects::default() };
    assert_eq!(world.passing(&user("news@example.org"), 5), 5);
    assert_eq!(world.passing(&user("joe@example.org"), 5), 1);
    // Nobody is let off by the name that they send as, but for that name.
    world.rates.set(&Config { ignore: ignore.to_vec(), ..of_host(&["block 1/h"]) });
    assert_eq!(world.passing(&Subjects { ip: ip("198.51.100.8"), ..of(&list) }, 5), 1);
}

#[test]
fn a_rule_s_own_limits_are_instead_of_what_is_configured() {
    let world = World::with(&of_host(&["warn 1/h, block 2/h, alarm 3/h"]));
    let own = OwnRates { messages: Some(7) };
    let host = Subjects { own, ..from("192.0.2.7") };
    assert_eq!(world.passing(&host, 20), 7);
    assert_eq!(world.told("rate.alarm"), 0);
    assert_eq!(world.passing(&from("192.0.2.8"), 20), 2);
}

#[test]
fn a_message_that_wasn_t_taken_after_all_can_be_taken_back() {
    let world = World::with(&of_host(&["block 2/h"]));
    let host = from("192.0.2.7");
    for _ in 0..5 {
        world.rates.hold(&host, 1).unwrap().not_taken();
    }
    world.rates.hold(&host, 1).unwrap().taken();
    assert_eq!(world.passing(&host, 5), 1);
}

#[test]
fn what_isn_t_taken_has_nothing_put_off_and_raises_an_alarm_when_it_never_ends() {
    let world = World::with(&of_host(&["block 2/h, alarm 30/h"]));
    let host = from("192.0.2.7");
    for _ in 0..30 {
        drop(world.rates.hold(&host, 1).unwrap());
    }
    assert_eq!(world.rates.list(None), []);
    let hit = world.rates.hold(&host, 1).unwrap_err();
    assert_eq!((hit.step, hit.count), (RateStep::Alarm, 31));
}

#[test]
fn what_is_taken_back_late_is_taken_back_of_its_own_hour() {
    let world = World::at(BEGIN + HOUR - 1, &of_host(&["block 2/h"]));
    let host = from("192.0.2.7");
    let holds = [world.rates.hold(&host, 1).unwrap(), world.rates.hold(&host, 1).unwrap()];
    world.pass(2);
    assert_eq!(world.passing(&host, 1), 1, "of the hour before a little less than two are left");
    drop(holds);
    assert_eq!(world.passing(&host, 3), 1, "the one of this hour still counts");
    let late = world.rates.hold(&from("192.0.2.8"), 1).unwrap();
    world.pass(5 * HOUR);
    assert_eq!(world.passing(&from("192.0.2.8"), 1), 1);
    drop(late);
    assert_eq!(world.passing(&from("192.0.2.8"), 3), 1);
}

#[test]
fn what_is_configured_anew_counts_at_once_and_an_alarm_lasts() {
    let world = World::with(&of_host(&["alarm 5/h"]));
    let host = from("192.0.2.7");
    assert_eq!(world.passing(&host, 6), 5);
    world.rates.set(&nothing());
    assert_eq!(world.passing(&host, 1), 0);
    world.pass(HOUR + 1);
    assert_eq!(world.passing(&host, 100), 100);
}

#[test]
fn what_is_listed_can_be_reset() {
    let config = Config { address: limits(&["block 1/h"]), ..of_host(&["warn 1/h, block 2/h, alarm 9/h"]) };
    let world = World::with(&config);
    let sender = "a@b.example".parse::<Address>().unwrap();
    let of = Subjects { from: Some(&sender), ..from("192.0.2.7") };
    world.passing(&of, 20);
    assert_eq!(world.rates.list(None).len(), 2);
    let listed = world.rates.list(Some(RateStep::Alarm));
    assert_eq!((listed[0].kind, listed[0].name.as_str(), listed[0].turned_away), (RateKind::Host, "192.0.2.7", 19));
    assert!(listed[0].alarm_until.is_some());
    assert_eq!(world.rates.reset("192.0.2.7").unwrap().kinds, [RateKind::Host]);
    assert_eq!(world.rates.reset("A@b.example").unwrap().kinds, [RateKind::Address]);
    assert!(world.rates.reset("192.0.2.0/24").unwrap().kinds.contains(&RateKind::Network), "it was counted as well");
    assert!(world.rates.reset("nobody@b.example").unwrap().kinds.is_empty());
    assert!(world.rates.reset("not a thing").unwrap_err().contains("no address, domain, IP address or network"));
    assert!(world.rates.list(None).is_empty());
    assert_eq!(world.rates.message(&of, 1), RateVerdict::Pass);
}

#[test]
fn names_are_kept_for_a_bounded_number_and_the_rest_is_limited_all_the_same() {
    let world = World::with(&of_host(&["warn 1/h, block 2/h"]));
    let host = |number: u32| Subjects {
        ip: Some(Ipv4Addr::from_bits(0x0a00_0000 + number).into()),
        incoming: true,
        ..Subjects::default()
    };
    for number in 0..20_000 {
        assert_eq!(world.passing(&host(number), 3), 2);
    }
    let named: usize = world.rates.table.parts().map(|part| part.beside.named.len()).sum();
    assert!(named <= RATE_NAMED_MAX && named > RATE_NAMED_MAX * 9 / 10, "{named}");
    assert_eq!(world.rates.list(None).len(), RATE_LISTED_MAX);
}

#[test]
fn memory_is_bounded_and_many_sources_don_t_hide_one_that_matters() {
    let (clock, events) = (Hand::at(BEGIN), Events::memory());
    let secret = Secret::new("a server's secret");
    let rates = Rates::with_room(10_000, &of_host(&["block 50/h"]), clock, events, &secret).unwrap();
    let host = from("192.0.2.7");
    for _ in 0..50 {
        rates.message(&host, 1);
    }
    for number in 0..100_000_u32 {
        let other = Subjects { ip: Some(Ipv4Addr::from_bits(0x0b00_0000 + number * 7).into()), ..host };
        rates.message(&other, 1);
    }
    assert!(matches!(rates.message(&host, 1), RateVerdict::Refuse(_)));
    assert!(rates.bytes() <= 10_752 * 56, "{}", rates.bytes());
}
