//! The audit: what it looks at here, and the one that a running server makes every day.

mod canary;

pub(crate) use canary::{OwnAccount, Server};

use crate::control::audit::Known;
use crate::control::desk::Desk;
use crate::failure::Failure;
use crate::place::Place;
use jiff::Zoned;
use mailward_audit::evidence::Run;
use mailward_audit::knock::Anchors;
use mailward_audit::probe::Peers;
use mailward_audit::reminders::{Reminder, letters};
use mailward_audit::{
    Area, Canary as _, Control, Door, Host, HostPrograms, Machine, Ours, Probe, Progress, Protocol, Record, Scene,
    Weights, all, run, run_gently, score,
};
use mailward_core::config::{Audit, AuditMachine, AuditPeer, AuditPerson};
use mailward_core::event::{Event, Events};
use mailward_core::limits::AUDIT_RUN_TIME;
use mailward_core::{Clock as _, Listener, Shutdown, SystemClock};
use mailward_dns::Lookup;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the configuration says of who answers for what.
pub(crate) fn people(lines: &[AuditPerson]) -> BTreeMap<Area, String> {
    let mut people = BTreeMap::new();
    for line in lines {
        for (number, area) in Area::ALL.iter().enumerate() {
            if line.area.is_none_or(|only| only == number) {
                people.insert(*area, line.address.to_string());
            }
        }
    }
    people
}

/// What the configuration says of what areas count for.
pub(crate) fn weights(config: &Audit) -> Weights {
    let lines = config.weights.iter().filter_map(|line| Some((*Area::ALL.get(line.area)?, line.weight)));
    Weights(lines.collect())
}

/// What there is to look at. `known` is what the server says; without one, what it would say isn't tested.
pub(crate) fn scene(
    config: &Audit,
    host: Host,
    known: Option<Known>,
    names: Option<Arc<dyn Lookup>>,
    data: &Path,
) -> Scene {
    let machine = match config.machine {
        AuditMachine::Guess => None,
        AuditMachine::Metal => Some(Machine::Metal),
        AuditMachine::Virtual => Some(Machine::Virtual),
        AuditMachine::Container => Some(Machine::Container),
    };
    let mut scene = Scene {
        anchors: anchors(data, ""),
        names,
        owners: people(&config.owners),
        deputies: people(&config.deputies),
        machine,
        peers: peers(&config.peers, data),
        ..Scene::of(host, SystemClock.now())
    };
    if let Some(known) = known {
        tell_of_now(&mut scene, known, data);
    }
    scene
}

/// What the server says now, instead of what it said before.
fn tell_of_now(scene: &mut Scene, known: Known, data: &Path) {
    let name = known.state.name.clone().unwrap_or_default();
    scene.doors = known.doors.iter().filter_map(|(listener, address)| door(listener, address, &name)).collect();
    scene.anchors = anchors(data, &name);
    (scene.state, scene.statements, scene.actions) = (Some(known.state), known.statements, known.actions);
}

/// What peers saw from elsewhere: files in the data directory, signed with keys that the configuration names.
fn peers(lines: &[AuditPeer], data: &Path) -> Peers {
    let keys = lines.iter().map(|line| (line.name.clone(), line.key_bytes())).collect();
    Peers::in_directory(&data.join("audit/peers"), &keys)
}

/// The host that this runs on, and where we are on it.
pub(crate) fn host(place: &Place) -> Host {
    let own = Ours::default();
    let path = |path: &Path| path.display().to_string();
    let configuration = place.file.as_deref().and_then(Path::parent).map_or(own.configuration, path);
    let program = std::env::current_exe().map_or(own.program, |program| path(&program));
    let ours = Ours { data: path(place.data()), configuration, program, allowed: own.allowed };
    Host::ours(Box::new(HostPrograms::default())).with_ours(ours)
}

/// Whose certificates are trusted: the authorities that this system trusts. A name that no public authority certifies (RFC 6761)
/// is a trial's, whose own authority is trusted, too.
pub(crate) fn anchors(data: &Path, name: &str) -> Anchors {
    let is_trial = ["test", "example", "invalid", "localhost"].iter().any(|top| name.rsplit('.').next() == Some(top));
    let own = if is_trial { std::fs::read(data.join("tls/ca.pem")).unwrap_or_default() } else { Vec::new() };
    Anchors::system_and(&own)
}

/// A door as it is reached from here; a Unix socket is no door of the network.
fn door(listener: &str, address: &str, name: &str) -> Option<Door> {
    let address: SocketAddr = address.parse().ok()?;
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let protocol = match Listener::ALL.into_iter().find(|known| known.name() == listener)? {
        Listener::Smtp => Protocol::Smtp,
        Listener::Submission => Protocol::Submission,
        Listener::Submissions => Protocol::Submissions,
        Listener::Imap => Protocol::Imap,
        Listener::Imaps => Protocol::Imaps,
        Listener::Pop3 => Protocol::Pop3,
        Listener::Pop3s => Protocol::Pop3s,
        Listener::Lmtp => Protocol::Lmtp,
        Listener::Https => Protocol::Https,
        // Plain HTTP is for a program in front, on loopback.
        Listener::Http => return None,
    };
    Some(Door { protocol, address: SocketAddr::new(ip, address.port()), name: name.to_owned() })
}

