//! What looks at stored mail again.

use super::running::Settings;
use super::scanning::Scanning;
use mailward_core::SystemClock;
use mailward_core::event::Events;
use mailward_directory::Directory;
use mailward_inspect::Inspector;
use mailward_inspect::rescan::{Parts, Rescan, Whose};
use mailward_store::{LocalStore, StoreError};
use std::sync::Arc;

/// With the engines and the workers that arriving mail is looked at by.
pub(super) async fn of(
    scanning: &Scanning,
    inspector: &Arc<Inspector>,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    settings: &Settings,
    events: &Events,
) -> Result<Arc<Rescan>, StoreError> {
    let (names, kept) = (Arc::clone(directory), Arc::clone(&settings.receive));
    let parts = Parts {
        mail: store.clone(),
        quarantine: store.clone(),
        shelf: store.clone(),
        inspector: Arc::clone(inspector),
        antivirus: scanning.antivirus.clone(),
        accounts: Arc::new(move |whose| match whose {
            Whose::All => names.accounts_of(None),
            Whose::Domain(domain) => names.accounts_of(Some(domain)),
            Whose::User(address) => {
                let account = names.account_id(address);
                account.map(|account| (account, address.clone())).into_iter().collect()
            }
        }),
        quarantine_days: Arc::new(move || kept.load().quarantine_days),
        settings: Arc::clone(&settings.inspect),
        clock: Arc::new(SystemClock),
        events: events.clone(),
    };
    Rescan::open(parts).await
}
