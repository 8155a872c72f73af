//! The server's side of the supervisor.

use super::scans::not_ran;
use super::spawn::Made;
use super::{Net, Order, Ports, Report, TOO_MANY, lines};
use mailward_alert::{Brought, Message, Way, WayError};
use mailward_core::event::{Event, Events};
use mailward_core::limits::{SUPERVISOR_ORDERS_MAX, SUPERVISOR_QUEUE_MAX};
use mailward_core::{Domain, Network, Shutdown};
use mailward_inspect::antivirus::NotRan;
use serde_json::Value;
use std::collections::HashMap;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Orders things. A clone orders of the same one.
#[derive(Clone)]
pub(crate) struct Supervisor(pub(super) Arc<Inner>);

pub(super) struct Inner {
    /// Changes of bans, which may be very many at once.
    changes: Sender<Order>,
    /// Alerts, which never wait behind those.
    runs: Sender<Order>,
    /// Messages for virus scanners, in pieces.
    pub(super) pieces: Sender<Order>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Ran>>>,
    /// Who waits for a virus scanner.
    pub(super) scans: Mutex<HashMap<u64, oneshot::Sender<Scanned>>>,
    pub(super) next: AtomicU64,
}

/// What came of a virus scanner: its exit code or why there is none, and what it wrote.
pub(super) type Scanned = (Result<u8, NotRan>, String);

/// What came of the command.
struct Ran {
    failed: Option<String>,
    output: String,
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Ran>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn scans(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Scanned>>> {
        self.scans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// Takes over one that was made. The task ends after the word to stop, once the supervisor is gone, or soon after.
    pub(crate) fn over(made: Made, events: Events, shutdown: Shutdown) -> std::io::Result<(Self, JoinHandle<()>)> {
        let Made { socket, child } = made;
        socket.set_nonblocking(true)?;
        let (from, to) = UnixStream::from_std(socket)?.into_split();
        let (changes, changed) = channel(SUPERVISOR_QUEUE_MAX);
        let (runs, to_run) = channel(SUPERVISOR_ORDERS_MAX);
        // Few: each is large.
        let (pieces, to_scan) = channel(SUPERVISOR_ORDERS_MAX);
        let ordered = Ordered { changed, to_run, to_scan };
        let (waiting, scans) = (Mutex::default(), Mutex::default());
        let inner = Arc::new(Inner { changes, runs, pieces, waiting, scans, next: AtomicU64::new(1) });
        let supervisor = Self(inner);
        let task = tokio::spawn(supervisor.clone().look_after(from, to, ordered, child, events, shutdown));
        Ok((supervisor, task))
    }

    async fn look_after(
        self,
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        ordered: Ordered,
        child: Child,
        events: Events,
        mut shutdown: Shutdown,
    ) {
        let stopped = tokio::select! {
            () = shutdown.fired() => true,
            () = self.hear(from, &events) => false,
            () = say(to, ordered) => false,
        };
        // Both halves are closed: that is its word to end.
        self.0.waiting().clear();
        self.0.scans().clear();
        let ended = tokio::task::spawn_blocking(move || ended(child));
        let how = match tokio::time::timeout(END_TIME, ended).await {
            Ok(Ok(how)) => how,
            _ => "it doesn't end".to_owned(),
        };
        if !stopped {
            events.emit(Event::alert("supervisor.ended").with("how", how));
        }
    }

    /// Hears what comes of orders, until the supervisor is gone.
    async fn hear(&self, from: OwnedReadHalf, events: &Events) {
        let mut from = BufReader::new(from);
        let mut walled = true;
        while let Ok(Some(line)) = lines::next(&mut from).await {
            match serde_json::from_slice(&line) {
                Ok(Report::Ran { id, failed, output }) => {
                    if let Some(waiting) = self.0.waiting().remove(&id) {
                        let _given_up = waiting.send(Ran { failed, output });
                    }
                }
                Ok(Report::Scanned { id, code, failed, output, started }) => {
                    if let Some(waiting) = self.0.scans().remove(&id) {
                        let code = code.ok_or_else(|| not_ran(failed, started));
                        let _given_up = waiting.send((code, output));
                    }
                }
                Ok(Report::Firewall { failed: Some(why) }) => {
                    walled = false;
                    events.emit(Event::alert("firewall.failing").with("reason", why));
                }
                Ok(Report::Firewall { failed: None }) => {
                    let name = if walled { "firewall.ready" } else { "firewall.recovered" };
                    walled = true;
                    events.emit(Event::info(name));
                }
                Ok(Report::Beyond { networks: 0 }) => events.emit(Event::info("firewall.has_room")),
                Ok(Report::Beyond { networks }) => {
                    events.emit(Event::alert("firewall.full").with("left_out", networks));
                }
                Err(_) => return,
            }
        }
    }

    /// Has the command run; what it wrote. Dropped, its answer is not waited for any more.
    async fn run(&self, alert: Value) -> Result<String, WayError> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.0.waiting().insert(id, answer);
        let _given_up = Forget(&self.0, id);
        let gone = || WayError("the supervisor, who runs it, is gone: restart the server".to_owned());
        match self.0.runs.try_send(Order::Run { id, alert }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(WayError(TOO_MANY.to_owned())),
            Err(TrySendError::Closed(_)) => return Err(gone()),
        }
        let ran = answered.await.map_err(|_| gone())?;
        match ran.failed {
            None => Ok(ran.output),
            Some(why) if ran.output.is_empty() => Err(WayError(why)),
            Some(why) => Err(WayError(format!("{why}: {}", ran.output))),
        }
    }

    /// No connection from this network is to begin at these ports for so long. `false` if the supervisor is gone.
    pub(crate) async fn ban(&self, network: Network, at: Ports, time: Duration) -> bool {
        let seconds = u64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
        self.0.changes.send(Order::Ban { network: Net(network), seconds, at }).await.is_ok()
    }

    /// It is again.
    pub(crate) async fn unban(&self, network: Network) -> bool {
        self.0.changes.send(Order::Unban { network: Net(network) }).await.is_ok()
    }
}

/// How long the end of the supervisor is waited for: it takes its table out of the firewall.
const END_TIME: Duration = Duration::from_secs(2);

struct Forget<'a>(&'a Inner, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.waiting().remove(&self.1);
    }
}

