//! Stories of logins that fail, over a store on a disk.

mod owners;

use super::*;
use crate::hand::Hand;
use mailward_core::limits::{
    ACCOUNT_TOLD, DEVICE_TIME, LOGIN_FREE_FAILURES, LOGIN_HOST_FAILURES, LOGIN_NEIGHBOUR_FAILURES, LOGIN_SAME_WRONG,
    LOGIN_SHARED_FAILURES, LOGIN_STUFFING_USERS, LOGIN_USER_FAILURES, LOGIN_WAIT_MAX, LOGIN_WAITING_PER_PAIR,
    LOGIN_WINDOW, LOGIN_WRONG_MAX, LOGINS_AT_ONCE_PER_DEVICE, LOGINS_AT_ONCE_PER_HOST,
};
use mailward_core::{Listener, Secret};
use mailward_store::{LocalStore, Options};
use mailward_vault::{WrongMark, WrongMarks};

struct House {
    _dir: tempfile::TempDir,
    clock: Arc<Hand>,
    events: Events,
    store: Arc<LocalStore>,
    bans: Arc<Bans>,
    rules: RuleBook,
    logins: Arc<Logins>,
    marks: WrongMarks,
}

async fn house() -> House {
    let (dir, clock, events) = (tempfile::tempdir().unwrap(), Hand::at(1_700_000_000_000), Events::memory());
    let store = LocalStore::open(dir.path(), Options { clock: clock.clone(), ..Options::default() }).unwrap();
    let bans = Bans::open(store.clone(), clock.clone(), events.clone()).await.unwrap();
    let file = ["127.0.0.9 allow".parse().unwrap(), "10.2.0.0/16 skip".parse().unwrap()];
    let rules = RuleBook::new(&file, &[Network::parse("10.0.0.0/8").unwrap()]);
    let logins = Logins::open(store.clone(), bans.clone(), rules.clone(), clock.clone(), events.clone()).await.unwrap();
    House { _dir: dir, clock, events, store, bans, rules, logins, marks: WrongMarks::new().unwrap() }
}

/// Who tries what from where.
#[derive(Clone, Copy)]
struct Try<'a> {
    from: &'a str,
    user: &'a str,
    password: &'a str,
}

/// Users of this host, by the first letters of their names; others are nobody.
fn account(user: &str) -> Option<AccountId> {
    user.strip_prefix("user").and_then(|number| number.split('@').next()?.parse().ok()).map(AccountId)
}

impl House {
    fn forward(&self, time: Duration) {
        self.clock.forward(time);
    }

    fn with<T>(&self, tried: Try<'_>, then: impl FnOnce(&Attempt<'_>) -> T) -> T {
        let peer =
            Peer { session: 1, address: Some(tried.from.parse().unwrap()), port: None, listener: Listener::Imaps };
        let address: Option<Address> = account(tried.user).map(|_| tried.user.parse().unwrap());
        let mark: WrongMark = self.marks.of(tried.user, b"credential", &Secret::new(tried.password));
        let account = account(tried.user).zip(address.as_ref());
        let remembered = tried.password == "remembered";
        then(&Attempt { user: tried.user, account, peer: &peer, mark: Some(&mark), remembered, tls: None })
    }

    fn before(&self, tried: Try<'_>) -> Before {
        self.with(tried, |attempt| self.logins.before(attempt))
    }

    /// Plays one to its end; whether the password was looked at.
    fn play(&self, tried: Try<'_>, right: bool) -> bool {
        self.with(tried, |attempt| {
            let word = match self.logins.before(attempt) {
                Before::Wait(_) => self.logins.again(attempt),
                word => word,
            };
            match (word, right) {
                (Before::Go, true) => self.logins.succeeded(attempt),
                (Before::Go, false) => self.logins.failed(attempt, Failed::Wrong),
                _ => self.logins.failed(attempt, Failed::Refused),
            }
            word == Before::Go
        })
    }

    fn wrong(&self, from: &str, user: &str, password: &str) -> bool {
        self.play(Try { from, user, password }, false)
    }

    fn right(&self, from: &str, user: &str) -> bool {
        self.play(Try { from, user, password: "right" }, true)
    }

    fn is_banned(&self, from: &str) -> bool {
        self.bans.banned(from.parse().unwrap()).is_some()
    }

    fn told(&self, event: &str) -> Vec<String> {
        self.events.lines().into_iter().filter(|line| line.contains(event)).collect()
    }

    async fn again(&mut self) {
        self.logins.kept().await.unwrap();
        let (store, bans, rules) = (self.store.clone(), self.bans.clone(), self.rules.clone());
        self.logins = Logins::open(store, bans, rules, self.clock.clone(), self.events.clone()).await.unwrap();
    }
}