/// Whether one of them needs an account of its own.
fn needs_account(controls: &[&'static Control]) -> bool {
    controls.iter().any(|control| matches!(control.probe, Probe::Doors | Probe::Injection))
}

/// The same with an account of the audit's own, which is there as long as it takes. Without one, what needs it isn't tested.
pub(crate) async fn look_within(
    server: Server,
    data: &Path,
    controls: &[&'static Control],
    mut scene: Scene,
    weights: Weights,
    stop: &Shutdown,
    progress: &mut dyn Progress,
) -> Result<Run, Failure> {
    if !needs_account(controls) {
        return Ok(look(controls, scene, weights, stop, progress).await);
    }
    let own = match OwnAccount::make(server.clone(), stop, progress).await {
        Ok(Some((own, account, waited))) => {
            scene.canary = Some(account);
            let known = if waited { Some(server.known().await) } else { None };
            match known.transpose() {
                // Whatever another audit changed meanwhile, this one finds what it finds alone.
                Ok(Some(known)) => tell_of_now(&mut scene, known, data),
                Ok(None) => {}
                Err(failure) => {
                    let _later = own.forget().await;
                    return Err(failure);
                }
            }
            Some(own)
        }
        Ok(None) => return Err(Failure::Refused("another audit goes on, and didn't end in time".to_owned())),
        // No domain, for one: that is what controls say then.
        Err(Failure::Refused(_) | Failure::NoServer(_)) => None,
        Err(other) => return Err(other),
    };
    // What is old or over is so when it is this one's turn.
    scene.now = SystemClock.now();
    let alive = own.clone().map(|own| tokio::spawn(own.stay()));
    let run = in_time(look(controls, scene, weights, stop, progress)).await;
    if let Some(alive) = alive {
        alive.abort();
    }
    if let Some(own) = own {
        // What is left goes by itself, later.
        let _later = own.forget().await;
    }
    run
}

/// What hangs is told of.
async fn in_time(run: impl Future<Output = Run>) -> Result<Run, Failure> {
    let late = |_| Failure::Refused(format!("it isn't over after {} minutes", AUDIT_RUN_TIME.as_secs() / 60));
    tokio::time::timeout(AUDIT_RUN_TIME, run).await.map_err(late)
}

/// Runs these controls and makes a run of it, which isn't kept yet.
pub(crate) async fn look(
    controls: &[&'static Control],
    scene: Scene,
    weights: Weights,
    stop: &Shutdown,
    progress: &mut dyn Progress,
) -> Run {
    let name = scene.state.as_ref().and_then(|state| state.name.clone()).unwrap_or_default();
    let began = SystemClock.now();
    let scene = Arc::new(scene);
    // Whoever asks for some of them, to see what they mended, waits for them.
    let records = if controls.len() < all().len() {
        run(controls, scene, &SystemClock, stop, progress).await
    } else {
        run_gently(controls, scene, &SystemClock, stop, progress).await
    };
    Run {
        number: 0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name,
        began,
        ended: SystemClock.now(),
        overdue: Vec::new(),
        score: score(&records, &weights, &[]),
        weights,
        records,
    }
}

/// Makes this thread, those that it starts, and the programs that they ask, wait for who has mail to move. Of a host that is
/// busy on all its processors an audit that is waited for still gets a tenth of one, and a daily one what is left.
pub(crate) fn give_way(is_waited_for: bool) {
    let steps = if is_waited_for { 10 } else { 19 };
    // On Linux this is the thread's own priority; threads and programs begin with that of who starts them.
    let _as_it_was = rustix::process::nice(steps);
}

/// Audits every day at the configured hour, in a thread of its own that gives way to everything else.
pub(super) fn daily(desk: Desk, events: Events, shutdown: Shutdown) {
    let told = events.clone();
    let spawned = std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
        give_way(false);
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(every_day(desk, events, shutdown)),
            Err(error) => events.emit(Event::alert("audit.stopped").with("why", error)),
        }
    });
    if let Err(error) = spawned {
        told.emit(Event::alert("audit.stopped").with("why", error));
    }
}

async fn every_day(desk: Desk, events: Events, mut shutdown: Shutdown) {
    // Of a run that was killed.
    if let Err(failure) = desk.forget_canaries().await {
        events.emit(Event::alert("audit.stopped").with("why", failure));
    }
    loop {
        // Every hour, whether or not audits are made here: they come together, once a day.
        if let Err(failure) = remind(&desk, &events).await {
            events.emit(Event::alert("audit.stopped").with("why", failure));
        }
        let hour = desk.server.as_ref().and_then(|server| server.audit().hour);
        let wait = hour.map_or(Duration::from_secs(3_600), |hour| until(hour, &Zoned::now()));
        tokio::select! {
            biased;
            () = shutdown.fired() => return,
            // The hour may be another one by then: nobody waits for longer than an hour without looking again.
            () = tokio::time::sleep(wait.min(Duration::from_secs(3_600))) => {}
        }
        if hour.is_some() && wait <= Duration::from_secs(3_600) {
            match once(&desk, &events, &shutdown).await {
                Ok(()) => {}
                Err(failure) => events.emit(Event::alert("audit.stopped").with("why", failure)),
            }
        }
    }
}

