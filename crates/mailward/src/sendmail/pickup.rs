//! What programs spooled while no server took it is handed in by the server itself: at its start, and whenever something
//! is there. Each file is delivered before it is removed: a crash between may deliver it twice, and never loses it. What can't
//! be removed is remembered, and not delivered again as long as the server runs.

use super::hand_over::{Fate, greet, hand_over};
use super::spool::{Found, Spool, Unread, read, read_later};
use crate::compose::accept::programs::Programs;
use bytes::Bytes;
use mailward_core::Shutdown;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    PARCEL_ENVELOPE_MAX, PARCEL_MAX, SPOOL_LOOK_TIME, SPOOL_NAMES, SPOOL_PATIENCE, SPOOL_RETRY_SECONDS,
    SPOOL_STUCK_MAX, SPOOL_WAITING_MAX,
};
use mailward_smtp::client::{Recipient, Transaction, parcel};
use std::collections::HashMap;
use std::fs::{Metadata, ReadDir};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Bytes of the pipe to a session in this process.
const PIPE: usize = 64 * 1024;

/// Looks after a spool until the server stops.
pub(crate) async fn run(spool: Spool, programs: Programs, events: Events, mut shutdown: Shutdown) {
    let mut pickup = Pickup::new(spool, programs, events);
    loop {
        let more = pickup.look(&shutdown).await;
        if more && !shutdown.is_fired() {
            continue;
        }
        tokio::select! {
            biased;
            () = shutdown.fired() => return,
            () = tokio::time::sleep(SPOOL_LOOK_TIME) => {}
        }
    }
}

/// Which of the two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where anybody may put files.
    DropBox,
    /// Where we keep what is left of some.
    Later,
}

/// Whoever takes a message of a user.
trait Taker: Send + Sync {
    /// Hands it in; the error is why nobody takes it now.
    fn hand_in(
        &self,
        uid: u32,
        transaction: Transaction,
        message: Bytes,
    ) -> impl Future<Output = Result<Fate, String>> + Send;
    /// Largest message that is taken now, bytes.
    fn message_size(&self) -> u64;
}

impl Taker for Programs {
    /// In a session of our own, in which the file's owner hands it in.
    async fn hand_in(&self, uid: u32, transaction: Transaction, message: Bytes) -> Result<Fate, String> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let session = self.serve_memory(theirs, uid)?;
        let fate = match greet(ours).await {
            Ok(mut connection) => {
                let fate = hand_over(&mut connection, transaction, message).await;
                connection.quit().await;
                Ok(fate)
            }
            Err(why) => Err(why),
        };
        let _ended = session.await;
        fate
    }
    fn message_size(&self) -> u64 {
        Programs::message_size(self)
    }
}

/// What is still to be done with a file that was handed in.
struct Left {
    uid: u32,
    since: SystemTime,
    accepted: usize,
    /// To be kept for later.
    later: Vec<Recipient>,
    /// To be put aside, and why.
    refused: Vec<Recipient>,
    reason: String,
}

struct Pickup<T> {
    spool: Spool,
    taker: T,
    events: Events,
    /// Files that wait, how often they were tried, and until when.
    waiting: HashMap<PathBuf, (usize, Instant)>,
    /// Files that were handed in and can't be put away; at most [`SPOOL_STUCK_MAX`].
    stuck: HashMap<PathBuf, Left>,
    /// What is being listed: a flood of names is read in turns, and to its end.
    open: Option<(Place, ReadDir)>,
    /// Why the spool couldn't be read the last time; told once.
    trouble: String,
}

impl<T: Taker> Pickup<T> {
    fn new(spool: Spool, taker: T, events: Events) -> Self {
        Self {
            spool,
            taker,
            events,
            waiting: HashMap::new(),
            stuck: HashMap::new(),
            open: None,
            trouble: String::new(),
        }
    }

