//! The workers that there are: who is free, who is made, who is given up.
//!
//! A worker has one message at a time. It is killed when it answers nonsense or not in time, when it dies, and when whoever
//! asked doesn't wait for the answer any more; a message is never given to a second one, as what brought down the first
//! would bring down that. A worker that ends before it has taken anything of a message is another matter: the message goes to
//! the next.

mod launch;

pub use launch::{Launch, Launched, Program};

use crate::contents::{Contents, Stopped};
use crate::places::{Place, Places};
use crate::shown::Shown;
use crate::worker::{Answer, LENGTH, Reading, asked, read_answer, read_hello};
use bytes::Bytes;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    SCAN_SHOWN_MAX, SCAN_WAIT, SCANNER_ANSWER_MAX, SCANNER_GONE_MAX, SCANNER_MESSAGES_MAX, SCANNER_QUEUE_TIME,
    SCANNER_READ_BYTES, SCANNER_RETRY_TIME, SCANNER_RETRY_TIME_MAX, SCANNER_START_TIME, SCANNER_WAITING_HOST_MAX,
    SCANNER_WAITING_MAX, SCANNER_WORKERS_MAX,
};
use std::io::{ErrorKind, IoSlice};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::time::{Instant, timeout, timeout_at};

/// Why a message wasn't looked at. It says nothing against the message, which should come again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// All workers are busy, and too many wait already or it took too long.
    #[error("all scanner workers are busy")]
    Busy,
    /// No worker can be started.
    #[error("no scanner worker can be started: {0}")]
    Unavailable(String),
}

/// What has come of messages and workers since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were looked at.
    pub looked: u64,
    /// Messages whose worker died, hung or answered nonsense.
    pub lost: u64,
    /// Messages that found all workers busy for too long.
    pub busy: u64,
    /// Workers that were started.
    pub started: u64,
}

/// Looks at messages. A clone has the same workers.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    launch: Box<dyn Launch>,
    times: Times,
    places: Places,
    idle: Mutex<Vec<Worker>>,
    trouble: Mutex<Trouble>,
    events: Events,
    counts: Counters,
}

/// How long what is waited for; tests can't wait as long.
#[derive(Clone, Copy, Debug)]
struct Times {
    place: Duration,
    start: Duration,
    look: Duration,
}

#[derive(Default)]
struct Counters {
    looked: AtomicU64,
    lost: AtomicU64,
    busy: AtomicU64,
    started: AtomicU64,
}

/// Starts that failed since the last that didn't.
#[derive(Default)]
struct Trouble {
    why: String,
    pause: Duration,
    until: Option<Instant>,
}

struct Worker {
    /// The usual answer comes with one read.
    socket: BufReader<UnixStream>,
    /// Killed when this goes.
    child: Option<Child>,
    messages: u64,
}

/// What came of giving a message to a worker.
enum Given {
    Answered(Answer, Shown),
    /// It was gone before; the message is as it was.
    Gone,
    /// Why there is no answer.
    Lost(String),
}

impl Pool {
    /// At most so many workers, at least one and at most `limits::SCANNER_WORKERS_MAX`; each is made when it is needed.
    pub fn new(launch: impl Launch, workers: usize, events: Events) -> Self {
        let times = Times { place: SCANNER_QUEUE_TIME, start: SCANNER_START_TIME, look: SCAN_WAIT };
        Self::with_times(Box::new(launch), workers, events, times)
    }

    fn with_times(launch: Box<dyn Launch>, workers: usize, events: Events, times: Times) -> Self {
        Self(Arc::new(Inner {
            launch,
            times,
            places: Places::new(workers.clamp(1, SCANNER_WORKERS_MAX), SCANNER_WAITING_MAX, SCANNER_WAITING_HOST_MAX),
            idle: Mutex::default(),
            trouble: Mutex::default(),
            events,
            counts: Counters::default(),
        }))
    }

    /// Makes a first worker, so that what is wrong is known at once. What the kernel hasn't got to close it up is told by an
    /// event.
    ///
    /// # Errors
    /// [`ScanError::Unavailable`]; each message tries again.
    pub async fn start(&self) -> Result<(), ScanError> {
        let (worker, without) = self.make().await?;
        let event = Event::info("scanner.started").with("workers", self.0.places.free());
        self.0.events.emit(event);
        if !without.is_empty() {
            self.0.events.emit(Event::warn("scanner.confined_less").with("without", without.join(", ")));
        }
        self.idle().push(worker);
        Ok(())
    }

