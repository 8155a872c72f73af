//! Everything that a control may look at. Each part may be missing: then what needs it isn't tested.

use crate::actions::Actions;
use crate::area::Area;
use crate::canary::Canary;
use crate::host::{Host, Missed};
use crate::knock::Anchors;
use crate::probe::Peers;
use crate::state::State;
use mailward_core::{Secret, Timestamp};
use mailward_dns::Lookup;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// SMTP's own (RFC 5321 §4.5.4.2).
pub const MAIL_PORT: u16 = 25;

/// HTTPS's own (RFC 9110 §4.2.2).
pub const WEB_PORT: u16 = 443;

/// What an audit looks at.
pub struct Scene {
    /// The host.
    pub host: Host,
    /// The doors of the server that is audited, as it says that it listens; none where it doesn't run.
    pub doors: Vec<Door>,
    /// Whose certificates are trusted at the doors.
    pub anchors: Anchors,
    /// A user of the server that is there to be tried with; `None`: what needs a login isn't tested.
    pub canary: Option<Account>,
    /// The names that the server has: its own and those it receives mail for.
    pub names: Option<Arc<dyn Lookup>>,
    /// What the server says of itself.
    pub state: Option<State>,
    /// What people said.
    pub statements: Statements,
    /// Who answers for which area: an address.
    pub owners: BTreeMap<Area, String>,
    /// And who stands in for them.
    pub deputies: BTreeMap<Area, String>,
    /// What became of what earlier audits found; `None` before the first one.
    pub actions: Option<Actions>,
    /// What kind of machine it is said to be; `None`: what it looks like.
    pub machine: Option<Machine>,
    /// What peers saw from elsewhere.
    pub peers: Peers,
    /// The port at which other mail hosts are asked.
    pub mail_port: u16,
    /// The port at which pages of settings are fetched by HTTPS.
    pub web_port: u16,
    /// When the audit began; what is old or over is so at this time.
    pub now: Timestamp,
}

impl Scene {
    /// A host at a time, and nothing else.
    pub fn of(host: Host, now: Timestamp) -> Self {
        Self {
            host,
            doors: Vec::new(),
            anchors: Anchors::default(),
            canary: None,
            names: None,
            state: None,
            statements: Statements::default(),
            owners: BTreeMap::new(),
            deputies: BTreeMap::new(),
            actions: None,
            machine: None,
            peers: Peers::default(),
            mail_port: MAIL_PORT,
            web_port: WEB_PORT,
            now,
        }
    }

    /// What the server says of itself.
    ///
    /// # Errors
    /// [`Missed::NotReached`] where no server was asked.
    pub fn state(&self) -> Result<&State, Missed> {
        self.state.as_ref().ok_or_else(|| Missed::NotReached("the server doesn't run, so it can't say".to_owned()))
    }

    /// The DNS.
    ///
    /// # Errors
    /// [`Missed::NotReached`] where none may be asked.
    pub fn names(&self) -> Result<&dyn Lookup, Missed> {
        self.names.as_deref().ok_or_else(|| Missed::NotReached("the DNS isn't asked in this run".to_owned()))
    }

    /// The doors where one of these protocols is spoken.
    pub fn doors(&self, protocols: &[Protocol]) -> Vec<&Door> {
        self.doors.iter().filter(|door| protocols.contains(&door.protocol)).collect()
    }
}

/// A user that is there to be tried with.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its address, which is also what it logs in with.
    pub address: String,
    /// Its password.
    pub password: Secret,
    /// What the server tells of what becomes of its mail; `None`: what sends messages to follow them isn't tested.
    pub inside: Option<Arc<dyn Canary>>,
}

/// What is spoken at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// SMTP from other servers.
    Smtp,
    /// Submission with STARTTLS.
    Submission,
    /// Submission with TLS from the first byte.
    Submissions,
    /// IMAP with STARTTLS.
    Imap,
    /// IMAP with TLS from the first byte.
    Imaps,
    /// POP3 with STLS.
    Pop3,
    /// POP3 with TLS from the first byte.
    Pop3s,
    /// LMTP.
    Lmtp,
    /// HTTPS.
    Https,
    /// ManageSieve with STARTTLS.
    ManageSieve,
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where it is reached from this host. A door that is open at an address of the network is given by that one, not by
    /// loopback, which servers count and ban otherwise.
    pub address: SocketAddr,
    /// What its certificate has to name.
    pub name: String,
}

/// What kind of machine it is said to be: what makes no sense there isn't asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Machine {
    /// One's own metal.
    Metal,
    /// A virtual machine at a provider.
    Virtual,
    /// A container.
    Container,
}

/// What people said, by control.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Statements(pub BTreeMap<String, Statement>);

impl Statements {
    /// What was said last to a control's question.
    pub fn of(&self, id: &str) -> Option<&Statement> {
        self.0.get(id)
    }
}

/// What somebody said to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Hundredths of the points: 0 is no, 100 is yes; `None`: the question makes no sense here, and `says` tells why.
    pub share: Option<u8>,
    /// In their words: one line.
    pub says: String,
    /// Who says it.
    pub who: String,
    /// When it was said.
    pub at: Timestamp,
    /// Until when it holds, if they gave a date.
    pub until: Option<Timestamp>,
    /// The file that shows it, and the SHA-256 of it then, in hexadecimal.
    pub file: Option<(String, String)>,
}

/// The answer to a question that people answer. A "yes" holds for `days`, or until the date that was given if that is sooner.
pub(crate) fn stated(scene: &Scene, id: &str, days: u16) -> crate::Finding {
    use crate::{Finding, Verdict};
    let Some(statement) = scene.statements.of(id) else {
        return Finding::not_tested("nobody has answered this; `mailward audit answer` asks");
    };
    let applies = !crate::controls::find(id).is_some_and(crate::Control::may_be_left_out);
    if statement.share.is_none() && applies {
        return Finding::not_tested(format!("{} says that it doesn't apply, and it applies everywhere", statement.who));
    }
    let is_yet_to_come = statement.at.secs().saturating_sub(scene.now.secs()) > 86_400;
    if is_yet_to_come {
        return Finding::fail(format!("the answer is of {}, which is yet to come", day(statement.at)));
    }
    let at_most = statement.at.secs().saturating_add(i64::from(days).saturating_mul(86_400));
    let until = statement.until.map_or(at_most, |until| until.secs().min(at_most));
    let told = format!("{} on {}: {}", statement.who, day(statement.at), statement.says);
    if scene.now.secs() > until {
        return Finding::fail(format!("the answer held until {} ({told})", day(Timestamp::from_secs(until))));
    }
    let finding = match statement.share {
        None => Finding::not_applicable(told),
        Some(share) => match share.min(100) {
            0 => Finding::fail(told),
            100 => Finding::pass(told),
            part => Finding { verdict: Verdict::Partial(part), ..Finding::fail(told) },
        },
    };
    match &statement.file {
        Some((file, hash)) => finding.showing(format!("{file}, SHA-256 when it was shown"), hash.clone()),
        None => finding,
    }
}

/// `2026-01-02`.
pub(crate) fn day(at: Timestamp) -> String {
    at.text().chars().take(10).collect()
}