    /// Looks at some names; whether there are more to look at now.
    async fn look(&mut self, shutdown: &Shutdown) -> bool {
        let (place, names, ended) = match self.list() {
            Ok(listed) => listed,
            Err(why) => {
                self.open = None;
                let why = why.to_string();
                if why != self.trouble {
                    self.events.emit(Event::warn("spool.unreadable").with("why", &why));
                    self.trouble = why;
                }
                return false;
            }
        };
        self.trouble.clear();
        let now = Instant::now();
        for path in names {
            if shutdown.is_fired() {
                return false;
            }
            if self.waiting.get(&path).is_none_or(|(_, until)| *until <= now) {
                self.one(place, path).await;
            }
        }
        if ended && place == Place::Later {
            // What isn't there any more waits for nothing.
            self.waiting.retain(|path, _| path.symlink_metadata().is_ok());
            self.stuck.retain(|path, _| path.symlink_metadata().is_ok());
        }
        !(ended && place == Place::Later)
    }

    /// The next names, and whether they are the last ones of their place.
    fn list(&mut self) -> std::io::Result<(Place, Vec<PathBuf>, bool)> {
        let (place, mut open) = match self.open.take() {
            Some(open) => open,
            None => (Place::DropBox, std::fs::read_dir(self.spool.drop_box())?),
        };
        let mut names = Vec::new();
        while names.len() < SPOOL_NAMES {
            let Some(entry) = open.next() else {
                self.open = match place {
                    Place::DropBox => Some((Place::Later, std::fs::read_dir(self.spool.later())?)),
                    Place::Later => None,
                };
                return Ok((place, names, true));
            };
            names.push(entry?.path());
        }
        self.open = Some((place, open));
        Ok((place, names, false))
    }

    async fn one(&mut self, place: Place, path: PathBuf) {
        let at = path.clone();
        let drop_box = self.spool.drop_box();
        let envelope = u64::try_from(PARCEL_ENVELOPE_MAX).unwrap_or(u64::MAX);
        let most =
            self.taker.message_size().saturating_add(envelope).min(u64::try_from(PARCEL_MAX).unwrap_or(u64::MAX));
        let read = tokio::task::spawn_blocking(move || {
            let status: std::io::Result<Metadata> = drop_box.metadata();
            match (place, status) {
                (Place::Later, _) => read_later(&at),
                (Place::DropBox, Ok(status)) => read(&at, &status, most),
                (Place::DropBox, Err(_)) => Err(Unread::NotNow),
            }
        });
        match read.await {
            Ok(Ok(found)) => self.found(&path, found).await,
            Ok(Err(Unread::Bad(why))) => self.aside(&path, None, &why),
            Ok(Err(Unread::NotNow)) | Err(_) => {}
        }
    }

    async fn found(&mut self, path: &Path, found: Found) {
        let Found { uid, bytes, since } = found;
        let parcel = match parcel::parse(&bytes) {
            Ok(parcel) => parcel,
            Err(fault) => return self.aside(path, Some(uid), &fault.to_string()),
        };
        let before = bytes.len().saturating_sub(parcel.message.len());
        let transaction = parcel.transaction;
        let message = Bytes::from(bytes).split_off(before);
        let known = self.stuck.remove(path).filter(|left| (left.uid, left.since) == (uid, since));
        let left = match known {
            Some(left) => Some(left),
            // Its recipients would get it again and again, were there no room to remember that they have it.
            None if self.stuck.len() >= SPOOL_STUCK_MAX => {
                return self.wait(path, Some(uid), "too many that were handed in can't be put away");
            }
            None => self.hand_in(path, uid, since, &transaction, &message).await,
        };
        if let Some(left) = left {
            self.put_away(path, left, &transaction, &message);
        }
    }