    /// What is in a message. Where its worker is lost, [`Stopped::Lost`] says so. Dropped, the worker goes with it. Of who
    /// brought it, one host and its neighbours have half of the workers and of the places to wait at most; none: nobody from
    /// elsewhere.
    ///
    /// # Errors
    /// Nobody could look at it.
    pub async fn look(&self, message: Bytes, client: Option<IpAddr>) -> Result<Contents, ScanError> {
        self.look_with(message, &[], client).await
    }

    /// What is in a message and in other readings of it: see [`crate::open_with`].
    ///
    /// # Errors
    /// Nobody could look at it.
    pub async fn look_with(
        &self,
        message: Bytes,
        readings: &[Reading],
        client: Option<IpAddr>,
    ) -> Result<Contents, ScanError> {
        self.look_for(message, readings, 0, client).await.map(|(contents, _)| contents)
    }

    /// What is in a message, and the files in it that virus scanners wouldn't find: see [`crate::open_and_show`].
    ///
    /// # Errors
    /// Nobody could look at it.
    pub async fn look_and_show(&self, message: Bytes, client: Option<IpAddr>) -> Result<(Contents, Shown), ScanError> {
        self.look_for(message, &[], SCAN_SHOWN_MAX, client).await
    }

    async fn look_for(
        &self,
        message: Bytes,
        readings: &[Reading],
        room: usize,
        client: Option<IpAddr>,
    ) -> Result<(Contents, Shown), ScanError> {
        let _place = self.place(client).await?;
        for _ in 0..SCANNER_GONE_MAX {
            let mut worker = self.worker().await?;
            let given = timeout(self.0.times.look, worker.ask(&message, readings, room)).await;
            let lost = match given.unwrap_or_else(|_| Given::Lost("it didn't answer in time".to_owned())) {
                Given::Answered(answer, shown) => {
                    worker.messages = worker.messages.saturating_add(1);
                    if !answer.worn && worker.messages < SCANNER_MESSAGES_MAX {
                        self.idle().push(worker);
                    }
                    self.0.counts.looked.fetch_add(1, Ordering::Relaxed);
                    return Ok((answer.contents, shown));
                }
                Given::Gone => continue,
                Given::Lost(why) => why,
            };
            let how = worker.end(lost).await;
            let times = self.0.counts.lost.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let event = Event::alert("scanner.lost").with("how", how).with("bytes", message.len());
            self.0.events.emit(event.with("times", times));
            return Ok((Contents { items: Vec::new(), stopped: vec![Stopped::Lost] }, Shown::default()));
        }
        Err(ScanError::Unavailable("one after the other ends before it takes a message".to_owned()))
    }

    /// See [`Counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Counters { looked, lost, busy, started } = &self.0.counts;
        let [looked, lost, busy, started] = [looked, lost, busy, started].map(|count| count.load(Ordering::Relaxed));
        Counts { looked, lost, busy, started }
    }

    /// Waits for a place, of which there are as many as workers.
    async fn place(&self, client: Option<IpAddr>) -> Result<Place<'_>, ScanError> {
        let place = self.0.places.take(client, self.0.times.place).await;
        place.ok_or_else(|| {
            self.0.counts.busy.fetch_add(1, Ordering::Relaxed);
            ScanError::Busy
        })
    }

    async fn worker(&self) -> Result<Worker, ScanError> {
        loop {
            let Some(worker) = self.idle().pop() else { break };
            if worker.is_there() {
                return Ok(worker);
            }
        }
        self.make().await.map(|(worker, _)| worker)
    }

    async fn make(&self) -> Result<(Worker, Vec<String>), ScanError> {
        let pausing = {
            let trouble = self.trouble();
            trouble.until.filter(|until| Instant::now() < *until).map(|_| trouble.why.clone())
        };
        if let Some(why) = pausing {
            return Err(ScanError::Unavailable(why));
        }
        match self.try_make().await {
            Ok(made) => {
                self.0.counts.started.fetch_add(1, Ordering::Relaxed);
                if self.trouble().until.take().is_some() {
                    *self.trouble() = Trouble::default();
                    self.0.events.emit(Event::info("scanner.recovered"));
                }
                Ok(made)
            }
            Err(why) => {
                let first = {
                    let mut trouble = self.trouble();
                    let pause = trouble.pause.saturating_mul(2).clamp(SCANNER_RETRY_TIME, SCANNER_RETRY_TIME_MAX);
                    let first = trouble.until.is_none();
                    *trouble = Trouble { why: why.clone(), pause, until: Instant::now().checked_add(pause) };
                    first
                };
                if first {
                    self.0.events.emit(Event::alert("scanner.unavailable").with("why", &why));
                }
                Err(ScanError::Unavailable(why))
            }
        }
    }

    async fn try_make(&self) -> Result<(Worker, Vec<String>), String> {
        let Launched { socket, child } = self.0.launch.launch().map_err(|e| e.to_string())?;
        let ready = socket.set_nonblocking(true).and_then(|()| UnixStream::from_std(socket));
        let socket = BufReader::with_capacity(SCANNER_READ_BYTES, ready.map_err(|e| e.to_string())?);
        let mut worker = Worker { socket, child, messages: 0 };
        let Some(by) = Instant::now().checked_add(self.0.times.start) else { return Err("the clock".to_owned()) };
        let hello = match timeout_at(by, worker.hear()).await {
            Err(_) => return Err(worker.end("it isn't ready in time".to_owned()).await),
            Ok(Err(why)) => return Err(worker.end(why).await),
            Ok(Ok(bytes)) => read_hello(&bytes),
        };
        match hello {
            None => Err(worker.end("it doesn't speak our language".to_owned()).await),
            Some(hello) => match hello.refused {
                Some(why) => Err(why),
                None => Ok((worker, hello.without)),
            },
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({:?})", self.counts())
    }
}

