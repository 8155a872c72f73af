//! # compose: the composition root
//!
//! **For**: putting the rooms together into one running server, and taking it apart again. The order matters and is
//! here: look at everything that can be wrong, bind the doors, give up rights, only then start threads, open the
//! store and let anybody in.
//!
//! **Limits**: `limits::STOP_TIME` for sessions to end; descriptors for `limits.connections` are asked for at the
//! start.
//!
//! **Failure**: before the doors open, refusal with file, line and mend; after, an event and the part that failed
//! is left out for that one connection, never the server.

pub(crate) mod accept;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod bans;
pub(crate) mod checks;
pub(crate) mod content;
mod digest;
mod dmarc;
pub(crate) mod doors;
pub(crate) mod fetching;
mod firewall;
pub(crate) mod gate;
pub(crate) mod log;
pub(crate) mod notify;
pub(crate) mod privilege;
mod quarantine;
pub(crate) mod reputation;
mod rescan;
pub(crate) mod rules;
mod running;
pub(crate) mod scanning;
pub(crate) mod sending;
pub(crate) mod spam;
mod upkeep;
pub(crate) mod watch;

pub(crate) use running::Running;
pub(crate) use upkeep::{dkim, open_store, routes, server_secret};

use crate::control;
use crate::control::audit::AuditDesk;
use crate::control::care::CareDesk;
use crate::control::desk::Desk;
use crate::control::greylist::Memory;
use crate::control::milter::MilterDesk;
use crate::control::spam::SpamDesk;
use crate::failure::Failure;
use crate::place::Place;
use crate::sendmail::pickup;
use crate::sendmail::spool::Spool;
use crate::supervisor;
use accept::programs::Programs;
use accept::{Rooms, Sessions};
use doors::Doors;
use log::Log;
use mailward_core::event::{Event, Events, Heard};
use mailward_core::limits::{LOG_AHEAD, STOP_TIME};
use mailward_core::{Clock as _, Domain, Listener, Shutdown, ShutdownTrigger, SystemClock, shutdown};
use mailward_directory::{Authenticator, Directory};
use mailward_gate::Gate;
use mailward_inspect::Inspector;
use mailward_store::LocalStore;
use mailward_store::maintenance::compact_in_background;
use mailward_tls::Acceptor;
use nix::unistd::geteuid;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// Everything that is needed to start, looked at and found good; rights are given up; no thread runs yet.
pub(crate) struct Prepared {
    place: Place,
    hostname: Domain,
    acceptor: Acceptor,
    doors: Doors,
    connections: usize,
    log: Log,
    supervisor: Option<supervisor::Made>,
    notes: Vec<String>,
}

/// What runs, for whoever started it.
pub(crate) struct Started {
    pub(crate) desk: Desk,
    pub(crate) running: Running,
}

/// The first half, in the one thread that there is.
pub(crate) fn prepare(place: Place) -> Result<Prepared, Failure> {
    privilege::private_files();
    let (hostname, acceptor) = checks::before_serving(&place)?;
    let mut notes = Vec::new();
    let connections = privilege::raise_open_files(&place.loaded, &mut notes)?;
    let mut doors = doors::bind(&place.loaded, &mut notes)?;
    let made = for_programs(&place, &mut notes)?;
    notes.extend(supervisor::notes(&place)?);
    let supervisor = supervisor::make(&place)?;
    privilege::give_up(&place.loaded, &mut notes)?;
    doors.bind_the_rest(&place.loaded)?;
    if !made {
        for_programs(&place, &mut notes)?;
    }
    checks::after_giving_up(&place)?;
    alerts::signer(&place)?;
    notes.extend(alerts::note(place.config()));
    let log = Log::open(&place.loaded)?;
    Ok(Prepared { place, hostname, acceptor, doors, connections, log, supervisor, notes })
}

/// Makes the places for programs of this host where they are missing: while there are rights to, or, where the server's user
/// is at home, as that user. Whether it is done.
fn for_programs(place: &Place, notes: &mut Vec<String>) -> Result<bool, Failure> {
    let Some(directory) = &place.config().sendmail.directory else { return Ok(true) };
    if privilege::leads_through_the_server_s(&place.loaded, directory)? {
        return Ok(false);
    }
    let root = geteuid().is_root();
    let owner = if root { privilege::configured_user(&place.loaded)? } else { None };
    match Spool::in_directory(directory).make(owner.map(|user| (user.uid, user.gid))) {
        Ok(more) => notes.extend(more),
        // Mail of all others can be served without.
        Err(failure) => {
            let what = format!("programs can't hand in mail: {failure}");
            notes.push(place.loaded.fault("sendmail.directory", what).to_string());
        }
    }
    Ok(true)
}

