//! Bans: opened, told what the file says of them, and acted on in the sessions that are there.

use super::doors::Door;
use crate::failure::Failure;
use mailward_core::config::{Config, Never};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{BAN_TEST_TIME, BAN_TEST_WAIT};
use mailward_core::{Network, Shutdown, SystemClock};
use mailward_gate::bans::{BanNews, BanTime, BanWish, BannedBy, Bans};
use mailward_gate::logins::{LoginSettings, Logins};
use mailward_gate::rules::RuleBook;
use mailward_gate::{Gate, SessionInfo};
use mailward_store::LocalStore;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// The bans of a store.
pub(crate) async fn open(store: &Arc<LocalStore>, events: &Events) -> Result<Arc<Bans>, Failure> {
    Ok(Bans::open(store.clone(), Arc::new(SystemClock), events.clone()).await?)
}

/// Takes what the configuration says of them.
pub(crate) fn set(bans: &Bans, config: &Config) {
    let first = Duration::from_secs(u64::try_from(config.bans.time).unwrap_or(u64::MAX).saturating_mul(60));
    let networks = config.bans.never.iter().filter_map(|never| match never {
        Never::Network(network) => Some(*network),
        Never::Account(_) => None,
    });
    bans.set(first, networks.chain(config.relay.from.iter().copied()).collect());
}

/// Writes bans and devices, and ends the sessions of who is banned, until the server stops.
pub(crate) async fn watch(bans: Arc<Bans>, logins: Arc<Logins>, gate: Arc<Gate>, events: Events, shutdown: Shutdown) {
    let written = (bans.clone().run(shutdown.clone()), logins.run(shutdown.clone()));
    tokio::join!(end_sessions(bans, gate, events, shutdown), written.0, written.1);
}

async fn end_sessions(bans: Arc<Bans>, gate: Arc<Gate>, events: Events, mut shutdown: Shutdown) {
    loop {
        let (_, mut news) = bans.subscribe();
        // Each session is asked about, and not each ban: there may be very many.
        for session in gate.sessions() {
            let ban = session.peer.address.and_then(|ip| bans.banned_at(ip, session.peer.listener));
            if ban.is_some_and(|ban| ban.by.by_hand() || session.user.is_none())
                && let Some(ended) = gate.end_session(session.peer.session)
            {
                tell(&ended, &events);
            }
        }
        loop {
            let one = tokio::select! {
                biased;
                () = shutdown.fired() => return,
                one = news.recv() => one,
            };
            match one {
                Ok(BanNews::Added(ban)) => gate.end_banned(&ban).iter().for_each(|session| tell(session, &events)),
                Ok(BanNews::Removed(_)) => {}
                // Some were missed: look at all of them.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

fn tell(session: &SessionInfo, events: &Events) {
    let mut event = Event::info("session.ended").with_peer(&session.peer);
    if let Some(user) = &session.user {
        event = event.with("user", user);
    }
    events.emit(event.with("why", "banned"));
}

/// What came of trying one door from an address that was banned.
#[derive(Debug, Serialize)]
pub(crate) struct Tried {
    door: &'static str,
    address: String,
    /// What the door did before the ban, in a word.
    before: &'static str,
    /// What it did while it ran.
    banned: &'static str,
    /// Whether the ban acts there; nothing if it couldn't be tried.
    acts: Option<bool>,
}

/// Bans a spare loopback address, connects from there to every TCP door, and lifts the ban.
pub(crate) async fn try_doors(bans: &Bans, doors: &[Door]) -> Result<Vec<Tried>, Failure> {
    let spare = spare(bans)?;
    let mut all = Vec::new();
    for door in doors.iter().filter(|door| door.port.is_some()) {
        let (name, address) = (door.listener.name(), door.address.clone());
        let reached = door.address.parse::<SocketAddr>().ok().filter(SocketAddr::is_ipv4);
        let Some(mut to) = reached else {
            let banned = "not tried: IPv6 has no spare loopback address";
            all.push((None, Tried { door: name, address, before: "-", banned, acts: None }));
            continue;
        };
        if to.ip().is_unspecified() {
            to.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let before = match knock(spare, to, BAN_TEST_LOOK).await {
            Knocked::Heard => "answered",
            Knocked::Open => "open",
            Knocked::Nothing => "shut",
        };
        all.push((Some(to), Tried { door: name, address, before, banned: "-", acts: None }));
    }
    let network = Network::host(spare);
    let (by, time) = (BannedBy::Test, BanTime::For(BAN_TEST_TIME));
    let why = "to see that bans act".to_owned();
    bans.add(BanWish { network, by, why, time, force: true }).map_err(|e| Failure::Refused(e.to_string()))?;
    for (to, tried) in &mut all {
        let Some(to) = to else { continue };
        let (banned, acts) = match knock(spare, *to, BAN_TEST_WAIT).await {
            Knocked::Nothing => ("nothing", true),
            Knocked::Heard => ("ANSWERED", false),
            Knocked::Open => ("STAYED OPEN", false),
        };
        (tried.banned, tried.acts) = (banned, Some(acts));
    }
    bans.remove(&network);
    bans.kept().await?;
    Ok(all.into_iter().map(|(_, tried)| tried).collect())
}

/// Long enough for a door to say its first word, or to shut.
const BAN_TEST_LOOK: Duration = Duration::from_millis(500);

/// A loopback address that nobody is likely to use, another one each time.
pub(crate) fn spare(bans: &Bans) -> Result<IpAddr, Failure> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(251).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let [_, high, middle, low] = number.to_be_bytes();
    let spare = IpAddr::V4(Ipv4Addr::new(127, high | 128, middle, low.clamp(1, 254)));
    match bans.banned(spare) {
        None => Ok(spare),
        Some(ban) => Err(Failure::Refused(format!("{} is banned: lift that first", ban.network))),
    }
}

/// What a door does with whoever connects.
enum Knocked {
    /// It says something.
    Heard,
    /// It waits for the other side.
    Open,
    /// It shuts without a word, or nobody opens.
    Nothing,
}

async fn knock(from: IpAddr, to: SocketAddr, wait: Duration) -> Knocked {
    let connected = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(to).await
    };
    let Ok(Ok(mut stream)) = timeout(wait, connected).await else { return Knocked::Nothing };
    match timeout(wait, stream.read(&mut [0; 1])).await {
        Ok(Ok(1..)) => Knocked::Heard,
        Ok(_) => Knocked::Nothing,
        Err(_) => Knocked::Open,
    }
}

/// The login guard of a store.
pub(crate) async fn logins(
    store: &Arc<LocalStore>,
    bans: &Arc<Bans>,
    rules: &RuleBook,
    config: &Config,
    events: &Events,
) -> Result<Arc<Logins>, Failure> {
    let logins =
        Logins::open(store.clone(), bans.clone(), rules.clone(), Arc::new(SystemClock), events.clone()).await?;
    logins.set(login_settings(config));
    Ok(logins)
}

/// What the configuration says to the login guard.
pub(crate) fn login_settings(config: &Config) -> LoginSettings {
    let accounts = config.bans.never.iter().filter_map(|never| match never {
        Never::Account(address) => Some(address.clone()),
        Never::Network(_) => None,
    });
    LoginSettings { guard: config.logins.guard, never: accounts.collect() }
}