/// How long the end of a worker whose socket is closed is waited for, to say how it ended.
const END_TIME: Duration = Duration::from_secs(1);

/// How a loss is told that a worker's own end is the reason of.
const ENDED: &str = "it ended";

impl Worker {
    /// Whether it waits for a message, as far as is known.
    fn is_there(&self) -> bool {
        let end = self.socket.get_ref().try_read(&mut [0]);
        self.socket.buffer().is_empty() && end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    async fn ask(&mut self, message: &[u8], readings: &[Reading], room: usize) -> Given {
        let Ok(asked) = asked(message.len(), readings, room) else {
            return Given::Lost("it is larger than any message may be".to_owned());
        };
        let begun = loop {
            if self.socket.get_ref().writable().await.is_err() {
                return Given::Gone;
            }
            match self.socket.get_ref().try_write_vectored(&[IoSlice::new(&asked.lengths), IoSlice::new(message)]) {
                Ok(begun) => break begun,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Given::Gone,
            }
        };
        let rest = [
            asked.lengths.get(begun..).unwrap_or_default(),
            message.get(begun.saturating_sub(asked.lengths.len())..).unwrap_or_default(),
            &asked.readings,
        ];
        for rest in rest {
            if self.socket.write_all(rest).await.is_err() {
                return Given::Lost(ENDED.to_owned());
            }
        }
        let mut answer = match self.hear().await {
            Ok(bytes) => match read_answer(&bytes) {
                Some(answer) => answer,
                None => return Given::Lost("its answer is none".to_owned()),
            },
            Err(why) => return Given::Lost(why),
        };
        match self.hear_shown(&mut answer, room).await {
            Ok(shown) => Given::Answered(answer, shown),
            Err(why) => Given::Lost(why),
        }
    }

    /// The files that follow an answer.
    async fn hear_shown(&mut self, answer: &mut Answer, mut room: usize) -> Result<Shown, String> {
        let mut shown = Shown { files: Vec::new(), cut: answer.cut };
        for length in std::mem::take(&mut answer.shown) {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            room = room.checked_sub(length).ok_or("it shows more than was asked for")?;
            shown.files.push(Bytes::from(self.read(length).await?));
        }
        Ok(shown)
    }

    /// What it says next.
    async fn hear(&mut self) -> Result<Vec<u8>, String> {
        let mut length = [0; LENGTH];
        self.socket.read_exact(&mut length).await.map_err(|_| ENDED.to_owned())?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > SCANNER_ANSWER_MAX {
            return Err("its answer is too long".to_owned());
        }
        self.read(length).await
    }

    /// So many bytes.
    async fn read(&mut self, length: usize) -> Result<Vec<u8>, String> {
        // More memory is taken as it comes: what it says of the length may be a lie.
        let mut bytes = Vec::with_capacity(length.min(SCANNER_READ_BYTES));
        let most = u64::try_from(length).unwrap_or_default();
        let read = (&mut self.socket).take(most).read_to_end(&mut bytes).await;
        match read {
            Ok(read) if read == length => Ok(bytes),
            _ => Err(format!("{ENDED} in the middle of its answer")),
        }
    }

    /// Ends it, if it hasn't ended yet; how, in words.
    async fn end(self, why: String) -> String {
        let Self { socket, child, .. } = self;
        let Some(mut child) = child else { return why };
        // One that ended by itself tells how; any other is killed as this goes.
        let ended = if why.starts_with(ENDED) { timeout(END_TIME, child.wait()).await.ok() } else { None };
        drop(socket);
        match ended {
            Some(Ok(status)) => format!("{why} ({status})"),
            _ => why,
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::type_complexity,
    clippy::unnecessary_unwrap,
    reason = "tests may stop at what isn't as it should be"
)]
mod tests;
