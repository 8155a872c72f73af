//! What is done for a request, whoever asks and wherever it runs.

use super::audit::AuditDesk;
use super::care::CareDesk;
use super::greylist::Memory;
use super::milter::MilterDesk;
use super::sessions::{self, Why};
use super::spam::SpamDesk;
use super::{Call, CatchAll, Request};
use crate::compose::scanning::Scanning;
use crate::compose::sending::Ways;
use crate::compose::watch::Watch;
use crate::compose::{Running, checks};
use crate::failure::Failure;
use crate::place::Place;
use crate::secrets::PasswordWish;
use mailward_alert::Alerts;
use mailward_core::config::{Config, Quarantine, Rates};
use mailward_core::event::Events;
use mailward_core::{AccountId, Address, Secret};
use mailward_delivery::queue::Policies;
use mailward_directory::routes::Routes;
use mailward_directory::{Directory, DirectoryError, Dkim, DomainSettings, NewPassword, NewUser, UserSettings};
use mailward_dns::{Lookup, Resolver};
use mailward_fetch::Accounts;
use mailward_gate::Reputation;
use mailward_gate::bans::Bans;
use mailward_gate::rules::KeptRules;
use mailward_inspect::policy::{KeptContent, Rulebook};
use mailward_inspect::rescan::Rescan;
use mailward_store::{LocalStore, maintenance};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Lanes of the queue that `status` tells of.
const LANES_IN_STATUS: usize = 5;

/// Store, directory and keys, and the server if one runs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) store: Arc<LocalStore>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) dkim: Arc<Dkim>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) ways: Ways,
    pub(crate) fetching: Arc<Accounts>,
    pub(crate) rules: Arc<KeptRules>,
    /// Who asks the DNS; `None` where that can't be.
    pub(crate) lookup: Option<Arc<dyn Lookup>>,
    /// Rules for what messages hold.
    pub(crate) content: Arc<KeptContent>,
    /// `None` while it isn't known how the DNS is asked.
    pub(crate) reputation: Option<Arc<Reputation>>,
    pub(crate) bans: Arc<Bans>,
    pub(crate) server: Option<Running>,
    pub(crate) care: CareDesk,
    pub(crate) watch: Watch,
    pub(crate) greylist: Memory,
    pub(crate) scanning: Scanning,
    /// Who looks at stored mail again, if a server runs.
    pub(crate) rescan: Option<Arc<Rescan>>,
    pub(crate) spam: SpamDesk,
    pub(crate) milters: MilterDesk,
    pub(crate) audit: AuditDesk,
    /// What is in force for the quarantine where no server runs.
    pub(crate) quarantine: Quarantine,
    /// Who tells alerts, if a server runs.
    pub(crate) alerts: Option<Alerts>,
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Store(e) => Failure::Store(e),
            DirectoryError::Busy => Failure::Answered { code: 75, text: error.to_string() },
            e => Failure::Refused(e.to_string()),
        }
    }
}

impl From<PasswordWish> for NewPassword {
    fn from(wish: PasswordWish) -> Self {
        match wish {
            PasswordWish::Given(carried) => NewPassword::Given(carried.0),
            PasswordWish::Generated => NewPassword::Generated,
            PasswordWish::None => NewPassword::None,
        }
    }
}

pub(super) fn shown(value: impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|e| Failure::Bug(e.to_string()))
}

/// An answer with how many sessions a change ended.
fn with_ended(mut answer: Value, ended: usize) -> Value {
    if let Some(members) = answer.as_object_mut() {
        members.insert("sessions_ended".to_owned(), ended.into());
    }
    answer
}

/// A generated password, the one time it is told.
fn told(password: Option<&Secret>) -> Option<String> {
    password.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned())
}

