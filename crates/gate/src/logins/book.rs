//! What is known of logins that failed, and what follows from it. No clock, no store, no locks: facts in, words out.

use super::devices::Devices;
use super::kept::{Follows, Host, Mark, Neighbours, Password, Place, Shut, Stuffing, Tried, User};
use super::recent::{Different, Fading, ONE, Recent};
use mailward_core::limits::{
    ACCOUNT_TOLD, BAN_TIMES, DEVICE_TIME, LOGIN_FREE_FAILURES, LOGIN_HOST_FAILURES, LOGIN_NEAR_PAUSE,
    LOGIN_NEIGHBOUR_FAILURES, LOGIN_NEIGHBOUR_HOSTS, LOGIN_OWN_WRONG, LOGIN_PAIR_MEMORY, LOGIN_PAIR_TIME,
    LOGIN_SAME_AT_ONCE, LOGIN_SAME_PER_HOUR, LOGIN_SAME_WRONG, LOGIN_SHARED_FAILURES, LOGIN_SHARED_USERS,
    LOGIN_SITE_PREFIX_V6, LOGIN_SPRAY_HOSTS, LOGIN_SPRAY_USERS, LOGIN_SPRAY_WEIGHT, LOGIN_SPRAYED_USERS,
    LOGIN_STRANGER_PAUSE, LOGIN_STUFFING_HOSTS, LOGIN_STUFFING_USERS, LOGIN_UNSEEN_MAX, LOGIN_USER_FAILURES,
    LOGIN_USER_FAILURES_MAX, LOGIN_WAIT_MAX, LOGIN_WAITING_PER_PAIR, LOGIN_WINDOW, LOGIN_WRONG_MAX,
    LOGINS_AT_ONCE_PER_DEVICE, LOGINS_AT_ONCE_PER_HOST, LOGINS_AT_ONCE_PER_PAIR, LOGINS_REMEMBERED_MAX,
};
use mailward_core::{AccountId, Network, Timestamp};
use mailward_directory::{Before, Failed};
use mailward_vault::WrongMark;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// What counts of a failure by which nothing is guessed.
const PART: u64 = ONE / LOGIN_SAME_WRONG as u64;

