//! The login guard: failures counted over all protocols, waits that grow, bans, and accounts under attack.
//!
//! Failures count per host (an address or a /64), per neighbours (/24, /48), per user, and per user at a host. A host that
//! guesses is banned. No account is locked to its owner at home by strangers: a user whom strangers attack goes on working from hosts that they
//! logged in from lately, while strange hosts together are let try once a minute, whatever the password. What a stranger can see is the same for users who
//! are there and users who aren't (attacks A6, C4): counts go by the name that was given.

mod book;
mod devices;
mod kept;
mod recent;

#[cfg(test)]
mod tests;

pub use devices::reads_back;

use crate::bans::{BanTime, BanWish, BannedBy, Bans};
use crate::keep::{Complaint, Keeper};
use crate::rules::{Action, RuleBook};
use book::Book;
use kept::{Follows, Tried};
use mailward_core::event::{Event, Events};
use mailward_core::limits::PAGE_ROWS_MAX;
use mailward_core::{AccountId, Address, Clock, Network, Peer, Shutdown};
use mailward_directory::{Attempt, Before, Failed, LoginWatch};
use mailward_store::records::Shelf;
use mailward_store::{ShelfStore, StoreError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What an administrator may move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// Whether logins are counted, slowed and stopped at all.
    pub guard: bool,
    /// Accounts: where they log in from is never banned by itself.
    pub never: Vec<Address>,
}

impl Default for LoginSettings {
    fn default() -> Self {
        Self { guard: true, never: Vec::new() }
    }
}

/// The guard. One for the whole server.
pub struct Logins {
    bans: Arc<Bans>,
    rules: RuleBook,
    clock: Arc<dyn Clock>,
    events: Events,
    state: Mutex<State>,
    keeper: Keeper<AccountId>,
}