const STRANGER: &str = "198.51.100.7";
const HOME: &str = "203.0.113.5";

/// So many hosts of different networks.
fn hosts(count: u32) -> Vec<String> {
    (0..count).map(|n| format!("100.64.{}.{}", n % 250, n / 250 + 1)).collect()
}

/// Attacks C1: one host, whatever it tries, one ban.
#[tokio::test]
async fn a_host_that_guesses_waits_longer_and_longer_and_is_banned() {
    let h = house().await;
    let (mut waits, mut tried) = (Vec::new(), 0);
    while !h.is_banned(STRANGER) {
        let password = format!("guess {tried}");
        let attempt = Try { from: STRANGER, user: "user1@example.test", password: &password };
        h.with(attempt, |attempt| {
            let word = h.logins.before(attempt);
            waits.push(match word {
                Before::Go => 0,
                Before::Wait(time) => time.as_secs(),
                Before::Refuse => panic!("refused"),
            });
            if word != Before::Go {
                assert_eq!(h.logins.again(attempt), Before::Go);
            }
            h.logins.failed(attempt, Failed::Wrong);
        });
        tried += 1;
    }
    assert_eq!(tried, LOGIN_HOST_FAILURES);
    assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 15, 15, 15]);
    assert_eq!(wait_max(), 15);
    assert_eq!(h.bans.list(None, 9)[0].why, "10 logins failed, as 1 user");
    assert!(!h.wrong(STRANGER, "user1@example.test", "another"), "an older session isn't listened to either");
    assert!(h.told("alert").is_empty(), "one host alone is no alert: {:?}", h.told("alert"));
}

fn wait_max() -> u64 {
    LOGIN_WAIT_MAX.as_secs()
}

/// Attacks C1: a /64 is one host.
#[tokio::test]
async fn hopping_about_in_a_64_helps_nobody() {
    let h = house().await;
    for number in 0..LOGIN_HOST_FAILURES {
        h.wrong(&format!("2001:db8:1:2::{number:x}"), "user1@example.test", &number.to_string());
    }
    assert!(h.is_banned("2001:db8:1:2:ffff::1"));
    assert!(!h.is_banned("2001:db8:1:3::1"));
}

/// Attacks C1: hosts of a /24, each too slow to be noticed.
#[tokio::test]
async fn neighbours_that_guess_together_are_banned_together() {
    let h = house().await;
    for number in 0..LOGIN_NEIGHBOUR_FAILURES {
        let from = format!("198.51.100.{}", number % 20 + 1);
        h.wrong(&from, &format!("user{number}@example.test"), &number.to_string());
    }
    assert!(h.is_banned("198.51.100.200"));
    assert_eq!(h.bans.list(None, 9).len(), 1, "{:?}", h.bans.list(None, 9));
    // Where somebody of ours lives no network is banned as a whole.
    let h = house().await;
    h.right("198.51.100.99", "user9@example.test");
    for number in 0..LOGIN_NEIGHBOUR_FAILURES * 2 {
        let from = format!("198.51.100.{}", number % 20 + 1);
        h.wrong(&from, &format!("user{number}@example.test"), &number.to_string());
    }
    assert!(!h.is_banned("198.51.100.99"));
}

/// No lock-out by strangers: known devices go on working, strange ones are refused even with the right password, and it is over
/// by itself.
#[tokio::test]
async fn an_account_under_attack_works_for_its_owner_and_for_nobody_else() {
    let mut h = house().await;
    assert!(h.right(HOME, "user1@example.test"));
    for (number, from) in hosts(LOGIN_USER_FAILURES + 5).iter().enumerate() {
        let looked_at = h.wrong(from, "user1@example.test", &format!("guess {number}"));
        assert_eq!(looked_at, number < usize::try_from(LOGIN_USER_FAILURES).unwrap(), "{number}");
    }
    assert_eq!(h.told("account.attacked").len(), 1, "once: {:?}", h.events.lines());
    assert!(h.told("account.attacked")[0].starts_with("alert account.attacked user=user1@example.test failures=20"));
    assert!(!h.right("192.0.2.77", "user1@example.test"), "a strange device");
    assert!(h.right(HOME, "user1@example.test"), "the owner's");
    assert!(h.right("192.0.2.77", "user2@example.test"), "another user");
    h.again().await;
    for (number, from) in hosts(LOGIN_USER_FAILURES).iter().enumerate() {
        h.wrong(from, "user1@example.test", &format!("guess {number}"));
    }
    assert!(h.right(HOME, "user1@example.test"), "also after a restart");
    assert!(!h.right("192.0.2.78", "user1@example.test"));
    h.forward(LOGIN_WINDOW);
    assert!(h.right("192.0.2.78", "user1@example.test"), "it is over");
    h.forward(DEVICE_TIME);
    for (number, from) in hosts(LOGIN_USER_FAILURES).iter().enumerate() {
        h.wrong(from, "user1@example.test", &format!("guess {number}"));
    }
    assert!(!h.right(HOME, "user1@example.test"), "a month later that is a stranger too");
}

