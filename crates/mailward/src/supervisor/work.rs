//! The supervisor's own process.

use super::command::{self, Plan};
use super::firewall::{self, Wall};
use super::{Order, Report, lines, order};
use crate::compose::checks;
use crate::failure::Failure;
use crate::place::Place;
use mailward_core::Network;
use mailward_core::limits::{FIREWALL_GATHER_TIME, FIREWALL_RETRY_TIME, SUPERVISOR_ORDERS_MAX, SUPERVISOR_QUEUE_MAX};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as Socket;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

/// Works on the socket that is standard input until the server is gone.
pub(crate) fn work(place: &Place) -> Result<(), Failure> {
    checks::configuration_is_ours(place)?;
    let plan = Plan::of(place)?;
    let wall = Wall::of(place.config());
    let failed = |e| Failure::io("the supervisor's socket", e);
    let socket = Socket::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    // Whoever starts this by hand has no server at the other end.
    socket.peer_addr().map_err(|_| Failure::Usage("this is for `mailward serve` to start".to_owned()))?;
    socket.set_nonblocking(true).map_err(failed)?;
    // Standard input stays open otherwise, and it is the same socket: that is the server's end to close.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        // Signals that end a server reach all of its processes at once; this one ends after it. (A handler, and not
        // ignored: what is ignored stays ignored in programs that are run.)
        let mut signals = Vec::new();
        for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
            signals.push(signal(kind).map_err(failed)?);
        }
        let (from, to) = UnixStream::from_std(socket).map_err(failed)?.into_split();
        serve(from, to, plan, wall).await;
        drop(signals);
        Ok(())
    })
}

/// A change of the firewall.
enum Change {
    Ban(Network, u64),
    Unban(Network),
}

async fn serve(from: OwnedReadHalf, to: OwnedWriteHalf, plan: Option<Plan>, wall: Option<Wall>) {
    let (tell, told) = channel(SUPERVISOR_QUEUE_MAX);
    let (run, runs) = channel(SUPERVISOR_ORDERS_MAX);
    let (change, changes) = channel(SUPERVISOR_QUEUE_MAX);
    let has_wall = wall.is_some();
    tokio::select! {
        // Each of them ends when the server is gone, and what is under way with it: a command that is dropped is killed.
        () = hear(from, &run, &change, &tell) => {}
        () = say(to, told) => {}
        () = run_all(plan, runs, &tell) => {}
        () = keep(wall, changes, &tell) => {}
    }
    if has_wall {
        // Nobody would be left to hear that it fails.
        let _gone = firewall::take_out().await;
    }
}

/// Reads orders until there are no more, or one is none.
async fn hear(from: OwnedReadHalf, run: &Sender<(u64, String)>, change: &Sender<Change>, tell: &Sender<Report>) {
    let mut from = BufReader::new(from);
    while let Ok(Some(line)) = lines::next(&mut from).await {
        let sent = match order(&line) {
            Ok(Order::Run { id, alert }) => match run.try_send((id, alert.to_string())) {
                Ok(()) => Ok(()),
                Err(_) => {
                    let failed = Some("too many alerts wait for the command".to_owned());
                    tell.send(Report::Ran { id, failed, output: String::new() }).await.map_err(drop)
                }
            },
            Ok(Order::Ban { network, seconds }) => change.send(Change::Ban(network.0, seconds)).await.map_err(drop),
            Ok(Order::Unban { network }) => change.send(Change::Unban(network.0)).await.map_err(drop),
            // The server doesn't say such a thing.
            Err(_) => Err(()),
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn say(mut to: OwnedWriteHalf, mut told: Receiver<Report>) {
    while let Some(report) = told.recv().await {
        if lines::put(&mut to, &report).await.is_err() {
            return;
        }
    }
}

/// Runs the command, for one alert at a time.
async fn run_all(plan: Option<Plan>, mut runs: Receiver<(u64, String)>, tell: &Sender<Report>) {
    while let Some((id, text)) = runs.recv().await {
        let report = match &plan {
            Some(plan) => {
                let ended = command::run(plan, &text).await;
                Report::Ran { id, failed: ended.failed, output: ended.output }
            }
            None => Report::Ran { id, failed: Some("no command is configured".to_owned()), output: String::new() },
        };
        if tell.send(report).await.is_err() {
            return;
        }
    }
}

/// Keeps the firewall's table.
async fn keep(wall: Option<Wall>, mut changes: Receiver<Change>, tell: &Sender<Report>) {
    let Some(mut wall) = wall else {
        // What is ordered for a wall that isn't wanted changes nothing.
        while changes.recv().await.is_some() {}
        return;
    };
    let mut works = None;
    loop {
        let (script, anew) = wall.script(Instant::now());
        let failed = firewall::apply(&script).await.err();
        if works != Some(failed.is_none()) {
            works = Some(failed.is_none());
            if tell.send(Report::Firewall { failed: failed.clone() }).await.is_err() {
                return;
            }
        }
        // Also when all is well: whoever loads rules of their own has emptied ours.
        let again = firewall::until(Instant::now(), FIREWALL_RETRY_TIME.as_secs());
        let first = tokio::select! {
            change = changes.recv() => change,
            () = sleep_until(anew.map_or(again, |anew| anew.min(again))) => continue,
        };
        let Some(first) = first else { return };
        let now = Instant::now();
        // What comes in the same moment shares the work, also where much comes at once.
        tokio::time::sleep(FIREWALL_GATHER_TIME).await;
        let mut next = Some(first);
        let mut taken = 0usize;
        while let Some(change) = next {
            match change {
                // Beyond its size, bans act in the server alone.
                Change::Ban(network, seconds) => drop(wall.ban(network, firewall::until(now, seconds), now)),
                Change::Unban(network) => wall.unban(&network),
            }
            taken = taken.saturating_add(1);
            next = if taken < SUPERVISOR_QUEUE_MAX { changes.try_recv().ok() } else { None };
        }
    }
}