struct State {
    book: Book,
    settings: LoginSettings,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    /// With the devices that stand on the shelf. Hosts that `rules` skip checks for, or let relay, are trusted: slowed per user,
    /// and never banned by this.
    ///
    /// # Errors
    /// The store's. A record that can't be read is left out, and told.
    pub async fn open(
        shelf: Arc<dyn ShelfStore>,
        bans: Arc<Bans>,
        rules: RuleBook,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> Result<Arc<Self>, StoreError> {
        let (mut book, now) = (Book::default(), clock.now());
        let mut after = None;
        loop {
            let page = shelf.shelf(Shelf::Devices, after, PAGE_ROWS_MAX).await?;
            for record in &page {
                match book.devices.take(record) {
                    Some(hosts) => hosts.into_iter().for_each(|host| book.good(host, now)),
                    None => events.emit(Event::alert("device.unreadable").with("record", &record.key)),
                }
            }
            let Some(last) = page.into_iter().next_back() else { break };
            after = Some(last.key);
        }
        let state = Mutex::new(State { book, settings: LoginSettings::default() });
        Ok(Arc::new(Self { bans, rules, clock, events, state, keeper: Keeper::new(shelf) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counts are good even if somebody panicked between two of them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes other settings. Switched off and on again, the guard has forgotten what failed, and knows devices.
    pub fn set(&self, settings: LoginSettings) {
        let mut state = self.state();
        if state.settings.guard != settings.guard {
            state.book = std::mem::take(&mut state.book).anew();
        }
        state.settings = settings;
    }

    /// Waits until every device up to now is on stable storage.
    ///
    /// # Errors
    /// The store's; what wasn't written is tried again by [`Logins::run`].
    pub async fn kept(&self) -> Result<(), StoreError> {
        self.keeper.kept(|account| self.state().book.devices.change(*account)).await
    }

    /// Writes devices until the server stops.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        /// Nothing is to be looked for; it is woken by what changes.
        const LOOK: Duration = Duration::from_secs(3_600);
        let complaint = Complaint {
            event: "device.unwritten",
            mend: "devices that log in now are strangers after a restart: see what ails the store",
        };
        let change = |account: &AccountId| self.state().book.devices.change(*account);
        self.keeper.run(change, || LOOK, &self.events, complaint, shutdown).await;
    }

    /// Does something with the book, unless the guard is off or there is no address to count by.
    fn with<T>(
        &self,
        attempt: &Attempt<'_>,
        off: T,
        then: impl FnOnce(&mut Book, &Tried<'_>, mailward_core::Timestamp) -> T,
    ) -> T {
        let Some(ip) = attempt.peer.address else { return off };
        let (now, trusted) = (self.clock.now(), self.trusts(attempt.peer));
        let mut state = self.state();
        if !state.settings.guard {
            return off;
        }
        let account = attempt.account.map(|(id, _)| id);
        let book = &mut state.book;
        let tried = book.tried(ip, attempt.user, account, (attempt.mark, attempt.remembered), trusted);
        then(book, &tried, now)
    }

    /// Whether nothing of a host is judged.
    fn trusts(&self, peer: &Peer) -> bool {
        matches!(self.rules.at_the_door(peer.address, peer.listener).action(), Action::Skip | Action::Relay)
    }

    /// A session may be older than the ban.
    fn is_banned(&self, attempt: &Attempt<'_>) -> bool {
        attempt.peer.address.is_some_and(|ip| self.bans.banned_at(ip, attempt.peer.listener).is_some())
    }

    /// Does what follows.
    fn follow(&self, follows: Vec<Follows>, attempt: Option<&Attempt<'_>>) {
        for one in follows {
            match one {
                Follows::Ban(network, why) => {
                    let (by, time) = (BannedBy::LoginGuard, BanTime::Usual);
                    if let Err(error) = self.bans.add(BanWish { network, by, why, time, force: false }) {
                        self.events.emit(Event::warn("ban.spared").with("network", network).with("why", error));
                    }
                }
                Follows::Attacked(failures) => {
                    let user = attempt.and_then(|attempt| attempt.account).map(|(_, address)| address.to_string());
                    self.events.emit(
                        Event::alert("account.attacked")
                            .with("user", user.unwrap_or_default())
                            .with("failures", failures)
                            .with(
                                "mend",
                                "nothing: known devices go on working; new ones have to try again and again until it is over",
                            ),
                    );
                }
                Follows::SprayedFrom(network, users) => self.events.emit(
                    Event::alert("logins.sprayed")
                        .with("network", network)
                        .with("users", users)
                        .with("mend", "nothing, while it is banned by itself: see `mailward ban list`"),
                ),
                Follows::Sprayed(users, hosts) => self.events.emit(
                    Event::alert("logins.sprayed")
                        .with("password", "the same")
                        .with("users", users)
                        .with("hosts", hosts)
                        .with("mend", "tell users to have passwords that nobody else has"),
                ),
                Follows::Stuffed(users, hosts) => self.events.emit(
                    Event::alert("logins.stuffed")
                        .with("users", users)
                        .with("hosts", hosts)
                        .with("mend", "tell users to have another password here than elsewhere"),
                ),
            }
        }
    }
}

impl LoginWatch for Logins {
    fn before(&self, attempt: &Attempt<'_>) -> Before {
        if self.is_banned(attempt) {
            return Before::Refuse;
        }
        self.with(attempt, Before::Go, |book, tried, now| book.before(tried, now))
    }

    fn again(&self, attempt: &Attempt<'_>) -> Before {
        if self.is_banned(attempt) {
            self.with(attempt, (), |book, tried, now| book.left(tried, now));
            return Before::Refuse;
        }
        self.with(attempt, Before::Go, |book, tried, now| book.again(tried, now))
    }

    fn succeeded(&self, attempt: &Attempt<'_>) {
        let write = self.with(attempt, false, |book, tried, now| book.succeeded(tried, now));
        let Some((account, address)) = attempt.account else { return };
        if write {
            self.keeper.note(account);
        }
        let named = self
            .state()
            .settings
            .never
            .iter()
            .any(|never| never.to_string().eq_ignore_ascii_case(&address.to_string()));
        if let Some(ip) = attempt.peer.address.filter(|_| named) {
            self.bans.spare(ip, &address.to_string());
        }
    }

    fn failed(&self, attempt: &Attempt<'_>, why: Failed) {
        let follows = self.with(attempt, Vec::new(), |book, tried, now| book.failed(tried, why, now));
        self.follow(follows, Some(attempt));
    }

    fn malformed(&self, peer: &Peer) {
        let Some(ip) = peer.address else { return };
        let (now, trusted) = (self.clock.now(), self.trusts(peer));
        let follows = {
            let mut state = self.state();
            if !state.settings.guard {
                return;
            }
            state.book.malformed(Network::host(ip), trusted, now)
        };
        self.follow(follows, None);
    }
}
