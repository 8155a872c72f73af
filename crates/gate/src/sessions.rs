//! Who is connected: the list that `mailward sessions` shows, and the way to end one session or all of a user.
//!
//! A session notes what it does with one atomic store, and takes a lock, its own, only for what it rarely does: TLS,
//! login, SELECT. The list is locked when a session comes, when it goes, and while somebody copies it.

use crate::bans::Ban;
use crate::connections::Counts;
use mailward_core::limits::SESSION_FIELD_MAX;
use mailward_core::{AccountId, Network, Peer, Shutdown, ShutdownTrigger};
use mailward_directory::{Directory, Login};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What times of sessions are counted from: a clock that nobody sets (attacks H9).
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now() -> u64 {
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It has heard nothing of its client yet.
    Greeting,
    /// It waits for its client.
    Idle,
    /// It does what its client asked for.
    Working,
}

impl Activity {
    /// Its word in lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Activity::Greeting => "greeting",
            Activity::Idle => "idle",
            Activity::Working => "working",
        }
    }
}

/// A session as it was at one moment. What came from outside is cut and cleaned, fit for a list.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Number, address and listener.
    pub peer: Peer,
    /// Who is logged in.
    pub user: Option<String>,
    /// What the client says it is: ID in IMAP, EHLO and the header of its messages in SMTP.
    pub client: Option<String>,
    /// The selected mailbox.
    pub mailbox: Option<String>,
    /// Version and cipher suite of TLS, if it runs.
    pub tls: Option<(&'static str, &'static str)>,
    /// What it does.
    pub activity: Activity,
    /// How long it has been there.
    pub connected: Duration,
    /// How long since it began or ended doing something.
    pub idle: Duration,
}

/// A session's place in the list, for the session itself. A clone is the same.
#[derive(Clone, Debug)]
pub struct SessionEntry(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    peer: Peer,
    since: u64,
    /// When it last began or ended doing something, in the upper bits; [`Activity`] in the lower two.
    beat: AtomicU64,
    trigger: ShutdownTrigger,
    shutdown: Shutdown,
    known: Mutex<Known>,
}

/// What becomes known of a session by and by. Box and not String: thousands of these wait.
#[derive(Debug, Default)]
struct Known {
    tls: Option<(&'static str, &'static str)>,
    user: Option<(AccountId, Box<str>)>,
    client: Option<Box<str>>,
    mailbox: Option<Box<str>>,
    /// Among those of its address that nobody is logged in to; `None`: it isn't counted there.
    guest: Option<Box<GuestPlace>>,
}

/// A connection among those of its address that nobody is logged in to. It goes with whoever holds it.
#[derive(Debug)]
pub(crate) struct GuestPlace {
    counts: Arc<Counts<Network>>,
    host: Network,
    is_user: bool,
}

impl GuestPlace {
    /// One, unless there are so many.
    pub(crate) fn take(counts: &Arc<Counts<Network>>, host: Network, cap: usize) -> Option<Self> {
        counts.take(host, cap).then(|| Self { counts: Arc::clone(counts), host, is_user: false })
    }

    fn is_user(&mut self, is_user: bool) {
        match (self.is_user, is_user) {
            (false, true) => self.counts.give_back(self.host),
            // Who is in stays in.
            (true, false) => {
                let _always = self.counts.take(self.host, usize::MAX);
            }
            (false, false) | (true, true) => {}
        }
        self.is_user = is_user;
    }
}

impl Drop for GuestPlace {
    fn drop(&mut self) {
        self.is_user(true);
    }
}

const IDLE: u64 = 1;
const WORKING: u64 = 2;
const ACTIVITY_BITS: u32 = 2;
const ACTIVITY_MASK: u64 = 3;

