//! What finds out about clients and senders.

use crate::place::Place;
use mailward_core::SystemClock;
use mailward_core::config::Config;
use mailward_core::event::Events;
use mailward_dns::{Lookup, NoDns, Resolver};
use mailward_gate::{Reputation, ReputationParts};
use mailward_store::LocalStore;
use std::sync::Arc;

/// By configuration; without a DNS that can be asked, nothing is known of anybody. What was known of lists when the server
/// last ran is taken up.
pub(crate) async fn reputation(
    config: &Config,
    lookup: Option<Arc<dyn Lookup>>,
    store: &Arc<LocalStore>,
    events: &Events,
) -> Arc<Reputation> {
    let reputation = Reputation::new(ReputationParts {
        lookup: lookup.unwrap_or_else(|| Arc::new(NoDns)),
        lists: &config.lists,
        shelf: Some(store.clone()),
        trial: config.queue.loopback,
        clock: Arc::new(SystemClock),
        events: events.clone(),
    });
    reputation.recall().await;
    reputation
}

/// The same where no server runs, for whoever asks what is known.
pub(crate) async fn without_server(place: &Place, store: &Arc<LocalStore>) -> Arc<Reputation> {
    let lookup = Resolver::new(&place.config().dns).ok().map(|resolver| Arc::new(resolver) as Arc<dyn Lookup>);
    reputation(place.config(), lookup, store, &Events::nowhere()).await
}