/// The second half: runs until somebody says stop. `ready` is awaited once everything listens; if it fails, the
/// server stops again.
pub(crate) fn run<F, R>(prepared: Prepared, ready: F) -> Result<(), Failure>
where
    F: FnOnce(Started) -> R,
    R: Future<Output = Result<(), Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::io("threads can't be started", e))?;
    let result = runtime.block_on(Box::pin(serve(prepared, ready)));
    // A session that hangs in a system call must not hold the process.
    runtime.shutdown_background();
    result
}

async fn serve<F, R>(prepared: Prepared, ready: F) -> Result<(), Failure>
where
    F: FnOnce(Started) -> R,
    R: Future<Output = Result<(), Failure>>,
{
    let Prepared { place, hostname, acceptor, doors, connections, log, supervisor, notes } = prepared;
    let (mut log, events) = log.start(place.config());
    let heard = (alerts::hear(&events)?, supervisor);
    let signals = Signals::new()?;
    for note in notes {
        events.emit(Event::warn("server.noted").with("text", note));
    }
    let store = open_store(&place, events.clone(), LOG_AHEAD)?;
    let result =
        with_store(place, hostname, acceptor, doors, connections, &log, &events, heard, signals, &store, ready).await;
    store.close().await;
    match &result {
        Ok(()) => events.emit(Event::info("server.stopped")),
        Err(failure) => events.emit(Event::alert("server.stopped").with("why", failure)),
    }
    log.last_word();
    result
}