/// A wait of those who are too many at once: so much for each group that may be looked at together.
const TURN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Book {
    hosts: Recent<Network, Host>,
    neighbours: Recent<Network, Neighbours>,
    users: Recent<u64, User>,
    places: Recent<(u64, Network), Place>,
    shut: Recent<(u64, Network), Shut>,
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
            shut: Recent::new(LOGINS_REMEMBERED_MAX, LOGIN_PAIR_MEMORY),
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
        (mark, remembered): (Option<&'a WrongMark>, bool),
        exempt: bool,
    ) -> Tried<'a> {
        let (host, neighbours, site) = (Network::host(ip), Network::neighbours(ip), site(ip));
        Tried { host, neighbours, site, user: self.key.hash_one(user), account, exempt, remembered, mark }
    }

    /// The same without anything that failed: what goes on now isn't counted to its end.
    pub(super) fn anew(self) -> Self {
        Self { devices: self.devices, good: self.good, ..Self::default() }
    }

    /// Somebody logged in from a host.
    pub(super) fn good(&mut self, host: Network, now: Timestamp) {
        let around = [Some(host), site(host.first()), Some(Network::neighbours(host.first()))];
        for network in around.into_iter().flatten() {
            *self.good.touch(network, now) = Some(now);
        }
    }

    fn is_good(&self, network: &Network, now: Timestamp) -> bool {
        let at = self.good.get(network, now).copied().flatten();
        at.is_some_and(|at| now.0.saturating_sub(at.0) < millis(DEVICE_TIME))
    }

    /// Whether the attempt comes from where its user is at home.
    fn known(&self, tried: &Tried<'_>, now: Timestamp) -> bool {
        tried.exempt || tried.account.is_some_and(|account| self.devices.knows(account, &tried.host, now))
    }

    /// Whether it comes from near where its user is at home, or from where somebody else is.
    fn near(&self, tried: &Tried<'_>, now: Timestamp) -> bool {
        self.is_good(&tried.host, now)
            || tried.account.is_some_and(|account| self.devices.near(account, &tried.neighbours, now))
    }

    /// A login is tried.
    pub(super) fn before(&mut self, tried: &Tried<'_>, now: Timestamp) -> Before {
        if self.passes(tried, now) {
            return self.go(tried, now);
        }
        if self.refuses(tried, now) {
            return Before::Refuse;
        }
        let trusted = self.known(tried, now) || self.is_good(&tried.host, now);
        let place = self.places.touch((tried.user, tried.host), now);
        let host = self.hosts.touch(tried.host, now);
        let here = place.failures.whole(LOGIN_HOST_FAILURES, now);
        let failed = if trusted { here } else { here.max(host.failures.whole(LOGIN_HOST_FAILURES, now)) };
        let mut wait = wait(failed);
        let mut turn = |going: u32, waiting: u32, at_once: u32| {
            if going >= at_once {
                let turn = waiting.checked_div(at_once).unwrap_or(0).saturating_add(1);
                wait = wait.max(TURN.saturating_mul(turn)).min(LOGIN_WAIT_MAX);
            }
        };
        if !trusted {
            turn(host.going, host.waiting, LOGINS_AT_ONCE_PER_HOST);
        }
        if !tried.exempt {
            turn(place.going, place.waiting, LOGINS_AT_ONCE_PER_PAIR);
        }
        if wait.is_zero() {
            return self.go(tried, now);
        }
        // Programs of who is at home may come many at once, until something is wrong.
        let calm = trusted && here < LOGIN_FREE_FAILURES;
        let most =
            if calm { LOGIN_WAITING_PER_PAIR.saturating_mul(LOGINS_AT_ONCE_PER_PAIR) } else { LOGIN_WAITING_PER_PAIR };
        if place.waiting >= most {
            return Before::Refuse;
        }
        place.waiting = place.waiting.saturating_add(1);
        host.waiting = host.waiting.saturating_add(1);
        Before::Wait(wait)
    }

    /// The same one waited.
    pub(super) fn again(&mut self, tried: &Tried<'_>, now: Timestamp) -> Before {
        self.left(tried, now);
        let trusted = self.known(tried, now) || self.is_good(&tried.host, now);
        let going = self.hosts.get(&tried.host, now).map_or(0, |host| host.going);
        let here = self.places.get(&(tried.user, tried.host), now).map_or(0, |place| place.going);
        let crowded = !trusted && going >= LOGINS_AT_ONCE_PER_HOST || !tried.exempt && here >= LOGINS_AT_ONCE_PER_PAIR;
        if crowded || self.refuses(tried, now) {
            return Before::Refuse;
        }
        self.go(tried, now)
    }

    /// The secret is looked at.
    fn go(&mut self, tried: &Tried<'_>, now: Timestamp) -> Before {
        if !self.known(tried, now) {
            let near = self.near(tried, now);
            let user = self.users.touch(tried.user, now);
            *(if near { &mut user.near_at } else { &mut user.stranger_at }) = Some(now);
        }
        let host = self.hosts.touch(tried.host, now);
        host.going = host.going.saturating_add(1);
        let place = self.places.touch((tried.user, tried.host), now);
        place.going = place.going.saturating_add(1);
        Before::Go
    }

    /// Whether nothing stops an attempt: at home, with a password that was right lately. What passes tells right from wrong, so
    /// that it ends where many others came.
    fn passes(&self, tried: &Tried<'_>, now: Timestamp) -> bool {
        let unseen = self
            .places
            .get(&(tried.user, tried.host), now)
            .map_or(0, |place| place.unseen.whole(LOGIN_UNSEEN_MAX, now));
        tried.remembered && unseen < LOGIN_UNSEEN_MAX && self.known(tried, now)
    }

    /// Whether an attempt is refused unseen: too many were wrong of this user at this host, strangers attack the user, a
    /// password is known to be wrong, too many come at once where some failed.
    fn refuses(&self, tried: &Tried<'_>, now: Timestamp) -> bool {
        let pair = (tried.user, tried.host);
        let shut = self.shut.get(&pair, now).and_then(|shut| shut.until).is_some_and(|until| now < until);
        if (shut && !tried.exempt) || self.keeps_out(tried, now) {
            return true;
        }
        let Some(place) = self.places.get(&pair, now) else { return false };
        let failed = place.failures.whole(LOGIN_HOST_FAILURES, now) >= LOGIN_FREE_FAILURES;
        if failed && place.going >= LOGINS_AT_ONCE_PER_DEVICE {
            return true;
        }
        tried.mark.is_some_and(|mark| place.marks.iter().any(|one| one.wrong && one.mark.is_same_here(mark)))
    }

    /// While strangers attack a user, one attempt now and then is let try from hosts near the user's own, and one from strange
    /// hosts where nothing failed: owners on their way get in with patience, and who guesses is as slow as they are.
    fn keeps_out(&self, tried: &Tried<'_>, now: Timestamp) -> bool {
        let Some(user) = self.users.get(&tried.user, now) else { return false };
        if user.strangers.whole(LOGIN_USER_FAILURES, now) < LOGIN_USER_FAILURES || self.known(tried, now) {
            return false;
        }
        let soon =
            |at: Option<Timestamp>, pause: Duration| at.is_some_and(|at| now.0.saturating_sub(at.0) < millis(pause));
        if self.near(tried, now) {
            return soon(user.near_at, LOGIN_NEAR_PAUSE);
        }
        let failed = self.hosts.get(&tried.host, now).map_or(0, |host| host.failures.whole(LOGIN_HOST_FAILURES, now));
        failed > 0 || soon(user.stranger_at, LOGIN_STRANGER_PAUSE)
    }

    /// One that waited went away, or is refused.
    pub(super) fn left(&mut self, tried: &Tried<'_>, now: Timestamp) {
        let host = self.hosts.touch(tried.host, now);
        host.waiting = host.waiting.saturating_sub(1);
        let place = self.places.touch((tried.user, tried.host), now);
        place.waiting = place.waiting.saturating_sub(1);
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
            Failed::Other => self.wrong(tried, false, now),
            Failed::Refused => self.unseen(tried, now),
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

    /// User or password were wrong, or something beside them.
    fn wrong(&mut self, tried: &Tried<'_>, secret: bool, now: Timestamp) -> Vec<Follows> {
        let known = self.known(tried, now);
        let same = self.mark(tried, secret, now);
        let (shared, sprayed) = if same || tried.exempt { (same, None) } else { self.password(tried, now) };
        let weight = match (same, &sprayed) {
            (true, _) => PART,
            (false, Some(_)) => ONE.saturating_mul(u64::from(LOGIN_SPRAY_WEIGHT)),
            (false, None) => ONE,
        };
        let place = self.places.touch((tried.user, tried.host), now);
        place.failures.add(weight, LOGIN_HOST_FAILURES, LOGIN_SHARED_FAILURES, now);
        place.guesses.add(weight, LOGIN_HOST_FAILURES, LOGIN_SHARED_FAILURES, now);
        let here = place.guesses.whole(LOGIN_HOST_FAILURES, now);
        if tried.exempt {
            return Vec::new();
        }
        if here >= LOGIN_SHARED_FAILURES {
            self.shut(tried, now);
        }
        let mut follows: Vec<Follows> = sprayed.flatten().into_iter().collect();
        if !known {
            follows.extend(self.stuffing(tried, now));
        }
        follows.extend(self.user(tried, known, weight, here, now));
        let of_host = if shared { weight } else { self.of_host(tried, weight, now) };
        self.counted(tried, of_host, weight, now, &mut follows);
        follows
    }

    /// An attempt that wasn't looked at. Nothing is guessed by it, so that the user's failures are no more than they were; it costs
    /// work, so that a host that does it again and again is banned in the end.
    fn unseen(&mut self, tried: &Tried<'_>, now: Timestamp) -> Vec<Follows> {
        let place = self.places.touch((tried.user, tried.host), now);
        let same = tried.mark.is_some_and(|mark| place.marks.iter().any(|one| one.mark.is_same_here(mark)));
        // An old phone after a change of the password (attacks C3): only if it comes very often.
        let often = place.repeats.whole(LOGIN_SAME_PER_HOUR, now) >= LOGIN_SAME_AT_ONCE;
        let weight = if same && !often { 0 } else { PART };
        if same {
            place.repeats.add(ONE, LOGIN_SAME_PER_HOUR, LOGIN_SAME_AT_ONCE, now);
        } else {
            place.unseen.add(ONE, LOGIN_UNSEEN_MAX, LOGIN_UNSEEN_MAX, now);
        }
        place.failures.add(weight, LOGIN_HOST_FAILURES, LOGIN_SHARED_FAILURES, now);
        let mut follows = Vec::new();
        if !tried.exempt {
            self.counted(tried, weight, weight, now, &mut follows);
        }
        follows
    }

    /// Counts for the host and all around it, and bans who did too much.
    fn counted(&mut self, tried: &Tried<'_>, of_host: u64, weight: u64, now: Timestamp, follows: &mut Vec<Follows>) {
        follows.extend(self.count_host(tried, of_host, now));
        follows.extend(self.ban_host(tried.host, now));
        let mut inner = tried.host;
        for network in [tried.site, Some(tried.neighbours)].into_iter().flatten() {
            follows.extend(self.count_neighbours(tried, network, inner, weight, now));
            if let Some(ban) = self.ban_neighbours(network, now) {
                follows.push(ban);
                // The wider one begins anew: this part of it is banned.
                *self.neighbours.touch(tried.neighbours, now) = Neighbours::default();
                return;
            }
            inner = network;
        }
    }

    /// How much of a failure counts for its host: less for the first wrong password of a user there, if nobody else tried it.
    /// Many users with each their own are an office after a move; who guesses tries more, or the same for many users: then
    /// all of it counts.
    fn of_host(&mut self, tried: &Tried<'_>, weight: u64, now: Timestamp) -> u64 {
        let place = self.places.touch((tried.user, tried.host), now);
        if let [one] = place.marks.as_mut_slice() {
            one.withheld = true;
            return weight.checked_div(u64::from(LOGIN_OWN_WRONG)).unwrap_or(weight);
        }
        self.give_back((tried.user, tried.host), now);
        weight
    }

    /// What was withheld of a host's failures counts after all.
    fn give_back(&mut self, pair: (u64, Network), now: Timestamp) {
        let place = self.places.touch(pair, now);
        let withheld = place.marks.iter_mut().any(|one| std::mem::take(&mut one.withheld));
        if withheld {
            let rest = ONE.saturating_sub(ONE.checked_div(u64::from(LOGIN_OWN_WRONG)).unwrap_or(ONE));
            let host = self.hosts.touch(pair.1, now);
            host.failures.add(rest, LOGIN_HOST_FAILURES, LOGIN_SHARED_FAILURES, now);
        }
    }

    /// Refuses one user at one host for a while, each time longer.
    fn shut(&mut self, tried: &Tried<'_>, now: Timestamp) {
        let shut = self.shut.touch((tried.user, tried.host), now);
        if shut.until.is_some_and(|until| now < until) {
            return;
        }
        let times = BAN_TIMES.get(shut.times).or(BAN_TIMES.last()).copied().unwrap_or(1);
        shut.until = Some(Timestamp(now.0.saturating_add(millis(LOGIN_PAIR_TIME.saturating_mul(times)))));
        shut.times = shut.times.saturating_add(1);
    }

    /// Remembers which password it was; whether it was tried here before.
    fn mark(&mut self, tried: &Tried<'_>, wrong: bool, now: Timestamp) -> bool {
        let Some(mark) = tried.mark else { return false };
        let place = self.places.touch((tried.user, tried.host), now);
        if let Some(there) = place.marks.iter_mut().find(|one| one.mark.is_same_here(mark)) {
            there.wrong |= wrong;
            return true;
        }
        if place.marks.len() >= LOGIN_WRONG_MAX {
            place.marks.remove(0);
        }
        place.marks.push(Mark { mark: mark.clone(), wrong, withheld: false });
        false
    }

    /// Counts a password over all users. Whether others tried it too; `Some` if it is being sprayed, with the news of that the
    /// first time.
    fn password(&mut self, tried: &Tried<'_>, now: Timestamp) -> (bool, Option<Option<Follows>>) {
        // Without a mark it may be anybody's.
        let Some(mark) = tried.mark else { return (true, None) };
        let entry = self.passwords.touch(mark.anywhere(), now);
        let first = *entry.first.get_or_insert((tried.user, tried.host));
        entry.users.add(tried.user);
        entry.hosts.add(self.key.hash_one(tried.host));
        let (users, hosts) = (entry.users.count(), entry.hosts.count());
        let sprayed = users >= LOGIN_SPRAYED_USERS && hosts >= LOGIN_SPRAY_HOSTS;
        let news = sprayed && !std::mem::replace(&mut entry.told, true);
        let shared = users > 1;
        if shared {
            self.give_back((tried.user, tried.host), now);
            self.give_back(first, now);
        }
        (shared, sprayed.then(|| news.then_some(Follows::Sprayed(users, hosts))))
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
        let new_user = self.users.get(&tried.user, now).is_none_or(|user| user.strangers == Fading::default());
        let new_host = self.hosts.get(&tried.host, now).is_none_or(|host| host.failures == Fading::default());
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

    /// Counts for a network, of which `inner` is the part that it came from.
    fn count_neighbours(
        &mut self,
        tried: &Tried<'_>,
        network: Network,
        inner: Network,
        weight: u64,
        now: Timestamp,
    ) -> Option<Follows> {
        let neighbours = self.neighbours.touch(network, now);
        if neighbours.failures.level(LOGIN_NEIGHBOUR_FAILURES, now) == 0 {
            *neighbours = Neighbours::default();
        }
        neighbours.failures.add(weight, LOGIN_NEIGHBOUR_FAILURES, u32::MAX, now);
        neighbours.users.add(tried.user);
        neighbours.hosts.add(self.key.hash_one(inner));
        let users = neighbours.users.count();
        let sprays = users >= LOGIN_SPRAY_USERS && neighbours.hosts.count() >= LOGIN_NEIGHBOUR_HOSTS;
        let first = sprays && !std::mem::replace(&mut neighbours.told, true);
        first.then_some(Follows::SprayedFrom(network, users))
    }

    fn ban_host(&mut self, network: Network, now: Timestamp) -> Option<Follows> {
        let good = self.is_good(&network, now);
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
        let good = self.is_good(&network, now);
        let neighbours = self.neighbours.touch(network, now);
        let (failures, hosts) = (neighbours.failures.whole(LOGIN_NEIGHBOUR_FAILURES, now), neighbours.hosts.count());
        if good || failures < LOGIN_NEIGHBOUR_FAILURES || hosts < LOGIN_NEIGHBOUR_HOSTS {
            return None;
        }
        neighbours.failures = Fading::default();
        Some(Follows::Ban(network, format!("{failures} logins failed, from {}", many(hosts, "host"))))
    }
}

fn site(ip: IpAddr) -> Option<Network> {
    ip.to_canonical().is_ipv6().then(|| Network::of(ip, LOGIN_SITE_PREFIX_V6))
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
