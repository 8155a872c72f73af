use super::crowd::{Crowd, Width};
use super::memory::parsed;
use super::*;
use crate::hand::Hand;
use mailward_core::limits::{
    GREYLIST_PASS_TIME, GREYLIST_TRIES_PER_NEIGHBOURS, GREYLIST_TRIES_PER_NETWORK, GREYLIST_TRIES_PER_REGION,
    GREYLIST_TRY_TIME,
};
use mailward_core::shutdown;
use mailward_store::{LocalStore, Options};
use proptest::prelude::*;
use std::collections::HashMap;

const BEGIN: i64 = 1_800_000_000_000;
const WAIT: Duration = Duration::from_secs(60);

struct House {
    greylist: Arc<Greylist>,
    store: Arc<LocalStore>,
    clock: Arc<Hand>,
    dir: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let clock = Hand::at(BEGIN);
        let greylist = open(&store, &clock).await;
        Self { greylist, store, clock, dir }
    }
    /// After a kill: what wasn't written is gone.
    async fn again(self) -> Self {
        let Self { greylist, store, clock, dir } = self;
        drop(greylist);
        store.close().await;
        drop(store);
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let greylist = open(&store, &clock).await;
        Self { greylist, store, clock, dir }
    }
    fn ask(&self, ip: &str, sender: &str, recipient: &str) -> GreylistAnswer {
        let (sender, recipient) = (Address::parse(sender, true).ok(), Address::parse(recipient, true).ok());
        self.greylist.ask(ip.parse().unwrap(), sender.as_ref(), recipient.as_ref(), WAIT)
    }
    async fn written(&self) {
        while self.greylist.write().await.unwrap() {}
    }
}

async fn open(store: &Arc<LocalStore>, clock: &Arc<Hand>) -> Arc<Greylist> {
    Greylist::open(store.clone(), &Secret::new("a server's secret"), clock.clone()).await.unwrap()
}

use GreylistAnswer::{Passes, PutOff};

#[tokio::test]
async fn who_comes_back_after_the_wait_gets_in_and_stays_in() {
    let house = House::new().await;
    let ask = || house.ask("192.0.2.7", "a@b.example", "bob@s.example");
    assert_eq!(ask(), PutOff(WAIT));
    house.clock.forward(Duration::from_secs(20));
    assert_eq!(ask(), PutOff(Duration::from_secs(40)), "too soon doesn't begin anew");
    assert_eq!(house.ask("192.0.2.7", "a@b.example", "eve@s.example"), PutOff(WAIT), "another recipient");
    house.clock.forward(Duration::from_secs(40));
    assert_eq!(house.ask("192.0.2.200", "A@B.example", "Bob@s.example"), Passes, "from a neighbour, in other letters");
    house.clock.forward(GREYLIST_PASS_TIME - Duration::from_secs(1));
    assert_eq!(ask(), Passes);
    house.clock.forward(GREYLIST_PASS_TIME - Duration::from_secs(1));
    assert_eq!(ask(), Passes, "counted from the last time on");
    house.clock.forward(GREYLIST_PASS_TIME);
    assert_eq!(ask(), PutOff(WAIT));
    house.clock.forward(GREYLIST_TRY_TIME);
    assert_eq!(ask(), PutOff(WAIT), "who never came back is a stranger again");
}

#[tokio::test]
async fn ipv6_counts_by_64_and_mapped_ipv4_is_ipv4() {
    let house = House::new().await;
    assert_eq!(house.ask("2001:db8:1:2::1", "", "bob@s.example"), PutOff(WAIT));
    assert_eq!(house.ask("::ffff:192.0.2.1", "", ""), PutOff(WAIT));
    house.clock.forward(WAIT);
    assert_eq!(house.ask("2001:db8:1:2:3::9", "", "bob@s.example"), Passes);
    assert_eq!(house.ask("2001:db8:1:3::1", "", "bob@s.example"), PutOff(WAIT));
    assert_eq!(house.ask("192.0.2.99", "", ""), Passes);
}