impl Desk {
    /// Opens store and directory of a place, in this process.
    pub(crate) async fn open(place: &Place, events: Events) -> Result<Self, Failure> {
        let store = crate::compose::open_store(place, events, 0)?;
        let book = crate::compose::content::book(&place.loaded).unwrap_or_default();
        match Self::over(store.clone(), place.data(), place.config(), book).await {
            Ok(mut desk) => {
                desk.ways = desk.ways_of(place);
                desk.lookup = Resolver::new(&place.config().dns).ok().map(|it| Arc::new(it) as Arc<dyn Lookup>);
                desk.reputation = Some(crate::compose::reputation::without_server(place, &desk.store).await);
                crate::compose::bans::set(&desk.bans, place.config());
                desk.care = CareDesk::without_server(place, &desk.store, &desk.directory);
                desk.watch.rates.set(&place.config().rates);
                Ok(desk)
            }
            Err(e) => {
                store.close().await;
                Err(e)
            }
        }
    }

    /// Over a store that is open, in the directory that also has the server's secret.
    pub(crate) async fn over(
        store: Arc<LocalStore>,
        data: &Path,
        config: &Config,
        content: Rulebook,
    ) -> Result<Self, Failure> {
        let directory = Directory::open(store.clone()).await?;
        let secret = crate::compose::server_secret(data)?;
        let dkim = crate::compose::dkim(&directory, &store, &secret)?;
        let routes = crate::compose::routes(&store, &secret).await?;
        directory.lead_by(routes.clone());
        let fetching = crate::compose::fetching::accounts(&directory, &store, &secret)?;
        let rules = crate::compose::rules::open(config, &store).await?;
        let content = crate::compose::content::without_server(content, &store).await?;
        let watch = Watch::open(&store, &Rates::default(), &secret, &Events::nowhere()).await?;
        let bans = crate::compose::bans::open(&store, &Events::nowhere()).await?;
        let (ways, care) = (Ways::default(), CareDesk::default());
        let (reputation, greylist) = (None, Memory::Data(data.to_owned()));
        let spam = SpamDesk::without_server(data, &config.spam);
        Ok(Self {
            store,
            directory,
            dkim,
            routes,
            ways,
            fetching,
            rules,
            content,
            bans,
            lookup: None,
            reputation,
            server: None,
            care,
            watch,
            greylist,
            scanning: Scanning::of(config, None, &Events::nowhere()),
            rescan: None,
            spam,
            milters: MilterDesk::without_server(config),
            audit: AuditDesk::of(data, &secret)?,
            quarantine: config.quarantine.clone(),
            alerts: None,
        })
    }

    /// The ways by a place's configuration, as far as this host can tell them; what policies demand is the server's to ask.
    fn ways_of(&self, place: &Place) -> Ways {
        let Ok(hostname) = checks::hostname(&place.loaded) else { return Ways::default() };
        match Resolver::new(&place.config().dns) {
            Ok(resolver) => {
                let policies = Policies::default();
                Ways::new(place.config(), &hostname, &self.routes, Arc::new(resolver), policies)
            }
            Err(_) => Ways::unknown(place.config(), &hostname),
        }
    }

    /// Closes the store.
    pub(crate) async fn close(self) {
        // From where an administrator worked; what was asked for is written already.
        let _noted = self.bans.kept().await;
        self.store.close().await;
    }

    pub(super) fn server(&self) -> Result<&Running, Failure> {
        self.server.as_ref().ok_or_else(|| Failure::NoServer("no server runs here".to_owned()))
    }

    /// Does it, for an administrator who works from somewhere: they are not to be shut out.
    pub(crate) async fn answer_call(&self, call: Call) -> Result<Value, Failure> {
        if let Some(ip) = call.administrator {
            self.bans.spare(ip, "an administrator");
        }
        self.answer(call.request, call.administrator).await
    }

