//! Configuration: what a host is. One TOML file, `mailward.toml`; domains, accounts and aliases live in the store
//! instead.
//!
//! **In**: the file's text. **Out**: a [`Config`] in which every value is possible, or [`ConfigErrors`] that name
//! file, line, key and mend. One table, [`KEYS`], names every key with its form, unit and reason; the reader, the
//! commented file that `setup` writes, `mailward config reference` and `docs/configuration.md` all come from it, and
//! a test holds it against the types below in both directions.
//!
//! **Limits**: `limits::CONFIG_SIZE_MAX`, `CONFIG_ERRORS_MAX`, `LISTEN_ADDRESSES_MAX`.
//!
//! **Failure**: nothing is guessed. An unknown key is refused with the nearest known one; a file with one bad value
//! gives no configuration at all.

mod agree;
mod alerts;
mod antivirus;
mod audit;
mod content;
mod dmarc;
mod guard;
mod keys;
mod lists;
mod local;
mod logins;
mod milters;
mod quarantine;
mod rates;
mod read;
mod rules;
mod scanner;
mod spam;
mod structure;
mod value;
mod web;
mod write;

#[cfg(test)]
mod tests;

pub use alerts::{AlertMail, Alerts, Webhook};
pub use antivirus::{Antivirus, EngineLine, EnginePlace, OnVirus, RescanEvery, WhenDown};
pub use audit::{AUDIT_AREAS, Audit, AuditMachine, AuditPeer, AuditPerson, AuditWeight};
pub use content::{Attachments, Content, ContentLine, DictionaryFile, FileCare, is_name};
pub use dmarc::{Authentication, Dmarc, Obeyed};
pub use guard::Guard;
pub use keys::{KEYS, Key};
pub use lists::{Code, ListKind, ListLine, ListTest, Lists};
pub use local::{Grant, Granted, Relay, Sendmail};
pub use logins::{Bans, Logins, Never};
pub use milters::{MilterDefault, MilterFamily, MilterLine, MilterPlace, Milters};
pub use quarantine::{DigestPace, KeptClass, Quarantine};
pub use rates::{RateIgnored, Rates};
pub use read::{ConfigError, ConfigErrors, Loaded};
pub use rules::Rules;
pub use scanner::Scanner;
pub use spam::{Spam, SpamPeer, SpamPeerKind, SpamPeerPlace, SpamPoints, TrainAddress};
pub use structure::{AmbiguousCare, Structure};
pub use value::parse_size;
pub use web::{Origin, Web};

use crate::address::Address;
use crate::domain::Domain;
use crate::event::Level;
use crate::limits;
use crate::peer::Listener;
use crate::sending::SendLimits;
use serde::{Serialize, Serializer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything `mailward.toml` can say. [`Config::default`] is what an empty file means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Name of this host in greetings and trace fields; `None` asks the system for it.
    #[serde(serialize_with = "domain_or_empty")]
    pub hostname: Option<Domain>,
    /// Directory of the store, the keys and the control socket.
    pub data: PathBuf,
    /// System user to become when started as root; empty: stay as started.
    pub user: String,
    /// The doors.
    pub listen: Listen,
    /// LMTP on a Unix socket.
    pub lmtp: Lmtp,
    /// Certificates.
    pub tls: Tls,
    /// Limits that an administrator may move.
    pub limits: Limits,
    /// Sending to other servers.
    pub queue: Queue,
    /// Reports to other domains of how TLS went.
    pub tls_reports: TlsReports,
    /// How much one user may send to other domains; 0: no limit.
    pub user_limits: SendLimits,
    /// How much all users of one domain together may send to other domains; 0: no limit.
    pub domain_limits: SendLimits,
    /// What strangers who bring mail meet.
    pub gate: Guard,
    /// How much may come from one source.
    pub rates: Rates,
    /// Hosts of our networks that may send out through us.
    pub relay: Relay,
    /// Who may do what, by address.
    pub rules: Rules,
    /// What files a message may bring.
    pub attachments: Attachments,
    /// Rules for what messages hold.
    pub content: Content,
    /// Messages that can be read in two ways.
    pub structure: Structure,
    /// Mail of programs of this host.
    pub sendmail: Sendmail,
    /// Logins that fail.
    pub logins: Logins,
    /// Hosts that get nothing.
    pub bans: Bans,
    /// Messages that nobody sees.
    pub quarantine: Quarantine,
    /// Pages.
    pub web: Web,
    /// Searching in mail.
    pub search: Search,
    /// Lists in the DNS that are asked about who sends.
    pub lists: Lists,
    /// Whose word on a message counts.
    pub authentication: Authentication,
    /// What is done with mail that isn't from whom it names.
    pub dmarc: Dmarc,
    /// Milters that are asked about messages.
    pub milters: Milters,
    /// Processes that look into messages.
    pub scanner: Scanner,
    /// Virus scanners of others.
    pub antivirus: Antivirus,
    /// What is done about spam.
    pub spam: Spam,
    /// Asking the DNS.
    pub dns: Dns,
    /// Where alerts go.
    pub alerts: Alerts,
    /// Who answers for what, and when it is looked at.
    pub audit: Audit,
    /// The log.
    pub log: Log,
}

