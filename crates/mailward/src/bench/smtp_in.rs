//! `mailward bench smtp-in`: messages into any SMTP or LMTP server, as fast as it answers.
//!
//! The program shares its processors with the server it measures, so it is built to need little: one thread, one
//! buffer a session, one write a step, messages made by copying a prepared body. Every message has its own
//! Message-ID, so that a store which keeps the same content once gains nothing.

mod message;
mod session;

use super::BenchError;
use super::timing::{Distribution, Times, count, cpu_seconds, ratio};
use mailward_core::Secret;
use message::Maker;
use serde::Serialize;
use session::{Plan, Session};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Different failures that are told apart in the report; the rest is counted together.
const FAILURES_NAMED_MAX: usize = 10;

/// What to send where.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// A Unix socket instead of host and port.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) sessions: usize,
    /// Bytes of a message as sent, header and CRLFs included.
    pub(crate) size: usize,
    /// What is sent instead of made-up messages, each time the same.
    pub(crate) message: Option<Vec<u8>>,
    /// How it greets; none: by a name that nobody has.
    pub(crate) hello: Option<String>,
    pub(crate) messages: u64,
    /// Many messages a connection; else one.
    pub(crate) keep: bool,
    /// MAIL, RCPT and DATA in one write, if the server offers PIPELINING.
    pub(crate) pipeline: bool,
    /// Recipient; `%d` becomes 1 to `users` in turn.
    pub(crate) to: String,
    pub(crate) users: u64,
    pub(crate) from: String,
    pub(crate) lmtp: bool,
    pub(crate) starttls: bool,
    /// User and password to log in with.
    pub(crate) login: Option<(String, Secret)>,
    /// For one message, connecting included.
    pub(crate) timeout: Duration,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Messages answered with 250.
    pub(crate) accepted: u64,
    /// Messages that were not.
    pub(crate) failed: u64,
    /// Why, and how many.
    pub(crate) failures: BTreeMap<String, u64>,
    /// From the first connection to the last 250.
    pub(crate) seconds: f64,
    /// Accepted messages a second of that time.
    pub(crate) per_second: f64,
    /// One message each: from connecting (or from MAIL, on a connection kept) to its 250.
    pub(crate) latency_ms: Distribution,
    /// Connections made.
    pub(crate) connections: u64,
    /// Processor seconds the load program itself used.
    pub(crate) cpu_seconds: f64,
    /// Unix time of the first connection.
    pub(crate) started: f64,
    /// Unix time of the last 250.
    pub(crate) finished: f64,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let l = &self.latency_ms;
        let mut text = format!(
            "accepted     {} in {:.3} s: {:.0} messages/s\n\
             latency      p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms, mean {:.2} ms\n\
             connections  {}\n\
             load program {:.2} processor seconds",
            self.accepted,
            self.seconds,
            self.per_second,
            l.p50,
            l.p95,
            l.p99,
            l.max,
            l.mean,
            self.connections,
            self.cpu_seconds
        );
        if self.failed > 0 {
            text.push_str(&format!("\nfailed       {}", self.failed));
            for (reason, times) in &self.failures {
                text.push_str(&format!("\n  {times:>8}  {reason}"));
            }
        }
        text
    }
}

/// What the sessions share; one thread, so no locks.
struct Shared {
    plan: Plan,
    maker: Maker,
    /// The next message's number; counts up to `messages`.
    next: Cell<u64>,
    messages: u64,
    times: RefCell<Times>,
    failed: Cell<u64>,
    failures: RefCell<BTreeMap<String, u64>>,
    connections: Cell<u64>,
    last: Cell<Option<Instant>>,
}

impl Shared {
    fn take(&self) -> Option<u64> {
        let n = self.next.get();
        if n >= self.messages {
            return None;
        }
        self.next.set(n.saturating_add(1));
        Some(n)
    }

    fn accepted(&self, since: Instant) {
        let now = Instant::now();
        self.times.borrow_mut().add(now.saturating_duration_since(since));
        self.last.set(Some(now));
    }

