//! Routes: where mail goes that doesn't go by DNS, and gateways: domains of inside servers that mail is taken for.
//!
//! Kept on a shelf of the store and answered from a snapshot in memory, which is made anew when the shelf changes, and
//! before an administrative function returns. A shelf that can't be read leaves the last snapshot in use.
//!
//! **Limits**: [`ROUTES_MAX`], [`GATEWAYS_MAX`], [`GATEWAY_LISTED_MAX`].
//! Passwords of smart hosts are sealed, and open for the same route, user and hosts only.

mod gateway;
mod model;
mod table;

#[cfg(test)]
mod tests;

pub use gateway::{Gateway, GatewayCheck};
pub use model::{
    ForWhom, FromWhom, Leads, Malformed, Place, PlaceName, Places, Route, RouteLogin, RouteName, RouteTls,
};
pub use table::{Decided, Leading, Owner, RouteTable, is_routed};

use crate::error::DirectoryError;
use crate::snapshot::fold;
use arc_swap::ArcSwap;
use bytes::Bytes;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{
    GATEWAY_LISTED_MAX, GATEWAY_LISTED_STEP, GATEWAYS_MAX, PAGE_ROWS_MAX, ROUTE_LIFETIME_MAX, ROUTES_MAX,
    SHELF_CHANGES_MAX,
};
use mailward_core::{Address, Domain, Secret};
use mailward_store::records::{Shelf, ShelfChange, Shelved};
use mailward_store::{ShelfStore, StoreError};
use mailward_vault::Seal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

/// Wait before the store is asked again after it failed.
const RETRY_TIME: Duration = Duration::from_secs(1);

const ROUTE: &str = "route/";
const GATEWAY: &str = "gateway/";
const LISTED: &str = "listed/";

/// Routes and gateways of a server. One for a store; cheap to ask.
pub struct Routes {
    kept: Option<Kept>,
    table: ArcSwap<RouteTable>,
    /// Version that was read last; held while reading.
    read: Mutex<Option<u64>>,
    /// Held by administrative functions from the check to the write.
    changing: Mutex<()>,
    events: OnceLock<Events>,
    refresher: OnceLock<AbortHandle>,
}

struct Kept {
    store: Arc<dyn ShelfStore>,
    seal: Seal,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Routes")
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        if let Some(task) = self.refresher.get() {
            task.abort();
        }
    }
}

/// What is to be changed of a route; what isn't given stays.
#[derive(Clone, Debug, Default)]
pub struct RouteChange {
    /// To whom.
    pub to: Option<ForWhom>,
    /// From whom.
    pub from: Option<FromWhom>,
    /// Where to. A smart host's password stays if the user does.
    pub leads: Option<Leads>,
    /// The smart host's password.
    pub password: Option<Secret>,
    /// Seconds; `Some(None)`: as the configuration says.
    pub lifetime: Option<Option<u64>>,
    /// Seconds; `Some(None)`: as the configuration says.
    pub warn_after: Option<Option<u64>>,
}

impl Routes {
    /// None, and none can be made: for servers that keep nothing, and tests.
    #[must_use]
    pub fn none() -> Arc<Self> {
        Arc::new(Self::over(None))
    }

    fn over(kept: Option<Kept>) -> Self {
        Self {
            kept,
            table: ArcSwap::default(),
            read: Mutex::new(None),
            changing: Mutex::new(()),
            events: OnceLock::new(),
            refresher: OnceLock::new(),
        }
    }

    /// Reads them, and keeps them fresh until the last handle is dropped. `seal` is made from the server's secret.
    ///
    /// # Errors
    /// What the store says, or [`DirectoryError::RouteDamaged`].
    pub async fn open(store: Arc<dyn ShelfStore>, seal: Seal) -> Result<Arc<Self>, DirectoryError> {
        let mut version = store.shelf_version(Shelf::Routes);
        let routes = Arc::new(Self::over(Some(Kept { store, seal })));
        routes.refresh().await?;
        let weak: Weak<Self> = Arc::downgrade(&routes);
        let task = tokio::spawn(async move {
            while version.changed().await.is_ok() {
                loop {
                    let Some(routes) = weak.upgrade() else { return };
                    match routes.refresh().await {
                        Ok(()) => break,
                        Err(DirectoryError::Store(StoreError::Closed)) => return,
                        Err(error) => {
                            if let Some(events) = routes.events.get() {
                                events.emit(Event::alert("routes.stale").with("error", error));
                            }
                            drop(routes);
                        }
                    }
                    tokio::time::sleep(RETRY_TIME).await;
                }
            }
        });
        // Nobody else sets it: it was made above.
        let _first = routes.refresher.set(task.abort_handle());
        Ok(routes)
    }

