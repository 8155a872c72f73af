//! Digests of the quarantine, and the pages that their links lead to.

use crate::failure::Failure;
use mailward_core::config::{AlertMail, Config};
use mailward_core::event::Events;
use mailward_core::{Domain, Secret, Shutdown, SystemClock};
use mailward_delivery::digest::link::{Links, PURPOSE};
use mailward_delivery::digest::{Digests, Parts};
use mailward_directory::Directory;
use mailward_inspect::spam::Spam;
use mailward_store::LocalStore;
use mailward_vault::LinkKey;
use mailward_web::Context;
use std::sync::Arc;

/// Who makes digests.
pub(crate) fn digests(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    secret: &Secret,
    events: &Events,
) -> Result<Arc<Digests>, Failure> {
    let key = LinkKey::new(secret, PURPOSE).map_err(|e| Failure::Refused(e.to_string()))?;
    let parts = Parts {
        quarantine: store.clone(),
        shelf: store.clone(),
        directory: Arc::clone(directory),
        hostname: hostname.clone(),
        links: Arc::new(Links::new(key, store.clone())),
        origin: config.web.origin.clone(),
        postman: super::alerts::postman(config, hostname, store, directory, events),
        administrators: match &config.alerts.mail {
            AlertMail::Off => None,
            AlertMail::Postmaster => Some(None),
            AlertMail::To(all) => Some(Some(all.clone())),
        },
        clock: Arc::new(SystemClock),
        events: events.clone(),
    };
    Ok(Arc::new(Digests::new(parts, &config.quarantine)))
}

/// The pages; none where it isn't said where users reach them.
pub(crate) fn pages(
    config: &Config,
    digests: &Arc<Digests>,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    spam: &Arc<Spam>,
    events: &Events,
    shutdown: &Shutdown,
) -> Option<Arc<Context>> {
    Some(Context::new(mailward_web::Parts {
        origin: config.web.origin.clone()?,
        digests: Arc::clone(digests),
        mail: store.clone(),
        quarantine: store.clone(),
        directory: Arc::clone(directory),
        spam: Arc::clone(spam),
        events: events.clone(),
        shutdown: shutdown.clone(),
        clock: Arc::new(SystemClock),
    }))
}
