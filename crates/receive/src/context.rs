//! What every session shares.

use crate::budget::Budget;
use crate::filters::Filters;
use crate::full::FullAccounts;
use crate::guard::Guard;
use crate::ids::MessageIds;
use arc_swap::ArcSwap;
use mailward_core::config::{self, Config};
use mailward_core::event::Events;
use mailward_core::limits::{
    MESSAGE_BYTES_IN_FLIGHT_MAX, MESSAGE_SIZE_MAX, QUEUE_LIFETIME, QUEUE_WARN_AFTER, SMTP_MESSAGES_PER_SESSION_MAX,
    SMTP_RECIPIENTS_MAX,
};
use mailward_core::{Clock, Domain, Shutdown};
use mailward_delivery::Forwarder;
use mailward_delivery::care::Care;
use mailward_delivery::dmarc_reports::{Ledger, Listener};
use mailward_directory::{Authenticator, Directory};
use mailward_gate::journal::Journal;
use mailward_gate::rates::Rates;
use mailward_gate::rules::RuleBook;
use mailward_gate::{Gate, Inside, InsideRules, Sending};
use mailward_inspect::Inspector;
use mailward_inspect::remembered::Verdicts;
use mailward_store::MailStore;
use mailward_tls::Acceptor;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// What an administrator may move while sessions run; each session reads it at its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Largest message, bytes.
    pub message_size: u64,
    /// Recipients of one message.
    pub recipients: usize,
    /// Messages in one session.
    pub messages_per_session: usize,
    /// Whether mail for other domains is taken from users.
    pub sending: Sending,
    /// How long what is sent on is tried.
    pub lifetime: Duration,
    /// When its sender hears that it is late.
    pub warn_after: Duration,
    /// Who inside may send without a login.
    pub inside: Arc<InsideRules>,
    /// How strangers are weighed.
    pub guard: config::Guard,
    /// How long messages are kept in the quarantine, days.
    pub quarantine_days: usize,
    /// Whether the administrator hears of what comes there.
    pub quarantine_alert: bool,
    /// Milters that are asked.
    pub milters: config::Milters,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_size: MESSAGE_SIZE_MAX,
            recipients: SMTP_RECIPIENTS_MAX,
            messages_per_session: SMTP_MESSAGES_PER_SESSION_MAX,
            sending: Sending::On,
            lifetime: QUEUE_LIFETIME,
            warn_after: QUEUE_WARN_AFTER,
            inside: Arc::default(),
            guard: config::Guard::default(),
            quarantine_days: config::Quarantine::default().days,
            quarantine_alert: config::Quarantine::default().alert,
            milters: config::Milters::default(),
        }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            message_size: config.limits.message_size,
            recipients: config.limits.recipients,
            messages_per_session: config.limits.messages_per_session,
            sending: if config.queue.send { Sending::On } else { Sending::Off },
            lifetime: config.queue.lifetime(),
            warn_after: config.queue.warn_after(),
            inside: Arc::new(InsideRules::from(config)),
            guard: config.gate.clone(),
            quarantine_days: config.quarantine.days,
            quarantine_alert: config.quarantine.alert,
            milters: config.milters.clone(),
        }
    }
}