    /// Tells there of what can't be read from now on. The first call counts.
    pub fn report_to(&self, events: Events) {
        let _already = self.events.set(events);
    }

    /// Routes and gateways as they are now.
    #[must_use]
    pub fn table(&self) -> Arc<RouteTable> {
        self.table.load_full()
    }

    fn kept(&self) -> Result<&Kept, DirectoryError> {
        self.kept.as_ref().ok_or(DirectoryError::Store(StoreError::Closed))
    }

    async fn refresh(&self) -> Result<(), DirectoryError> {
        let kept = self.kept()?;
        let mut read = self.read.lock().await;
        let version = *kept.store.shelf_version(Shelf::Routes).borrow();
        if *read == Some(version) {
            return Ok(());
        }
        let (mut routes, mut gateways, mut listed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut after = None;
        // As many pages as there may be records, and one more.
        let most = ROUTES_MAX.saturating_add(GATEWAYS_MAX).saturating_add(GATEWAY_LISTED_MAX) / PAGE_ROWS_MAX;
        for _ in 0..=most.saturating_add(1) {
            let page = kept.store.shelf(Shelf::Routes, after.take(), PAGE_ROWS_MAX).await?;
            let whole = page.len() >= PAGE_ROWS_MAX;
            after = page.last().map(|last| last.key.clone());
            for record in page {
                if record.key.starts_with(ROUTE) {
                    let route: Route = read_kept(&record)?;
                    routes.insert(route.name.clone(), route);
                } else if record.key.starts_with(GATEWAY) {
                    let gateway: Gateway = read_kept(&record)?;
                    gateways.insert(gateway.domain.clone(), Arc::new(gateway));
                } else if let Some((domain, local)) =
                    record.key.strip_prefix(LISTED).and_then(|rest| rest.split_once('/'))
                {
                    let domain = Domain::parse(domain).map_err(|_| DirectoryError::RouteDamaged(record.key.clone()))?;
                    listed.entry(domain).or_insert_with(BTreeSet::new).insert(local.to_owned());
                }
            }
            if !whole {
                break;
            }
        }
        self.table.store(Arc::new(RouteTable::new(routes, gateways, listed)));
        // What changed while it was read has another version, and is read again.
        *read = Some(version);
        Ok(())
    }

    async fn change_kept(&self, changes: Vec<ShelfChange>) -> Result<(), DirectoryError> {
        self.kept()?.store.change_shelf(changes).await?;
        self.refresh().await
    }

    /// A smart host's password.
    ///
    /// # Errors
    /// [`DirectoryError::RoutePassword`] if it doesn't open, or there is none.
    pub fn password(&self, leading: &Leading) -> Result<Option<Secret>, DirectoryError> {
        match (&leading.owner, leading.leads.login()) {
            (_, None) => Ok(None),
            (Owner::Route(name), Some(login)) => self.open_password(name, &leading.leads, login).map(Some),
            (Owner::Gateway(domain), Some(_)) => Err(DirectoryError::RoutePassword(domain.to_string())),
        }
    }

    fn open_password(&self, name: &RouteName, leads: &Leads, login: &RouteLogin) -> Result<Secret, DirectoryError> {
        let opened = self.kept()?.seal.open(&login.sealed, &bound(name, leads));
        opened.map_err(|_| DirectoryError::RoutePassword(name.to_string()))
    }

    fn seal_password(&self, name: &RouteName, leads: &mut Leads, password: &Secret) -> Result<(), DirectoryError> {
        let sealed = self.kept()?.seal.seal(password, &bound(name, leads)).map_err(DirectoryError::Vault)?;
        if let Some(login) = leads.login_mut() {
            login.sealed = sealed;
        }
        Ok(())
    }

    // ---- routes ----

    /// Adds a route. `password` is the smart host's, if the route has a user there.
    ///
    /// # Errors
    /// [`DirectoryError::RouteTaken`], [`DirectoryError::RouteSame`], [`DirectoryError::RoutesFull`],
    /// [`DirectoryError::RoutePasswordMissing`], [`DirectoryError::Route`], what vault or store say.
    pub async fn add(&self, mut route: Route, password: Option<&Secret>) -> Result<Route, DirectoryError> {
        let _changing = self.changing.lock().await;
        self.refresh().await?;
        let table = self.table();
        if table.route(&route.name).is_some() {
            return Err(DirectoryError::RouteTaken(route.name.to_string()));
        }
        if table.routes.len() >= ROUTES_MAX {
            return Err(DirectoryError::RoutesFull);
        }
        let name = route.name.clone();
        match (route.leads.login_mut(), password) {
            (Some(login), Some(password)) => {
                login.sealed = Vec::new();
                self.seal_password(&name, &mut route.leads, password)?;
            }
            (Some(_), None) => return Err(DirectoryError::RoutePasswordMissing),
            (None, Some(_)) => return Err(DirectoryError::RoutePasswordUnused),
            (None, None) => {}
        }
        self.keep(&table, route).await
    }

    /// Changes a route.
    ///
    /// # Errors
    /// [`DirectoryError::NoRoute`], and those of [`Routes::add`].
    pub async fn change(&self, name: &RouteName, change: RouteChange) -> Result<Route, DirectoryError> {
        let _changing = self.changing.lock().await;
        self.refresh().await?;
        let table = self.table();
        let old = table.route(name).ok_or_else(|| DirectoryError::NoRoute(name.to_string()))?;
        let mut route = old.clone();
        route.to = change.to.unwrap_or(route.to);
        route.from = change.from.unwrap_or(route.from);
        route.lifetime = change.lifetime.unwrap_or(route.lifetime);
        route.warn_after = change.warn_after.unwrap_or(route.warn_after);
        route.leads = change.leads.unwrap_or(route.leads);
        let user = route.leads.login().map(|login| login.user.clone());
        match (user, change.password, old.leads.login()) {
            (Some(_), Some(password), _) => self.seal_password(name, &mut route.leads, &password)?,
            (Some(user), None, Some(login)) if login.user == user => {
                // Other hosts: the same password is sealed for these.
                let password = self.open_password(name, &old.leads, login)?;
                self.seal_password(name, &mut route.leads, &password)?;
            }
            (Some(_), None, _) => return Err(DirectoryError::RoutePasswordMissing),
            (None, Some(_), _) => return Err(DirectoryError::RoutePasswordUnused),
            (None, None, _) => {}
        }
        self.keep(&table, route).await
    }

    async fn keep(&self, table: &RouteTable, route: Route) -> Result<Route, DirectoryError> {
        route.leads.check()?;
        let owner = Owner::Route(route.name.clone());
        if let Some(same) = table.same(&route.to, &route.from).filter(|same| same.owner != owner) {
            return Err(DirectoryError::RouteSame(same.owner.to_string()));
        }
        let long = [route.lifetime, route.warn_after].into_iter().flatten().any(|secs| secs > ROUTE_LIFETIME_MAX);
        if long || route.lifetime == Some(0) {
            return Err(DirectoryError::RouteLifetime);
        }
        self.change_kept(vec![put(ROUTE, route.name.as_str(), &route)?]).await?;
        Ok(route)
    }

    /// Removes a route.
    ///
    /// # Errors
    /// [`DirectoryError::NoRoute`], or what the store says.
    pub async fn remove(&self, name: &RouteName) -> Result<(), DirectoryError> {
        let _changing = self.changing.lock().await;
        match self.change_kept(vec![ShelfChange::Remove(Shelf::Routes, format!("{ROUTE}{name}"))]).await {
            Err(DirectoryError::Store(StoreError::NotFound(_))) => Err(DirectoryError::NoRoute(name.to_string())),
            other => other,
        }
    }

    // ---- gateways ----

    /// Makes a gateway, or changes the one that the domain has. That the domain isn't one of ours is for the caller to see.
    ///
    /// # Errors
    /// [`DirectoryError::RouteSame`], [`DirectoryError::GatewaysFull`], [`DirectoryError::Route`], or what the store says.
    pub async fn put_gateway(&self, gateway: Gateway) -> Result<(), DirectoryError> {
        let _changing = self.changing.lock().await;
        self.refresh().await?;
        gateway.check()?;
        let table = self.table();
        let owner = Owner::Gateway(gateway.domain.clone());
        let to = ForWhom::Domain(gateway.domain.clone());
        if let Some(same) = table.same(&to, &FromWhom::Anybody).filter(|same| same.owner != owner) {
            return Err(DirectoryError::RouteSame(same.owner.to_string()));
        }
        if table.gateways.len() >= GATEWAYS_MAX && table.gateway(&gateway.domain).is_none() {
            return Err(DirectoryError::GatewaysFull);
        }
        self.change_kept(vec![put(GATEWAY, gateway.domain.as_str(), &gateway)?]).await
    }

    /// Removes a gateway with its list.
    ///
    /// # Errors
    /// [`DirectoryError::NoGateway`], or what the store says.
    pub async fn remove_gateway(&self, domain: &Domain) -> Result<(), DirectoryError> {
        let _changing = self.changing.lock().await;
        self.refresh().await?;
        let table = self.table();
        if table.gateway(domain).is_none() {
            return Err(DirectoryError::NoGateway(domain.to_string()));
        }
        // The gateway goes with the last step: broken off before, it is still there, and takes less than it did.
        let mut changes: Vec<ShelfChange> =
            table.listed(domain).map(|local| ShelfChange::Remove(Shelf::Routes, listed_key(domain, local))).collect();
        changes.push(ShelfChange::Remove(Shelf::Routes, format!("{GATEWAY}{domain}")));
        for step in changes.chunks(SHELF_CHANGES_MAX) {
            self.change_kept(step.to_vec()).await?;
        }
        Ok(())
    }

    /// Puts recipients on a gateway's list, or takes them off; those that are on it, or aren't, already stay so. At most
    /// [`GATEWAY_LISTED_STEP`] at a time; all or none. Answers how many were changed.
    ///
    /// # Errors
    /// [`DirectoryError::NoGateway`], [`DirectoryError::GatewayRecipient`] for an address of another domain,
    /// [`DirectoryError::GatewayListFull`], or what the store says.
    pub async fn list(&self, domain: &Domain, recipients: &[Address], on: bool) -> Result<usize, DirectoryError> {
        let _changing = self.changing.lock().await;
        self.refresh().await?;
        let table = self.table();
        if table.gateway(domain).is_none() {
            return Err(DirectoryError::NoGateway(domain.to_string()));
        }
        if let Some(other) = recipients.iter().find(|address| address.domain() != Some(domain)) {
            return Err(DirectoryError::GatewayRecipient(other.to_string(), domain.to_string()));
        }
        let there = table.listed.get(domain);
        let is_there = |local: &String| there.is_some_and(|there| there.contains(local));
        let locals: BTreeSet<String> = recipients.iter().map(|r| fold(r.local().as_str()).into_owned()).collect();
        let changes: Vec<ShelfChange> = locals
            .iter()
            .filter(|local| is_there(local) != on)
            .map(|local| {
                let key = listed_key(domain, local);
                if on {
                    ShelfChange::Put(Shelf::Routes, Shelved { key, value: Bytes::new(), expires: None })
                } else {
                    ShelfChange::Remove(Shelf::Routes, key)
                }
            })
            .collect();
        let full = on && table.listed_in_all().saturating_add(changes.len()) > GATEWAY_LISTED_MAX;
        if full || recipients.len() > GATEWAY_LISTED_STEP {
            return Err(DirectoryError::GatewayListFull);
        }
        let changed = changes.len();
        if changed > 0 {
            self.change_kept(changes).await?;
        }
        Ok(changed)
    }
}

/// What a password is sealed for: were only its row's host another, it wouldn't open.
fn bound(name: &RouteName, leads: &Leads) -> String {
    format!("route password {name} {leads}")
}

fn listed_key(domain: &Domain, local: &str) -> String {
    format!("{LISTED}{domain}/{local}")
}

fn put(room: &str, name: &str, value: &impl Serialize) -> Result<ShelfChange, DirectoryError> {
    let key = format!("{room}{name}");
    let bytes = serde_json::to_vec(value).map_err(|_| DirectoryError::RouteDamaged(key.clone()))?;
    Ok(ShelfChange::Put(Shelf::Routes, Shelved { key, value: Bytes::from(bytes), expires: None }))
}

fn read_kept<T: DeserializeOwned>(record: &Shelved) -> Result<T, DirectoryError> {
    serde_json::from_slice(&record.value).map_err(|_| DirectoryError::RouteDamaged(record.key.clone()))
}

impl From<Malformed> for DirectoryError {
    fn from(error: Malformed) -> Self {
        DirectoryError::Route(error)
    }
}
