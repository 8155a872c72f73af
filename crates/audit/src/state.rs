//! What the server says of itself: facts, no judgement. The composition root fills them in, over the control socket where the
//! audit is another process than the server.

use crate::host::Missed;
use mailward_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Facts of a running server. A field is `None` where the server couldn't tell; the control that needs it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The version of the program that runs.
    pub version: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// The name it gives itself.
    pub name: Option<String>,
    /// Domains it receives mail for.
    pub domains: Vec<String>,
    /// Accounts, in lower case, and whether they are enabled; `None`: it doesn't say.
    pub accounts: Option<BTreeMap<String, bool>>,
    /// Keys that sign now, by domain.
    pub dkim: BTreeMap<String, Vec<DkimKey>>,
    /// The configuration in force.
    pub settings: Option<Settings>,
    /// Its file.
    pub file: Option<SettingsFile>,
    /// Domains that have one for all mail to nobody, and where it goes.
    pub catch_all: Option<BTreeMap<String, String>>,
    /// Aliases that lead to other domains than ours: where.
    pub leads_out: Option<BTreeMap<String, Vec<String>>>,
    /// How it is administered.
    pub administration: Option<Administration>,
    /// What is known of users' passwords; no password, and no hash.
    pub passwords: Option<Passwords>,
    /// How much single users may send where that isn't what the configuration says: for each the names of
    /// `user_limits`, and how much; 0: no limit.
    pub own_limits: Option<BTreeMap<String, BTreeMap<String, u64>>>,
    /// Rules that let somebody skip checks, or send through us. What is built in isn't among them.
    pub trusting: Option<Vec<TrustRule>>,
    /// Ways that alerts go.
    pub alert_ways: Option<Vec<AlertWay>>,
    /// Virus scanners that are asked.
    pub engines: Option<Vec<Engine>>,
    /// What came of looking at stored mail again.
    pub rescan: Option<Rescan>,
    /// Aliases, and to how many mailboxes here each leads.
    pub aliases: Option<BTreeMap<String, usize>>,
    /// Messages that are kept in the quarantine.
    pub quarantine: Option<Quarantine>,
    /// Domains here, and until when the newest report tells that others made of them within a week: `None` if there is none.
    pub dmarc_heard: Option<BTreeMap<String, Option<Timestamp>>>,
    /// Audits before this one.
    pub audits: Option<Audits>,
    /// What users' programs logged in over.
    pub clients: Option<Clients>,
    /// Enabled accounts with a password, and when somebody logged in as each.
    pub last_logins: Option<LastLogins>,
    /// What its log of the last day tells of itself; `None`: it can't read it.
    pub log: Option<Log>,
    /// The last time that every byte of the store was checked.
    pub verified: Option<Verified>,
}

/// A key that signs mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimKey {
    /// Its name below `_domainkey`.
    pub selector: String,
    /// What the DNS has to say there.
    pub value: String,
    /// When it was made.
    pub made: Option<Timestamp>,
}

/// Values by the names that the configuration reference has, each as TOML. Values that may be secrets are hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<String, String>);

impl Settings {
    /// A value; `None` if this version has no such key.
    ///
    /// # Errors
    /// [`Missed::Odd`] if it is no TOML.
    pub fn value(&self, key: &str) -> Result<Option<toml::Value>, Missed> {
        let Some(text) = self.0.get(key) else { return Ok(None) };
        let read = toml::from_str::<toml::Table>(&format!("value = {text}"));
        read.ok()
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("value"))
            .map(Some)
            .ok_or_else(|| Missed::Odd(key.to_owned(), "the server tells a value that can't be read".to_owned()))
    }

    /// A value that has to be there, of some kind.
    fn of<T>(&self, key: &str, take: impl FnOnce(&toml::Value) -> Option<T>) -> Result<T, Missed> {
        let value =
            self.value(key)?.ok_or_else(|| Missed::NotReached(format!("the server doesn't tell its setting {key}")))?;
        take(&value).ok_or_else(|| Missed::Odd(key.to_owned(), "the server tells a value of another kind".to_owned()))
    }

    /// Yes or no.
    ///
    /// # Errors
    /// [`Missed`] if there is none such, or it can't be read.
    pub fn flag(&self, key: &str) -> Result<bool, Missed> {
        self.of(key, toml::Value::as_bool)
    }

    /// A whole number.
    ///
    /// # Errors
    /// As [`Settings::flag`].
    pub fn number(&self, key: &str) -> Result<i64, Missed> {
        self.of(key, toml::Value::as_integer)
    }

    /// A text.
    ///
    /// # Errors
    /// As [`Settings::flag`].
    pub fn text(&self, key: &str) -> Result<String, Missed> {
        self.of(key, |value| value.as_str().map(str::to_owned))
    }
}

/// The file that the configuration was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsFile {
    /// Its path; `None` where the server was started without one.
    pub path: Option<String>,
    /// Why it can't be taken as it is now.
    pub broken: Option<String>,
    /// Keys whose values in the file are others than those in force.
    pub differs: Vec<String>,
}

/// Who administers, and through what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Administration {
    /// The socket that takes commands.
    pub socket: String,
    /// The rights on it: the lower twelve bits of its mode.
    pub mode: Option<u32>,
    /// System users that it obeys.
    pub obeys: Vec<u32>,
    /// Doors of the network through which somebody can administer.
    pub doors: Vec<String>,
}