/// What every session shares. Made once by [`Context::new`], which takes the parts by name.
pub struct Context {
    /// Our name in greetings and traces.
    pub hostname: Domain,
    /// Where mail goes.
    pub store: Arc<dyn MailStore>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// Who asks inside servers for their recipients.
    pub inside: Arc<dyn Inside>,
    /// Who logs in.
    pub auth: Arc<Authenticator>,
    /// Who forwards; without, strangers' mail to addresses that lead elsewhere is refused for now.
    pub forwarder: Option<Arc<Forwarder>>,
    /// Certificates; without them STARTTLS isn't offered and nobody can log in.
    pub acceptor: Option<Acceptor>,
    /// Who may connect.
    pub gate: Arc<Gate>,
    /// Who may do what, by address, name, sender and recipient.
    pub rules: RuleBook,
    /// Whom to ask about strangers; none: they aren't weighed.
    pub guard: Option<Arc<Guard>>,
    /// Who counts how much comes from whom; none: nobody.
    pub rates: Option<Arc<Rates>>,
    /// Where refusals are noted; none: nowhere.
    pub journal: Option<Arc<Journal>>,
    /// Where it is remembered what was found in messages; none: nowhere.
    pub verdicts: Option<Arc<Verdicts>>,
    /// Where events go.
    pub events: Events,
    /// The word that the server stops.
    pub shutdown: Shutdown,
    /// What may be moved.
    pub settings: Arc<ArcSwap<Settings>>,
    /// The time for traces.
    pub clock: Arc<dyn Clock>,
    /// Who watches over what users send; none: nobody, and nothing is confirmed.
    pub care: Option<Arc<Care>>,
    /// Who judges messages; none: nobody.
    pub inspector: Option<Arc<Inspector>>,
    /// Who counts what was authenticated, and reads what others count; none: nobody.
    pub dmarc: Option<Dmarc>,
    /// Message bytes of all sessions together.
    pub budget: Budget,
    /// Names of messages in traces, replies and log.
    pub ids: MessageIds,
    /// Milters of the doors.
    pub filters: Arc<Filters>,
    /// Accounts found over quota.
    pub(crate) full: FullAccounts,
    /// When it was last told that the disk is full, seconds since 1970.
    pub(crate) last_disk_alert: AtomicI64,
}

/// The parts of a [`Context`] that come from outside this room.
pub struct Parts {
    /// See [`Context::hostname`].
    pub hostname: Domain,
    /// See [`Context::store`].
    pub store: Arc<dyn MailStore>,
    /// See [`Context::directory`].
    pub directory: Arc<Directory>,
    /// See [`Context::inside`].
    pub inside: Arc<dyn Inside>,
    /// See [`Context::auth`].
    pub auth: Arc<Authenticator>,
    /// See [`Context::forwarder`].
    pub forwarder: Option<Arc<Forwarder>>,
    /// See [`Context::acceptor`].
    pub acceptor: Option<Acceptor>,
    /// See [`Context::gate`].
    pub gate: Arc<Gate>,
    /// See [`Context::rules`].
    pub rules: RuleBook,
    /// See [`Context::guard`].
    pub guard: Option<Arc<Guard>>,
    /// See [`Context::rates`].
    pub rates: Option<Arc<Rates>>,
    /// See [`Context::journal`].
    pub journal: Option<Arc<Journal>>,
    /// See [`Context::verdicts`].
    pub verdicts: Option<Arc<Verdicts>>,
    /// See [`Context::events`].
    pub events: Events,
    /// See [`Context::shutdown`].
    pub shutdown: Shutdown,
    /// See [`Context::settings`].
    pub settings: Arc<ArcSwap<Settings>>,
    /// See [`Context::clock`].
    pub clock: Arc<dyn Clock>,
    /// See [`Context::care`].
    pub care: Option<Arc<Care>>,
    /// See [`Context::inspector`].
    pub inspector: Option<Arc<Inspector>>,
    /// See [`Context::dmarc`].
    pub dmarc: Option<Dmarc>,
    /// See [`Context::filters`].
    pub filters: Arc<Filters>,
}

/// Reports of DMARC (RFC 9990).
#[derive(Clone)]
pub struct Dmarc {
    /// Counts for others.
    pub ledger: Arc<Ledger>,
    /// Reads what others counted of ours.
    pub listener: Arc<Listener>,
}

impl Context {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let ids = MessageIds::from(parts.clock.now());
        let acceptor = parts.acceptor.map(|acceptor| acceptor.for_protocol(mailward_core::Protocol::Smtp));
        Arc::new(Self {
            filters: parts.filters,
            hostname: parts.hostname,
            store: parts.store,
            directory: parts.directory,
            inside: parts.inside,
            auth: parts.auth,
            forwarder: parts.forwarder,
            acceptor,
            gate: parts.gate,
            rules: parts.rules,
            guard: parts.guard,
            rates: parts.rates,
            journal: parts.journal,
            verdicts: parts.verdicts,
            events: parts.events,
            shutdown: parts.shutdown,
            settings: parts.settings,
            clock: parts.clock,
            care: parts.care,
            inspector: parts.inspector,
            dmarc: parts.dmarc,
            budget: Budget::new(MESSAGE_BYTES_IN_FLIGHT_MAX),
            ids,
            full: FullAccounts::default(),
            last_disk_alert: AtomicI64::new(0),
        })
    }
}
