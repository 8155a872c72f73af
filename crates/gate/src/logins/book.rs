//! What is known of logins that failed, and what follows from it. No clock, no store, no locks: facts in, words out.

use super::devices::Devices;
use super::recent::{Different, Fading, ONE, Recent};
use mailward_core::limits::{
    ACCOUNT_TOLD, DEVICE_TIME, LOGIN_FREE_FAILURES, LOGIN_HOST_FAILURES, LOGIN_NEIGHBOUR_FAILURES,
    LOGIN_NEIGHBOUR_HOSTS, LOGIN_SAME_WRONG, LOGIN_SHARED_FAILURES, LOGIN_SHARED_USERS, LOGIN_SPRAY_HOSTS,
    LOGIN_SPRAY_USERS, LOGIN_SPRAY_WEIGHT, LOGIN_SPRAYED_USERS, LOGIN_STUFFING_HOSTS, LOGIN_STUFFING_USERS,
    LOGIN_USER_FAILURES, LOGIN_USER_FAILURES_MAX, LOGIN_WAIT_MAX, LOGIN_WINDOW, LOGIN_WRONG_MAX,
    LOGINS_AT_ONCE_PER_DEVICE, LOGINS_AT_ONCE_PER_HOST, LOGINS_REMEMBERED_MAX,
};
use mailward_core::{AccountId, Network, Timestamp};
use mailward_directory::{Before, Failed};
use mailward_vault::WrongMark;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// A wait of those who are too many at once: so much for each group that may be looked at together.
const TURN: Duration = Duration::from_millis(500);

/// A login that is tried, as far as it counts here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried<'a> {
    pub(super) host: Network,
    pub(super) neighbours: Network,
    /// Hash of the user's name, with the book's key.
    pub(super) user: u64,
    pub(super) account: Option<AccountId>,
    /// From a host that is trusted: never banned, and what fails there is no attack by strangers.
    pub(super) exempt: bool,
    pub(super) mark: Option<&'a WrongMark>,
}

/// What follows from a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// Somebody is to be banned; why, in words.
    Ban(Network, String),
    /// The user is under attack, who has an account here: so many failures.
    Attacked(u32),
    /// Many users from one host or network: so many at least.
    SprayedFrom(Network, usize),
    /// One password on many users, from many hosts: so many of both at least.
    Sprayed(usize, usize),
    /// Many users once each, from many hosts: so many of both.
    Stuffed(u32, u32),
}

#[derive(Debug, Default)]
struct Host {
    failures: Fading,
    users: Different,
    /// Logins whose secret is looked at now.
    going: u32,
    /// Logins that wait before that.
    waiting: u32,
    told: bool,
}

#[derive(Debug, Default)]
struct Neighbours {
    failures: Fading,
    users: Different,
    hosts: Different,
    told: bool,
}

#[derive(Debug, Default)]
struct User {
    /// From hosts that the user never logged in from.
    strangers: Fading,
    told: Option<Timestamp>,
}

/// One user at one host.
#[derive(Debug, Default)]
struct Place {
    failures: Fading,
    going: u32,
    marks: Vec<Mark>,
}

#[derive(Debug)]
struct Mark {
    mark: WrongMark,
    /// It was looked at and found wrong. Otherwise it was refused unseen.
    wrong: bool,
}

#[derive(Debug, Default)]
struct Password {
    users: Different,
    hosts: Different,
    told: bool,
}

#[derive(Debug, Default)]
struct Stuffing {
    users: Fading,
    hosts: Fading,
    told: bool,
}

#[derive(Debug)]
pub(super) struct Book {
    hosts: Recent<Network, Host>,
    neighbours: Recent<Network, Neighbours>,
    users: Recent<u64, User>,
    places: Recent<(u64, Network), Place>,
    passwords: Recent<[u8; 16], Password>,
    stuffing: Stuffing,
    pub(super) devices: Devices,
    /// Hosts that somebody logged in from lately, and their networks.
    good: Recent<Network, Option<Timestamp>>,
    key: RandomState,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            hosts: Recent::new(LOGINS_REMEMBERED_MAX, LOGIN_WINDOW),
            neighbours: Recent::new(LOGINS_REMEMBERED_MAX, LOGIN_WINDOW),
            users: Recent::new(LOGINS_REMEMBERED_MAX, ACCOUNT_TOLD),
            places: Recent::new(LOGINS_REMEMBERED_MAX, LOGIN_WINDOW),
            passwords: Recent::new(LOGINS_REMEMBERED_MAX, LOGIN_WINDOW),
            stuffing: Stuffing::default(),
            devices: Devices::default(),
            good: Recent::new(LOGINS_REMEMBERED_MAX, DEVICE_TIME),
            key: RandomState::new(),
        }
    }
}