#[tokio::test]
async fn an_owner_is_told_once_a_day() {
    let h = house().await;
    let attack = || {
        for (number, from) in hosts(LOGIN_USER_FAILURES).iter().enumerate() {
            h.wrong(from, "user1@example.test", &format!("guess {number}"));
        }
        h.told("account.attacked").len()
    };
    assert_eq!(attack(), 1);
    h.forward(LOGIN_WINDOW * 3);
    assert_eq!(attack(), 1);
    h.forward(ACCOUNT_TOLD);
    assert_eq!(attack(), 2);
}

/// Attacks C3: an old phone after a change of the password.
#[tokio::test]
async fn the_same_wrong_password_again_and_again_counts_once_and_bans_nobody() {
    let h = house().await;
    h.right(HOME, "user1@example.test");
    for minute in 0..600 {
        let looked_at = h.wrong(HOME, "user1@example.test", "the old one");
        assert_eq!(looked_at, minute == 0, "it isn't even hashed again");
        h.forward(Duration::from_secs(60));
    }
    assert!(!h.is_banned(HOME));
    let free = Before::Go;
    assert_eq!(h.before(Try { from: HOME, user: "user1@example.test", password: "right" }), free, "and slows nobody");
    // A strange host that does the same for long is silly, and costs work.
    for _ in 0..LOGIN_HOST_FAILURES * LOGIN_SAME_WRONG {
        h.wrong(STRANGER, "user1@example.test", "the same");
    }
    assert!(h.is_banned(STRANGER));
}

#[tokio::test]
async fn so_many_wrong_passwords_are_known_again() {
    let h = house().await;
    h.right(HOME, "user1@example.test");
    for number in 0..=LOGIN_WRONG_MAX {
        assert!(h.wrong(HOME, "user1@example.test", &format!("old {number}")));
    }
    assert!(!h.wrong(HOME, "user1@example.test", &format!("old {LOGIN_WRONG_MAX}")));
    assert!(!h.wrong(HOME, "user1@example.test", "old 1"));
    assert!(h.wrong(HOME, "user1@example.test", "old 0"), "forgotten");
    // With another credential it may be right.
    let peer = Peer { session: 1, address: Some(HOME.parse().unwrap()), port: None, listener: Listener::Imaps };
    let address = "user1@example.test".parse().unwrap();
    let mark = h.marks.of("user1@example.test", b"another", &Secret::new("old 1"));
    let account = Some((AccountId(1), &address));
    let attempt =
        Attempt { user: "user1@example.test", account, peer: &peer, mark: Some(&mark), remembered: false, tls: None };
    assert_ne!(h.logins.before(&attempt), Before::Refuse);
}

/// Attacks C3: a household behind one address.
#[tokio::test]
async fn an_address_that_somebody_lives_at_is_slowed_per_user_and_not_banned_for_one_of_them() {
    let h = house().await;
    h.right(HOME, "user1@example.test");
    for number in 0..LOGIN_SHARED_FAILURES * 2 {
        h.wrong(HOME, "user2@example.test", &format!("guess {number}"));
    }
    assert!(!h.is_banned(HOME));
    assert_eq!(h.before(Try { from: HOME, user: "user1@example.test", password: "right" }), Before::Go);
    assert_ne!(h.before(Try { from: HOME, user: "user2@example.test", password: "x" }), Before::Go);
    // Many users at once are no household.
    for number in 0..LOGIN_SHARED_FAILURES {
        h.wrong(HOME, &format!("user{number}@example.test"), &format!("guess {number}"));
    }
    assert!(h.is_banned(HOME));
}

