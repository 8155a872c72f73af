//! The server that runs, as the control socket and signals see it.

use super::checks;
use super::doors::Door;
use super::log::Reopener;
use super::privilege;
use crate::failure::Failure;
use crate::place::Place;
use arc_swap::ArcSwap;
use mailward_core::config::{Audit, Config, KEYS, Quarantine};
use mailward_core::event::{Event, Events};
use mailward_core::limits::LOG_ALIVE_EVERY;
use mailward_core::{Clock as _, Domain, Shutdown, SystemClock, Timestamp};
use mailward_delivery::care::Care;
use mailward_delivery::digest::Digests;
use mailward_gate::bans::Bans;
use mailward_gate::logins::Logins;
use mailward_gate::rates::Rates;
use mailward_gate::rules::RuleBook;
use mailward_gate::{Caps, Gate, Reputation};
use mailward_inspect::policy::Rulebook;
use mailward_inspect::spam::Spam;
use mailward_tls::Acceptor;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::Sender;

/// What can be asked of a running server. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Running(Arc<Inner>);

struct Inner {
    parts: Parts,
    /// What is in force; a reload replaces it.
    config: Mutex<Config>,
}

/// Settings that rooms read anew while sessions run.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) receive: Arc<ArcSwap<mailward_receive::Settings>>,
    pub(crate) imap: Arc<ArcSwap<mailward_imap::Settings>>,
    pub(crate) inspect: Arc<ArcSwap<mailward_inspect::Settings>>,
}

/// What it is made of.
pub(crate) struct Parts {
    pub(crate) place: Place,
    pub(crate) hostname: Domain,
    pub(crate) started: Timestamp,
    pub(crate) connections: usize,
    pub(crate) doors: Vec<Door>,
    pub(crate) acceptor: Acceptor,
    pub(crate) gate: Arc<Gate>,
    pub(crate) bans: Arc<Bans>,
    pub(crate) rules: RuleBook,
    pub(crate) content: Rulebook,
    pub(crate) logins: Arc<Logins>,
    pub(crate) settings: Settings,
    pub(crate) care: Arc<Care>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) reputation: Arc<Reputation>,
    pub(crate) spam: Arc<Spam>,
    pub(crate) digests: Arc<Digests>,
    pub(crate) events: Events,
    pub(crate) log: Reopener,
    pub(crate) stop: Sender<()>,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            receive: Arc::new(ArcSwap::from_pointee(receive(config))),
            imap: Arc::new(ArcSwap::from_pointee(imap(config))),
            inspect: Arc::new(ArcSwap::from_pointee(config.into())),
        }
    }
    fn take(&self, config: &Config) {
        self.receive.store(Arc::new(receive(config)));
        self.imap.store(Arc::new(imap(config)));
        self.inspect.store(Arc::new(config.into()));
    }
}

/// The system's own name is one that programs know this host by.
fn receive(config: &Config) -> mailward_receive::Settings {
    let mut settings = mailward_receive::Settings::from(config);
    let system = nix::unistd::gethostname().ok().and_then(|name| Domain::parse_utf8(&name.to_string_lossy()).ok());
    Arc::make_mut(&mut settings.inside).names.extend(system);
    settings
}

fn imap(config: &Config) -> mailward_imap::Settings {
    mailward_imap::Settings { message_size: config.limits.message_size }
}

/// The gate's caps; no more connections than there are descriptors for.
pub(crate) fn caps(config: &Config, connections: usize) -> Caps {
    Caps {
        connections: config.limits.connections.min(connections),
        per_address: config.limits.connections_per_address,
        per_network: config.limits.connections_per_network,
        per_account: config.limits.sessions_per_account,
        stress_enter: config.limits.stress_enter,
        stress_leave: config.limits.stress_leave,
    }
}

impl Running {
    pub(crate) fn new(parts: Parts) -> Self {
        let config = Mutex::new(parts.place.config().clone());
        Self(Arc::new(Inner { parts, config }))
    }

    /// Every door that is open.
    pub(crate) fn doors(&self) -> &[Door] {
        &self.0.parts.doors
    }

    /// Who is connected, and the way to end it.
    pub(crate) fn gate(&self) -> &Gate {
        &self.0.parts.gate
    }

    /// Where what is done is told.
    pub(crate) fn events(&self) -> &Events {
        &self.0.parts.events
    }