/// Addresses of each door; none: that door is off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listen {
    /// SMTP from other servers.
    pub smtp: Vec<SocketAddr>,
    /// Submission with STARTTLS.
    pub submission: Vec<SocketAddr>,
    /// Submission with TLS from the first byte.
    pub submissions: Vec<SocketAddr>,
    /// IMAP with STARTTLS.
    pub imap: Vec<SocketAddr>,
    /// IMAP with TLS from the first byte.
    pub imaps: Vec<SocketAddr>,
    /// POP3 with STLS.
    pub pop3: Vec<SocketAddr>,
    /// POP3 with TLS from the first byte.
    pub pop3s: Vec<SocketAddr>,
    /// LMTP over TCP.
    pub lmtp: Vec<SocketAddr>,
    /// Pages under TLS.
    pub https: Vec<SocketAddr>,
    /// Pages without TLS, for a proxy on this host: loopback addresses.
    pub http: Vec<SocketAddr>,
}

/// LMTP on a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lmtp {
    /// The socket's path; `None`: off.
    #[serde(serialize_with = "path_or_off")]
    pub socket: Option<PathBuf>,
}

/// Certificate and key, PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// The certificate and those above it, ours first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Limits that an administrator may move; all others stand in [`crate::limits`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Largest message, bytes.
    pub message_size: u64,
    /// Recipients of one message.
    pub recipients: usize,
    /// Messages of one SMTP session.
    pub messages_per_session: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Connections open at once from one address (IPv4) or one /64 (IPv6).
    pub connections_per_address: usize,
    /// Connections open at once from one network: see [`crate::Network::neighbours`].
    pub connections_per_network: usize,
    /// IMAP and POP3 sessions of one account at once.
    pub sessions_per_account: usize,
    /// Share of `connections` that are open when stress begins, parts of 100.
    pub stress_enter: usize,
    /// The share at which it ends.
    pub stress_leave: usize,
}

/// Sending to other servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Whether mail for other domains is taken from users, programs and inside hosts, or as aliases lead there, and sent.
    pub send: bool,
    /// How long a message is tried, hours.
    pub lifetime: usize,
    /// After how many hours its sender hears that it is late; 0: never.
    pub warn_after: usize,
    /// Connections to other servers at once.
    pub connections: usize,
    /// Connections to the servers of one domain at once.
    pub connections_per_host: usize,
    /// Port of other servers.
    pub port: usize,
    /// Whether servers on loopback addresses are sent to.
    pub loopback: bool,
    /// Directory that Maildirs of routes are below; `None`: no route leads to a Maildir.
    #[serde(serialize_with = "path_or_off")]
    pub maildirs: Option<PathBuf>,
}

impl Default for Queue {
    fn default() -> Self {
        let hours = |time: Duration| usize::try_from(time.as_secs() / 3_600).unwrap_or(1);
        Self {
            send: true,
            lifetime: hours(limits::QUEUE_LIFETIME),
            warn_after: hours(limits::QUEUE_WARN_AFTER),
            connections: limits::QUEUE_CONNECTIONS,
            connections_per_host: limits::QUEUE_CONNECTIONS_PER_LANE,
            port: 25,
            loopback: false,
            maildirs: None,
        }
    }
}

impl Queue {
    /// How long a message is tried.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        hours(self.lifetime)
    }
    /// When its sender hears that it is late; not before it is given up, if never.
    #[must_use]
    pub fn warn_after(&self) -> Duration {
        if self.warn_after == 0 { Duration::MAX } else { hours(self.warn_after) }
    }
}

fn hours(count: usize) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(3_600))
}

/// Reports to other domains of how TLS went (RFC 8460).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsReports {
    /// Whether they are sent.
    pub send: bool,
    /// Whom they are from; `None`: postmaster at this host's name. ASCII, with a domain.
    #[serde(serialize_with = "address_or_postmaster")]
    pub contact: Option<Address>,
}