#[tokio::test]
async fn what_was_remembered_survives_a_kill() {
    let house = House::new().await;
    house.ask("192.0.2.7", "a@b.example", "bob@s.example");
    house.greylist.came_well("198.51.100.1".parse().unwrap(), &Domain::parse("c.example").unwrap());
    house.written().await;
    house.ask("192.0.2.7", "lost@b.example", "bob@s.example");
    let house = house.again().await;
    house.clock.forward(WAIT);
    assert_eq!(house.ask("192.0.2.7", "a@b.example", "bob@s.example"), Passes);
    assert_eq!(house.ask("192.0.2.7", "lost@b.example", "bob@s.example"), PutOff(WAIT), "that wasn't written yet");
    let well =
        |ip: &str, domain: &str| house.greylist.has_come_well(ip.parse().unwrap(), &Domain::parse(domain).unwrap());
    assert!(well("198.51.100.77", "c.example"));
    assert!(!well("198.51.100.77", "d.example"));
    assert!(!well("198.51.101.1", "c.example"));
    house.clock.forward(GREYLIST_PASS_TIME);
    assert!(!well("198.51.100.77", "c.example"));
    // Nothing of it can be read in the store.
    for record in house.store.shelf(Shelf::Greylist, None, 10).await.unwrap() {
        let text = String::from_utf8(record.value.to_vec()).unwrap();
        assert!(!text.contains("example") && !text.contains("bob"), "{text}");
    }
}

#[tokio::test]
async fn a_lone_try_is_written_at_once_and_a_flood_by_and_by() {
    let house = House::new().await;
    let (trigger, shutdown) = shutdown::channel();
    let running = tokio::spawn(house.greylist.clone().run(shutdown));
    let mut version = house.store.shelf_version(Shelf::Greylist);
    house.ask("192.0.2.7", "a@b.example", "bob@s.example");
    version.changed().await.unwrap();
    for n in 0..GREYLIST_WRITE_CHANGES * 2 {
        house.ask("192.0.2.7", &format!("a{n}@b.example"), "bob@s.example");
    }
    version.changed().await.unwrap();
    let stored = house.store.shelf(Shelf::Greylist, None, PAGE_ROWS_MAX).await.unwrap().len();
    assert!(stored <= GREYLIST_WRITE_CHANGES + 1, "{stored} in two commits");
    trigger.fire();
    running.await.unwrap();
    let stored = house.store.shelf(Shelf::Greylist, None, PAGE_ROWS_MAX).await.unwrap().len();
    assert_eq!(stored, (GREYLIST_WRITE_CHANGES * 2).min(GREYLIST_TRIES_PER_NETWORK - 1) + 1, "all of it at the stop");
}

/// Attacks H4.
#[tokio::test]
async fn a_flood_from_one_network_pushes_out_only_itself() {
    let house = House::new().await;
    house.ask("198.51.100.1", "honest@b.example", "bob@s.example");
    for n in 0..GREYLIST_TRIES_PER_NETWORK + 10 {
        house.clock.forward(Duration::from_millis(1));
        house.ask("192.0.2.7", &format!("a{n}@b.example"), "bob@s.example");
    }
    assert_eq!(house.greylist.len(), GREYLIST_TRIES_PER_NETWORK + 1);
    house.written().await;
    house.clock.forward(WAIT);
    assert_eq!(house.ask("198.51.100.1", "honest@b.example", "bob@s.example"), Passes);
    assert_eq!(house.ask("192.0.2.7", "a0@b.example", "bob@s.example"), PutOff(WAIT), "the oldest went");
    assert_eq!(house.ask("192.0.2.7", &format!("a{GREYLIST_TRIES_PER_NETWORK}@b.example"), "bob@s.example"), Passes);
}

#[tokio::test]
async fn tags_make_no_other_recipient() {
    let house = House::new().await;
    assert_eq!(house.ask("192.0.2.7", "a@b.example", "bob+one@s.example"), PutOff(WAIT));
    house.ask("192.0.2.7", "a@b.example", "bob+two@s.example");
    assert_eq!(house.greylist.len(), 1);
    house.clock.forward(WAIT);
    assert_eq!(house.ask("192.0.2.7", "a@b.example", "Bob@s.example"), Passes);
    assert_eq!(house.ask("192.0.2.7", "a+x@b.example", "bob@s.example"), PutOff(WAIT), "senders are whom they say");
    assert_eq!(house.ask("192.0.2.7", "a@b.example", "+@s.example"), PutOff(WAIT));
}