/// How long until it is that hour next: more than nothing, so that an hour is met once.
fn until(hour: u8, now: &Zoned) -> Duration {
    let passed = now.time().hour();
    let hours = i64::from(hour).saturating_sub(i64::from(passed)).rem_euclid(24);
    let into = i64::from(now.time().minute()).saturating_mul(60).saturating_add(i64::from(now.time().second()));
    let seconds = hours.saturating_mul(3_600).saturating_sub(into);
    let seconds = if seconds <= 0 { seconds.saturating_add(86_400) } else { seconds };
    Duration::from_secs(u64::try_from(seconds).unwrap_or(86_400))
}

async fn once(desk: &Desk, events: &Events, shutdown: &Shutdown) -> Result<(), Failure> {
    let Some(server) = &desk.server else { return Ok(()) };
    let config = server.audit();
    let (host, data) = (host(server.place()), server.place().data());
    let scene = scene(&config, host, Some(desk.audit_known().await?), desk.lookup.clone(), data);
    let own = Server::Here(Box::new(desk.clone()));
    let run = look_within(own, data, &all(), scene, weights(&config), shutdown, &mut ()).await?;
    if shutdown.is_fired() {
        return Ok(());
    }
    // One by hand may have ended meanwhile.
    let before = desk.audit_failing().await?;
    let (kept, seal) = desk.audit_keep(run, people(&config.owners)).await?;
    tell(events, &before, &kept, &seal);
    Ok(())
}

/// Reminds people of what is to be mended: each of theirs, in an alert that goes to them as well.
async fn remind(desk: &Desk, events: &Events) -> Result<(), Failure> {
    let Some(server) = &desk.server else { return Ok(()) };
    let config = server.audit();
    let (audit, events) = (desk.audit.clone(), events.clone());
    let reminded = tokio::task::spawn_blocking(move || {
        let tell = |due: &[Reminder]| {
            for letter in letters(due) {
                let event = Event::alert("audit.reminder").with("due", letter.due).with("overdue", letter.overdue);
                let event = match &letter.to {
                    Some(who) => event.with("who", who),
                    None => event,
                };
                events.emit(event.in_words(&letter.subject, &letter.lines));
            }
        };
        audit.remind(&people(&config.deputies), &weights(&config), tell)
    });
    reminded.await.map_err(|error| Failure::Bug(error.to_string()))?
}

/// Tells what changed, and nothing else.
fn tell(events: &Events, before: &BTreeSet<String>, kept: &Run, seal: &str) {
    let points = format!("{}.{:02}", kept.score.total / 100, kept.score.total.rem_euclid(100));
    let failing: BTreeSet<String> = failing(&kept.records).collect();
    let done = Event::info("audit.done").with("number", kept.number).with("points", points);
    // A log that is kept elsewhere is where a seal is written down.
    events.emit(done.with("failed", failing.len()).with("seal", seal));
    for id in failing.difference(before) {
        let said = kept.records.iter().find(|record| record.id == *id).map_or("", |record| record.said.as_str());
        events.emit(Event::alert("audit.failed").with("control", id).with("why", said));
    }
    for id in before.difference(&failing) {
        events.emit(Event::info("audit.mended").with("control", id));
    }
}

/// Controls that failed.
pub(crate) fn failing(records: &[Record]) -> impl Iterator<Item = String> {
    records.iter().filter(|record| record.verdict.is_failure()).map(|record| record.id.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::{in_time, until};
    use crate::failure::Failure;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use mailward_core::limits::AUDIT_RUN_TIME;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn an_audit_that_hangs_is_told_of() {
        let began = Instant::now();
        let late = in_time(std::future::pending()).await;
        assert!(matches!(late, Err(Failure::Refused(why)) if why == "it isn't over after 30 minutes"));
        assert!(began.elapsed() >= AUDIT_RUN_TIME);
    }

    #[test]
    fn the_next_time_is_that_hour_ever_later_and_never_now() {
        let at = |hour, minute, second| date(2026, 1, 2).at(hour, minute, second, 0).to_zoned(TimeZone::UTC).unwrap();
        for (now, seconds) in [
            (at(3, 0, 0), 3_600),
            (at(3, 59, 59), 1),
            (at(4, 0, 0), 86_400),
            (at(4, 0, 1), 86_399),
            (at(5, 0, 0), 23 * 3_600),
        ] {
            assert_eq!(until(4, &now), Duration::from_secs(seconds), "{now}");
        }
    }
}
