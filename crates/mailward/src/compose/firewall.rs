//! Bans, told to the supervisor, which keeps them in the host's firewall as well.

use crate::supervisor::{Ports, Supervisor};
use mailward_core::limits::BAN_TIME_MAX;
use mailward_core::{Clock as _, Network, Shutdown, SystemClock, Timestamp};
use mailward_gate::bans::{Ban, BanNews, BanScope, Bans};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Tells every ban that runs and what comes after, until the server stops or the supervisor is gone: that is an alert of its
/// own, and bans act in the server either way.
pub(crate) async fn follow(bans: Arc<Bans>, supervisor: Supervisor, mut shutdown: Shutdown) {
    tokio::select! {
        () = shutdown.fired() => {}
        () = tell(&bans, &supervisor) => {}
    }
}

async fn tell(bans: &Bans, supervisor: &Supervisor) {
    let mut told: BTreeSet<Network> = BTreeSet::new();
    loop {
        let (all, mut news) = bans.subscribe();
        let run: BTreeSet<Network> = all.iter().map(|ban| ban.network).collect();
        for over in told.difference(&run) {
            if !supervisor.unban(*over).await {
                return;
            }
        }
        told = run;
        for ban in &all {
            if !supervisor.ban(ban.network, at(ban), left(ban, SystemClock.now())).await {
                return;
            }
        }
        loop {
            let heard = match news.recv().await {
                Ok(BanNews::Added(ban)) => {
                    told.insert(ban.network);
                    supervisor.ban(ban.network, at(&ban), left(&ban, SystemClock.now())).await
                }
                Ok(BanNews::Removed(network)) => {
                    told.remove(&network);
                    supervisor.unban(network).await
                }
                // Some were missed: all of them anew.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => false,
            };
            if !heard {
                return;
            }
        }
    }
}

/// Where it acts.
const fn at(ban: &Ban) -> Ports {
    match ban.scope() {
        BanScope::All => Ports::All,
        BanScope::Logins => Ports::Logins,
    }
}

/// How long a ban still runs. One for good is told anew with each start.
fn left(ban: &Ban, now: Timestamp) -> Duration {
    let left = ban.until.map(|until| u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0));
    left.map_or(BAN_TIME_MAX, Duration::from_millis)
}
