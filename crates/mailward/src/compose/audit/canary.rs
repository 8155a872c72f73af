//! The audit's own account, over a desk or over the control socket.

use crate::control::audit::{Ask, Known};
use crate::control::canary::{Ask as About, Found, Made};
use crate::control::desk::Desk;
use crate::control::{Request, bans, client};
use crate::failure::Failure;
use crate::place::Place;
use mailward_audit::{Account, Answered, Arrived, Canary, Digest, Held, Kept, Missed, Progress, TriedBan};
use mailward_core::limits::{AUDIT_ALIVE_EVERY, AUDIT_RUN_TIME};
use mailward_core::{Address, Secret, Shutdown, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often an audit that waits for another one asks whether it is over.
const TURN_LOOK: Duration = Duration::from_secs(1);

/// Where the server is asked.
#[derive(Clone)]
pub(crate) enum Server {
    /// In this process.
    Here(Box<Desk>),
    /// By its control socket.
    There(Arc<Place>),
}

impl Server {
    async fn ask(&self, about: About) -> Result<Value, Failure> {
        match self {
            Server::Here(desk) => desk.canary(about).await,
            Server::There(place) => there(place, Request::Audit { ask: Ask::Canary { about } }).await,
        }
    }

    /// What the server says of itself now.
    pub(super) async fn known(&self) -> Result<Known, Failure> {
        match self {
            Server::Here(desk) => desk.audit_known().await,
            Server::There(place) => read(there(place, Request::Audit { ask: Ask::Known }).await?),
        }
    }

    async fn bans(&self) -> Result<Value, Failure> {
        match self {
            Server::Here(desk) => desk.canary_bans().await,
            Server::There(place) => there(place, Request::Bans { ask: bans::Ask::Try }).await,
        }
    }
}

/// A socket is waited for on a thread that nobody else needs.
async fn there(place: &Arc<Place>, request: Request) -> Result<Value, Failure> {
    let place = Arc::clone(place);
    let asked = tokio::task::spawn_blocking(move || client::run_there(&place, &request)).await;
    asked.map_err(|error| Failure::Bug(error.to_string()))?
}

/// Asks until the answer is a turn, and tells whether it was waited for; nothing after `limits::AUDIT_RUN_TIME`, or when the word to
/// stop came.
async fn in_turn(
    ask: impl AsyncFn() -> Result<Option<Made>, Failure>,
    stop: &Shutdown,
    progress: &mut dyn Progress,
) -> Result<Option<(Made, bool)>, Failure> {
    let began = Instant::now();
    let mut waited = false;
    loop {
        if let Some(made) = ask().await? {
            return Ok(Some((made, waited)));
        }
        if stop.is_fired() || began.elapsed() >= AUDIT_RUN_TIME {
            return Ok(None);
        }
        waited = true;
        progress.waits("another audit goes on; this one begins when it is over");
        tokio::time::sleep(TURN_LOOK).await;
    }
}

/// The account, as long as the run takes.
pub(crate) struct OwnAccount {
    server: Server,
    address: Address,
    stranger: IpAddr,
}

impl OwnAccount {
    /// Makes it, as soon as no other audit goes on; nothing if that is after `limits::AUDIT_RUN_TIME`, or the word to stop came.
    /// Also whether it waited: then the server isn't what it was.
    pub(crate) async fn make(
        server: Server,
        stop: &Shutdown,
        progress: &mut dyn Progress,
    ) -> Result<Option<(Arc<Self>, Account, bool)>, Failure> {
        let ask = async || read(server.ask(About::Make).await?);
        let Some((made, waited)) = in_turn(ask, stop, progress).await? else { return Ok(None) };
        let address = Address::parse(&made.address, false).map_err(|error| Failure::Bug(error.to_string()))?;
        let own = Arc::new(Self { server, address, stranger: made.stranger });
        let inside: Arc<dyn Canary> = own.clone();
        let password = Secret::new(made.password.as_str());
        Ok(Some((own, Account { address: made.address, password, inside: Some(inside) }, waited)))
    }

    /// Tells the server that the audit goes on, without end.
    pub(crate) async fn stay(self: Arc<Self>) {
        loop {
            tokio::time::sleep(AUDIT_ALIVE_EVERY).await;
            // One that is lost is one of some.
            let _heard: Result<(), Missed> = self.asked(About::Alive { address: self.address.clone() }).await;
        }
    }

    async fn asked<T: DeserializeOwned>(&self, about: About) -> Result<T, Missed> {
        told(self.server.ask(about).await)
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::Bug(format!("the answer can't be read: {error}")))
}

fn told<T: DeserializeOwned>(answer: Result<Value, Failure>) -> Result<T, Missed> {
    answer.and_then(read).map_err(|failure| Missed::NotReached(failure.to_string()))
}

/// Without its secrets: it has none.
impl fmt::Debug for OwnAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnAccount").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Canary for OwnAccount {
    fn stranger(&self) -> Option<IpAddr> {
        Some(self.stranger)
    }

    fn arrived<'a>(&'a self, marker: &'a str) -> Answered<'a, Vec<Arrived>> {
        Box::pin(async move {
            let about = About::Arrived { address: self.address.clone(), marker: marker.to_owned() };
            let found: Vec<Found> = self.asked(about).await?;
            Ok(found.into_iter().map(|one| Arrived { folder: one.folder, header: one.header.into_bytes() }).collect())
        })
    }

    fn quarantined<'a>(&'a self, marker: &'a str) -> Answered<'a, Vec<Kept>> {
        Box::pin(async move {
            let about = About::Kept { address: self.address.clone(), marker: marker.to_owned() };
            let found: Vec<String> = self.asked(about).await?;
            Ok(found.into_iter().map(|why| Kept { why }).collect())
        })
    }

    fn trace<'a>(&'a self, reference: &'a str) -> Answered<'a, String> {
        Box::pin(self.asked(About::Trace { reference: reference.to_owned() }))
    }

    fn log(&self, since: Timestamp) -> Answered<'_, Vec<u8>> {
        Box::pin(async move {
            let text: String = self.asked(About::Log { since }).await?;
            Ok(text.into_bytes())
        })
    }

    fn bans(&self) -> Answered<'_, Vec<TriedBan>> {
        #[derive(Deserialize)]
        struct Tried {
            door: String,
            address: String,
            before: String,
            banned: String,
            acts: Option<bool>,
        }
        Box::pin(async move {
            let all: Vec<Tried> = told(self.server.bans().await)?;
            let one = |tried: Tried| TriedBan {
                door: format!("{} {}", tried.door, tried.address),
                before: tried.before,
                banned: tried.banned,
                acts: tried.acts,
            };
            Ok(all.into_iter().map(one).collect())
        })
    }

    fn learned(&self) -> Answered<'_, (u64, u64)> {
        Box::pin(self.asked(About::Learned { address: self.address.clone() }))
    }

    fn sink(&self, port: u16, demands_tls: bool) -> Answered<'_, String> {
        Box::pin(self.asked(About::Sink { address: self.address.clone(), port, demands_tls }))
    }

    fn forward(&self, port: u16) -> Answered<'_, String> {
        Box::pin(self.asked(About::Forward { address: self.address.clone(), port }))
    }

    fn hold<'a>(&'a self, marker: &'a str, held: Held) -> Answered<'a, bool> {
        Box::pin(self.asked(About::Hold { address: self.address.clone(), marker: marker.to_owned(), held }))
    }

    fn release<'a>(&'a self, marker: &'a str) -> Answered<'a, bool> {
        Box::pin(self.asked(About::Release { address: self.address.clone(), marker: marker.to_owned() }))
    }

    fn digest(&self, lasts: Duration) -> Answered<'_, Option<Digest>> {
        let milliseconds = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        Box::pin(self.asked(About::Digest { address: self.address.clone(), milliseconds }))
    }

    fn forget(&self) -> Answered<'_, ()> {
        Box::pin(self.asked(About::Forget { address: self.address.clone() }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects")]
    use super::*;
    use mailward_core::shutdown;
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn made() -> Made {
        let stranger = Ipv4Addr::LOCALHOST.into();
        Made { address: String::new(), password: String::new(), stranger }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_never_comes_is_given_up_and_one_that_comes_late_is_known_to_be_late() {
        let (_never, stop) = shutdown::channel();
        let began = Instant::now();
        assert!(in_turn(async || Ok(None), &stop, &mut ()).await.unwrap().is_none());
        let waited = began.elapsed();
        assert!(waited >= AUDIT_RUN_TIME && waited <= AUDIT_RUN_TIME.saturating_add(TURN_LOOK), "{waited:?}");

        let asked = AtomicUsize::new(0);
        let third = async || Ok((asked.fetch_add(1, Ordering::Relaxed) == 2).then(made));
        assert!(in_turn(third, &stop, &mut ()).await.unwrap().unwrap().1);
        assert!(!in_turn(async || Ok(Some(made())), &stop, &mut ()).await.unwrap().unwrap().1);

        let (trigger, stop) = shutdown::channel();
        trigger.fire();
        let began = Instant::now();
        assert!(in_turn(async || Ok(None), &stop, &mut ()).await.unwrap().is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
