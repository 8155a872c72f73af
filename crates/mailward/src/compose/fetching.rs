//! What fetches mail from accounts elsewhere.

use super::running::Settings;
use super::sending::Reach;
use crate::failure::Failure;
use mailward_core::event::Events;
use mailward_core::{Domain, Secret, SystemClock};
use mailward_directory::Directory;
use mailward_fetch::{Accounts, Judge, Parts, Runner};
use mailward_inspect::Inspector;
use mailward_store::LocalStore;
use mailward_vault::Seal;
use std::sync::Arc;

/// The accounts of a store, whose passwords the server's secret opens.
pub(crate) fn accounts(
    directory: &Arc<Directory>,
    store: &Arc<LocalStore>,
    secret: &Secret,
) -> Result<Arc<Accounts>, Failure> {
    let seal = Seal::new(secret).map_err(|e| Failure::Refused(e.to_string()))?;
    Ok(Arc::new(Accounts::new(store.clone(), Arc::clone(directory), seal)))
}

/// Puts the runner together. Without a DNS that can be asked, servers are found by their addresses only, and accounts say
/// so.
#[expect(clippy::too_many_arguments, reason = "a visit needs all of them")]
pub(crate) fn runner(
    reach: &Reach,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    accounts: &Arc<Accounts>,
    settings: &Settings,
    events: &Events,
    inspector: &Arc<Inspector>,
) -> Runner {
    let (receive, kept) = (Arc::clone(&settings.receive), Arc::clone(&settings.receive));
    Runner::new(Parts {
        accounts: Arc::clone(accounts),
        mail: store.clone(),
        directory: Arc::clone(directory),
        lookup: reach.lookup.clone(),
        outbound: reach.outbound.clone(),
        hostname: hostname.clone(),
        events: events.clone(),
        clock: Arc::new(SystemClock),
        message_size: Arc::new(move || receive.load().message_size),
        judge: Some(Judge {
            inspector: Arc::clone(inspector),
            quarantine_days: Arc::new(move || kept.load().quarantine_days),
        }),
    })
}
