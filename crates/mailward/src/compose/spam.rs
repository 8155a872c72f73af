//! The spam filter.

use crate::failure::Failure;
use mailward_core::event::Events;
use mailward_core::limits::SPAM_LINKS_TIME;
use mailward_core::{Domain, Secret, SystemClock, config};
use mailward_directory::Directory;
use mailward_gate::Reputation;
use mailward_inspect::spam::{LinkListed, LinkLists, Spam, SpamError, SpamParts, token_key};
use mailward_store::LocalStore;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

impl From<SpamError> for Failure {
    fn from(error: SpamError) -> Self {
        match error {
            SpamError::Store(error) => Failure::Store(error),
            SpamError::Vault(error) => Failure::Bug(error.to_string()),
        }
    }
}

/// By configuration. Who asks no lists has no reputation.
pub(crate) async fn open(
    settings: &config::Spam,
    store: &Arc<LocalStore>,
    secret: &Secret,
    directory: &Arc<Directory>,
    reputation: Option<Arc<Reputation>>,
    events: &Events,
) -> Result<Arc<Spam>, Failure> {
    let names = directory.clone();
    let spam = Spam::open(SpamParts {
        store: store.clone(),
        mail: store.clone(),
        key: token_key(secret).map_err(SpamError::Vault)?,
        names: Arc::new(move |account| names.address_of(account)),
        links: reputation.map(|reputation| Arc::new(Links(reputation)) as Arc<dyn LinkLists>),
        settings: settings.clone(),
        clock: Arc::new(SystemClock),
        events: events.clone(),
    });
    Ok(spam.await?)
}

/// The gate's lists, asked about links.
struct Links(Arc<Reputation>);

impl LinkLists for Links {
    fn listed<'a>(
        &'a self,
        client: Option<IpAddr>,
        domains: &'a [Domain],
    ) -> Pin<Box<dyn Future<Output = Vec<LinkListed>> + Send + 'a>> {
        Box::pin(async move {
            if !self.0.has_link_lists() {
                return Vec::new();
            }
            // All at once: each is waited for after all were begun.
            let asked: Vec<_> = domains.iter().map(|domain| (domain, self.0.link(client, domain))).collect();
            let until = tokio::time::Instant::now().checked_add(SPAM_LINKS_TIME);
            let mut found = Vec::new();
            for (domain, asked) in asked {
                let left = until.map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
                let standing = asked.wait(left.unwrap_or_default()).await;
                found.extend(standing.listed.iter().map(|listed| LinkListed {
                    domain: domain.clone(),
                    why: listed.to_string(),
                    weight: listed.weight,
                }));
            }
            found
        })
    }
}
