//! Stories of bans, over a store on a disk.

use super::*;
use crate::hand::Hand;
use crate::{Caps, Gate, GateError};
use mailward_core::limits::{BAN_MEMORY, BAN_SPARED_TIME};
use mailward_core::{Listener, Peer, shutdown};
use mailward_store::{LocalStore, Options};
use std::path::Path;

fn store(path: &Path, clock: &Arc<Hand>) -> Arc<LocalStore> {
    LocalStore::open(path, Options { clock: clock.clone(), ..Options::default() }).unwrap()
}

struct House {
    _dir: tempfile::TempDir,
    clock: Arc<Hand>,
    events: Events,
    store: Arc<LocalStore>,
    bans: Arc<Bans>,
}

async fn house() -> House {
    let (dir, clock, events) = (tempfile::tempdir().unwrap(), Hand::at(1_700_000_000_000), Events::memory());
    let store = store(dir.path(), &clock);
    let bans = Bans::open(store.clone(), clock.clone(), events.clone()).await.unwrap();
    House { _dir: dir, clock, events, store, bans }
}

impl House {
    /// The same after a restart.
    async fn again(&self) -> Arc<Bans> {
        Bans::open(self.store.clone(), self.clock.clone(), self.events.clone()).await.unwrap()
    }
}

fn network(text: &str) -> Network {
    Network::parse_any(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn wish(text: &str) -> BanWish {
    let why = "guessed passwords".to_owned();
    BanWish { network: network(text), by: BannedBy::LoginGuard, why, time: BanTime::Usual, force: false }
}

fn by_hand(text: &str, time: BanTime) -> BanWish {
    BanWish { by: BannedBy::Administrator, time, ..wish(text) }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_ban_acts_at_once_ends_by_itself_and_is_longer_the_next_time() {
    let h = house().await;
    assert_eq!(h.bans.banned(ip("192.0.2.7")), None);
    for (minutes, times) in [(10, 1), (60, 2), (360, 3), (1_440, 4), (1_440, 5)] {
        let ban = h.bans.add(wish("192.0.2.7")).unwrap();
        assert_eq!(ban.times, times);
        assert_eq!(h.bans.banned(ip("::ffff:192.0.2.7")).unwrap().network, network("192.0.2.7"));
        assert_eq!(h.bans.banned(ip("192.0.2.8")), None);
        h.clock.forward(minutes * MINUTE - Duration::from_millis(1));
        assert!(h.bans.banned(ip("192.0.2.7")).is_some(), "{minutes}");
        h.clock.forward(Duration::from_millis(1));
        assert_eq!(h.bans.banned(ip("192.0.2.7")), None, "{minutes}");
        h.bans.end();
    }
    h.clock.forward(BAN_MEMORY);
    h.bans.end();
    assert_eq!(h.bans.add(wish("192.0.2.7")).unwrap().times, 1, "it was forgotten");
}

#[tokio::test]
async fn while_a_ban_runs_a_guard_doesn_t_shorten_it_and_an_administrator_may() {
    let h = house().await;
    h.bans.add(by_hand("192.0.2.7", BanTime::ForGood)).unwrap();
    assert_eq!(h.bans.add(wish("192.0.2.7")).unwrap().until, None);
    let ban = h.bans.add(by_hand("192.0.2.7", BanTime::For(MINUTE))).unwrap();
    assert_eq!(ban.until, Some(Timestamp(h.clock.now().0 + 60_000)));
    let longest = h.bans.add(by_hand("192.0.2.9", BanTime::For(Duration::MAX))).unwrap();
    let most = i64::try_from(BAN_TIME_MAX.as_millis()).unwrap();
    assert_eq!(longest.until, Some(Timestamp(h.clock.now().0 + most)));
}

/// Attacks C1: an IPv6 customer has a /64 to hop about in.
#[tokio::test]
async fn a_network_is_banned_with_all_its_hosts() {
    let h = house().await;
    h.bans.add(wish("2001:db8:1:2::/64")).unwrap();
    h.bans.add(wish("198.51.100.0/24")).unwrap();
    for banned in ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "198.51.100.255", "::ffff:198.51.100.1"] {
        assert!(h.bans.banned(ip(banned)).is_some(), "{banned}");
    }
    for free in ["2001:db8:1:3::1", "198.51.101.1", "::198.51.100.1"] {
        assert!(h.bans.banned(ip(free)).is_none(), "{free}");
    }
}

#[tokio::test]
async fn bans_survive_a_restart_and_lifted_ones_don_t_come_back() {
    let h = house().await;
    h.bans.add(wish("192.0.2.7")).unwrap();
    h.bans.add(wish("192.0.2.8")).unwrap();
    h.bans.add(by_hand("2001:db8::/32", BanTime::ForGood)).unwrap();
    h.bans.spare(ip("203.0.113.9"), "an administrator");
    h.bans.kept().await.unwrap();
    assert!(h.bans.remove(&network("192.0.2.8")).is_some());
    assert!(h.bans.remove(&network("192.0.2.8")).is_none());
    h.bans.kept().await.unwrap();
    let again = h.again().await;
    assert_eq!(again.list(None, 9), h.bans.list(None, 9));
    assert_eq!(again.list(None, 9).len(), 2);
    assert_eq!(again.list(Some(&network("192.0.2.7")), 9).len(), 1);
    assert!(again.spared(&network("203.0.113.0/24")).is_some());
    // One that ended is remembered over a restart too.
    h.clock.forward(20 * MINUTE);
    assert_eq!(h.again().await.add(wish("192.0.2.7")).unwrap().times, 2);
}

#[tokio::test]
async fn a_record_that_can_t_be_read_is_told_and_left_out() {
    let h = house().await;
    let record = mailward_store::records::Shelved { key: "ban/x".to_owned(), value: "?".into(), expires: None };
    h.store.change_shelf(vec![ShelfChange::Put(Shelf::Bans, record)]).await.unwrap();
    assert!(h.again().await.list(None, 9).is_empty());
    assert!(h.events.lines().iter().any(|line| line.starts_with("alert ban.unreadable record=ban/x")));
}

/// Attacks C3.
#[tokio::test]
async fn loopback_what_the_file_names_and_where_the_administrator_works_is_never_banned_by_itself() {
    let h = house().await;
    h.bans.set(MINUTE, vec![network("198.51.100.0/25")]);
    h.bans.spare(ip("203.0.113.9"), "an administrator");
    h.bans.spare(ip("2001:db8:5:5::7"), "an administrator");
    for spared in [
        "127.0.0.9",
        "127.0.0.0/8",
        "::1",
        "::/64",
        "0.0.0.0/0",
        "198.51.100.1",
        "198.51.100.0/24",
        "203.0.113.9",
        "203.0.113.0/24",
        "2001:db8:5:5::/64",
    ] {
        assert!(matches!(h.bans.add(wish(spared)), Err(BanError::Spared(..))), "{spared}");
        assert!(h.bans.add(by_hand(spared, BanTime::Usual)).is_err(), "{spared}, by hand");
    }
    assert!(h.bans.add(wish("198.51.100.200")).is_ok());
    assert!(h.bans.add(BanWish { force: true, ..by_hand("127.0.0.9", BanTime::Usual) }).is_ok());
    assert!(h.bans.banned(ip("127.0.0.9")).is_some());
    h.clock.forward(BAN_SPARED_TIME);
    assert!(h.bans.add(wish("203.0.113.9")).is_ok(), "a day later that may be anybody");
}

#[tokio::test]
async fn an_administrator_who_comes_to_look_lifts_the_ban_of_where_they_are() {
    let h = house().await;
    h.bans.add(wish("203.0.113.9")).unwrap();
    h.bans.add(wish("203.0.113.0/24")).unwrap();
    h.bans.add(by_hand("203.0.0.0/16", BanTime::ForGood)).unwrap();
    h.bans.spare(ip("203.0.113.9"), "an administrator");
    assert_eq!(h.bans.banned(ip("203.0.113.9")).unwrap().by, BannedBy::Administrator, "what is meant stays");
    assert_eq!(h.bans.list(None, 9).len(), 1);
    h.bans.add(wish("192.0.2.7")).unwrap();
    h.bans.set(MINUTE, vec![network("192.0.2.0/24")]);
    assert_eq!(h.bans.banned(ip("192.0.2.7")), None);
}

#[tokio::test]
async fn whoever_listens_hears_of_every_change_after_the_list_they_got() {
    let h = house().await;
    h.bans.add(wish("192.0.2.7")).unwrap();
    let (all, mut news) = h.bans.subscribe();
    assert_eq!(all.len(), 1);
    let ban = h.bans.add(wish("192.0.2.8")).unwrap();
    h.bans.remove(&network("192.0.2.7"));
    h.clock.forward(10 * MINUTE);
    h.bans.end();
    assert_eq!(news.try_recv().unwrap(), BanNews::Added(ban));
    assert_eq!(news.try_recv().unwrap(), BanNews::Removed(network("192.0.2.7")));
    assert_eq!(news.try_recv().unwrap(), BanNews::Removed(network("192.0.2.8")));
    assert!(news.try_recv().is_err());
    for _ in 0..=BAN_NEWS_MAX {
        h.bans.add(by_hand("192.0.2.8", BanTime::ForGood)).unwrap();
    }
    assert!(matches!(news.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
}

#[tokio::test]
async fn a_banned_address_isn_t_let_in_and_its_sessions_end() {
    let h = house().await;
    let gate = Gate::with_bans(Caps::default(), h.bans.clone());
    let (_trigger, server) = shutdown::channel();
    let peer = |session| Peer { session, address: Some(ip("192.0.2.7")), port: None, listener: Listener::Imaps };
    let mut first = gate.admit(Some(ip("192.0.2.7"))).unwrap();
    let mut late = gate.admit(Some(ip("192.0.2.7"))).unwrap();
    let entry = first.enter(&peer(1), &server);
    let ban = h.bans.add(wish("192.0.2.7")).unwrap();
    assert_eq!(gate.admit(Some(ip("::ffff:192.0.2.7"))).unwrap_err(), GateError::Banned);
    assert!(gate.admit(Some(ip("192.0.2.8"))).is_ok());
    assert!(gate.admit(None).is_ok());
    assert!(late.enter(&peer(2), &server).shutdown().is_fired_alone(), "let in before, listed after");
    assert!(!entry.shutdown().is_fired());
    let elsewhere = h.bans.add(by_hand("192.0.3.0/24", BanTime::Usual)).unwrap();
    assert!(gate.end_banned(&elsewhere).is_empty());
    assert_eq!(gate.end_banned(&ban).len(), 2);
    assert!(entry.shutdown().is_fired_alone());
    assert_eq!(h.bans.list(None, 1)[0].stopped, 2);
}

/// Who guesses passwords, or lives beside those who do, may still bring mail: port 25 has no logins.
#[tokio::test]
async fn what_the_login_guard_bans_may_bring_mail_and_what_an_administrator_bans_may_not() {
    let h = house().await;
    let gate = Gate::with_bans(Caps::default(), h.bans.clone());
    let (_trigger, server) = shutdown::channel();
    let host = ip("192.0.2.7");
    let mut all: Vec<_> =
        Listener::ALL.map(|door| (door, gate.admit_with(Some(host), Some(door), None, false).unwrap())).into();
    let entries: Vec<_> = (0..)
        .zip(&mut all)
        .map(|(session, (listener, permit))| {
            (*listener, permit.enter(&Peer { session, address: Some(host), port: None, listener: *listener }, &server))
        })
        .collect();
    let ban = h.bans.add(wish("192.0.2.0/24")).unwrap();
    assert_eq!(ban.scope(), BanScope::Logins);
    gate.end_banned(&ban);
    for (door, entry) in &entries {
        // Nobody logs in there: pages are reached by a link alone.
        let mail = matches!(door, Listener::Smtp | Listener::Lmtp | Listener::Https | Listener::Http);
        assert_eq!(gate.admit_with(Some(host), Some(*door), None, false).is_ok(), mail, "{door}");
        assert_eq!(h.bans.banned_at(host, *door).is_none(), mail, "{door}");
        assert_eq!(entry.shutdown().is_fired_alone(), !mail, "{door}: sessions that are there");
    }
    let ban = h.bans.add(by_hand("192.0.2.0/24", BanTime::For(MINUTE))).unwrap();
    assert_eq!(ban.scope(), BanScope::All);
    gate.end_banned(&ban);
    for (door, entry) in &entries {
        assert_eq!(gate.admit_with(Some(host), Some(*door), None, false).unwrap_err(), GateError::Banned, "{door}");
        assert!(entry.shutdown().is_fired_alone(), "{door}");
    }
    // The guard would ban for longer, at fewer doors: what an administrator said holds.
    let still = h.bans.add(wish("192.0.2.0/24")).unwrap();
    assert_eq!((still.by, still.until), (ban.by, ban.until));
}

#[tokio::test(start_paused = true)]
async fn what_runs_beside_writes_bans_and_tells_of_their_end() {
    let h = house().await;
    let (trigger, shutdown) = shutdown::channel();
    let running = tokio::spawn(h.bans.clone().run(shutdown));
    let (_, mut news) = h.bans.subscribe();
    h.bans.add(wish("192.0.2.7")).unwrap();
    assert!(matches!(news.recv().await, Ok(BanNews::Added(_))));
    h.clock.forward(10 * MINUTE);
    assert_eq!(news.recv().await, Ok(BanNews::Removed(network("192.0.2.7"))));
    trigger.fire();
    running.await.unwrap();
    let kept = h.store.shelf(Shelf::Bans, None, 9).await.unwrap();
    assert_eq!(kept.len(), 1);
}

#[tokio::test]
async fn words_and_ends_have_their_limits() {
    let h = house().await;
    let long = BanWish { why: "é".repeat(BAN_WHY_MAX + 1), ..wish("192.0.2.7") };
    assert_eq!(h.bans.add(long).unwrap().why.chars().count(), BAN_WHY_MAX);
    let many = u32::try_from(BANS_ENDED_AT_ONCE).unwrap() + 1;
    for number in 0..many {
        let network = Network::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into());
        h.bans.add(BanWish { network, ..wish("192.0.2.7") }).unwrap();
    }
    h.clock.forward(60 * MINUTE);
    let ended = || h.events.lines().iter().filter(|line| line.contains("ban.ended")).count();
    h.bans.end();
    assert_eq!(ended(), BANS_ENDED_AT_ONCE);
    h.bans.end();
    assert_eq!(ended(), BANS_ENDED_AT_ONCE + 2);
}

#[tokio::test]
async fn where_an_administrator_works_is_written_once_an_hour() {
    let h = house().await;
    let mut version = h.store.shelf_version(Shelf::Bans);
    let mut written = async || {
        h.bans.spare(ip("203.0.113.9"), "an administrator");
        h.bans.kept().await.unwrap();
        let changed = version.has_changed().unwrap();
        version.mark_unchanged();
        changed
    };
    assert!(written().await);
    assert!(!written().await);
    h.clock.forward(mailward_core::limits::BAN_SPARED_NOTE);
    assert!(written().await);
}