    /// Does it.
    async fn answer(&self, request: Request, administrator: Option<IpAddr>) -> Result<Value, Failure> {
        match request {
            Request::Status => self.status().await,
            Request::Reload => self.server()?.reload(),
            Request::Stop => {
                self.server()?.stop();
                Ok(Value::Null)
            }
            Request::SessionList { user, protocol } => {
                sessions::list(self.server()?, &self.directory, user.as_ref(), protocol)
            }
            Request::SessionEnd { session } => sessions::end(self.server()?, session),
            Request::SessionEndUser { address } => sessions::end_user(self.server()?, &self.directory, &address),
            Request::StoreCompact { all } => shown(maintenance::compact(&self.store, all).await?),
            Request::DkimList { domain } => shown(self.dkim.list(domain.as_ref()).await?),
            Request::DkimRotate { domain } => {
                let (keys, made) = self.dkim.rotate(&domain).await?;
                Ok(json!({ "keys": keys, "made": made }))
            }
            Request::DkimActivate { domain } => shown(self.dkim.activate(&domain).await?),
            Request::DkimRemove { domain, selector, now } => shown(self.dkim.remove(&domain, &selector, now).await?),
            Request::QueueList { which, after, limit } => shown(self.queue_list(which, after, limit).await?),
            Request::QueueShow { message, from } => shown(self.queue_show(message, from).await?),
            Request::QueueSteer { which, action, after } => shown(self.queue_steer(which, action, after).await?),
            Request::QueueBounce { which, text, after } => shown(self.queue_bounce(which, text, after).await?),
            Request::ScheduleList => shown(self.schedules().await?),
            Request::ScheduleSet { of, schedule } => self.set_schedule(&of, &schedule).await,
            Request::ScheduleRemove { of } => self.remove_schedule(&of).await,
            Request::UserShow { address } => shown(self.about(&address).await?),
            Request::UserLimit { address, set } => shown(self.limit_user(&address, &set).await?),
            Request::DomainLimit { name, set } => shown(self.limit_domain(&name, &set).await?),
            Request::UserFreeze { address, why } => self.freeze(&address, why).await,
            Request::UserUnfreeze { address } => self.unfreeze(&address).await,
            Request::QueuePause { lane, paused } => shown(self.queue_pause(lane, paused).await?),
            Request::Routes { ask } => self.routes(ask).await,
            Request::Fetch { what } => self.fetch(what).await,
            Request::Lists { ask } => self.lists(ask).await,
            Request::Dmarc { ask } => self.dmarc(ask).await,
            Request::Antivirus { ask } => self.antivirus(ask).await,
            Request::Audit { ask } => self.audit(ask).await,
            Request::Milters => self.milters().await,
            Request::QueueTotals { largest } => shown(self.queue_totals(largest).await?),
            Request::Trust { ask } => self.trust(ask).await,
            Request::Watch { ask } => self.watch(ask).await,
            Request::Greylist { ask } => self.greylist(ask).await,
            Request::Rules { ask } => self.rules(ask).await,
            Request::Content { ask } => self.content(ask).await,
            Request::Alerts { ask } => self.alerts(ask).await,
            Request::Bans { ask } => self.bans(ask).await,
            Request::Spam { ask } => self.spam(ask).await,
            Request::Quarantine { ask } => self.quarantine(ask, administrator).await,
            request => self.on_directory(request).await,
        }
    }

    /// What runs, and what is queued.
    async fn status(&self) -> Result<Value, Failure> {
        let mut status = self.server()?.status();
        // What else there is to tell is told also when the store is ill.
        let queue = match self.queue_totals(LANES_IN_STATUS).await {
            Ok(totals) => shown(totals)?,
            Err(failure) => json!({ "failed": failure.to_string() }),
        };
        if let Some(members) = status.as_object_mut() {
            members.insert("queue".to_owned(), queue);
            members.insert("frozen".to_owned(), shown(self.frozen().await.unwrap_or_default())?);
        }
        Ok(status)
    }

    /// Ends the sessions of a user whose account has just changed; how many there were.
    fn end_of(&self, address: &Address, why: Why) -> usize {
        self.end_of_account(self.directory.account_id(address), why)
    }

    fn end_of_account(&self, account: Option<AccountId>, why: Why) -> usize {
        account.map_or(0, |account| sessions::end_of_account(self.server.as_ref(), account, why))
    }

