//! What watches over who sends how much, what was refused, what was found in what was taken, and what users log in over: the rate
//! guard, the journal, the verdicts, the clients.

use crate::failure::Failure;
use mailward_core::config::Rates as Config;
use mailward_core::event::Events;
use mailward_core::limits::STOP_TIME;
use mailward_core::{Secret, Shutdown, SystemClock};
use mailward_gate::clients::Clients;
use mailward_gate::journal::Journal;
use mailward_gate::rates::Rates;
use mailward_inspect::remembered::Verdicts;
use mailward_store::LocalStore;
use std::sync::Arc;

/// All of them, over the store that they are kept in.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) rates: Arc<Rates>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) verdicts: Arc<Verdicts>,
    pub(crate) clients: Arc<Clients>,
    store: Arc<LocalStore>,
}

impl Watch {
    /// With what was written before. What can't be read is told, and doesn't keep the server from starting.
    pub(crate) async fn open(
        store: &Arc<LocalStore>,
        config: &Config,
        secret: &Secret,
        events: &Events,
    ) -> Result<Self, Failure> {
        let refused = |e: mailward_vault::VaultError| Failure::Refused(e.to_string());
        let clock = Arc::new(SystemClock);
        let rates = Rates::new(config, clock.clone(), events.clone(), secret).map_err(refused)?;
        let journal = Journal::new(store.clone(), clock.clone(), events.clone(), secret).map_err(refused)?;
        let verdicts = Verdicts::new(store.clone(), clock.clone(), events.clone());
        let clients = Clients::open(store.clone(), &**store, clock, events.clone()).await?;
        rates.load(&**store).await?;
        journal.load().await?;
        Ok(Self { rates, journal, verdicts, clients, store: Arc::clone(store) })
    }

    /// Writes now and then, from now on.
    pub(crate) fn keep(&self, shutdown: &Shutdown) {
        tokio::spawn(Arc::clone(&self.rates).keep(self.store.clone(), shutdown.clone()));
        tokio::spawn(Arc::clone(&self.journal).keep(shutdown.clone()));
        tokio::spawn(Arc::clone(&self.verdicts).keep(shutdown.clone()));
        tokio::spawn(Arc::clone(&self.clients).keep(shutdown.clone()));
    }

    /// Writes what is left, when all sessions are over.
    pub(crate) async fn close(&self) {
        let (rates, journal) = (self.rates.save_or_tell(&*self.store), self.journal.save_or_tell());
        let all = async { tokio::join!(rates, journal, self.verdicts.save_or_tell(), self.clients.save_or_tell()) };
        // A disk that hangs must not hold the process.
        let _ended = tokio::time::timeout(STOP_TIME, all).await;
    }

    /// Writes the counts at once.
    pub(crate) async fn save_rates(&self) -> Result<(), Failure> {
        Ok(self.rates.save(&*self.store).await?)
    }
}