impl Book {
    /// An attempt as it counts here.
    pub(super) fn tried<'a>(
        &self,
        ip: IpAddr,
        user: &str,
        account: Option<AccountId>,
        mark: Option<&'a WrongMark>,
        exempt: bool,
    ) -> Tried<'a> {
        let (host, neighbours) = (Network::host(ip), Network::neighbours(ip));
        Tried { host, neighbours, user: self.key.hash_one(user), account, exempt, mark }
    }

    /// Somebody logged in from a host.
    pub(super) fn good(&mut self, host: Network, now: Timestamp) {
        *self.good.touch(host, now) = Some(now);
        *self.good.touch(Network::neighbours(host.first()), now) = Some(now);
    }

    fn is_good(&self, network: &Network) -> bool {
        self.good.get(network).is_some_and(Option::is_some)
    }

    /// Whether the attempt comes from where its user is at home.
    fn known(&self, tried: &Tried<'_>, now: Timestamp) -> bool {
        tried.exempt || tried.account.is_some_and(|account| self.devices.knows(account, &tried.host, now))
    }

    /// A login is tried.
    pub(super) fn before(&mut self, tried: &Tried<'_>, now: Timestamp) -> Before {
        if self.refuses(tried, now) {
            return Before::Refuse;
        }
        let trusted = self.known(tried, now) || self.is_good(&tried.host);
        let place = self.places.touch((tried.user, tried.host), now);
        let host = self.hosts.touch(tried.host, now);
        let failed = place.failures.whole(LOGIN_HOST_FAILURES, now);
        let failed = if trusted { failed } else { failed.max(host.failures.whole(LOGIN_HOST_FAILURES, now)) };
        let mut wait = wait(failed);
        if !trusted && host.going >= LOGINS_AT_ONCE_PER_HOST {
            let turn = host.waiting.checked_div(LOGINS_AT_ONCE_PER_HOST).unwrap_or(0).saturating_add(1);
            wait = wait.max(TURN.saturating_mul(turn)).min(LOGIN_WAIT_MAX);
        }
        if wait.is_zero() {
            host.going = host.going.saturating_add(1);
            place.going = place.going.saturating_add(1);
            return Before::Go;
        }
        host.waiting = host.waiting.saturating_add(1);
        Before::Wait(wait)
    }

    /// The same one waited.
    pub(super) fn again(&mut self, tried: &Tried<'_>, now: Timestamp) -> Before {
        self.left(tried, now);
        let trusted = self.known(tried, now) || self.is_good(&tried.host);
        let refuses = self.refuses(tried, now);
        let place = self.places.touch((tried.user, tried.host), now);
        let host = self.hosts.touch(tried.host, now);
        let crowded = if trusted { false } else { host.going >= LOGINS_AT_ONCE_PER_HOST };
        if refuses || crowded {
            return Before::Refuse;
        }
        host.going = host.going.saturating_add(1);
        place.going = place.going.saturating_add(1);
        Before::Go
    }

    /// Whether an attempt is refused unseen: a stranger while the user is under attack, a password that is known to be wrong,
    /// too many at once where some failed.
    fn refuses(&self, tried: &Tried<'_>, now: Timestamp) -> bool {
        let attacked = self.users.get(&tried.user).map_or(0, |user| user.strangers.whole(LOGIN_USER_FAILURES, now));
        if attacked >= LOGIN_USER_FAILURES && !self.known(tried, now) {
            return true;
        }
        let Some(place) = self.places.get(&(tried.user, tried.host)) else { return false };
        let failed = place.failures.whole(LOGIN_HOST_FAILURES, now) >= LOGIN_FREE_FAILURES;
        if failed && place.going >= LOGINS_AT_ONCE_PER_DEVICE {
            return true;
        }
        tried.mark.is_some_and(|mark| place.marks.iter().any(|one| one.wrong && one.mark.is_same_here(mark)))
    }

    /// One that waited went away, or is refused.
    pub(super) fn left(&mut self, tried: &Tried<'_>, now: Timestamp) {
        let host = self.hosts.touch(tried.host, now);
        host.waiting = host.waiting.saturating_sub(1);
    }

    fn done(&mut self, tried: &Tried<'_>, now: Timestamp) {
        let host = self.hosts.touch(tried.host, now);
        host.going = host.going.saturating_sub(1);
        let place = self.places.touch((tried.user, tried.host), now);
        place.going = place.going.saturating_sub(1);
    }

    /// It was a login. Answers whether the account's devices are to be written.
    pub(super) fn succeeded(&mut self, tried: &Tried<'_>, now: Timestamp) -> bool {
        self.done(tried, now);
        self.places.touch((tried.user, tried.host), now).failures = Fading::default();
        if !tried.exempt {
            self.good(tried.host, now);
        }
        tried.account.is_some_and(|account| self.devices.note(account, tried.host, now))
    }

    /// It was none.
    pub(super) fn failed(&mut self, tried: &Tried<'_>, why: Failed, now: Timestamp) -> Vec<Follows> {
        match why {
            Failed::Left => self.left(tried, now),
            Failed::Refused => {}
            _ => self.done(tried, now),
        }
        match why {
            Failed::Left | Failed::Undecided => Vec::new(),
            Failed::Malformed | Failed::Abandoned => self.malformed(tried.host, tried.exempt, now),
            Failed::Wrong => self.wrong(tried, true, now),
            Failed::Refused | Failed::Other => self.wrong(tried, false, now),
        }
    }

    /// A message was none of its mechanism's: that is the host's affair alone (attacks C8).
    pub(super) fn malformed(&mut self, host: Network, exempt: bool, now: Timestamp) -> Vec<Follows> {
        if exempt {
            return Vec::new();
        }
        let entry = self.hosts.touch(host, now);
        entry.failures.add(ONE, LOGIN_HOST_FAILURES, LOGIN_SHARED_FAILURES, now);
        self.ban_host(host, now).into_iter().collect()
    }

    /// User or password were wrong, or not looked at.
    fn wrong(&mut self, tried: &Tried<'_>, seen: bool, now: Timestamp) -> Vec<Follows> {
        let known = self.known(tried, now);
        let same = self.mark(tried, seen, now);
        let sprayed = if same || tried.exempt { None } else { self.password(tried, now) };
        let weight = match (same, &sprayed) {
            // Nothing is guessed by it: an old phone after a change of the password (attacks C3).
            (true, _) => ONE.checked_div(u64::from(LOGIN_SAME_WRONG)).unwrap_or(ONE),
            (false, Some(_)) => ONE.saturating_mul(u64::from(LOGIN_SPRAY_WEIGHT)),
            (false, None) => ONE,
        };
        let place = self.places.touch((tried.user, tried.host), now);
        place.failures.add(weight, LOGIN_HOST_FAILURES, LOGIN_SHARED_FAILURES, now);
        let here = place.failures.whole(LOGIN_HOST_FAILURES, now);
        if tried.exempt {
            return Vec::new();
        }
        let mut follows: Vec<Follows> = sprayed.flatten().into_iter().collect();
        if !known {
            follows.extend(self.stuffing(tried, now));
        }
        follows.extend(self.user(tried, known, weight, here, now));
        follows.extend(self.count_host(tried, weight, now));
        follows.extend(self.count_neighbours(tried, weight, now));
        follows.extend(self.ban_host(tried.host, now));
        follows.extend(self.ban_neighbours(tried.neighbours, now));
        follows
    }

    /// Remembers which password it was; whether it was tried here before.
    fn mark(&mut self, tried: &Tried<'_>, seen: bool, now: Timestamp) -> bool {
        let Some(mark) = tried.mark else { return false };
        let place = self.places.touch((tried.user, tried.host), now);
        if let Some(there) = place.marks.iter_mut().find(|one| one.mark.is_same_here(mark)) {
            there.wrong |= seen;
            return true;
        }
        if place.marks.len() >= LOGIN_WRONG_MAX {
            place.marks.remove(0);
        }
        place.marks.push(Mark { mark: mark.clone(), wrong: seen });
        false
    }

    /// Counts a password over all users; `Some` if it is being sprayed, with the news of that the first time.
    fn password(&mut self, tried: &Tried<'_>, now: Timestamp) -> Option<Option<Follows>> {
        let entry = self.passwords.touch(tried.mark?.anywhere(), now);
        entry.users.add(tried.user);
        entry.hosts.add(self.key.hash_one(tried.host));
        let (users, hosts) = (entry.users.count(), entry.hosts.count());
        if users < LOGIN_SPRAYED_USERS || hosts < LOGIN_SPRAY_HOSTS {
            return None;
        }
        let first = !std::mem::replace(&mut entry.told, true);
        Some(first.then_some(Follows::Sprayed(users, hosts)))
    }

    fn user(&mut self, tried: &Tried<'_>, known: bool, weight: u64, here: u32, now: Timestamp) -> Option<Follows> {
        let user = self.users.touch(tried.user, now);
        if !known {
            user.strangers.add(weight, LOGIN_USER_FAILURES, LOGIN_USER_FAILURES_MAX, now);
        }
        let failures = user.strangers.whole(LOGIN_USER_FAILURES, now);
        // From the owner's own place: somebody behind the same address tries one password after the other.
        let at_home = known && here >= LOGIN_SHARED_FAILURES;
        let told = user.told.is_some_and(|told| now.0.saturating_sub(told.0) < millis(ACCOUNT_TOLD));
        if tried.account.is_none() || told || !(at_home || failures >= LOGIN_USER_FAILURES) {
            return None;
        }
        user.told = Some(now);
        Some(Follows::Attacked(failures.max(if at_home { here } else { 0 })))
    }

    fn count_host(&mut self, tried: &Tried<'_>, weight: u64, now: Timestamp) -> Option<Follows> {
        let host = self.hosts.touch(tried.host, now);
        if host.failures.level(LOGIN_HOST_FAILURES, now) == 0 {
            // What was is over: who failed here last week doesn't count with who fails now.
            (host.users, host.told) = (Different::default(), false);
        }
        host.users.add(tried.user);
        host.failures.add(weight, LOGIN_HOST_FAILURES, LOGIN_SHARED_FAILURES, now);
        let users = host.users.count();
        let first = users >= LOGIN_SPRAY_USERS && !std::mem::replace(&mut host.told, true);
        first.then_some(Follows::SprayedFrom(tried.host, users))
    }

    /// Counts users and hosts that fail for the first time. Asked before the failure is counted.
    fn stuffing(&mut self, tried: &Tried<'_>, now: Timestamp) -> Option<Follows> {
        let new_user = self.users.get(&tried.user).is_none_or(|user| user.strangers == Fading::default());
        let new_host = self.hosts.get(&tried.host).is_none_or(|host| host.failures == Fading::default());
        let stuffing = &mut self.stuffing;
        if new_user {
            stuffing.users.add(ONE, LOGIN_STUFFING_USERS, u32::MAX, now);
        }
        if new_host {
            stuffing.hosts.add(ONE, LOGIN_STUFFING_HOSTS, u32::MAX, now);
        }
        let users = stuffing.users.whole(LOGIN_STUFFING_USERS, now);
        let hosts = stuffing.hosts.whole(LOGIN_STUFFING_HOSTS, now);
        if users < LOGIN_STUFFING_USERS || hosts < LOGIN_STUFFING_HOSTS {
            // The next attack is another one only when this one faded.
            stuffing.told &= users >= LOGIN_STUFFING_USERS / 2;
            return None;
        }
        let first = !std::mem::replace(&mut stuffing.told, true);
        first.then_some(Follows::Stuffed(users, hosts))
    }

    fn count_neighbours(&mut self, tried: &Tried<'_>, weight: u64, now: Timestamp) -> Option<Follows> {
        let neighbours = self.neighbours.touch(tried.neighbours, now);
        if neighbours.failures.level(LOGIN_NEIGHBOUR_FAILURES, now) == 0 {
            *neighbours = Neighbours::default();
        }
        neighbours.failures.add(weight, LOGIN_NEIGHBOUR_FAILURES, u32::MAX, now);
        neighbours.users.add(tried.user);
        neighbours.hosts.add(self.key.hash_one(tried.host));
        let users = neighbours.users.count();
        let sprays = users >= LOGIN_SPRAY_USERS && neighbours.hosts.count() >= LOGIN_NEIGHBOUR_HOSTS;
        let first = sprays && !std::mem::replace(&mut neighbours.told, true);
        first.then_some(Follows::SprayedFrom(tried.neighbours, users))
    }

    fn ban_host(&mut self, network: Network, now: Timestamp) -> Option<Follows> {
        let good = self.is_good(&network);
        let host = self.hosts.touch(network, now);
        let (failures, users) = (host.failures.whole(LOGIN_HOST_FAILURES, now), host.users.count());
        let over = if good {
            failures >= LOGIN_SHARED_FAILURES && users >= LOGIN_SHARED_USERS
        } else {
            failures >= LOGIN_HOST_FAILURES
        };
        if !over {
            return None;
        }
        // When the ban is over it begins anew.
        host.failures = Fading::default();
        Some(Follows::Ban(network, format!("{failures} logins failed, as {}", many(users, "user"))))
    }

    fn ban_neighbours(&mut self, network: Network, now: Timestamp) -> Option<Follows> {
        let good = self.is_good(&network);
        let neighbours = self.neighbours.touch(network, now);
        let (failures, hosts) = (neighbours.failures.whole(LOGIN_NEIGHBOUR_FAILURES, now), neighbours.hosts.count());
        if good || failures < LOGIN_NEIGHBOUR_FAILURES || hosts < LOGIN_NEIGHBOUR_HOSTS {
            return None;
        }
        neighbours.failures = Fading::default();
        Some(Follows::Ban(network, format!("{failures} logins failed, from {}", many(hosts, "host"))))
    }
}

/// How long a login waits after so many failures: twice as long each time.
fn wait(failures: u32) -> Duration {
    match failures.checked_sub(LOGIN_FREE_FAILURES) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(8)).min(LOGIN_WAIT_MAX),
    }
}

fn many(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        mailward_core::limits::LOGIN_DIFFERENT_MAX => format!("{count} {what}s or more"),
        _ => format!("{count} {what}s"),
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
