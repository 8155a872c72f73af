//! Programs of this host: let in by a socket that every local user may connect to, or handed in out of the spool. Who they
//! are, the kernel says.

use super::{Rooms, Sessions, refusal, trouble};
use mailward_core::event::Event;
use mailward_core::limits::{SUBMIT_NAME_TIME, SUBMIT_NAMES_MAX, SUBMIT_SESSIONS_MAX, SUBMIT_SESSIONS_PER_USER_MAX};
use mailward_core::{Listener, Shutdown};
use mailward_gate::{ConnectionPermit, GateError, LocalUser};
use mailward_tls::Wire;
use nix::unistd::{Uid, User, geteuid};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::DuplexStream;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What they are served with. A clone is the same.
#[derive(Clone)]
pub(crate) struct Programs {
    rooms: Rooms,
    sessions: Sessions,
    shutdown: Shutdown,
    names: Names,
    open: Counts,
}

impl Programs {
    pub(crate) fn new(rooms: &Rooms, sessions: &Sessions, shutdown: &Shutdown) -> Self {
        Self {
            rooms: rooms.clone(),
            sessions: sessions.clone(),
            shutdown: shutdown.clone(),
            names: Names::default(),
            open: Counts::default(),
        }
    }

    /// Lets in by the socket until the server stops.
    pub(crate) async fn accept(self, socket: UnixListener) {
        let mut shutdown = self.shutdown.clone();
        let mut stopped = pin!(shutdown.fired());
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stopped => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.connected(stream),
                Err(e) => trouble(&self.rooms, Listener::Submission, &e).await,
            }
        }
    }

    fn connected(&self, stream: UnixStream) {
        // Who can't be asked about is nobody.
        let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { return };
        let place = self.open.take(uid).ok_or(GateError::Full);
        match place.and_then(|place| self.rooms.0.gate.admit(None).map(|permit| (place, permit))) {
            Ok((place, permit)) => {
                let session = self.begin(Wire::unix(stream), uid, permit);
                tokio::spawn(async move {
                    let _ended = session.await;
                    drop(place);
                });
            }
            Err(why) => {
                let _unheard = stream.try_write(refusal(Listener::Submission, why).as_bytes());
                self.rooms.0.refused.tell(&self.rooms.0.events, Listener::Submission, None, &why);
            }
        }
    }

    /// Largest message that is taken now, bytes.
    pub(crate) fn message_size(&self) -> u64 {
        self.rooms.0.receive.settings.load().message_size
    }

    /// Serves a pipe in this process, with the rights of a user.
    pub(crate) fn serve_memory(&self, stream: DuplexStream, uid: u32) -> Result<JoinHandle<()>, String> {
        let permit = self.rooms.0.gate.admit(None).map_err(|e| e.to_string())?;
        Ok(self.begin(Wire::memory(stream), uid, permit))
    }

    fn begin(&self, wire: Wire, uid: u32, mut permit: ConnectionPermit) -> JoinHandle<()> {
        let programs = self.clone();
        let peer = self.rooms.peer(Listener::Submission, None);
        let life = self.sessions.begin(&self.rooms.0.events, &peer);
        let _on_the_list = permit.enter(&peer, &self.shutdown);
        tokio::spawn(async move {
            let user = programs.user(uid).await;
            let connected = Event::debug("program.connected").with_peer(&peer).with("user", &user);
            programs.rooms.0.events.emit(connected);
            let context = programs.rooms.0.receive.clone();
            Box::pin(mailward_receive::serve_program(wire, peer, permit, context, user)).await;
            drop(life);
        })
    }

    /// A user with the name that the system knows.
    async fn user(&self, uid: u32) -> LocalUser {
        let ours = geteuid().as_raw();
        let now = Instant::now();
        let name = match self.names.known(uid, now) {
            Some(name) => name,
            None => {
                // It may ask a network.
                let asked = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid)).ok().flatten());
                let name = asked.await.ok().flatten().map(|user| user.name);
                self.names.learn(uid, name.clone(), now);
                name
            }
        };
        LocalUser::of_kernel(uid, ours, name.as_deref())
    }
}

/// Names of users, `None` for those that have none, for a while.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<HashMap<u32, Name>>>);

/// A name, and until when it is believed.
type Name = (Option<String>, Instant);

impl Names {
    fn known(&self, uid: u32, now: Instant) -> Option<Option<String>> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&uid).filter(|(_, until)| now < *until).map(|(name, _)| name.clone())
    }
    fn learn(&self, uid: u32, name: Option<String>, now: Instant) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= SUBMIT_NAMES_MAX {
            names.clear();
        }
        names.insert(uid, (name, now.checked_add(SUBMIT_NAME_TIME).unwrap_or(now)));
    }
}

/// Sessions that are open, by user.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<HashMap<u32, usize>>>);

/// A place among them, until it is dropped.
struct Place(Counts, u32);

impl Counts {
    /// A place; root and the server's own user have one always.
    fn take(&self, uid: u32) -> Option<Place> {
        let trusted = LocalUser::of_kernel(uid, geteuid().as_raw(), None).is_trusted();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let own = counts.entry(uid).or_default();
        if !trusted && (*own >= SUBMIT_SESSIONS_PER_USER_MAX || all >= SUBMIT_SESSIONS_MAX) {
            if *own == 0 {
                counts.remove(&uid);
            }
            return None;
        }
        *own = own.saturating_add(1);
        drop(counts);
        Some(Place(self.clone(), uid))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.1) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_places_and_leaves_others_theirs() {
        let counts = Counts::default();
        let stranger = geteuid().as_raw().saturating_add(12_345);
        let held: Vec<Place> = (0..SUBMIT_SESSIONS_PER_USER_MAX).map(|_| counts.take(stranger).unwrap()).collect();
        assert!(counts.take(stranger).is_none());
        assert!(counts.take(stranger + 1).is_some());
        assert!(counts.take(0).is_some());
        drop(held);
        assert!(counts.take(stranger).is_some());
        assert!(counts.0.lock().unwrap().is_empty(), "what is given back takes no memory");
    }

    #[test]
    fn names_are_remembered_for_a_while_and_not_without_end() {
        let (names, now) = (Names::default(), Instant::now());
        names.learn(33, Some("www-data".to_owned()), now);
        names.learn(4_711, None, now);
        assert_eq!(names.known(33, now), Some(Some("www-data".to_owned())));
        assert_eq!((names.known(4_711, now), names.known(1, now)), (Some(None), None));
        assert_eq!(names.known(33, now + SUBMIT_NAME_TIME), None);
        for uid in 0..=u32::try_from(SUBMIT_NAMES_MAX).unwrap() {
            names.learn(uid, None, now);
            assert!(names.0.lock().unwrap().len() <= SUBMIT_NAMES_MAX);
        }
    }

    #[test]
    fn all_users_together_leave_places_for_the_network() {
        let counts = Counts::default();
        let first = geteuid().as_raw().saturating_add(1);
        let held: Vec<Place> =
            (0..=u32::try_from(SUBMIT_SESSIONS_MAX).unwrap()).filter_map(|n| counts.take(first + n)).collect();
        assert_eq!(held.len(), SUBMIT_SESSIONS_MAX);
        assert!(counts.take(0).is_some());
    }
}
