use super::*;
use crate::hand::Hand;
use mailward_core::{Address, Domain, shutdown};
use mailward_directory::{Directory, NewPassword, NewUser, NobodyWatches};
use mailward_store::{LocalStore, Options};
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;

const DAY_TIME: Duration = Duration::from_secs(86_400);

struct House {
    dir: tempfile::TempDir,
    clock: Arc<Hand>,
    events: Events,
    store: Arc<LocalStore>,
    clients: Arc<Clients>,
}

impl House {
    /// A store that nothing is in. It is the 14th of November, 22:13 UTC.
    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), Hand::at(1_700_000_000_000)).await
    }

    async fn open(dir: tempfile::TempDir, clock: Arc<Hand>) -> Self {
        let store = LocalStore::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).unwrap();
        let events = Events::memory();
        let clients = Clients::open(store.clone(), &*store, clock.clone(), events.clone()).await.unwrap();
        Self { dir, clock, events, store, clients }
    }

    /// The same after the process was killed.
    async fn again(self) -> Self {
        let Self { dir, clock, store, clients, .. } = self;
        drop(clients);
        store.close().await;
        drop(store);
        Self::open(dir, clock).await
    }

    fn login(&self, door: Listener, from: &str, tls: Option<&'static str>) {
        let peer = Peer { session: 1, address: Some(from.parse::<IpAddr>().unwrap()), port: None, listener: door };
        let attempt = Attempt { user: "joe@s.example", account: None, peer: &peer, mark: None, remembered: false, tls };
        self.clients.beside(Arc::new(NobodyWatches)).succeeded(&attempt);
    }

    fn told(&self) -> Vec<(Listener, &'static str, bool, u64, String)> {
        let line = |sum: Sum| {
            let Kind { door, carrier, here } = sum.kind;
            (door, carrier.name(), here, sum.logins, sum.last.text().get(..10).unwrap().to_owned())
        };
        self.clients.seen().sums.into_iter().map(line).collect()
    }
}

#[tokio::test]
async fn logins_are_counted_by_door_version_and_side_and_only_those_that_succeed() {
    let house = House::new().await;
    for _ in 0..3 {
        house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.3"));
    }
    house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.2"));
    house.login(Listener::Pop3, "::ffff:127.0.0.1", None);
    house.login(Listener::Pop3, "192.0.2.1", Some("TLSv1.1"));
    let peer = Peer { session: 1, address: None, port: None, listener: Listener::Imap };
    let failed = Attempt { user: "joe", account: None, peer: &peer, mark: None, remembered: false, tls: None };
    let watch = house.clients.beside(Arc::new(NobodyWatches));
    assert_eq!((watch.before(&failed), watch.again(&failed)), (Before::Go, Before::Go));
    watch.failed(&failed, Failed::Wrong);
    watch.malformed(&peer);
    let audit: Address = format!("{AUDIT_LOCAL}1@s.example").parse().unwrap();
    watch.succeeded(&Attempt { account: Some((mailward_core::AccountId(7), &audit)), ..failed });
    let day = || "2023-11-14".to_owned();
    assert_eq!(
        house.told(),
        [
            (Listener::Imaps, "TLSv1.3", false, 3, day()),
            (Listener::Imaps, "TLSv1.2", false, 1, day()),
            (Listener::Pop3, "other", false, 1, day()),
            (Listener::Pop3, "none", true, 1, day()),
        ]
    );
    assert!(house.clients.seen().from_first, "nobody is here who could have logged in before");
}

#[tokio::test]
async fn a_month_is_remembered_over_a_kill_and_what_is_older_is_not_told() {
    let mut house = House::new().await;
    let begun = house.clients.seen().begun;
    house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.2"));
    house.clients.save().await.unwrap();
    // This one isn't written.
    house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.2"));
    house = house.again().await;
    assert_eq!(house.told(), [(Listener::Imaps, "TLSv1.2", false, 1, "2023-11-14".to_owned())]);
    for _ in 0..CLIENT_MONTH {
        house.clock.forward(DAY_TIME);
        house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.3"));
    }
    house.clients.save().await.unwrap();
    house = house.again().await;
    assert_eq!(
        house.told(),
        [
            (Listener::Imaps, "TLSv1.3", false, 30, "2023-12-14".to_owned()),
            (Listener::Imaps, "TLSv1.2", false, 1, "2023-11-14".to_owned()),
        ]
    );
    house.clock.forward(DAY_TIME);
    assert_eq!(house.told()[1].3, 0, "the first day is 31 days ago");
    house.clock.forward(DAY_TIME * u32::try_from(CLIENT_DAYS - CLIENT_MONTH).unwrap());
    assert_eq!(house.told().len(), 1, "and now 91");
    assert_eq!((house.clients.seen().begun, house.clients.seen().from_first), (begun, true));
}

#[tokio::test]
async fn who_begins_to_count_where_there_are_users_does_not_know_what_was_before() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Hand::at(1_700_000_000_000));
    let store = LocalStore::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).unwrap();
    let directory = Directory::open(store.clone()).await.unwrap();
    directory.add_domain(Domain::parse("s.example").unwrap()).await.unwrap();
    let address: Address = "joe@s.example".parse().unwrap();
    let (display_name, quota_bytes, quota_messages) = (String::new(), 0, 0);
    let user = NewUser { address, password: NewPassword::None, display_name, quota_bytes, quota_messages };
    directory.add_user(user).await.unwrap();
    let clients = Clients::open(store.clone(), &*store, clock.clone(), Events::nowhere()).await.unwrap();
    assert_eq!((clients.seen().from_first, clients.seen().begun.0), (false, 1_700_000_000_000));
}