/// Searching in mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Search {
    /// Whether messages are indexed in the background.
    pub index: bool,
}

/// Asking the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dns {
    /// Recursive resolvers; none: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Whether answers are checked by DNSSEC.
    pub dnssec: bool,
    /// File of DNSKEY records that are trusted; `None`: the root's keys.
    #[serde(serialize_with = "path_or_root")]
    pub trust_anchor: Option<PathBuf>,
    /// Wait for a server's answer, seconds.
    pub timeout: usize,
    /// Answers kept in memory.
    pub cache: usize,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            dnssec: true,
            trust_anchor: None,
            timeout: usize::try_from(limits::DNS_TRY_TIME.as_secs()).unwrap_or(5),
            cache: limits::DNS_CACHE_MAX,
        }
    }
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Log {
    /// Least important events that are written.
    pub level: LogLevel,
    /// File to write to; `None`: standard error, which systemd keeps in the journal.
    #[serde(serialize_with = "path_or_stderr")]
    pub file: Option<PathBuf>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For whoever looks for a fault.
    Debug,
    /// What the service does.
    Info,
    /// What an administrator should know.
    Warn,
    /// What an administrator must act on.
    Alert,
}

impl LogLevel {
    /// Every level, the most talkative first.
    pub const ALL: [LogLevel; 4] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Alert];
    /// Its name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Alert => "alert",
        }
    }
    /// The level of events that it lets through.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            LogLevel::Debug => Level::Debug,
            LogLevel::Info => Level::Info,
            LogLevel::Warn => Level::Warn,
            LogLevel::Alert => Level::Alert,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hostname: None,
            data: PathBuf::from("/var/lib/mailward"),
            user: "mailward".to_owned(),
            listen: Listen::default(),
            lmtp: Lmtp { socket: Some(PathBuf::from("lmtp.sock")) },
            tls: Tls { certificate: PathBuf::from("tls/certificate.pem"), key: PathBuf::from("tls/key.pem") },
            limits: Limits::default(),
            queue: Queue::default(),
            tls_reports: TlsReports { send: true, contact: None },
            user_limits: limits::USER_LIMITS,
            domain_limits: limits::DOMAIN_LIMITS,
            gate: Guard::default(),
            rates: Rates::default(),
            relay: Relay::default(),
            rules: Rules::default(),
            attachments: Attachments::default(),
            content: Content::default(),
            structure: Structure::default(),
            sendmail: Sendmail::default(),
            logins: Logins::default(),
            bans: Bans::default(),
            quarantine: Quarantine::default(),
            web: Web::default(),
            search: Search { index: true },
            lists: Lists::default(),
            authentication: Authentication::default(),
            dmarc: Dmarc::default(),
            milters: Milters::default(),
            scanner: Scanner::default(),
            antivirus: Antivirus::default(),
            spam: Spam::default(),
            dns: Dns::default(),
            alerts: Alerts::default(),
            audit: Audit::default(),
            log: Log { level: LogLevel::Info, file: None },
        }
    }
}

impl Default for Listen {
    /// Usual ports on every address, POP3, LMTP over TCP and pages off.
    fn default() -> Self {
        Self {
            smtp: everywhere(Listener::Smtp),
            submission: everywhere(Listener::Submission),
            submissions: everywhere(Listener::Submissions),
            imap: everywhere(Listener::Imap),
            imaps: everywhere(Listener::Imaps),
            pop3: Vec::new(),
            pop3s: Vec::new(),
            lmtp: Vec::new(),
            https: Vec::new(),
            http: Vec::new(),
        }
    }
}

fn everywhere(listener: Listener) -> Vec<SocketAddr> {
    let port = listener.usual_port();
    vec![(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port).into(), (IpAddr::V6(Ipv6Addr::UNSPECIFIED), port).into()]
}

