//! What strangers who bring mail are weighed with.

use super::watch::Watch;
use crate::failure::Failure;
use mailward_core::limits::STOP_TIME;
use mailward_core::{Secret, Shutdown, SystemClock};
use mailward_dns::{Lookup, NoDns};
use mailward_gate::Reputation;
use mailward_gate::greylist::{Greylist, GreylistError};
use mailward_gate::journal::Journal;
use mailward_gate::rates::Rates;
use mailward_inspect::remembered::Verdicts;
use mailward_receive::{Guard, SpfTurns};
use mailward_store::LocalStore;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// All of it. A clone is the same.
#[derive(Clone)]
pub(crate) struct Strangers {
    pub(crate) guard: Arc<Guard>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) verdicts: Arc<Verdicts>,
}

impl Strangers {
    /// Over a store, with what it remembers of who was put off.
    pub(crate) async fn open(
        store: &Arc<LocalStore>,
        secret: &Secret,
        reputation: Arc<Reputation>,
        lookup: Option<Arc<dyn Lookup>>,
        watch: &Watch,
    ) -> Result<Self, Failure> {
        let guard = Arc::new(Guard {
            reputation,
            lookup: lookup.unwrap_or_else(|| Arc::new(NoDns)),
            turns: SpfTurns::default(),
            greylist: greylist(store, secret).await?,
            correspondents: store.clone(),
            addresses: addresses(),
        });
        Ok(Self { guard, rates: watch.rates.clone(), journal: watch.journal.clone(), verdicts: watch.verdicts.clone() })
    }

    /// Writes who was put off, until the server stops.
    pub(crate) fn keep(&self, shutdown: &Shutdown) -> Keeping {
        Keeping(tokio::spawn(self.guard.greylist.clone().run(shutdown.clone())))
    }
}

/// What is being written.
pub(crate) struct Keeping(JoinHandle<()>);

impl Keeping {
    /// When the last of it is written.
    pub(crate) async fn ended(self) {
        // A disk that hangs must not hold the process.
        let _ended = tokio::time::timeout(STOP_TIME, self.0).await;
    }
}

/// What a store remembers of who was put off and who came back.
pub(crate) async fn greylist(store: &Arc<LocalStore>, secret: &Secret) -> Result<Arc<Greylist>, Failure> {
    Ok(Greylist::open(store.clone(), secret, Arc::new(SystemClock)).await?)
}

impl From<GreylistError> for Failure {
    fn from(error: GreylistError) -> Self {
        match error {
            GreylistError::Store(error) => Failure::Store(error),
            GreylistError::Vault(error) => Failure::Refused(error.to_string()),
        }
    }
}

/// Addresses of this host, by which no stranger may call itself. None are known where the system doesn't tell.
fn addresses() -> Vec<IpAddr> {
    let address = |storage: &SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    let all = getifaddrs().into_iter().flatten();
    all.filter_map(|one| address(one.address.as_ref()?)).filter(|ip| !ip.is_loopback()).collect()
}
