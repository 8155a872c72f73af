//! What a look found, as it is told to programs and kept for the next one (docs/probe.md has an example).

use crate::record::Output;
use mailward_core::limits::PROBE_TEXT_MAX;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a look's JSON is called, with the version of its shape.
pub const FORMAT: &str = "mailward-probe/1";

/// One look at one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// [`FORMAT`].
    pub format: String,
    /// The program that looked.
    pub by: String,
    /// The host, as it was named.
    pub host: String,
    /// The name that certificates have to prove.
    pub name: String,
    /// The domain that mail is received for, if one was found.
    pub domain: Option<String>,
    /// When it began, RFC 3339.
    pub began: String,
    /// How long it took.
    pub seconds: u64,
    /// Connections that were tried.
    pub connections: usize,
    /// The host's addresses.
    pub addresses: Vec<IpAddr>,
    /// Every port of every address.
    pub ports: Vec<PortSeen>,
    /// Every door that is open and has a role.
    pub doors: Vec<DoorSeen>,
    /// What the DNS has; nothing if it wasn't asked.
    pub names: Option<NamesSeen>,
    /// What was found, the weightiest first.
    pub findings: Vec<Found>,
    /// What is other than the last time; nothing at the first look.
    pub changes: Option<Vec<Change>>,
    /// How many findings of which kind there are.
    pub summary: BTreeMap<String, usize>,
}

/// What a port is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortState {
    /// Somebody listens.
    Open,
    /// Refused.
    Closed,
    /// No answer.
    Silent,
    /// No way there.
    Unreachable,
    /// The look's time was over before it was tried.
    Untried,
}

impl PortState {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            PortState::Open => "open",
            PortState::Closed => "closed",
            PortState::Silent => "silent",
            PortState::Unreachable => "unreachable",
            PortState::Untried => "untried",
        }
    }
}

/// One port of one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortSeen {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The usual port of what is looked for there.
    pub role: Option<u16>,
    /// What it is like.
    pub state: PortState,
    /// What the system said.
    pub why: Option<String>,
}

/// What a door said and took. What wasn't found out is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorSeen {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The usual port of what is spoken there.
    pub role: u16,
    /// What is spoken there.
    pub protocol: String,
    /// What it says first.
    pub banner: Option<String>,
    /// Why no dialogue came about, or where it broke.
    pub error: Option<String>,
    /// What it can before TLS, or under TLS where that begins at once.
    pub features: Option<Vec<String>>,
    /// What it can after STARTTLS.
    pub features_tls: Option<Vec<String>>,
    /// Whether it offers STARTTLS.
    pub starttls: Option<bool>,
    /// Ways to log in that it offers in clear.
    pub auth_clear: Option<Vec<String>>,
    /// Ways to log in that it offers under TLS.
    pub auth_tls: Option<Vec<String>>,
    /// Its answer to VRFY of the postmaster.
    pub vrfy: Option<String>,
    /// Its answer to EXPN of the postmaster.
    pub expn: Option<String>,
    /// How attempts to relay went.
    pub relay: Option<RelaySeen>,
    /// What of TLS it takes.
    pub tls: Option<TlsSeen>,
    /// The certificate that it shows.
    pub certificate: Option<CertificateSeen>,
}

/// How attempts to relay went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelaySeen {
    /// All.
    pub attempts: usize,
    /// Taken.
    pub through: usize,
    /// Neither taken nor refused.
    pub unclear: usize,
}

/// What of TLS a door takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSeen {
    /// Each version that it takes, the oldest first.
    pub versions: Vec<VersionSeen>,
    /// Suites that it shouldn't take, of all versions.
    pub weak_suites: Vec<String>,
}

/// What a door takes in one version of TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionSeen {
    /// Its name.
    pub version: String,
    /// The suites, in the order in which it picks them.
    pub suites: Vec<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// The length of the prime of its DHE suites.
    pub prime_bits: Option<usize>,
}

/// A certificate that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateSeen {
    /// What it stands for.
    pub names: Vec<String>,
    /// Its serial number.
    pub serial: String,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
    /// From when, RFC 3339.
    pub from: String,
    /// Until when.
    pub until: String,
    /// Whole days that are left; less than 0 if it is over.
    pub days_left: i64,
    /// Its key in words.
    pub key: String,
    /// The key's length.
    pub key_bits: Option<usize>,
    /// The object identifier of the algorithm that it is signed with.
    pub signature: String,
    /// Whether it is signed by itself.
    pub self_signed: bool,
    /// Whether an authority that is trusted stands behind it, for the name, now.
    pub trusted: bool,
    /// Why not.
    pub why: Option<String>,
    /// How many certificates came.
    pub chain: usize,
}

/// What the DNS has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamesSeen {
    /// MX records.
    pub mx: Vec<String>,
    /// The SPF record.
    pub spf: Option<String>,
    /// The DMARC record.
    pub dmarc: Option<String>,
    /// The MTA-STS record.
    pub mta_sts: Option<String>,
    /// The TLS-RPT record.
    pub tls_rpt: Option<String>,
    /// TLSA records of port 25 of the host.
    pub tlsa: Vec<String>,
    /// Names of the addresses.
    pub reverse: BTreeMap<String, Vec<String>>,
    /// Who may certify the host, and where that stands.
    #[serde(default)]
    pub caa: Vec<String>,
    /// What mail programs are told: SRV records, autoconfig, autodiscover.
    #[serde(default)]
    pub programs: Vec<String>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// [`super::Question::name`].
    pub name: String,
    /// The control that asks the same of one's own server.
    pub control: Option<String>,
    /// 10 mandatory, 5 important, 2 extra.
    pub weight: u8,
    /// Whether its failure is a hole through which others send, read or take over.
    pub hole: bool,
    /// What was asked.
    pub question: String,
    /// `pass`, `fail`, `error`, `not-tested`, `not-applicable`.
    pub verdict: String,
    /// What was found, where.
    pub said: String,
    /// What to do.
    pub mend: String,
    /// What was seen.
    pub evidence: Vec<Output>,
}

impl Found {
    /// Whether something mandatory failed.
    pub fn is_mandatory_failure(&self) -> bool {
        self.weight >= 10 && self.verdict == "fail"
    }
}

/// Something that is other than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What.
    pub what: String,
    /// What it was; nothing if it wasn't there.
    pub was: Option<String>,
    /// What it is; nothing if it is gone.
    pub is: Option<String>,
}

/// A text of others as it is told: cut, without what acts on a terminal.
pub(crate) fn plain(text: &str) -> String {
    tamed(text.chars().take(PROBE_TEXT_MAX), |_| false)
}

/// Characters of others, without those that act on a terminal or can't be seen where they stand: control characters but those that
/// are let be, and overrides of direction.
pub(super) fn tamed(text: impl Iterator<Item = char>, lets_be: fn(char) -> bool) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}')
    };
    text.map(|c| if acts(c) && !lets_be(c) { '\u{fffd}' } else { c }).collect()
}

/// The same of bytes.
pub(super) fn plain_bytes(bytes: &[u8]) -> String {
    let most = PROBE_TEXT_MAX.saturating_mul(4);
    plain(&String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes)))
}