    /// What runs, where, since when.
    pub(crate) fn status(&self) -> Value {
        let parts = &self.0.parts;
        let listeners: Vec<Value> = parts
            .doors
            .iter()
            .map(|d| json!({ "name": d.listener.name(), "address": d.address, "for": super::what_is(d.listener) }))
            .collect();
        let now = SystemClock.now();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "hostname": parts.hostname,
            "config": parts.place.file.as_ref().map(|f| f.display().to_string()),
            "data": parts.place.data().display().to_string(),
            "up_seconds": now.secs().saturating_sub(parts.started.secs()),
            "connections": parts.gate.open(),
            "stress": parts.gate.is_under_stress(),
            "listeners": listeners,
            "note": super::alerts::note(&self.0.config.lock().unwrap_or_else(PoisonError::into_inner)),
            "certificate": {
                "serial": parts.acceptor.serial(),
                "days_left": parts.acceptor.expires().secs().saturating_sub(now.secs()).div_euclid(86_400),
            },
        })
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        &self.0.parts.place
    }

    /// The name it gives itself.
    pub(crate) fn hostname(&self) -> &Domain {
        &self.0.parts.hostname
    }

    /// The file that the log goes to; `None`: standard error.
    pub(crate) fn log_file(&self) -> Option<std::path::PathBuf> {
        self.0.parts.place.config().log.file.clone()
    }

    /// Who answers for what, and when it is looked at.
    pub(crate) fn audit(&self) -> Audit {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).audit.clone()
    }

    /// What is in force for the quarantine.
    pub(crate) fn quarantine(&self) -> Quarantine {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).quarantine.clone()
    }

    /// Who tells users and administrators what is kept.
    pub(crate) fn digests(&self) -> Arc<Digests> {
        Arc::clone(&self.0.parts.digests)
    }

    /// What is in force, by key, as the configuration has it. What may be a secret is hidden.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let current = self.0.config.lock().unwrap_or_else(PoisonError::into_inner);
        KEYS.iter().map(|key| (key.path.to_owned(), key.told(&current))).collect()
    }

    /// The configuration file, if it was started with one.
    pub(crate) fn settings_file(&self) -> Option<&Path> {
        self.0.parts.place.file.as_deref()
    }

    /// Keys whose values in the file are others than those in force.
    pub(crate) fn differs(&self) -> Result<Vec<&'static str>, Failure> {
        let loaded = self.0.parts.place.again()?;
        let current = self.0.config.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = KEYS.iter().filter(|key| key.value(&loaded.config) != key.value(&current));
        Ok(differs.map(|key| key.path).collect())
    }

    /// The socket that takes commands.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.parts.place.socket()
    }

    /// Writes a sign of life into the log, now and then, so that silence there means something.
    pub(crate) async fn tell_alive(self, mut shutdown: Shutdown) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.fired() => return,
                () = tokio::time::sleep(LOG_ALIVE_EVERY) => {}
            }
            self.events().emit(Event::info("server.alive").with("connections", self.gate().open()));
        }
    }

    /// Stops the server, cleanly.
    pub(crate) fn stop(&self) {
        // Full means that it was told already.
        let _told = self.0.parts.stop.try_send(());
    }

    /// Takes new certificates and settings. Whatever is wrong, the old ones stay in force, all of them.
    pub(crate) fn reload(&self) -> Result<Value, Failure> {
        let parts = &self.0.parts;
        parts.log.reopen();
        match self.try_reload() {
            Ok((taken, waiting)) => {
                parts.events.emit(
                    Event::info("config.reloaded")
                        .with("serial", parts.acceptor.serial())
                        .with("taken", taken.join(","))
                        .with("needs_restart", waiting.join(",")),
                );
                let note = super::alerts::note(&self.0.config.lock().unwrap_or_else(PoisonError::into_inner));
                Ok(json!({ "serial": parts.acceptor.serial(), "taken": taken, "needs_restart": waiting, "note": note }))
            }
            Err(failure) => {
                parts.events.emit(Event::alert("config.refused").with("why", &failure));
                Err(failure)
            }
        }
    }

    /// Keys that were taken, and keys that changed but wait for a restart.
    fn try_reload(&self) -> Result<(Vec<&'static str>, Vec<&'static str>), Failure> {
        let parts = &self.0.parts;
        let loaded = parts.place.again()?;
        let acceptor = checks::certificates(&loaded)?;
        let new = &loaded.config;
        super::content::reload(&loaded, &parts.content)?;
        // From here on nothing can fail.
        let mut current = self.0.config.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        for key in KEYS.iter().filter(|k| k.value(new) != k.value(&current)) {
            if key.reloads { taken.push(key.path) } else { waiting.push(key.path) }
        }
        parts.acceptor.replace(&acceptor);
        let connections = if new.limits.connections > parts.connections {
            privilege::open_files_for(new.limits.connections, new.queue.connections)
        } else {
            parts.connections
        };
        parts.gate.set_caps(caps(new, connections));
        parts.settings.take(new);
        super::bans::set(&parts.bans, new);
        parts.rules.set_file(new);
        if new.lists != current.lists {
            parts.reputation.set_lists(&new.lists);
            current.lists = new.lists.clone();
        }
        parts.spam.set(&new.spam);
        current.spam = new.spam.clone();
        parts.logins.set(super::bans::login_settings(new));
        parts.care.set_limits(new.user_limits, new.domain_limits);
        parts.rates.set(&new.rates);
        parts.digests.set(&new.quarantine);
        parts.events.set_level(new.log.level.level());
        current.log.level = new.log.level;
        current.limits = new.limits.clone();
        current.tls = new.tls.clone();
        current.user_limits = new.user_limits;
        current.domain_limits = new.domain_limits;
        current.gate = new.gate.clone();
        current.rates = new.rates.clone();
        current.relay = new.relay.clone();
        current.logins = new.logins.clone();
        current.bans = new.bans.clone();
        current.rules = new.rules.clone();
        current.attachments = new.attachments.clone();
        current.content = new.content.clone();
        current.structure = new.structure;
        current.authentication = new.authentication.clone();
        current.dmarc = new.dmarc.clone();
        current.milters = new.milters.clone();
        current.quarantine = new.quarantine.clone();
        current.audit = new.audit.clone();
        current.antivirus.rescan = new.antivirus.rescan;
        current.antivirus.rescan_hour = new.antivirus.rescan_hour;
        current.sendmail.users.clone_from(&new.sendmail.users);
        Ok((taken, waiting))
    }
}