impl Listen {
    /// No door at all.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            smtp: Vec::new(),
            submission: Vec::new(),
            submissions: Vec::new(),
            imap: Vec::new(),
            imaps: Vec::new(),
            pop3: Vec::new(),
            pop3s: Vec::new(),
            lmtp: Vec::new(),
            https: Vec::new(),
            http: Vec::new(),
        }
    }
    /// The addresses of one door.
    #[must_use]
    pub const fn get(&self, listener: Listener) -> &Vec<SocketAddr> {
        match listener {
            Listener::Smtp => &self.smtp,
            Listener::Submission => &self.submission,
            Listener::Submissions => &self.submissions,
            Listener::Imap => &self.imap,
            Listener::Imaps => &self.imaps,
            Listener::Pop3 => &self.pop3,
            Listener::Pop3s => &self.pop3s,
            Listener::Lmtp => &self.lmtp,
            Listener::Https => &self.https,
            Listener::Http => &self.http,
        }
    }
    /// The addresses of one door, to be changed.
    pub const fn get_mut(&mut self, listener: Listener) -> &mut Vec<SocketAddr> {
        match listener {
            Listener::Smtp => &mut self.smtp,
            Listener::Submission => &mut self.submission,
            Listener::Submissions => &mut self.submissions,
            Listener::Imap => &mut self.imap,
            Listener::Imaps => &mut self.imaps,
            Listener::Pop3 => &mut self.pop3,
            Listener::Pop3s => &mut self.pop3s,
            Listener::Lmtp => &mut self.lmtp,
            Listener::Https => &mut self.https,
            Listener::Http => &mut self.http,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: limits::MESSAGE_SIZE_MAX,
            recipients: limits::SMTP_RECIPIENTS_MAX,
            messages_per_session: limits::SMTP_MESSAGES_PER_SESSION_MAX,
            connections: limits::CONNECTIONS_MAX,
            connections_per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            connections_per_network: limits::CONNECTIONS_PER_NETWORK_MAX,
            sessions_per_account: limits::SESSIONS_PER_ACCOUNT_MAX,
            stress_enter: limits::STRESS_ENTER_PERCENT,
            stress_leave: limits::STRESS_LEAVE_PERCENT,
        }
    }
}

impl Config {
    /// Reads a file's text. `name` is what errors call the file. Paths stay as written: see [`Config::resolve`].
    ///
    /// # Errors
    /// [`ConfigErrors`], one or more, by line.
    pub fn parse(text: &str, name: &str) -> Result<Loaded, ConfigErrors> {
        read::parse(text, name)
    }
    /// The same for bytes that may be anything; also the entry for fuzzing.
    ///
    /// # Errors
    /// [`ConfigErrors`], one or more, by line.
    pub fn parse_bytes(bytes: &[u8], name: &str) -> Result<Loaded, ConfigErrors> {
        read::parse_bytes(bytes, name)
    }
    /// Reads a file and makes its paths absolute. `data` stands in place of the file's own key, if given.
    ///
    /// # Errors
    /// [`ConfigErrors`], also when the file can't be read.
    pub fn load(file: &Path, data: Option<&Path>) -> Result<Loaded, ConfigErrors> {
        read::load(file, data)
    }
    /// Makes paths absolute: `data` is meant from `base` (where the file lies), all others from `data`.
    pub fn resolve(&mut self, base: &Path) {
        self.data = base.join(&self.data);
        self.tls.certificate = self.data.join(&self.tls.certificate);
        self.tls.key = self.data.join(&self.tls.key);
        self.lmtp.socket = self.lmtp.socket.as_ref().map(|p| self.data.join(p));
        self.sendmail.directory = self.sendmail.directory.as_ref().map(|p| self.data.join(p));
        self.queue.maildirs = self.queue.maildirs.as_ref().map(|p| self.data.join(p));
        self.dns.trust_anchor = self.dns.trust_anchor.as_ref().map(|p| self.data.join(p));
        self.alerts.webhook_secret_file = self.alerts.webhook_secret_file.as_ref().map(|p| self.data.join(p));
        self.alerts.syslog = self.alerts.syslog.as_ref().map(|p| self.data.join(p));
        self.log.file = self.log.file.as_ref().map(|p| self.data.join(p));
    }
    /// The file as `setup` writes it: every key with its comment and default; keys that stand at their default are
    /// commented out, so that a later version may better them.
    #[must_use]
    pub fn commented(&self) -> String {
        write::commented(self)
    }
    /// The reference of every key, Markdown: `docs/configuration.md`.
    #[must_use]
    pub fn reference() -> String {
        write::reference()
    }
}

fn domain_or_empty<S: Serializer>(domain: &Option<Domain>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(domain.as_ref().map_or("", Domain::as_str))
}
fn path_or_off<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.as_ref().map_or("off".into(), |p| p.to_string_lossy()))
}
fn address_or_postmaster<S: Serializer>(address: &Option<Address>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&address.as_ref().map_or("postmaster".to_owned(), Address::to_string))
}
fn path_or_root<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.as_ref().map_or("root".into(), |p| p.to_string_lossy()))
}
fn path_or_stderr<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.as_ref().map_or("stderr".into(), |p| p.to_string_lossy()))
}