/// What is known of passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passwords {
    /// Enabled accounts whose one password is all that any program needs.
    pub accounts: usize,
    /// How passwords are kept, and how many of them so.
    pub hashes: Vec<Hashes>,
    /// Those that are kept in a way that nobody can read.
    pub unreadable: usize,
    /// Hashes that are computed at once.
    pub at_once: usize,
    /// Passwords that guessers begin with, of nobody here, and whether one would be taken.
    pub tried: BTreeMap<String, bool>,
}

/// One way to keep passwords: Argon2id (RFC 9106) at some cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// Memory of one, KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// How many passwords are kept so.
    pub passwords: usize,
}

/// A rule that lets somebody skip checks, or send through us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRule {
    /// Where it stands: `rule 3`, `rules.list 1`, `relay.from`.
    pub place: String,
    /// What it says.
    pub rule: String,
    /// Who made it; `None` where that isn't kept.
    pub by: Option<String>,
    /// When.
    pub made: Option<Timestamp>,
    /// Why.
    pub why: Option<String>,
}

/// A way that alerts go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertWay {
    /// `mail`, `webhook`, `syslog`, `command`.
    pub name: String,
    /// Whether it works also when this server's mail doesn't.
    pub beside: bool,
    /// When it brought an alert last.
    pub told: Option<Timestamp>,
    /// Since when it fails, if it does.
    pub failing: Option<Timestamp>,
}

/// A virus scanner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// As the configuration has it.
    pub engine: String,
    /// Whether it works; `None`: it wasn't asked yet.
    pub works: Option<bool>,
    /// What is wrong with it.
    pub why: Option<String>,
    /// Its version, if it says so.
    pub version: Option<String>,
    /// When its signatures were made, if it says so.
    pub made: Option<Timestamp>,
}

/// What came of looking at stored mail with what virus scanners know by then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescan {
    /// When one was brought to its end last; `None`: never.
    pub done: Option<Timestamp>,
    /// Messages that it looked at.
    pub looked: u64,
    /// Those that went into the quarantine.
    pub found: u64,
}

/// What is kept in the quarantine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Messages.
    pub kept: u64,
    /// Those that should have been gone for a day.
    pub overdue: u64,
    /// Those of which isn't known by which rule they are kept.
    pub unexplained: u64,
}

/// Audits that were kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audits {
    /// Seals: audits that there ever were.
    pub seals: usize,
    /// Audits whose file is there.
    pub runs: usize,
    /// What isn't as it was written.
    pub faults: Vec<String>,
    /// The newest one.
    pub newest: Option<Newest>,
    /// Controls of that one whose evidence looks as if it had a secret in it.
    pub secrets: Vec<String>,
    /// Accounts of earlier audits that are still there.
    pub left: usize,
}

/// The newest audit that was kept. Only whole ones are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Its number.
    pub number: u64,
    /// When it was over.
    pub ended: Timestamp,
    /// Controls that it asked.
    pub asked: usize,
    /// Controls that failed, wholly or in part.
    pub failing: Vec<String>,
    /// Controls that broke off.
    pub broken: Vec<String>,
}

/// What users' programs logged in over. No user is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clients {
    /// Since when every login is counted.
    pub begun: Option<Timestamp>,
    /// Whether nobody could log in before that.
    pub from_first: bool,
    /// Those of which there were some within `limits::CLIENT_DAYS`.
    pub logins: Vec<Logins>,
}

/// Logins of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logins {
    /// The door: `imaps`.
    pub door: String,
    /// What carried them: `TLSv1.3`, `TLSv1.2`, `other` for another version, `none`.
    pub carrier: String,
    /// Whether they came from this host itself.
    pub here: bool,
    /// How many within `limits::CLIENT_MONTH` days.
    pub logins: u64,
    /// The day of the last of them, in UTC: `2026-11-26`.
    pub last: String,
}

/// When users logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLogins {
    /// Not all of them had room: who isn't known here may have logged in.
    pub is_full: bool,
    /// By address.
    pub accounts: BTreeMap<String, LastLogin>,
}

/// When somebody logged in as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLogin {
    /// When the account was made.
    pub made: Timestamp,
    /// The day of the last login, since they are counted ([`Clients::begun`]).
    pub last: Option<Timestamp>,
}

/// What a log tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Its file.
    pub file: String,
    /// How often there should be a sign of life, seconds.
    pub every: u64,
    /// The first sign of life within the last day: from there on it is looked at.
    pub since: Option<Timestamp>,
    /// The last line.
    pub until: Option<Timestamp>,
    /// Times without a line, each longer than three signs of life are apart, at most `limits::AUDIT_SILENCES_MAX`.
    pub silences: Vec<Silence>,
}

/// A time without a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The line before it.
    pub from: Timestamp,
    /// The line after it, or now.
    pub to: Timestamp,
    /// Whether the line before it says that the server was stopped, and the one after it that it was started.
    pub stopped: bool,
}

/// What came of checking the store (`mailward store verify`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When that began; `None`: never.
    pub began: Option<Timestamp>,
    /// Contents that were read and hashed.
    pub contents: u64,
    /// What was wrong.
    pub problems: u64,
}