#[expect(clippy::too_many_arguments, reason = "the one place where everything comes together")]
async fn with_store<F, R>(
    place: Place,
    hostname: Domain,
    acceptor: Acceptor,
    doors: Doors,
    connections: usize,
    log: &log::Started,
    events: &Events,
    (heard, made): (Heard, Option<supervisor::Made>),
    mut signals: Signals,
    store: &Arc<LocalStore>,
    ready: F,
) -> Result<(), Failure>
where
    F: FnOnce(Started) -> R,
    R: Future<Output = Result<(), Failure>>,
{
    let directory = Directory::open(store.clone()).await?;
    let (trigger, shutdown) = shutdown::channel();
    let rules = rules::open(place.config(), store).await?;
    let content = content::open(&place.loaded, store).await?;
    let bans = bans::open(store, events).await?;
    bans::set(&bans, place.config());
    let logins = bans::logins(store, &bans, rules.book(), place.config(), events).await?;
    let gate = Gate::with_bans(running::caps(place.config(), connections), bans.clone());
    gate.tell(events.clone());
    let care = sending::care(place.config(), &hostname, store, &directory, &gate, events);
    let secret = server_secret(place.data())?;
    let dkim = dkim(&directory, store, &secret)?;
    let means = sending::means(place.config(), &hostname, store, &directory, &dkim, &secret)?;
    let (reach, forwarder) = (means.reach.clone(), means.forwarder.clone());
    let reputation = reputation::reputation(place.config(), reach.strangers.clone(), store, events).await;
    let spam_settings = &place.config().spam;
    let spam = spam::open(spam_settings, store, &secret, &directory, Some(reputation.clone()), events).await?;
    let settings = running::Settings::of(place.config());
    let (stop, mut stopped) = tokio::sync::mpsc::channel(1);
    let watch = watch::Watch::open(store, &place.config().rates, &secret, events).await?;
    let strangers = gate::Strangers::open(store, &secret, reputation.clone(), reach.strangers.clone(), &watch).await?;
    let digests = digest::digests(place.config(), &hostname, store, &directory, &secret, events)?;
    let running = Running::new(running::Parts {
        place: place.clone(),
        hostname: hostname.clone(),
        started: SystemClock.now(),
        connections,
        doors: doors.list(),
        acceptor: acceptor.clone(),
        gate: gate.clone(),
        bans: bans.clone(),
        rules: rules.book().clone(),
        content: content.book().clone(),
        logins: logins.clone(),
        settings: settings.clone(),
        care: care.clone(),
        reputation: reputation.clone(),
        spam: spam.clone(),
        events: events.clone(),
        log: log.reopener(),
        rates: watch.rates.clone(),
        digests: digests.clone(),
        stop,
    });
    let routes = routes(store, &secret).await?;
    routes.report_to(events.clone());
    directory.lead_by(routes.clone());
    let telling = alerts::start(alerts::Means {
        place: &place,
        hostname: &hostname,
        store,
        directory: &directory,
        reach: &reach,
        made,
        heard,
        events,
    })?;
    let sent = sending::sending(place.config(), &hostname, store, &directory, &care, means, events)?;
    sent.tell_of_gateways(&routes, events);
    let inside = sent.ways.inside(&hostname, &reach, events);
    let (ways, runner) = (sent.ways, sent.runner);
    let bouncer = sending::bouncer(
        runner.as_ref().map(|(runner, _)| runner),
        place.config(),
        &hostname,
        store,
        &directory,
        events,
    );
    let fetching = fetching::accounts(&directory, store, &secret)?;
    let scanning = scanning::Scanning::of(place.config(), telling.supervisor.clone(), events);
    scanning.keep(&shutdown);
    let inspector = Inspector::new(mailward_inspect::Parts {
        lookup: reach.strangers.clone(),
        scanner: scanning.pool.clone(),
        antivirus: scanning.antivirus.clone(),
        rules: content.book().clone(),
        spam: spam.clone(),
        settings: settings.inspect.clone(),
    });
    let fetcher = fetching::runner(&reach, &hostname, store, &directory, &fetching, &settings, events, &inspector);
    let rescan = rescan::of(&scanning, &inspector, store, &directory, &settings, events).await?;
    let dmarc = dmarc::reporter(place.config(), &hostname, store, &directory, &dkim, &reach, events)?;
    let desk = Desk {
        store: store.clone(),
        lookup: reach.lookup.clone(),
        directory: directory.clone(),
        dkim,
        routes,
        ways,
        fetching,
        rules: rules.clone(),
        content,
        reputation: Some(reputation.clone()),
        bans: bans.clone(),
        server: Some(running.clone()),
        alerts: Some(telling.alerts.clone()),
        care: CareDesk::with_server(care.clone(), bouncer),
        watch: watch.clone(),
        greylist: Memory::Server(strangers.guard.greylist.clone()),
        scanning,
        rescan: Some(rescan.clone()),
        spam: SpamDesk::with_server(spam.clone()),
        milters: MilterDesk::with_server(&settings.receive, events),
        audit: AuditDesk::of(place.data(), &secret)?,
        quarantine: place.config().quarantine.clone(),
    };
    if let Some(supervisor) = telling.supervisor.clone().filter(|_| place.config().bans.firewall) {
        tokio::spawn(firewall::follow(bans.clone(), supervisor, shutdown.clone()));
    }
    let banning = bans::watch(bans, logins.clone(), gate.clone(), events.clone(), shutdown.clone());
    let banning = tokio::spawn(banning);
    let inspector = Inspector::new(mailward_inspect::Parts {
        lookup: reach.strangers.clone(),
        scanner: desk.scanning.pool.clone(),
        antivirus: desk.scanning.antivirus.clone(),
        rules: desk.content.book().clone(),
        spam: spam.clone(),
        settings: settings.inspect.clone(),
    });
    let rooms = Rooms::new(accept::Parts {
        inspector,
        filters: desk.milters.filters(),
        web: digest::pages(place.config(), &digests, store, &directory, &spam, events, &shutdown),
        dmarc: dmarc.as_ref().map(|reporter| dmarc::watch(reporter, store, &directory, &reach)),
        hostname,
        store: store.clone(),
        auth: Authenticator::watched(directory.clone(), events.clone(), secret, watch.clients.beside(logins)),
        forwarder,
        directory,
        inside,
        acceptor,
        gate,
        rules: rules.book().clone(),
        settings,
        care: care.clone(),
        events: events.clone(),
        shutdown: shutdown.clone(),
        strangers: strangers.clone(),
    });
    let sessions = Sessions::default();
    let control = control::path::listen(&place.socket(), 0o600)
        .and_then(|l| l.set_nonblocking(true).and(tokio::net::UnixListener::from_std(l)))
        .map_err(|e| Failure::io(place.socket().display(), e))?;
    tokio::spawn(control::server::serve(control, desk.clone(), events.clone(), shutdown.clone()));
    tokio::spawn(compact_in_background(store.clone(), events.clone(), shutdown.clone()));
    audit::daily(desk.clone(), events.clone(), shutdown.clone());
    tokio::spawn(quarantine::sweep(store.clone(), events.clone(), shutdown.clone()));
    tokio::spawn(rescan.keep(shutdown.clone()));
    tokio::spawn(digests.clone().run(shutdown.clone()));
    watch.keep(&shutdown);
    let remembering = strangers.keep(&shutdown);
    let fetching = tokio::spawn(fetcher.run(shutdown.clone()));
    let keeping = tokio::spawn(reputation.keep(shutdown.clone()));
    tokio::spawn(spam.keep(store.clone(), shutdown.clone()));
    tokio::spawn(async move { care.resume().await });
    let reporting = dmarc.map(|reporter| tokio::spawn(reporter.run(shutdown.clone())));
    let sending = runner.map(|(runner, reporter)| {
        let (sent, reported) = (runner.run(shutdown.clone()), reporter.run(shutdown.clone()));
        tokio::spawn(async move { tokio::join!(sent, reported) })
    });
    doors.open(&rooms, &sessions, &shutdown)?;
    let pickup = programs(&place, &rooms, &sessions, events, &shutdown);
    drop(rooms);
    events.emit(
        Event::info("server.started").with("version", env!("CARGO_PKG_VERSION")).with("data", place.data().display()),
    );
    tokio::spawn(running.clone().tell_alive(shutdown.clone()));
    notify::tell("READY=1");

    let result = tokio::select! {
        why = signals.stop(&running) => { events.emit(Event::info("server.stopping").with("why", why)); Ok(()) }
        _ = stopped.recv() => { events.emit(Event::info("server.stopping").with("why", "asked to")); Ok(()) }
        failed = lasting(ready(Started { desk, running: running.clone() })) => Err(failed),
    };
    notify::tell("STOPPING=1");
    close(&trigger, sessions, events).await;
    let _written = tokio::time::timeout(STOP_TIME, banning).await;
    watch.close().await;
    remembering.ended().await;
    // It breaks off where it is: what it delivered is noted in the same commits.
    let _ended = tokio::time::timeout(STOP_TIME, async { tokio::join!(fetching, keeping) }).await;
    if let Some(reporting) = reporting {
        let _written = tokio::time::timeout(STOP_TIME, reporting).await;
    }
    if let Some(sending) = sending {
        // It has heard the word as well, and gives what is under way its own moment.
        let _ended = tokio::time::timeout(STOP_TIME, sending).await;
    }
    if let Some((pickup, socket)) = pickup {
        // The same: what it delivered it also removes.
        let _ended = tokio::time::timeout(STOP_TIME, pickup).await;
        let _gone = std::fs::remove_file(socket);
    }
    // Whoever connects now must find nobody rather than a dead socket.
    let _gone = std::fs::remove_file(place.socket());
    doors::remove_sockets(place.config());
    telling.end(&result).await;
    result
}

