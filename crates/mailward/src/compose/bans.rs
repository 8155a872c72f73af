//! Bans: opened, told what the file says of them, and acted on in the sessions that are there.

use crate::failure::Failure;
use mailward_core::config::{Config, Never};
use mailward_core::event::{Event, Events};
use mailward_core::{Shutdown, SystemClock};
use mailward_gate::Gate;
use mailward_gate::bans::{Ban, BanNews, Bans};
use mailward_store::LocalStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

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

/// Writes bans and ends the sessions of who is banned, until the server stops.
pub(crate) fn watch(bans: &Arc<Bans>, gate: &Arc<Gate>, events: &Events, shutdown: &Shutdown) -> JoinHandle<()> {
    tokio::spawn(end_sessions(bans.clone(), gate.clone(), events.clone(), shutdown.clone()));
    tokio::spawn(bans.clone().run(shutdown.clone()))
}

async fn end_sessions(bans: Arc<Bans>, gate: Arc<Gate>, events: Events, mut shutdown: Shutdown) {
    loop {
        let (all, mut news) = bans.subscribe();
        for ban in &all {
            end_of(ban, &gate, &events);
        }
        loop {
            let one = tokio::select! {
                biased;
                () = shutdown.fired() => return,
                one = news.recv() => one,
            };
            match one {
                Ok(BanNews::Added(ban)) => end_of(&ban, &gate, &events),
                Ok(BanNews::Removed(_)) => {}
                // Some were missed: look at all of them.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// A guard's ban ends sessions that nobody is logged in to: behind the same address may be others, whose login was good. What
/// an administrator bans gets nothing.
fn end_of(ban: &Ban, gate: &Gate, events: &Events) {
    for session in gate.end_sessions_from(&ban.network, ban.by.by_hand()) {
        let mut event = Event::info("session.ended").with_peer(&session.peer);
        if let Some(user) = &session.user {
            event = event.with("user", user);
        }
        events.emit(event.with("why", "banned"));
    }
}