impl SessionEntry {
    fn new(peer: &Peer, shutdown: &Shutdown, guest: Option<GuestPlace>) -> Self {
        let (trigger, shutdown) = shutdown.branch();
        let since = now();
        let beat = AtomicU64::new(since << ACTIVITY_BITS);
        let known = Mutex::new(Known { guest: guest.map(Box::new), ..Known::default() });
        Self(Arc::new(Entry { peer: peer.clone(), since, beat, trigger, shutdown, known }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each field is set in one step: it is good even if its holder panicked.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self, activity: u64) {
        self.0.beat.store((now() << ACTIVITY_BITS) | activity, Ordering::Relaxed);
    }

    /// The word to stop for this session: it comes with the server's, or for this one alone.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.0.shutdown.clone()
    }

    /// The client asked for something.
    pub fn works(&self) {
        self.beat(WORKING);
    }

    /// What it asked for is answered, and its next word is waited for.
    pub fn waits(&self) {
        // Until it has said something it is still being greeted.
        if self.0.beat.load(Ordering::Relaxed) & ACTIVITY_MASK != 0 {
            self.beat(IDLE);
        }
    }

    /// TLS runs, of this version and with this cipher suite.
    pub fn secured(&self, version: &'static str, cipher: &'static str) {
        self.known().tls = Some((version, cipher));
    }

    /// Notes who logged in, and asks whether that login still stands. If not, because the account was disabled or
    /// removed or has a new password since, the session is nobody's, and must be refused: attacks C12.
    #[must_use]
    pub fn logged_in(&self, login: &Login, directory: &Directory) -> bool {
        self.known().user = Some((login.account(), login.address().to_string().into()));
        // In this order. Whoever changes an account ends its sessions after the change: they find this one, or it
        // finds the change.
        let stands = directory.stands(login);
        if stands {
            self.is_a_user();
        } else {
            self.logged_out();
        }
        stands
    }

    /// It is no longer among those of its address that nobody is logged in to.
    pub(crate) fn is_a_user(&self) {
        self.known().guest.iter_mut().for_each(|guest| guest.is_user(true));
    }

    /// Nobody is logged in any more.
    pub fn logged_out(&self) {
        let mut known = self.known();
        known.user = None;
        known.mailbox = None;
        known.guest.iter_mut().for_each(|guest| guest.is_user(false));
    }

    /// The client says what it is. True the first time.
    pub fn client_is(&self, name: &str) -> bool {
        let name = shown(name);
        let mut known = self.known();
        let first = known.client.is_none();
        if !name.is_empty() {
            known.client = Some(name);
        }
        first
    }

    /// A mailbox was selected, or left.
    pub fn selected(&self, mailbox: Option<&str>) {
        self.known().mailbox = mailbox.map(shown);
    }

    fn info(&self) -> SessionInfo {
        let (now, beat) = (now(), self.0.beat.load(Ordering::Relaxed));
        let known = self.known();
        let text = |field: &Option<Box<str>>| field.as_deref().map(str::to_owned);
        SessionInfo {
            peer: self.0.peer.clone(),
            user: known.user.as_ref().map(|(_, address)| address.to_string()),
            client: text(&known.client),
            mailbox: text(&known.mailbox),
            tls: known.tls,
            activity: match beat & ACTIVITY_MASK {
                0 => Activity::Greeting,
                IDLE => Activity::Idle,
                _ => Activity::Working,
            },
            connected: Duration::from_millis(now.saturating_sub(self.0.since)),
            idle: Duration::from_millis(now.saturating_sub(beat >> ACTIVITY_BITS)),
        }
    }

    /// What it was, and its end.
    fn end(&self) -> SessionInfo {
        let info = self.info();
        self.stop();
        info
    }

    pub(crate) fn stop(&self) {
        self.0.trigger.fire();
    }
}

/// What an outsider wrote, fit for a list on a terminal or a page (attacks F6, H7): the characters that the log shows
/// as they are, [`SESSION_FIELD_MAX`] of them at most. Cut here, once, because it is kept as long as the session.
fn shown(text: &str) -> Box<str> {
    let mut out = String::new();
    for (index, c) in text.trim().chars().enumerate() {
        if index >= SESSION_FIELD_MAX {
            out.push('…');
            break;
        }
        let plain = matches!(c, ' '..='~') || c.is_alphanumeric();
        out.push(if plain { c } else { '\u{fffd}' });
    }
    out.into()
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<u64, SessionEntry>>);

impl Sessions {
    fn list(&self) -> MutexGuard<'_, HashMap<u64, SessionEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more.
    pub(crate) fn enter(&self, peer: &Peer, shutdown: &Shutdown, guest: Option<GuestPlace>) -> SessionEntry {
        let entry = SessionEntry::new(peer, shutdown, guest);
        self.list().insert(peer.session, entry.clone());
        entry
    }

    /// One less.
    pub(crate) fn leave(&self, entry: &SessionEntry) {
        // The session may hold its place on the list a while longer.
        drop(entry.known().guest.take());
        let number = entry.0.peer.session;
        let mut list = self.list();
        if list.get(&number).is_some_and(|there| Arc::ptr_eq(&there.0, &entry.0)) {
            list.remove(&number);
        }
    }

    /// All that are there, by number. What is asked of each is asked when the list is free again.
    fn all(&self) -> Vec<SessionEntry> {
        let mut all: Vec<SessionEntry> = self.list().values().cloned().collect();
        all.sort_unstable_by_key(|entry| entry.0.peer.session);
        all
    }

    pub(crate) fn infos(&self) -> Vec<SessionInfo> {
        self.all().iter().map(SessionEntry::info).collect()
    }

    pub(crate) fn end(&self, number: u64) -> Option<SessionInfo> {
        let entry = self.list().get(&number).cloned();
        entry.map(|entry| entry.end())
    }