/// Attacks A6, C4: nothing of what a stranger sees hangs on whether the user is there.
#[tokio::test]
async fn users_who_are_there_and_users_who_aren_t_get_the_same_word_each_time() {
    let h = house().await;
    h.right(HOME, "user1@example.test");
    let mut words = Vec::new();
    for user in ["user1@example.test", "nobody@example.test"] {
        let mut seen = Vec::new();
        let offset = if user.starts_with("user") { 0 } else { 100 };
        for (number, from) in hosts(140 + offset).iter().enumerate().skip(usize::try_from(offset).unwrap()).take(40) {
            let password = format!("guess {number}");
            for _ in 0..3 {
                let tried = Try { from, user, password: &password };
                seen.push(h.before(tried));
                h.with(tried, |attempt| {
                    if seen.last() == Some(&Before::Go) {
                        h.logins.failed(attempt, Failed::Wrong);
                    } else {
                        h.logins.failed(attempt, Failed::Refused);
                    }
                });
            }
        }
        words.push(seen);
    }
    assert_eq!(words[0], words[1]);
    assert!(words[0].contains(&Before::Refuse) && words[0].contains(&Before::Go));
    assert!(h.told("account.attacked").iter().all(|line| line.contains("user1@")));
}

/// Attacks C1: many users from one host.
#[tokio::test]
async fn a_host_that_tries_many_users_is_told_once_and_banned() {
    let h = house().await;
    for number in 0..LOGIN_HOST_FAILURES {
        h.wrong(STRANGER, &format!("user{number}@example.test"), "Summer2026");
    }
    assert_eq!(h.told("logins.sprayed").len(), 1, "{:?}", h.events.lines());
    assert!(h.told("logins.sprayed")[0].contains("network=198.51.100.7/32 users=6"));
    assert!(h.is_banned(STRANGER));
}

/// Attacks C1: one password on many users, from many hosts, each of them once.
#[tokio::test]
async fn a_password_that_is_sprayed_from_many_hosts_is_told_once_and_weighs_more() {
    let h = house().await;
    for (number, from) in hosts(20).iter().enumerate() {
        h.wrong(from, &format!("user{number}@example.test"), "Summer2026");
    }
    let told = h.told("logins.sprayed");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("password=\"the same\" users=6 hosts=6"), "{told:?}");
    assert!(h.events.lines().iter().all(|line| !line.contains("Summer")));
    for number in 50..54 {
        h.wrong(STRANGER, &format!("user{number}@example.test"), "Summer2026");
    }
    assert!(h.is_banned(STRANGER), "three times as heavy");
}

/// Attacks C1: lists of stolen passwords, each user once, each host once.
#[tokio::test]
async fn stuffing_is_told_once_for_each_attack() {
    let h = house().await;
    let attack = |round: u32| {
        for (number, from) in hosts(LOGIN_STUFFING_USERS * 2).iter().enumerate() {
            h.wrong(from, &format!("someone{number}.{round}@example.test"), &format!("theirs {number}"));
        }
        h.told("logins.stuffed").len()
    };
    assert_eq!(attack(0), 1);
    assert!(
        h.told("logins.stuffed")[0].starts_with("alert logins.stuffed users=60 hosts=60"),
        "{:?}",
        h.events.lines()
    );
    h.forward(LOGIN_WINDOW * 3);
    assert_eq!(attack(1), 2);
    assert!(h.told("account.attacked").is_empty() && h.told("logins.sprayed").is_empty());
}

/// Attacks C8.
#[tokio::test]
async fn malformed_messages_count_for_their_own_host_and_no_user() {
    let h = house().await;
    let peer = Peer { session: 1, address: Some(STRANGER.parse().unwrap()), port: None, listener: Listener::Smtp };
    for _ in 0..LOGIN_HOST_FAILURES {
        assert!(!h.is_banned(STRANGER));
        h.logins.malformed(&peer);
    }
    assert!(h.is_banned(STRANGER));
    assert!(h.right("198.51.100.8", "user1@example.test"));
    let at_home = Peer { address: Some("198.51.100.8".parse().unwrap()), ..peer };
    for _ in 0..LOGIN_SHARED_FAILURES * 2 {
        h.logins.malformed(&at_home);
    }
    assert!(!h.is_banned("198.51.100.8"), "a broken program at home");
}