/// Opens the door for programs of this host, and begins to look after their spool. Answers what picks it up, and the
/// socket. The rest of the server does without, if it must.
fn programs(
    place: &Place,
    rooms: &Rooms,
    sessions: &Sessions,
    events: &Events,
    shutdown: &Shutdown,
) -> Option<(JoinHandle<()>, PathBuf)> {
    let spool = Spool::in_directory(place.config().sendmail.directory.as_deref()?);
    let programs = Programs::new(rooms, sessions, shutdown);
    let socket = control::path::listen(&spool.socket(), 0o666)
        .and_then(|l| l.set_nonblocking(true).and(tokio::net::UnixListener::from_std(l)));
    match socket {
        Ok(socket) => drop(tokio::spawn(programs.clone().accept(socket))),
        Err(error) => {
            let event = Event::alert("programs.shut").with("socket", spool.socket().display());
            events.emit(event.with("why", error));
        }
    }
    let socket = spool.socket();
    Some((tokio::spawn(pickup::run(spool, programs, events.clone(), shutdown.clone())), socket))
}

/// Ends only if it fails.
async fn lasting(ready: impl Future<Output = Result<(), Failure>>) -> Failure {
    match ready.await {
        Ok(()) => std::future::pending().await,
        Err(failure) => failure,
    }
}

/// Tells every session, and gives them [`STOP_TIME`].
async fn close(trigger: &ShutdownTrigger, sessions: Sessions, events: &Events) {
    trigger.fire();
    let left = sessions.open();
    if tokio::time::timeout(STOP_TIME, sessions.ended()).await.is_err() {
        events.emit(Event::warn("server.cut").with("sessions", left));
    }
}

/// Signals that mean something to a server.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(|e| Failure::io("signals", e));
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hangup: take(SignalKind::hangup())?,
        })
    }
    /// Waits for a signal that stops; reloads on SIGHUP meanwhile.
    async fn stop(&mut self, running: &Running) -> &'static str {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                // What is wrong is told in the log; the old settings stay.
                _ = self.hangup.recv() => { let _told = running.reload(); }
            }
        }
    }
}

/// Names of what listens, for people.
pub(crate) fn what_is(listener: Listener) -> &'static str {
    match listener {
        Listener::Smtp => "mail from other servers",
        Listener::Submission => "mail from users, STARTTLS",
        Listener::Submissions => "mail from users, TLS",
        Listener::Imap => "reading, STARTTLS",
        Listener::Imaps => "reading, TLS",
        Listener::Pop3 => "fetching, STLS",
        Listener::Pop3s => "fetching, TLS",
        Listener::Lmtp => "mail from your own relay",
        Listener::Https => "pages, TLS",
        Listener::Http => "pages, for a proxy on this host",
    }
}
