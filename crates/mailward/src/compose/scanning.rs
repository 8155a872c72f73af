//! What looks into messages: the scanner's workers, and virus scanners of others.

use crate::scanner;
use crate::supervisor::Supervisor;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_core::{Shutdown, SystemClock};
use mailward_inspect::antivirus::{Antivirus, Commands};
use mailward_scan::Pool;
use std::sync::Arc;
use std::thread::available_parallelism;

/// Both. A clone has the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Scanning {
    /// Who opens attachments.
    pub(crate) pool: Pool,
    /// Who knows viruses.
    pub(crate) antivirus: Antivirus,
}

impl Scanning {
    /// By configuration. No worker is started yet, and nobody asked. Engines that are programs are run by the supervisor.
    pub(crate) fn of(config: &Config, supervisor: Option<Supervisor>, events: &Events) -> Self {
        let workers = match config.scanner.workers {
            0 => available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let commands = supervisor.map(|supervisor| Arc::new(supervisor) as Arc<dyn Commands>);
        let pool = Pool::new(scanner::program(), workers, events.clone());
        Self { pool, antivirus: antivirus(config, commands, events) }
    }

    /// Starts a first worker, so that what is wrong with it is told at once, and watches the engines until the word to stop.
    pub(crate) fn keep(&self, shutdown: &Shutdown) {
        let pool = self.pool.clone();
        // What comes of it is told by an event, and each message tries again.
        tokio::spawn(async move { drop(pool.start().await) });
        if !self.antivirus.is_empty() {
            tokio::spawn(self.antivirus.clone().keep(shutdown.clone()));
        }
    }
}

/// The virus scanners of a configuration.
pub(crate) fn antivirus(config: &Config, commands: Option<Arc<dyn Commands>>, events: &Events) -> Antivirus {
    Antivirus::new(&config.antivirus, commands, Arc::new(SystemClock), events.clone())
}