/// Attacks C1, C13: who opens hundreds of connections at once gets no more tries before the ban than others.
#[tokio::test]
async fn many_at_once_from_a_strange_host_wait_for_what_comes_of_the_first() {
    let h = house().await;
    let passwords: Vec<String> = (0..200).map(|n| format!("guess {n}")).collect();
    let tries = passwords.iter().map(|password| Try { from: STRANGER, user: "user1@example.test", password });
    let words: Vec<Before> = tries.clone().map(|tried| h.before(tried)).collect();
    let at_once = usize::try_from(LOGINS_AT_ONCE_PER_HOST).unwrap();
    assert!(words[..at_once].iter().all(|word| *word == Before::Go));
    let waiting = at_once + usize::try_from(LOGIN_WAITING_PER_PAIR).unwrap();
    let waits = |word: &Before| matches!(word, Before::Wait(time) if *time <= LOGIN_WAIT_MAX);
    assert!(words[at_once..waiting].iter().all(waits));
    assert!(words[waiting..].iter().all(|word| *word == Before::Refuse), "as one user nobody else waits");
    for tried in tries.clone().take(at_once) {
        h.with(tried, |attempt| h.logins.failed(attempt, Failed::Wrong));
    }
    assert!(h.is_banned(STRANGER));
    for tried in tries.take(waiting).skip(at_once) {
        assert_eq!(h.with(tried, |attempt| h.logins.again(attempt)), Before::Refuse);
    }
}

/// Attacks C3: a whole office that comes at nine, to a server that never saw it.
#[tokio::test]
async fn an_office_that_comes_at_once_gets_in() {
    let h = house().await;
    let users: Vec<String> = (0..60).map(|n| format!("user{n}@example.test")).collect();
    let mut waiting: Vec<(Duration, &str)> = Vec::new();
    let mut going: Vec<&str> = Vec::new();
    for user in &users {
        match h.before(Try { from: HOME, user, password: "right" }) {
            Before::Go => going.push(user),
            Before::Wait(time) => waiting.push((time, user)),
            Before::Refuse => panic!("{user}"),
        }
    }
    let mut now = Duration::ZERO;
    waiting.sort_unstable();
    for (time, user) in waiting {
        if time > now {
            now = time;
            for user in going.drain(..) {
                h.with(Try { from: HOME, user, password: "right" }, |attempt| h.logins.succeeded(attempt));
            }
        }
        assert_eq!(h.with(Try { from: HOME, user, password: "right" }, |a| h.logins.again(a)), Before::Go, "{user}");
        going.push(user);
    }
    assert!(now <= LOGIN_WAIT_MAX);
}

#[tokio::test]
async fn a_known_device_with_failures_has_few_tries_at_once() {
    let h = house().await;
    h.right(HOME, "user1@example.test");
    for number in 0..LOGIN_FREE_FAILURES {
        h.wrong(HOME, "user1@example.test", &format!("guess {number}"));
    }
    let passwords: Vec<String> = (0..20).map(|n| format!("more {n}")).collect();
    let mut looked_at = 0;
    for password in &passwords {
        let tried = Try { from: HOME, user: "user1@example.test", password };
        let word = match h.before(tried) {
            Before::Wait(_) => h.with(tried, |attempt| h.logins.again(attempt)),
            word => word,
        };
        looked_at += u32::from(word == Before::Go);
    }
    assert_eq!(looked_at, LOGINS_AT_ONCE_PER_DEVICE);
}

/// Attacks C13: who goes away while a password is looked at is counted; who goes away while waiting isn't in anybody's way.
#[tokio::test]
async fn who_goes_away_frees_the_place_and_is_counted_if_it_cost_something() {
    let h = house().await;
    let tried = Try { from: STRANGER, user: "user1@example.test", password: "x" };
    for _ in 0..LOGIN_FREE_FAILURES {
        assert_eq!(h.before(tried), Before::Go);
        h.with(tried, |attempt| h.logins.failed(attempt, Failed::Abandoned));
    }
    for _ in 0..1_000 {
        assert!(matches!(h.before(tried), Before::Wait(_)));
        h.with(tried, |attempt| h.logins.failed(attempt, Failed::Left));
    }
    assert!(!h.is_banned(STRANGER));
    for _ in 0..1_000 {
        assert!(matches!(h.before(tried), Before::Wait(_)));
        assert_eq!(h.with(tried, |attempt| h.logins.again(attempt)), Before::Go);
        h.with(tried, |attempt| h.logins.failed(attempt, Failed::Undecided));
    }
    assert!(!h.is_banned(STRANGER), "that we are busy is not their fault");
}