/// Fills a memory from as many networks as one may have; numbers from `first` on.
fn flood(memory: &mut Memory, first: u64, count: usize, network: impl Fn(u32) -> Network) {
    for (n, id) in (0u32..).zip(first..).take(count) {
        memory.ask(id, network(n), Timestamp(1_000), WAIT);
    }
}

/// Attacks H4: whoever has a /48, or a whole provider's network, doesn't make honest tries forgotten.
#[test]
fn a_flood_from_many_networks_of_one_pushes_out_only_itself() {
    let honest = Network::parse_any("2001:db8:ffff:1::/64").unwrap();
    let mut memory = Memory::default();
    memory.ask(1, honest, Timestamp(0), WAIT);
    let six = |a: u32, b: u32| Network::host(IpAddr::from([0x2001, 0xdb8, part(a), part(b), 0, 0, 0, 1]));
    flood(&mut memory, 10, 2 * GREYLIST_TRIES_PER_NEIGHBOURS, |n| six(1, n));
    assert_eq!(memory.len(), GREYLIST_TRIES_PER_NEIGHBOURS + 1, "a /48");
    assert!(memory.get(1).is_some());
    flood(&mut memory, 100_000, 2 * GREYLIST_TRIES_PER_REGION, |n| six(n % 100, n));
    assert_eq!(memory.len(), GREYLIST_TRIES_PER_REGION, "a /32; its fullest /48s gave");
    assert!(memory.get(1).is_some());
    let four = |n: u32| Network::neighbours(IpAddr::from([10, 1, u8::try_from(n % 256).unwrap(), 1]));
    flood(&mut memory, 200_000, 2 * GREYLIST_TRIES_PER_REGION, four);
    assert_eq!(memory.len(), 2 * GREYLIST_TRIES_PER_REGION, "a /16");
}

fn part(n: u32) -> u16 {
    u16::try_from(n % 65_536).unwrap()
}

/// Attacks H4: nor does whoever comes back with all of it.
#[test]
fn of_all_that_is_remembered_who_has_most_gives() {
    let (honest, passed) =
        (Network::parse_any("192.0.2.0/24").unwrap(), Network::parse_any("198.51.100.0/24").unwrap());
    let six = |n: u32| Network::host(IpAddr::from([0x2001, 0xdb8, 1, part(n), 0, 0, 0, 1]));
    let mut memory = Memory::default();
    memory.ask(1, honest, Timestamp(0), WAIT);
    memory.pass(2, passed, Timestamp(0));
    let most = u64::try_from(GREYLIST_ENTRIES_MAX).unwrap();
    for id in 10..most + 20 {
        memory.pass(id, six(u32::try_from(id).unwrap()), Timestamp(2));
    }
    assert_eq!(memory.len(), GREYLIST_ENTRIES_MAX);
    assert!(memory.get(1).is_some() && memory.get(2).is_some(), "though they are the next to expire");
    memory.take_changed(usize::MAX);
    memory.ask(3, honest, Timestamp(3), WAIT);
    assert_eq!(memory.len(), GREYLIST_ENTRIES_MAX);
    assert!(memory.get(1).is_some() && memory.get(3).is_some());
    assert_eq!(memory.take_changed(usize::MAX).len(), 2, "one came, and one is taken out of the store");
}