fn ended(mut child: Child) -> String {
    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// What is to be said.
struct Ordered {
    changed: Receiver<Order>,
    to_run: Receiver<Order>,
    to_scan: Receiver<Order>,
}

impl Ordered {
    async fn next(&mut self) -> Option<Order> {
        tokio::select! {
            biased;
            order = self.to_run.recv() => order,
            order = self.changed.recv() => order,
            order = self.to_scan.recv() => order,
        }
    }
}

async fn say(mut to: OwnedWriteHalf, mut ordered: Ordered) {
    while let Some(order) = ordered.next().await {
        if lines::put(&mut to, &order).await.is_err() {
            return;
        }
    }
}

/// The command of the administrator's choosing, as a way for alerts.
pub(crate) struct ByCommand {
    supervisor: Supervisor,
    program: String,
    hostname: Domain,
    events: Events,
}

impl ByCommand {
    pub(crate) const fn new(supervisor: Supervisor, program: String, hostname: Domain, events: Events) -> Self {
        Self { supervisor, program, hostname, events }
    }
}

impl Way for ByCommand {
    fn name(&self) -> &'static str {
        "command"
    }
    fn leads_to(&self) -> String {
        self.program.clone()
    }
    fn bring<'a>(&'a self, message: &'a Message) -> Brought<'a> {
        Box::pin(async move {
            let output = self.supervisor.run(message.json(self.hostname.as_str())).await?;
            if !output.is_empty() {
                let event = Event::info("alert.command_said").with("message", &message.id);
                self.events.emit(event.with("output", output.trim_end()));
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::order;
    use mailward_core::{ShutdownTrigger, shutdown};
    use serde_json::json;
    use std::net::Ipv4Addr;

    fn over(socket: std::os::unix::net::UnixStream) -> (Supervisor, JoinHandle<()>, ShutdownTrigger) {
        let child = std::process::Command::new("/bin/true").spawn().unwrap();
        let (stop, stopped) = shutdown::channel();
        let (supervisor, task) = Supervisor::over(Made { socket, child }, Events::nowhere(), stopped).unwrap();
        (supervisor, task, stop)
    }

    #[tokio::test]
    async fn an_alert_waits_behind_no_bans_and_one_too_many_is_told_as_such() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let (supervisor, task, stop) = over(ours);
        // As many as stand in the queue and on the socket, and more.
        let many = 20_000;
        let banning = supervisor.clone();
        let bans = tokio::spawn(async move {
            for n in 0..many {
                let network = Network::host(Ipv4Addr::from_bits(0x0a00_0000 + n).into());
                assert!(banning.ban(network, Ports::All, Duration::from_secs(60)).await);
            }
        });
        while supervisor.0.changes.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        let mut running = Vec::new();
        for n in 0..SUPERVISOR_ORDERS_MAX {
            let supervisor = supervisor.clone();
            running.push(tokio::spawn(async move { supervisor.run(json!({ "n": n })).await }));
        }
        while supervisor.0.runs.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(supervisor.run(json!({})).await.unwrap_err().0, TOO_MANY);
        theirs.set_nonblocking(true).unwrap();
        let (from, mut to) = UnixStream::from_std(theirs).unwrap().into_split();
        let mut from = BufReader::new(from);
        let (mut banned, mut ran) = (0, 0);
        while ran < SUPERVISOR_ORDERS_MAX {
            match order(&lines::next(&mut from).await.unwrap().unwrap()).unwrap() {
                Order::Run { id, .. } => {
                    ran += 1;
                    let report = Report::Ran { id, failed: None, output: "paged".to_owned() };
                    lines::put(&mut to, &report).await.unwrap();
                }
                _ => banned += 1,
            }
        }
        assert!(banned + 1_000 < many, "behind {banned} bans");
        for one in running {
            assert_eq!(one.await.unwrap().unwrap(), "paged");
        }
        drop((from, to));
        task.await.unwrap();
        assert!(supervisor.run(json!({})).await.unwrap_err().0.contains("is gone"));
        assert!(bans.await.is_err() || !supervisor.unban(Network::host(Ipv4Addr::LOCALHOST.into())).await);
        drop(stop);
    }
}
