//! The supervisor's own process.

use super::command::{self, Plan};
use super::firewall::{self, Wall};
use super::scans::Scans;
use super::{Order, Report, TOO_MANY, lines, order};
use crate::compose::{checks, privilege};
use crate::failure::Failure;
use crate::place::Place;
use mailward_core::limits::{FIREWALL_GATHER_TIME, FIREWALL_RETRY_TIME, SUPERVISOR_ORDERS_MAX, SUPERVISOR_QUEUE_MAX};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as Socket;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

/// Works on the socket that is standard input until the server is gone.
pub(crate) fn work(place: &Place) -> Result<(), Failure> {
    privilege::closed_to_others().map_err(|e| Failure::io("the supervisor can't be closed to others", e))?;
    checks::configuration_is_ours(place)?;
    let plan = Plan::of(place)?;
    let scans = Scans::new(Plan::of_engines(place)?, place.config().limits.message_size);
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
        serve(from, to, plan, &scans, wall).await;
        drop(signals);
        Ok(())
    })
}

/// The wall that is kept, changed by orders while it is made: nothing waits for `nft`.
struct Kept {
    wall: Mutex<Wall>,
    changed: Notify,
}

impl Kept {
    fn change(&self, how: impl FnOnce(&mut Wall, Instant)) {
        how(&mut self.wall(), Instant::now());
        self.changed.notify_one();
    }
    fn wall(&self) -> MutexGuard<'_, Wall> {
        self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn serve(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    plan: Option<Plan>,
    scans: &Scans,
    wall: Option<Wall>,
) {
    let (tell, told) = channel(SUPERVISOR_QUEUE_MAX);
    let (run, runs) = channel(SUPERVISOR_ORDERS_MAX);
    let kept = wall.map(|wall| Kept { wall: Mutex::new(wall), changed: Notify::new() });
    tokio::select! {
        // Each of them ends when the server is gone, and what is under way with it: a command that is dropped is killed.
        () = hear(from, &run, scans, kept.as_ref(), &tell) => {}
        () = scans.run(&tell) => {}
        () = say(to, told) => {}
        () = run_all(plan, runs, &tell) => {}
        () = keep(kept.as_ref(), &tell) => {}
    }
    if kept.is_some() {
        // Nobody would be left to hear that it fails.
        let _gone = firewall::take_out().await;
    }
}

/// Reads orders until there are no more, or one is none.
async fn hear(
    from: OwnedReadHalf,
    run: &Sender<(u64, String)>,
    scans: &Scans,
    kept: Option<&Kept>,
    tell: &Sender<Report>,
) {
    let mut from = BufReader::new(from);
    while let Ok(Some(line)) = lines::next(&mut from).await {
        match order(&line) {
            Ok(Order::Run { id, alert }) => {
                if run.try_send((id, alert.to_string())).is_err() {
                    let failed = Some(TOO_MANY.to_owned());
                    if tell.send(Report::Ran { id, failed, output: String::new() }).await.is_err() {
                        return;
                    }
                }
            }
            Ok(Order::Piece { id, data }) => scans.piece(id, &data),
            Ok(Order::Forget { id }) => scans.forget(id),
            Ok(Order::Scan { id, engine, bytes }) => {
                if let Some(refused) = scans.scan(id, engine, bytes)
                    && tell.send(refused).await.is_err()
                {
                    return;
                }
            }
            // What is ordered for a wall that isn't wanted changes nothing.
            Ok(Order::Ban { network, seconds, at }) => {
                if let Some(kept) = kept {
                    kept.change(|wall, now| wall.ban(network.0, at, firewall::until(now, seconds), now));
                }
            }
            Ok(Order::Unban { network }) => {
                if let Some(kept) = kept {
                    kept.change(|wall, _| wall.unban(&network.0));
                }
            }
            // The server doesn't say such a thing.
            Err(_) => return,
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
                let ended = command::run(plan, text + "\n").await;
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
async fn keep(kept: Option<&Kept>, tell: &Sender<Report>) {
    let Some(kept) = kept else { return std::future::pending().await };
    let (mut works, mut beyond) = (None, 0);
    loop {
        let work = kept.wall().work(Instant::now());
        let failed = firewall::apply(&work.script).await.err();
        let mut news = Vec::new();
        if works != Some(failed.is_none()) {
            works = Some(failed.is_none());
            news.push(Report::Firewall { failed });
        }
        if (work.beyond > 0) != (beyond > 0) {
            news.push(Report::Beyond { networks: work.beyond });
        }
        beyond = work.beyond;
        for report in news {
            if tell.send(report).await.is_err() {
                return;
            }
        }
        // Also when all is well: whoever loads rules of their own has emptied ours, and what it didn't hold may fit now.
        let again = firewall::until(Instant::now(), FIREWALL_RETRY_TIME.as_secs());
        tokio::select! {
            // What comes in the same moment shares the work, also where much comes at once.
            () = kept.changed.notified() => tokio::time::sleep(FIREWALL_GATHER_TIME).await,
            () = sleep_until(work.anew.map_or(again, |anew| anew.min(again))) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::Network;
    use mailward_core::config::Config;
    use std::fmt::Write as _;
    use tokio::io::AsyncWriteExt as _;

    /// However long `nft` takes and however much is banned meanwhile.
    #[tokio::test]
    async fn an_alert_behind_very_many_bans_is_run_while_the_firewall_is_busy() {
        let wall = Wall::of(&Config::parse("[bans]\nfirewall = true\n", "m.toml").unwrap().config).unwrap();
        let kept = Kept { wall: Mutex::new(wall), changed: Notify::new() };
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (from, _to) = theirs.into_split();
        let (tell, _told) = channel(SUPERVISOR_QUEUE_MAX);
        let (run, mut runs) = channel(SUPERVISOR_ORDERS_MAX);
        let write = async move {
            let mut ours = ours;
            let mut text = String::new();
            for n in 0..4 * u32::try_from(SUPERVISOR_QUEUE_MAX).unwrap() {
                let network = Network::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into());
                writeln!(text, r#"{{"do":"ban","network":"{network}","seconds":60,"at":"all"}}"#).unwrap();
            }
            text.push_str("{\"do\":\"run\",\"id\":7,\"alert\":{}}\n");
            ours.write_all(text.as_bytes()).await.unwrap();
            ours
        };
        // Nobody keeps the wall: `nft` hangs.
        let scans = Scans::new(Vec::new(), 0);
        let (_ours, (id, _)) = tokio::select! {
            () = hear(from, &run, &scans, Some(&kept), &tell) => panic!("an order isn't understood"),
            both = async { tokio::join!(write, async { runs.recv().await.unwrap() }) } => both,
        };
        assert_eq!(id, 7);
    }
}