    /// Hands a file in; what is to be done with it then, unless nobody takes it now.
    async fn hand_in(
        &mut self,
        path: &Path,
        uid: u32,
        since: SystemTime,
        transaction: &Transaction,
        message: &Bytes,
    ) -> Option<Left> {
        let fate = match self.taker.hand_in(uid, transaction.clone(), message.clone()).await {
            Ok(fate) => fate,
            Err(why) => Fate { later: transaction.recipients.clone(), why, ..Fate::default() },
        };
        let old = since.elapsed().unwrap_or_default() > SPOOL_PATIENCE;
        if fate.accepted == 0 && fate.refused.is_empty() && !old {
            self.wait(path, Some(uid), &fate.why);
            return None;
        }
        let mut given_up: Vec<String> = fate.refused.iter().map(|no| no.words.clone()).collect();
        let mut refused: Vec<_> = fate.refused.into_iter().map(|no| no.recipient).collect();
        let mut later = fate.later;
        if !later.is_empty() && old {
            given_up.push(format!("it was tried too long; the last answer: {}", fate.why));
            refused.append(&mut later);
        }
        Some(Left { uid, since, accepted: fate.accepted, later, refused, reason: given_up.join("\n") })
    }

    /// Does what is left to be done with a file, and removes it; what fails is remembered, so that only this is tried again.
    fn put_away(&mut self, path: &Path, mut left: Left, transaction: &Transaction, message: &Bytes) {
        let part = |recipients: &[Recipient]| {
            let some = Transaction { recipients: recipients.to_vec(), ..transaction.clone() };
            parcel::write(&some, message)
        };
        let mut done = Ok(());
        if !left.later.is_empty() {
            done = self.spool.keep(left.uid, &part(&left.later)).map(|()| left.later.clear());
        }
        if !left.refused.is_empty() {
            let written = self.spool.write_aside(&part(&left.refused), &left.reason).map(|name| {
                self.tell_aside(&name, Some(left.uid), &left.reason);
                left.refused.clear();
            });
            done = done.and(written);
        }
        match done.and_then(|()| std::fs::remove_file(path)) {
            Ok(()) => {
                self.waiting.remove(path);
                let event = Event::info("spool.taken").with("uid", left.uid).with("accepted", left.accepted);
                self.events.emit(event);
            }
            Err(error) => {
                self.events.emit(Event::alert("spool.stuck").with("file", path.display()).with("why", &error));
                self.wait(path, Some(left.uid), &error.to_string());
                self.stuck.insert(path.to_owned(), left);
            }
        }
    }

    /// Not now: it is tried again after a pause that grows.
    fn wait(&mut self, path: &Path, uid: Option<u32>, why: &str) {
        let tries = self.waiting.get(path).map_or(0, |(tries, _)| *tries);
        let seconds = SPOOL_RETRY_SECONDS.get(tries).or(SPOOL_RETRY_SECONDS.last()).copied().unwrap_or(60);
        if self.waiting.len() < SPOOL_WAITING_MAX || self.waiting.contains_key(path) {
            let now = Instant::now();
            let until = now.checked_add(Duration::from_secs(seconds)).unwrap_or(now);
            self.waiting.insert(path.to_owned(), (tries.saturating_add(1), until));
        }
        let mut event = Event::info("spool.waits").with("file", path.display()).with("again_in_seconds", seconds);
        if let Some(uid) = uid {
            event = event.with("uid", uid);
        }
        self.events.emit(event.with("reason", why));
    }

    /// Puts a file aside that can't be delivered.
    fn aside(&mut self, path: &Path, uid: Option<u32>, reason: &str) {
        match self.spool.move_aside(path, reason) {
            Ok(name) => {
                self.waiting.remove(path);
                self.tell_aside(&name, uid, reason);
            }
            // A directory that somebody made there, say.
            Err(error) => {
                let why = format!("{reason}; it can't be put aside: {error}");
                if !self.waiting.contains_key(path) {
                    self.events.emit(Event::alert("spool.stuck").with("file", path.display()).with("why", &why));
                }
                self.wait(path, uid, &why);
            }
        }
    }

    fn tell_aside(&self, name: &str, uid: Option<u32>, reason: &str) {
        let mut event = Event::alert("spool.aside").with("file", self.spool.aside().join(name).display());
        if let Some(uid) = uid {
            event = event.with("uid", uid);
        }
        self.events.emit(event.with("reason", reason));
    }
}

#[cfg(test)]
mod tests;