    pub(crate) fn end_of(&self, whose: impl Fn(AccountId, &str) -> bool) -> Vec<SessionInfo> {
        let is = |entry: &SessionEntry| entry.known().user.as_ref().is_some_and(|(id, address)| whose(*id, address));
        self.all().iter().filter(|entry| is(entry)).map(SessionEntry::end).collect()
    }

    pub(crate) fn end_banned(&self, ban: &Ban) -> Vec<SessionInfo> {
        let is = |entry: &SessionEntry| {
            let peer = &entry.0.peer;
            let concerns = ban.scope().covers(peer.listener) && peer.address.is_some_and(|ip| ban.network.contains(ip));
            concerns && (ban.by.by_hand() || entry.known().user.is_none())
        };
        self.all().iter().filter(|entry| is(entry)).map(SessionEntry::end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caps, ConnectionPermit, Gate};
    use mailward_core::Listener;
    use mailward_core::shutdown::channel;

    fn peer(session: u64) -> Peer {
        Peer { session, address: Some("192.0.2.7".parse().unwrap()), port: None, listener: Listener::Imaps }
    }

    fn enter(gate: &Gate, session: u64, server: &Shutdown) -> (ConnectionPermit, SessionEntry) {
        let mut permit = gate.admit(None).unwrap();
        let entry = permit.enter(&peer(session), server);
        (permit, entry)
    }

    #[test]
    fn a_session_is_listed_as_long_as_it_holds_its_place() {
        let (gate, (_trigger, server)) = (Gate::new(Caps::default()), channel());
        let (second, _) = enter(&gate, 2, &server);
        let (mut first, entry) = enter(&gate, 1, &server);
        let numbers = || gate.sessions().iter().map(|s| s.peer.session).collect::<Vec<_>>();
        assert_eq!(numbers(), [1, 2]);
        assert!(Arc::ptr_eq(&entry.0, &first.enter(&peer(1), &server).0), "who asks again gets the same");
        drop(second);
        assert_eq!(numbers(), [1]);
        drop(first);
        assert_eq!(numbers(), [0u64; 0], "also while somebody holds the entry");
    }

    #[test]
    fn what_a_session_does_is_told() {
        let (gate, (_trigger, server)) = (Gate::new(Caps::default()), channel());
        let (_permit, entry) = enter(&gate, 1, &server);
        let activity = || gate.sessions()[0].activity;
        assert_eq!(activity(), Activity::Greeting);
        entry.waits();
        assert_eq!(activity(), Activity::Greeting, "nothing was heard yet");
        entry.works();
        assert_eq!(activity(), Activity::Working);
        entry.waits();
        assert_eq!(activity(), Activity::Idle);
        entry.secured("TLSv1.3", "TLS_AES_128_GCM_SHA256");
        entry.selected(Some("INBOX"));
        assert!(entry.client_is("Mail 1.0"));
        assert!(!entry.client_is("Mail 1.1"));
        assert!(!entry.client_is(""), "and what was known stays");
        let told = &gate.sessions()[0];
        assert_eq!(told.tls, Some(("TLSv1.3", "TLS_AES_128_GCM_SHA256")));
        assert_eq!((told.client.as_deref(), told.mailbox.as_deref()), (Some("Mail 1.1"), Some("INBOX")));
        assert!(told.idle <= told.connected);
        entry.logged_out();
        assert_eq!(gate.sessions()[0].mailbox, None);
    }

    #[test]
    fn one_session_is_ended_and_the_others_go_on() {
        let (gate, (_trigger, server)) = (Gate::new(Caps::default()), channel());
        let (_one, first) = enter(&gate, 1, &server);
        let (_two, second) = enter(&gate, 2, &server);
        assert_eq!(gate.end_session(1).unwrap().peer.session, 1);
        assert!(first.shutdown().is_fired_alone());
        assert!(!second.shutdown().is_fired());
        assert!(gate.end_session(3).is_none());
        assert!(gate.end_sessions(|_, _| true).is_empty(), "nobody is logged in");
    }

    /// Attacks F6, H7.
    #[test]
    fn what_a_client_says_it_is_can_t_leave_its_field() {
        assert_eq!(&*shown(" a\u{1b}[2J\r\nb\u{202e}c\u{0} "), "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}");
        let long = shown(&"é".repeat(SESSION_FIELD_MAX + 1));
        assert_eq!(long.chars().count(), SESSION_FIELD_MAX + 1);
        assert!(long.ends_with("é…"));
        assert_eq!(&*shown(&"x".repeat(SESSION_FIELD_MAX)), "x".repeat(SESSION_FIELD_MAX));
    }

    #[test]
    fn thousands_that_only_wait_take_little() {
        assert!(size_of::<Entry>() <= 192, "{} bytes", size_of::<Entry>());
    }
}