    async fn on_directory(&self, request: Request) -> Result<Value, Failure> {
        let directory = &self.directory;
        match request {
            Request::DomainAdd { name } => {
                self.no_gateway(&name)?;
                let (domain, keys) = self.dkim.add_domain(name).await?;
                Ok(json!({ "domain": domain, "dkim": keys }))
            }
            Request::DomainList => self.with_domain_limits(shown(directory.list_domains())?).await,
            Request::DomainSet { name, enabled, catch_all } => {
                let catch_all = match catch_all {
                    CatchAll::Keep => None,
                    CatchAll::Off => Some(None),
                    CatchAll::To(address) => Some(Some(address)),
                };
                let set = shown(directory.set_domain(&name, DomainSettings { enabled, catch_all }).await?)?;
                let disabled = enabled == Some(false);
                let ended =
                    if disabled { sessions::end_of_domain(self.server.as_ref(), &name, Why::Disabled) } else { 0 };
                Ok(with_ended(set, ended))
            }
            Request::DomainRemove { name } => {
                directory.remove_domain(&name).await?;
                Ok(Value::Null)
            }
            Request::UserAdd { address, display_name, password, quota_bytes, quota_messages } => {
                let password = password.into();
                let user = NewUser { address, password, display_name, quota_bytes, quota_messages };
                let (user, password) = directory.add_user(user).await?;
                Ok(json!({ "user": user, "password": told(password.as_ref()) }))
            }
            Request::UserList { domain } => {
                let mut users = directory.list_users(domain.as_ref(), Some(self.store.as_ref())).await?;
                users.retain(|user| !super::canary::is_one(user));
                self.with_sending(shown(users)?).await
            }
            Request::UserSet { address, display_name, enabled, quota_bytes, quota_messages } => {
                let settings = UserSettings { display_name, enabled, quota_bytes, quota_messages };
                let set = shown(directory.set_user(&address, settings).await?)?;
                let ended = if enabled == Some(false) { self.end_of(&address, Why::Disabled) } else { 0 };
                Ok(with_ended(set, ended))
            }
            Request::UserPassword { address, password } => {
                let password = directory.set_password(&address, password.into()).await?;
                // Whoever knows the old one only is out (attacks C12).
                let ended = self.end_of(&address, Why::Password);
                Ok(with_ended(json!({ "password": told(password.as_ref()) }), ended))
            }
            Request::UserRemove { address } => {
                let account = directory.account_id(&address);
                directory.remove_user(&address).await?;
                Ok(with_ended(json!({}), self.end_of_account(account, Why::Removed)))
            }
            Request::AliasAdd { alias, targets } => shown(directory.put_alias(&alias, targets).await?),
            Request::AliasList { domain } => {
                let mut aliases = directory.list_aliases(domain.as_ref());
                aliases.retain(|alias| !super::canary::is_alias(&alias.address, &alias.targets));
                shown(aliases)
            }
            Request::AliasRemove { alias } => {
                directory.remove_alias(&alias).await?;
                Ok(Value::Null)
            }
            Request::Status
            | Request::Reload
            | Request::Stop
            | Request::SessionList { .. }
            | Request::SessionEnd { .. }
            | Request::SessionEndUser { .. }
            | Request::StoreCompact { .. }
            | Request::DkimList { .. }
            | Request::DkimRotate { .. }
            | Request::DkimActivate { .. }
            | Request::DkimRemove { .. }
            | Request::Fetch { .. }
            | Request::Lists { .. }
            | Request::Dmarc { .. }
            | Request::Antivirus { .. }
            | Request::Audit { .. }
            | Request::Milters
            | Request::QueueList { .. }
            | Request::QueueShow { .. }
            | Request::QueueSteer { .. }
            | Request::QueuePause { .. }
            | Request::Routes { .. }
            | Request::Trust { .. }
            | Request::Watch { .. }
            | Request::Greylist { .. }
            | Request::Rules { .. }
            | Request::Content { .. }
            | Request::Alerts { .. }
            | Request::Bans { .. }
            | Request::Spam { .. }
            | Request::Quarantine { .. }
            | Request::QueueBounce { .. }
            | Request::ScheduleList
            | Request::ScheduleSet { .. }
            | Request::ScheduleRemove { .. }
            | Request::UserShow { .. }
            | Request::UserLimit { .. }
            | Request::DomainLimit { .. }
            | Request::UserFreeze { .. }
            | Request::UserUnfreeze { .. }
            | Request::QueueTotals { .. } => Err(Failure::Bug("not a matter of the directory".to_owned())),
        }
    }
}
