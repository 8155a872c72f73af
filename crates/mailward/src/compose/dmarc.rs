//! Who counts how mail in other domains' names was authenticated, and reports it.

use super::sending::{Reach, report_contact};
use crate::failure::Failure;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_core::{Clock, Domain, SystemClock};
use mailward_delivery::dmarc_reports::{Ledger, Listener, Parts, Reporter};
use mailward_directory::{Directory, Dkim};
use mailward_dns::NoDns;
use mailward_store::LocalStore;
use std::sync::Arc;

/// Puts it together; none where the DNS can't be asked, as nothing is known of anybody's policy then.
pub(crate) fn reporter(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    dkim: &Arc<Dkim>,
    reach: &Reach,
    events: &Events,
) -> Result<Option<Reporter>, Failure> {
    let Some(lookup) = reach.lookup.clone() else { return Ok(None) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Some(Reporter::new(Parts {
        ledger: Arc::new(Ledger::new(Arc::clone(&clock))),
        shelf: store.clone(),
        directory: Arc::clone(directory),
        dkim: Some(Arc::clone(dkim)),
        lookup,
        hostname: hostname.clone(),
        contact: report_contact(config, hostname)?,
        send: config.dmarc.reports && config.queue.send,
        clock,
        events: events.clone(),
    })))
}

/// What sessions tell it, and what they read.
pub(crate) fn watch(
    reporter: &Reporter,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    reach: &Reach,
) -> mailward_receive::Dmarc {
    let lookup = reach.strangers.clone().unwrap_or_else(|| Arc::new(NoDns));
    let listener = Listener::new(Arc::clone(directory), lookup, store.clone());
    mailward_receive::Dmarc { ledger: reporter.ledger(), listener: Arc::new(listener) }
}