#[tokio::test]
async fn an_administrator_sees_and_forgets() {
    let house = House::new().await;
    house.ask("192.0.2.7", "a@b.example", "bob@s.example");
    house.ask("192.0.3.7", "a@b.example", "bob@s.example");
    house.clock.forward(WAIT);
    house.ask("192.0.3.7", "a@b.example", "bob@s.example");
    house.written().await;
    let list = house.greylist.list(None);
    let told: Vec<_> = list.iter().map(|one| (one.network.to_string(), one.state)).collect();
    assert_eq!(told, [("192.0.2.0/24".to_owned(), State::PutOff), ("192.0.3.0/24".to_owned(), State::Passed)]);
    assert_eq!(house.greylist.list(Some((list[0].expires, list[0].id))), list[1..]);
    let forget = |text: &str| house.greylist.forget(Forget::Network(Network::parse_any(text).unwrap()));
    assert_eq!(forget("192.0.2.9").await.unwrap(), 1, "an address stands for its network");
    assert_eq!(forget("192.0.2.0/24").await.unwrap(), 0);
    assert_eq!(forget("192.0.0.0/16").await.unwrap(), 1);
    assert_eq!(house.greylist.forget(Forget::All).await.unwrap(), 0);
    assert!(house.again().await.greylist.is_empty(), "for good");
}

#[tokio::test]
async fn a_clock_that_is_set_back_puts_nobody_off_for_longer() {
    let house = House::new().await;
    let ask = || house.ask("192.0.2.7", "a@b.example", "bob@s.example");
    ask();
    house.clock.set(BEGIN - 1_000_000);
    assert_eq!(ask(), PutOff(WAIT));
    house.clock.forward(WAIT);
    assert_eq!(ask(), Passes);
}

proptest! {
    /// Against counting all of them.
    #[test]
    fn a_crowd_knows_how_many_there_are_and_who_goes(
        steps in proptest::collection::vec((any::<bool>(), 0u8..3, 0u8..3, 0u64..20), 1..80)
    ) {
        let (mut crowd, mut model) = (Crowd::default(), HashMap::new());
        for (come, region, part, id) in steps {
            let network = Network::neighbours(IpAddr::from([10, region, part, 1]));
            let turn = (id % 2 == 0, Timestamp(1), id);
            if come && !model.contains_key(&id) {
                crowd.add(network, turn);
                model.insert(id, network);
            } else if model.get(&id) == Some(&network) {
                crowd.remove(network, turn);
                model.remove(&id);
            }
            let within = |width: Width, of: Network| {
                model.values().filter(|one| width.around(**one) == width.around(of)).count()
            };
            for width in [Width::Region, Width::Neighbours, Width::Network] {
                prop_assert_eq!(crowd.count(width, network), within(width, network));
            }
            let goes = crowd.first_to_go(None);
            prop_assert_eq!(goes.is_some(), !model.is_empty());
            if let Some(goes) = goes {
                let (of, most) = (model[&goes], |width| model.values().map(|one| within(width, *one)).max());
                prop_assert_eq!(Some(within(Width::Region, of)), most(Width::Region));
                let first = model.iter().filter(|(_, one)| **one == of).map(|(id, _)| (id % 2 == 0, *id)).min();
                prop_assert_eq!(first.map(|(_, id)| id), Some(goes));
            }
        }
    }

    /// Against a model that forgets nothing but by time.
    #[test]
    fn whatever_comes_when_each_is_put_off_until_its_time(
        steps in proptest::collection::vec((0u64..8, 0i64..90_000), 1..100)
    ) {
        let (mut memory, mut first, mut now) = (Memory::default(), HashMap::new(), Timestamp(0));
        for (id, pause) in steps {
            now = Timestamp(now.0 + pause);
            let began = *first.entry(id).or_insert(now);
            let passes = memory.ask(id, Network::host(IpAddr::from([192, 0, 2, 1])), now, WAIT) == Passes;
            // Whoever passed goes on to.
            prop_assert_eq!(passes, now.0 - began.0 >= 60_000);
        }
        for one in memory.list(None, Timestamp(0), 100) {
            prop_assert_eq!(parsed(&record(one.id, Some(&one), now)), Some(one));
        }
    }

    #[test]
    fn no_record_makes_it_panic(key in "[0-9a-f]{0,20}", value in proptest::collection::vec(any::<u8>(), 0..60)) {
        let record = mailward_store::records::Shelved { key, value: value.into(), expires: Some(Timestamp(1)) };
        let _any = parsed(&record);
    }
}
