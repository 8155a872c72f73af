//! The server's side of the supervisor.

use super::spawn::Made;
use super::{Net, Order, Report, lines};
use mailward_alert::{Brought, Message, Way, WayError};
use mailward_core::event::{Event, Events};
use mailward_core::limits::SUPERVISOR_QUEUE_MAX;
use mailward_core::{Domain, Network, Shutdown};
use std::collections::HashMap;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Orders things. A clone orders of the same one.
#[derive(Clone)]
pub(crate) struct Supervisor(Arc<Inner>);

struct Inner {
    orders: Sender<Order>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Ran>>>,
    next: AtomicU64,
}

/// What came of the command.
struct Ran {
    failed: Option<String>,
    output: String,
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Ran>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// Takes over one that was made. The task ends after the word to stop, once the supervisor is gone, or soon after.
    pub(crate) fn over(made: Made, events: Events, shutdown: Shutdown) -> std::io::Result<(Self, JoinHandle<()>)> {
        let Made { socket, child } = made;
        socket.set_nonblocking(true)?;
        let (from, to) = UnixStream::from_std(socket)?.into_split();
        let (orders, ordered) = channel(SUPERVISOR_QUEUE_MAX);
        let inner = Arc::new(Inner { orders, waiting: Mutex::default(), next: AtomicU64::new(1) });
        let supervisor = Self(inner);
        let task = tokio::spawn(supervisor.clone().look_after(from, to, ordered, child, events, shutdown));
        Ok((supervisor, task))
    }

    async fn look_after(
        self,
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        ordered: Receiver<Order>,
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
                Ok(Report::Firewall { failed: Some(why) }) => {
                    walled = false;
                    events.emit(Event::alert("firewall.failing").with("reason", why));
                }
                Ok(Report::Firewall { failed: None }) => {
                    let name = if walled { "firewall.ready" } else { "firewall.recovered" };
                    walled = true;
                    events.emit(Event::info(name));
                }
                Err(_) => return,
            }
        }
    }

    /// Has the command run; what it wrote. Dropped, its answer is not waited for any more.
    async fn run(&self, message: &Message, host: &str) -> Result<String, WayError> {
        let alert = message.json(host);
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.0.waiting().insert(id, answer);
        let _given_up = Forget(&self.0, id);
        let gone = || WayError("the supervisor, who runs it, is gone: restart the server".to_owned());
        if self.0.orders.try_send(Order::Run { id, alert }).is_err() {
            return Err(gone());
        }
        let ran = answered.await.map_err(|_| gone())?;
        match ran.failed {
            None => Ok(ran.output),
            Some(why) if ran.output.is_empty() => Err(WayError(why)),
            Some(why) => Err(WayError(format!("{why}: {}", ran.output))),
        }
    }

    /// Nothing from this network is to reach us for so long. `false` if the supervisor is gone.
    pub(crate) async fn ban(&self, network: Network, time: Duration) -> bool {
        let seconds = u64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
        self.0.orders.send(Order::Ban { network: Net(network), seconds }).await.is_ok()
    }

    /// It is again.
    pub(crate) async fn unban(&self, network: Network) -> bool {
        self.0.orders.send(Order::Unban { network: Net(network) }).await.is_ok()
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

async fn say(mut to: OwnedWriteHalf, mut ordered: Receiver<Order>) {
    while let Some(order) = ordered.recv().await {
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
            let output = self.supervisor.run(message, self.hostname.as_str()).await?;
            if !output.is_empty() {
                let event = Event::info("alert.command_said").with("message", &message.id);
                self.events.emit(event.with("output", output.trim_end()));
            }
            Ok(())
        })
    }
}