#[tokio::test]
async fn a_record_that_can_not_be_read_is_told_and_counting_begins_anew() {
    let mut house = House::new().await;
    house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.1"));
    house.clients.save().await.unwrap();
    let spoilt = Shelved { key: "day/2023-11-13".to_owned(), value: "{".into(), expires: None };
    house.store.change_shelf(vec![ShelfChange::Put(Shelf::Clients, spoilt)]).await.unwrap();
    house.clock.forward(DAY_TIME);
    house = house.again().await;
    assert!(house.events.lines().iter().any(|line| line.contains("clients.unreadable")), "{:?}", house.events.lines());
    let seen = house.clients.seen();
    assert_eq!((seen.from_first, seen.begun), (false, Timestamp(1_700_000_000_000 + 86_400_000)));
    assert_eq!(seen.sums.len(), 1, "what can be read still counts");
}

#[tokio::test]
async fn the_day_of_each_account_s_last_login_is_remembered_over_a_kill() {
    let mut house = House::new().await;
    let login = |house: &House, account: i64| {
        let peer = Peer { session: 1, address: None, port: None, listener: Listener::Imaps };
        let address: Address = "joe@s.example".parse().unwrap();
        let account = Some((AccountId(account), &address));
        let attempt = Attempt { user: "", account, peer: &peer, mark: None, remembered: false, tls: Some("TLSv1.3") };
        house.clients.beside(Arc::new(NobodyWatches)).succeeded(&attempt);
    };
    let many = SHELF_CHANGES_MAX + 5;
    (0..many).for_each(|account| login(&house, i64::try_from(account).unwrap()));
    house.clients.save().await.unwrap();
    house.clock.forward(DAY_TIME * 100);
    login(&house, 7);
    house.clients.save().await.unwrap();
    let before = house.clients.seen().last;
    house = house.again().await;
    let last = house.clients.seen().last;
    assert_eq!(last, before);
    assert_eq!((last.len(), last[&AccountId(8)].text()), (many, "2023-11-14T00:00:00.000Z".to_owned()));
    assert_eq!(last[&AccountId(7)].text(), "2024-02-22T00:00:00.000Z");
}

#[test]
fn so_many_accounts_have_a_last_login_and_that_there_are_more_is_told() {
    let begun = Begun { at: Timestamp(0), from_first: true };
    let mut inner = Inner {
        begun,
        begun_written: true,
        days: BTreeMap::new(),
        unwritten: BTreeSet::new(),
        last: HashMap::new(),
        last_unwritten: BTreeSet::new(),
        is_full: false,
    };
    let many = i64::try_from(CLIENT_ACCOUNTS_MAX).unwrap();
    (0..many).for_each(|account| inner.note_last(AccountId(account), 5));
    assert!(!inner.is_full);
    inner.note_last(AccountId(0), 6);
    inner.note_last(AccountId(many), 6);
    assert!(inner.is_full && inner.last.len() == CLIENT_ACCOUNTS_MAX);
    inner.note_last(AccountId(many), 6 + CLIENT_LAST_DAYS);
    assert!(!inner.is_full && inner.last.len() == 2, "those that nobody asks for give way");
}

#[tokio::test]
async fn a_clock_that_is_wrong_for_a_moment_makes_no_month_forgotten() {
    let house = House::new().await;
    house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.1"));
    house.clock.forward(DAY_TIME * 20_000);
    house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.3"));
    house.clock.set(1_700_000_000_000);
    assert_eq!(house.told(), [(Listener::Imaps, "other", false, 1, "2023-11-14".to_owned())]);
}

#[tokio::test]
async fn so_many_days_have_a_record_and_the_oldest_goes_first() {
    let house = House::new().await;
    for _ in 0..CLIENT_RECORDS_MAX + 5 {
        house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.3"));
        house.clock.forward(DAY_TIME);
    }
    assert_eq!(house.clients.inner().days.len(), CLIENT_RECORDS_MAX);
    house.clients.save().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_is_written_by_itself() {
    let house = House::new().await;
    let (trigger, word) = shutdown::channel();
    let keeping = tokio::spawn(house.clients.clone().keep(word));
    house.login(Listener::Imaps, "192.0.2.1", Some("TLSv1.3"));
    tokio::time::sleep(CLIENTS_WRITE_TIME * 2).await;
    while house.store.shelf(Shelf::Clients, None, 10).await.unwrap().len() < 2 {
        tokio::time::sleep(CLIENTS_WRITE_TIME).await;
    }
    trigger.fire();
    keeping.await.unwrap();
}

proptest! {
    #[test]
    fn no_record_makes_it_panic(key in "(begun|day/[0-9-]{0,12}|last/[0-9+-]{0,8}|[a-z/]{0,8})", value in "([0-9-]{1,20}|[ -~]{0,120})") {
        prop_assert!(reads_back(&key, value.as_bytes()));
    }

    #[test]
    fn records_of_its_kind_are_read_back(day in 0_i64..100_000, logins in prop::collection::vec(0_u64..u64::MAX, 1..4)) {
        let carriers = [Carrier::Tls13, Carrier::OtherTls, Carrier::Clear];
        let counts: Day = carriers
            .into_iter()
            .zip(logins)
            .map(|(carrier, logins)| (Kind { door: Listener::Imaps, carrier, here: false }, logins))
            .collect();
        let ShelfChange::Put(_, record) = written(day, &counts) else { panic!() };
        prop_assert_eq!(read(&record), Some(Read::Day(day, counts)));
        prop_assert!(reads_back(&record.key, &record.value));
    }
}