#[tokio::test]
async fn something_beside_the_secret_was_wrong_and_the_secret_may_come_again() {
    let h = house().await;
    let tried = Try { from: STRANGER, user: "user1@example.test", password: "right" };
    assert_eq!(h.before(tried), Before::Go);
    h.with(tried, |attempt| h.logins.failed(attempt, Failed::Other));
    assert!(h.right(STRANGER, "user1@example.test"));
}

#[tokio::test]
async fn whom_the_rules_trust_is_slowed_per_user_and_nothing_else() {
    let h = house().await;
    for from in ["127.0.0.1", "::1", "10.1.2.3", "10.2.2.3"] {
        for number in 0..100 {
            h.wrong(from, "user1@example.test", &format!("guess {number}"));
            h.wrong(from, &format!("user{number}@example.test"), "sprayed");
        }
        assert!(!h.is_banned(from));
        assert!(matches!(h.before(Try { from, user: "user1@example.test", password: "y" }), Before::Wait(_)));
        assert_eq!(h.before(Try { from, user: "user500@example.test", password: "y" }), Before::Go);
    }
    assert!(h.told("alert").is_empty(), "{:?}", h.told("alert"));
    assert!(h.right(STRANGER, "user1@example.test"), "it is no attack by strangers");
    for number in 0..LOGIN_USER_FAILURES {
        h.wrong("127.0.0.9", "user2@example.test", &format!("guess {number}"));
    }
    assert!(!h.right("192.0.2.99", "user2@example.test"), "a rule made it a stranger");
}

#[tokio::test]
async fn who_comes_by_a_unix_socket_or_with_the_guard_off_is_not_counted() {
    let h = house().await;
    let (address, account) = ("user1@example.test".parse().unwrap(), AccountId(1));
    let peer = Peer { session: 1, address: None, port: None, listener: Listener::Lmtp };
    let attempt = Attempt {
        user: "user1@example.test",
        account: Some((account, &address)),
        peer: &peer,
        mark: None,
        remembered: false,
        tls: None,
    };
    for _ in 0..100 {
        assert_eq!(h.logins.before(&attempt), Before::Go);
        h.logins.failed(&attempt, Failed::Wrong);
        h.logins.malformed(&peer);
    }
    h.logins.set(LoginSettings { guard: false, ..LoginSettings::default() });
    for number in 0..100 {
        assert!(h.wrong(STRANGER, "user1@example.test", &number.to_string()));
    }
    assert!(!h.is_banned(STRANGER));
}

#[tokio::test]
async fn logins_that_were_begun_when_the_guard_is_switched_off_are_in_nobody_s_way_later() {
    let h = house().await;
    h.right(HOME, "user1@example.test");
    let tried = Try { from: STRANGER, user: "user1@example.test", password: "x" };
    for _ in 0..LOGINS_AT_ONCE_PER_HOST {
        assert_eq!(h.before(tried), Before::Go);
    }
    h.logins.set(LoginSettings { guard: false, ..LoginSettings::default() });
    for _ in 0..LOGINS_AT_ONCE_PER_HOST {
        h.with(tried, |attempt| h.logins.failed(attempt, Failed::Wrong));
    }
    h.logins.set(LoginSettings::default());
    assert_eq!(h.before(tried), Before::Go);
    for (number, from) in hosts(LOGIN_USER_FAILURES).iter().enumerate() {
        h.wrong(from, "user1@example.test", &format!("guess {number}"));
    }
    assert!(h.right(HOME, "user1@example.test"), "and devices are known as before");
}

/// Attacks C3: where the boss logged in from is never banned.
#[tokio::test]
async fn an_account_that_the_file_names_spares_the_address_it_logs_in_from() {
    let h = house().await;
    h.logins.set(LoginSettings { never: vec!["User1@example.test".parse().unwrap()], ..LoginSettings::default() });
    h.right(HOME, "user1@example.test");
    h.right("192.0.2.1", "user2@example.test");
    for number in 0..200 {
        h.wrong(HOME, &format!("user{number}@example.test"), &format!("guess {number}"));
        h.wrong("192.0.2.1", &format!("user{number}@example.test"), &format!("guess {number}"));
    }
    assert!(!h.is_banned(HOME));
    assert!(h.is_banned("192.0.2.1"));
    assert!(!h.told("warn ban.spared network=203.0.113.5/32").is_empty());
}