    fn failed(&self, reason: String) {
        self.failed.set(self.failed.get().saturating_add(1));
        let mut failures = self.failures.borrow_mut();
        let known = failures.contains_key(&reason) || failures.len() < FAILURES_NAMED_MAX;
        let entry = failures.entry(if known { reason } else { "something else".to_owned() }).or_insert(0);
        *entry = entry.saturating_add(1);
    }
}

/// Sends all messages and waits for all answers.
///
/// # Errors
/// Options that make no sense, a host without address, no runtime. Refused messages are no error here: the report
/// counts them.
pub(crate) fn run(options: &Options) -> Result<Report, BenchError> {
    if options.sessions == 0 || options.messages == 0 || options.users == 0 {
        return Err(BenchError::Option("sessions, messages and users must be at least 1".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Runtime)?;
    let shared = Rc::new(Shared {
        plan: Plan::new(options, target(options)?),
        maker: Maker::new(options, SystemTime::now()),
        next: Cell::new(0),
        messages: options.messages,
        times: RefCell::new(Times::with_capacity(usize::try_from(options.messages).unwrap_or(0).min(1 << 24))),
        failed: Cell::new(0),
        failures: RefCell::default(),
        connections: Cell::new(0),
        last: Cell::new(None),
    });
    let wanted = usize::try_from(options.messages).unwrap_or(usize::MAX);
    let sessions = options.sessions.min(wanted);
    let cpu_before = cpu_seconds();
    let started = unix_time();
    let begin = Instant::now();
    let local = tokio::task::LocalSet::new();
    for _ in 0..sessions {
        local.spawn_local(work(Rc::clone(&shared), options.timeout));
    }
    runtime.block_on(local);
    let seconds = shared.last.get().map_or(0.0, |last| last.saturating_duration_since(begin).as_secs_f64());
    let times = shared.times.borrow();
    Ok(Report {
        accepted: u64::try_from(times.len()).unwrap_or(u64::MAX),
        failed: shared.failed.get(),
        failures: shared.failures.borrow().clone(),
        seconds,
        per_second: ratio(count(times.len()), seconds),
        latency_ms: times.distribution(),
        connections: shared.connections.get(),
        cpu_seconds: cpu_seconds() - cpu_before,
        started,
        finished: started + seconds,
    })
}

fn target(options: &Options) -> Result<session::Target, BenchError> {
    if let Some(path) = &options.socket {
        return Ok(session::Target::Unix(path.clone()));
    }
    let failed = |source| BenchError::Resolve { host: options.host.clone(), source };
    let mut found = (options.host.as_str(), options.port).to_socket_addrs().map_err(failed)?;
    let address: SocketAddr = found
        .next()
        .ok_or_else(|| failed(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")))?;
    Ok(session::Target::Tcp(address))
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// One session after the other, until every message is taken.
async fn work(shared: Rc<Shared>, limit: Duration) {
    let mut session: Option<Session> = None;
    while let Some(number) = shared.take() {
        let since = Instant::now();
        let sent = tokio::time::timeout(limit, one(&shared, &mut session, number)).await;
        match sent {
            Ok(Ok(())) => shared.accepted(since),
            Ok(Err(failure)) => {
                if !failure.session_lives() {
                    session = None;
                }
                shared.failed(failure.to_string());
            }
            Err(_elapsed) => {
                session = None;
                shared.failed("no answer in time".to_owned());
            }
        }
        if !shared.plan.keep {
            // How the server says goodbye is no part of a message's fate.
            if let Some(ending) = session.take() {
                let _goodbye = tokio::time::timeout(limit, ending.quit()).await;
            }
        }
    }
    if let Some(ending) = session.take() {
        let _goodbye = tokio::time::timeout(limit, ending.quit()).await;
    }
}

async fn one(shared: &Shared, session: &mut Option<Session>, number: u64) -> Result<(), session::Failure> {
    let live = match session {
        Some(live) => live,
        None => {
            shared.connections.set(shared.connections.get().saturating_add(1));
            session.insert(Session::open(&shared.plan).await?)
        }
    };
    live.send(&shared.plan, &shared.maker, number).await
}

#[cfg(test)]
mod tests;
